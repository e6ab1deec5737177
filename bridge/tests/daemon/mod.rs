//! A daemon that a test starts and that ends with it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A daemon in memory on free ports; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) ports: Value,
}

impl Daemon {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standpipe"));
        command.args(["serve", "--ephemeral"]).args(arguments);
        Self::of(command)
    }

    /// The one that `command` starts.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
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

    pub(crate) fn address(&self, protocol: &str) -> &str {
        self.ports[protocol].as_str().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
