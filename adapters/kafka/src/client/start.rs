//! Where a source begins.

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    topic_partition_list::TopicPartitionListElem,
};
use standpipe_core::{Error, ErrorKind, Result, driver::StartAt, session::unheld_start};

use super::{
    context::Context,
    drain::Drain,
    failure::failure,
    settings::{ANSWER, Source},
};

/// Joins the group, or takes all partitions where there is none. Blocks.
///
/// Where the group is to begin at the latest message, returns how many partitions, from the first on, it
/// holds a place on.
pub(super) fn start(
    consumer: &BaseConsumer<Context>,
    source: &Source,
    partitions: &[i32],
) -> Result<Option<i32>> {
    let places = || places(consumer, &source.topic, partitions, source.from);
    if source.group.is_none() {
        let assigned = consumer.assign(&places()?);
        assigned.map_err(|error| failure("take the partitions", error))?;
        consumer.context().buffer.assign(partitions.iter().copied());
        return Ok(None);
    }
    let mut held = partitions.len();
    if source.from != StartAt::Earliest {
        held = commit_first_places(consumer, source.from, &places()?)?;
    }
    let subscribed = consumer.subscribe(&[&source.topic]);
    subscribed.map_err(|error| failure("join the group", error))?;
    let is_latest = source.from == StartAt::Latest;
    Ok(i32::try_from(held).ok().filter(|_| is_latest))
}

/// The ends of all partitions now. Blocks.
pub(super) fn ends(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[i32],
) -> Result<Drain> {
    let mut watermarks = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let found = consumer.fetch_watermarks(topic, *partition, ANSWER);
        let (low, high) = found.map_err(|error| failure("look for the end", error))?;
        watermarks.push((*partition, low, high));
    }
    Ok(Drain::new(&watermarks))
}

fn places(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[i32],
    from: StartAt,
) -> Result<TopicPartitionList> {
    let offset = match from {
        StartAt::Earliest => Offset::Beginning,
        StartAt::Latest => Offset::End,
        StartAt::Offset(offset) => Offset::Offset(number(offset.0)?),
        StartAt::Time(at) => Offset::Offset(at.0),
    };
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        let added = list.add_partition_offset(topic, *partition, offset);
        added.map_err(|error| failure("choose the place to start", error))?;
    }
    match from {
        StartAt::Time(_) => {
            let found = consumer.offsets_for_times(list, ANSWER);
            found.map_err(|error| failure("look for the time", error))
        }
        _ => Ok(list),
    }
}

/// A group that is new begins at these places; one that has committed keeps its own. A partition that
/// was added to the topic of a group that began at the latest message is read from its beginning: what
/// came before the group was given it is part of what it is to carry.
///
/// Returns on how many partitions, from the first on, it holds a place.
fn commit_first_places(
    consumer: &BaseConsumer<Context>,
    from: StartAt,
    places: &TopicPartitionList,
) -> Result<usize> {
    let committed = consumer.committed_offsets(places.clone(), ANSWER);
    let committed = committed.map_err(|error| failure("look for the group's offsets", error))?;
    let is_held = |place: &TopicPartitionListElem<'_>| {
        let held = committed.find_partition(place.topic(), place.partition());
        held.is_some_and(|held| matches!(held.offset(), Offset::Offset(_)))
    };
    let held: Vec<bool> = places.elements().iter().map(is_held).collect();
    if from == StartAt::Latest && unheld_start(held.iter().copied()) == StartAt::Earliest {
        // A commit would be refused while other members are there, and is not needed: what has no place
        // is read from its beginning.
        return Ok(held.iter().take_while(|held| **held).count());
    }
    let mut first = TopicPartitionList::new();
    for place in places.elements() {
        if !is_held(&place) {
            let offset = absolute(consumer, place.topic(), place.partition(), place.offset())?;
            let added = first.add_partition_offset(place.topic(), place.partition(), offset);
            added.map_err(|error| failure("choose the place to start", error))?;
        }
    }
    if first.count() > 0 {
        let done = consumer.commit(&first, CommitMode::Sync);
        // A broker takes it only while the group has no members.
        let operation = "set the group's first offsets, with its other members stopped";
        done.map_err(|error| failure(operation, error))?;
    }
    Ok(held.len())
}

/// A time beyond the last message is answered with the end.
fn absolute(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    offset: Offset,
) -> Result<Offset> {
    if let Offset::Offset(_) = offset {
        return Ok(offset);
    }
    let found = consumer.fetch_watermarks(topic, partition, ANSWER);
    let (_, high) = found.map_err(|error| failure("look for the end", error))?;
    Ok(Offset::Offset(high))
}

fn number(offset: u64) -> Result<i64> {
    i64::try_from(offset).map_err(|_| {
        let message = format!("the offset {offset} is above Kafka's largest, {}", i64::MAX);
        Error::new(ErrorKind::Invalid, "open address", message)
    })
}
