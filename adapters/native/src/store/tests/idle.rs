//! What a store that has nothing to do leaves to the system, in case its process is killed.

use std::io::IoSlice;

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{CommitSeq, Durability, Store},
};

use super::{accept::damage, append, commit, log, read_all, recovery::open, sim::SimDisk};
use crate::store::{
    NativeStore,
    header::{FILE_HEADER, RECORD_HEADER, RecordHeader},
    position::{BLOCK, Position, journal_name},
    scan::look_behind,
    vfs::{Disk, write_all_at},
    window::Window,
};

/// An entry in each of two logs; returns the commit once it is on disk.
async fn publish(store: &NativeStore, n: u8) -> CommitSeq {
    let ops = vec![
        append(log(1), vec![n; 100]),
        append(log(2), vec![b'x'; 100]),
    ];
    let seq = store.submit(commit(Durability::Disk, ops)).unwrap().seq;
    store.durable(seq, Durability::Disk).await.unwrap();
    seq
}

#[tokio::test]
async fn rot_in_what_the_last_sync_confirmed_is_told_and_not_cut_once_the_store_was_idle() {
    let (disk, journal) = (SimDisk::default(), journal_name(1));
    let store = open(&disk);
    let mut last = CommitSeq(0);
    for n in 0..3 {
        last = publish(&store, n).await;
    }
    let syncs = disk.syncs(&journal);
    // The mark is the next commit.
    store.shared.written.wait(last.0 + 1).await.unwrap();
    assert_eq!(disk.syncs(&journal), syncs, "a mark asks for no sync");
    let killed = disk.copy();
    let octets = killed.octets(&journal);
    let body = octets.windows(100).position(|window| window == [2; 100]);
    killed.flip(&journal, body.unwrap() + 50);
    let found = damage(&killed);
    assert!(
        found
            .iter()
            .any(|f| f.offsets == Some(Offset(2)..Offset(3))),
        "{found:?}"
    );
    let again = open(&killed);
    assert_eq!(read_all(&again, log(2), Offset::ZERO).await.len(), 3);
    let refused = again.submit(commit(Durability::Disk, vec![append(log(1), "y")]));
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(refused.message().contains("offset 2"), "{refused}");
}

#[tokio::test]
async fn a_store_that_is_closed_after_it_was_idle_syncs_no_more_than_once() {
    let (disk, journal) = (SimDisk::default(), journal_name(1));
    let store = open(&disk);
    let last = publish(&store, 1).await;
    store.shared.written.wait(last.0 + 1).await.unwrap();
    let syncs = disk.syncs(&journal);
    store.close().await.unwrap();
    assert_eq!(disk.syncs(&journal), syncs + 1);
    assert_eq!(
        store.shared.synced.reached(),
        last.0 + 1,
        "one mark is enough"
    );
}

#[test]
fn a_mark_is_found_behind_a_zeroed_page_whatever_its_salt_begins_with() {
    for salt in [0x0011_2233, 0x0000_1122, 0x0000_0011] {
        let disk = SimDisk::default();
        let file = disk.create(&journal_name(1), 0).unwrap();
        let at = u64::from(2 * BLOCK);
        let mark = RecordHeader {
            salt,
            length: RECORD_HEADER as u32,
            seq: 1,
            epoch: 1,
            synced: Position::new(1, 2 * BLOCK),
            steps_crc: 0,
        };
        write_all_at(&*file, &mut [IoSlice::new(&mark.encode())], at).unwrap();
        let end = at + RECORD_HEADER as u64;
        let mut window = Window::new(&*file, end);
        let behind = look_behind(&mut window, FILE_HEADER as u64, salt).unwrap();
        assert_eq!((behind.synced, behind.end), (mark.synced, end), "{salt:x}");
    }
}
