//! CRC-32C (Castagnoli; RFC 3720, section 12.1): the checksum of the store's files and of Kafka's
//! record batches.

use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest};

/// The checksum of `octets`.
pub fn crc32c(octets: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(octets)
}

/// A checksum over pieces that do not lie together.
#[derive(Debug, Clone)]
pub struct Crc32c(Digest);

impl Default for Crc32c {
    fn default() -> Self {
        Self(Digest::new(Crc32Iscsi))
    }
}

impl Crc32c {
    /// Goes on with `octets`.
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// The checksum of all pieces so far.
    pub fn sum(&self) -> u32 {
        self.0.finalize() as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_castagnoli() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[]), 0);
    }

    proptest! {
        #[test]
        fn pieces_sum_up_to_the_whole(octets: Vec<u8>, cut in 0.0..1.0f64) {
            let (front, back) = octets.split_at((octets.len() as f64 * cut) as usize);
            let mut pieces = Crc32c::default();
            pieces.update(front);
            pieces.update(back);
            prop_assert_eq!(pieces.sum(), crc32c(&octets));
        }
    }
}
