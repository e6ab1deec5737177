//! The arguments of queues and consumers: what they ask, and which are refused in RabbitMQ's words.
//!
//! Arguments that ask nothing of one node are taken where RabbitMQ takes them, and change nothing:
//! clients send some of them by default. They are not kept, so that a second declaration need not
//! repeat them.

use std::time::Duration;

use standpipe_core::{
    Error,
    broker::Retention,
    message::{Text, Value},
};

use crate::{
    codec::table::Table,
    frontend::{
        period::milliseconds,
        refusal::{Handled, Refusal},
    },
};

const QUEUE_TYPE: &str = "x-queue-type";
/// The argument that deletes the queue when it was not used for so many milliseconds.
const EXPIRES: &str = "x-expires";
/// The argument that chooses what the queue's topic keeps.
const RETENTION: &str = "x-standpipe-retention";

/// What a value is refused for, if it is.
type Check = fn(&Value) -> Result<(), String>;

/// Queues may have these. The first three are checked where they are read.
const OF_QUEUES: [(&str, Check); 8] = [
    (QUEUE_TYPE, anything),
    (EXPIRES, anything),
    (RETENTION, anything),
    // Nobody has read this one since RabbitMQ 3.0, and still a client sends it with every queue.
    ("x-ha-policy", anything),
    ("x-queue-master-locator", any_text),
    ("x-queue-leader-locator", locator),
    ("x-queue-mode", mode),
    ("x-queue-version", version),
];

/// Consumers may have these.
const OF_CONSUMERS: [(&str, Check); 2] =
    [("x-priority", priority), ("x-cancel-on-ha-failover", truth)];

/// Refuses what a queue cannot be declared with.
pub(in crate::frontend) fn check_queue(arguments: &Table, queue: &str) -> Handled {
    check(arguments, queue, &OF_QUEUES)
}

/// Refuses what a consumer of the queue cannot have.
pub(in crate::frontend) fn check_consumer(arguments: &Table, queue: &str) -> Handled {
    check(arguments, queue, &OF_CONSUMERS)
}

/// What is not an `x-` argument means nothing, as in RabbitMQ.
fn check(arguments: &Table, queue: &str, known: &[(&str, Check)]) -> Handled {
    for (name, value) in arguments {
        let refused = match known.iter().find(|(known, _)| *name == *known) {
            Some((_, check)) => check(value),
            None if name.as_bytes().starts_with(b"x-") => Err("not implemented".to_owned()),
            None => Ok(()),
        };
        refused.map_err(|why| invalid(&name.lossy(), queue, &why))?;
    }
    Ok(())
}

fn invalid(argument: &str, queue: &str, why: &str) -> Refusal {
    Refusal::precondition_failed(format!(
        "invalid arg '{argument}' for queue '{queue}' in vhost '/': {why}"
    ))
}

/// What the queue's topic keeps.
pub(super) fn retention_of(arguments: &Table, queue: &str) -> Handled<Option<Retention>> {
    let Some((_, value)) = arguments.iter().find(|(name, _)| *name == RETENTION) else {
        return Ok(None);
    };
    match value {
        Value::Text(text) => text
            .lossy()
            .parse()
            .map(Some)
            .map_err(|error: Error| invalid(RETENTION, queue, error.message())),
        _ => Err(invalid(RETENTION, queue, "expected longstr")),
    }
}

/// The arguments that a second declaration must repeat. A classic queue is what we have anyway,
/// so saying so makes no difference.
pub(super) fn compared(arguments: Table, queue: &str) -> Handled<Table> {
    if let Some((_, kind)) = arguments.iter().find(|(name, _)| *name == QUEUE_TYPE)
        && *kind != Value::from("classic")
    {
        return Err(invalid(
            QUEUE_TYPE,
            queue,
            "only queues of type 'classic' are implemented",
        ));
    }
    let kept = arguments
        .into_iter()
        .filter(|(name, _)| *name == RETENTION || *name == EXPIRES);
    Ok(kept.collect())
}

/// The texts are RabbitMQ's `check_expires_arg`.
pub(super) fn expires_of(arguments: &Table, queue: &str) -> Handled<Option<Duration>> {
    let Some((_, value)) = arguments.iter().find(|(name, _)| *name == EXPIRES) else {
        return Ok(None);
    };
    let number = match integer(value) {
        Ok(0) => Err("{value_zero,0}".to_owned()),
        Ok(number) => milliseconds(number.into()),
        Err(why) => Err(why),
    };
    match number {
        Ok(ms) => Ok(Some(Duration::from_millis(ms))),
        Err(why) => Err(invalid(EXPIRES, queue, &why)),
    }
}

fn anything(_: &Value) -> Result<(), String> {
    Ok(())
}

fn integer(value: &Value) -> Result<i64, String> {
    let number = value.as_integer();
    number.ok_or_else(|| format!("\"expected integer, got {}\"", value.kind()))
}

fn text(value: &Value) -> Result<&Text, String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(unacceptable(value)),
    }
}

fn unacceptable(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.kind())
}

