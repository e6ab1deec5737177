//! Sizes in octets, decimal and binary units.

use super::{in_units, split_number};

const UNITS: [(&str, u64); 12] = [
    ("b", 1),
    ("k", 1_000),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
];

/// As they are written, without the short ones.
const WRITTEN: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// Reads a size such as `512KiB`, `16MiB` or `10GB`, in octets; a unit is required.
///
/// # Errors
/// A message with the value and the known units.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write 512KiB, 16MiB or 10GB");
    let (number, unit) = split_number(text).ok_or_else(wrong)?;
    let unit = unit.to_ascii_lowercase();
    let (_, scale) = UNITS
        .iter()
        .find(|(known, _)| *known == unit)
        .ok_or_else(wrong)?;
    number.checked_mul(*scale).ok_or_else(wrong)
}

/// A size in one unit, as [`parse_size`] reads it.
pub fn size_text(octets: u64) -> String {
    in_units(octets, &WRITTEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_binary_units_differ() {
        assert_eq!(parse_size("1KB").unwrap(), 1_000);
        assert_eq!(parse_size("1KiB").unwrap(), 1_024);
        assert_eq!(parse_size("16mib").unwrap(), 16 << 20);
    }

    #[test]
    fn it_is_written_as_it_was_meant() {
        for text in ["10GB", "10GiB", "1500B", "512KiB", "3TB"] {
            assert_eq!(size_text(parse_size(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_size_is_named() {
        for text in ["", "12", "MB", "1 MB", "99999999999TiB"] {
            assert!(parse_size(text).unwrap_err().contains(&format!("`{text}`")));
        }
    }
}
