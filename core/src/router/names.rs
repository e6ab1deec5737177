//! The names of topics that a route finds.

use std::sync::Arc;

/// How many names there are before repeats are looked for.
const FEW: usize = 64;

/// Names, each once in the end. Whenever there are twice as many as there were different ones, repeats
/// are taken out: however often names come, the list stays within twice what it says.
#[derive(Debug)]
pub(super) struct Names<'a> {
    list: &'a mut Vec<Arc<str>>,
    room: usize,
}

impl<'a> Names<'a> {
    pub(super) fn new(list: &'a mut Vec<Arc<str>>) -> Self {
        Self { list, room: FEW }
    }

    pub(super) fn push(&mut self, name: &Arc<str>) {
        if self.list.len() >= self.room {
            self.only_once();
            self.room = FEW.max(2 * self.list.len());
        }
        self.list.push(Arc::clone(name));
    }

    /// Sorts, and takes repeats out. A stable sort, since names come in sorted runs, an exchange's each,
    /// which it takes as they are.
    pub(super) fn only_once(&mut self) {
        self.list.sort();
        self.list.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_stays_within_twice_the_names_that_differ() {
        let different: Vec<Arc<str>> = (0..100).map(|n| n.to_string().into()).collect();
        let (mut list, mut longest) = (Vec::new(), 0);
        let mut names = Names::new(&mut list);
        for name in different.iter().cycle().take(10_000) {
            names.push(name);
            longest = longest.max(names.list.len());
        }
        names.only_once();
        assert_eq!(longest, 200);
        let mut expected = different;
        expected.sort();
        assert_eq!(list, expected);
    }
}
