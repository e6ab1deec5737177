//! Publishing, and its results.

use standpipe_core::{
    Error, Result,
    id::{Offset, PartitionId},
    session::{Outcome, Publication, PublishRequest, Published},
    store::Durability,
};

use super::{code_to_kind, error_to_proto, message_from_proto, message_to_proto};
use crate::proto::{self, publish_result};

pub(crate) fn publish_from_proto(request: proto::PublishRequest) -> Result<PublishRequest> {
    let destination = Some(request.destination).filter(|text| !text.is_empty());
    let messages = request.messages.into_iter().map(|publication| {
        Ok(Publication {
            sequence: publication.sequence,
            message: message_from_proto(publication.message.unwrap_or_default())?,
        })
    });
    Ok(PublishRequest {
        destination: destination.map(|text| text.parse()).transpose()?,
        durability: match proto::Durability::try_from(request.durability) {
            Ok(proto::Durability::Unspecified) => None,
            Ok(proto::Durability::Memory) => Some(Durability::Memory),
            Ok(proto::Durability::Os) => Some(Durability::Os),
            Ok(proto::Durability::Disk) => Some(Durability::Disk),
            Err(_) => {
                let message = format!("durability {}; 1 to 3 are known", request.durability);
                return Err(super::invalid(message));
            }
        },
        messages: messages.collect::<Result<_>>()?,
    })
}

pub(crate) fn publish_to_proto(request: PublishRequest) -> proto::PublishRequest {
    let messages = request
        .messages
        .into_iter()
        .map(|publication| proto::Publication {
            sequence: publication.sequence,
            message: Some(message_to_proto(publication.message)),
        });
    let destination = request
        .destination
        .map(|destination| destination.to_string());
    proto::PublishRequest {
        destination: destination.unwrap_or_default(),
        durability: durability_to_proto(request.durability).into(),
        messages: messages.collect(),
    }
}

fn durability_to_proto(durability: Option<Durability>) -> proto::Durability {
    match durability {
        None => proto::Durability::Unspecified,
        Some(Durability::Memory) => proto::Durability::Memory,
        Some(Durability::Os) => proto::Durability::Os,
        Some(Durability::Disk) => proto::Durability::Disk,
    }
}

pub(crate) fn outcome_to_proto(outcome: Outcome) -> proto::PublishResult {
    let result = match outcome.result {
        Ok(published) => publish_result::Outcome::Ok(proto::Published {
            routed: published.routed,
            partition: published.placed.map(|(partition, _)| partition.0),
            offset: published.placed.map(|(_, offset)| offset.0),
        }),
        Err(error) => publish_result::Outcome::Error(error_to_proto(&error)),
    };
    proto::PublishResult {
        sequence: outcome.sequence,
        outcome: Some(result),
    }
}

pub(crate) fn outcome_from_proto(result: proto::PublishResult) -> Outcome {
    let outcome = match result.outcome {
        Some(publish_result::Outcome::Ok(published)) => Ok(Published {
            routed: published.routed,
            placed: published
                .partition
                .zip(published.offset)
                .map(|(partition, offset)| (PartitionId(partition), Offset(offset))),
        }),
        Some(publish_result::Outcome::Error(error)) => Err(error_from_proto(error)),
        None => Err(super::invalid("a publish result without an outcome")),
    };
    Outcome {
        sequence: result.sequence,
        result: outcome,
    }
}

pub(super) fn error_from_proto(error: proto::Error) -> Error {
    Error::new(code_to_kind(error.code()), "broker", error.message)
}
