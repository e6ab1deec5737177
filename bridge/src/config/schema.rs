//! The keys that a configuration may hold: one readable table.

use super::place::{Path, Step};

/// What may stand at a place.
pub(super) enum Shape {
    /// A table with exactly these keys.
    Table(&'static [(&'static str, Shape)]),
    /// A list of one kind of thing.
    List(&'static Shape),
    /// A value; its type is checked where it is read.
    Value,
}

/// The whole configuration.
pub(super) static ROOT: Shape = Shape::Table(&[
    ("data", Shape::Value),
    ("listen", Shape::Table(LISTEN)),
    ("kafka", Shape::Table(KAFKA)),
    ("route", Shape::List(&Shape::Table(ROUTE))),
]);

const LISTEN: &[(&str, Shape)] = &[
    ("amqp", Shape::Value),
    ("kafka", Shape::Value),
    ("grpc", Shape::Value),
    ("native", Shape::Value),
    ("http", Shape::Value),
    ("kafka_advertise", Shape::Value),
];

const KAFKA: &[(&str, Shape)] = &[
    ("num_partitions", Shape::Value),
    ("auto_create_topics", Shape::Value),
    ("group_initial_rebalance_delay", Shape::Value),
    ("group_min_session_timeout", Shape::Value),
    ("group_max_session_timeout", Shape::Value),
];

const ROUTE: &[(&str, Shape)] = &[
    ("name", Shape::Value),
    ("from", Shape::Value),
    ("to", Shape::Value),
    ("transform", Shape::List(&Shape::Table(STEP))),
    ("order", Shape::Value),
    ("guarantee", Shape::Value),
];

const STEP: &[(&str, Shape)] = &[
    ("drop", Shape::Value),
    ("set", Shape::Value),
    ("rename", Shape::Value),
    ("jq", Shape::Value),
    ("exec", Shape::Value),
    ("exec_lines", Shape::Value),
    ("plugin", Shape::Value),
];

/// Checks that `path` exists in the schema.
///
/// # Errors
/// A message with the key and the known ones.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let mut shape = &ROOT;
    for step in &path.0 {
        shape = match (shape, step) {
            (Shape::Value, _) => return Ok(()),
            (Shape::List(item), Step::Index(_)) => item,
            (Shape::Table(known), Step::Key(key)) => child(known, key)?,
            (Shape::List(_), Step::Key(_)) => {
                return Err(format!("`{path}`: a list of tables belongs here"));
            }
            (Shape::Table(_), Step::Index(_)) => {
                return Err(format!("`{path}`: a table belongs here, not a list"));
            }
        };
    }
    Ok(())
}

/// The keys of `[listen]`.
pub(super) fn listen_keys() -> impl Iterator<Item = &'static str> {
    LISTEN.iter().map(|(key, _)| *key)
}

fn child<'a>(known: &'a [(&'static str, Shape)], key: &str) -> Result<&'a Shape, String> {
    if let Some((_, shape)) = known.iter().find(|(name, _)| *name == key) {
        return Ok(shape);
    }
    let mut names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    Err(format!("unknown key `{key}`; known: {}", names.join(", ")))
}
