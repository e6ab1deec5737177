//! The frontend from outside: over TCP, with a broker in memory behind it.

mod bad_input;
mod blocked;
mod client_view;
mod copies;
mod crowd;
mod harness;
mod login;
mod names;
mod prefetch;
mod replies;
mod store;
mod visible;
