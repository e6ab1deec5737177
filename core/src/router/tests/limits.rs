//! What a router refuses for being too much.

use super::*;

#[test]
fn limits_are_named_when_they_are_hit() {
    let limits = Limits {
        exchanges: 6,
        bindings: 1,
        ..Limits::default()
    };
    let mut router = Router::with_limits("/", limits);
    router
        .declare(ExchangeSpec::new("x", ExchangeKind::Direct))
        .unwrap();
    let deep = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let bind = |key: &str| Binding::new("x", topic("q"), key);
    let nested = bind("k").with_arguments(arguments(&[("deep", deep)]));
    let nested = router.bind(nested).unwrap_err();
    let long_key = router.bind(bind(&"k".repeat(256))).unwrap_err();
    assert!(router.bind(bind(&"k".repeat(255))).unwrap());
    let errors = [
        (
            router
                .declare(ExchangeSpec::new("y", ExchangeKind::Direct))
                .unwrap_err(),
            "6 exchanges",
        ),
        (router.bind(bind("j")).unwrap_err(), "1 bindings"),
        (nested, "the limit is 32"),
        (long_key, "the limit is 255"),
    ];
    for (error, part) in errors {
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn what_a_store_has_kept_is_bound_whatever_the_limits_are_now() {
    let limits = Limits {
        bindings: 1,
        rule_arguments: 1,
        ..Limits::default()
    };
    let mut router = Router::with_limits("/", limits);
    let rule = arguments(&[("a", Value::Null), ("b", Value::Null)]);
    let binding =
        |to: &str| Binding::new("amq.headers", topic(to), "").with_arguments(rule.clone());
    assert!(router.bind(binding("one")).is_err());
    for to in ["one", "two"] {
        assert!(router.rebind(binding(to)).unwrap());
    }
    let refused = router.bind(Binding::new("amq.direct", topic("q"), ""));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn names_may_be_as_long_as_the_limit_and_no_longer() {
    let mut router = router_with(ExchangeKind::Direct);
    for (length, fits) in [(255, true), (256, false)] {
        let name = "n".repeat(length);
        let spec = ExchangeSpec::new(name.as_str(), ExchangeKind::Direct);
        assert_eq!(router.declare(spec).is_ok(), fits);
        let bound = router.bind(Binding::new("x", topic(&name), "k"));
        assert_eq!(bound.is_ok(), fits);
    }
}

#[test]
fn arguments_may_be_as_large_and_as_deep_as_the_limit_and_no_more() {
    let limits = Limits {
        depth: 2,
        arguments_bytes: 10,
        ..Limits::default()
    };
    let nested = |levels| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let cases = [
        (
            arguments(&[("four", "six6six".into())]),
            Some("11 octets; the limit is 10"),
        ),
        (arguments(&[("four", "six6si".into())]), None),
        (
            arguments(&[("a", "1234".into()), ("b", "1234".into())]),
            None,
        ),
        (
            arguments(&[("a", "1234".into()), ("b", "12345".into())]),
            Some("11 octets"),
        ),
        (arguments(&[("a", nested(2))]), None),
        (
            arguments(&[("a", nested(3))]),
            Some("3 levels; the limit is 2"),
        ),
    ];
    for (arguments, refusal) in cases {
        let mut router = Router::with_limits("/", limits);
        let binding = Binding::new("amq.direct", topic("q"), "k");
        let bound = router.bind(binding.with_arguments(arguments.clone()));
        let mut spec = ExchangeSpec::new("x", ExchangeKind::Direct);
        spec.arguments = arguments;
        let declared = router.declare(spec);
        for refused in [bound.err(), declared.err()] {
            let text = refused.as_ref().map(|error| error.message());
            assert_eq!(text.is_some(), refusal.is_some(), "{text:?}");
            assert!(
                text.is_none_or(|text| text.contains(refusal.unwrap())),
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_rule_has_so_many_arguments_that_take_part_and_no_more() {
    let [a, b, c, x] = ["a", "b", "c", "x-d"].map(|name| (name, Value::Null));
    let with_x = ("x-match", Value::from("all-with-x"));
    let cases = [
        (vec![a.clone(), b.clone(), x.clone()], None),
        (vec![a.clone(), x.clone(), with_x.clone()], None),
        (vec![a.clone(), b.clone(), c], Some(3)),
        (vec![a, b, x, with_x], Some(3)),
    ];
    for (wanted, refused) in cases {
        let mut router = router_with(ExchangeKind::Headers);
        router.limits.rule_arguments = 2;
        let binding = Binding::new("x", topic("q"), "").with_arguments(arguments(&wanted));
        let error = router.bind(binding).err();
        let text = refused.map(|count: usize| {
            format!(
                "Invalid headers binding: {count} arguments take part in the match; the limit is 2"
            )
        });
        assert_eq!(error.as_ref().map(|error| error.message()), text.as_deref());
        assert!(error.is_none_or(|error| error.kind() == ErrorKind::TooLarge));
        assert_eq!(router.bindings().count(), usize::from(text.is_none()));
    }
}

#[test]
fn other_exchanges_keep_as_many_arguments_as_fit() {
    let mut router = router_with(ExchangeKind::Direct);
    let many: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    let many: Vec<_> = many
        .iter()
        .map(|name| (name.as_str(), Value::Null))
        .collect();
    let binding = Binding::new("x", topic("q"), "").with_arguments(arguments(&many));
    assert!(router.bind(binding.clone()).unwrap());
    let refused = Binding {
        source: "amq.headers".into(),
        ..binding
    };
    let error = router.bind(refused).unwrap_err();
    assert!(
        error
            .message()
            .ends_with("300 arguments take part in the match; the limit is 256"),
        "{error}"
    );
}

#[test]
fn the_arguments_of_all_bindings_have_a_limit_of_octets_together() {
    let mut router = router_with(ExchangeKind::Direct);
    let binding = |key: &str| {
        let noted = arguments(&[("note", "1234".into())]);
        Binding::new("x", topic("q"), key).with_arguments(noted)
    };
    let limit = 2 * binding("").id().arguments.len();
    router.limits.all_arguments_bytes = limit;
    for (key, is_new) in [("a", true), ("b", true), ("a", false)] {
        assert_eq!(router.bind(binding(key)).unwrap(), is_new);
    }
    let error = router.bind(binding("c")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(
        error.message(),
        format!("vhost '/' has its limit of {limit} octets of bindings' arguments")
    );
    assert!(router.bind(Binding::new("x", topic("q"), "c")).unwrap());
    router.unbind(&binding("a")).unwrap();
    assert!(router.bind(binding("c")).unwrap());
}
