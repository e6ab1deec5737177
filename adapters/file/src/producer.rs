//! Writing lines.

use async_trait::async_trait;
use standpipe_core::{Error, ErrorKind, Result, driver::Producer, envelope, message::Message};

use crate::{format::Format, sink::Sink};

/// Appends one line a message; confirmed when it is written, flushed and, in a file, synced.
pub(crate) struct FileProducer {
    sink: Sink,
    format: Format,
}

impl FileProducer {
    pub(crate) fn new(sink: Sink, format: Format) -> Self {
        Self { sink, format }
    }
}

#[async_trait]
impl Producer for FileProducer {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let mut lines = Vec::new();
        let mut results: Vec<_> = batch
            .iter()
            .map(|message| line(message, self.format, &mut lines))
            .collect();
        if lines.is_empty() {
            return results;
        }
        if let Err(error) = self.sink.append(lines).await {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(error.clone());
            }
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        self.sink.finish().await;
        Ok(())
    }
}

/// Appends the line of a message, or leaves `lines` as they were.
fn line(message: &Message, format: Format, lines: &mut Vec<u8>) -> Result<()> {
    let payload = match (format, &message.payload) {
        (Format::Envelope, _) => return envelope::encode(message, lines),
        (_, None) => return Err(no_line("a tombstone")),
        (_, Some(payload)) if payload.contains(&b'\n') => {
            return Err(no_line("a payload with a line break"));
        }
        (_, Some(payload)) => payload,
    };
    lines.extend_from_slice(payload);
    lines.push(b'\n');
    Ok(())
}

fn no_line(what: &str) -> Error {
    let message = format!("{what} cannot be written as one line; use format=envelope");
    Error::new(ErrorKind::Permanent, "write line", message)
}
