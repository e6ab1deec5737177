//! Percent-encoding (RFC 3986, section 2.1).

use std::fmt::Write as _;

/// Decodes `%xx`; the result must be UTF-8.
pub(super) fn decode(text: &str) -> Result<String, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        if octet != b'%' {
            octets.push(octet);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits
            .filter(|two| two.bytes().all(|d| d.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok())
            .ok_or_else(|| {
                format!("`%` in `{text}` is not followed by two hex digits; write %25")
            })?;
        octets.push(value);
        rest = &tail[2..];
    }
    String::from_utf8(octets).map_err(|_| format!("`{text}` is not UTF-8 once decoded"))
}

/// Encodes everything but letters, digits, `-._~` and `kept`.
pub(super) fn encode(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        let letter = char::from(octet);
        if octet.is_ascii_alphanumeric() || "-._~".contains(letter) || kept.contains(letter) {
            out.push(letter);
        } else {
            write!(out, "%{octet:02x}").expect("writing to a string does not fail");
        }
    }
    out
}
