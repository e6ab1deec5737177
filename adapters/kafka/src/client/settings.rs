//! What an address of this scheme means, as librdkafka's settings.

use std::time::Duration;

use rdkafka::ClientConfig;
use standpipe_core::{
    Error, ErrorKind, Result,
    address::Address,
    driver::{OpenOptions, StartAt, Until},
};

/// The options of a `kafka://` address.
pub(super) const OPTIONS: &[&str] = &["from", "group", "mode"];

/// How long a broker may take to answer when something is opened or closed.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

const PORT: u16 = 9092;

/// A source as the address and the caller want it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) topic: String,
    pub(super) group: Option<String>,
    pub(super) from: StartAt,
    pub(super) until: Until,
    pub(super) window: Option<usize>,
}

impl Source {
    pub(super) fn of(address: &Address, options: &OpenOptions) -> Result<Self> {
        if let Some(mode) = address.word("mode", &["positional", "lease", "keyed"])?
            && mode != "positional"
        {
            let message = format!("{address}: a Kafka source is positional, not {mode}");
            return Err(Error::new(ErrorKind::Unsupported, "open address", message));
        }
        let group = address.option("group").map(str::to_owned);
        let window = options.window.map(|window| window.max(1) as usize);
        Ok(Self {
            topic: address.topic()?.to_owned(),
            group: group.or_else(|| options.default_group.clone()),
            from: address.parsed("from")?.unwrap_or_default(),
            until: options.until,
            window,
        })
    }

    pub(super) fn settings(&self, address: &Address) -> Result<ClientConfig> {
        let mut config = common(address)?;
        // Reading partitions without a group needs the name of one all the same; it is never
        // joined, and nothing is committed to it.
        let group = self.group.as_deref().unwrap_or("standpipe-without-group");
        let eof = if self.until == Until::End {
            "true"
        } else {
            "false"
        };
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Where it starts is said in `start`; what has no place there is read from its beginning.
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", eof)
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "16384")
            .set("allow.auto.create.topics", "false");
        Ok(config)
    }
}

/// The settings of a producer whose topic takes messages of at most `limit` octets.
pub(super) fn producer(address: &Address, limit: usize) -> Result<ClientConfig> {
    let mut config = common(address)?;
    let limit = limit.clamp(1_000, 1_000_000_000);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "2")
        .set("request.timeout.ms", "10000")
        .set("message.timeout.ms", "30000")
        .set("queue.buffering.max.kbytes", "262144")
        // A broker refuses a batch as a whole: so no batch is larger than a message may be.
        .set("message.max.bytes", limit.to_string())
        .set("batch.size", limit.min(1_000_000).to_string());
    Ok(config)
}

/// What all clients have in common.
pub(super) fn common(address: &Address) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", address.authorities(PORT).join(","))
        .set("client.id", "standpipe")
        .set("socket.connection.setup.timeout.ms", "10000");
    if let Some(user) = address.user() {
        config
            .set("security.protocol", "sasl_plaintext")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", user)
            .set("sasl.password", address.password()?.unwrap_or_default());
    }
    Ok(config)
}
