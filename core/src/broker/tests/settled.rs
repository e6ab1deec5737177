//! Space under `settled` retention, whatever the order of acks.

use proptest::prelude::*;

use super::*;
use crate::{
    broker::{Append, GroupOffset},
    entry::{Draft, Format},
    id::Millis,
    store::{ReadLimit, Store},
};

const EVERYTHING: ReadLimit = ReadLimit {
    bytes: usize::MAX,
    entries: usize::MAX,
};

/// Appends one entry over many offsets.
async fn append(broker: &Broker, topic: &Arc<Topic>, span: u32) {
    let body = vec![b'x'; span as usize].into();
    let appended = broker.append(Append {
        topic,
        partition: P0,
        draft: Draft::batch(Format::NATIVE, body, span),
        pieces: Vec::new(),
        durability: Durability::Disk,
        admission: Admission::none(),
    });
    appended.unwrap().confirm.wait().await.unwrap();
}

async fn octets(topic: &Topic) -> u64 {
    let log = topic.partition(P0).unwrap().log;
    topic.store.bounds(log).await.unwrap().octets
}

/// The number of the store's last commit.
fn commits(broker: &Broker, store: &MemoryStore) -> u64 {
    let nothing = Commit {
        ops: Vec::new(),
        durability: Durability::Memory,
        epoch: broker.inner.epoch,
    };
    store.submit(nothing).unwrap().seq.0
}

#[tokio::test]
async fn one_message_that_nobody_settles_pins_its_own_entry_only() {
    let store = Arc::new(MemoryStore::new());
    let broker = open(&store).await;
    let topic = topic(&broker, Retention::Settled).await;
    let (stuck, through) = (
        lease(&broker, &topic, "stuck").await,
        lease(&broker, &topic, "through").await,
    );
    for _ in 0..1000 {
        append(&broker, &topic, 10).await;
    }
    through.vanish(P0, Offset(0)..Offset(10_000));
    stuck.vanish(P0, Offset(1)..Offset(10_000));
    assert_eq!(octets(&topic).await, 10_000);
    broker.tidy(Millis::now()).await;
    assert_eq!(octets(&topic).await, 10);

    let before = commits(&broker, &store);
    broker.tidy(Millis::now()).await;
    assert_eq!(
        commits(&broker, &store),
        before + 1,
        "nothing is said twice"
    );

    let later = lease(&broker, &topic, "later").await;
    assert_eq!(
        (later.floor(P0), later.counts().ready),
        (Some(Offset(0)), 1)
    );
    broker.remove_subscription(&topic, &stuck).await.unwrap();
    broker.remove_subscription(&topic, &later).await.unwrap();
    broker.tidy(Millis::now()).await;
    assert_eq!(octets(&topic).await, 0, "nobody holds it any more");
    assert_eq!(topic.bounds(P0).unwrap().start, Offset(10_000));
}

#[tokio::test]
async fn what_is_short_and_in_the_middle_is_left_alone() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Settled).await;
    let queue = lease(&broker, &topic, "workers").await;
    append(&broker, &topic, 1).await;
    for _ in 0..500 {
        append(&broker, &topic, 1).await;
    }
    queue.vanish(P0, Offset(1)..Offset(500));
    broker.tidy(Millis::now()).await;
    assert_eq!(octets(&topic).await, 501, "not worth a word");
    queue.vanish(P0, Offset(500)..Offset(501));
    broker.tidy(Millis::now()).await;
    assert_eq!(octets(&topic).await, 1, "nothing but the first is left");
}

#[tokio::test]
async fn without_a_holder_nothing_goes() {
    let broker = open(&Arc::default()).await;
    let topic = topic(&broker, Retention::Settled).await;
    append(&broker, &topic, 5000).await;
    broker.tidy(Millis::now()).await;
    assert_eq!(octets(&topic).await, 5000);
}

