//! Member ids that nobody guesses or gets twice.

use uuid::Uuid;

use super::MemberId;

/// The client's name is cut to this many octets inside a member id.
const PREFIX_BYTES: usize = 255;

/// Member ids from a seed, so that a replay hands out the same ones.
#[derive(Debug)]
pub(super) struct MemberIds {
    seed: u64,
    count: u64,
}

impl MemberIds {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The client's name, or a static member's, and 128 bits.
    pub(super) fn next(&mut self, name: &str) -> MemberId {
        self.count += 2;
        let high = mix(self.seed ^ mix(self.count));
        let low = mix(high ^ mix(self.count + 1));
        let id = Uuid::from_u64_pair(high, low);
        let end = name.floor_char_boundary(PREFIX_BYTES);
        format!("{}-{id}", &name[..end]).into()
    }
}

/// One round of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
