//! The client on its own, with a peer that says what it is told to.

use bytes::BytesMut;
use futures::StreamExt as _;
use standpipe_core::{
    Error, ErrorKind,
    address::Address,
    driver::{Driver as _, OpenOptions},
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use tokio_util::codec::FramedRead;

use super::NativeDriver;
use crate::codec::{DEFAULT_MESSAGE_LIMIT, Framing, ServerFrame, VERSION};

/// A peer that answers each frame of its one client with the next of `answers`.
pub(super) async fn peer(answers: Vec<ServerFrame>) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut frames = FramedRead::new(reader, Framing::new(DEFAULT_MESSAGE_LIMIT));
        for answer in answers {
            frames.next().await.unwrap().unwrap();
            let mut out = BytesMut::new();
            answer.encode(&mut out);
            writer.write_all(&out).await.unwrap();
        }
    });
    format!("standpipe://{at}/t").parse().unwrap()
}

pub(super) fn welcome() -> ServerFrame {
    ServerFrame::Welcome {
        version: VERSION,
        features: 0,
        message_limit: DEFAULT_MESSAGE_LIMIT as u64,
    }
}

#[tokio::test]
async fn a_broker_that_closes_while_it_is_opened_is_gone_like_any_other() {
    let closing = || {
        let error = Error::new(ErrorKind::Closed, "serve", "connect again later");
        ServerFrame::Failed(error)
    };
    for answers in [vec![closing()], vec![welcome(), closing()]] {
        let address = peer(answers).await;
        let opened = NativeDriver::new()
            .consumer(&address, &OpenOptions::default())
            .await;
        let error = opened.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    }
}
