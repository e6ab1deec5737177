//! A router as a list of bindings: slow, and plainly right.

use std::collections::BTreeSet;

use super::*;

/// Whether `pattern` matches `key`, by the definition of `*` and `#`.
pub(super) fn topic_matches(pattern: &str, key: &str) -> bool {
    fn words(text: &str) -> Vec<&str> {
        if text.is_empty() {
            Vec::new()
        } else {
            text.split('.').collect()
        }
    }
    fn matches(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((&"#", rest)), _) => (0..=key.len()).any(|n| matches(rest, &key[n..])),
            (Some(_), None) => false,
            (Some((word, rest)), Some((first, after))) => {
                (*word == "*" || word == first) && matches(rest, after)
            }
        }
    }
    matches(&words(pattern), &words(key))
}

/// The topics that a publish reaches, by walking all bindings again and again until nothing is new.
pub(super) fn reaches(
    router: &Router,
    bindings: &[Binding],
    start: &str,
    keys: &[&str],
    headers: &Headers,
) -> BTreeSet<Arc<str>> {
    let mut exchanges = BTreeSet::from([Arc::from(start)]);
    let mut topics = BTreeSet::new();
    loop {
        let before = exchanges.len();
        for binding in bindings {
            if !exchanges.contains(&binding.source) || !takes(router, binding, keys, headers) {
                continue;
            }
            match &binding.destination {
                Destination::Topic(name) => topics.insert(name.clone()),
                Destination::Exchange(name) => exchanges.insert(name.clone()),
            };
        }
        if exchanges.len() == before {
            return topics;
        }
    }
}

fn takes(router: &Router, binding: &Binding, keys: &[&str], headers: &Headers) -> bool {
    let pattern = binding.key.as_str().expect("the test's keys are text");
    match router
        .exchange(&binding.source)
        .expect("a binding has its source")
        .kind
    {
        ExchangeKind::Direct => keys.contains(&pattern),
        ExchangeKind::Fanout => true,
        ExchangeKind::Topic => keys.iter().any(|key| topic_matches(pattern, key)),
        ExchangeKind::Headers => {
            let (rules, wanted): (Vec<_>, Vec<_>) = binding
                .arguments
                .iter()
                .partition(|(name, _)| *name == "x-match");
            let has = |(name, value): &&(crate::message::Text, Value)| {
                headers.iter().any(|(n, v)| n == name && v == value)
            };
            match rules.first().map(|(_, value)| value == &Value::from("any")) {
                Some(true) => wanted.iter().any(has),
                _ => wanted.iter().all(has),
            }
        }
    }
}
