//! A bug in the thread behind the journal.

use standpipe_core::{
    error::ErrorKind,
    id::Offset,
    store::{Durability, Store},
};

use super::{
    append, commit,
    gate::{Gate, Step},
    is_segment, log, read_all,
    recovery::open,
    sim::SimDisk,
};

#[tokio::test]
async fn a_segments_thread_that_panics_ends_the_store_and_no_writer_waits_for_it() {
    let disk = SimDisk::default();
    let gate = Gate::new(&disk, |step, name| {
        assert!(
            step != Step::Create || !is_segment(name),
            "a segment panics"
        );
        Ok(())
    });
    let store = gate.start();
    let (mut written, body) = (0, vec![7; 900]);
    let refused = loop {
        let ops = vec![append(log(1), body.clone())];
        match store.submit(commit(Durability::Os, ops)) {
            Ok(taken) => {
                let durable = store.durable(taken.seq, Durability::Os).await;
                written += usize::from(durable.is_ok());
            }
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let failed = store.failed().await;
    assert!(failed.message().contains("a bug"), "{failed}");
    let left = read_all(&open(&disk), log(1), Offset::ZERO).await;
    assert!(left.len() >= written, "{} of {written}", left.len());
}
