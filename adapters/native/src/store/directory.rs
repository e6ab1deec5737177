//! The store's directory on the real file system.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut},
    num::NonZeroU64,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{Advice, FallocateFlags};

use super::vfs::{Disk, File, Wait};

/// Directories above the store's that may have been made just before it.
const ABOVE: usize = 3;

/// A directory, its handle kept for syncing names.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    handle: fs::File,
}

impl Directory {
    /// Opens `path`, which is made where it does not exist.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        make(path)?;
        sync_above(path)?;
        Ok(Self {
            path: path.to_owned(),
            handle: fs::File::open(path)?,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets of the file system, free or not; no limit where it does not say.
    pub(crate) fn total(&self) -> u64 {
        let told = rustix::fs::fstatvfs(&self.handle).ok();
        let total = told.map(|told| told.f_blocks.saturating_mul(told.f_frsize));
        total.filter(|total| *total > 0).unwrap_or(u64::MAX)
    }
}

/// Makes a directory, and those above it, where there is none: each durable in the one above.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), make)?;
    // Somebody else may have made it meanwhile.
    if let Err(error) = fs::create_dir(path)
        && !path.is_dir()
    {
        return Err(error);
    }
    sync_names_in(above.unwrap_or(Path::new(".")))
}

/// Makes the names of a directory durable that is there: who made it may have been killed before that,
/// or have been a person.
fn sync_above(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    let device = fs::metadata(&path)?.dev();
    let above = path.ancestors().skip(1).take(ABOVE);
    for above in above.take_while(|above| fs::metadata(above).is_ok_and(|of| of.dev() == device)) {
        sync_names_in(above)?;
    }
    Ok(())
}

fn sync_names_in(path: &Path) -> io::Result<()> {
    match fs::File::open(path) {
        Ok(directory) => directory.sync_all(),
        // One may make a directory where one may not read: then it is synced when its system does so.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

impl Disk for Directory {
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.path.join(name))?;
        if size == 0 {
            return Ok(Arc::new(RealFile(file)));
        }
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
            Ok(()) => {}
            // Not every file system reserves space; the file then grows as it is written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(errno) => {
                // What there was space for is the file's by now.
                drop(fs::remove_file(self.path.join(name)));
                return Err(errno.into());
            }
        }
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn free(&self) -> Option<u64> {
        let told = rustix::fs::fstatvfs(&self.handle).ok()?;
        // Some file systems keep blocks back for the superuser.
        let blocks = match rustix::process::geteuid().is_root() {
            true => told.f_bfree,
            false => told.f_bavail,
        };
        let says = told.f_blocks > 0;
        says.then(|| blocks.saturating_mul(told.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn write_at(&self, bufs: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, bufs, at)?)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(buf, at)
    }

    fn read_cached_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};
        match preadv2(
            &self.0,
            &mut [IoSliceMut::new(buf)],
            at,
            ReadWriteFlags::NOWAIT,
        ) {
            // Not every file system can tell.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Wait::Never.allow().map(|()| 0),
            read => Ok(read?),
        }
    }

    /// Linux writes out what it is told not to keep, and then keeps it, since it is being written.
    fn begin_sync(&self, at: u64, length: u64) {
        let length = NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(&self.0, at, length, Advice::DontNeed);
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let zeros = vec![0; 1024 * 1024];
                let mut at = 0;
                while at < length {
                    let some = (length - at).min(zeros.len() as u64) as usize;
                    at += self.0.write_at(&zeros[..some], at)? as u64;
                }
                Ok(())
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn punch(&self, at: u64, length: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.0, flags, at, length)?)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
