//! Retention by time and size: it trims what is unsettled too, and says so to whom it concerns.

use std::sync::Arc;

use crate::{
    broker::{Broker, Retention, Topic, partition::Partition},
    error::Result,
    id::{Millis, Offset, PartitionId},
    store::{Keep, Op},
};

impl Broker {
    /// Lets go of what lies beyond a topic's limits, settled or not.
    pub(super) async fn trim_by_limits(
        &self,
        topic: &Arc<Topic>,
        limits: Retention,
        now: Millis,
    ) -> Result<()> {
        for at in (0..topic.partition_count()).map(PartitionId) {
            let partition = topic.partition(at)?;
            let below = point(topic, &partition, limits, now).await?;
            if below <= partition.start() {
                continue;
            }
            let log = partition.log;
            let trim = vec![Op::Trim { log, below }];
            let still = || topic.retention() == limits;
            if !self.submit_while(topic, trim, still).await? {
                return Ok(());
            }
            topic.start_at(at, &partition, below);
        }
        Ok(())
    }
}

/// Where the log may start; its present start where nothing goes.
async fn point(
    topic: &Topic,
    partition: &Partition,
    limits: Retention,
    now: Millis,
) -> Result<Offset> {
    let (start, stable) = (partition.start(), partition.stable());
    if start >= stable {
        return Ok(start);
    }
    let mut below = start;
    if let Some(ms) = limits.ms()
        && partition.space.lock().may_age(ms, now)
    {
        let oldest = Millis(now.0.saturating_sub_unsigned(ms));
        let keep = Keep::Since(oldest);
        below = below.max(topic.store.trim_point(partition.log, keep).await?);
        if below <= start {
            partition.space.lock().is_young(ms, now);
        }
    }
    if let Some(octets) = limits.octets()
        && partition.space.lock().has_grown(octets, stable)
    {
        below = below.max(point_by_size(topic, partition, octets, stable).await?);
    }
    Ok(below.min(stable))
}

async fn point_by_size(
    topic: &Topic,
    partition: &Partition,
    octets: u64,
    stable: Offset,
) -> Result<Offset> {
    let bounds = topic.store.bounds(partition.log).await?;
    if bounds.octets <= octets {
        // Until it grows there is nothing to look at; above the limit the store may get further
        // with time.
        partition.space.lock().fits(octets, stable);
        return Ok(bounds.start);
    }
    let keep = Keep::Octets(octets);
    topic.store.trim_point(partition.log, keep).await
}
