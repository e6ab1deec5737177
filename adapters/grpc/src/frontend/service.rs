//! The service: streams to sessions, and administration.

use standpipe_core::{
    broker::Broker,
    driver::NewTopic,
    session::{AdminReply, AdminRequest, serve_admin},
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{guard::Origin, publish, subscribe};
use crate::{
    codec::{to_status, topic_to_proto},
    proto::{self, standpipe_server::Standpipe},
};

/// Batches of answers that wait for a client that reads slowly.
pub(super) const ANSWERS: usize = 1;

/// Items that go out on a stream, as many at once as there are.
pub(super) type Answers<T> = mpsc::Sender<Result<Vec<T>, Status>>;

type Stream<T> = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

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

/// The items of batches, one by one.
fn one_by_one<T: Send + 'static>(receiver: mpsc::Receiver<Result<Vec<T>, Status>>) -> Stream<T> {
    use futures::StreamExt as _;
    let batches = ReceiverStream::new(receiver).flat_map(|batch| {
        let items: Vec<_> = match batch {
            Ok(items) => items.into_iter().map(Ok).collect(),
            Err(status) => vec![Err(status)],
        };
        futures::stream::iter(items)
    });
    Box::pin(batches)
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
        let name = request.into_inner().name;
        let reply = self.administer(AdminRequest::Describe(name)).await?;
        let topic = match reply {
            AdminReply::Topic(topic) => Some(topic_to_proto(*topic)),
            _ => None,
        };
        Ok(Response::new(proto::DescribeTopicResponse { topic }))
    }

    async fn list_topics(
        &self,
        _request: Request<proto::ListTopicsRequest>,
    ) -> Result<Response<proto::ListTopicsResponse>, Status> {
        let topics = match self.administer(AdminRequest::List).await? {
            AdminReply::Topics(topics) => topics.into_iter().map(topic_to_proto).collect(),
            _ => Vec::new(),
        };
        Ok(Response::new(proto::ListTopicsResponse { topics }))
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
    stream: &mut Streaming<T>,
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
