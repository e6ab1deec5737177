//! Against a timer that every use stops and starts, as RabbitMQ's queues have it.

use proptest::prelude::*;

use super::*;

const AFTER: u64 = 10;

#[derive(Debug, Clone, Copy)]
enum Event {
    /// Declared again, or a message got.
    Use,
    Attach,
    Detach,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Use),
        Just(Event::Attach),
        Just(Event::Detach),
        (1..AFTER + 3).prop_map(Event::Pass),
    ]
}

/// Time in steps, with the alarm of a [`Disuse`] beside the timer that it stands for.
struct Model {
    start: Instant,
    now: u64,
    consumers: u32,
    disuse: Disuse,
    alarms: Vec<Instant>,
    timer: Option<u64>,
}

impl Model {
    fn new() -> Self {
        let start = Instant::now();
        let mut disuse = Disuse::new(Duration::from_millis(AFTER), start);
        Self {
            start,
            now: 0,
            consumers: 0,
            alarms: disuse.used(start).into_iter().collect(),
            disuse,
            timer: Some(AFTER),
        }
    }

    fn at(&self, step: u64) -> Instant {
        self.start + Duration::from_millis(step)
    }

    fn used(&mut self) {
        let now = self.at(self.now);
        self.alarms.extend(self.disuse.used(now));
        if self.consumers == 0 {
            self.timer = Some(self.now + AFTER);
        }
    }

    /// Lets one step pass; whether the two say that its time is over.
    fn step(&mut self) -> (bool, bool) {
        self.now += 1;
        let now = self.at(self.now);
        let (in_use, mut over) = (self.consumers > 0, false);
        if self.alarms.pop_if(|at| *at <= now).is_some() {
            match self.disuse.rang(now, in_use) {
                Verdict::Used => {}
                Verdict::Until(at) => self.alarms.push(at),
                Verdict::Over => over = true,
            }
        }
        let rang = self.timer.take_if(|at| *at <= self.now).is_some();
        (over, rang && !in_use)
    }
}

proptest! {
    #[test]
    fn it_ends_when_a_timer_started_by_every_use_would_end_it(
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut model = Model::new();
        for event in events {
            match event {
                Event::Use => model.used(),
                Event::Attach => model.consumers += 1,
                Event::Detach if model.consumers > 0 => {
                    model.consumers -= 1;
                    model.used();
                }
                Event::Detach => {}
                Event::Pass(steps) => {
                    for _ in 0..steps {
                        let (over, expected) = model.step();
                        prop_assert_eq!(over, expected, "at {}", model.now);
                        prop_assert!(model.alarms.len() <= 1, "one alarm");
                        prop_assert_eq!(model.alarms.last().copied(), model.disuse.alarm());
                        if over {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}
