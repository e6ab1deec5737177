//! Quantities as people write them: `5s`, `1h30m`, `16MiB`.

mod duration;
mod size;

pub use duration::{duration_text, parse_duration};
pub use size::{parse_size, size_text};

/// Splits `text` into its leading number and what follows it.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// `value` in the unit that makes the smallest whole number of it; the first unit is 1.
fn in_units(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units
        .iter()
        .filter(|(_, scale)| value.is_multiple_of(*scale));
    let (unit, scale) = whole.max_by_key(|(_, scale)| *scale).unwrap_or(&units[0]);
    format!("{}{unit}", value / scale)
}
