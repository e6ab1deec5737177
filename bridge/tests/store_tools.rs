//! `standpipe store`: what a store that is not running holds, and what is wrong with it.
#![cfg(feature = "native")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use standpipe::{
    Server,
    config::Endpoint,
    server::{Protocol, ServerBuilder},
};
use standpipe_core::{message::Message, store::Store};
use standpipe_native::store::{NativeStore, StoreOptions};

/// A daemon with a data directory; killed when dropped.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_standpipe"))
            .args(["serve", "--native", "127.0.0.1:0", "--amqp", "off"])
            .args(["--kafka", "off", "--grpc", "off", "--data"])
            .arg(data)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let greeting = BufReader::new(child.stderr.take().unwrap());
        let native = greeting
            .lines()
            .map(Result::unwrap)
            .find_map(|line| Some(line.strip_prefix("  native")?.trim().to_owned()));
        Self {
            child,
            address: native.unwrap(),
        }
    }

    fn publish(&self, topic: &str, line: &str) {
        let address = format!("standpipe://{}/{topic}", self.address);
        let mut child = Command::new(env!("CARGO_BIN_EXE_standpipe"))
            .args(["pub", "--lines", &address])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn stop(mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn store(words: &[&str], data: &Path) -> Output {
    let (action, options) = words.split_first().unwrap();
    Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(["store", action])
        .arg(data)
        .args(options)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(data).unwrap().map(Result::unwrap);
    let read = files.map(|file| {
        let name = file.file_name().into_string().unwrap();
        (name, fs::read(file.path()).unwrap())
    });
    read.collect()
}

fn flip(path: &Path, octet: usize) {
    let mut octets = fs::read(path).unwrap();
    octets[octet] ^= 4;
    fs::write(path, octets).unwrap();
}

/// Where `word` stands in a file.
fn place_of(word: &[u8], path: &Path) -> usize {
    let octets = fs::read(path).unwrap();
    let place = octets.windows(word.len()).position(|window| window == word);
    place.unwrap()
}

fn served_and_stopped(data: &Path) {
    let daemon = Daemon::start(data);
    for line in ["alpha", "bravo", "charlie"] {
        daemon.publish("orders", line);
    }
    let refused = store(&["check"], data);
    assert_eq!(refused.status.code(), Some(69));
    let pid = daemon.child.id().to_string();
    assert!(text(&refused.stderr).contains(&pid), "{refused:?}");
    daemon.stop();
}

#[test]
fn a_stopped_store_is_checked_measured_and_dumped_and_a_running_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    served_and_stopped(&data);
    let before = files(&data);
    let check = store(&["check"], &data);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    assert!(text(&check.stdout).ends_with("all is well\n"), "{check:?}");
    let stat = text(&store(&["stat"], &data).stdout);
    let line = "topic orders partition 0: offsets 0 to 3, 3 entries";
    assert!(stat.contains(line), "{stat}");
    assert!(stat.contains("0000000001.journal"), "{stat}");
    let dump = store(&["dump", "--topic", "orders"], &data);
    assert_eq!(dump.status.code(), Some(0), "{dump:?}");
    let lines: Vec<Value> = text(&dump.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let payloads: Vec<_> = lines.iter().map(|line| line["payload"].as_str()).collect();
    assert_eq!(payloads, [Some("alpha"), Some("bravo"), Some("charlie")]);
    assert_eq!(lines[2]["meta"]["topic"], "orders");
    assert_eq!(lines[2]["meta"]["offset"]["u64"], "2");
    let unknown = store(&["dump", "--topic", "odrers"], &data);
    assert_eq!(unknown.status.code(), Some(65));
    assert!(
        text(&unknown.stderr).contains("known: orders"),
        "{unknown:?}"
    );
    assert_eq!(files(&data), before, "nothing was written");
}

#[test]
fn a_damaged_message_is_named_and_the_others_are_dumped() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    served_and_stopped(&data);
    let journal = data.join("0000000001.journal");
    let bravo = place_of(b"bravo", &journal);
    flip(&journal, bravo);
    let check = store(&["check"], &data);
    assert_eq!(check.status.code(), Some(65), "{check:?}");
    let said = text(&check.stdout);
    for words in [
        "lost    0000000001.journal at ",
        "topic orders (",
        "offset 1: ",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    let json = text(&store(&["check", "--json"], &data).stdout);
    let found: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&found["topic"], &found["first_offset"]),
        (&"orders".into(), &1.into())
    );
    let dump = store(&["dump"], &data);
    assert_eq!(dump.status.code(), Some(65));
    assert_eq!(text(&dump.stdout).lines().count(), 2, "{dump:?}");
    assert!(text(&dump.stderr).contains("offsets 1 to 1"), "{dump:?}");
}

