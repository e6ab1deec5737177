//! Entries of many offsets, on their way from the journal into segments.

use standpipe_core::{
    entry::{Draft, Format},
    id::Offset,
    store::{Durability, Op, Store},
};

use super::{
    commit, count, is_segment, log,
    model::Model,
    read_all,
    recovery::open,
    sim::{Random, SimDisk},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn entries_of_any_span_are_read_back_while_they_move_and_when_opened_again() {
    for seed in 0..20 {
        let (mut random, mut model) = (Random(seed), Model::new(1));
        // One in two neither reserves space nor gives it back.
        let disk = match seed % 2 {
            0 => SimDisk::default(),
            _ => SimDisk::without_fallocate(),
        };
        for _ in 0..3 {
            let store = open(&disk);
            model.check(&store, &mut random).await;
            for n in 0..150 {
                let next = commit(Durability::Disk, model.next(&mut random));
                let seq = store.submit(next).unwrap().seq;
                store.durable(seq, Durability::Disk).await.unwrap();
                if n % 30 == 0 {
                    model.check(&store, &mut random).await;
                }
            }
            model.check(&store, &mut random).await;
            store.close().await.unwrap();
        }
        model.check(&open(&disk), &mut random).await;
    }
}

#[tokio::test]
async fn batches_of_many_offsets_move_once_each() {
    let disk = SimDisk::default();
    let store = open(&disk);
    let batch = |n: u8| Op::Append {
        log: log(1),
        draft: Draft::batch(Format::KAFKA2, vec![n; 100].into(), 60),
    };
    for n in 0..500u32 {
        let seq = store
            .submit(commit(Durability::Disk, vec![batch(n as u8)]))
            .unwrap()
            .seq;
        store.durable(seq, Durability::Disk).await.unwrap();
        if n == 100 {
            let below = Offset(60 * 50 + 7); // within a batch
            let trim = Op::Trim { log: log(1), below };
            store.submit(commit(Durability::Disk, vec![trim])).unwrap();
        }
    }
    disk.wait(|names| count(names, is_segment) > 0);
    for reopened in [false, true] {
        let store = if reopened { open(&disk) } else { store.clone() };
        let entries = read_all(&store, log(1), Offset(60 * 50 + 7)).await;
        let bases = (50..500u64).map(|n| Offset(n * 60));
        assert!(entries.iter().map(|entry| entry.base_offset).eq(bases));
        let octets = store.bounds(log(1)).await.unwrap().octets;
        assert!((45_000..46_000).contains(&octets), "{octets}");
        store.close().await.unwrap();
    }
}