fn any_text(value: &Value) -> Result<(), String> {
    text(value).map(|_| ())
}

fn locator(value: &Value) -> Result<(), String> {
    let asked = text(value)?;
    let known = [
        "client-local",
        "balanced",
        "random",
        "least-leaders",
        "min-masters",
    ];
    match known.iter().any(|known| *asked == *known) {
        true => Ok(()),
        false => Err("invalid_queue_locator_arg".to_owned()),
    }
}

fn mode(value: &Value) -> Result<(), String> {
    let mode = text(value)?;
    match *mode == "default" || *mode == "lazy" {
        true => Ok(()),
        false => Err(format!("\"unsupported queue mode '{mode}'\"")),
    }
}

fn version(value: &Value) -> Result<(), String> {
    match integer(value)? {
        1 | 2 => Ok(()),
        negative @ ..=-1 => Err(format!("{{value_negative,{negative}}}")),
        other => Err(format!("\"unsupported queue version '{other}'\"")),
    }
}

/// Zero is what a consumer has that asks for none.
fn priority(value: &Value) -> Result<(), String> {
    match integer(value)? {
        0 => Ok(()),
        other => Err(format!("{other} is not implemented, only 0 is")),
    }
}

fn truth(value: &Value) -> Result<(), String> {
    match value {
        Value::Bool(_) => Ok(()),
        _ => Err(unacceptable(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Checked = fn(&Table, &str) -> Handled;

    fn checked(check: Checked, name: &str, value: &Value) -> Handled {
        check(&vec![(Text::from(name), value.clone())], "q")
    }

    fn refused(check: Checked, name: &str, value: &Value) -> String {
        let refusal = checked(check, name, value).unwrap_err();
        assert_eq!(refusal.code, 406);
        let begin =
            format!("PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/': ");
        let why = refusal.text.strip_prefix(&begin);
        why.expect("the argument and the queue are named")
            .to_owned()
    }

    #[test]
    fn what_asks_nothing_of_one_node_is_taken_and_not_kept() {
        let taken = [
            ("x-ha-policy", Value::from("all")),
            ("x-ha-policy", Value::I32(1)),
            ("x-queue-master-locator", Value::from("client-local")),
            ("x-queue-master-locator", Value::from("min-masters")),
            ("x-queue-leader-locator", Value::from("client-local")),
            ("x-queue-leader-locator", Value::from("balanced")),
            ("x-queue-mode", Value::from("default")),
            ("x-queue-mode", Value::from("lazy")),
            ("x-queue-version", Value::I32(1)),
            ("x-queue-version", Value::U8(2)),
            ("x-queue-type", Value::from("classic")),
            ("comment", Value::I32(1)),
        ];
        for (name, value) in taken {
            assert_eq!(checked(check_queue, name, &value), Ok(()), "{name}");
            let table = vec![(Text::from(name), value)];
            assert_eq!(compared(table, "q"), Ok(Table::new()), "{name}");
        }
        for zero in [Value::I8(0), Value::I32(0), Value::I64(0)] {
            assert_eq!(checked(check_consumer, "x-priority", &zero), Ok(()));
        }
        let failover = Value::Bool(true);
        let taken = checked(check_consumer, "x-cancel-on-ha-failover", &failover);
        assert_eq!(taken, Ok(()));
    }

    #[test]
    fn values_that_rabbitmq_refuses_are_refused_in_its_words() {
        for (name, value, why) in [
            (
                "x-queue-master-locator",
                Value::I32(1),
                "{unacceptable_type,signedint}",
            ),
            (
                "x-queue-leader-locator",
                Value::Bool(true),
                "{unacceptable_type,bool}",
            ),
            (
                "x-queue-leader-locator",
                Value::from("here"),
                "invalid_queue_locator_arg",
            ),
            ("x-queue-mode", Value::I64(1), "{unacceptable_type,long}"),
            (
                "x-queue-mode",
                Value::from("busy"),
                r#""unsupported queue mode 'busy'""#,
            ),
            (
                "x-queue-version",
                Value::from("2"),
                r#""expected integer, got longstr""#,
            ),
            ("x-queue-version", Value::I32(-1), "{value_negative,-1}"),
            (
                "x-queue-version",
                Value::I32(3),
                r#""unsupported queue version '3'""#,
            ),
            ("x-max-length", Value::I32(3), "not implemented"),
            ("x-priority", Value::I32(0), "not implemented"),
        ] {
            assert_eq!(refused(check_queue, name, &value), why);
        }
        for (name, value, why) in [
            (
                "x-priority",
                Value::from("0"),
                r#""expected integer, got longstr""#,
            ),
            (
                "x-priority",
                Value::I32(5),
                "5 is not implemented, only 0 is",
            ),
            (
                "x-priority",
                Value::I32(-5),
                "-5 is not implemented, only 0 is",
            ),
            (
                "x-cancel-on-ha-failover",
                Value::I8(1),
                "{unacceptable_type,byte}",
            ),
            ("x-ha-policy", Value::from("all"), "not implemented"),
        ] {
            assert_eq!(refused(check_consumer, name, &value), why);
        }
    }
}
