//! Noticing that a peer is gone without a word.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::net::sockopt;

/// How long a connection may be silent before the peer is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it has to answer before it is asked again.
const INTERVAL: Duration = Duration::from_secs(10);
/// How often it is asked before the connection is over.
const PROBES: u32 = 3;

/// Has the system ask the silent peer of a TCP socket: a host that lost its power, or a network that
/// forgot the connection, answers nothing for a minute, and the connection ends. Whoever only waits for
/// messages sends nothing that could stay without an answer, and would wait for ever.
///
/// # Errors
/// What the system said.
pub fn keep_alive(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_keepidle(&socket, SILENCE)?;
    sockopt::set_tcp_keepintvl(&socket, INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    Ok(())
}
