//! How a pipe is put together.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

use super::{
    Backoff, Counts, Destination, FirstOpen, Limits, OnRefused, Order, Source, State, Summary,
    ends::{Addressed, Once, settling_of},
    flow::Rules,
    reopening::Reopening,
    run::Parts,
};
use crate::{
    driver::{Consumer, OpenOptions, Producer, Registry, Settler, Settling, Transform, Until},
    error::{Error, ErrorKind, Result},
    layer::{Batch, ProducerService, Results, ServiceProducer},
};

/// A pipe that is ready to run.
pub struct Pipe(Parts);

impl Pipe {
    /// Starts a pipe's description.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// What it is doing, from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// What it has done, live.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.0.counts)
    }

    /// Carries messages until the source ends, `shutdown`, or an error that trying again does not
    /// mend. A shutdown stops reading, finishes what is under way as far as the grace goes, and
    /// gives the rest back to the source.
    ///
    /// Cancel safe in that a dropped run settles nothing that was not confirmed: what is unsettled
    /// comes again.
    ///
    /// # Errors
    /// Why the pipe stopped. A drain that ends with messages held is no error: the summary counts
    /// them.
    pub async fn run(self, shutdown: CancellationToken) -> Result<Summary> {
        self.0.run(&shutdown).await
    }
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipe")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

type Wrap = Box<dyn FnOnce(Box<dyn Producer>) -> Box<dyn Producer> + Send>;

/// Describes a pipe.
#[must_use]
pub struct Builder {
    name: String,
    source: Option<Box<dyn Source>>,
    settling: Settling,
    until: Until,
    destination: Option<Box<dyn Destination>>,
    dead_letters: Option<Box<dyn Destination>>,
    transforms: Vec<Arc<dyn Transform>>,
    layers: Vec<Wrap>,
    order: Order,
    on_refused: OnRefused,
    backoff: Backoff,
    limits: Limits,
    first_open: FirstOpen,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: "pipe".to_owned(),
            source: None,
            settling: Settling::Cumulative,
            until: Until::Closed,
            destination: None,
            dead_letters: None,
            transforms: Vec::new(),
            layers: Vec::new(),
            order: Order::default(),
            on_refused: OnRefused::default(),
            backoff: Backoff::default(),
            limits: Limits::default(),
            first_open: FirstOpen::default(),
        }
    }
}

impl Builder {
    /// Names the pipe, for the log, for dead letters, and for the default group `standpipe-NAME`:
    /// so before [`Builder::from_address`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Reads from an open consumer, which is not opened again when it disconnects. Acks go in the
    /// order of each lane, which suits any source; [`Builder::settling`] says what else it can.
    pub fn from(mut self, consumer: Box<dyn Consumer>, settler: Box<dyn Settler>) -> Self {
        self.source = Some(Box::new(Once::new((consumer, settler))));
        self
    }

    /// Reads from whatever `source` opens.
    pub fn from_source(mut self, source: impl Source) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Reads from an address. Its driver says how it settles, by itself or in the default group.
    ///
    /// # Errors
    /// `Invalid` for a malformed address, an unknown scheme or option.
    pub fn from_address(self, registry: &Registry, address: &str) -> Result<Self> {
        let group = format!("standpipe-{}", self.name);
        let options = OpenOptions::default().with_default_group(group);
        self.from_address_with(registry, address, options)
    }

    /// Reads from an address, opened as `options` say.
    ///
    /// # Errors
    /// As [`Builder::from_address`].
    pub fn from_address_with(
        mut self,
        registry: &Registry,
        address: &str,
        options: OpenOptions,
    ) -> Result<Self> {
        let address = registry.address(address)?;
        let driver = registry.driver(&address)?;
        self.settling = settling_of(driver.capabilities(&address), &options);
        self.until = options.until;
        self.source = Some(Box::new(Addressed {
            driver,
            address,
            options,
        }));
        Ok(self)
    }

    /// How the source settles, where it was not opened by its address.
    pub fn settling(mut self, settling: Settling) -> Self {
        self.settling = settling;
        self
    }

    /// When the source ends, where it was not opened by its address.
    pub fn until(mut self, until: Until) -> Self {
        self.until = until;
        self
    }

