//! Single flipped bits, found by their checksum.
//!
//! CRC-32C is linear: what one flipped bit does to it depends only on how far the bit is from the
//! end. So the difference between the checksum that stands there and the one that was computed
//! names the bit. Only used where a wrong guess is out of proportion unlikely (short stretches that
//! say what lies where) and never on a message's body.

use standpipe_core::checksum::crc32c;

/// Longest stretch that is mended for its checksum alone: a stretch of n bits that is damaged
/// otherwise looks like one flipped bit with a chance of n in 2^32.
pub(crate) const LONGEST: usize = 64 * 1024;
/// The polynomial of CRC-32C (RFC 3720), reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Mends `octets` in place so that they have the checksum `expected`, where one flipped bit in them
/// or in the checksum explains the difference. Returns whether they are as written now.
pub(crate) fn mend(octets: &mut [u8], expected: u32) -> bool {
    mend_up_to(LONGEST, octets, expected)
}

/// As [`mend`], for up to `longest` octets. Where that is above [`LONGEST`], the caller looks at what
/// comes of it too, and takes nothing that makes no sense.
pub(crate) fn mend_up_to(longest: usize, octets: &mut [u8], expected: u32) -> bool {
    let difference = crc32c(octets) ^ expected;
    if difference == 0 || difference.is_power_of_two() {
        return true;
    }
    if octets.len() > longest {
        return false;
    }
    let Some((octet, bit)) = flipped(octets.len(), difference) else {
        return false;
    };
    octets[octet] ^= bit;
    true
}

/// The octet and the bit whose flip makes `difference`. A bit that is n bits before the end makes of a
/// state that is 1 what n steps make of it: as many steps back find it, from the end on.
fn flipped(length: usize, difference: u32) -> Option<(usize, u8)> {
    let mut state = difference;
    for bit in (0..length * 8).rev() {
        state = step_back(state);
        if state == 1 {
            return Some((bit / 8, 1 << (bit % 8)));
        }
    }
    None
}

/// The checksum's state before one bit that is zero.
fn step_back(state: u32) -> u32 {
    match state >> 31 {
        0 => state << 1,
        _ => ((state ^ POLYNOMIAL) << 1) | 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_flipped_bit_is_mended() {
        let written: Vec<u8> = (0..200u32).map(|n| (n * 7) as u8).collect();
        let crc = crc32c(&written);
        for bit in 0..written.len() * 8 {
            let mut damaged = written.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(mend(&mut damaged, crc));
            assert_eq!(damaged, written);
        }
        for bit in 0..32 {
            let mut whole = written.clone();
            assert!(mend(&mut whole, crc ^ (1 << bit)));
            assert_eq!(whole, written);
        }
    }

    #[test]
    fn a_stretch_is_mended_up_to_its_limit() {
        let written = vec![9; LONGEST + 1];
        let crc = crc32c(&written);
        let mut damaged = written.clone();
        damaged[0] ^= 2;
        assert!(!mend(&mut damaged, crc));
        assert!(mend_up_to(LONGEST + 1, &mut damaged, crc));
        assert_eq!(damaged, written);
    }

    #[test]
    fn two_flipped_bits_are_not_mended() {
        let written = [5u8; 300];
        let crc = crc32c(&written);
        for second in 1..2400 {
            let mut damaged = written;
            damaged[0] ^= 1;
            damaged[second / 8] ^= 1 << (second % 8);
            assert!(!mend(&mut damaged, crc), "bit {second}");
        }
    }
}
