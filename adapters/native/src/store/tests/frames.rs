//! Items of a checkpoint that are larger than what one flipped bit is mended in.

use bytes::{Buf, BufMut, Bytes};
use standpipe_core::{
    checksum::crc32c,
    id::{CursorId, PartitionId, SubscriptionId},
    store::Op,
};
use uuid::Uuid;

use super::sim::{Random, SimDisk};
use crate::store::{
    checkpoint::{self, FRAME, FRAME_HEADER, Facts, HEADER, USED, checkpoint_name},
    contents::Contents,
    position::Position,
    snapshot::Snapshot,
    vfs::Disk,
};

const FACTS: Facts = Facts {
    incarnation: 3,
    first_file: 2,
    next_segment: 9,
};
const CURSOR: CursorId = CursorId {
    subscription: SubscriptionId(Uuid::from_u128(7)),
    partition: PartitionId(1),
};

/// As the snapshot of a cursor with some thousand deferred messages has it.
fn change() -> Bytes {
    let mut random = Random(1);
    (0..200_000).map(|_| random.below(256) as u8).collect()
}

/// A large item between small ones.
fn encoded() -> Vec<u8> {
    let mut contents = Contents::default();
    for n in 0..100u8 {
        let key = Bytes::copy_from_slice(&[n]);
        contents.put(key, Some(vec![n; 300].into()));
    }
    contents.apply(Op::Cursor {
        cursor: CURSOR,
        change: change(),
        reset: true,
    });
    Snapshot::of(&contents, Position::new(2, 64)).encode(FACTS)
}

/// Whether a disk that holds this checkpoint, with a bit of it flipped, tells all of it.
fn is_told(octets: &[u8], flipped: Option<u64>) -> bool {
    let disk = SimDisk::default();
    checkpoint::write(&disk, 1, octets).unwrap();
    if let Some(bit) = flipped {
        disk.flip_bit(&checkpoint_name(1), bit);
    }
    let file = disk.open(&checkpoint_name(1)).unwrap();
    checkpoint::read(&file)
        .unwrap()
        .is_some_and(|(contents, facts)| {
            let cursor = contents.cursors[&CURSOR].to_vec();
            facts == FACTS && contents.keys.len() == 100 && cursor == [change()]
        })
}

/// As earlier builds wrote it: each item whole in one frame.
fn in_one_frame(octets: &[u8]) -> Vec<u8> {
    let (header, mut frames) = octets.split_at(HEADER);
    let mut payload = Vec::new();
    while !frames.is_empty() {
        let length = frames.get_u32() as usize;
        frames.advance(FRAME_HEADER - 4);
        payload.extend_from_slice(&frames[..length]);
        frames.advance(length);
    }
    let mut out = header[..USED - 8].to_vec();
    out.put_u64(1);
    let crc = crc32c(&out);
    out.put_bytes(0, HEADER - USED - 4);
    out.put_u32(crc);
    let mut frame = Vec::new();
    frame.put_u32(payload.len() as u32);
    frame.put_u32(crc32c(&payload));
    let crc = crc32c(&frame);
    frame.put_u32(crc);
    [out, frame, payload].concat()
}

#[test]
fn a_flipped_bit_in_an_item_of_any_size_is_mended() {
    let octets = encoded();
    assert!(is_told(&octets, None));
    for octet in (HEADER..octets.len()).step_by(3 * FRAME + 7) {
        assert!(
            is_told(&octets, Some(octet as u64 * 8 + 5)),
            "octet {octet}"
        );
    }
}

#[test]
fn an_item_that_is_whole_in_one_large_frame_is_read_too() {
    let octets = in_one_frame(&encoded());
    assert!(is_told(&octets, None));
    assert!(!is_told(&octets[..octets.len() - 1], None), "cut short");
}
