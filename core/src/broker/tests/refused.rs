//! Appends that the store refuses.

use super::{
    moody::{Refusing, broker_on},
    *,
};
use crate::error::ErrorKind;

#[tokio::test]
async fn a_batch_that_was_refused_is_no_repeat_when_it_comes_again() {
    let store = Refusing::default();
    let broker = broker_on(&store).await;
    let topic = topic(&broker, Retention::Forever).await;
    for sequence in [0, 5, 10] {
        store.refuse(true);
        let refused = append(&broker, &topic, sequence);
        assert!(
            matches!(refused, Err(AppendError::Other(error)) if error.kind() == ErrorKind::Throttled)
        );
        store.refuse(false);
        let appended = append(&broker, &topic, sequence).unwrap();
        appended.confirm.await.unwrap();
        let end = topic.bounds(P0).unwrap().end;
        assert_eq!(end, Offset(sequence.unsigned_abs().into()).plus(5));
    }
}
