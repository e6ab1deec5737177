//! Keys as what fits into a map.

use std::hash::{BuildHasher, RandomState};

/// A key's hash of 128 bits: two keys of one log do not share it by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u64; 2]);

/// Makes [`Key`]s. Each round has its own secrets, so that nobody can publish two keys that are one
/// here and lose a message of somebody else's.
#[derive(Debug, Default)]
pub struct Keys(RandomState, RandomState);

impl Keys {
    /// The hash of a message's key.
    pub fn of(&self, key: &[u8]) -> Key {
        Key([self.0.hash_one(key), self.1.hash_one(key)])
    }
}
