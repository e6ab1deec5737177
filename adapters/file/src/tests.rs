//! What goes into a file comes out of it.

use std::{io::Write as _, time::Duration};

use standpipe_core::{
    ErrorKind,
    driver::{Driver as _, OpenOptions, ReceiveLimit},
    message::Message,
};
use tokio::{io::AsyncReadExt as _, time::timeout};

use crate::FileDriver;

async fn write(address: &str, batch: Vec<Message>) -> Vec<standpipe_core::Result<()>> {
    let address = address.parse().unwrap();
    let mut producer = FileDriver.producer(&address).await.unwrap();
    let results = producer.send(batch).await;
    producer.close().await.unwrap();
    results
}

async fn read(address: &str) -> standpipe_core::Result<Vec<Message>> {
    let address = address.parse().unwrap();
    let (mut consumer, _) = FileDriver
        .consumer(&address, &OpenOptions::default())
        .await?;
    let mut messages = Vec::new();
    while let Some(batch) = consumer.receive(ReceiveLimit::messages(2)).await? {
        messages.extend(batch.into_iter().map(|incoming| incoming.message));
    }
    Ok(messages)
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}/a", folder.path().display());
    (folder, address)
}

#[tokio::test]
async fn envelopes_keep_everything_and_files_are_appended_to() {
    let (_folder, address) = folder();
    let messages = vec![
        Message::new(&b"a\nb\xff"[..]).with_key(&b"k"[..]),
        Message::default().with_header("h", "1").with_header("h", 2),
        Message::new(&b""[..]),
    ];
    for batch in messages.chunks(2) {
        let results = write(&address, batch.to_vec()).await;
        assert!(results.iter().all(Result::is_ok));
    }
    assert_eq!(read(&address).await.unwrap(), messages);
}

#[tokio::test]
async fn a_payload_that_is_no_line_is_refused_and_the_others_written() {
    let (_folder, address) = folder();
    let address = format!("{address}?format=lines");
    let batch = vec![
        Message::new(&b"one"[..]),
        Message::new(&b"two\nlines"[..]),
        Message::default(),
        Message::new(&b"three\r"[..]),
    ];
    let results = write(&address, batch).await;
    let kinds: Vec<_> = results
        .iter()
        .map(|r| r.as_ref().err().map(|e| e.kind()))
        .collect();
    let permanent = Some(ErrorKind::Permanent);
    assert_eq!(kinds, [None, permanent, permanent, None]);
    let payloads: Vec<_> = read(&address)
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.payload)
        .collect();
    assert_eq!(payloads, [Some("one".into()), Some("three\r".into())]);
}

