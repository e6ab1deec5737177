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
    /// Octets of all bindings' arguments together, in the native encoding.
    pub all_arguments_bytes: usize,
    /// Arguments of a binding that a headers exchange matches by.
    pub rule_arguments: usize,
    /// Steps of one route: looks at a destination, a rule, a word of a pattern, 64 octets of a value.
    pub route_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exchanges: 100_000,
            bindings: 1_000_000,
            text_bytes: 255,
            depth: 32,
            arguments_bytes: 64 * 1024,
            all_arguments_bytes: 32 << 20,
            rule_arguments: 256,
            route_steps: 1_000_000,
        }
    }
}

impl Limits {
    /// None of them.
    pub(super) const NONE: Self = Self {
        exchanges: usize::MAX,
        bindings: usize::MAX,
        text_bytes: usize::MAX,
        depth: usize::MAX,
        arguments_bytes: usize::MAX,
        all_arguments_bytes: usize::MAX,
        rule_arguments: usize::MAX,
        route_steps: usize::MAX,
    };
}
