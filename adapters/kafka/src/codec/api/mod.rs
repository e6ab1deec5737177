//! The messages of the APIs that are served, after Apache Kafka's
//! `clients/src/main/resources/common/message/*.json`.

pub(crate) mod api_versions;
pub(crate) mod configs;
pub(crate) mod coordinator;
pub(crate) mod fetch;
pub(crate) mod groups;
mod key;
pub(crate) mod list_offsets;
pub(crate) mod membership;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod topics;

#[cfg(test)]
mod tests;

pub(crate) use key::ApiKey;
