//! Properties over any sequence of declarations, bindings and removals.

use proptest::prelude::*;

use super::{
    oracle::{reaches, topic_matches},
    *,
};
use crate::router::{steps::Steps, topic_trie::TopicTrie};

#[derive(Debug, Clone)]
enum Step {
    Declare(usize, ExchangeKind, bool),
    Bind(Binding),
    Unbind(Binding),
    UnbindTopic(usize),
    Delete(usize),
}

const EXCHANGES: [&str; 5] = ["amq.fanout", "a", "b", "c", "d"];
const TOPICS: [&str; 4] = ["p", "q", "r", "s"];

fn words(alphabet: &'static str) -> impl Strategy<Value = String> {
    let word = prop::sample::select(alphabet.chars().map(String::from).collect::<Vec<_>>());
    prop::collection::vec(word, 0..6).prop_map(|words| words.join("."))
}

fn kind() -> impl Strategy<Value = ExchangeKind> {
    use ExchangeKind::{Direct, Fanout, Headers, Topic};
    prop::sample::select(vec![Direct, Fanout, Topic, Headers])
}

fn binding() -> impl Strategy<Value = Binding> {
    let to = prop_oneof![
        3 => prop::sample::select(&TOPICS[..]).prop_map(topic),
        1 => prop::sample::select(&EXCHANGES[..]).prop_map(exchange),
    ];
    let pairs = prop::collection::btree_map(
        prop::sample::select(vec!["h", "i", "j"]),
        prop::sample::select(vec!["1", "2"]),
        0..3,
    );
    let x_match = prop::option::of(prop::sample::select(vec!["all", "any"]));
    let from = prop::sample::select(&EXCHANGES[..]);
    (from, to, words("ab*#"), pairs, x_match).prop_map(|(from, to, key, pairs, x_match)| {
        let pairs = pairs
            .into_iter()
            .chain(x_match.map(|word| ("x-match", word)));
        let arguments = pairs.map(|(n, v)| (n.into(), v.into())).collect();
        Binding::new(from, to, key).with_arguments(arguments)
    })
}

fn step() -> impl Strategy<Value = Step> {
    let name = 1..EXCHANGES.len();
    prop_oneof![
        3 => (name.clone(), kind(), any::<bool>()).prop_map(|(n, k, auto)| Step::Declare(n, k, auto)),
        8 => binding().prop_map(Step::Bind),
        3 => binding().prop_map(Step::Unbind),
        1 => (0..TOPICS.len()).prop_map(Step::UnbindTopic),
        1 => name.prop_map(Step::Delete),
    ]
}

/// Applies a step; refusals are part of the game.
fn apply(router: &mut Router, step: Step) {
    match step {
        Step::Declare(name, kind, auto_delete) => {
            let mut spec = ExchangeSpec::new(EXCHANGES[name], kind);
            spec.auto_delete = auto_delete;
            let _ = router.declare(spec);
        }
        Step::Bind(binding) => drop(router.bind(binding)),
        Step::Unbind(binding) => drop(router.unbind(&binding)),
        Step::UnbindTopic(topic) => drop(router.unbind_topic(TOPICS[topic])),
        Step::Delete(name) => drop(router.delete(EXCHANGES[name], false)),
    }
}

fn headers() -> impl Strategy<Value = Headers> {
    let name = prop::sample::select(vec!["h", "i", "j"]);
    let value = prop::sample::select(vec!["1", "2"]);
    prop::collection::vec((name, value), 0..4).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(n, v)| (n.into(), v.into()))
            .collect()
    })
}

fn built(steps: Vec<Step>) -> Router {
    let mut router = Router::new("/");
    steps.into_iter().for_each(|step| apply(&mut router, step));
    router
}

