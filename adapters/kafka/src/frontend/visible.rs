//! What was answered and is not visible yet: with `acks=1` a produce is answered before its sync.

use std::{sync::Arc, time::Duration};

use standpipe_core::{
    broker::{Broker, Topic},
    id::{Offset, PartitionId},
};
use tokio::time::timeout;

/// How long it is waited for; where the store does not come to it, what is visible counts.
const LONGEST: Duration = Duration::from_secs(1);

/// Returns when readers see all that the partitions held when this was called; says whether there was
/// something that they did not. Cancel-safe.
pub(super) async fn settled(
    broker: &Broker,
    partitions: impl IntoIterator<Item = (Arc<Topic>, PartitionId)>,
) -> bool {
    let ends = partitions.into_iter().filter_map(|(topic, number)| {
        let bounds = topic.bounds(number).ok()?;
        (bounds.stable < bounds.end).then_some((topic, number, bounds.end))
    });
    let ends: Vec<_> = ends.collect();
    if ends.is_empty() {
        return false;
    }
    broker.hurry();
    let all = async {
        for (topic, number, end) in ends {
            topic.changed(number, Offset(end.0 - 1)).await;
        }
    };
    let _ = timeout(LONGEST, all).await;
    true
}
