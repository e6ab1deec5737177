//! Transforms: declarative steps, jq expressions, and any program on stdin and stdout.
//!
//! A route's `transform = […]` is a list of [`Step`]s; [`Step::build`] makes each of them a
//! [`Transform`](standpipe_core::driver::Transform).
//!
//! A child process is one of two kinds. [`Exec`] with [`Framing::Envelopes`] gives it envelopes
//! with a `seq`, which its output lines carry; it may drop and split, and keeps order. With
//! [`Framing::Lines`] it is given payloads, and answers each line with exactly one.

mod exec;
mod jq;
mod settings;
mod step;
mod steps;

pub use exec::{Exec, Framing};
pub use jq::Jq;
pub use settings::Settings;
pub use step::Step;
pub use steps::{DropFields, Field, RenameFields, SetFields};
