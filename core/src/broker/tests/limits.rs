//! What a topic has at most.

use super::*;
use crate::{broker::Limits, driver::StartAt, error::ErrorKind};

#[tokio::test]
async fn subscriptions_and_their_names_have_limits() {
    let limits = Limits {
        subscriptions: 2,
        subscription_name: 5,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let store: Arc<MemoryStore> = Arc::default();
    let broker = Broker::open(store, Codecs::default(), options)
        .await
        .unwrap();
    let topic = topic(&broker, Retention::Forever).await;
    let subscribe = |name: &'static str| {
        let mode = Mode::Positional;
        broker.ensure_subscription(&topic, name, mode, StartAt::Earliest)
    };
    let refused = subscribe("longer").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("up to 5 octets"), "{refused}");
    for name in ["one", "two", "one"] {
        subscribe(name).await.unwrap();
    }
    let refused = subscribe("three").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.message().contains("2 subscriptions"), "{refused}");
}