    /// Writes to an open producer, which is not opened again when it disconnects.
    pub fn to(mut self, producer: Box<dyn Producer>) -> Self {
        self.destination = Some(Box::new(Once::new(producer)));
        self
    }

    /// Writes to whatever `destination` opens.
    pub fn to_destination(mut self, destination: impl Destination) -> Self {
        self.destination = Some(Box::new(destination));
        self
    }

    /// Writes to an address.
    ///
    /// # Errors
    /// `Invalid` for a malformed address, an unknown scheme or option.
    pub fn to_address(mut self, registry: &Registry, address: &str) -> Result<Self> {
        self.destination = Some(addressed(registry, address)?);
        Ok(self)
    }

    /// Writes what can never be sent to an open producer, with the reasons in headers.
    pub fn dead_letters(mut self, producer: Box<dyn Producer>) -> Self {
        self.dead_letters = Some(Box::new(Once::new(producer)));
        self
    }

    /// Writes what can never be sent to whatever `destination` opens, with the reasons in headers.
    pub fn dead_letters_destination(mut self, destination: impl Destination) -> Self {
        self.dead_letters = Some(Box::new(destination));
        self
    }

    /// Writes what can never be sent to an address, with the reasons in headers.
    ///
    /// # Errors
    /// As [`Builder::to_address`].
    pub fn dead_letters_address(mut self, registry: &Registry, address: &str) -> Result<Self> {
        self.dead_letters = Some(addressed(registry, address)?);
        Ok(self)
    }

    /// Adds a transform behind those that are there.
    pub fn transform(self, transform: impl Transform + 'static) -> Self {
        self.transform_shared(Arc::new(transform))
    }

    /// Adds a transform that is a trait object already.
    pub fn transform_shared(mut self, transform: Arc<dyn Transform>) -> Self {
        self.transforms.push(transform);
        self
    }

    /// Puts a tower layer, or a whole `ServiceBuilder`, before the destination; a later one is
    /// outside of the earlier ones. It outlives reconnects.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<ProducerService> + Send + 'static,
        L::Service: Service<Batch, Response = Results> + Send + 'static,
        <L::Service as Service<Batch>>::Error: Into<BoxError>,
        <L::Service as Service<Batch>>::Future: Send,
    {
        let wrap = |producer| ServiceProducer::layered(layer, producer);
        self.layers.push(Box::new(wrap));
        self
    }

    /// What order is kept.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// What becomes of a message that can never be sent.
    pub fn on_refused(mut self, policy: OnRefused) -> Self {
        self.on_refused = policy;
        self
    }

    /// How retries are spaced, and how many there are.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What happens where an end cannot be opened at the very start.
    pub fn first_open(mut self, first_open: FirstOpen) -> Self {
        self.first_open = first_open;
        self
    }

    /// The pipe.
    ///
    /// # Errors
    /// `Invalid` where an end is missing.
    pub fn build(self) -> Result<Pipe> {
        let missing = |end| Error::new(ErrorKind::Invalid, "build pipe", format!("no {end}"));
        let destination = self.destination.ok_or_else(|| missing("destination"))?;
        let destination = reopening(destination);
        let mut producer: Box<dyn Producer> = Box::new(destination.clone());
        for wrap in self.layers {
            producer = wrap(producer);
        }
        Ok(Pipe(Parts {
            name: self.name,
            source: self.source.ok_or_else(|| missing("source"))?,
            until: self.until,
            transforms: self.transforms,
            producer: ProducerService::new(producer),
            destination,
            first_open: self.first_open,
            rules: Rules {
                order: self.order,
                settling: self.settling,
                on_refused: self.on_refused,
                dead_letters: self.dead_letters.is_some(),
                backoff: self.backoff,
                limits: self.limits,
            },
            dead_letters: self.dead_letters.map(reopening),
            counts: Arc::default(),
            state: watch::Sender::default(),
        }))
    }
}

fn addressed(registry: &Registry, address: &str) -> Result<Box<dyn Destination>> {
    let address = registry.address(address)?;
    Ok(Box::new(Addressed {
        driver: registry.driver(&address)?,
        address,
        options: OpenOptions::default(),
    }))
}

fn reopening(destination: Box<dyn Destination>) -> ProducerService {
    ProducerService::new(Box::new(Reopening::new(destination)))
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
