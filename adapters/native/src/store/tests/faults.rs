//! A disk that refuses.

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{ALL, append, commit, count, is_journal, log, read_all, recovery::open, sim::SimDisk};

#[tokio::test]
async fn a_failed_write_refuses_until_it_works_again() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let mut told = store.appends_refused();
    // Else appends may be refused for the reserve, before any write fails.
    disk.wait(|names| names.iter().any(|name| name == "reserve"));
    while disk.octets("reserve").is_empty() {
        tokio::task::yield_now().await;
    }
    disk.fail_writes(true);
    let first = store
        .submit(commit(Durability::Disk, vec![append(log(1), "a")]))
        .unwrap();
    let answer = store
        .durable(first.seq, Durability::Disk)
        .await
        .unwrap_err();
    assert_eq!(answer.kind(), ErrorKind::Unknown);
    assert!(told.now().is_some());
    let refused = store
        .submit(commit(Durability::Disk, vec![append(log(1), "b")]))
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Transient);
    assert!(refused.to_string().contains("storage"), "{refused}");
    assert_eq!(
        store.read(log(1), Offset::ZERO, ALL).await.unwrap().len(),
        1
    );
    disk.fail_writes(false);
    while store.durable(first.seq, Durability::Disk).await.is_err() {}
    while told.now().is_some() {
        told.changed().await;
    }
    let second = store
        .submit(commit(Durability::Disk, vec![append(log(1), "c")]))
        .unwrap();
    store.durable(second.seq, Durability::Disk).await.unwrap();
    drop(store);
    let read = open(&disk).read(log(1), Offset::ZERO, ALL).await.unwrap();
    assert_eq!(read.len(), 2);
}

#[tokio::test]
async fn a_failed_sync_is_never_confirmed_and_ends_appends() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let kept = store
        .submit(commit(Durability::Disk, vec![append(log(1), "a")]))
        .unwrap();
    store.durable(kept.seq, Durability::Disk).await.unwrap();
    disk.fail_syncs(true);
    let lost = store
        .submit(commit(Durability::Disk, vec![append(log(1), "b")]))
        .unwrap();
    let told = store.durable(lost.seq, Durability::Disk).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Unknown);
    disk.fail_syncs(false);
    assert!(store.durable(lost.seq, Durability::Disk).await.is_err());
    let refused = store
        .submit(commit(Durability::Os, vec![append(log(1), "c")]))
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert!(store.durable(kept.seq, Durability::Disk).await.is_ok());
    assert_eq!(
        store.read(log(1), Offset::ZERO, ALL).await.unwrap().len(),
        2
    );
    assert!(store.close().await.is_err());
}

#[tokio::test]
async fn too_much_that_waits_is_throttled() {
    let disk = SimDisk::default();
    let store = open(&disk);
    disk.hold_syncs(true);
    let body = vec![0; 300 * 1024];
    let refused = loop {
        let submitted = store.submit(commit(Durability::Disk, vec![append(log(1), body.clone())]));
        if let Err(error) = submitted {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Throttled);
    assert!(refused.message().contains("1048576"), "{refused}");
    disk.hold_syncs(false);
    store.close().await.unwrap();
    let closed = store.submit(commit(Durability::Disk, vec![])).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_full_disk_takes_acks_and_takes_messages_again_once_they_are_gone() {
    let disk = SimDisk::default();
    disk.hold_at_most(400 * 1024);
    let store = open(&disk);
    let mut told = store.appends_refused();
    let (mut end, mut refused) = (Offset::ZERO, None);
    while refused.is_none() {
        match store.submit(commit(Durability::Disk, vec![append(log(1), vec![7; 900])])) {
            Ok(submitted) => {
                let durable = store.durable(submitted.seq, Durability::Disk).await;
                durable.unwrap();
                end = end.next();
            }
            Err(error) => refused = Some(error),
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.kind(), ErrorKind::Throttled);
    assert!(
        refused.message().contains("full") || refused.to_string().contains("storage"),
        "{refused}"
    );
    // Whatever holds by now: the thread behind the journal may have made space already.
    told.changed().await;
    assert_eq!(
        read_all(&store, log(1), Offset::ZERO).await.len() as u64,
        end.0
    );
    let trim = Op::Trim {
        log: log(1),
        below: end,
    };
    let seq = store
        .submit(commit(Durability::Disk, vec![trim]))
        .unwrap()
        .seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    while told.now().is_some() {
        told.changed().await;
    }
    let again = commit(Durability::Disk, vec![append(log(1), "again")]);
    let taken = store.submit(again).unwrap();
    store.durable(taken.seq, Durability::Disk).await.unwrap();
    store.close().await.unwrap();
    let read = read_all(&open(&disk), log(1), end).await;
    assert_eq!(read[0].body(), "again");
}

#[tokio::test]
async fn a_checkpoint_that_did_not_fit_is_written_once_it_does() {
    let disk = SimDisk::default();
    let store = open(&disk);
    disk.fail_checkpoints(true);
    for n in 0..400u32 {
        let submitted = store.submit(commit(
            Durability::Disk,
            vec![append(log(1), vec![n as u8; 200])],
        ));
        let seq = submitted.unwrap().seq;
        store.durable(seq, Durability::Disk).await.unwrap();
    }
    disk.wait(|names| count(names, is_journal) > 4);
    disk.fail_checkpoints(false);
    disk.wait(|names| count(names, is_journal) <= 3);
    assert_eq!(read_all(&store, log(1), Offset::ZERO).await.len(), 400);
    store.close().await.unwrap();
    assert_eq!(
        read_all(&open(&disk), log(1), Offset::ZERO).await.len(),
        400
    );
}
