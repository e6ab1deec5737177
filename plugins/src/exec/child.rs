//! The process.

use std::{process::Stdio, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child as Process, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

/// Octets of a line of stderr that are logged.
const STDERR_LINE_LIMIT: u64 = 4 * 1024;

/// A running shell command.
pub(super) struct Child {
    process: Process,
    /// Until it is closed.
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: ChildStdout,
    last_words: Arc<Mutex<String>>,
    stderr: JoinHandle<()>,
}

impl Child {
    /// Starts `sh -c command`, in a process group of its own, so that Ctrl-C on a terminal lets it
    /// finish what it was given.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn start(command: &str) -> std::io::Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let last_words = Arc::<Mutex<String>>::default();
        let stderr = process.stderr.take().expect("it is piped");
        let stderr = tokio::spawn(log(command.to_owned(), stderr, Arc::clone(&last_words)));
        Ok(Self {
            stdin: process.stdin.take(),
            stdout: process.stdout.take().expect("it is piped"),
            process,
            last_words,
            stderr,
        })
    }

    /// Waits for its end after its stdout ended.
    ///
    /// # Errors
    /// How it failed, with the last line of its stderr.
    pub(super) async fn end(mut self, patience: Duration) -> Result<(), String> {
        drop(self.stdin.take());
        let status = match tokio::time::timeout(patience, self.process.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(format!("its exit is unknown: {error}")),
            Err(_) => {
                return Err(format!(
                    "it closed its output and did not exit in {patience:?}"
                ));
            }
        };
        if status.success() {
            return Ok(());
        }
        // Whatever else holds its stderr open is not waited for.
        drop(tokio::time::timeout(Duration::from_secs(1), self.stderr).await);
        let last_words = self.last_words.lock();
        let colon = if last_words.is_empty() { "" } else { ": " };
        Err(format!("{status}{colon}{last_words}"))
    }
}

async fn log(command: String, stderr: ChildStderr, last_words: Arc<Mutex<String>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A longer line is logged in parts.
        let mut part = (&mut stderr).take(STDERR_LINE_LIMIT);
        match part.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                tracing::info!(command, "{text}");
                *last_words.lock() = text;
            }
        }
    }
}
