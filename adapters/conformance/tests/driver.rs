//! The scenarios over the reference, and each over a driver that breaks its promise.

use standpipe_conformance::driver::{Broken, Fault, MemorySubject, SCENARIOS, check};

/// Every scenario with the fault that only it must find.
const FAULTS: &[(&str, Fault)] = &[
    (
        "every_message_has_a_result_of_its_own",
        Fault::MissingResult,
    ),
    (
        "order_is_kept_within_a_batch_and_between_batches",
        Fault::Reorders,
    ),
    ("a_key_arrives", Fault::DropsKeys),
    ("a_tombstone_is_no_empty_payload", Fault::EmptiesTombstones),
    ("a_payload_that_is_not_utf8_arrives", Fault::ForcesUtf8),
    (
        "headers_keep_order_duplicates_and_null",
        Fault::DropsDuplicateHeaders,
    ),
    (
        "a_timestamp_arrives_to_the_millisecond",
        Fault::CutsTimestamps,
    ),
    ("an_acked_message_does_not_come_back", Fault::ForgetsAcks),
    (
        "an_unsettled_message_comes_to_the_next_consumer",
        Fault::AcksOnReceive,
    ),
    (
        "a_released_message_comes_back_before_those_behind_it",
        Fault::AcksReleases,
    ),
    (
        "a_rejected_message_does_not_come_back",
        Fault::ReleasesRejections,
    ),
    ("a_drain_ends_at_what_was_there", Fault::NeverEnds),
    ("a_cancelled_receive_loses_nothing", Fault::LosesOnCancel),
];

async fn reference() -> MemorySubject {
    MemorySubject::open()
        .await
        .expect("a broker in memory opens")
}

#[tokio::test]
async fn the_reference_keeps_every_promise() {
    let report = check(&reference().await).await;
    report.assert_passed();
    assert_eq!(report.passed().len(), SCENARIOS.len());
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_found_by_its_scenario_and_no_other() {
    assert_eq!(
        FAULTS.len(),
        SCENARIOS.len(),
        "every scenario has a fault that it finds"
    );
    for (scenario, fault) in FAULTS {
        let subject = reference().await;
        let broken = Broken {
            subject,
            fault: *fault,
        };
        let report = check(&broken).await;
        assert_eq!(report.failed(), [*scenario], "{fault:?}\n{report}");
    }
}
