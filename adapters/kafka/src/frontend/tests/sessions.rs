//! Fetch sessions (KIP-227), of which there are none here.

use super::*;

async fn answered(socket: &mut TcpStream, session_id: i32, session_epoch: i32) -> FetchResponse {
    let request = FetchRequest {
        session_id,
        session_epoch,
        ..fetch("t", 0, 0)
    };
    ask(socket, ApiKey::Fetch, 12, &request).await
}

#[tokio::test]
async fn a_fetch_that_names_its_partitions_is_answered_whatever_session_it_ends() {
    let served = served().await;
    served.broker.ensure_topic(NAMESPACE, "t").await.unwrap();
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (id, epoch) in [(0, -1), (0, 0), (-1, -1), (7, -1), (7, 0)] {
        let answer = answered(&mut socket, id, epoch).await;
        assert_eq!(
            (answer.error_code, answer.session_id),
            (0, 0),
            "{id} {epoch}"
        );
        assert_eq!(answer.responses[0].partitions[0].error_code, 0);
    }
}

#[tokio::test]
async fn a_fetch_that_goes_on_in_a_session_is_told_that_there_is_none() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    for (id, epoch) in [(7, 1), (0, 1), (7, -2)] {
        let answer = answered(&mut socket, id, epoch).await;
        let expected = ErrorCode::FetchSessionIdNotFound.number();
        assert_eq!(answer.error_code, expected, "{id} {epoch}");
    }
}
