//! How much an acknowledgement promises.

use serde::{Deserialize, Serialize};

/// What a confirmed write survives. Ordered: later is more.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing: it is in this process's memory.
    Memory,
    /// The end of this process: the operating system has it.
    Os,
    /// The loss of power: the disk has it (fdatasync).
    #[default]
    Disk,
}
