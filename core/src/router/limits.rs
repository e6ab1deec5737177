//! What one router holds at most.

/// Bounds on a [`Router`](super::Router); what would pass one is refused with an error that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Exchanges, the predeclared ones included.
    pub exchanges: usize,
    /// Bindings.
    pub bindings: usize,
    /// Octets in a name or a routing key: AMQP's short string.
    pub text_bytes: usize,
    /// Levels that an argument's value nests.
    pub depth: usize,
    /// Octets of all arguments of one exchange or binding.
    pub arguments_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exchanges: 100_000,
            bindings: 1_000_000,
            text_bytes: 255,
            depth: 32,
            arguments_bytes: 64 * 1024,
        }
    }
}
