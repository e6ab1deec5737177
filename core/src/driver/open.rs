//! How a consumer is opened, beyond its address.

/// When a consumer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// When it is closed; a file ends with its last line.
    #[default]
    Closed,
    /// When everything that was there when it was opened has been received (`--drain`): the end
    /// offsets seen at the start; where a source has none ([`Draining::Idle`](super::Draining)),
    /// when nothing is ready twice, 500 ms apart, with nothing of ours unsettled.
    End,
}

/// How a consumer is opened, beyond its address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// When it ends.
    pub until: Until,
    /// The group of a positional source whose address names none, such as `standpipe-` and the
    /// route's name; without either it remembers nothing.
    pub default_group: Option<String>,
    /// Messages that may be unsettled at a time (a prefetch); `None` leaves it to the driver.
    pub window: Option<u32>,
}

impl OpenOptions {
    /// Ends at the end offsets seen at the start.
    pub fn drain() -> Self {
        Self {
            until: Until::End,
            ..Self::default()
        }
    }

    /// Sets the group of a positional source whose address names none.
    #[must_use]
    pub fn with_default_group(mut self, group: impl Into<String>) -> Self {
        self.default_group = Some(group.into());
        self
    }
}
