//! The daemon's life: it says where it is, refuses what it must, and ends cleanly.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A daemon in memory on free ports; killed when dropped.
struct Daemon {
    child: Child,
    ports: Value,
}

impl Daemon {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_standpipe"))
            .args(["serve", "--ephemeral"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ports = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut stderr = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut stderr);
            panic!("no ports but {line:?}: {stderr}")
        });
        Self { child, ports }
    }

    fn address(&self, protocol: &str) -> &str {
        self.ports[protocol].as_str().unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        daemon.signal(signal);
        assert_eq!(daemon.end(), Some(0));
    }
    let mut daemon = Daemon::start(&[]);
    drop(daemon.child.stdin.take());
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn health_is_served_only_where_it_is_asked_for() {
    let daemon = Daemon::start(&["--http", "127.0.0.1:0"]);
    let http = daemon.address("http");
    assert!(get(http, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(http, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(http, "/metrics").contains("# TYPE standpipe_log_end_offset counter"));
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
