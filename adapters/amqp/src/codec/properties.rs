//! Content header properties of class basic (specification 4.2.6.1): flags, then those present.

use bytes::{BufMut, Bytes, BytesMut};
use standpipe_core::{Result, message::Text};

use super::{
    octets::{Octets, malformed, put_short_string},
    table::{Table, check_table, put_table, take_table},
};

/// Basic's properties. `headers` stays encoded: most readers never look inside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Properties {
    pub(crate) content_type: Option<Text>,
    pub(crate) content_encoding: Option<Text>,
    /// An encoded table behind its length, checked.
    pub(crate) headers: Option<Bytes>,
    pub(crate) delivery_mode: Option<u8>,
    pub(crate) priority: Option<u8>,
    pub(crate) correlation_id: Option<Text>,
    pub(crate) reply_to: Option<Text>,
    pub(crate) expiration: Option<Text>,
    pub(crate) message_id: Option<Text>,
    /// Seconds since 1970, signed as most clients have them; the specification leaves it open.
    pub(crate) timestamp: Option<u64>,
    pub(crate) kind: Option<Text>,
    pub(crate) user_id: Option<Text>,
    pub(crate) app_id: Option<Text>,
    pub(crate) cluster_id: Option<Text>,
}

/// The last of the fourteen flags; the bit below says that another flag word follows.
const LAST_FLAG: u16 = 1 << 2;

impl Properties {
    /// Reads flags and properties.
    ///
    /// # Errors
    /// `Invalid` where they are cut short, flags are unknown, or the header table does not decode.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self> {
        let mut octets = Octets::new(bytes);
        let flags = octets.u16()?;
        if flags & (LAST_FLAG - 1) != 0 {
            return Err(malformed(format!("unknown property flags {flags:#06x}")));
        }
        let mut bit = 16u8;
        let mut next = || {
            bit -= 1;
            flags >> bit & 1 == 1
        };
        let properties = Self {
            content_type: text(next(), &mut octets)?,
            content_encoding: text(next(), &mut octets)?,
            headers: headers(next(), &mut octets)?,
            delivery_mode: next().then(|| octets.u8()).transpose()?,
            priority: next().then(|| octets.u8()).transpose()?,
            correlation_id: text(next(), &mut octets)?,
            reply_to: text(next(), &mut octets)?,
            expiration: text(next(), &mut octets)?,
            message_id: text(next(), &mut octets)?,
            timestamp: next().then(|| octets.u64()).transpose()?,
            kind: text(next(), &mut octets)?,
            user_id: text(next(), &mut octets)?,
            app_id: text(next(), &mut octets)?,
            cluster_id: text(next(), &mut octets)?,
        };
        if !octets.is_empty() {
            let left = octets.remaining();
            return Err(malformed(format!("{left} octets behind the properties")));
        }
        Ok(properties)
    }

    /// The header table, decoded.
    ///
    /// # Errors
    /// As [`take_table`]; a table that was checked has none.
    pub(crate) fn table(&self) -> Result<Table> {
        match &self.headers {
            Some(headers) => take_table(&mut Octets::new(headers.clone())),
            None => Ok(Table::new()),
        }
    }

    /// Sets the header table; an empty one is left out.
    ///
    /// # Errors
    /// `Unsupported` where AMQP cannot carry it.
    pub(crate) fn set_table(&mut self, table: &Table) -> Result<()> {
        self.headers = None;
        if !table.is_empty() {
            let mut out = BytesMut::new();
            put_table(&mut out, table)?;
            self.headers = Some(out.freeze());
        }
        Ok(())
    }

    /// Flags and properties.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_u16(0);
        let (mut flags, mut bit) = (0u16, 16u8);
        let mut put = |value: Option<&dyn Fn(&mut BytesMut)>| {
            bit -= 1;
            if let Some(write) = value {
                flags |= 1 << bit;
                write(&mut out);
            }
        };
        macro_rules! field {
            ($field:ident, $out:ident, $value:ident => $write:expr) => {
                match &self.$field {
                    Some($value) => put(Some(&|$out: &mut BytesMut| $write)),
                    None => put(None),
                }
            };
        }
        field!(content_type, out, v => put_short_string(out, v.as_bytes()));
        field!(content_encoding, out, v => put_short_string(out, v.as_bytes()));
        field!(headers, out, v => out.put_slice(v));
        field!(delivery_mode, out, v => out.put_u8(*v));
        field!(priority, out, v => out.put_u8(*v));
        field!(correlation_id, out, v => put_short_string(out, v.as_bytes()));
        field!(reply_to, out, v => put_short_string(out, v.as_bytes()));
        field!(expiration, out, v => put_short_string(out, v.as_bytes()));
        field!(message_id, out, v => put_short_string(out, v.as_bytes()));
        field!(timestamp, out, v => out.put_u64(*v));
        field!(kind, out, v => put_short_string(out, v.as_bytes()));
        field!(user_id, out, v => put_short_string(out, v.as_bytes()));
        field!(app_id, out, v => put_short_string(out, v.as_bytes()));
        field!(cluster_id, out, v => put_short_string(out, v.as_bytes()));
        out[..2].copy_from_slice(&flags.to_be_bytes());
        out.freeze()
    }
}

fn text(present: bool, octets: &mut Octets) -> Result<Option<Text>> {
    present.then(|| octets.short_string()).transpose()
}

fn headers(present: bool, octets: &mut Octets) -> Result<Option<Bytes>> {
    if !present {
        return Ok(None);
    }
    let length = octets.clone().u32()? as usize;
    let framed = octets.take(length.saturating_add(4))?;
    check_table(framed.slice(4..))?;
    Ok(Some(framed))
}
