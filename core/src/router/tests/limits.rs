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
