//! A progress bar: on stderr, and only where that is a terminal.

use std::io::IsTerminal as _;

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use standpipe_core::{Result, driver::Producer, message::Message};

/// A destination that shows how many messages it has confirmed.
pub(crate) struct Shown {
    inner: Box<dyn Producer>,
    bar: ProgressBar,
}

impl Shown {
    /// Wraps `inner`; where stderr is no terminal, or stdout is the same one, it stays as it is.
    pub(crate) fn wrap(inner: Box<dyn Producer>) -> Box<dyn Producer> {
        if !std::io::stderr().is_terminal() || std::io::stdout().is_terminal() {
            return inner;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {human_pos} messages, {per_sec}");
        bar.set_style(style.expect("the template is a constant"));
        Box::new(Self { inner, bar })
    }
}

#[async_trait]
impl Producer for Shown {
    async fn send(&mut self, batch: Vec<Message>) -> Vec<Result<()>> {
        let results = self.inner.send(batch).await;
        self.bar
            .inc(results.iter().filter(|result| result.is_ok()).count() as u64);
        results
    }

    async fn close(&mut self) -> Result<()> {
        self.bar.finish();
        self.inner.close().await
    }
}
