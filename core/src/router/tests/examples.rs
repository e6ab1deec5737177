//! Examples, each of one rule.

use super::*;

type Change = fn(&mut ExchangeSpec);

fn names(routed: &[Arc<str>]) -> Vec<&str> {
    routed.iter().map(AsRef::as_ref).collect()
}

#[test]
fn the_default_exchange_routes_to_the_topic_of_the_keys_name() {
    let router = Router::new("/");
    assert_eq!(
        names(&routed(&router, "", "flights", &Headers::default())),
        ["flights"]
    );
}

#[test]
fn predeclared_exchanges_are_there_with_their_kinds() {
    let router = Router::new("/");
    let kind = |name| router.exchange(name).map(|spec| spec.kind);
    assert_eq!(kind("amq.direct"), Some(ExchangeKind::Direct));
    assert_eq!(kind("amq.fanout"), Some(ExchangeKind::Fanout));
    assert_eq!(kind("amq.topic"), Some(ExchangeKind::Topic));
    assert_eq!(kind("amq.headers"), Some(ExchangeKind::Headers));
    assert_eq!(kind("amq.match"), Some(ExchangeKind::Headers));
    assert_eq!(router.exchanges().count(), 5);
    assert!(
        router
            .exchanges()
            .all(|spec| spec.durable && spec.is_predeclared())
    );
    assert!(!ExchangeSpec::new("x", ExchangeKind::Direct).is_predeclared());
}

#[test]
fn a_router_and_its_destinations_say_what_they_are() {
    assert_eq!(Router::new("orders").namespace(), "orders");
    let (queue, inner) = (topic("q"), exchange("x"));
    assert_eq!([queue.name().as_ref(), inner.name().as_ref()], ["q", "x"]);
    assert_eq!(
        [queue.to_string(), inner.to_string()],
        ["queue 'q'", "exchange 'x'"]
    );
}

#[test]
fn bindings_are_found_by_either_end() {
    let mut router = router_with(ExchangeKind::Direct);
    let (to_q, to_p) = (
        Binding::new("x", topic("q"), "k"),
        Binding::new("x", topic("p"), "k"),
    );
    let other = Binding::new("amq.direct", topic("q"), "k");
    for binding in [&to_q, &to_p, &other] {
        router.bind(binding.clone()).unwrap();
    }
    let from: Vec<_> = router.bindings_from("x").collect();
    assert_eq!(from, [&to_p, &to_q]);
    let to: Vec<_> = router.bindings_to(&topic("q")).collect();
    assert_eq!(to, [&other, &to_q]);
    assert_eq!(router.bindings_to(&exchange("q")).count(), 0);
}

#[test]
fn kinds_read_as_they_are_written_and_others_name_the_known_ones() {
    use ExchangeKind::{Direct, Fanout, Headers, Topic};
    for kind in [Direct, Fanout, Headers, Topic] {
        assert_eq!(kind.to_string().parse::<ExchangeKind>().unwrap(), kind);
    }
    let unknown = "x-random".parse::<ExchangeKind>().unwrap_err();
    assert!(
        unknown.message().contains("'x-random'; known: direct,"),
        "{unknown}"
    );
}

#[test]
fn an_exchange_without_bindings_is_something_that_was_removed() {
    let mut router = router_with(ExchangeKind::Direct);
    assert!(!router.delete("x", false).unwrap().is_empty());
    assert!(router.delete("x", false).unwrap().is_empty());
}

#[test]
fn declaring_again_with_another_kind_names_the_difference() {
    let mut router = router_with(ExchangeKind::Direct);
    let again = router.declare(ExchangeSpec::new("x", ExchangeKind::Direct));
    assert_eq!(again.unwrap(), Declared { created: false });
    let error = router
        .declare(ExchangeSpec::new("x", ExchangeKind::Fanout))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert_eq!(
        error.message(),
        "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"
    );
}

