//! Real programs: jq, sed, and Python scripts that buffer, drop, split and misbehave.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::future::join_all;
use standpipe_core::{
    driver::{Outcome, Transform},
    error::Result,
    message::Message,
};

use super::{Exec, Framing};
use crate::Settings;

fn exec(command: &str) -> Exec {
    Exec::new(command, Framing::Envelopes, Settings::default())
}

fn exec_lines(command: &str) -> Exec {
    Exec::new(command, Framing::Lines, Settings::default())
}

/// A Python program that gets each envelope as `m` and buffers what it prints, as Python does.
fn python(body: &str) -> String {
    format!(
        "python3 -c '\nimport sys, json, os\nfor line in sys.stdin:\n    m = json.loads(line)\n    {body}\n'"
    )
}

fn numbered(count: usize) -> Vec<Message> {
    let message = |n: usize| {
        Message::new(n.to_string())
            .with_key(format!("k{n}"))
            .with_header("n", n as i64)
    };
    (0..count).map(message).collect()
}

async fn through(exec: &Exec, batch: Vec<Message>) -> Vec<Vec<Message>> {
    messages(exec.apply(batch).await.unwrap())
}

fn messages(outcomes: Vec<Outcome>) -> Vec<Vec<Message>> {
    let messages = |outcome| match outcome {
        Outcome::One(message) => vec![message],
        Outcome::Many(messages) => messages,
        Outcome::Drop => Vec::new(),
        Outcome::Failed(error) => panic!("{error}"),
    };
    outcomes.into_iter().map(messages).collect()
}

async fn problem(exec: &Exec, batch: Vec<Message>) -> String {
    let first = exec.apply(batch).await.unwrap_err().to_string();
    let later = exec.apply(numbered(1)).await.unwrap_err().to_string();
    assert_eq!(first, later, "a broken filter stays broken");
    first
}

#[tokio::test]
async fn jq_s_identity_changes_nothing() {
    let exec = exec("jq -c .");
    let mut batch = numbered(500);
    batch.push(Message::default().with_key("tombstone"));
    batch.push(
        Message::new(&b"\xff\x00\n"[..])
            .with_header("a", "\n")
            .with_header("a", ""),
    );
    batch[0].annotations.routing_key = Some("a.b".into());
    let expected: Vec<_> = batch.iter().map(|message| vec![message.clone()]).collect();
    assert_eq!(through(&exec, batch).await, expected);
    exec.close().await.unwrap();
}

#[tokio::test]
async fn one_message_in_a_running_route_arrives_within_a_second() {
    let exec = exec("jq -c .");
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(through(&exec, numbered(1)).await.len(), 1);
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn a_filter_that_buffers_is_kept_busy_by_batches_in_flight_together() {
    let exec = exec(&python(
        "m[\"key\"] = str(os.getpid()); print(json.dumps(m))",
    ));
    let batches = (0..40).map(|_| through(&exec, numbered(500)));
    let outcomes = join_all(batches).await.concat();
    assert_eq!(outcomes.len(), 20_000);
    let mut children = HashSet::new();
    for (outcome, given) in outcomes.into_iter().zip(numbered(500).iter().cycle()) {
        assert_eq!(outcome.len(), 1);
        assert_eq!(outcome[0].headers, given.headers);
        children.extend(outcome[0].key.clone());
    }
    // One for each batch would mean that it is only ever flushed by its end.
    assert!(
        children.len() < 20,
        "{} children for 40 batches",
        children.len()
    );
}

#[tokio::test]
async fn a_filter_may_drop_and_split() {
    let exec = exec(&python(
        "n = int(m[\"payload\"])\n    for _ in range(n % 3): print(json.dumps(m))",
    ));
    let outcomes = join_all((0..4).map(|_| through(&exec, numbered(100))))
        .await
        .concat();
    for (n, outcome) in (0..100).cycle().zip(outcomes) {
        let expected = vec![numbered(n + 1).remove(n); n % 3];
        assert_eq!(outcome, expected);
    }
}

#[tokio::test]
async fn a_filter_that_drops_everything_settles_everything() {
    let exec = exec("cat > /dev/null");
    let outcomes = exec.apply(numbered(10)).await.unwrap();
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Drop))
    );
}

#[tokio::test]
async fn a_filter_that_forgets_the_seq_stops_the_route() {
    let forgotten = exec("jq -c 'del(.seq)'");
    let error = problem(&forgotten, numbered(3)).await;
    assert!(error.contains("without a seq"), "{error}");
    let invented = exec("jq -c '.seq = \"77\"'");
    let error = problem(&invented, numbered(3)).await;
    assert!(error.contains("`77`, which is not open"), "{error}");
    let reordered = exec("tac");
    let error = problem(&reordered, numbered(3)).await;
    assert!(error.contains("which is not open"), "{error}");
    let talking = exec("echo hello; cat");
    let error = problem(&talking, numbered(3)).await;
    assert!(error.contains("`hello`"), "{error}");
}

