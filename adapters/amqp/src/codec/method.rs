//! Every method of the classes connection, channel, access, exchange, queue, basic, confirm and
//! tx (specification 1.2 to 1.8, with RabbitMQ's extensions), as one enum.

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{Result, message::Text};

use super::{
    octets::{Bits, Octets, put_long_string, put_short_string},
    table::{Table, put_table, take_table},
};

/// Why a method frame is none.
#[derive(Debug, Clone)]
pub(crate) enum MethodError {
    /// Class and method are not known.
    Unknown(u16, u16),
    /// The arguments do not decode.
    Malformed(u16, u16, String),
    /// The frame is too short for class and method.
    Short,
}

/// Reads and writes one argument; bits share octets (specification 4.2.5.2).
macro_rules! argument {
    (take $octets:ident bit) => { $octets.bit()? };
    (take $octets:ident octet) => { $octets.u8()? };
    (take $octets:ident short) => { $octets.u16()? };
    (take $octets:ident long) => { $octets.u32()? };
    (take $octets:ident longlong) => { $octets.u64()? };
    (take $octets:ident shortstr) => { $octets.short_string()? };
    (take $octets:ident longstr) => { $octets.long_string()? };
    (take $octets:ident table) => { take_table($octets)? };
    (put $out:ident $bits:ident $value:ident bit) => { $bits.push($out, *$value) };
    (put $out:ident $bits:ident $value:ident $kind:ident) => {{
        $bits.flush($out);
        argument!(write $out $value $kind);
    }};
    (write $out:ident $value:ident octet) => { $out.put_u8(*$value) };
    (write $out:ident $value:ident short) => { $out.put_u16(*$value) };
    (write $out:ident $value:ident long) => { $out.put_u32(*$value) };
    (write $out:ident $value:ident longlong) => { $out.put_u64(*$value) };
    (write $out:ident $value:ident shortstr) => { put_short_string($out, $value.as_bytes()) };
    (write $out:ident $value:ident longstr) => { put_long_string($out, $value) };
    (write $out:ident $value:ident table) => { put_table($out, $value)? };
    (type bit) => { bool };
    (type octet) => { u8 };
    (type short) => { u16 };
    (type long) => { u32 };
    (type longlong) => { u64 };
    (type shortstr) => { Text };
    (type longstr) => { Bytes };
    (type table) => { Table };
}

macro_rules! methods {
    ($($class:literal $method:literal $name:ident { $($field:ident: $kind:ident),* })*) => {
        /// A method with its arguments.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Method {
            $($name { $($field: argument!(type $kind)),* },)*
        }

        impl Method {
            /// Class and method numbers.
            pub(crate) fn id(&self) -> (u16, u16) {
                match self { $(Self::$name { .. } => ($class, $method),)* }
            }

            fn take(class: u16, method: u16, octets: &mut Octets) -> Result<Option<Self>> {
                Ok(Some(match (class, method) {
                    $(($class, $method) => {
                        $(let $field = argument!(take octets $kind);)*
                        Self::$name { $($field),* }
                    })*
                    _ => return Ok(None),
                }))
            }

            /// Appends class, method and arguments: a method frame's payload.
            ///
            /// # Errors
            /// `Unsupported` for a table that AMQP cannot carry.
            pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<()> {
                let (class, method) = self.id();
                out.put_u16(class);
                out.put_u16(method);
                let mut bits = Bits::default();
                match self {
                    $(Self::$name { $($field),* } => {
                        $(argument!(put out bits $field $kind);)*
                    })*
                }
                bits.flush(out);
                Ok(())
            }
        }
    };
}