#[tokio::test]
async fn good_lines_come_before_the_error_of_a_bad_one() {
    let (folder, address) = folder();
    std::fs::write(folder.path().join("a"), "{\"payload\":\"x\"}\nnonsense\n").unwrap();
    let address = address.parse().unwrap();
    let (mut consumer, _) = FileDriver
        .consumer(&address, &OpenOptions::default())
        .await
        .unwrap();
    let limit = ReceiveLimit::messages(10);
    assert_eq!(consumer.receive(limit).await.unwrap().unwrap().len(), 1);
    let error = consumer.receive(limit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[tokio::test]
async fn csv_is_read_and_never_written() {
    let (folder, address) = folder();
    std::fs::write(folder.path().join("a"), "a,b\n1,2\n").unwrap();
    let address = format!("{address}?format=csv");
    let rows = read(&address).await.unwrap();
    assert_eq!(
        rows[0].payload.as_deref(),
        Some(&br#"{"a":"1","b":"2"}"#[..])
    );
    let error = FileDriver
        .producer(&address.parse().unwrap())
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let error = read("file:///no/such/file").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[tokio::test]
async fn a_full_device_is_told() {
    let results = write("file:///dev/full", vec![Message::new(&b"x"[..])]).await;
    assert!(results[0].is_err());
}

#[tokio::test]
async fn a_line_without_its_break_is_ended_before_the_next() {
    let (folder, address) = folder();
    let path = folder.path().join("a");
    std::fs::write(&path, "abc").unwrap();
    let results = write(&format!("{address}?format=lines"), vec![Message::new("d")]).await;
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc\nd\n");
    std::fs::write(&path, "{\"payload\":\"x\"}").unwrap();
    let results = write(&address, vec![Message::new("y")]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let expected = [Message::new("x"), Message::new("y")];
    assert_eq!(read(&address).await.unwrap(), expected);
}

#[tokio::test]
async fn a_whole_line_of_somebody_else_is_left_alone() {
    let (folder, address) = folder();
    let path = folder.path().join("a");
    std::fs::write(&path, "{\"theirs\":1}").unwrap();
    let results = write(&address, vec![Message::new("x")]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"theirs\":1}\n{"), "{text}");
}

#[tokio::test]
async fn an_envelope_that_is_not_whole_is_cut_off() {
    let (folder, address) = folder();
    let path = folder.path().join("a");
    std::fs::write(&path, "{\"payload\":\"x\"}\n{\"payload\":\"to").unwrap();
    let results = write(&address, vec![Message::new("torn")]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let expected = [Message::new("x"), Message::new("torn")];
    assert_eq!(read(&address).await.unwrap(), expected);
    std::fs::write(&path, "{\"pay").unwrap();
    let results = write(&address, vec![Message::new("first")]).await;
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(read(&address).await.unwrap(), [Message::new("first")]);
}

#[tokio::test]
async fn a_folder_is_neither_read_nor_written_and_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}", folder.path().display());
    let error = read(&address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("directory"), "{error}");
    let opened = FileDriver.producer(&address.parse().unwrap()).await;
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Permanent);
    assert!(error.to_string().contains("directory"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_file_take_turns() {
    let (_folder, address) = folder();
    let writer = async || {
        let batch = vec![Message::new(vec![b'x'; 1 << 10]); 3 << 10];
        let results = write(&address, batch).await;
        assert!(results.iter().all(Result::is_ok));
    };
    tokio::join!(writer(), writer(), writer(), writer());
    assert_eq!(read(&address).await.unwrap().len(), 4 * (3 << 10));
}

#[tokio::test]
async fn a_locked_file_is_waited_for_and_what_was_begun_in_it_is_mended() {
    let (folder, address) = folder();
    let opened = FileDriver.producer(&address.parse().unwrap()).await;
    let mut producer = opened.unwrap();
    let path = folder.path().join("a");
    let opened = std::fs::OpenOptions::new().append(true).open(path);
    let mut other = opened.unwrap();
    other.lock().unwrap();
    other.write_all(b"{\"payload\":\"to").unwrap();
    let mut send = producer.send(vec![Message::new("x")]);
    let early = timeout(Duration::from_millis(100), &mut send).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    drop(other);
    let results = send.await;
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(read(&address).await.unwrap(), [Message::new("x")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_send_has_begun_is_written_to_its_end() {
    let (folder, address) = folder();
    let path = folder.path().join("a");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let address = format!("{address}?format=lines").parse().unwrap();
    let opening = tokio::fs::File::open(&path);
    let (reader, producer) = tokio::join!(opening, FileDriver.producer(&address));
    let (mut reader, mut producer) = (reader.unwrap(), producer.unwrap());
    let batch = |octet: u8| vec![Message::new(vec![octet; 999]); 3 << 10];
    let mut text = vec![0];
    tokio::select! {
        results = producer.send(batch(b'a')) => panic!("nobody reads: {}", results.len()),
        read = reader.read_exact(&mut text) => assert_eq!(read.unwrap(), 1),
    }
    let next = async move {
        let results = producer.send(batch(b'b')).await;
        producer.close().await.unwrap();
        drop(producer);
        results
    };
    let (results, read) = tokio::join!(next, reader.read_to_end(&mut text));
    assert!(results.iter().all(Result::is_ok));
    read.unwrap();
    let expected = [b'a', b'b'].map(|octet| {
        let mut line = vec![octet; 999];
        line.push(b'\n');
        line.repeat(3 << 10)
    });
    assert!(text == expected.concat(), "{} octets", text.len());
}
