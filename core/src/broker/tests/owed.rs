//! A store that refuses declares and deletes for a while.

use super::{
    moody::{Refusing, broker_on},
    *,
};
use crate::{
    broker::QueueSpec,
    error::{ErrorKind, Result},
    message::Text,
    router::{Binding, Destination, ExchangeKind, ExchangeSpec},
};

/// What is refused is refused again, and not answered as done because memory has it; once the store
/// takes it, it is there after a restart, as `is_done` sees it.
async fn is_kept_before_it_is_answered(
    store: &Refusing,
    act: impl AsyncFn(&Broker) -> Result<()>,
    is_done: impl Fn(&Broker) -> bool,
) {
    let broker = broker_on(store).await;
    store.refuse(true);
    for _ in 0..2 {
        let refused = act(&broker).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Throttled, "{refused}");
    }
    store.refuse(false);
    match act(&broker).await {
        Ok(()) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
    assert!(is_done(&broker));
    assert!(is_done(&broker_on(store).await), "after a restart too");
}

fn binding() -> Binding {
    Binding::new("ex", Destination::Topic("q".into()), Text::from("k"))
}

#[tokio::test]
async fn what_the_store_refused_is_not_answered_before_it_is_kept() {
    let store = Refusing::default();
    let queue = || QueueSpec::new("/", "q");
    let exchange = || ExchangeSpec::new("ex", ExchangeKind::Direct);
    let declare = async |broker: &Broker| broker.declare_exchange("/", exchange()).await.map(drop);
    is_kept_before_it_is_answered(&store, declare, |b| b.exchange("/", "ex").is_some()).await;
    let declare = async |broker: &Broker| broker.declare_queue(queue()).await.map(drop);
    is_kept_before_it_is_answered(&store, declare, |b| b.topic("/", "q").is_some()).await;
    let bind = async |broker: &Broker| broker.bind("/", binding()).await;
    is_kept_before_it_is_answered(&store, bind, |b| b.bindings("/").len() == 1).await;
    let unbind = async |broker: &Broker| broker.unbind("/", &binding()).await;
    is_kept_before_it_is_answered(&store, unbind, |b| b.bindings("/").is_empty()).await;
    let delete = async |broker: &Broker| {
        let deleted = broker.delete_queue("/", "q", false, false).await;
        deleted.map(drop)
    };
    is_kept_before_it_is_answered(&store, delete, |b| b.topic("/", "q").is_none()).await;
    let delete = async |broker: &Broker| broker.delete_exchange("/", "ex", false).await;
    is_kept_before_it_is_answered(&store, delete, |b| b.exchange("/", "ex").is_none()).await;
}
