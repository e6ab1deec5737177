//! `pub`, `sub`, `cp`, `topic` and routes against a running daemon.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

mod daemon;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use daemon::Daemon;
use serde_json::Value;

/// Every kind of header, bytes that are no text, a tombstone, an empty payload.
const MESSAGES: &str = concat!(
    r#"{"key":"k","payload":"a\nb","headers":[["n",{"i64":"5"}],["d","1"],["d",null],["b",true]]}"#,
    "\n",
    r#"{"key":{"b64":"/w=="},"payload":{"b64":"//8="},"headers":[["l",{"list":["a",{"i32":"1"}]}]]}"#,
    "\n",
    r#"{"payload":"","headers":[["t",{"ts":"2013-01-01T05:00:00Z"}],["x",{"b64":"gA=="}]]}"#,
    "\n",
    r#"{"key":"tombstone"}"#,
    "\n",
);

fn standpipe(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn ok(arguments: &[&str], input: &[u8]) -> String {
    let output = standpipe(arguments, input);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Envelopes without what a broker adds.
fn sent(lines: &str) -> Vec<Value> {
    let one = |line| {
        let mut envelope: Value = serde_json::from_str(line).unwrap();
        let fields = envelope.as_object_mut().unwrap();
        fields.remove("meta");
        // A Kafka record has a time whether its producer gave one or not.
        fields.remove("props");
        envelope
    };
    lines.lines().map(one).collect()
}

#[test]
fn what_is_published_in_one_protocol_is_read_in_each_other() {
    let daemon = Daemon::start(&[]);
    let schemes = [
        ("standpipe", "native"),
        ("grpc", "grpc"),
        ("kafka", "kafka"),
    ];
    for (writer, at) in schemes {
        let to = format!("{writer}://{}/{writer}", daemon.address(at));
        ok(&["pub", &to], MESSAGES.as_bytes());
        for (reader, at) in schemes {
            let mode = if reader == "kafka" {
                ""
            } else {
                "&mode=positional"
            };
            let from = format!(
                "{reader}://{}/{writer}?from=earliest{mode}",
                daemon.address(at)
            );
            let read = ok(&["sub", &from, "--drain"], b"");
            assert_eq!(sent(&read), sent(MESSAGES), "{writer} to {reader}");
        }
    }
}

#[test]
fn sub_settles_as_many_as_it_printed() {
    let daemon = Daemon::start(&[]);
    let address = format!("standpipe://{}/t", daemon.address("native"));
    ok(&["pub", "--lines", &address], b"1\n2\n3\n4\n5\n");
    assert_eq!(
        ok(&["sub", "--lines", "--count", "2", &address], b""),
        "1\n2\n"
    );
    assert_eq!(
        ok(&["sub", "--lines", "--drain", &address], b""),
        "3\n4\n5\n"
    );
    assert_eq!(ok(&["sub", "--lines", "--drain", &address], b""), "");
}

#[test]
fn a_copy_through_filters_is_whole_and_in_order() {
    let daemon = Daemon::start(&[]);
    let native = daemon.address("native");
    let (from, to) = (
        format!("standpipe://{native}/a"),
        format!("standpipe://{native}/b"),
    );
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    ok(&["pub", "--lines", &from], lines.as_bytes());
    ok(
        &[
            "cp",
            &from,
            &to,
            "--drain",
            "--exec-lines",
            "sed s/line/row/",
        ],
        b"",
    );
    let read = ok(&["sub", "--lines", "--drain", &to], b"");
    assert_eq!(read, lines.replace("line", "row"));
}

#[test]
fn a_route_carries_and_transforms_while_the_daemon_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.toml");
    let route = "[[route]]\nname = \"r\"\nfrom = \"standpipe:///a\"\nto = \"standpipe:///b\"\n\
                 transform = [{ drop = [\"secret\"] }, { set = { via = \"r\" } }]\n";
    std::fs::write(&file, route).unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let native = daemon.address("native");
    let message = br#"{"payload":"x","headers":[["secret","s"]]}"#;
    ok(&["pub", &format!("standpipe://{native}/a")], message);
    let read = ok(
        &["sub", "--count", "1", &format!("standpipe://{native}/b")],
        b"",
    );
    let expected = r#"{"payload":"x","headers":[["via","r"]]}"#;
    assert_eq!(sent(&read), sent(expected));
}

#[test]
fn topics_are_created_described_purged_and_deleted() {
    let daemon = Daemon::start(&[]);
    let address = format!("standpipe://{}", daemon.address("native"));
    let topic = |arguments: &[&str]| {
        let arguments = [&["topic", "--json", "--address", &address], arguments].concat();
        standpipe(&arguments, b"")
    };
    let json = |output: Output| serde_json::from_slice::<Value>(&output.stdout).unwrap();
    topic(&["create", "t", "--partitions", "3", "--retention", "7d"]);
    let described = json(topic(&["describe", "t"]));
    assert_eq!(described["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(described["retention"], "7d");
    assert_eq!(json(topic(&["list"]))["name"], "t");
    assert_eq!(topic(&["create", "t"]).status.code(), Some(65));
    topic(&["create", "c", "--retention", "compact,grace=1h,7d"]);
    let compacted = json(topic(&["describe", "c"]));
    assert_eq!(compacted["retention"], "compact,grace=1h,7d");
    let wrong = topic(&["create", "d", "--retention", "compact,soon"]);
    assert_eq!(wrong.status.code(), Some(64));
    topic(&["delete", "c"]);
    let to = format!("{address}/t");
    ok(&["sub", "--drain", &to], b"");
    ok(&["pub", "--lines", &to], b"1\n2\n");
    assert_eq!(json(topic(&["purge", "t"]))["purged"], 2);
    assert_eq!(topic(&["delete", "t"]).status.code(), Some(0));
    assert_eq!(topic(&["describe", "t"]).status.code(), Some(65));
}

#[test]
fn a_topic_tells_what_it_keeps_and_who_holds_it() {
    let daemon = Daemon::start(&[]);
    let address = format!("standpipe://{}", daemon.address("native"));
    let topic = |arguments: &[&str]| {
        let arguments = [&["topic", "--address", &address], arguments].concat();
        let output = standpipe(&arguments, b"");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let kept = ["--retention", "settled", "--durability", "memory"];
    topic(&[&["create", "t"][..], &kept].concat());
    assert!(!topic(&["describe", "t"]).contains("held by"));
    let to = format!("{address}/t");
    for group in ["slow", "fast"] {
        ok(&["sub", "--drain", &format!("{to}?group={group}")], b"");
    }
    ok(&["pub", "--lines", &to], b"1\n2\n");
    ok(&["sub", "--drain", &format!("{to}?group=fast")], b"");
    let described = topic(&["describe", "t"]);
    for line in [
        "retention    settled",
        "durability   memory",
        "partition 0  offsets 0 to 2, ",
        "held by      slow",
    ] {
        assert!(described.contains(line), "no {line} in {described}");
    }
    assert_eq!(topic(&["list"]), "t\tsettled\tmemory\n");
}
