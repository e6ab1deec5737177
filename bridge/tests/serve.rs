//! The daemon's life: it says where it is, refuses what it must, and ends cleanly.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

mod daemon;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use daemon::Daemon;

fn signal(daemon: &Daemon, signal: Signal) {
    let pid = Pid::from_raw(daemon.child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn end(mut daemon: Daemon) -> Option<i32> {
    daemon.child.wait().unwrap().code()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_protocol_listens_where_the_line_says() {
    let daemon = Daemon::start(&[]);
    for protocol in ["amqp", "kafka", "grpc", "native"] {
        TcpStream::connect(daemon.address(protocol)).unwrap();
    }
    assert!(daemon.ports.get("http").is_none());
}

#[test]
fn sigterm_and_the_end_of_stdin_are_clean_ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start(&[]);
        self::signal(&daemon, signal);
        assert_eq!(end(daemon), Some(0));
    }
    let mut daemon = Daemon::start(&[]);
    drop(daemon.child.stdin.take());
    assert_eq!(end(daemon), Some(0));
}

#[test]
fn health_is_served_only_where_it_is_asked_for() {
    let daemon = Daemon::start(&["--http", "127.0.0.1:0"]);
    let http = daemon.address("http");
    assert!(get(http, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(http, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(http, "/metrics").contains("# TYPE standpipe_log_end_offset counter"));
}

/// A process that may have `files` open, in memory and with health.
fn with_few_files(files: u32) -> Daemon {
    let limited = format!(r#"ulimit -n {files} && exec "$0" "$@""#);
    let mut command = Command::new("sh");
    command
        .args(["-c", &limited, env!("CARGO_BIN_EXE_standpipe")])
        .args(["serve", "--ephemeral", "--http", "127.0.0.1:0"]);
    Daemon::of(command)
}

#[test]
fn idle_connections_leave_open_files_to_everything_else() {
    let daemon = with_few_files(256);
    let amqp = daemon.address("amqp");
    let _idle: Vec<_> = (0..400)
        .map(|_| TcpStream::connect(amqp).unwrap())
        .collect();
    let begun = Instant::now();
    for _ in 0..500 {
        assert!(get(daemon.address("http"), "/healthz").starts_with("HTTP/1.1 200"));
    }
    // The broker closes idle clients of AMQP after ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_frontend_that_is_off_is_told_as_null() {
    let daemon = Daemon::start(&["--kafka", "off"]);
    assert!(daemon.ports["kafka"].is_null());
    assert!(daemon.ports["amqp"].is_string());
}

#[test]
fn beyond_this_machine_is_refused_without_consent() {
    let refused = Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(["serve", "--ephemeral", "--amqp", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("--insecure")
    );
    let daemon = Daemon::start(&["--insecure", "--amqp", "0.0.0.0:0"]);
    assert!(daemon.address("amqp").starts_with("0.0.0.0:"));
}
