//! A message's headers, found by name.

use foldhash::HashMap;
use smallvec::SmallVec;

use super::steps::Steps;
use crate::message::{Headers, Text, Value};

/// The values under each name.
pub(super) type ByName<'a> = HashMap<&'a Text, SmallVec<[&'a Value; 1]>>;

/// Headers that are arranged by name when the first headers exchange asks, and then for the whole
/// route: to walk them for each argument of each rule would take names × arguments × rules looks.
#[derive(Debug)]
pub(super) struct NamedHeaders<'a> {
    headers: &'a Headers,
    by_name: Option<ByName<'a>>,
}

impl<'a> NamedHeaders<'a> {
    pub(super) fn new(headers: &'a Headers) -> Self {
        Self {
            headers,
            by_name: None,
        }
    }

    /// The arrangement; `None` where it takes more steps than are left.
    pub(super) fn by_name(&mut self, steps: &mut Steps) -> Option<&ByName<'a>> {
        if self.by_name.is_none() {
            steps.take(self.headers.len())?;
            let mut by_name: ByName<'a> = HashMap::default();
            for (name, value) in self.headers {
                by_name.entry(name).or_default().push(value);
            }
            self.by_name = Some(by_name);
        }
        self.by_name.as_ref()
    }
}
