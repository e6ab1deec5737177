//! Reading lines.

use async_trait::async_trait;
use bytes::Bytes;
use standpipe_core::{
    Error, ErrorKind, Result,
    driver::{Consumer, Incoming, Lane, ReceiptToken, ReceiveLimit, Settlement, Settler},
    envelope,
    message::Message,
};
use tokio::io::AsyncRead;

use crate::{csv::Csv, format::Format, lines::Lines};

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// Reads one message a line until the end of the file.
pub(crate) struct FileConsumer {
    lines: Option<Lines<Reader>>,
    format: Format,
    csv: Csv,
    /// An error behind messages that were good: theirs are given out first.
    pending: Option<Error>,
}

impl FileConsumer {
    pub(crate) fn new(reader: Reader, format: Format) -> Self {
        Self {
            lines: Some(Lines::new(reader)),
            format,
            csv: Csv::default(),
            pending: None,
        }
    }

    /// The message that `line` completes, if any.
    fn message(&mut self, line: &Bytes, number: u64) -> Result<Option<Message>> {
        match self.format {
            Format::Lines => Ok(Some(Message::new(line.clone()))),
            Format::Csv => Ok(self.csv.line(line, number)?.map(Message::new)),
            Format::Envelope => envelope::decode(line).map(Some).map_err(|error| {
                let message = format!("line {number} is not an envelope");
                Error::new(ErrorKind::Invalid, "read line", message).with_source(error)
            }),
        }
    }

    fn incoming(&mut self, line: &Bytes, number: u64) -> Result<Option<Incoming>> {
        let Some(message) = self.message(line, number)? else {
            return Ok(None);
        };
        Ok(Some(Incoming {
            message,
            receipt: ReceiptToken {
                lane: Lane(0),
                number,
            },
            attempts: 0,
        }))
    }

    /// Waits for the first message, then takes what needs no waiting.
    async fn gather(&mut self, limit: ReceiveLimit, batch: &mut Vec<Incoming>) -> Result<()> {
        let mut bytes = 0;
        while batch.len() < limit.messages.get() && (batch.is_empty() || bytes < limit.bytes) {
            let Some(lines) = &mut self.lines else {
                return Ok(());
            };
            let line = match batch.is_empty() {
                true => lines.next().await?,
                false => lines.buffered()?,
            };
            let number = lines.number();
            let Some(line) = line else {
                if batch.is_empty() {
                    self.lines = None;
                    self.csv.end(number)?;
                }
                return Ok(());
            };
            if let Some(incoming) = self.incoming(&line, number)? {
                bytes += incoming.message.size();
                batch.push(incoming);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Consumer for FileConsumer {
    async fn receive(&mut self, limit: ReceiveLimit) -> Result<Option<Vec<Incoming>>> {
        if let Some(error) = &self.pending {
            return Err(error.clone());
        }
        let mut batch = Vec::new();
        // Cancel safe: the only wait is for the first line, when the batch is still empty.
        if let Err(error) = self.gather(limit, &mut batch).await {
            self.pending = Some(error.clone());
            if batch.is_empty() {
                return Err(error);
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    async fn close(&mut self) -> Result<()> {
        self.lines = None;
        Ok(())
    }
}

/// A file remembers nothing: reading it again starts over.
pub(crate) struct FileSettler;

#[async_trait]
impl Settler for FileSettler {
    async fn settle(&self, settlements: Vec<(ReceiptToken, Settlement)>) -> Result<()> {
        let impossible = |settlement: &Settlement| !matches!(settlement, Settlement::Ack);
        match settlements.iter().any(|(_, what)| impossible(what)) {
            false => Ok(()),
            true => {
                let message =
                    "a file takes nothing back and forgets nothing; only acks are possible";
                Err(Error::new(ErrorKind::Unsupported, "settle", message))
            }
        }
    }
}
