//! The messages of the APIs that are served, after Apache Kafka's
//! `clients/src/main/resources/common/message/*.json`.

pub(crate) mod api_versions;
pub(crate) mod configs;
pub(crate) mod coordinator;
pub(crate) mod delete_records;
pub(crate) mod fetch;
pub(crate) mod groups;
mod key;
pub(crate) mod list_offsets;
pub(crate) mod log_dirs;
pub(crate) mod membership;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod producers;
pub(crate) mod replicas;
pub(crate) mod topics;

#[cfg(test)]
mod tests;

pub(crate) use key::ApiKey;
