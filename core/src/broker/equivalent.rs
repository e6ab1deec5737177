//! Whether a queue is declared again as it was.

use super::{QueueSpec, Subscription, queue::locked};
use crate::{
    error::{Error, ErrorKind, Result},
    message::{Text, Value},
    router::{Arguments, shown},
};

/// The texts are RabbitMQ's: clients show them, and some match on them.
///
/// # Errors
/// `Denied` where one declaration is exclusive and not the other, or another connection's; `Exists`
/// where they differ otherwise.
pub(super) fn check_equivalent(subscription: &Subscription, spec: &QueueSpec) -> Result<()> {
    let (namespace, name) = (&spec.namespace, &spec.name);
    let Some(current) = &subscription.queue else {
        return Ok(());
    };
    if current.exclusive != spec.exclusive {
        return Err(locked(namespace, name));
    }
    let differs = |arg: &str, received: String, current: String| {
        let text = format!(
            "inequivalent arg '{arg}' for queue '{name}' in vhost '{namespace}': \
             received {received} but current is {current}"
        );
        Err(Error::new(ErrorKind::Exists, "declare queue", text))
    };
    let flags = [
        ("durable", spec.durable, current.durable),
        ("auto_delete", spec.auto_delete, current.auto_delete),
    ];
    if let Some((arg, received, current)) = flags.into_iter().find(|(_, a, b)| a != b) {
        return differs(arg, format!("'{received}'"), format!("'{current}'"));
    }
    let names = spec.arguments.iter().chain(&current.arguments);
    for (arg, _) in names {
        let (received, current) = (value(&spec.arguments, arg), value(&current.arguments, arg));
        if let Some((received, current)) = shown(received, current) {
            return differs(&arg.lossy(), received, current);
        }
    }
    Ok(())
}

fn value<'a>(arguments: &'a Arguments, name: &Text) -> Option<&'a Value> {
    let found = arguments.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value)
}
