//! Policy as layers: producers as tower services, and services as producers.
//!
//! A request is a batch of messages, a response is one result for each, so that every tower layer
//! (timeouts, concurrency limits, load shedding) works on a route, on a frontend and in a program:
//!
//! ```
//! # use standpipe_core::{driver::Producer, layer::{ProducerService, ServiceProducer, TokenBucket}};
//! # use tower::{Layer, ServiceBuilder};
//! # fn limited(producer: Box<dyn Producer>) -> Box<dyn Producer> {
//! let policy = ServiceBuilder::new().layer(TokenBucket::per_second(1_000));
//! ServiceProducer::layered(policy, producer)
//! # }
//! ```

mod producer_service;
mod service_producer;
mod token_bucket;

pub use producer_service::ProducerService;
pub use service_producer::ServiceProducer;
pub use token_bucket::{TokenBucket, TokenBucketService};

use crate::{error::Result, message::Message};

/// The request of a producer's service.
pub type Batch = Vec<Message>;

/// The response of a producer's service: one result a message, in order.
pub type Results = Vec<Result<()>>;
