//! What a coordinator promises, by example and over any order of events.

mod client;
mod commits;
mod examples;
mod limits;
mod passing_time;
mod properties;
mod static_members;

use std::{sync::Arc, time::Duration};

use client::{Client, REBALANCE, SESSION, join_of, member, static_join};

use super::{Effect, Join, Leaver, Listing, MemberId, Membership, Options, Refusal, State, Sync};

const SECOND: Duration = Duration::from_secs(1);

fn client() -> Client {
    Client::new(Options::default())
}

fn state(client: &Client) -> Option<State> {
    client.coordinator.describe("g").map(|group| group.state)
}

/// A stable group of two: (leader, follower), in generation 2.
fn pair(client: &mut Client) -> (String, String) {
    let first = client.joined(join_of(""));
    let one = first.member_id.to_string();
    let second = client.join(join_of(""));
    client.join(join_of(&one));
    let two = client.joins[&second].clone().unwrap().member_id.to_string();
    client.sync(member(&two, 2), &[]);
    client.sync(member(&one, 2), &[(&one, "A"), (&two, "B")]);
    assert_eq!(state(client), Some(State::Stable));
    (one, two)
}

/// The member id that a join which asks for one is sent back with.
fn asked_id(client: &mut Client) -> MemberId {
    let caller = client.join(Join {
        asks_for_member_id: true,
        ..join_of("")
    });
    match client.joins[&caller].clone() {
        Err(Refusal::MemberIdRequired(id)) => id,
        other => panic!("an id is required: {other:?}"),
    }
}
