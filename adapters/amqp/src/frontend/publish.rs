//! `basic.publish`: checks, routing, the return, and the confirm.

use bytes::Bytes;
use standpipe_core::{
    Error, ErrorKind,
    broker::{Confirm, DEFAULT_NAMESPACE, Publish, Published, Target},
    entry::{Draft, Fields, Overlay},
    id::Millis,
    message::Headers,
    partitioner::murmur2,
    store::Durability,
};

use super::{
    channel::Channel,
    content::{Content, Publishing},
    copies,
    period::milliseconds_in,
    queue::name,
    refusal::{Handled, Refusal},
    replies::is_reply,
};
use crate::codec::{
    message::{KEY, key_of},
    method::Method,
    properties::Properties,
    stored::{self, Stored},
};

impl Channel {
    /// Publishes a whole message. In confirm mode its answer follows when it is as durable as asked.
    pub(super) async fn publish(&mut self, content: Content) -> Handled {
        let Content {
            publishing,
            mut properties,
            stored,
        } = content;
        let stored = self.addressed(&mut properties, stored)?;
        check_user(&properties)?;
        let ttl = expiration(&properties)?;
        if is_reply(&publishing) {
            return self.direct(&publishing, stored);
        }
        let (copies, stored) = copies::take(&mut properties, stored)?;
        let headers: Headers = properties.table()?.into_iter().collect();
        let key = partition_key(&headers, &publishing);
        let draft = self.draft(&publishing, &properties, stored, key.as_ref(), ttl);
        let returned = publishing.mandatory.then(|| draft.body.clone());
        let admission = self.broker.admit(draft.body.len()).await?;
        let published = self.broker.publish(Publish {
            namespace: DEFAULT_NAMESPACE,
            target: Target::Exchange {
                exchange: name(&publishing.exchange)?,
                key: publishing.routing_key.as_bytes(),
                more_keys: &copies,
                headers: &headers,
            },
            draft,
            key: key.as_deref(),
            lane: self.lane,
            durability: Some(durability(&properties)),
            admission,
        });
        self.answer(published, &publishing, returned)
    }

    /// Publishes to a reply consumer. As in RabbitMQ that is no queue, so that it counts as unroutable.
    fn direct(&mut self, publishing: &Publishing, stored: Bytes) -> Handled {
        self.replies.deliver(publishing, &stored)?;
        let published = Published {
            routed: 0,
            place: None,
            confirm: Confirm::ready(),
        };
        self.answer(
            Ok(published),
            publishing,
            publishing.mandatory.then_some(stored),
        )
    }

    /// The return comes before the confirm, as RabbitMQ documents it.
    fn answer(
        &mut self,
        published: standpipe_core::Result<Published>,
        publishing: &Publishing,
        returned: Option<Bytes>,
    ) -> Handled {
        let taken = match published {
            Ok(published) => {
                if let (0, Some(stored)) = (published.routed, returned) {
                    self.give_back(publishing, &stored)?;
                }
                Ok(published.confirm)
            }
            Err(error) if refuses(&error) => return Err(error.into()),
            Err(error) => Err(error),
        };
        match (&mut self.confirms, taken) {
            (Some(confirms), taken) => confirms.published(taken),
            (None, Ok(promise)) => self.promises.made(promise)?,
            // The channel's end is the only way to say that the store refused.
            (None, Err(error)) => return Err(error.into()),
        }
        Ok(())
    }

    fn give_back(&self, publishing: &Publishing, stored: &Bytes) -> Handled {
        let stored = Stored::split(stored)?;
        let method = Method::BasicReturn {
            code: 312,
            text: "NO_ROUTE".into(),
            exchange: publishing.exchange.clone(),
            routing_key: publishing.routing_key.clone(),
        };
        self.shared.output.write(|waiting| {
            waiting.method(self.shared.id, &method);
            waiting.content(
                self.shared.id,
                &stored.properties,
                &stored.body,
                self.shared.frame_max,
            );
        });
        Ok(())
    }

    fn draft(
        &self,
        publishing: &Publishing,
        properties: &Properties,
        stored: Bytes,
        key: Option<&Bytes>,
        ttl: Option<u64>,
    ) -> Draft {
        let overlay = Overlay {
            exchange: Some(publishing.exchange.clone()),
            routing_key: Some(publishing.routing_key.clone()),
            headers: Headers::default(),
        };
        let expires_at = |ttl| Millis(Millis::now().0.saturating_add_unsigned(ttl));
        let fields = Fields {
            priority: properties.priority,
            expires_at: ttl.map(expires_at),
            deliver_at: None,
            key_hash: key.map(|key| murmur2(key)),
            overlay: Some(overlay.encode()),
        };
        stored::draft(stored, properties, fields)
    }
}

/// Whether the publish itself is at fault; all else is the store's.
fn refuses(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::TooLarge | ErrorKind::Invalid
    )
}

/// `x-standpipe-key`, else the routing key where it is not empty.
fn partition_key(headers: &Headers, publishing: &Publishing) -> Option<Bytes> {
    let carried = key_of(headers).filter(|_| headers.get(KEY).is_some());
    let routing_key = &publishing.routing_key;
    carried.or_else(|| (!routing_key.is_empty()).then(|| routing_key.as_bytes().clone()))
}

/// Delivery mode 2 is persistent; everything else is not (specification 1.8.3.7).
fn durability(properties: &Properties) -> Durability {
    match properties.delivery_mode {
        Some(2) => Durability::Disk,
        _ => Durability::Memory,
    }
}

fn check_user(properties: &Properties) -> Handled {
    match &properties.user_id {
        Some(user) if *user != "guest" => Err(Refusal::precondition_failed(format!(
            "user_id property set to '{user}' but authenticated user was 'guest'"
        ))),
        _ => Ok(()),
    }
}

fn expiration(properties: &Properties) -> Handled<Option<u64>> {
    let Some(text) = &properties.expiration else {
        return Ok(None);
    };
    let invalid = |why: String| {
        Err(Refusal::precondition_failed(format!(
            "invalid expiration '{text}': {why}"
        )))
    };
    let number = text.as_str().ok_or("no_integer".to_owned());
    number.and_then(milliseconds_in).map(Some).or_else(invalid)
}

#[cfg(test)]
mod tests {
    use standpipe_core::message::Text;

    use super::*;

    fn expiring(text: &str) -> Handled<Option<u64>> {
        expiration(&Properties {
            expiration: Some(Text::from(text)),
            ..Properties::default()
        })
    }

    #[test]
    fn expiration_is_a_number_of_milliseconds() {
        assert_eq!(expiring("60000"), Ok(Some(60_000)));
        for bad in ["", "abc", "-1", "99999999999999"] {
            let refusal = expiring(bad).unwrap_err();
            assert_eq!(refusal.code, 406);
            assert!(refusal.text.contains(bad));
        }
    }

    #[test]
    fn only_mode_two_waits_for_the_disk() {
        let mode = |delivery_mode| {
            durability(&Properties {
                delivery_mode,
                ..Properties::default()
            })
        };
        assert_eq!(mode(Some(2)), Durability::Disk);
        assert_eq!([mode(None), mode(Some(1))], [Durability::Memory; 2]);
    }
}
