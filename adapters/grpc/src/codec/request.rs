//! What a consumer asks for.

use std::time::Duration;

use standpipe_core::{
    Result,
    dispatcher::Receipt,
    driver::{Settlement, StartAt},
    id::{Millis, Offset, PartitionId},
    session::{CreditGrant, Open, OpenMode, Request, receipt_from_octets, receipt_to_octets},
};

use super::invalid;
use crate::proto::{self, position::At, settlement::Action, subscribe_request::Request as Kind};

pub(crate) fn open_from_proto(open: proto::SubscribeOpen) -> Result<Open> {
    if open.topic.is_empty() {
        return Err(invalid("the subscription names no topic; set `topic`"));
    }
    let mut to = Open::new(open.topic);
    to.group = Some(open.group).filter(|group| !group.is_empty());
    to.mode = match proto::Mode::try_from(open.mode) {
        Ok(proto::Mode::Unspecified | proto::Mode::Lease) => OpenMode::Lease,
        Ok(proto::Mode::Positional) => OpenMode::Positional,
        Ok(proto::Mode::Keyed) => OpenMode::Keyed,
        Err(_) => return Err(invalid(format!("mode {}; 1 to 3 are known", open.mode))),
    };
    to.from = position_from_proto(open.from);
    to.credit = credit_from_proto(open.credit.unwrap_or_default());
    to.lease = open.lease_ms.map_or(Open::LEASE, Duration::from_millis);
    to.drain = open.drain;
    Ok(to)
}

pub(crate) fn open_to_proto(open: &Open) -> proto::SubscribeOpen {
    let mode = match open.mode {
        OpenMode::Lease => proto::Mode::Lease,
        OpenMode::Positional => proto::Mode::Positional,
        OpenMode::Keyed => proto::Mode::Keyed,
    };
    proto::SubscribeOpen {
        topic: open.topic.clone(),
        group: open.group.clone().unwrap_or_default(),
        mode: mode.into(),
        from: Some(position_to_proto(open.from)),
        credit: Some(credit_to_proto(open.credit)),
        lease_ms: Some(millis(open.lease)),
        drain: open.drain,
    }
}

pub(crate) fn request_from_proto(request: proto::SubscribeRequest) -> Result<Request> {
    match request.request {
        Some(Kind::Credit(credit)) => Ok(Request::Credit(credit_from_proto(credit))),
        Some(Kind::Settle(settle)) => {
            let settlements = settle.settlements.into_iter().map(settlement_from_proto);
            Ok(Request::Settle {
                sequence: settle.sequence,
                settlements: settlements.collect::<Result<_>>()?,
            })
        }
        Some(Kind::Seek(seek)) => Ok(Request::Seek {
            sequence: seek.sequence,
            partition: seek.partition.map(PartitionId),
            to: position_from_proto(seek.to),
        }),
        Some(Kind::Commit(commit)) => {
            let offsets = commit.offsets.into_iter();
            let offsets = offsets.map(|at| (PartitionId(at.partition), Offset(at.offset)));
            Ok(Request::Commit {
                sequence: commit.sequence,
                offsets: offsets.collect(),
            })
        }
        Some(Kind::Open(_)) => Err(invalid("a second open; open another stream")),
        None => Err(invalid("a request that asks for nothing")),
    }
}

pub(crate) fn request_to_proto(request: Request) -> proto::SubscribeRequest {
    let kind = match request {
        Request::Credit(credit) => Kind::Credit(credit_to_proto(credit)),
        Request::Settle {
            sequence,
            settlements,
        } => Kind::Settle(proto::Settle {
            sequence,
            settlements: settlements.into_iter().map(settlement_to_proto).collect(),
        }),
        Request::Seek {
            sequence,
            partition,
            to,
        } => Kind::Seek(proto::Seek {
            sequence,
            partition: partition.map(|partition| partition.0),
            to: Some(position_to_proto(to)),
        }),
        Request::Commit { sequence, offsets } => {
            let offsets = offsets.into_iter().map(|(partition, offset)| {
                let (partition, offset) = (partition.0, offset.0);
                proto::PartitionOffset { partition, offset }
            });
            Kind::Commit(proto::CommitOffsets {
                sequence,
                offsets: offsets.collect(),
            })
        }
    };
    proto::SubscribeRequest {
        request: Some(kind),
    }
}

fn position_from_proto(position: Option<proto::Position>) -> StartAt {
    match position.and_then(|position| position.at) {
        None | Some(At::Earliest(_)) => StartAt::Earliest,
        Some(At::Latest(_)) => StartAt::Latest,
        Some(At::Offset(offset)) => StartAt::Offset(Offset(offset)),
        Some(At::TimestampMs(at)) => StartAt::Time(Millis(at)),
    }
}

fn position_to_proto(start: StartAt) -> proto::Position {
    let at = match start {
        StartAt::Earliest => At::Earliest(true),
        StartAt::Latest => At::Latest(true),
        StartAt::Offset(offset) => At::Offset(offset.0),
        StartAt::Time(at) => At::TimestampMs(at.0),
    };
    proto::Position { at: Some(at) }
}

fn credit_from_proto(credit: proto::Credit) -> CreditGrant {
    let proto::Credit { messages, bytes } = credit;
    CreditGrant { messages, bytes }
}

fn credit_to_proto(credit: CreditGrant) -> proto::Credit {
    let CreditGrant { messages, bytes } = credit;
    proto::Credit { messages, bytes }
}

fn settlement_from_proto(settlement: proto::Settlement) -> Result<(Receipt, Settlement)> {
    let receipt = receipt_from_octets(&settlement.receipt)?;
    let action = match settlement.action {
        Some(Action::Ack(_)) => Settlement::Ack,
        Some(Action::Release(release)) => Settlement::Release {
            after: Duration::from_millis(release.after_ms),
        },
        Some(Action::Reject(reject)) => Settlement::reject(reject.reason),
        Some(Action::Extend(extend)) => Settlement::Extend {
            by: Duration::from_millis(extend.by_ms),
        },
        None => {
            return Err(invalid(
                "a settlement that says nothing; set ack, release, reject or extend",
            ));
        }
    };
    Ok((receipt, action))
}

fn settlement_to_proto((receipt, settlement): (Receipt, Settlement)) -> proto::Settlement {
    let action = match settlement {
        Settlement::Ack => Action::Ack(proto::Ack {}),
        Settlement::Release { after } => Action::Release(proto::Release {
            after_ms: millis(after),
        }),
        Settlement::Reject { reason } => Action::Reject(proto::Reject {
            reason: reason.lossy().into_owned(),
        }),
        Settlement::Extend { by } => Action::Extend(proto::Extend { by_ms: millis(by) }),
    };
    proto::Settlement {
        receipt: receipt_to_octets(receipt).to_vec().into(),
        action: Some(action),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
