//! The end of a file that is to be appended to.

use std::{
    io::{Error, ErrorKind, Result, SeekFrom},
    path::Path,
};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};

use crate::{format::Format, lines::LINE_BYTES};

/// Ends the last line of a regular file, so that the next one does not go on with it. An envelope
/// that is not whole is cut off: a crash came between, so it was not confirmed and is sent again. The
/// file is locked as long as `file` is open; where another process has locked it, nothing is done.
///
/// # Errors
/// What the system said; `InvalidData` where an envelope would be longer than any that is read.
pub(crate) async fn mend(file: &mut File, path: &Path, format: Format) -> Result<()> {
    if !file.metadata().await?.is_file() {
        return Ok(());
    }
    // Another process may be within a line of its own.
    let handle = file.try_clone().await?.into_std().await;
    let length = handle.metadata()?.len();
    if handle.try_lock().is_err() || length == 0 {
        return Ok(());
    }
    // A handle of its own: opened for both, a named pipe would be its own reader.
    let mut reader = File::open(path).await?;
    reader.seek(SeekFrom::Start(length - 1)).await?;
    if reader.read_u8().await? == b'\n' {
        return Ok(());
    }
    if format == Format::Envelope {
        let line = last_line(&mut reader, length).await?;
        if is_torn(&line) {
            let (path, bytes) = (path.display(), line.len());
            tracing::warn!(%path, bytes, "the file ends within an envelope, which is cut off");
            return file.set_len(length - line.len() as u64).await;
        }
    }
    file.write_all(b"\n").await?;
    file.flush().await
}

/// Whether it is an envelope that was begun and not finished, or what a power cut leaves of one: zeros.
/// What is whole is left alone, whoever wrote it.
fn is_torn(line: &[u8]) -> bool {
    let begun = || serde_json::from_slice::<serde_json::Value>(line);
    line.ends_with(&[0]) || (line.starts_with(b"{") && begun().is_err_and(|error| error.is_eof()))
}

/// What is behind the last line break of a file of `length`.
async fn last_line(reader: &mut File, length: u64) -> Result<Vec<u8>> {
    let start = length.saturating_sub(LINE_BYTES as u64);
    reader.seek(SeekFrom::Start(start)).await?;
    let mut line = Vec::new();
    reader.take(length - start).read_to_end(&mut line).await?;
    match line.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(line.split_off(at + 1)),
        None if start == 0 => Ok(line),
        None => {
            let message = format!("its last line is longer than the limit of {LINE_BYTES} bytes");
            Err(Error::new(ErrorKind::InvalidData, message))
        }
    }
}
