//! Numbered programs under `examples/`; see each one's first lines.