#[tokio::test]
async fn a_filter_that_fails_stops_the_route_with_its_last_words() {
    let error = problem(&exec("echo out of luck >&2; exit 3"), numbered(3)).await;
    assert!(error.contains("exit status: 3: out of luck"), "{error}");
    let error = problem(&exec("no-such-program-here"), numbered(3)).await;
    assert!(error.contains("exit status: 127"), "{error}");
    // It ends well and has answered the first, yet it may have swallowed the others.
    let settings = Settings {
        quiet: Duration::from_secs(60),
        ..Settings::default()
    };
    let swallowing = Exec::new("head -n 1", Framing::Envelopes, settings);
    let error = problem(&swallowing, numbered(3)).await;
    assert!(
        error.contains("ended before its input did") || error.contains("signal"),
        "{error}"
    );
}

#[tokio::test]
async fn a_filter_that_hangs_stops_the_route() {
    let settings = Settings {
        patience: Duration::from_millis(300),
        ..Settings::default()
    };
    let hanging = Exec::new("exec sleep 60", Framing::Envelopes, settings);
    let error = problem(&hanging, numbered(1)).await;
    assert!(error.contains("it did nothing for 300ms"), "{error}");
}

#[tokio::test]
async fn a_filter_that_is_slow_to_read_and_drops_everything_is_waited_for() {
    let settings = Settings {
        patience: Duration::from_secs(3),
        ..Settings::default()
    };
    // 64 reads of at least 50 ms: longer than the patience, and never still for so long.
    let slow = "while [ $(head -c 16384 | wc -c) -gt 0 ]; do sleep 0.05; done";
    let slow = Exec::new(slow, Framing::Envelopes, settings);
    let outcomes = slow.apply(vec![Message::new("x".repeat(1 << 20))]).await;
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Drop]));
}

#[tokio::test]
async fn a_filter_that_had_nothing_to_do_for_long_ends_well() {
    let exec = exec_lines("sed -u s/0/zero/");
    assert_eq!(through(&exec, numbered(1)).await.len(), 1);
    tokio::time::pause();
    tokio::time::advance(2 * Settings::default().patience).await;
    tokio::time::resume();
    exec.close().await.unwrap();
}

#[tokio::test]
async fn a_line_without_an_end_is_bounded() {
    let settings = Settings {
        output_bytes: 1 << 20,
        ..Settings::default()
    };
    let endless = Exec::new("yes | tr -d '\\n'", Framing::Envelopes, settings);
    let error = problem(&endless, numbered(1)).await;
    assert!(
        error.contains("a line of more than 1048576 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_message_is_split_into_thousands() {
    let exec = exec(&python("print(line * 5000, end=\"\")"));
    let split = through(&exec, numbered(1)).await;
    assert_eq!(split, [vec![numbered(1).remove(0); 5_000]]);
    exec.close().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_split_without_end_stops_the_route() {
    let command = "yes '{\"seq\":\"0\",\"payload\":\"x\"}'";
    let settings = Settings {
        child_messages: 1_000,
        ..Settings::default()
    };
    let endless = Exec::new(command, Framing::Envelopes, settings);
    let error = problem(&endless, numbered(1)).await;
    assert!(error.contains("more than 1000 messages"), "{error}");
    let settings = Settings {
        output_bytes: 100,
        ..Settings::default()
    };
    let endless = Exec::new(command, Framing::Envelopes, settings);
    let error = problem(&endless, numbered(1)).await;
    assert!(error.contains("or 100 bytes of one"), "{error}");
}

#[tokio::test]
async fn sed_answers_line_by_line() -> Result<()> {
    let exec = exec_lines("sed s/1/one/");
    let outcomes = join_all((0..10).map(|_| through(&exec, numbered(100))))
        .await
        .concat();
    for (n, outcome) in (0..100).cycle().zip(outcomes) {
        let mut expected = numbered(n + 1).remove(n);
        expected.payload = Some(n.to_string().replacen('1', "one", 1).into());
        assert_eq!(outcome, [expected]);
    }
    exec.close().await
}

#[tokio::test]
async fn lines_keep_what_is_no_line_apart() {
    let exec = exec_lines("sed 's/^/>/'");
    let tombstone = Message::default().with_key("k");
    let batch = vec![
        Message::new("a"),
        tombstone.clone(),
        Message::new(""),
        Message::new("b\nc"),
    ];
    let mut outcomes = exec.apply(batch).await.unwrap();
    assert!(matches!(outcomes.pop(), Some(Outcome::Failed(_))));
    let expected = [
        vec![Message::new(">a")],
        vec![tombstone],
        vec![Message::new(">")],
    ];
    assert_eq!(messages(outcomes), expected);
}

#[tokio::test]
async fn a_line_filter_that_drops_or_adds_lines_stops_the_route() {
    let error = problem(&exec_lines("sed 2d"), numbered(3)).await;
    assert!(error.contains("1 lines fewer than it was given"), "{error}");
    let error = problem(&exec_lines("sed p"), numbered(3)).await;
    assert!(error.contains("a line more than it was given"), "{error}");
}
