//! Numbers and times as exact text.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{id::Millis, message::Decimal};

/// A 64-bit float; what it parses to has the same bits.
pub(super) fn write_f64(number: f64) -> String {
    if number.is_nan() && number.to_bits() != f64::NAN.to_bits() {
        return format!("nan:{:016x}", number.to_bits());
    }
    special(
        number.is_nan(),
        number.is_infinite(),
        number.is_sign_negative(),
    )
    .unwrap_or_else(|| format!("{number:?}"))
}

/// A 32-bit float; what it parses to has the same bits.
pub(super) fn write_f32(number: f32) -> String {
    if number.is_nan() && number.to_bits() != f32::NAN.to_bits() {
        return format!("nan:{:08x}", number.to_bits());
    }
    special(
        number.is_nan(),
        number.is_infinite(),
        number.is_sign_negative(),
    )
    .unwrap_or_else(|| format!("{number:?}"))
}

pub(super) fn read_f64(text: &str) -> Option<f64> {
    if let Some(bits) = text.strip_prefix("nan:") {
        let number = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
        return number.is_nan().then_some(number);
    }
    match text {
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

pub(super) fn read_f32(text: &str) -> Option<f32> {
    if let Some(bits) = text.strip_prefix("nan:") {
        let number = f32::from_bits(u32::from_str_radix(bits, 16).ok()?);
        return number.is_nan().then_some(number);
    }
    match text {
        "NaN" => Some(f32::NAN),
        _ => text.parse().ok(),
    }
}

fn special(nan: bool, infinite: bool, negative: bool) -> Option<String> {
    let text = match (nan, infinite, negative) {
        (true, ..) => "NaN",
        (_, true, false) => "Infinity",
        (_, true, true) => "-Infinity",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A decimal with as many digits behind the point as its scale says.
pub(super) fn write_decimal(decimal: Decimal) -> String {
    let sign = if decimal.value < 0 { "-" } else { "" };
    let scale = usize::from(decimal.scale);
    let digits = format!(
        "{:0width$}",
        decimal.value.unsigned_abs(),
        width = scale + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

pub(super) fn read_decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let (sign, whole) = match whole.strip_prefix('-') {
        Some(whole) => ("-", whole),
        None => ("", whole),
    };
    let all_digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    Some(Decimal {
        scale: u8::try_from(fraction.len()).ok()?,
        value: format!("{sign}{whole}{fraction}").parse().ok()?,
    })
}

/// RFC 3339 in UTC, or `@` and milliseconds where the year has no four digits.
pub(super) fn write_time(at: Millis) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("@{}", at.0))
}

/// The other way; what is finer than a millisecond is refused, since it could not be kept.
pub(super) fn read_time(text: &str) -> Option<Millis> {
    if let Some(millis) = text.strip_prefix('@') {
        return millis.parse().ok().map(Millis);
    }
    let nanos = OffsetDateTime::parse(text, &Rfc3339)
        .ok()?
        .unix_timestamp_nanos();
    if nanos % 1_000_000 != 0 {
        return None;
    }
    i64::try_from(nanos / 1_000_000).ok().map(Millis)
}
