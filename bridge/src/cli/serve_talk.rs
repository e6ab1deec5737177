//! What `serve` says when it is up: for people on stderr, for programs on stdout.

use std::{io::Write as _, path::Path};

use standpipe::server::{Protocol, Server};

/// A few lines: where it listens, where the data is, what to try next.
pub(crate) fn greet(server: &Server, data: &Path) {
    let mut lines = format!("standpipe {} is up\n", env!("CARGO_PKG_VERSION"));
    for protocol in Protocol::ALL {
        if let Some(address) = server.address(protocol) {
            lines.push_str(&format!("  {:<7} {address}\n", protocol.to_string()));
        }
    }
    let routes = server.routes().names().join(", ");
    if !routes.is_empty() {
        lines.push_str(&format!("  routes  {routes}\n"));
    }
    lines.push_str(&format!("  data    {}\n", data.display()));
    if let Some(native) = server.address(Protocol::Native) {
        lines.push_str(&format!(
            "try, in another terminal:\n  \
             echo hello | standpipe pub --lines standpipe://{native}/greetings\n  \
             standpipe sub standpipe://{native}/greetings --lines\n"
        ));
    }
    eprint!("{lines}");
}

/// One JSON object on stdout: each protocol's `HOST:PORT`, null where it is off.
///
/// # Errors
/// Where stdout is closed.
pub(crate) fn announce(server: &Server) -> std::io::Result<()> {
    let mut ports = serde_json::Map::new();
    for protocol in Protocol::ALL {
        let address = server.address(protocol).map(|at| at.to_string());
        if address.is_some() || protocol != Protocol::Http {
            ports.insert(protocol.to_string(), address.into());
        }
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::Value::Object(ports))?;
    stdout.flush()
}
