//! The task that writes to a client, and keeps it from thinking us dead.

use std::{collections::VecDeque, io, io::IoSlice, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf, time::timeout};

use super::output::Output;

/// A heartbeat frame (specification 4.2.7).
const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0xCE];
/// Chunks handed to the system at once.
const SLICES: usize = 64;

/// Writes until the output ends or the client is gone; then shuts the sending side.
pub(super) async fn write_all(
    mut socket: OwnedWriteHalf,
    output: Arc<Output>,
    heartbeat: tokio::sync::watch::Receiver<Option<Duration>>,
) -> io::Result<()> {
    loop {
        let idle = *heartbeat.borrow();
        let taken = match idle {
            Some(interval) => timeout(interval / 2, output.take()).await,
            None => Ok(output.take().await),
        };
        match taken {
            Ok(Some(chunks)) => write_chunks(&mut socket, chunks, &output).await?,
            Ok(None) => return socket.shutdown().await,
            Err(_idle) => socket.write_all(&HEARTBEAT).await?,
        }
    }
}

async fn write_chunks(
    socket: &mut OwnedWriteHalf,
    mut chunks: VecDeque<Bytes>,
    output: &Output,
) -> io::Result<()> {
    while !chunks.is_empty() {
        let slices: Vec<_> = chunks
            .iter()
            .take(SLICES)
            .map(|chunk| IoSlice::new(chunk))
            .collect();
        let written = socket.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        output.written(written);
        advance(&mut chunks, written);
    }
    Ok(())
}

fn advance(chunks: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(front) = chunks.front_mut() {
        if written < front.len() {
            front.advance(written);
            return;
        }
        written -= front.len();
        chunks.pop_front();
    }
}
