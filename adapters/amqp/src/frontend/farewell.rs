//! How a connection that we close ends: with what it is told, and with waiting until that is read.

use std::io;

use standpipe_core::message::Text;

use super::{refusal::Refusal, source::Source};
use crate::codec::{
    frame::{Frame, FrameKind},
    method::{Method, decode_method},
};

/// What the client is told; the numbers are class and method of what was refused.
pub(super) fn close(refusal: &Refusal, (class, method): (u16, u16)) -> Method {
    Method::ConnectionClose {
        code: refusal.code,
        text: Text::from(refusal.text.as_str()),
        class,
        method,
    }
}

/// Reads on until the client has read our close and closed, so that no reset overtakes it.
pub(super) async fn until_closed(source: &mut Source) -> io::Result<()> {
    loop {
        match source.next() {
            Ok(Some(frame)) if closes(&frame) => return Ok(()),
            Ok(Some(_)) => {}
            Ok(None) if !source.fill().await? => return Ok(()),
            Ok(None) => {}
            Err(_) => source.discard(),
        }
    }
}

fn closes(frame: &Frame) -> bool {
    let close = |method| {
        matches!(
            method,
            Method::ConnectionCloseOk {} | Method::ConnectionClose { .. }
        )
    };
    frame.channel == 0
        && frame.kind == FrameKind::Method
        && decode_method(frame.payload.clone()).is_ok_and(close)
}
