//! The limit on open files: every connection is one, and the usual soft limit is 1,024. Listeners let
//! in what the limit leaves.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on open files to the hard one and returns what holds now; `None` is no limit.
/// Where the system refuses, the old limit stays.
pub(crate) fn raise_limit() -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => now.maximum,
        Err(error) => {
            tracing::warn!(limit = ?now.current, %error, "cannot raise the limit on open files");
            now.current
        }
    }
}
