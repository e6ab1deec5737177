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
    let mut ledger = Ledger::new(framing);
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
    let mut child = Child::start(command).map_err(|error| format!("it cannot start: {error}"))?;
    let mut lines = Lines::new(settings.output_bytes);
    let mut unwritten = BytesMut::new();
    ledger.give(first, &mut unwritten);
    ledger.answer();
    let mut heard = Instant::now();
    let mut over = false;
    loop {
        if over && unwritten.is_empty() {
            child.stdin = None;
        }
        lines.make_room();
        let closing = child.stdin.is_none();
        let idle = !ledger.is_open();
        let patience = if closing || !unwritten.is_empty() {
            settings.patience
        } else {
            settings.quiet
        };
        tokio::select! {
            read = child.stdout.read_buf(&mut lines.buffer) => {
                if read.map_err(|error| format!("its output cannot be read: {error}"))? == 0 {
                    break;
                }
                heard = Instant::now();
                while let Some(line) = lines.next()? {
                    ledger.take(line)?;
                }
                ledger.answer();
            }
            written = write(&mut child.stdin, &unwritten) => match written {
                Ok(count) => unwritten.advance(count),
                // It has closed its stdin; its output and its exit say why.
                Err(_) => child.stdin = None,
            },
            batch = batches.recv(), if !closing && !over && unwritten.len() < UNWRITTEN_LIMIT => {
                match batch {
                    Some(batch) => {
                        ledger.give(batch, &mut unwritten);
                        ledger.answer();
                        if idle {
                            heard = Instant::now();
                        }
                    }
                    None => over = true,
                }
            }
            () = tokio::time::sleep_until(heard + patience), if closing || !idle => {
                if closing || !unwritten.is_empty() {
                    return Err(format!("it did nothing for {patience:?}"));
                }
                child.stdin = None;
                heard = Instant::now();
            }
        }
    }
    let ended_early = child.stdin.is_some() || !unwritten.is_empty();
    child.end(settings.patience).await?;
    if ended_early {
        return Err("it ended before its input did".to_owned());
    }
    if let Some(line) = lines.rest() {
        ledger.take(line)?;
    }
    ledger.end()?;
    ledger.answer();
    Ok(())
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
