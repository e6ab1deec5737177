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
            Ok(None) => return points.into_vec(),
            Err(_) => return vec![first],
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use standpipe_core::{
        checksum::crc32c,
        entry::{Draft, Entry, EntryHead, Flags, Format},
        id::{LogId, Millis, Offset, PartitionId, TopicId},
    };
    use uuid::Uuid;

    use super::*;
    use crate::store::{
        directory::Directory,
        segment::{SegmentWriter, segment_name, whole_points},
        vfs::Disk,
    };

    /// Writes a run of so many entries as segment 1.
    fn write(disk: &dyn Disk, count: u64) -> Run {
        let log = LogId {
            topic: TopicId(Uuid::from_u128(5)),
            partition: PartitionId(0),
        };
        let mut segment = SegmentWriter::create(disk, 1).unwrap();
        segment.begin(log, 1);
        for n in 0..count {
            let mut draft = Draft::single(Format::NATIVE, vec![7; (n % 900) as usize].into());
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

    #[test]
    fn a_damaged_index_is_made_anew_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Directory::open(directory.path()).unwrap();
        let run = write(&disk, 1000);
        let file = Disk::open(&disk, &segment_name(1)).unwrap();
        let written = points_or_remade(&*file, &run).unwrap();
        assert!(written.len() > 10, "{}", written.len());
        let index = run.at + run.length;
        file.write_at(&[io::IoSlice::new(&[0xff; 80])], index + 8)
            .unwrap();
        assert!(whole_points(&*file, &run).unwrap().is_none());
        assert_eq!(points_or_remade(&*file, &run).unwrap(), written);
    }
}
