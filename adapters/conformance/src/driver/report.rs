//! What the scenarios found.

use std::fmt;

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it must.
    Passed,
    /// The driver does not claim what the scenario is about.
    NotClaimed,
    /// Otherwise, and how.
    Failed(String),
}

/// Every scenario and its outcome.
#[derive(Debug, Clone, Default)]
pub struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    pub(super) fn add(&mut self, scenario: &'static str, outcome: Outcome) {
        self.0.push((scenario, outcome));
    }

    /// Names of the scenarios that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Names of the scenarios that passed.
    pub fn passed(&self) -> Vec<&'static str> {
        self.names(|outcome| *outcome == Outcome::Passed)
    }

    /// Checks that nothing failed, and that something ran.
    ///
    /// # Panics
    /// With the whole report where that is not so.
    pub fn assert_passed(&self) {
        assert!(self.failed().is_empty(), "\n{self}");
        assert!(!self.passed().is_empty(), "no scenario applied\n{self}");
    }

    fn names(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        let chosen = self.0.iter().filter(|(_, outcome)| wanted(outcome));
        chosen.map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.0 {
            match outcome {
                Outcome::Passed => writeln!(f, "passed       {name}")?,
                Outcome::NotClaimed => writeln!(f, "not claimed  {name}")?,
                Outcome::Failed(how) => writeln!(f, "FAILED       {name}: {how}")?,
            }
        }
        Ok(())
    }
}
