//! The directory on a real file system.

use crate::store::{directory::Directory, vfs::Disk};

#[test]
fn a_file_for_which_there_is_no_room_is_not_there() {
    let path = tempfile::tempdir().unwrap();
    let directory = Directory::open(path.path()).unwrap();
    // No file system gives as much; as on a full one, the file is made before it says so.
    assert!(directory.create("too large", u64::MAX).is_err());
    assert!(directory.names().unwrap().is_empty());
}

#[test]
fn a_directory_is_made_with_those_above_it() {
    let path = tempfile::tempdir().unwrap();
    let below = path.path().join("a/b/c");
    for _ in 0..2 {
        let directory = Directory::open(&below).unwrap();
        assert!(directory.names().unwrap().is_empty());
    }
    std::fs::write(path.path().join("file"), "").unwrap();
    Directory::open(&path.path().join("file/a")).unwrap_err();
}
