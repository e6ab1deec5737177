//! The thread that polls librdkafka, whatever the receiver does: a member that does not poll is
//! taken for dead.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tracing::{debug, warn};

use super::{buffer::Buffer, context::Context, failure::failure, record::incoming};

const POLL: Duration = Duration::from_millis(100);
/// How long a full buffer is waited for before partitions are paused, which throws away what
/// librdkafka has fetched ahead.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nothing comes where nothing is left to poll: long beside the way from one thread of
/// librdkafka's to another.
const QUIET: Duration = Duration::from_millis(10);

/// Polls until the buffer is stopped; then leaves the group, on this thread, since that waits.
pub(super) fn run(consumer: Arc<BaseConsumer<Context>>, buffer: &Buffer) {
    let mut is_paused = false;
    while !buffer.is_stopped() {
        let has_room = buffer.wait_for_room(if is_paused { Duration::ZERO } else { PATIENCE });
        if has_room == is_paused || (is_paused && buffer.take_reassigned()) {
            is_paused = !has_room;
            set_paused(&consumer, is_paused);
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => match incoming(&message) {
                Ok(one) => buffer.push(message.partition(), message.offset(), one),
                Err(error) => buffer.fail(error),
            },
            Some(Err(KafkaError::PartitionEOF(partition))) => buffer.reached_end(partition),
            Some(Err(error)) => report(error, buffer),
        }
    }
    leave(&consumer);
}

/// Leaves the group, and polls what it was told before. Closing does not return where librdkafka has told
/// of a rebalance that nobody has polled: what answers it comes to a group that is gone
/// (librdkafka issue 4884).
fn leave(consumer: &BaseConsumer<Context>) {
    let is_member = consumer.subscription().is_ok_and(|all| all.count() > 0);
    if !is_member {
        return;
    }
    consumer.unsubscribe();
    loop {
        let began = Instant::now();
        // `None` says no more than that it was no message.
        if consumer.poll(QUIET).is_none() && began.elapsed() >= QUIET {
            return;
        }
    }
}

fn set_paused(consumer: &BaseConsumer<Context>, paused: bool) {
    let done = consumer.assignment().and_then(|assignment| match paused {
        true => consumer.pause(&assignment),
        false => consumer.resume(&assignment),
    });
    if let Err(error) = done {
        warn!(%error, paused, "partitions could not be paused or resumed");
    }
}

fn report(error: KafkaError, buffer: &Buffer) {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        // librdkafka connects again by itself; it says so when no broker is left.
        Some(Code::BrokerTransportFailure | Code::OperationTimedOut | Code::Resolve) => {
            debug!(%error, "a broker is not there");
        }
        _ => buffer.fail(failure("receive", error)),
    }
}
