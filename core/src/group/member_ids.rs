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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_hands_out_the_same_ids_in_every_build() {
        let mut ids = MemberIds::new(7);
        assert_eq!(&*ids.next("c"), "c-1b9730bf-3fc5-de36-e271-1e029b2d62dd");
        assert_eq!(&*ids.next("c"), "c-435eb231-96e4-7bda-d1a3-870ea7ca4217");
    }

    #[test]
    fn mixing_is_split_mix_64() {
        // The first two numbers of the reference implementation with seed 0.
        let gamma = 0x9e37_79b9_7f4a_7c15;
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(gamma), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn ids_of_one_seed_or_two_are_all_different() {
        let seeds = [0, 1, 2, u64::MAX];
        let all = seeds.map(|seed| {
            let mut ids = MemberIds::new(seed);
            (0..1000).map(|_| ids.next("c")).collect::<BTreeSet<_>>()
        });
        let distinct: BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(distinct.len(), 4000);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let name = "a".to_owned() + &"é".repeat(200);
        let id = MemberIds::new(7).next(&name);
        let (cut, _) = id.split_at(id.len() - 37);
        assert_eq!(cut, "a".to_owned() + &"é".repeat(127));
    }
}
