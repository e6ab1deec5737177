//! Times in milliseconds as clients give them, refused in RabbitMQ's words.

/// Ten years: RabbitMQ's limit.
const MOST: u64 = 315_360_000_000;

/// The milliseconds that a number means; RabbitMQ's `check_expiry`.
///
/// # Errors
/// What is wrong with the number.
pub(super) fn milliseconds(number: i128) -> Result<u64, String> {
    match u64::try_from(number) {
        Ok(ms) if ms <= MOST => Ok(ms),
        Ok(ms) => Err(format!("{{value_too_large,{ms}}}")),
        Err(_) if number < 0 => Err(format!("{{value_negative,{number}}}")),
        Err(_) => Err(format!("{{value_too_large,{number}}}")),
    }
}

/// The milliseconds that a text means; RabbitMQ's `parse_expiration`.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn milliseconds_in(text: &str) -> Result<u64, String> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].find(|c: char| !c.is_ascii_digit());
    let (number, rest) = text.split_at(digits.map_or(text.len(), |at| sign + at));
    match number.parse() {
        Ok(number) if rest.is_empty() => milliseconds(number),
        Ok(_) => Err(format!("{{leftover_string,{rest:?}}}")),
        Err(_) => Err("no_integer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_refused_as_rabbitmq_refuses_them() {
        assert_eq!(milliseconds_in("60000"), Ok(60_000));
        assert_eq!(milliseconds_in("+5"), Ok(5));
        assert_eq!(milliseconds_in("315360000000"), Ok(MOST));
        for (bad, why) in [
            ("", "no_integer"),
            ("-", "no_integer"),
            ("abc", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("1.5", r#"{leftover_string,".5"}"#),
            ("1 s", r#"{leftover_string," s"}"#),
            ("315360000001", "{value_too_large,315360000001}"),
            (
                "99999999999999999999",
                "{value_too_large,99999999999999999999}",
            ),
        ] {
            assert_eq!(milliseconds_in(bad), Err(why.to_owned()));
        }
    }
}
