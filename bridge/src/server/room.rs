//! How many connections each listener lets in: what the open files of the process leave to it.

/// Files that all else may have open: the store (256 segments and some journal files), health,
/// listeners, routes. A store that cannot open a file takes no messages.
const RESERVED: u64 = 512;

/// Connections of health at most, and one in how many of those files.
const HEALTH: u64 = 64;
const HEALTH_SHARE: u64 = 8;

/// Connections of each of `listeners`, where the process may have `files` open, `None` being no
/// limit; at most `most`. Of few files, half are for connections.
pub(super) fn connections(files: Option<u64>, listeners: usize, most: usize) -> usize {
    let Some(files) = files else {
        return most;
    };
    let left = files - reserved(files);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    (left / listeners.max(1)).clamp(1, most.max(1))
}

/// Connections of health, where the process may have `files` open.
pub(super) fn of_health(files: Option<u64>) -> usize {
    let share = files.map_or(HEALTH, |files| reserved(files) / HEALTH_SHARE);
    share.clamp(1, HEALTH) as usize
}

fn reserved(files: u64) -> u64 {
    RESERVED.min(files / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_store_its_files() {
        assert_eq!(connections(None, 4, 10_000), 10_000);
        assert_eq!(connections(Some(1 << 20), 4, 10_000), 10_000);
        assert_eq!(connections(Some(4096), 4, 10_000), (4096 - 512) / 4);
        assert_eq!(connections(Some(4096), 1, 10_000), 4096 - 512);
    }

    #[test]
    fn a_few_files_are_shared_by_halves_and_every_listener_serves_someone() {
        assert_eq!(connections(Some(256), 4, 10_000), 32);
        assert_eq!(connections(Some(3), 4, 10_000), 1);
        assert_eq!(connections(Some(4096), 0, 10_000), 4096 - 512);
        let health = [None, Some(4096), Some(128), Some(3)].map(of_health);
        assert_eq!(health, [64, 64, 8, 1]);
    }
}
