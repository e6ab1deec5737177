//! An index that is damaged, made anew from what it points to.

use std::{io, sync::Arc};

use super::{
    Found, Run, Walk,
    point::{Point, Points, read_points},
};
use crate::store::vfs::File;

/// The points of `run`. Where they are damaged, one walk through all of it finds them: a reader who goes on
/// would walk from the run's start each time.
pub(super) fn points_or_remade(file: &dyn File, run: &Run) -> io::Result<Vec<Point>> {
    let points = read_points(file, run)?;
    Ok(points.unwrap_or_else(|| remade(file, run)))
}

/// What a walk finds. What cannot be read is no damage: then one at the run's start stands for them.
fn remade(file: &dyn File, run: &Run) -> Vec<Point> {
    let first = Point::first(run);
    let mut walk = Walk::new(file, run, Arc::new([first]), run.base);
    let (mut points, mut octets) = (Points::default(), 0);
    loop {
        let begin = walk.place();
        match walk.next() {
            Ok(Some(Found::Entry(entry))) => {
                points.add(&entry, begin - run.at, octets);
                octets += entry.body().len() as u64;
            }
            // How much of it is a body cannot be told. All of it: a trim by size keeps rather more.
            Ok(Some(Found::Body(_) | Found::Lost(_))) => octets += walk.place() - begin,
            Ok(None) => return from_start(first, points.into_vec()),
            Err(_) => return vec![first],
        }
    }
}

/// The points, with one at the run's start: where what lies there is damaged, a walk would begin behind
/// it otherwise, and nobody would be told.
fn from_start(first: Point, mut points: Vec<Point>) -> Vec<Point> {
    let behind = points.first().copied();
    if behind.is_none_or(|behind| behind.base > first.base) {
        let appended = behind.map_or(first.appended, |behind| behind.appended);
        points.insert(0, Point { appended, ..first });
    }
    points
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use standpipe_core::{
        checksum::crc32c,
        entry::{Draft, Entry, EntryHead, Flags, Format},
        error::ErrorKind,
        id::{LogId, Millis, Offset, PartitionId, TopicId},
    };
    use uuid::Uuid;

    use super::*;
    use crate::store::{
        directory::Directory,
        segment::{SegmentWriter, Segments, read, segment_name, walk, whole_points},
        tests::ALL,
        vfs::{Disk, Wait},
    };

    const LOG: LogId = LogId {
        topic: TopicId(Uuid::from_u128(5)),
        partition: PartitionId(0),
    };

    /// Writes a run of so many entries as segment 1.
    fn write(disk: &dyn Disk, count: u64) -> Run {
        let mut segment = SegmentWriter::create(disk, 1).unwrap();
        segment.begin(LOG, 1);
        for n in 0..count {
            let body = vec![7; 1 + (n % 900) as usize];
            let mut draft = Draft::single(Format::NATIVE, body.into());
            draft.visible = u32::from(n % 3 > 0);
            let entry = Entry {
                base_offset: Offset(n),
                appended: Millis(n as i64),
                leader_epoch: 0,
                draft,
            };
            let mut head = BytesMut::new();
            EntryHead::encode(&entry, Flags::NONE, crc32c(entry.body()), &mut head);
            segment.entry(&head, entry.body(), &entry).unwrap();
        }
        segment.end().unwrap();
        segment.finish().unwrap().remove(0).1
    }

    /// Damages the index of `run`.
    fn damage_index(file: &dyn File, run: &Run) {
        let index = run.at + run.length;
        file.write_at(&[io::IoSlice::new(&[0xff; 80])], index + 8)
            .unwrap();
        assert!(whole_points(file, run).unwrap().is_none());
    }

    #[test]
    fn a_damaged_index_is_made_anew_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Directory::open(directory.path()).unwrap();
        let run = write(&disk, 1000);
        let file = Disk::open(&disk, &segment_name(1)).unwrap();
        let written = points_or_remade(&*file, &run).unwrap();
        assert!(written.len() > 10, "{}", written.len());
        damage_index(&*file, &run);
        assert_eq!(points_or_remade(&*file, &run).unwrap(), written);
    }

    #[test]
    fn a_first_message_that_is_damaged_is_told_where_the_index_is_damaged_too() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(Directory::open(directory.path()).unwrap());
        let run = write(&*disk, 1000);
        let file = Disk::open(&*disk, &segment_name(1)).unwrap();
        let mut first = walk(&*file, &run, run.base).unwrap();
        assert!(matches!(first.next(), Ok(Some(Found::Entry(_)))));
        let last_of_body = first.place() - 1;
        file.write_at(&[io::IoSlice::new(&[8])], last_of_body)
            .unwrap();
        damage_index(&*file, &run);
        let segments = Segments::new(disk);
        let read = |from| read(&segments, (LOG, &run), from, ALL, Wait::ForDevice);
        assert_eq!(read(run.base).unwrap_err().kind(), ErrorKind::Corrupt);
        let behind = read(run.base.next()).unwrap();
        assert_eq!(behind[0].base_offset, run.base.next());
        let points = points_or_remade(&*file, &run).unwrap();
        // A look-up by age goes on behind it.
        assert_eq!(points[0].appended, points[1].appended);
    }
}
