//! Routes: supervised pipes from one address to another.

mod guarantee;

pub use guarantee::{Asked, Promise, Verdict, judge, verdict};
