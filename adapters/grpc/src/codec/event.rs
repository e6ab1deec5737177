//! What a consumer is told.

use standpipe_core::{
    Result,
    id::{Offset, PartitionId},
    session::{Bounds, Delivered, Event, receipt_from_octets, receipt_to_octets},
};

use super::{
    error_to_proto, invalid, message_from_proto, message_to_proto, publish::error_from_proto,
};
use crate::proto::{self, delivery::Event as Kind};

/// The deliveries of an event: one a message.
pub(crate) fn event_to_proto(event: Event) -> Vec<proto::Delivery> {
    let one = |event| vec![proto::Delivery { event: Some(event) }];
    let error = |result: Result<()>| result.err().map(|error| error_to_proto(&error));
    match event {
        Event::Messages(messages) => messages.into_iter().map(delivered_to_proto).collect(),
        Event::Opened(bounds) => one(Kind::Opened(proto::SubscribeOpened {
            partitions: bounds.into_iter().map(bounds_to_proto).collect(),
        })),
        Event::Settled { sequence, failures } => {
            let failures = failures
                .into_iter()
                .map(|(receipt, error)| proto::SettleFailure {
                    receipt: receipt_to_octets(receipt).to_vec().into(),
                    error: Some(error_to_proto(&error)),
                });
            one(Kind::Settled(proto::SettleResult {
                sequence,
                failures: failures.collect(),
            }))
        }
        Event::Sought { sequence, result } => one(Kind::Sought(proto::SeekResult {
            sequence,
            error: error(result),
        })),
        Event::Committed { sequence, result } => one(Kind::Committed(proto::CommitResult {
            sequence,
            error: error(result),
        })),
        Event::Drained => one(Kind::Drained(proto::Drained {})),
    }
}

pub(crate) fn event_from_proto(delivery: proto::Delivery) -> Result<Event> {
    let result = |error: Option<proto::Error>| error.map_or(Ok(()), |e| Err(error_from_proto(e)));
    let event = delivery.event;
    Ok(
        match event.ok_or_else(|| invalid("a delivery without an event"))? {
            Kind::Message(delivered) => Event::Messages(vec![delivered_from_proto(delivered)?]),
            Kind::Opened(opened) => Event::Opened(
                opened
                    .partitions
                    .into_iter()
                    .map(bounds_from_proto)
                    .collect(),
            ),
            Kind::Settled(settled) => {
                let failures = settled.failures.into_iter().map(|failure| {
                    let receipt = receipt_from_octets(&failure.receipt)?;
                    Ok((receipt, error_from_proto(failure.error.unwrap_or_default())))
                });
                Event::Settled {
                    sequence: settled.sequence,
                    failures: failures.collect::<Result<_>>()?,
                }
            }
            Kind::Sought(sought) => Event::Sought {
                sequence: sought.sequence,
                result: result(sought.error),
            },
            Kind::Committed(committed) => Event::Committed {
                sequence: committed.sequence,
                result: result(committed.error),
            },
            Kind::Drained(_) => Event::Drained,
        },
    )
}

fn delivered_to_proto(delivered: Delivered) -> proto::Delivery {
    let receipt = delivered
        .receipt
        .map(|receipt| receipt_to_octets(receipt).to_vec());
    proto::Delivery {
        event: Some(Kind::Message(proto::Delivered {
            receipt: receipt.unwrap_or_default().into(),
            message: Some(message_to_proto(delivered.message)),
            redelivered: delivered.redelivered,
        })),
    }
}

fn delivered_from_proto(delivered: proto::Delivered) -> Result<Delivered> {
    let receipt = Some(delivered.receipt).filter(|receipt| !receipt.is_empty());
    Ok(Delivered {
        receipt: receipt
            .map(|receipt| receipt_from_octets(&receipt))
            .transpose()?,
        redelivered: delivered.redelivered,
        message: message_from_proto(delivered.message.unwrap_or_default())?,
    })
}

fn bounds_to_proto(bounds: Bounds) -> proto::PartitionBounds {
    proto::PartitionBounds {
        partition: bounds.partition.0,
        start: bounds.start.0,
        end: bounds.end.0,
        position: bounds.position.0,
    }
}

fn bounds_from_proto(bounds: proto::PartitionBounds) -> Bounds {
    Bounds {
        partition: PartitionId(bounds.partition),
        start: Offset(bounds.start),
        end: Offset(bounds.end),
        position: Offset(bounds.position),
    }
}
