//! Lists and descriptions of topics: they wait for their turns, and nothing waits for them.

use standpipe_core::{
    broker::Broker,
    frontend::AnswerTurns,
    session::{AdminRequest, serve_admin},
};
use tokio::sync::mpsc;

use super::writer::FrameOutlet;
use crate::codec::ServerFrame;

/// Whether the answer grows with the broker.
pub(super) fn is_large(request: &AdminRequest) -> bool {
    matches!(request, AdminRequest::List | AdminRequest::Describe(_))
}

/// Answers one after the other, each in its turn, until the requests end.
pub(super) async fn describe(
    broker: Broker,
    turns: AnswerTurns,
    mut requests: mpsc::Receiver<(u64, AdminRequest)>,
    frames: FrameOutlet,
) {
    while let Some((id, request)) = requests.recv().await {
        match turns.turn().await {
            Ok(turn) => {
                let reply = serve_admin(&broker, request).await;
                let frame = ServerFrame::Admin { id, reply };
                frames.send_in_turn(frame, turn).await;
            }
            Err(error) => {
                let reply = Err(error);
                frames.send(ServerFrame::Admin { id, reply }).await;
            }
        }
    }
}