#[test]
fn declaring_again_with_another_flag_names_the_flag() {
    let changes: [(&str, Change); 3] = [
        ("'durable'", |spec| spec.durable = false),
        ("'auto_delete'", |spec| spec.auto_delete = true),
        ("'internal'", |spec| spec.internal = true),
    ];
    for (name, change) in changes {
        let mut router = router_with(ExchangeKind::Direct);
        let mut spec = ExchangeSpec::new("x", ExchangeKind::Direct);
        change(&mut spec);
        let error = router.declare(spec).unwrap_err();
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn only_the_alternate_exchange_argument_has_to_be_equal() {
    let mut router = router_with(ExchangeKind::Direct);
    let mut spec = ExchangeSpec::new("x", ExchangeKind::Direct);
    spec.arguments = arguments(&[("note", "n".into())]);
    assert!(router.declare(spec.clone()).is_ok());
    spec.arguments = arguments(&[("alternate-exchange", "y".into())]);
    let error = router.declare(spec).unwrap_err();
    assert!(
        error
            .message()
            .ends_with("received the value 'y' of type 'longstr' but current is none"),
        "{error}"
    );
}

#[test]
fn reserved_names_and_the_default_exchange_are_denied() {
    let mut router = Router::new("/");
    let kinds = [
        router
            .declare(ExchangeSpec::new("amq.own", ExchangeKind::Direct))
            .unwrap_err(),
        router
            .declare(ExchangeSpec::new("", ExchangeKind::Direct))
            .unwrap_err(),
        router.delete("amq.topic", false).unwrap_err(),
        router.delete("", false).unwrap_err(),
        router.bind(Binding::new("", topic("q"), "q")).unwrap_err(),
        router
            .bind(Binding::new("amq.direct", exchange(""), "q"))
            .unwrap_err(),
    ];
    assert!(kinds.iter().all(|error| error.kind() == ErrorKind::Denied));
}

#[test]
fn what_matches_nothing_goes_to_the_alternate_exchange_and_cycles_end() {
    let mut router = Router::new("/");
    for (name, alternate) in [("x", "y"), ("y", "z"), ("z", "x"), ("lost", "gone")] {
        let mut spec = ExchangeSpec::new(name, ExchangeKind::Direct);
        spec.arguments = arguments(&[("alternate-exchange", alternate.into())]);
        router.declare(spec).unwrap();
        router.bind(Binding::new(name, topic(name), name)).unwrap();
    }
    let none = Headers::default();
    for key in ["x", "y", "z"] {
        assert_eq!(names(&routed(&router, "x", key, &none)), [key]);
    }
    assert!(routed(&router, "x", "other", &none).is_empty());
    assert!(routed(&router, "lost", "other", &none).is_empty());
}

#[test]
fn of_several_keys_any_may_match_on_each_exchange_on_the_way() {
    let mut router = router_with(ExchangeKind::Direct);
    for binding in [
        Binding::new("x", exchange("amq.topic"), "one"),
        Binding::new("amq.topic", topic("q"), "two"),
        Binding::new("amq.topic", topic("q"), "#.two"),
        Binding::new("amq.topic", topic("no"), "three"),
    ] {
        router.bind(binding).unwrap();
    }
    let (none, mut out) = (Headers::default(), Vec::new());
    router
        .route("x", &[b"", b"one", b"two"], &none, &mut out)
        .unwrap();
    assert_eq!(names(&out), ["q"]);
    router
        .route("", &[b"b", b"a", b"b"], &none, &mut out)
        .unwrap();
    assert_eq!(names(&out), ["a", "b"]);
}

#[test]
fn publishing_to_an_internal_or_absent_exchange_is_refused() {
    let mut router = Router::new("/");
    let mut spec = ExchangeSpec::new("inner", ExchangeKind::Fanout);
    spec.internal = true;
    router.declare(spec).unwrap();
    router.bind(Binding::new("inner", topic("q"), "")).unwrap();
    router
        .bind(Binding::new("amq.fanout", exchange("inner"), ""))
        .unwrap();
    let mut out = vec![Arc::from("stale")];
    let none = Headers::default();
    let error = router.route("inner", &[b""], &none, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(out.is_empty());
    let error = router.route("gone", &[b""], &none, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "no exchange 'gone' in vhost '/'");
    assert_eq!(names(&routed(&router, "amq.fanout", "", &none)), ["q"]);
}

#[test]
fn binding_twice_is_once_and_the_order_of_arguments_is_nothing() {
    let mut router = router_with(ExchangeKind::Headers);
    let binding = Binding::new("x", topic("q"), "");
    let one = arguments(&[("a", "1".into()), ("b", "2".into())]);
    let two = arguments(&[("b", "2".into()), ("a", "1".into())]);
    assert!(router.bind(binding.clone().with_arguments(one)).unwrap());
    assert!(!router.bind(binding.with_arguments(two)).unwrap());
    assert_eq!(router.bindings().count(), 1);
}

#[test]
fn a_topic_reached_by_many_bindings_comes_once() {
    let mut router = router_with(ExchangeKind::Topic);
    for pattern in ["#", "a.*", "*.b", "a.b", "#.b"] {
        router.bind(Binding::new("x", topic("q"), pattern)).unwrap();
    }
    router.bind(Binding::new("x", topic("p"), "#")).unwrap();
    assert_eq!(
        names(&routed(&router, "x", "a.b", &Headers::default())),
        ["p", "q"]
    );
}

#[test]
fn bindings_that_differ_only_in_arguments_hold_independently() {
    let mut router = router_with(ExchangeKind::Direct);
    let plain = Binding::new("x", topic("q"), "k");
    let noted = plain
        .clone()
        .with_arguments(arguments(&[("n", Value::Null)]));
    assert!(router.bind(plain.clone()).unwrap());
    assert!(router.bind(noted).unwrap());
    router.unbind(&plain).unwrap();
    assert_eq!(
        names(&routed(&router, "x", "k", &Headers::default())),
        ["q"]
    );
}

#[test]
fn a_cycle_of_exchanges_ends() {
    let mut router = Router::new("/");
    for name in ["a", "b", "c"] {
        router
            .declare(ExchangeSpec::new(name, ExchangeKind::Fanout))
            .unwrap();
        router.bind(Binding::new(name, topic(name), "")).unwrap();
    }
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")] {
        router.bind(Binding::new(from, exchange(to), "")).unwrap();
    }
    assert_eq!(
        names(&routed(&router, "b", "", &Headers::default())),
        ["a", "b", "c"]
    );
}

#[test]
fn an_auto_delete_exchange_goes_with_its_last_binding_and_takes_the_chain_along() {
    let mut router = Router::new("/");
    for name in ["outer", "inner"] {
        let mut spec = ExchangeSpec::new(name, ExchangeKind::Fanout);
        spec.auto_delete = true;
        router.declare(spec).unwrap();
    }
    router
        .bind(Binding::new("outer", exchange("inner"), ""))
        .unwrap();
    router.bind(Binding::new("inner", topic("q"), "")).unwrap();
    router.bind(Binding::new("inner", topic("p"), "")).unwrap();
    assert!(router.unbind_topic("p").exchanges.is_empty());
    let removed = router.unbind_topic("q");
    let gone: Vec<_> = removed
        .exchanges
        .iter()
        .map(|spec| spec.name.as_ref())
        .collect();
    assert_eq!(gone, ["inner", "outer"]);
    assert_eq!(removed.bindings.len(), 2);
    assert_eq!(router.bindings().count(), 0);
}

#[test]
fn delete_if_unused_keeps_a_used_exchange() {
    let mut router = router_with(ExchangeKind::Direct);
    let binding = Binding::new("x", topic("q"), "k");
    router.bind(binding.clone()).unwrap();
    let error = router.delete("x", true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.message(), "exchange 'x' in vhost '/' in use");
    router.unbind(&binding).unwrap();
    assert_eq!(router.delete("x", true).unwrap().exchanges.len(), 1);
    assert!(router.delete("x", true).unwrap().is_empty());
}

#[test]
fn deleting_an_exchange_takes_bindings_on_both_sides() {
    let mut router = router_with(ExchangeKind::Direct);
    router.bind(Binding::new("x", topic("q"), "k")).unwrap();
    router
        .bind(Binding::new("amq.fanout", exchange("x"), ""))
        .unwrap();
    assert_eq!(router.delete("x", false).unwrap().bindings.len(), 2);
    router
        .declare(ExchangeSpec::new("x", ExchangeKind::Fanout))
        .unwrap();
    assert!(routed(&router, "x", "k", &Headers::default()).is_empty());
}

#[test]
fn an_unbind_needs_its_exchanges_and_not_the_binding() {
    let mut router = router_with(ExchangeKind::Direct);
    assert!(
        router
            .unbind(&Binding::new("x", topic("q"), "k"))
            .unwrap()
            .is_empty()
    );
    let error = router
        .unbind(&Binding::new("gone", topic("q"), "k"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn specs_and_bindings_survive_serialisation_exactly() {
    let mut spec = ExchangeSpec::new("x", ExchangeKind::Topic);
    spec.arguments = arguments(&[("f", Value::F64(1.5)), ("t", "text".into())]);
    let text = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<ExchangeSpec>(&text).unwrap(), spec);
    let key = crate::message::Text::from_bytes(vec![b'a', 0xff]);
    for key in [key, "a.*".into()] {
        let binding = Binding::new("x", exchange("y"), key).with_arguments(spec.arguments.clone());
        let text = serde_json::to_string(&binding).unwrap();
        assert_eq!(serde_json::from_str::<Binding>(&text).unwrap(), binding);
    }
}

#[test]
fn a_hostile_pattern_costs_no_more_than_its_length() {
    let mut router = router_with(ExchangeKind::Topic);
    let pattern = "#.a.".repeat(60) + "b";
    router
        .bind(Binding::new("x", topic("q"), pattern.as_str()))
        .unwrap();
    let key = "a.".repeat(120) + "a";
    assert!(routed(&router, "x", &key, &Headers::default()).is_empty());
    let key = "a.".repeat(120) + "b";
    assert_eq!(routed(&router, "x", &key, &Headers::default()).len(), 1);
}

#[test]
fn arguments_that_differ_are_shown_as_rabbitmq_shows_them() {
    let long = Value::I64(5);
    assert_eq!(shown(Some(&Value::I32(5)), Some(&long)), None);
    assert_eq!(shown(None, None), None);
    let both = shown(Some(&Value::I32(4)), Some(&long));
    assert_eq!(both, Some(("'4'".to_owned(), "'5'".to_owned())));
    let (received, current) = shown(None, Some(&long)).unwrap();
    assert_eq!(received, "none");
    assert!(current.starts_with("the value '5' of type"), "{current}");
}
