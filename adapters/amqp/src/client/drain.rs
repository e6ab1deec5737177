//! When a queue counts as drained.

use std::time::Duration;

use lapin::{Channel, types::ShortString};
use standpipe_core::Result;

use super::{connect::ready, outstanding::Outstanding};

/// The time between the two looks that must both find nothing.
const APART: Duration = Duration::from_millis(500);

/// Looks until nothing is ready twice, 500 ms apart, with nothing of ours unsettled.
///
/// The question goes over the channel that settles, so that its answer comes after what was settled
/// before. The caller drops this future when a delivery comes, and begins anew after it.
///
/// # Errors
/// `NotFound` where the queue is gone, `Disconnected`.
pub(super) async fn drained(
    channel: &Channel,
    queue: &ShortString,
    outstanding: &Outstanding,
) -> Result<()> {
    let mut empty_looks = 0;
    loop {
        outstanding.wait_empty().await;
        let is_empty = ready(channel, queue).await? == 0 && outstanding.is_empty();
        empty_looks = if is_empty { empty_looks + 1 } else { 0 };
        if empty_looks == 2 {
            return Ok(());
        }
        tokio::time::sleep(APART).await;
    }
}
