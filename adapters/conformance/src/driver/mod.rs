//! What every driver must do, as scenarios that run over any of them.
//!
//! An adapter's test makes a [`Subject`] and asserts that [`check`] finds nothing:
//!
//! ```no_run
//! # async fn example(subject: impl standpipe_conformance::driver::Subject) {
//! standpipe_conformance::driver::check(&subject).await.assert_passed();
//! # }
//! ```
//!
//! Each scenario is itself tested: [`Broken`] breaks a working driver in one way, and exactly the
//! scenario for that fails.

mod broken;
mod memory;
mod report;
mod scenarios;
mod served;
mod subject;

pub use broken::{Broken, Fault};
pub use memory::MemorySubject;
pub use report::{Outcome, Report};
pub use scenarios::{SCENARIOS, Scenario};
pub use served::Served;
pub use subject::{Ends, Subject};

/// Runs every scenario that the subject's capabilities call for, one after the other.
pub async fn check(subject: &dyn Subject) -> Report {
    let mut report = Report::default();
    for scenario in SCENARIOS {
        report.add(scenario.name, scenario.run(subject).await);
    }
    report
}
