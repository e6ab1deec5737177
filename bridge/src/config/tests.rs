//! What a configuration may say, and how it is refused.

use std::{collections::BTreeMap, time::Duration};

use super::*;

fn parse(name: &str, text: &str) -> Result<Config, Problem> {
    Config::parse(name, text, BTreeMap::new(), &crate::registry())
}

const ROUTE: &str = r#"
data = "/var/lib/standpipe"

[listen]
amqp = "127.0.0.1:0"
kafka = "off"

[[route]]
name = "flights"
from = "amqp://guest:guest@127.0.0.1:5672/%2f?queue=flights"
to   = "grpc://127.0.0.1:50051/flights"
transform = [{ drop = ["X-Secret"] }, { set = { "X.Source" = "rabbit", "payload.n" = 5 } }, { jq = "." }]
order = "key"
"#;

#[test]
fn a_whole_file_is_understood_and_keeps_the_case_of_header_names() {
    let config = parse("a.toml", ROUTE).unwrap();
    assert_eq!(config.data.unwrap().to_str(), Some("/var/lib/standpipe"));
    assert_eq!(config.listen.amqp, Some(Endpoint::loopback(0)));
    assert_eq!(config.listen.kafka, Some(Endpoint::Off));
    assert_eq!(config.listen.grpc, None);
    let route = &config.routes[0];
    assert_eq!(route.order, Order::Key);
    assert_eq!(route.transform[0], Step::Drop(vec!["X-Secret".into()]));
    let set = [
        ("X.Source".to_owned(), "rabbit".into()),
        ("payload.n".to_owned(), 5.into()),
    ];
    assert_eq!(route.transform[1], Step::Set(set.into()));
    assert_eq!(route.transform[2], Step::Jq(".".into()));
}

#[test]
fn yaml_says_the_same() {
    let text = "listen:\n  amqp: off\nroute:\n  - name: a\n    from: '-'\n    to: '-'\n    transform:\n      - exec: jq -c .\n";
    let config = parse("a.yaml", text).unwrap();
    assert_eq!(config.listen.amqp, Some(Endpoint::Off));
    assert_eq!(config.routes[0].transform, [Step::Exec("jq -c .".into())]);
}

#[test]
fn a_file_that_cannot_be_parsed_names_the_line_and_no_secret() {
    let text = "[[route]]\nname = \"a\"\nfrom = \"amqp://u:hunter2@h/%2f?queue=q\nto = \"-\"\n";
    let problem = parse("a.toml", text).unwrap_err().to_string();
    assert!(problem.starts_with("a.toml:3: "), "{problem}");
    assert!(!problem.contains("hunter2"), "{problem}");
}

#[test]
fn unknown_keys_are_refused_with_line_value_and_known_ones() {
    for (name, text, expected) in [
        (
            "a.toml",
            "data = \"x\"\n\n[listen]\nampq = \"off\"\n",
            "a.toml:4: unknown key `ampq`; known: amqp, grpc, http, kafka, kafka_advertise, native",
        ),
        (
            "a.toml",
            "[[route]]\nname = \"a\"\nfrom = \"-\"\nto = \"-\"\ntransform = [\n  { dorp = [\"a\"] },\n]\n",
            "a.toml:6: unknown key `dorp`; known: drop, exec, exec_lines, jq, plugin, rename, set",
        ),
        (
            "a.yml",
            "route:\n  - name: a\n    form: '-'\n",
            "a.yml:3: unknown key `form`; known: from, guarantee, name, order, to, transform",
        ),
    ] {
        assert_eq!(parse(name, text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn wrong_values_are_refused_at_their_line() {
    let bad_order = ROUTE.replace("order = \"key\"", "order = \"kye\"");
    assert_eq!(
        parse("a.toml", &bad_order).unwrap_err().to_string(),
        "a.toml:13: unknown value `kye`; known: total, lane, key, none"
    );
    let bad_port = ROUTE.replace("127.0.0.1:0", "127.0.0.1");
    assert!(
        parse("a.toml", &bad_port)
            .unwrap_err()
            .to_string()
            .starts_with("a.toml:5: `127.0.0.1` is not HOST:PORT")
    );
    let twice = format!("{ROUTE}{}", &ROUTE[ROUTE.find("[[route]]").unwrap()..]);
    assert_eq!(
        parse("a.toml", &twice).unwrap_err().to_string(),
        "a.toml:15: the name `flights` is taken by an earlier route"
    );
    let wrong_type = "[[route]]\nname = \"a\"\nfrom = \"-\"\nto = []\n";
    let error = parse("a.toml", wrong_type).unwrap_err().to_string();
    assert!(error.starts_with("a.toml:4: "), "{error}");
}

#[test]
fn the_environment_wins_over_the_file_and_its_unknown_listeners_are_refused() {
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let environment = one("STANDPIPE_LISTEN__AMQP", "127.0.0.1:7777");
    let config = Config::parse("a.toml", ROUTE, environment, &crate::registry()).unwrap();
    assert_eq!(config.listen.amqp, Some(Endpoint::loopback(7777)));
    assert_eq!(config.listen.kafka, Some(Endpoint::Off));
    let error = Config::parse(
        "a.toml",
        ROUTE,
        one("STANDPIPE_LISTEN__AMPQ", "off"),
        &crate::registry(),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unknown listener `ampq`; known: amqp")
    );
    assert!(
        Config::parse(
            "a.toml",
            ROUTE,
            one("STANDPIPE_OTHER", "x"),
            &crate::registry()
        )
        .is_ok()
    );
}

#[test]
fn the_kafka_frontend_is_set_as_kafkas_broker_is() {
    let text = "[kafka]\nnum_partitions = 3\nauto_create_topics = false\ngroup_initial_rebalance_delay = \"3s\"\ngroup_min_session_timeout = \"1s\"\n";
    let expected = KafkaConfig {
        num_partitions: std::num::NonZeroU32::new(3),
        auto_create_topics: Some(false),
        group_initial_rebalance_delay: Some(Duration::from_secs(3)),
        group_min_session_timeout: Some(Duration::from_secs(1)),
        group_max_session_timeout: None,
    };
    assert_eq!(parse("a.toml", text).unwrap().kafka, expected);
    for (wrong, expected) in [
        (
            "num_partitions = 0",
            "a.toml:2: `0` is no number of partitions; write 1 or more",
        ),
        (
            "auto_create_topics = 1",
            "a.toml:2: `1` is neither true nor false",
        ),
        (
            "group_min_session_timeout = \"1h\"",
            "a.toml:1: session timeouts from 1h to 30m: the shortest must be above 0 and not above the longest",
        ),
    ] {
        let refused = parse("a.toml", &format!("[kafka]\n{wrong}\n")).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
}
