//! The header that names the types of the others, [`TYPES_HEADER`].
//!
//! It lists `name:type`, comma-separated. Clients sort their headers, drop some and add others, so a
//! place among them says nothing; a name does. Where a name repeats, `name#2` is its second header,
//! in the order of those of that name. In a name, `%`, `,`, `:`, `#` and every octet that is not
//! printable ASCII are written as `%` and two hexadecimal digits.

use std::{collections::HashMap, fmt::Write as _};

use super::{Header, Text, Value};

/// The header that names the types of the others.
pub const TYPES_HEADER: &str = "x-standpipe-types";

/// The types that a header list names, by header name and occurrence from 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Types(HashMap<(Text, usize), String>);

impl Types {
    /// The list for headers in order, each with its type where it has one; `None` where none has.
    pub fn list<'a, T: AsRef<str>>(
        headers: impl Iterator<Item = (&'a Text, Option<T>)> + Clone,
    ) -> Option<Text> {
        if headers.clone().all(|(_, kind)| kind.is_none()) {
            return None;
        }
        let mut seen = Occurrences::default();
        let mut out = String::new();
        for (name, kind) in headers {
            let occurrence = seen.next(name);
            let Some(kind) = kind else { continue };
            if !out.is_empty() {
                out.push(',');
            }
            escape(&mut out, name);
            if occurrence > 1 {
                let _ = write!(out, "#{occurrence}");
            }
            let _ = write!(out, ":{}", kind.as_ref());
        }
        Some(Text::from(out))
    }

    /// Reads a list; items that are not of its form are skipped.
    pub fn read(list: &Text) -> Self {
        let list = list.lossy();
        Self(list.split(',').filter_map(item).collect())
    }

    /// Replaces each listed header's value by what `typed` makes of its type and value. Where that
    /// is nothing, the value stays.
    pub fn restore(&self, headers: &mut [Header], typed: impl Fn(&str, &Value) -> Option<Value>) {
        let mut seen = Occurrences::default();
        for (name, value) in headers {
            let place = (name.clone(), seen.next(name));
            let kind = self.0.get(&place);
            if let Some(restored) = kind.and_then(|kind| typed(kind, value)) {
                *value = restored;
            }
        }
    }
}

/// How often each name was seen.
#[derive(Default)]
struct Occurrences(HashMap<Text, usize>);

impl Occurrences {
    fn next(&mut self, name: &Text) -> usize {
        let seen = self.0.entry(name.clone()).or_default();
        *seen += 1;
        *seen
    }
}

fn item(item: &str) -> Option<((Text, usize), String)> {
    let (place, kind) = item.split_once(':')?;
    let (name, occurrence) = match place.split_once('#') {
        Some((name, occurrence)) => (name, occurrence.parse().ok()?),
        None => (place, 1),
    };
    Some(((unescape(name)?, occurrence), kind.to_owned()))
}

fn escape(out: &mut String, name: &Text) {
    for octet in name.as_bytes() {
        match octet {
            b'%' | b',' | b':' | b'#' => _ = write!(out, "%{octet:02X}"),
            b' '..=b'~' => out.push(char::from(*octet)),
            _ => _ = write!(out, "%{octet:02X}"),
        }
    }
}

fn unescape(name: &str) -> Option<Text> {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        octets.push(match first {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            octet => *octet,
        });
    }
    Some(Text::from_bytes(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.into(), value.into())
    }

    fn marked(list: &str, headers: &[(&str, &str)]) -> Vec<Header> {
        let mut headers: Vec<_> = headers.iter().map(|(n, v)| header(n, v)).collect();
        let mark = |kind: &str, _: &Value| Some(Value::from(kind));
        Types::read(&list.into()).restore(&mut headers, mark);
        headers
    }

    #[test]
    fn an_item_means_the_first_of_its_name_unless_it_says_which() {
        let headers = [("b", "1"), ("a", "2"), ("b", "3")];
        let first = [("b", "x"), ("a", "2"), ("b", "3")].map(|(n, v)| header(n, v));
        let second = [("b", "1"), ("a", "2"), ("b", "x")].map(|(n, v)| header(n, v));
        assert_eq!(marked("b:x", &headers), first);
        assert_eq!(marked("b#2:x", &headers), second);
    }

    #[test]
    fn items_of_another_form_are_skipped() {
        let list = ",a,:,a#x:i8,a%:i8,a%4:i8,a%zz:i8,gone:i8,0:i8,b:x";
        let expected = [("a", "1"), ("b", "x")].map(|(n, v)| header(n, v));
        assert_eq!(marked(list, &[("a", "1"), ("b", "2")]), expected);
    }

    #[test]
    fn names_are_readable_where_they_can_be() {
        let names = ["plain name", "a,b:c#d%e", "ü"].map(Text::from);
        let list = Types::list(names.iter().map(|name| (name, Some("i8"))));
        let expected = "plain name:i8,a%2Cb%3Ac%23d%25e:i8,%C3%BC:i8";
        assert_eq!(list, Some(Text::from(expected)));
    }

    #[test]
    fn headers_without_types_need_no_list() {
        let name = Text::from("a");
        assert_eq!(Types::list([(&name, None::<&str>)].into_iter()), None);
    }

    proptest! {
        #[test]
        fn any_names_keep_their_types_in_any_order_of_different_names(
            names in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 1..20),
        ) {
            let names: Vec<_> = names.into_iter().map(Text::from_bytes).collect();
            let kinds: Vec<_> = (0..names.len()).map(|index| format!("k{index}")).collect();
            let list = Types::list(names.iter().zip(kinds.iter().map(Some))).unwrap();
            let mut headers: Vec<_> =
                names.into_iter().zip(kinds.into_iter().map(|kind| Text::from(kind).into())).collect();
            headers.sort_by(|a, b| a.0.cmp(&b.0));
            let expected = headers.clone();
            for (_, value) in &mut headers {
                *value = Value::Null;
            }
            Types::read(&list).restore(&mut headers, |kind, _| Some(Value::from(kind)));
            prop_assert_eq!(headers, expected);
        }
    }
}
