//! The service: streams to sessions, and administration.

use standpipe_core::{
    broker::Broker,
    driver::NewTopic,
    session::{AdminReply, AdminRequest, serve_admin},
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{
    answers::{ANSWERS, Stream, one_by_one},
    guard::Origin,
    publish, subscribe,
};
use crate::{
    codec::{to_status, topic_to_proto},
    proto::{self, standpipe_server::Standpipe},
};

/// The service over a broker.
#[derive(Debug)]
pub(super) struct Service {
    broker: Broker,
    shutdown: CancellationToken,
}

impl Service {
    pub(super) fn new(broker: Broker, shutdown: CancellationToken) -> Self {
        Self { broker, shutdown }
    }

    async fn administer(&self, request: AdminRequest) -> Result<AdminReply, Status> {
        let reply = serve_admin(&self.broker, request).await;
        reply.map_err(|error| to_status(&error))
    }
}

#[tonic::async_trait]
impl Standpipe for Service {
    type PublishStream = Stream<proto::PublishResult>;
    type SubscribeStream = Stream<proto::Delivery>;

    async fn publish(
        &self,
        request: Request<Streaming<proto::PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        let (broker, shutdown) = (self.broker.clone(), self.shutdown.clone());
        let origin = Origin::of(&request);
        tokio::spawn(publish::serve(
            broker,
            request.into_inner(),
            answers,
            origin,
            shutdown,
        ));
        Ok(Response::new(one_by_one(receiver)))
    }

    async fn subscribe(
        &self,
        request: Request<Streaming<proto::SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        let (broker, shutdown) = (self.broker.clone(), self.shutdown.clone());
        let origin = Origin::of(&request);
        tokio::spawn(subscribe::serve(
            broker,
            request.into_inner(),
            answers,
            origin,
            shutdown,
        ));
        Ok(Response::new(one_by_one(receiver)))
    }

    async fn create_topic(
        &self,
        request: Request<proto::CreateTopicRequest>,
    ) -> Result<Response<proto::CreateTopicResponse>, Status> {
        let request = request.into_inner();
        let durability = match request.durability() {
            proto::Durability::Unspecified => None,
            proto::Durability::Memory => Some("memory"),
            proto::Durability::Os => Some("os"),
            proto::Durability::Disk => Some("disk"),
        };
        let partitions = request.partitions.map(|count| {
            let none = || Status::invalid_argument("0 partitions; at least 1, or leave it out");
            std::num::NonZeroU32::new(count).ok_or_else(none)
        });
        let topic = NewTopic {
            name: request.name,
            partitions: partitions.transpose()?,
            retention: request.retention,
            durability: durability.map(str::to_owned),
        };
        self.administer(AdminRequest::Create(topic)).await?;
        Ok(Response::new(proto::CreateTopicResponse {}))
    }

    async fn describe_topic(
        &self,
        request: Request<proto::DescribeTopicRequest>,
    ) -> Result<Response<proto::DescribeTopicResponse>, Status> {
        let origin = Origin::of(&request);
        let turn = origin.turn().await?;
        let name = request.into_inner().name;
        let reply = self.administer(AdminRequest::Describe(name)).await?;
        let topic = match reply {
            AdminReply::Topic(topic) => Some(topic_to_proto(*topic)),
            _ => None,
        };
        Ok(origin.in_turn(proto::DescribeTopicResponse { topic }, turn))
    }

    async fn list_topics(
        &self,
        request: Request<proto::ListTopicsRequest>,
    ) -> Result<Response<proto::ListTopicsResponse>, Status> {
        let origin = Origin::of(&request);
        let turn = origin.turn().await?;
        let topics = match self.administer(AdminRequest::List).await? {
            AdminReply::Topics(topics) => topics.into_iter().map(topic_to_proto).collect(),
            _ => Vec::new(),
        };
        Ok(origin.in_turn(proto::ListTopicsResponse { topics }, turn))
    }

    async fn purge_topic(
        &self,
        request: Request<proto::PurgeTopicRequest>,
    ) -> Result<Response<proto::PurgeTopicResponse>, Status> {
        let name = request.into_inner().name;
        let purged = match self.administer(AdminRequest::Purge(name)).await? {
            AdminReply::Purged(count) => count,
            _ => 0,
        };
        Ok(Response::new(proto::PurgeTopicResponse { purged }))
    }

    async fn delete_topic(
        &self,
        request: Request<proto::DeleteTopicRequest>,
    ) -> Result<Response<proto::DeleteTopicResponse>, Status> {
        let name = request.into_inner().name;
        self.administer(AdminRequest::Delete(name)).await?;
        Ok(Response::new(proto::DeleteTopicResponse {}))
    }
}

/// The next request of a stream, unless its session or the server ends first.
pub(super) async fn next<T>(
    stream: &mut (impl tokio_stream::Stream<Item = Result<T, Status>> + Unpin),
    session_ended: impl Future<Output = ()>,
    shutdown: &CancellationToken,
) -> Result<Option<T>, Status> {
    tokio::select! {
        request = stream.next() => request.transpose(),
        () = session_ended => Ok(None),
        () = shutdown.cancelled() => {
            Err(Status::unavailable("the broker is shutting down; connect again later"))
        }
    }
}
