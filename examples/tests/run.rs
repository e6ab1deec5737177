//! Every example runs and does what its first lines say.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::process::Command;

/// Runs an example, which `cargo test` has built beside this test.
fn run(example: &str, arguments: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap();
    let program = built.join("examples").join(example);
    assert!(
        program.exists(),
        "{program:?} is not built; run `cargo test -p standpipe-examples`"
    );
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_pipe_writes_in_capitals() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), "one\ntwo\n").unwrap();
    let source = format!("file://{}/in?format=lines", folder.path().display());
    assert_eq!(run("01_pipe", &[&source, "-?format=lines"]), "ONE\nTWO\n");
}

#[test]
fn the_embedded_broker_gives_back_what_it_was_given() {
    assert!(run("02_embed", &[]).ends_with("got hello\n"));
}
