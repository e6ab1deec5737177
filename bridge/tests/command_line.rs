//! The program's manners: exit codes, stdout for data, stderr for talk.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

fn standpipe(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_standpipe"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn refused(arguments: &[&str], input: &[u8], code: i32, words: &[&str]) {
    let output = standpipe(arguments, input);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for word in words {
        assert!(
            stderr.contains(word),
            "{arguments:?}: no {word} in {stderr}"
        );
    }
}

#[test]
fn help_is_data_and_shows_an_example_for_every_command() {
    for command in ["serve", "pub", "sub", "cp", "check", "topic", "store"] {
        let output = standpipe(&[command, "--help"], b"");
        assert_eq!(output.status.code(), Some(0));
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(&format!("standpipe {command} ")), "{help}");
        assert!(help.contains("Example"), "{help}");
    }
}

#[test]
fn a_wrong_command_line_is_64() {
    refused(&["sevre"], b"", 64, &["sevre", "serve"]);
    refused(
        &["serve", "--amqp", "5672"],
        b"",
        64,
        &["5672", "HOST:PORT"],
    );
    refused(&["sub", "--count", "0", "-"], b"", 64, &["0"]);
    refused(
        &["sub", "kafak://127.0.0.1:1/t"],
        b"",
        64,
        &["`kafak`", "amqp", "kafka"],
    );
    refused(
        &["pub", "grpc://127.0.0.1:1/t?grup=g"],
        b"",
        64,
        &["`grup`", "group"],
    );
    refused(
        &["cp", "-", "-", "--exec", "a", "--exec-lines", "b"],
        b"",
        64,
        &[],
    );
}

#[test]
fn data_that_is_none_is_65_and_its_line_is_named() {
    let input = b"{\"payload\":\"a\"}\n{\"payload\":5}\n";
    let output = standpipe(&["cp", "-", "-"], input);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains("line 2"), "{stderr}");
    assert_eq!(output.stdout, b"{\"payload\":\"a\"}\n");
}

#[test]
fn nobody_listening_is_69() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for address in [
        format!("standpipe://127.0.0.1:{port}/t"),
        format!("amqp://guest:guest@127.0.0.1:{port}/%2f?queue=q"),
        format!("grpc://127.0.0.1:{port}/t"),
    ] {
        refused(&["sub", &address, "--drain"], b"", 69, &[&port.to_string()]);
    }
}

#[test]
fn a_wrong_configuration_is_78_with_file_line_and_known_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let path = file.to_str().unwrap();
    let check = |text: &str, words: &[&str]| {
        std::fs::write(&file, text).unwrap();
        refused(&["check", path], b"", 78, words);
        refused(&["serve", "--ephemeral", "--config", path], b"", 78, words);
    };
    let route = |from: &str| format!("[[route]]\nname = \"a\"\nfrom = \"{from}\"\nto = \"-\"\n");
    check("[listne]\n", &["a.toml:1", "`listne`", "listen"]);
    check(&route("gprc://h/t"), &["a.toml:3", "`gprc`", "grpc"]);
    check(
        &route("grpc://h/t?grup=g"),
        &["a.toml:3", "`grup`", "group"],
    );
    refused(
        &["check", "/no/such/file.toml"],
        b"",
        78,
        &["/no/such/file.toml"],
    );
}

#[test]
fn envelopes_round_trip_byte_for_byte_through_pipes() {
    let lines = concat!(
        r#"{"key":{"b64":"/w=="},"payload":"","headers":[["a","1"],["a",null],["b",{"i64":"5"}]]}"#,
        "\n",
        r#"{"key":"tombstone"}"#,
        "\n"
    );
    let output = standpipe(&["cp", "-", "-"], lines.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), lines);
}