#[derive(Debug, Clone)]
enum Step {
    Append(u32),
    Settle(usize, u64, u64),
    Commit(u64),
    Seek(usize, u64),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u32..700).prop_map(Step::Append),
        6 => (0usize..2, 0u64..9000, 1u64..3000).prop_map(|(who, at, n)| Step::Settle(who, at, n)),
        1 => (0u64..9000).prop_map(Step::Commit),
        1 => (0usize..2, 0u64..9000).prop_map(|(who, to)| Step::Seek(who, to)),
        3 => Just(Step::Tidy),
    ]
}

/// Holders, and for each what it has settled, offset by offset; the last one is a group.
struct Model {
    broker: Broker,
    topic: Arc<Topic>,
    leases: Vec<Arc<Subscription>>,
    settled: Vec<Vec<bool>>,
    end: u64,
}

impl Model {
    async fn new() -> Self {
        let broker = open(&Arc::default()).await;
        let topic = topic(&broker, Retention::Settled).await;
        let leases = vec![
            lease(&broker, &topic, "a").await,
            lease(&broker, &topic, "b").await,
        ];
        let mut model = Self {
            broker,
            topic,
            leases,
            settled: vec![Vec::new(); 3],
            end: 0,
        };
        model.apply(&Step::Commit(0)).await;
        model
    }

    async fn apply(&mut self, step: &Step) {
        match step {
            Step::Append(span) => {
                append(&self.broker, &self.topic, *span).await;
                self.end += u64::from(*span);
                let end = self.end as usize;
                self.settled.iter_mut().for_each(|s| s.resize(end, false));
            }
            Step::Settle(who, at, length) => {
                let (at, to) = ((*at).min(self.end), (at + length).min(self.end));
                self.leases[*who].vanish(P0, Offset(at)..Offset(to));
                self.settled[*who][at as usize..to as usize].fill(true);
            }
            Step::Commit(to) => {
                let to = (*to).min(self.end);
                let offset = GroupOffset {
                    topic: "t".into(),
                    partition: P0,
                    offset: Offset(to),
                    leader_epoch: -1,
                    metadata: bytes::Bytes::new(),
                };
                let committed = self.broker.group_commit("/", "group", &[offset]).await;
                committed.unwrap().wait().await.unwrap();
                self.move_floor(2, to);
            }
            Step::Seek(who, to) => {
                let start = self.topic.bounds(P0).unwrap().start;
                let to = (*to).min(self.end).max(start.0);
                self.leases[*who].seek(P0, Offset(to)).await.unwrap();
                self.move_floor(*who, to);
            }
            Step::Tidy => self.broker.tidy(Millis::now()).await,
        }
    }

    /// A step, whichever it is, takes nothing that some holder has not settled.
    async fn apply_checked(&mut self, step: &Step) {
        let mut before = self.gone().await;
        self.apply(step).await;
        before.resize(self.end as usize, false);
        self.check(&before).await;
    }

    fn move_floor(&mut self, who: usize, to: u64) {
        let settled = self.settled[who].iter_mut().enumerate();
        settled.for_each(|(at, settled)| *settled = (at as u64) < to);
    }

    /// Which offsets the store does not have.
    async fn gone(&self) -> Vec<bool> {
        let log = self.topic.partition(P0).unwrap().log;
        let start = self.topic.store.bounds(log).await.unwrap().start;
        let entries = self.topic.store.read(log, start, EVERYTHING).await.unwrap();
        let mut gone = vec![true; self.end as usize];
        for entry in entries {
            let (from, to) = (entry.base_offset.0, entry.end_offset().0);
            gone[from as usize..to as usize].fill(false);
        }
        gone
    }

    /// What went since `before` was settled by all.
    async fn check(&self, before: &[bool]) {
        for (at, gone) in self.gone().await.into_iter().enumerate() {
            let all = self.settled.iter().all(|settled| settled[at]);
            assert!(!gone || before[at] || all, "{at} went, and was not settled");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_goes_that_some_holder_has_not_settled(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in &steps {
                model.apply_checked(step).await;
            }
            let end = model.end;
            for who in 0..2 {
                model.apply(&Step::Settle(who, 0, end)).await;
            }
            model.apply(&Step::Commit(end)).await;
            model.apply(&Step::Tidy).await;
            assert_eq!(octets(&model.topic).await, 0, "all is settled, and all comes back");
        });
    }
}
