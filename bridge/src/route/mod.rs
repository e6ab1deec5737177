//! Routes: supervised pipes from one address to another.

mod guarantee;
mod state;

pub use guarantee::{Asked, Promise, Verdict, judge, verdict};
pub use state::{RouteState, RouteStates};
