//! The queue argument `x-standpipe-retention`.

use standpipe_core::broker::Retention;

/// Reads `settled`, `forever`, or a time such as `7d`, `12h`, `30m`, `90s` or `500ms`.
pub(super) fn retention(text: &str) -> Result<Retention, String> {
    match text {
        "settled" => return Ok(Retention::Settled),
        "forever" => return Ok(Retention::Forever),
        _ => {}
    }
    let units = [
        ("ms", 1),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ];
    let time = units.iter().find_map(|(unit, ms)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*ms)
    });
    match time {
        Some(ms) if ms > 0 => Ok(Retention::Time { ms }),
        _ => Err(format!(
            "unknown retention '{text}'; known: settled, forever, or a time such as 7d, 12h, 30m, 90s, 500ms"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(retention("7d"), Ok(Retention::Time { ms: 604_800_000 }));
        assert_eq!(retention("500ms"), Ok(Retention::Time { ms: 500 }));
        assert_eq!(retention("settled"), Ok(Retention::Settled));
        for bad in ["", "7", "0s", "d", "99999999999999999d"] {
            assert!(retention(bad).is_err());
        }
    }
}