proptest! {
    #[test]
    fn a_topic_pattern_matches_what_its_definition_says(
        patterns in prop::collection::vec(words("ab*#"), 1..8),
        keys in prop::collection::vec(words("abc"), 1..8),
    ) {
        let mut router = Router::new("/");
        for (n, pattern) in patterns.iter().enumerate() {
            let name = n.to_string();
            router.bind(Binding::new("amq.topic", topic(&name), pattern.as_str())).unwrap();
        }
        for key in &keys {
            let expected = patterns.iter().enumerate().filter(|(_, p)| topic_matches(p, key));
            let expected: Vec<_> = expected.map(|(n, _)| n.to_string()).collect();
            let actual = routed(&router, "amq.topic", key, &Headers::default());
            prop_assert_eq!(actual.iter().map(|n| n.to_string()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_route_is_what_walking_all_bindings_finds(
        steps in prop::collection::vec(step(), 0..60),
        keys in prop::collection::vec(words("ab"), 1..4),
        headers in headers(),
    ) {
        let router = built(steps);
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let bindings: Vec<_> = router.bindings().cloned().collect();
        for spec in router.exchanges() {
            let actual = routed_by(&router, &spec.name, &keys, &headers);
            let expected = reaches(&router, &bindings, &spec.name, &keys, &headers);
            prop_assert_eq!(actual, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn unbind_undoes_bind(
        steps in prop::collection::vec(step(), 0..40),
        extra in binding(),
        key in words("ab"),
        headers in headers(),
    ) {
        let mut router = built(steps);
        let look = |router: &Router| {
            let bindings: Vec<_> = router.bindings().cloned().collect();
            let mut sources: Vec<_> = router.exchanges().map(|spec| spec.name.clone()).collect();
            sources.sort();
            let routes: Vec<_> = sources.iter().map(|x| routed(router, x, &key, &headers)).collect();
            (bindings, routes)
        };
        let before = look(&router);
        if let Ok(true) = router.bind(extra.clone()) {
            let lone = router.bindings_from(&extra.source).count() == 1;
            let auto = router.exchange(&extra.source).unwrap().auto_delete;
            let removed = router.unbind(&extra).unwrap();
            prop_assert_eq!(!removed.exchanges.is_empty(), lone && auto);
            if removed.exchanges.is_empty() {
                prop_assert_eq!(removed.bindings, vec![extra]);
                prop_assert_eq!(look(&router), before);
            }
        }
    }

    #[test]
    fn both_ends_of_every_binding_are_there_and_every_index_finds_it(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let router = built(steps);
        for binding in router.bindings() {
            prop_assert!(router.exchange(&binding.source).is_some());
            if let Destination::Exchange(name) = &binding.destination {
                prop_assert!(router.exchange(name).is_some());
            }
            prop_assert!(router.bindings_from(&binding.source).any(|b| b == binding));
            prop_assert!(router.bindings_to(&binding.destination).any(|b| b == binding));
        }
    }

    #[test]
    fn a_trie_gives_back_all_its_nodes(patterns in prop::collection::vec(words("ab*#"), 0..20)) {
        let mut trie = TopicTrie::default();
        let patterns: Vec<_> = patterns.into_iter().map(bytes::Bytes::from).collect();
        patterns.iter().for_each(|pattern| trie.add(pattern, &topic("q")));
        patterns.iter().for_each(|pattern| trie.remove(pattern, &topic("q")));
        prop_assert_eq!(trie.live_nodes(), 1);
    }

    #[test]
    fn a_trie_keeps_what_is_not_removed(
        kept in prop::collection::vec(words("ab*#"), 0..8),
        gone in prop::collection::vec(words("ab*#"), 0..8),
        key in words("ab"),
    ) {
        let (mut trie, mut alone) = (TopicTrie::default(), TopicTrie::default());
        let bytes = |pattern: &String| bytes::Bytes::from(pattern.clone());
        for trie in [&mut trie, &mut alone] {
            kept.iter().for_each(|pattern| trie.add(&bytes(pattern), &topic("kept")));
        }
        gone.iter().for_each(|pattern| trie.add(&bytes(pattern), &topic("gone")));
        gone.iter().for_each(|pattern| trie.remove(&bytes(pattern), &topic("gone")));
        let mut found = Vec::new();
        let mut steps = Steps::new(usize::MAX);
        let walked = trie.each_match(&[key.as_bytes()], &mut steps, |destination| {
            found.push(destination.clone());
        });
        prop_assert!(walked.is_some());
        let expected = kept.iter().any(|pattern| topic_matches(pattern, &key));
        prop_assert!(found.iter().all(|destination| *destination == topic("kept")));
        prop_assert_eq!(!found.is_empty(), expected);
        prop_assert_eq!(trie.live_nodes(), alone.live_nodes());
    }
}
