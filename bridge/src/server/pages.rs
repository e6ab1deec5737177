//! What the health pages say about a server.

use std::{fmt::Write as _, sync::Arc};

use standpipe_core::{
    broker::{Broker, DEFAULT_NAMESPACE, Topic, TopicBounds},
    dispatcher::Counts,
    id::PartitionId,
};

use super::http::Pages;
use crate::route::RouteStates;

/// Topics, subscriptions and routes as numbers.
pub(super) struct ServerPages {
    broker: Broker,
    routes: RouteStates,
}

impl ServerPages {
    pub(super) fn new(broker: Broker, routes: RouteStates) -> Self {
        Self { broker, routes }
    }
}

impl Pages for ServerPages {
    fn is_ready(&self) -> bool {
        // Nothing is served before the store has recovered, nor after it was closed.
        true
    }

    fn metrics(&self) -> String {
        let topics = self.broker.topics(DEFAULT_NAMESPACE);
        let mut page = Page(String::new());
        for (name, help, number) in LOGS {
            page.family(name, "counter", help);
            topics
                .iter()
                .for_each(|topic| page.log(name, topic, number));
        }
        for (name, help, number) in SUBSCRIPTIONS {
            page.family(name, "gauge", help);
            topics
                .iter()
                .for_each(|topic| page.subscriptions(name, topic, number));
        }
        page.family(LOST, "counter", LOST_HELP);
        topics.iter().for_each(|topic| page.lost(topic));
        page.family(ROUTE_STATE, "gauge", "1 for the state that a route is in");
        for (name, state) in self.routes.all() {
            page.sample(ROUTE_STATE, &[("route", &name), ("state", state.name())], 1);
        }
        page.0
    }
}

type Family<T> = (&'static str, &'static str, fn(T) -> u64);

const LOGS: [Family<TopicBounds>; 2] = [
    ("standpipe_log_end_offset", "Offsets given out", |b| b.end.0),
    ("standpipe_log_start_offset", "First offset kept", |b| {
        b.start.0
    }),
];

const SUBSCRIPTIONS: [Family<Counts>; 3] = [
    ("standpipe_subscription_ready", "Messages that wait", |c| {
        c.ready
    }),
    (
        "standpipe_subscription_leased",
        "Messages out and not settled",
        |c| c.leased,
    ),
    (
        "standpipe_subscription_consumers",
        "Consumers attached",
        |c| c.consumers as u64,
    ),
];

const LOST: &str = "standpipe_subscription_lost";
const LOST_HELP: &str = "Messages that a limit took before they were settled";

const ROUTE_STATE: &str = "standpipe_route_state";

/// A page in Prometheus's text format.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.add(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn log(&mut self, name: &str, topic: &Topic, number: fn(TopicBounds) -> u64) {
        for partition in 0..topic.partition_count() {
            if let Ok(bounds) = topic.bounds(PartitionId(partition)) {
                let partition = partition.to_string();
                let labels = [("topic", &**topic.name()), ("partition", &partition)];
                self.sample(name, &labels, number(bounds));
            }
        }
    }

    fn lost(&mut self, topic: &Arc<Topic>) {
        for subscription in topic.subscriptions() {
            let labels = [
                ("topic", &**topic.name()),
                ("subscription", &**subscription.name()),
            ];
            self.sample(LOST, &labels, subscription.lost());
        }
    }

    fn subscriptions(&mut self, name: &str, topic: &Arc<Topic>, number: fn(Counts) -> u64) {
        for subscription in topic.subscriptions() {
            let labels = [
                ("topic", &**topic.name()),
                ("subscription", &**subscription.name()),
            ];
            self.sample(name, &labels, number(subscription.counts()));
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", escaped(text)))
            .collect();
        self.add(format_args!("{name}{{{}}} {value}\n", labels.join(",")));
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes everything");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
