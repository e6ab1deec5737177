//! A compacted topic takes messages with a key only: nothing would ever replace the others.

use super::{Broker, Topic};
use crate::{
    entry::{Draft, Entry},
    error::{Error, ErrorKind, Result},
    id::{Millis, Offset},
};

impl Broker {
    /// # Errors
    /// `Invalid` where the topic is compacted and a message has no key, or does not read.
    pub(super) fn check_keyed(&self, topic: &Topic, draft: &Draft) -> Result<()> {
        if topic.retention().compaction().is_none() {
            return Ok(());
        }
        let entry = Entry {
            base_offset: Offset::ZERO,
            appended: Millis(0),
            leader_epoch: 0,
            draft: draft.clone(),
        };
        let messages = self.codecs().decode(&entry).map_err(|error| {
            let message = format!("{}; a compacted topic must know the key", error.message());
            Error::new(ErrorKind::Invalid, "publish", message).with_source(error)
        })?;
        match messages.iter().find(|(_, message)| message.key.is_none()) {
            None => Ok(()),
            Some((at, _)) => {
                let name = topic.name();
                let message = format!("topic `{name}` is compacted, and message {at} has no key");
                Err(Error::new(ErrorKind::Invalid, "publish", message))
            }
        }
    }
}