#[test]
fn a_store_that_damage_keeps_closed_opens_once_the_loss_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    served_and_stopped(&data);
    let journal = data.join("0000000001.journal");
    let bravo = place_of(b"bravo", &journal);
    (bravo - 90..bravo).for_each(|octet| flip(&journal, octet));
    let closed = Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(["serve", "--native", "127.0.0.1:0", "--amqp", "off"])
        .args(["--kafka", "off", "--grpc", "off", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(!closed.status.success());
    let said = text(&closed.stderr);
    for words in [
        "0000000001.journal at ",
        "standpipe store check --accept-loss",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    assert_eq!(store(&["check"], &data).status.code(), Some(65));
    let accepted = store(&["check", "--accept-loss"], &data);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    let said = text(&accepted.stdout);
    for words in [
        "given up 0000000001.journal at ",
        "given up topic orders (",
        " 1 to 1",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    let kept = |data| files(data).into_iter().filter(|(name, _)| name != "lock");
    let before: Vec<_> = kept(&data).collect();
    let again = store(&["check", "--accept-loss"], &data);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(
        text(&again.stdout).starts_with("nothing is lost"),
        "{again:?}"
    );
    assert!(kept(&data).eq(before), "the second time changes nothing");
    assert_eq!(store(&["check"], &data).status.code(), Some(0));
    let daemon = Daemon::start(&data);
    daemon.publish("orders", "delta");
    daemon.stop();
    let dump = text(&store(&["dump", "--topic", "orders"], &data).stdout);
    let lines = dump.lines().map(|line| serde_json::from_str(line).unwrap());
    let payloads: Vec<_> = lines.map(|line: Value| line["payload"].clone()).collect();
    assert_eq!(payloads, ["alpha", "charlie", "delta"]);
}

#[test]
fn what_is_no_store_is_65_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let none = store(&["check"], folder.path());
    assert_eq!(none.status.code(), Some(65));
    assert!(text(&none.stderr).contains("holds no store"), "{none:?}");
    fs::write(folder.path().join("format"), "standpipe-store 99\n").unwrap();
    let newer = store(&["check"], folder.path());
    assert_eq!(newer.status.code(), Some(65));
    assert!(
        text(&newer.stderr).contains("standpipe-store 99"),
        "{newer:?}"
    );
}

fn small_files(data: &Path) -> ServerBuilder {
    let data = data.to_owned();
    let open = move || {
        let options = StoreOptions {
            file_size: 64 * 1024,
            journal_bytes: 256 * 1024,
            ..StoreOptions::default()
        };
        let store = NativeStore::open(&data, options);
        async move { Ok(store? as Arc<dyn Store>) }
    };
    Server::builder()
        .listen(Protocol::Native, Endpoint::loopback(0))
        .store(open)
}

fn newest(data: &Path, kind: &str) -> Option<String> {
    // Files come and go while a store runs.
    let names = fs::read_dir(data).unwrap().map(Result::unwrap);
    let names = names.map(|file| file.file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(kind)).max()
}

/// A store with every kind of file.
async fn filled(data: &Path) {
    let server = small_files(data).start().await.unwrap();
    let native = server.address(Protocol::Native).unwrap();
    let registry = standpipe::registry();
    let address = format!("standpipe://{native}/flights");
    let address = registry.address(&address).unwrap();
    let driver = registry.driver(&address).unwrap();
    let mut producer = driver.producer(&address).await.unwrap();
    while newest(data, ".checkpoint").is_none() || newest(data, ".segment").is_none() {
        for sent in producer.send(vec![Message::new(vec![b'x'; 1000])]).await {
            sent.unwrap();
        }
    }
    producer.close().await.unwrap();
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_each_kind_of_file_is_told_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    filled(&data).await;
    assert_eq!(store(&["check"], &data).status.code(), Some(0));
    let segment = newest(&data, ".segment").unwrap();
    let octets = fs::read(data.join(&segment)).unwrap();
    let footer = octets.len() - 32;
    let table = u64::from_be_bytes(octets[footer + 8..footer + 16].try_into().unwrap());
    let table = usize::try_from(table).unwrap();
    let journal = newest(&data, ".journal").unwrap();
    let checkpoint = newest(&data, ".checkpoint").unwrap();
    for (file, octet, severity) in [
        (&segment, 40, "unused"),
        (&segment, 64 + 200, "lost"),
        (&segment, table - 1, "index"),
        (&segment, table + 10, "mended"),
        (&segment, footer + 20, "mended"),
        (&checkpoint, 20, "mended"),
        (&checkpoint, 80, "mended"),
        (&journal, 10, "mended"),
        (&journal, 64 + 8, "mended"),
    ] {
        let path = data.join(file);
        let whole = fs::read(&path).unwrap();
        flip(&path, octet);
        let check = store(&["check"], &data);
        assert_eq!(check.status.code(), Some(65), "{file} {octet}: {check:?}");
        let said = text(&check.stdout);
        let line = format!("{severity:<7} {file} at ");
        assert!(
            said.contains(&line),
            "no `{line}` for octet {octet} in {said}"
        );
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(store(&["check"], &data).status.code(), Some(0));
}
