//! What every adapter of Standpipe must do, as scenarios that anybody can run over their own.

pub mod driver;
pub mod store;
