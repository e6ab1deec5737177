//! What a coordinator promises, by example and over any order of events.

mod client;
mod examples;
mod properties;

use client::Client;
