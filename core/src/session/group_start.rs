//! Where a group begins that reads from the latest message on.

use crate::driver::StartAt;

/// Where a group of `from=latest` begins on the partitions of a topic on which it holds no place; `held`
/// says of each partition, in order, whether it holds one.
///
/// It is given a place on each partition when it is first opened, and partitions are added at the end:
/// what follows those that it holds came later, and is read from its beginning. Where it holds others, it
/// kept only places up to which something was done: the rest was there before, and begins at its end.
pub fn unheld_start(held: impl IntoIterator<Item = bool>) -> StartAt {
    let mut held = held.into_iter().peekable();
    let is_first_held = held.peek() == Some(&true);
    let is_broken = held.skip_while(|held| *held).any(|held| held);
    if is_first_held && !is_broken {
        StartAt::Earliest
    } else {
        StartAt::Latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_an_unbroken_run_came_later() {
        let (yes, no) = (true, false);
        for held in [vec![yes], vec![yes, no, no], vec![yes, yes, no]] {
            assert_eq!(unheld_start(held.clone()), StartAt::Earliest, "{held:?}");
        }
        for held in [vec![], vec![no, no], vec![no, yes], vec![yes, no, yes]] {
            assert_eq!(unheld_start(held.clone()), StartAt::Latest, "{held:?}");
        }
    }
}
