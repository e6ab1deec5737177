//! What a headers exchange matches.

use super::*;

#[test]
fn x_match_says_all_or_any_and_whether_x_headers_count() {
    let fact = |pairs: &[(&str, &str)]| -> Headers {
        pairs
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect()
    };
    let (both, one, x_only) = (
        fact(&[("a", "1"), ("x-b", "2")]),
        fact(&[("a", "1"), ("x-b", "other")]),
        fact(&[("x-b", "2")]),
    );
    let cases = [
        (None, [true, true, false]),
        (Some("all"), [true, true, false]),
        (Some("any"), [true, true, false]),
        (Some("all-with-x"), [true, false, false]),
        (Some("any-with-x"), [true, true, true]),
    ];
    for (x_match, expected) in cases {
        let mut router = router_with(ExchangeKind::Headers);
        let mut wanted = arguments(&[("a", "1".into()), ("x-b", "2".into())]);
        wanted.extend(x_match.map(|word| ("x-match".into(), word.into())));
        router
            .bind(Binding::new("x", topic("q"), "").with_arguments(wanted))
            .unwrap();
        let actual = [&both, &one, &x_only].map(|h| !routed(&router, "x", "", h).is_empty());
        assert_eq!(actual, expected, "{x_match:?}");
    }
}

#[test]
fn headers_match_null_by_presence_and_integers_across_widths() {
    let mut router = router_with(ExchangeKind::Headers);
    let wanted = arguments(&[("present", Value::Null), ("n", Value::I32(5))]);
    router
        .bind(Binding::new("x", topic("q"), "").with_arguments(wanted))
        .unwrap();
    let with = |n: Value| -> Headers {
        let pairs = [("present", Value::from("")), ("n", n)];
        pairs
            .into_iter()
            .map(|(name, v)| (name.into(), v))
            .collect()
    };
    assert!(!routed(&router, "x", "", &with(Value::I64(5))).is_empty());
    assert!(routed(&router, "x", "", &with(Value::I64(6))).is_empty());
    assert!(routed(&router, "x", "", &with(Value::from("5"))).is_empty());
    assert!(routed(&router, "x", "", &with(Value::F64(5.0))).is_empty());
}

#[test]
fn headers_match_text_and_octets_alike() {
    let octets = || Value::Bytes("a".into());
    for (wanted, given) in [(Value::from("a"), octets()), (octets(), Value::from("a"))] {
        let mut router = router_with(ExchangeKind::Headers);
        let rule = arguments(&[("kind", wanted)]);
        let binding = Binding::new("x", topic("q"), "").with_arguments(rule);
        router.bind(binding).unwrap();
        let with = |value: Value| -> Headers { [("kind".into(), value)].into_iter().collect() };
        assert_eq!(routed(&router, "x", "", &with(given)).len(), 1);
        assert!(routed(&router, "x", "", &with(Value::from("b"))).is_empty());
    }
}

#[test]
fn all_of_nothing_matches_and_any_of_nothing_does_not() {
    for (word, expected) in [("all", 1), ("any", 0)] {
        let mut router = router_with(ExchangeKind::Headers);
        let rule = arguments(&[("x-match", word.into())]);
        router
            .bind(Binding::new("x", topic("q"), "").with_arguments(rule))
            .unwrap();
        assert_eq!(
            routed(&router, "x", "", &Headers::default()).len(),
            expected
        );
    }
}

#[test]
fn an_unknown_x_match_is_invalid_and_binds_nothing() {
    let mut router = router_with(ExchangeKind::Headers);
    for (value, why) in [
        (
            "most".into(),
            r#"value <<"most">>; expected all, any, all-with-x, or any-with-x"#,
        ),
        (Value::I32(1), "type signedint (value 1); expected longstr"),
    ] {
        let binding = Binding::new("x", topic("q"), "");
        let binding = binding.with_arguments(arguments(&[("x-match", value)]));
        let error = router.bind(binding).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.message(), format!("Invalid x-match field {why}"));
    }
    assert_eq!(router.bindings().count(), 0);
}

/// Whether a binding that wants `wanted` takes a message with `got`, under the same name.
fn takes(wanted: &Value, got: &Value) -> bool {
    let mut router = router_with(ExchangeKind::Headers);
    let binding = Binding::new("x", topic("q"), "");
    let binding = binding.with_arguments(arguments(&[("n", wanted.clone())]));
    router.bind(binding).unwrap();
    let headers: Headers = [("n".into(), got.clone())].into_iter().collect();
    !routed(&router, "x", "", &headers).is_empty()
}

