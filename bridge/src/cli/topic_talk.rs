//! How topics are printed: a table for people, a JSON object a line for programs.

use std::io::Write as _;

use standpipe_core::driver::{PartitionInfo, SubscriptionInfo, TopicInfo};

use crate::exit::Failure;

/// A line a topic.
pub(crate) fn list(topics: &[TopicInfo], json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for topic in topics {
        if json {
            print_json(&mut out, topic)?;
        } else {
            let words = [&topic.retention, &topic.durability].map(|word| word.as_deref());
            let [retention, durability] = words.map(|word| word.unwrap_or("-"));
            writeln!(out, "{}\t{retention}\t{durability}", topic.name)?;
        }
    }
    Ok(out.flush()?)
}

/// Everything about one topic.
pub(crate) fn describe(topic: &TopicInfo, json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if json {
        print_json(&mut out, topic)?;
        return Ok(out.flush()?);
    }
    writeln!(out, "topic        {}", topic.name)?;
    for (name, value) in [
        ("retention", &topic.retention),
        ("durability", &topic.durability),
    ] {
        if let Some(value) = value {
            writeln!(out, "{name:<12} {value}")?;
        }
    }
    for (number, partition) in topic.partitions.iter().enumerate() {
        let PartitionInfo { start, end, octets } = partition;
        writeln!(
            out,
            "partition {number:<2} offsets {start} to {end}, {octets} octets"
        )?;
    }
    for subscription in &topic.subscriptions {
        print_subscription(&mut out, subscription)?;
    }
    if let Some(holder) = &topic.held_by {
        writeln!(out, "held by      {holder}")?;
    }
    Ok(out.flush()?)
}

/// How many messages a purge settled.
pub(crate) fn purged(count: u64, json: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if json {
        print_json(&mut out, &serde_json::json!({ "purged": count }))?;
    } else {
        writeln!(out, "{count}")?;
    }
    Ok(out.flush()?)
}

fn print_json(out: &mut impl std::io::Write, value: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

fn print_subscription(
    out: &mut impl std::io::Write,
    subscription: &SubscriptionInfo,
) -> std::io::Result<()> {
    let SubscriptionInfo {
        name,
        mode,
        ready,
        leased,
        consumers,
        floors,
        lost,
    } = subscription;
    writeln!(
        out,
        "subscription {name} ({mode}): {ready} ready, {leased} leased, {consumers} consumers, \
         settled below {floors:?}, {lost} lost to retention"
    )
}
