//! A map with a fixed room.

use foldhash::{HashMap, HashMapExt};

use super::Key;
use crate::id::Offset;

/// The newest offset of each key that there was room for.
#[derive(Debug)]
pub(super) struct KeyMap {
    newest: HashMap<Key, Offset>,
    room: usize,
}

impl KeyMap {
    pub(super) fn new(room: usize) -> Self {
        Self {
            newest: HashMap::new(),
            room,
        }
    }

    /// Whether `more` keys that it has not seen have room.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        self.newest.len().saturating_add(more) <= self.room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    pub(super) fn insert(&mut self, key: Key, offset: Offset) {
        let newest = self.newest.entry(key).or_insert(offset);
        *newest = offset.max(*newest);
    }

    pub(super) fn get(&self, key: Key) -> Option<Offset> {
        self.newest.get(&key).copied()
    }

    /// From now on it has room for so many.
    pub(super) fn set_room(&mut self, room: usize) {
        self.room = room;
    }
}