methods! {
    10 10 ConnectionStart { major: octet, minor: octet, properties: table, mechanisms: longstr, locales: longstr }
    10 11 ConnectionStartOk { properties: table, mechanism: shortstr, response: longstr, locale: shortstr }
    10 20 ConnectionSecure { challenge: longstr }
    10 21 ConnectionSecureOk { response: longstr }
    10 30 ConnectionTune { channel_max: short, frame_max: long, heartbeat: short }
    10 31 ConnectionTuneOk { channel_max: short, frame_max: long, heartbeat: short }
    10 40 ConnectionOpen { vhost: shortstr, capabilities: shortstr, insist: bit }
    10 41 ConnectionOpenOk { known_hosts: shortstr }
    10 50 ConnectionClose { code: short, text: shortstr, class: short, method: short }
    10 51 ConnectionCloseOk {}
    10 60 ConnectionBlocked { reason: shortstr }
    10 61 ConnectionUnblocked {}
    10 70 ConnectionUpdateSecret { secret: longstr, reason: shortstr }
    10 71 ConnectionUpdateSecretOk {}
    20 10 ChannelOpen { out_of_band: shortstr }
    20 11 ChannelOpenOk { id: longstr }
    20 20 ChannelFlow { active: bit }
    20 21 ChannelFlowOk { active: bit }
    20 40 ChannelClose { code: short, text: shortstr, class: short, method: short }
    20 41 ChannelCloseOk {}
    30 10 AccessRequest { realm: shortstr, exclusive: bit, passive: bit, active: bit, write: bit, read: bit }
    30 11 AccessRequestOk { ticket: short }
    40 10 ExchangeDeclare { ticket: short, exchange: shortstr, kind: shortstr, passive: bit, durable: bit, auto_delete: bit, internal: bit, nowait: bit, arguments: table }
    40 11 ExchangeDeclareOk {}
    40 20 ExchangeDelete { ticket: short, exchange: shortstr, if_unused: bit, nowait: bit }
    40 21 ExchangeDeleteOk {}
    40 30 ExchangeBind { ticket: short, destination: shortstr, source: shortstr, routing_key: shortstr, nowait: bit, arguments: table }
    40 31 ExchangeBindOk {}
    40 40 ExchangeUnbind { ticket: short, destination: shortstr, source: shortstr, routing_key: shortstr, nowait: bit, arguments: table }
    40 51 ExchangeUnbindOk {}
    50 10 QueueDeclare { ticket: short, queue: shortstr, passive: bit, durable: bit, exclusive: bit, auto_delete: bit, nowait: bit, arguments: table }
    50 11 QueueDeclareOk { queue: shortstr, message_count: long, consumer_count: long }
    50 20 QueueBind { ticket: short, queue: shortstr, exchange: shortstr, routing_key: shortstr, nowait: bit, arguments: table }
    50 21 QueueBindOk {}
    50 30 QueuePurge { ticket: short, queue: shortstr, nowait: bit }
    50 31 QueuePurgeOk { message_count: long }
    50 40 QueueDelete { ticket: short, queue: shortstr, if_unused: bit, if_empty: bit, nowait: bit }
    50 41 QueueDeleteOk { message_count: long }
    50 50 QueueUnbind { ticket: short, queue: shortstr, exchange: shortstr, routing_key: shortstr, arguments: table }
    50 51 QueueUnbindOk {}
    60 10 BasicQos { prefetch_size: long, prefetch_count: short, global: bit }
    60 11 BasicQosOk {}
    60 20 BasicConsume { ticket: short, queue: shortstr, consumer_tag: shortstr, no_local: bit, no_ack: bit, exclusive: bit, nowait: bit, arguments: table }
    60 21 BasicConsumeOk { consumer_tag: shortstr }
    60 30 BasicCancel { consumer_tag: shortstr, nowait: bit }
    60 31 BasicCancelOk { consumer_tag: shortstr }
    60 40 BasicPublish { ticket: short, exchange: shortstr, routing_key: shortstr, mandatory: bit, immediate: bit }
    60 50 BasicReturn { code: short, text: shortstr, exchange: shortstr, routing_key: shortstr }
    60 60 BasicDeliver { consumer_tag: shortstr, delivery_tag: longlong, redelivered: bit, exchange: shortstr, routing_key: shortstr }
    60 70 BasicGet { ticket: short, queue: shortstr, no_ack: bit }
    60 71 BasicGetOk { delivery_tag: longlong, redelivered: bit, exchange: shortstr, routing_key: shortstr, message_count: long }
    60 72 BasicGetEmpty { cluster_id: shortstr }
    60 80 BasicAck { delivery_tag: longlong, multiple: bit }
    60 90 BasicReject { delivery_tag: longlong, requeue: bit }
    60 100 BasicRecoverAsync { requeue: bit }
    60 110 BasicRecover { requeue: bit }
    60 111 BasicRecoverOk {}
    60 120 BasicNack { delivery_tag: longlong, multiple: bit, requeue: bit }
    85 10 ConfirmSelect { nowait: bit }
    85 11 ConfirmSelectOk {}
    90 10 TxSelect {}
    90 11 TxSelectOk {}
    90 20 TxCommit {}
    90 21 TxCommitOk {}
    90 30 TxRollback {}
    90 31 TxRollbackOk {}
}

/// Reads a method frame's payload.
///
/// # Errors
/// Names class and method, where they could be read. Octets behind the arguments are refused.
pub(crate) fn decode_method(payload: Bytes) -> Result<Method, MethodError> {
    let mut octets = Octets::new(payload);
    let ids = (|| Ok::<_, standpipe_core::Error>((octets.u16()?, octets.u16()?)))();
    let (class, method) = ids.map_err(|_| MethodError::Short)?;
    let malformed = |why: String| MethodError::Malformed(class, method, why);
    let decoded = Method::take(class, method, &mut octets)
        .map_err(|e| malformed(e.message().to_owned()))?
        .ok_or(MethodError::Unknown(class, method))?;
    if !octets.is_empty() {
        let left = octets.remaining();
        return Err(malformed(format!("{left} octets behind the arguments")));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use standpipe_core::message::Value;

    use super::*;

    fn declare() -> Method {
        Method::QueueDeclare {
            ticket: 0,
            queue: "flights".into(),
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            nowait: true,
            arguments: vec![("x-queue-type".into(), Value::from("classic"))],
        }
    }

    fn encoded(method: &Method) -> Bytes {
        let mut out = BytesMut::new();
        method.encode(&mut out).unwrap();
        out.freeze()
    }

    #[test]
    fn bits_share_one_octet() {
        let bytes = encoded(&declare());
        assert_eq!(bytes[..6], [0, 50, 0, 10, 0, 0]);
        assert_eq!(bytes[6 + 8], 0b1_0010);
        assert_eq!(decode_method(bytes).unwrap(), declare());
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = encoded(&declare());
        for cut in 0..bytes.len() {
            assert!(decode_method(bytes.slice(..cut)).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_octets_decode_or_are_refused(class in 0u16..100, method in 0u16..130, rest: Vec<u8>) {
            let mut bytes = BytesMut::new();
            bytes.put_u16(class);
            bytes.put_u16(method);
            bytes.put_slice(&rest);
            if let Ok(decoded) = decode_method(bytes.freeze()) {
                prop_assert_eq!(decode_method(encoded(&decoded)).unwrap(), decoded);
            }
        }
    }
}
