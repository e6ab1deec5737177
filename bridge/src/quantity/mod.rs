//! Quantities as people write them: `5s`, `1h30m`, `16MiB`.

mod duration;
mod size;

pub(crate) use duration::parse_duration;
pub(crate) use size::parse_size;

/// Splits `text` into its leading number and what follows it.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}
