//! Durations: numbers with units, one after the other.

use std::time::Duration;

use super::{in_units, split_number};

const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Reads a duration such as `500ms`, `5s`, `1h30m` or `7d`.
///
/// # Errors
/// A message with the value and the known units.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write 500ms, 5s, 10m, 1h or 7d");
    if text.is_empty() {
        return Err(wrong());
    }
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let (number, tail) = split_number(rest).ok_or_else(wrong)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (_, scale) = UNITS
            .iter()
            .find(|(unit, _)| *unit == &tail[..end])
            .ok_or_else(wrong)?;
        total = number
            .checked_mul(*scale)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = &tail[end..];
    }
    Ok(Duration::from_millis(total))
}

/// A duration in one unit of at most days, as [`parse_duration`] reads it.
pub fn duration_text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    in_units(millis, &UNITS[..5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        let read = |text| parse_duration(text).unwrap().as_millis();
        assert_eq!(read("500ms"), 500);
        assert_eq!(read("5s"), 5_000);
        assert_eq!(read("1h30m"), 5_400_000);
        assert_eq!(read("7d"), 604_800_000);
        assert_eq!(read("1w"), 604_800_000);
    }

    #[test]
    fn it_is_written_in_one_unit() {
        for (text, written) in [
            ("7d", "7d"),
            ("1w", "7d"),
            ("1h30m", "90m"),
            ("1s1ms", "1001ms"),
        ] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), written);
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for text in ["", "5", "s", "5 s", "-1s", "5y", "99999999999999999999d"] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
