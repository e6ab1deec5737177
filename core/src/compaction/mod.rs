//! Retention by key: of all messages of a key the newest stays, and a tombstone for a while.
//!
//! Pure: a [`Round`] is shown a log's entries and says what may go. It keeps a bounded map from keys
//! to their newest offsets, so that its memory follows neither the log's size nor the number of
//! keys: what the map has no room for is left for the next round. Where it got to is a [`Progress`],
//! which is stored with what was forgotten.

mod key;
mod key_map;
mod part;
mod policy;
mod progress;
mod round;
#[cfg(test)]
mod tests;

pub use key::{Key, Keys};
pub use part::{Fit, Part, Record, Verdict};
pub use policy::{Beyond, Compaction, parse_ratio, ratio_text};
pub use progress::Progress;
pub use round::{Ask, Round, Span};
