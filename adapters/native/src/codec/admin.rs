//! Administration.

use std::num::NonZeroU32;

use bytes::{BufMut, BytesMut};
use standpipe_core::{
    Result,
    driver::{NewTopic, PartitionInfo, SubscriptionInfo, TopicInfo},
    session::{AdminReply, AdminRequest},
    wire::{Reader, Writer},
};

use super::{
    message::take_u32, put_list, put_optional, put_text, take_list, take_optional, take_text,
};

pub(super) fn put_admin(out: &mut BytesMut, request: &AdminRequest) {
    let (tag, name) = match request {
        AdminRequest::List => return out.put_u8(1),
        AdminRequest::Create(topic) => {
            out.put_u8(3);
            return put_new_topic(out, topic);
        }
        AdminRequest::Describe(name) => (2, name),
        AdminRequest::Purge(name) => (4, name),
        AdminRequest::Delete(name) => (5, name),
    };
    out.put_u8(tag);
    put_text(out, name);
}

pub(super) fn take_admin(reader: &mut Reader) -> Result<AdminRequest> {
    Ok(match reader.u8()? {
        1 => AdminRequest::List,
        2 => AdminRequest::Describe(take_text(reader)?),
        3 => AdminRequest::Create(take_new_topic(reader)?),
        4 => AdminRequest::Purge(take_text(reader)?),
        5 => AdminRequest::Delete(take_text(reader)?),
        other => return Err(reader.invalid(format!("unknown administration {other}"))),
    })
}

pub(super) fn put_admin_reply(out: &mut BytesMut, reply: &AdminReply) {
    match reply {
        AdminReply::Done => out.put_u8(1),
        AdminReply::Topics(topics) => {
            out.put_u8(2);
            put_list(out, topics, put_topic);
        }
        AdminReply::Topic(topic) => {
            out.put_u8(3);
            put_topic(out, topic);
        }
        AdminReply::Purged(count) => {
            out.put_u8(4);
            out.put_varint(*count);
        }
    }
}

pub(super) fn take_admin_reply(reader: &mut Reader) -> Result<AdminReply> {
    Ok(match reader.u8()? {
        1 => AdminReply::Done,
        2 => AdminReply::Topics(take_list(reader, take_topic)?),
        3 => AdminReply::Topic(Box::new(take_topic(reader)?)),
        4 => AdminReply::Purged(reader.varint()?),
        other => return Err(reader.invalid(format!("unknown administration reply {other}"))),
    })
}

fn put_new_topic(out: &mut BytesMut, topic: &NewTopic) {
    put_text(out, &topic.name);
    let varint = |out: &mut BytesMut, count: NonZeroU32| out.put_varint(count.get().into());
    put_optional(out, topic.partitions, varint);
    put_optional(out, topic.retention.as_deref(), put_text);
    put_optional(out, topic.durability.as_deref(), put_text);
}

fn take_new_topic(reader: &mut Reader) -> Result<NewTopic> {
    Ok(NewTopic {
        name: take_text(reader)?,
        partitions: take_optional(reader, |reader| {
            let count = take_u32(reader)?;
            NonZeroU32::new(count).ok_or_else(|| reader.invalid("0 partitions; at least 1"))
        })?,
        retention: take_optional(reader, take_text)?,
        durability: take_optional(reader, take_text)?,
    })
}

fn put_topic(out: &mut BytesMut, topic: &TopicInfo) {
    put_text(out, &topic.name);
    put_optional(out, topic.retention.as_deref(), put_text);
    put_optional(out, topic.durability.as_deref(), put_text);
    put_list(out, &topic.partitions, |out, partition| {
        out.put_varint(partition.start);
        out.put_varint(partition.end);
        out.put_varint(partition.octets);
    });
    put_list(out, &topic.subscriptions, |out, subscription| {
        put_text(out, &subscription.name);
        put_text(out, &subscription.mode);
        out.put_varint(subscription.ready);
        out.put_varint(subscription.leased);
        out.put_varint(subscription.consumers);
        put_list(out, &subscription.floors, |out, floor| {
            out.put_varint(*floor)
        });
        out.put_varint(subscription.lost);
    });
    put_optional(out, topic.held_by.as_deref(), put_text);
}

fn take_topic(reader: &mut Reader) -> Result<TopicInfo> {
    Ok(TopicInfo {
        name: take_text(reader)?,
        retention: take_optional(reader, take_text)?,
        durability: take_optional(reader, take_text)?,
        partitions: take_list(reader, |reader| {
            Ok(PartitionInfo {
                start: reader.varint()?,
                end: reader.varint()?,
                octets: reader.varint()?,
            })
        })?,
        subscriptions: take_list(reader, |reader| {
            Ok(SubscriptionInfo {
                name: take_text(reader)?,
                mode: take_text(reader)?,
                ready: reader.varint()?,
                leased: reader.varint()?,
                consumers: reader.varint()?,
                floors: take_list(reader, Reader::varint)?,
                lost: reader.varint()?,
            })
        })?,
        held_by: take_optional(reader, take_text)?,
    })
}
