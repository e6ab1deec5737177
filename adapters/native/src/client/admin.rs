//! Administration.

use async_trait::async_trait;
use standpipe_core::{
    Error, ErrorKind, Result,
    broker::Broker,
    driver::{Admin, NewTopic, TopicInfo},
    session::{AdminReply, AdminRequest, serve_admin},
};
use tokio::sync::Mutex;

use super::connect::Wire;
use crate::codec::{ClientFrame, ServerFrame};

/// Administers a broker elsewhere, or the one in this process.
pub(super) struct NativeAdmin(End);

enum End {
    Local(Broker),
    /// The wire, and the number of the next request.
    Remote(Box<Mutex<(Wire, u64)>>),
}

impl NativeAdmin {
    pub(super) fn local(broker: Broker) -> Self {
        Self(End::Local(broker))
    }

    pub(super) fn remote(wire: Wire) -> Self {
        Self(End::Remote(Box::new(Mutex::new((wire, 0)))))
    }

    async fn ask(&self, request: AdminRequest) -> Result<AdminReply> {
        let wire = match &self.0 {
            End::Local(broker) => return serve_admin(broker, request).await,
            End::Remote(wire) => wire,
        };
        let mut wire = wire.lock().await;
        let (wire, next) = &mut *wire;
        let asked = *next;
        *next += 1;
        let frame = ClientFrame::Admin { id: asked, request };
        wire.sender.send(&frame).await?;
        loop {
            match wire.receiver.next().await? {
                ServerFrame::Admin { id, reply } if id == asked => return reply,
                ServerFrame::Failed(error) => return Err(error),
                // The answer to a request whose caller has gone.
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Admin for NativeAdmin {
    async fn list(&self) -> Result<Vec<TopicInfo>> {
        match self.ask(AdminRequest::List).await? {
            AdminReply::Topics(topics) => Ok(topics),
            other => Err(unexpected(&other)),
        }
    }

    async fn describe(&self, name: &str) -> Result<TopicInfo> {
        match self.ask(AdminRequest::Describe(name.to_owned())).await? {
            AdminReply::Topic(topic) => Ok(*topic),
            other => Err(unexpected(&other)),
        }
    }

    async fn create(&self, topic: NewTopic) -> Result<()> {
        match self.ask(AdminRequest::Create(topic)).await? {
            AdminReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn purge(&self, name: &str) -> Result<u64> {
        match self.ask(AdminRequest::Purge(name.to_owned())).await? {
            AdminReply::Purged(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match self.ask(AdminRequest::Delete(name.to_owned())).await? {
            AdminReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &AdminReply) -> Error {
    let message = format!("the broker answered something else: {reply:?}");
    Error::new(ErrorKind::Invalid, "administer", message)
}
