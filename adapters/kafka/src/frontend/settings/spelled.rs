//! Settings that the core has words of its own for, as they were spelled when they were set: a tool sees
//! its own words again, and that it set them, though they are the default.

use standpipe_core::broker::TopicSpec;

/// Takes note of a setting that was set.
pub(super) fn note(spec: &mut TopicSpec, name: &str, value: &str) {
    spec.notes.insert(key(name), value.into());
}

/// Forgets that it was.
pub(super) fn forget(spec: &mut TopicSpec, name: &str) {
    spec.notes.remove(&key(name));
}

/// What was set and `holds` still: other protocols change what a topic keeps as well.
pub(super) fn held(
    spec: &TopicSpec,
    name: &str,
    holds: impl FnOnce(&str) -> bool,
) -> Option<String> {
    let noted = spec.notes.get(&key(name));
    noted.filter(|value| holds(value)).cloned()
}

/// No setting is called so: under its own name a value may be noted that acts.
fn key(name: &str) -> String {
    format!("={name}")
}
