//! InitProducerId: ids for idempotent producers.

use super::service::Client;
use crate::codec::{
    api::produce::{InitProducerIdRequest, InitProducerIdResponse},
    error_code::ErrorCode,
};

/// A new id at epoch 0; a transactional id is refused.
pub(super) async fn answer(
    client: &Client,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| InitProducerIdResponse {
        error_code: code.number(),
        ..Default::default()
    };
    if request.transactional_id.is_some() {
        return refused(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    match client.broker().new_producer_id().await {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..Default::default()
        },
        Err(error) => {
            tracing::warn!(%error, "no producer id could be given out");
            refused(ErrorCode::CoordinatorNotAvailable)
        }
    }
}
