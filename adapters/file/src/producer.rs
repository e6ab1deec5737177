//! Writing lines.

use async_trait::async_trait;
use standpipe_core::{Error, ErrorKind, Result, driver::Producer, envelope, message::Message};
use tokio::io::AsyncWriteExt as _;

use crate::{format::Format, place::Sink};

/// Appends one line a message; confirmed when it is written, flushed and, in a file, synced.
pub(crate) struct FileProducer {
    sink: Sink,
    format: Format,
    /// What broke the sink: nothing is written behind half a line.
    broken: Option<Error>,
}

impl FileProducer {
    pub(crate) fn new(sink: Sink, format: Format) -> Self {
        Self {
            sink,
            format,
            broken: None,
        }
    }

    async fn write(&mut self, lines: &[u8]) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let written = async {
            let writer = self.sink.writer();
            writer.write_all(lines).await?;
            writer.flush().await?;
            self.sink.sync().await
        };
        written.await.map_err(|error| {
            let message = "the destination does not take more; it may have taken a part";
            let error = Error::new(ErrorKind::Unknown, "write lines", message).with_source(error);
            self.broken = Some(error.clone());
            error
        })
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
        if let Err(error) = self.write(&lines).await {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(error.clone());
            }
        }
        results
    }

    async fn close(&mut self) -> Result<()> {
        self.write(&[]).await
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
