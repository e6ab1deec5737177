//! Properties over any order of events.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{
    Client,
    client::{join_of, member, static_join},
};
use crate::group::{Effect, Join, MemberId, Options, Refusal, State};

/// Slots 3 and above are static members.
const SLOTS: usize = 5;
const FIRST_STATIC: usize = 3;

#[derive(Debug, Clone)]
enum Event {
    Join {
        slot: usize,
        forgetful: bool,
        asks: bool,
        reversed: bool,
    },
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Commit(usize),
    Pass(u64),
}

/// What a client at one slot believes.
#[derive(Debug, Clone, Default)]
struct Belief {
    member_id: String,
    generation: i32,
    /// The members whom it was told to assign to, where it leads.
    leads: Vec<MemberId>,
}

struct World {
    client: Client,
    slots: Vec<Belief>,
    joins: BTreeMap<u64, usize>,
    syncs: BTreeMap<u64, (String, i32)>,
    leaders: BTreeMap<i32, MemberId>,
    generation: i32,
}

fn event() -> impl Strategy<Value = Event> {
    let slot = 0..SLOTS;
    prop_oneof![
        6 => (slot.clone(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(slot, forgetful, asks, reversed)| Event::Join { slot, forgetful, asks, reversed }
        ),
        6 => slot.clone().prop_map(Event::Sync),
        3 => slot.clone().prop_map(Event::Heartbeat),
        1 => slot.clone().prop_map(Event::Leave),
        1 => slot.prop_map(Event::Commit),
        3 => (0u64..12_000).prop_map(Event::Pass),
    ]
}

impl World {
    fn new(delay: u64) -> Self {
        let options = Options {
            initial_rebalance_delay: Duration::from_millis(delay),
            empty_retention: Duration::from_secs(3600 * 24),
            members: 4,
            ..Options::default()
        };
        Self {
            client: Client::new(options),
            slots: vec![Belief::default(); SLOTS],
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            leaders: BTreeMap::new(),
            generation: 0,
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Join {
                slot,
                forgetful,
                asks,
                reversed,
            } => {
                self.join(slot, forgetful, asks, reversed);
            }
            Event::Sync(slot) => self.sync(slot),
            Event::Heartbeat(slot) => {
                let Belief {
                    member_id,
                    generation,
                    ..
                } = self.slots[slot].clone();
                let _ = self.client.heartbeat(&member_id, generation);
            }
            Event::Leave(slot) => {
                let id = self.slots[slot].member_id.clone();
                let _ = self.client.leave(&id);
            }
            Event::Commit(slot) => {
                let Belief {
                    member_id,
                    generation,
                    ..
                } = self.slots[slot].clone();
                let who = member(&member_id, generation);
                let allowed = self.client.coordinator.check_commit(&who, self.client.now);
                let awaits_assignment = self.state() == Some(State::CompletingRebalance);
                assert!(!(awaits_assignment && allowed.is_ok()));
            }
            Event::Pass(millis) => self.client.pass(Duration::from_millis(millis)),
        }
        self.look();
    }

    fn join(&mut self, slot: usize, forgetful: bool, asks: bool, reversed: bool) {
        let id = if forgetful {
            String::new()
        } else {
            self.slots[slot].member_id.clone()
        };
        let mut join = match slot {
            FIRST_STATIC.. => static_join(&id, &format!("i{slot}")),
            _ => join_of(&id),
        };
        if reversed {
            join.protocols.reverse();
        }
        let caller = self.client.join(Join {
            asks_for_member_id: asks,
            ..join
        });
        self.joins.insert(caller, slot);
    }

    fn sync(&mut self, slot: usize) {
        let belief = self.slots[slot].clone();
        let names: Vec<_> = belief
            .leads
            .iter()
            .map(|id| (id.to_string(), format!("{} {id}", belief.generation)))
            .collect();
        let assignments: Vec<_> = names
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let who = member(&belief.member_id, belief.generation);
        let caller = self.client.sync(who, &assignments);
        self.syncs
            .insert(caller, (belief.member_id, belief.generation));
    }

    fn state(&self) -> Option<State> {
        self.client
            .coordinator
            .describe("g")
            .map(|group| group.state)
    }

    /// Takes in the answers that came, and checks them.
    fn look(&mut self) {
        for (caller, reply) in std::mem::take(&mut self.client.joins) {
            let slot = self
                .joins
                .remove(&caller)
                .expect("answered once, and only who asked");
            match reply {
                Ok(joined) => {
                    if !joined.members.is_empty() && !joined.skip_assignment {
                        let id = joined.member_id.clone();
                        let leader = self.leaders.entry(joined.generation).or_insert(id);
                        assert_eq!(*leader, joined.member_id, "one leader a generation");
                    }
                    self.slots[slot] = Belief {
                        member_id: joined.member_id.to_string(),
                        generation: joined.generation,
                        leads: joined.members.into_iter().map(|m| m.member_id).collect(),
                    };
                }
                Err(Refusal::MemberIdRequired(id)) => self.slots[slot].member_id = id.to_string(),
                Err(Refusal::UnknownMember) => self.slots[slot] = Belief::default(),
                Err(_) => {}
            }
        }
        for (caller, reply) in std::mem::take(&mut self.client.syncs) {
            let (id, generation) = self.syncs.remove(&caller).expect("answered once");
            if let Ok(synced) = reply {
                let text = String::from_utf8_lossy(&synced.assignment).into_owned();
                let of = text.split(' ').next().and_then(|n| n.parse::<i32>().ok());
                assert!(
                    text.is_empty() || of == Some(generation),
                    "{text} in {generation} of {id}"
                );
            }
        }
        self.check_group();
    }

    fn check_group(&mut self) {
        let ended = |effect: &Effect| matches!(effect, Effect::Expired { .. });
        let was_forgotten = self.client.news.drain(..).any(|effect| ended(&effect));
        let Some(group) = self.client.coordinator.describe("g") else {
            self.leaders.clear();
            self.generation = 0;
            return;
        };
        assert!(
            was_forgotten || group.generation >= self.generation,
            "the generation only rises"
        );
        self.generation = group.generation;
        assert_eq!(
            group.members.is_empty(),
            group.state == State::Empty || self.is_waiting(&group.state)
        );
        assert!(group.members.len() <= 4);
        let due = self.client.coordinator.next_deadline();
        assert!(due.is_some(), "a group always has something to wait for");
    }

    fn is_waiting(&self, state: &State) -> bool {
        let members = self
            .client
            .coordinator
            .describe("g")
            .map_or(0, |group| group.members.len());
        *state == State::PreparingRebalance && members == 0
    }
}

proptest! {
    #[test]
    fn any_order_of_events_keeps_the_promises(
        events in prop::collection::vec(event(), 1..120),
        delay in prop::sample::select(vec![0u64, 0, 3_000]),
    ) {
        let mut world = World::new(delay);
        events.into_iter().for_each(|event| world.apply(event));
        world.client.pass(Duration::from_secs(3600));
        world.look();
        prop_assert!(world.joins.is_empty(), "every join is answered in the end");
        prop_assert!(world.syncs.is_empty(), "every sync is answered in the end");
        prop_assert!(matches!(world.state(), None | Some(State::Empty)), "silence empties a group");
    }

    #[test]
    fn members_that_do_their_part_become_stable_in_one_generation(
        events in prop::collection::vec(event(), 1..80),
        size in 1usize..4,
    ) {
        let mut world = World::new(0);
        events.into_iter().for_each(|event| world.apply(event));
        world.client.pass(Duration::from_secs(3600));
        world.look();
        for _ in 0..4 * size {
            (0..size).for_each(|slot| world.apply(Event::Join {
                slot, forgetful: false, asks: true, reversed: false,
            }));
            (0..size).for_each(|slot| world.apply(Event::Sync(slot)));
            let steady = |world: &mut World, slot: usize| {
                let Belief { member_id, generation, .. } = world.slots[slot].clone();
                world.client.heartbeat(&member_id, generation).is_ok()
            };
            if world.state() == Some(State::Stable) && (0..size).all(|s| steady(&mut world, s)) {
                break;
            }
        }
        let group = world.client.coordinator.describe("g").expect("it has members");
        prop_assert_eq!(group.state, State::Stable);
        prop_assert_eq!(group.members.len(), size);
        for member in group.members {
            let expected = format!("{} {}", group.generation, member.member_id);
            prop_assert_eq!(&*member.assignment, expected.as_bytes());
        }
    }
}
