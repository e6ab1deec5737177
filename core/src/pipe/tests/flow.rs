//! The flow under any order of results.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use tokio::time::Instant;

use super::fake::number;
use crate::{
    driver::{Lane, Outcome, ReceiptToken, Settlement, Settling},
    error::{Error, ErrorKind, Result},
    message::Message,
    pipe::{
        Backoff, Limits, OnRefused, Order,
        counts::Counts,
        flow::{Flow, Rules},
        job::{Job, Piece},
    },
};

/// What came of one source message: its lane, and how many outputs.
type Source = (u64, usize);

fn rules(settling: Settling, batch: usize) -> Rules {
    Rules {
        order: Order::Lane,
        settling,
        on_refused: OnRefused::Hold,
        dead_letters: true,
        backoff: Backoff::default(),
        limits: Limits {
            batch: batch.try_into().unwrap(),
            ..Limits::default()
        },
    }
}

fn job(sources: &[Source], first: usize) -> Job {
    let piece = |(index, (lane, outputs)): (usize, &Source)| Piece {
        receipt: ReceiptToken {
            lane: Lane(*lane),
            number: (first + index) as u64,
        },
        bytes: 1,
        original: None,
        outcome: Outcome::Many(vec![
            Message::new(
                ((first + index) as u64).to_be_bytes().to_vec()
            );
            *outputs
        ]),
    };
    Job(sources.iter().enumerate().map(piece).collect())
}

fn result(word: u8) -> Result<()> {
    let kind = match word {
        0..=5 => return Ok(()),
        6 => ErrorKind::Transient,
        7 => ErrorKind::Unknown,
        _ => ErrorKind::TooLarge,
    };
    Err(Error::new(kind, "send", "as drawn"))
}

/// Sends a batch to a destination that keeps order: it refuses what comes behind a failure of its
/// lane.
fn send(
    sources: &[Source],
    messages: &[Message],
    words: &mut impl Iterator<Item = u8>,
    owed: &mut HashMap<u64, usize>,
    last_sent: &mut HashMap<u64, u64>,
) -> Result<Vec<Result<()>>, TestCaseError> {
    let mut results = Vec::new();
    let mut failed: HashSet<u64> = HashSet::new();
    for message in messages {
        let n = number(message);
        let lane = sources[n as usize].0;
        let drawn = match failed.contains(&lane) {
            true => Err(Error::new(ErrorKind::Transient, "send", "behind a failure")),
            false => result(words.next().unwrap()),
        };
        match &drawn {
            Err(error) if error.kind() == ErrorKind::TooLarge => {}
            Err(_) => {
                failed.insert(lane);
            }
            Ok(()) => {
                let before = last_sent.insert(lane, n).unwrap_or(0);
                prop_assert!(before <= n, "{n} after {before} on lane {lane}");
                *owed.get_mut(&n).unwrap() -= 1;
            }
        }
        results.push(drawn);
    }
    Ok(results)
}

#[test]
fn trouble_lasts_until_what_failed_makes_progress() {
    let mut flow = Flow::new(rules(Settling::PerMessage, 8), Arc::<Counts>::default());
    flow.add(job(&[(0, 1), (0, 1), (1, 1)], 0)).unwrap();
    let mut now = Instant::now();
    // The results of each attempt, and whether there was trouble while it was in flight.
    for (words, in_flight) in [
        (vec![6, 6, 0], false),
        (vec![6, 6], true),
        (vec![0, 6], true),
        (vec![6], false),
        (vec![0], true),
    ] {
        now = flow.next_wake().unwrap_or(now);
        assert_eq!(flow.next_batch(now).unwrap().len(), words.len());
        assert_eq!(flow.trouble().is_some(), in_flight, "before {words:?}");
        let fails = words.contains(&6);
        let results = words.into_iter().map(result).collect();
        flow.results(now, results).unwrap();
        assert_eq!(flow.trouble().is_some(), fails);
    }
}

#[test]
fn what_is_confirmed_behind_a_retry_comes_again_when_the_source_is_lost() {
    let counts = Arc::<Counts>::default();
    let mut flow = Flow::new(rules(Settling::Cumulative, 8), Arc::clone(&counts));
    flow.add(job(&[(0, 1), (0, 1)], 0)).unwrap();
    let now = Instant::now();
    assert_eq!(flow.next_batch(now).unwrap().len(), 2);
    flow.results(now, vec![result(6), result(0)]).unwrap();
    flow.source_lost(Vec::new());
    assert_eq!(counts.read().duplicates, 1);
}

proptest! {
    /// Whatever fails, each source message is settled once, after all that came of it was
    /// confirmed or buried; what is sent keeps its lane's order; a cumulative source is acked in
    /// the order of each lane.
    #[test]
    fn nothing_is_settled_early_lost_or_out_of_order(
        sources in vec((0u64..3, 0usize..3), 1..40),
        split in 0usize..40,
        batch in 1usize..8,
        cumulative in any::<bool>(),
        words in vec(0u8..9, 1..400),
    ) {
        let settling = if cumulative { Settling::Cumulative } else { Settling::PerMessage };
        let mut flow = Flow::new(rules(settling, batch), Arc::<Counts>::default());
        let split = split.min(sources.len());
        flow.add(job(&sources[..split], 0)).unwrap();
        let mut later = Some(job(&sources[split..], split));
        let mut now = Instant::now();
        let mut words = words.into_iter().chain(std::iter::repeat(0));
        let mut owed: HashMap<u64, usize> = HashMap::new();
        for (index, (_, outputs)) in sources.iter().enumerate() {
            owed.insert(index as u64, *outputs);
        }
        let mut last_sent: HashMap<u64, u64> = HashMap::new();
        let mut settled = Vec::new();
        loop {
            if let Some(messages) = flow.next_batch(now) {
                let results = send(&sources, &messages, &mut words, &mut owed, &mut last_sent)?;
                flow.results(now, results).unwrap();
            } else if let Some(letter) = flow.dead.pop_front() {
                *owed.get_mut(&number(&letter.message)).unwrap() -= 1;
                flow.dead_letter_confirmed(letter.source).unwrap();
            } else if let Some(job) = later.take() {
                flow.add(job).unwrap();
            } else if let Some(wake) = flow.next_wake() {
                prop_assert!(wake <= now + Duration::from_secs(10));
                now = wake.max(now);
            } else {
                break;
            }
            for (receipt, settlement) in flow.take_settlements() {
                prop_assert_eq!(settlement, Settlement::Ack);
                prop_assert_eq!(owed.remove(&receipt.number), Some(0), "settled early or twice");
                settled.push(receipt);
            }
        }
        for (receipt, _) in flow.take_settlements() {
            prop_assert_eq!(owed.remove(&receipt.number), Some(0));
            settled.push(receipt);
        }
        prop_assert!(owed.is_empty() && flow.is_empty(), "never settled: {:?}", owed);
        prop_assert_eq!(flow.take_freed(), sources.len());
        if cumulative {
            for lane in 0..3 {
                let of_lane = settled.iter().filter(|r| r.lane == Lane(lane));
                prop_assert!(of_lane.clone().is_sorted());
            }
        }
    }
}
