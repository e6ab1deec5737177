//! Files, stdin and stdout as sources and destinations.
