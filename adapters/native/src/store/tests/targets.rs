//! Where to flip a bit: anywhere, and as often where something else than a body lies.

use std::{fs, path::Path};

use standpipe_core::store::Store;

use super::{
    filled::{fs_names, options},
    sim::Random,
};
use crate::store::{
    NativeStore,
    checkpoint::checkpoint_number,
    directory::Directory,
    header::{FILE_HEADER, FileHeader, FileId},
    position::journal_number,
    scan::find_record,
    segment::{read_table, segment_number},
    vfs::Disk,
    window::Window,
};

/// A stretch of a file.
type Place = (String, u64, u64);

/// Stretches of each kind, found while the store was whole.
pub(super) struct Targets {
    /// All there is.
    files: Vec<Place>,
    /// How records begin: header, step, envelope.
    records: Vec<Place>,
    /// Indexes, tables and footers of segments.
    indexes: Vec<Place>,
    checkpoints: Vec<Place>,
}

impl Targets {
    /// Those of the store in `path`, which has about `octets`; what nobody needs any more is none.
    pub(super) async fn of(path: &Path, octets: u64) -> Self {
        let store = NativeStore::open(path, options(octets)).unwrap();
        let disk = Directory::open(path).unwrap();
        let mut found = Self {
            files: Vec::new(),
            records: Vec::new(),
            indexes: Vec::new(),
            checkpoints: Vec::new(),
        };
        for name in fs_names(path) {
            let whole = (
                name.clone(),
                0,
                fs::metadata(path.join(&name)).unwrap().len(),
            );
            if let Some(number) = segment_number(&name) {
                found.add_segment(&store, &disk, number, &whole);
                continue;
            } else if journal_number(&name).is_some() {
                found.add_journal(&disk, &whole);
            } else if checkpoint_number(&name).is_some() {
                found.checkpoints.push(whole.clone());
            } else {
                continue;
            }
            found.files.push(whole);
        }
        store.close().await.unwrap();
        found
    }

    fn add_segment(&mut self, store: &NativeStore, disk: &dyn Disk, number: u64, whole: &Place) {
        let (name, file) = (&whole.0, disk.open(&whole.0).unwrap());
        let runs = read_table(&*file, number).unwrap().unwrap();
        let mut end = 0;
        for (log, run) in &runs {
            end = end.max(run.at + run.stored());
            if !store.shared.has_runs(*log, std::slice::from_ref(run)) {
                continue;
            }
            self.files
                .push((name.clone(), run.at, run.at + run.stored()));
            let points = (name.clone(), run.at + run.length, run.at + run.stored());
            // Its first envelope too.
            let envelope = (name.clone(), run.at, run.at + 60.min(run.length));
            self.indexes.extend([points, envelope]);
        }
        for part in [(0, 64), (end, whole.2)] {
            let part = (name.clone(), part.0, part.1);
            self.files.push(part.clone());
            self.indexes.push(part);
        }
    }

    fn add_journal(&mut self, disk: &dyn Disk, whole: &Place) {
        let file = disk.open(&whole.0).unwrap();
        let mut start = [0; FILE_HEADER];
        file.read_at(&mut start, 0).unwrap();
        let id = FileId::decode(&start).unwrap();
        let header = FileHeader::decode(id, &start).unwrap();
        let mut window = Window::new(&*file, whole.2);
        let (mut at, mut seq) = (FILE_HEADER as u64, header.link.previous_seq);
        self.records.push((whole.0.clone(), 0, at));
        while let Some((place, record)) = find_record(&mut window, at, id.salt, seq).unwrap() {
            (at, seq) = (place + u64::from(record.length), record.seq);
            self.records
                .push((whole.0.clone(), place, at.min(place + 300)));
        }
    }

    /// A file, and a bit of it.
    pub(super) fn pick(&self, path: &Path, random: &mut Random) -> (String, u64) {
        let places = match random.below(8) {
            0..4 => &self.files,
            4..6 => &self.records,
            6 => &self.indexes,
            _ => &self.checkpoints,
        };
        let all: u64 = places.iter().map(|(_, from, to)| to - from).sum();
        let mut at = random.below(all);
        let (name, from, to) = places
            .iter()
            .find(|(_, from, to)| {
                let here = at < to - from;
                at -= if here { 0 } else { to - from };
                here
            })
            .unwrap();
        debug_assert!(from + at < *to && path.join(name).exists());
        (name.clone(), (from + at) * 8 + random.below(8))
    }
}
