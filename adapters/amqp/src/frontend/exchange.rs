//! Class exchange: declare, delete, bind, unbind (specification 1.5, and RabbitMQ's bindings
//! between exchanges).

use standpipe_core::{
    ErrorKind,
    broker::DEFAULT_NAMESPACE,
    message::{Text, Value},
    router::{Binding, Destination, ExchangeKind, ExchangeSpec},
};

use super::{
    channel::Channel,
    queue::one_line,
    refusal::{Handled, Refusal},
};
use crate::codec::{method::Method, table::Table};

const ALTERNATE: &str = "alternate-exchange";
const DEFAULT_EXCHANGE: &str = "operation not permitted on the default exchange";

impl Channel {
    pub(super) async fn exchange(&mut self, method: Method) -> Handled {
        match method {
            Method::ExchangeDeclare {
                exchange,
                passive: true,
                nowait,
                ..
            } => {
                self.exchange_is_there(&one_line(&exchange)?)?;
                self.reply_unless(nowait, &Method::ExchangeDeclareOk {})
                    .await
            }
            Method::ExchangeDeclare { nowait, .. } => {
                self.declare_exchange(method).await?;
                self.reply_unless(nowait, &Method::ExchangeDeclareOk {})
                    .await
            }
            Method::ExchangeDelete {
                exchange,
                if_unused,
                nowait,
                ..
            } => {
                self.delete_exchange(&one_line(&exchange)?, if_unused)
                    .await?;
                self.reply_unless(nowait, &Method::ExchangeDeleteOk {})
                    .await
            }
            Method::ExchangeBind {
                destination,
                source,
                routing_key,
                nowait,
                arguments,
                ..
            } => {
                let binding = between(&source, &destination, routing_key, arguments)?;
                self.broker.bind(DEFAULT_NAMESPACE, binding).await?;
                self.reply_unless(nowait, &Method::ExchangeBindOk {}).await
            }
            Method::ExchangeUnbind {
                destination,
                source,
                routing_key,
                nowait,
                arguments,
                ..
            } => {
                let binding = between(&source, &destination, routing_key, arguments)?;
                self.unbind(&binding).await?;
                self.reply_unless(nowait, &Method::ExchangeUnbindOk {})
                    .await
            }
            _ => Err(Refusal::command_invalid("unimplemented method")),
        }
    }

    /// Unbinds; what is not there is unbound already, as in RabbitMQ.
    pub(super) async fn unbind(&mut self, binding: &Binding) -> Handled {
        match self.broker.unbind(DEFAULT_NAMESPACE, binding).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn exchange_is_there(&self, exchange: &str) -> Handled {
        if exchange.is_empty() {
            return Err(Refusal::access_refused(DEFAULT_EXCHANGE));
        }
        match self.broker.exchange(DEFAULT_NAMESPACE, exchange) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(format!(
                "no exchange '{exchange}' in vhost '/'"
            ))),
        }
    }

    async fn declare_exchange(&mut self, method: Method) -> Handled {
        let Method::ExchangeDeclare {
            exchange,
            kind,
            durable,
            auto_delete,
            internal,
            arguments,
            ..
        } = method
        else {
            return Err(Refusal::command_invalid("unimplemented method"));
        };
        // Specification 1.5.2.3 has 503 here, and so had RabbitMQ before version 4.
        let kind: ExchangeKind = kind
            .lossy()
            .parse()
            .map_err(|_| Refusal::precondition_failed(format!("unknown exchange type '{kind}'")))?;
        let exchange = one_line(&exchange)?;
        if let Some((name, value)) = arguments.iter().find(|(name, _)| *name == ALTERNATE)
            && !matches!(value, Value::Text(_))
        {
            let kind = value.kind();
            return Err(Refusal::precondition_failed(format!(
                "invalid type '{kind}' for arg '{name}' in exchange '{exchange}' in vhost '/'"
            )));
        }
        let unknown = arguments
            .iter()
            .find(|(n, _)| n.as_bytes().starts_with(b"x-"));
        if let Some((argument, _)) = unknown {
            return Err(Refusal::precondition_failed(format!(
                "invalid arg '{argument}' for exchange '{exchange}' in vhost '/': not implemented"
            )));
        }
        let spec = ExchangeSpec {
            name: exchange.as_str().into(),
            kind,
            durable,
            auto_delete,
            internal,
            arguments,
        };
        self.broker
            .declare_exchange(DEFAULT_NAMESPACE, spec)
            .await?;
        Ok(())
    }

    async fn delete_exchange(&mut self, exchange: &str, if_unused: bool) -> Handled {
        if exchange.starts_with("amq.") {
            return Err(Refusal::access_refused(format!(
                "deletion of system exchange '{exchange}' in vhost '/' not allowed"
            )));
        }
        self.broker
            .delete_exchange(DEFAULT_NAMESPACE, exchange, if_unused)
            .await?;
        Ok(())
    }
}

fn between(source: &Text, destination: &Text, key: Text, arguments: Table) -> Handled<Binding> {
    let destination = Destination::Exchange(one_line(destination)?.into());
    Ok(Binding::new(one_line(source)?, destination, key).with_arguments(arguments))
}
