//! Noticing that a peer is gone without a word.

use std::{io, time::Duration};

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// How long what a client has sent may stay unacknowledged, or a broker keep its window shut; and, since
/// the system then counts this in place of the probes, how long the broker may be silent to them.
const UNANSWERED: Duration = Duration::from_secs(100);

/// Has the system end a client's connection where the broker acknowledges nothing: while anything is
/// unacknowledged no probes are sent, and the system alone would send it again for a quarter of an hour.
///
/// Not for a broker's end: a client that reads nothing for long is only slow.
///
/// # Errors
/// What the system said.
pub(super) fn limit_unanswered(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_tcp_user_timeout(stream, UNANSWERED.as_millis() as u32)?;
    Ok(())
}
