//! Which messages of a batch came back because no queue took them.

use bytes::Bytes;
use lapin::{BasicProperties, message::BasicReturnMessage, types::ShortString};

/// What was published, to recognise it by when it comes back.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

/// The places in `batch` of the messages that were `returned`.
///
/// A return carries no delivery tag, and lapin hands it out with whichever confirm comes next: so
/// they are told by content. Which of two equal messages it was makes no difference.
pub(super) fn places(batch: &[Option<Published>], returned: &[BasicReturnMessage]) -> Vec<usize> {
    let mut places = Vec::with_capacity(returned.len());
    for message in returned {
        let found = batch.iter().enumerate().find(|(place, published)| {
            let same = published.as_ref().is_some_and(|p| is_same(p, message));
            same && !places.contains(place)
        });
        places.extend(found.map(|(place, _)| place));
    }
    places
}

fn is_same(published: &Published, returned: &BasicReturnMessage) -> bool {
    published.body == returned.delivery.data
        && published.routing_key == returned.delivery.routing_key
        && published.properties == returned.delivery.properties
}
