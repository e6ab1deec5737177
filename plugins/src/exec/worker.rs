//! Feeds the child, reads from it, and starts a fresh one when it has fallen silent.

use std::future::pending;

use bytes::{Buf as _, BytesMut};
use standpipe_core::error::{Error, ErrorKind, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::ChildStdin,
    sync::mpsc,
    time::Instant,
};

use super::{Batch, Framing, child::Child, ledger::Ledger, lines::Lines};
use crate::Settings;

/// Octets waiting to be written above which no further batch is taken.
const UNWRITTEN_LIMIT: usize = 1 << 20;

/// Works until the queue is closed and everything is answered.
///
/// # Errors
/// Why the child failed; everybody who waits, and everybody who comes later, is told the same.
pub(super) async fn work(
    command: String,
    framing: Framing,
    settings: Settings,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<()> {
    let mut ledger = Ledger::new(framing, settings);
    let mut next = batches.recv().await;
    while let Some(first) = next {
        match run_child(&command, settings, first, &mut batches, &mut ledger).await {
            Ok(()) => next = batches.recv().await,
            Err(problem) => {
                let message = format!("`{command}`: {problem}");
                let error = Error::new(ErrorKind::Permanent, "exec", message);
                ledger.fail(&error);
                refuse(batches, &error).await;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Answers whoever still comes.
async fn refuse(mut batches: mpsc::Receiver<Batch>, error: &Error) {
    while let Some(batch) = batches.recv().await {
        drop(batch.reply.send(Err(error.clone())));
    }
}

/// One child from its start to its end, which leaves nothing open.
async fn run_child(
    command: &str,
    settings: Settings,
    first: Batch,
    batches: &mut mpsc::Receiver<Batch>,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let child = Child::start(command).map_err(|error| format!("it cannot start: {error}"))?;
    let mut run = Run {
        child,
        ledger,
        lines: Lines::new(settings.output_bytes),
        unwritten: BytesMut::new(),
        heard: Instant::now(),
        fed: Instant::now(),
        over: false,
    };
    run.give(first);
    while run.step(settings, batches).await? {}
    let ended_early = run.child.stdin.is_some() || !run.unwritten.is_empty();
    run.child.end(settings.patience).await?;
    if ended_early {
        return Err("it ended before its input did".to_owned());
    }
    if let Some(line) = run.lines.rest() {
        run.ledger.take(line)?;
    }
    run.ledger.end()?;
    run.ledger.answer();
    Ok(())
}

/// A child at work.
struct Run<'a> {
    child: Child,
    ledger: &'a mut Ledger,
    lines: Lines,
    unwritten: BytesMut,
    /// When it last wrote something, was given something while it owed nothing, or had its input
    /// closed.
    heard: Instant,
    /// When it last took some of its input. No sign that it writes: it may buffer all the same.
    fed: Instant,
    /// Nobody gives it any more.
    over: bool,
}

impl Run<'_> {
    fn give(&mut self, batch: Batch) {
        if !self.ledger.is_open() {
            self.heard = Instant::now();
        }
        self.ledger.give(batch, &mut self.unwritten);
        self.ledger.answer();
    }

    /// Waits for the next event; false at the end of the child's output.
    async fn step(
        &mut self,
        settings: Settings,
        batches: &mut mpsc::Receiver<Batch>,
    ) -> Result<bool, String> {
        let written_all = self.unwritten.is_empty();
        if self.over && written_all && self.child.stdin.is_some() {
            self.close_input();
        }
        self.lines.make_room();
        let closing = self.child.stdin.is_none();
        let takes_more = !closing && !self.over && self.unwritten.len() < UNWRITTEN_LIMIT;
        let (since, patience) = if closing {
            (self.heard, settings.patience)
        } else if written_all {
            (self.heard, settings.quiet)
        } else {
            (self.heard.max(self.fed), settings.patience)
        };
        tokio::select! {
            read = self.child.stdout.read_buf(&mut self.lines.buffer) => {
                if read.map_err(|error| format!("its output cannot be read: {error}"))? == 0 {
                    return Ok(false);
                }
                self.take_lines()?;
            }
            written = write(&mut self.child.stdin, &self.unwritten) => match written {
                Ok(count) => {
                    self.unwritten.advance(count);
                    self.fed = Instant::now();
                }
                // It has closed its stdin; its output and its exit say why.
                Err(_) => self.close_input(),
            },
            batch = batches.recv(), if takes_more => match batch {
                Some(batch) => self.give(batch),
                None => self.over = true,
            },
            () = tokio::time::sleep_until(since + patience),
                if closing || self.ledger.is_open() =>
            {
                if closing || !written_all {
                    return Err(format!("it did nothing for {patience:?}"));
                }
                // What it buffers it writes at the end of its input.
                self.close_input();
            }
        }
        Ok(true)
    }

    /// Ends its input; from here on it has its whole patience to finish.
    fn close_input(&mut self) {
        self.child.stdin = None;
        self.heard = Instant::now();
    }

    fn take_lines(&mut self) -> Result<(), String> {
        self.heard = Instant::now();
        while let Some(line) = self.lines.next()? {
            self.ledger.take(line)?;
        }
        self.ledger.answer();
        Ok(())
    }
}

/// Writes some of `octets`; waits for ever where there are none, or nobody to write to.
///
/// Cancel safe: what is dropped has written nothing.
async fn write(stdin: &mut Option<ChildStdin>, octets: &[u8]) -> std::io::Result<usize> {
    match stdin {
        Some(stdin) if !octets.is_empty() => stdin.write(octets).await,
        _ => pending().await,
    }
}