#[test]
fn numbers_match_by_what_they_are_worth_among_their_like() {
    use Value::{F32, F64, I8, I16, I32, I64, U8, U16, U32};
    let integers = |n: u8| {
        let (small, wide) = (n.cast_signed(), u16::from(n));
        let signed = [
            I8(small),
            I16(small.into()),
            I32(small.into()),
            I64(small.into()),
        ];
        signed
            .into_iter()
            .chain([U8(n), U16(wide), U32(wide.into())])
    };
    let floats = |n: u8| [F32(n.into()), F64(n.into())];
    for (a, b) in [(5, 5), (5, 6)] {
        for wanted in integers(a) {
            for got in integers(b) {
                assert_eq!(takes(&wanted, &got), a == b, "{wanted:?} {got:?}");
            }
            for got in floats(b) {
                assert!(!takes(&wanted, &got) && !takes(&got, &wanted));
            }
        }
        for wanted in floats(a) {
            for got in floats(b) {
                assert_eq!(takes(&wanted, &got), a == b, "{wanted:?} {got:?}");
            }
        }
    }
}

#[test]
fn other_values_match_where_they_are_equal() {
    let values = [
        "5".into(),
        "6".into(),
        Value::Bool(true),
        Value::Bool(false),
    ];
    for (a, wanted) in values.iter().enumerate() {
        for (b, got) in values.iter().enumerate() {
            assert_eq!(takes(wanted, got), a == b, "{wanted:?} {got:?}");
        }
    }
}

#[test]
fn one_of_several_headers_of_a_name_is_enough() {
    let mut router = router_with(ExchangeKind::Headers);
    let wanted = arguments(&[("a", "1".into())]);
    let binding = Binding::new("x", topic("q"), "").with_arguments(wanted);
    router.bind(binding).unwrap();
    let takes = |pairs: [(&str, &str); 2]| {
        let headers = pairs.map(|(n, v)| (n.into(), v.into()));
        let headers: Headers = headers.into_iter().collect();
        !routed(&router, "x", "", &headers).is_empty()
    };
    assert!(takes([("a", "0"), ("a", "1")]));
    assert!(!takes([("a", "0"), ("b", "1")]));
}

#[test]
fn headers_are_looked_up_by_their_names_and_not_walked_for_each_argument() {
    let mut router = router_with(ExchangeKind::Headers);
    let mut headers: Headers = (0..100).map(|_| ("other".into(), Value::Null)).collect();
    headers.push("a", "1");
    headers.push("a", "2");
    let wanted = arguments(&[
        ("a", "2".into()),
        ("other", Value::Null),
        ("b", Value::Null),
    ]);
    let binding = Binding::new("x", topic("q"), "").with_arguments(wanted);
    router.bind(binding).unwrap();
    // 102 to arrange the headers; the rule, three names, and two values of the first.
    assert_steps(&mut router, &[""], &headers, 102 + 1 + 3 + 2);
}

#[test]
fn headers_are_arranged_once_a_publish_however_many_exchanges_and_rules_ask() {
    let mut router = router_with(ExchangeKind::Headers);
    for (from, to) in [
        ("x", topic("q")),
        ("x", exchange("amq.match")),
        ("amq.match", topic("p")),
    ] {
        router.bind(Binding::new(from, to, "")).unwrap();
    }
    let headers: Headers = (0..100).map(|_| ("a".into(), Value::Null)).collect();
    assert_steps(&mut router, &[""], &headers, 100 + 3);
}

#[test]
fn a_rule_ends_at_the_argument_that_decides_it() {
    for (x_match, value) in [("any", "1"), ("all", "0")] {
        let mut router = router_with(ExchangeKind::Headers);
        let wanted = arguments(&[
            ("x-match", x_match.into()),
            ("a", value.into()),
            ("b", "1".into()),
        ]);
        let binding = Binding::new("x", topic("q"), "").with_arguments(wanted);
        router.bind(binding).unwrap();
        let headers: Headers = [("a".into(), "1".into())].into_iter().collect();
        assert_steps(&mut router, &[""], &headers, 1 + 1 + 2);
    }
}

#[test]
fn a_long_value_takes_a_step_for_some_octets_of_it() {
    let mut router = router_with(ExchangeKind::Headers);
    let long = Value::from("1".repeat(639).as_str());
    let wanted = arguments(&[("a", long.clone())]);
    let binding = Binding::new("x", topic("q"), "").with_arguments(wanted);
    router.bind(binding).unwrap();
    let headers: Headers = [("a".into(), long)].into_iter().collect();
    // Of the name and the value together, at the look-up and at the comparison.
    assert_steps(&mut router, &[""], &headers, 1 + 1 + 2 * 11);
}
