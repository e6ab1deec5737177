//! The envelope: a message as one JSON object on a line, exact in both directions.
//!
//! ```json
//! {"key":B,"payload":B,"headers":[[B,V],…],"props":{…},"meta":{…}}
//! ```
//!
//! A missing field is absent; `""` is empty. `null` for a field means absent too, since that is
//! what jq and JavaScript write for it. An unknown field is an error with its place.
//!
//! `B`, octets, is a string where they are UTF-8, else `{"b64":"…"}` (RFC 4648, section 4, with
//! padding). Headers are an array of pairs, in order, duplicates kept.
//!
//! `V`, a typed value, never has a bare JSON number, since jq and JavaScript change them:
//!
//! | value | envelope |
//! |---|---|
//! | null, true, false | `null`, `true`, `false` |
//! | text | `"…"`; where it is not UTF-8 `{"text":"BASE64"}` |
//! | bytes | `{"b64":"…"}`, also where they are UTF-8 |
//! | integers | `{"i8":"-1"}`, `u8`, `i16`, `u16`, `i32`, `u32`, `i64`, `u64` (on input; in properties) |
//! | floats | `{"f32":"0.5"}`, `{"f64":"1.0"}`; `NaN`, `Infinity`, `-Infinity`; another NaN than the usual one as its bits, `nan:7ff8000000000001` |
//! | decimal | `{"decimal":"1.230"}`: the digits behind the point are the scale |
//! | timestamp | `{"ts":"2013-01-01T05:00:00Z"}` (RFC 3339, milliseconds where there are some); outside the years 0 to 9999 `{"ts":"@MILLISECONDS"}` |
//! | list | `{"list":[V…]}` |
//! | table | `{"table":[[B,V]…]}` |
//!
//! `props` has, each where set: `id`, `correlation_id`, `reply_to`, `content_type`,
//! `content_encoding`, `user_id`, `app_id`, `type` (B); `priority` (`{"u8":"5"}`), `ttl`
//! (milliseconds, `{"u64":"60000"}`), `deliver_at`, `timestamp` (`{"ts":…}`), `durable` (true,
//! false). Any integer type does for input.
//!
//! `meta` is what the broker knows: `topic`, `partition`, `offset`, `attempts`, `appended`,
//! `exchange`, `routing_key`. It is written and, on input, ignored.
//!
//! Values nest at most 64 levels.

mod number;
mod read;
mod read_value;
mod write;

use crate::{
    error::{Error, ErrorKind, Result},
    message::Message,
};

/// Levels that a value may nest, as in the `native` format.
const DEPTH_LIMIT: usize = 64;

/// Appends the envelope of `message` to `out`, with a newline.
///
/// # Errors
/// `Invalid` where a value nests too deep; `out` is then as it was.
pub fn encode(message: &Message, out: &mut Vec<u8>) -> Result<()> {
    write::line(None, message, out)
}

/// Appends an envelope that also carries `seq`, by which a filter's output finds its input.
///
/// # Errors
/// As [`encode`].
pub fn encode_with_seq(seq: &str, message: &Message, out: &mut Vec<u8>) -> Result<()> {
    write::line(Some(seq), message, out)
}

/// Reads one envelope. White space around it, such as its newline, is allowed.
///
/// # Errors
/// `Invalid` with the column where it is not JSON, has an unknown field or type, a value that
/// does not fit its type, or more than 64 levels.
pub fn decode(line: &[u8]) -> Result<Message> {
    let (seq, message) = decode_with_seq(line)?;
    if seq.is_some() {
        return Err(invalid(
            "unknown field `seq`: only filters' envelopes carry one",
        ));
    }
    Ok(message)
}

/// Reads one envelope that may carry a `seq`.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_seq(line: &[u8]) -> Result<(Option<String>, Message)> {
    read::line(line).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "envelope", message)
}

#[cfg(test)]
mod tests;
