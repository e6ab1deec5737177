//! The end of channels, which nobody needs to wait for.

use tokio::task::JoinSet;

use super::{channel::Channel, refusal::Handled};

/// Channels on their way to their end.
///
/// Each ends in a task of its own: a connection stops waiting when its client is gone, and half an end
/// would leave what the channel holds leased for ever.
#[derive(Debug, Default)]
pub(super) struct Ending(JoinSet<Handled>);

impl Ending {
    /// Begins to end a channel; [`Ending::finished`] waits for it.
    pub(super) fn begin(&mut self, channel: Channel) {
        self.0.spawn(channel.end());
    }

    /// Ends a channel. Cancel-safe: then [`Ending::finished`] waits for it.
    pub(super) async fn end(&mut self, channel: Channel) {
        self.begin(channel);
        self.finished().await;
    }

    /// Waits until all that were to end have. Cancel-safe.
    pub(super) async fn finished(&mut self) {
        while let Some(ended) = self.0.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) => tracing::error!(
                    refusal = refusal.text,
                    "a closed channel's settlements are not persisted"
                ),
                Err(error) => tracing::error!(%error, "a channel's end failed"),
            }
        }
    }
}
