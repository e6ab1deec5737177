//! How many steps a route takes, and what becomes of one that takes too many.

use super::*;

/// An exchange of `kind` with so many queues bound to it by `key`.
fn bound(kind: ExchangeKind, queues: usize, key: &str) -> Router {
    let mut router = router_with(kind);
    for queue in 0..queues {
        let queue = topic(&queue.to_string());
        router.bind(Binding::new("x", queue, key)).unwrap();
    }
    router
}

#[test]
fn a_queue_of_a_fanout_is_a_step_and_a_hundred_thousand_are_within_the_limit() {
    let mut router = bound(ExchangeKind::Fanout, 50, "");
    assert_steps(&mut router, &[""], &Headers::default(), 50);
    assert!(Limits::default().route_steps >= 100_000);
}

#[test]
fn a_key_that_comes_again_is_no_step() {
    let mut router = bound(ExchangeKind::Direct, 10, "k");
    assert_steps(&mut router, &["k"; 1000], &Headers::default(), 11);
    assert_steps(&mut router, &["k", "j", "k"], &Headers::default(), 12);
}

#[test]
fn a_fanout_and_a_headers_exchange_ask_once_however_many_keys_there_are() {
    let keys: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    for kind in [ExchangeKind::Fanout, ExchangeKind::Headers] {
        let mut router = bound(kind, 10, "");
        assert_steps(&mut router, &keys, &Headers::default(), 10);
        let found = routed_by(&router, "x", &keys, &Headers::default());
        assert_eq!(found.len(), 10);
    }
}

#[test]
fn a_pattern_leads_on_once_however_many_keys_it_matches() {
    let mut router = bound(ExchangeKind::Topic, 10, "#");
    // A key is a step at the root and two at the pattern, before its word and behind it.
    assert_steps(
        &mut router,
        &["a", "b", "c"],
        &Headers::default(),
        3 * 3 + 10,
    );
}

#[test]
fn long_words_and_keys_take_a_step_for_some_octets_of_them() {
    let long = "k".repeat(640);
    let mut router = bound(ExchangeKind::Direct, 1, "k");
    assert_steps(&mut router, &[long.as_str()], &Headers::default(), 11);
    let mut router = bound(ExchangeKind::Topic, 1, "k");
    assert_steps(&mut router, &[long.as_str()], &Headers::default(), 11);
}

#[test]
fn steps_count_over_all_exchanges_on_the_way() {
    let mut router = bound(ExchangeKind::Fanout, 10, "");
    for name in ["y", "z"] {
        let spec = ExchangeSpec::new(name, ExchangeKind::Fanout);
        router.declare(spec).unwrap();
        router.bind(Binding::new("x", exchange(name), "")).unwrap();
        router.bind(Binding::new(name, topic("q"), "")).unwrap();
    }
    assert_steps(&mut router, &[""], &Headers::default(), 14);
}

#[test]
fn what_takes_more_steps_is_refused_by_name_and_goes_nowhere() {
    let mut router = bound(ExchangeKind::Fanout, 5, "");
    let spec = ExchangeSpec::new("y", ExchangeKind::Fanout);
    router.declare(spec).unwrap();
    router.bind(Binding::new("y", topic("q"), "")).unwrap();
    router.bind(Binding::new("y", exchange("x"), "")).unwrap();
    router.limits.route_steps = 6;
    let mut out = Vec::new();
    let none = Headers::default();
    let error = router.route("y", &[b""], &none, &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.message().starts_with(
            "routing a message from exchange 'y' in vhost '/' takes more than 6 steps"
        ),
        "{error}"
    );
    assert!(out.is_empty(), "the queues found before are not among them");
}

#[test]
fn names_that_are_found_again_and_again_take_no_room() {
    let mut router = router_with(ExchangeKind::Fanout);
    for inner in 0..50 {
        let inner = format!("inner {inner}");
        let spec = ExchangeSpec::new(inner.as_str(), ExchangeKind::Fanout);
        router.declare(spec).unwrap();
        router
            .bind(Binding::new("x", exchange(&inner), ""))
            .unwrap();
        for queue in 0..100 {
            let queue = topic(&queue.to_string());
            router
                .bind(Binding::new(inner.as_str(), queue, ""))
                .unwrap();
        }
    }
    let found = routed(&router, "x", "", &Headers::default());
    assert_eq!(found.len(), 100);
    assert!(found.capacity() <= 400, "room for {}", found.capacity());
}
