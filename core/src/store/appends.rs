//! How a store tells that it takes no appends, and when it takes them again.

use tokio::sync::watch;

use crate::error::Error;

/// Why a store takes no appends at the moment, for those who want to know without appending.
///
/// Made from the receiver of a watch that the store holds the other end of; the default never
/// reports anything.
#[derive(Debug, Clone, Default)]
pub struct AppendsRefused(Option<watch::Receiver<Option<Error>>>);

impl AppendsRefused {
    /// Why appends are refused as of now; `None` while they are taken.
    pub fn now(&mut self) -> Option<Error> {
        let told = self.0.as_mut()?.borrow_and_update();
        told.clone()
    }

    /// Waits for a change since the last look; what changed back meanwhile may be passed over.
    /// Never returns where nothing is ever told, or the store is gone. Cancel-safe.
    pub async fn changed(&mut self) {
        if let Some(told) = &mut self.0
            && told.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

impl From<watch::Receiver<Option<Error>>> for AppendsRefused {
    fn from(told: watch::Receiver<Option<Error>>) -> Self {
        Self(Some(told))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_change_is_told_once_and_the_end_of_the_store_is_none() {
        let (tell, told) = watch::channel(None);
        let mut refused = AppendsRefused::from(told);
        assert!(refused.now().is_none());
        assert!(refused.changed().now_or_never().is_none());
        tell.send_replace(Some(Error::new(ErrorKind::Throttled, "append", "full")));
        refused.changed().await;
        assert_eq!(refused.now().unwrap().message(), "full");
        assert!(refused.changed().now_or_never().is_none());
        tell.send_replace(None);
        refused.changed().await;
        assert!(refused.now().is_none());
        drop(tell);
        assert!(refused.changed().now_or_never().is_none());
    }

    #[test]
    fn a_store_that_cannot_tell_never_does() {
        let mut refused = AppendsRefused::default();
        assert!(refused.now().is_none());
        assert!(refused.changed().now_or_never().is_none());
    }
}
