//! Record batches, magic 2: checked when they are appended, patched when they are fetched, read
//! for other protocols, and made for Kafka's clients of what other protocols published.

mod build;
mod check;
mod codec;
mod compression;
mod header;
mod mapping;
mod patch;
mod record;
mod repack;
mod skim;
mod split;
mod survey;
mod varint;

#[cfg(test)]
mod tests;

pub(crate) use build::BatchBuilder;
pub(crate) use check::{BadBatch, check};
pub use codec::KafkaCodec;
pub(crate) use codec::{times, times_within};
pub(crate) use header::{is_compressed, is_zstd};
pub(crate) use mapping::{message_of, record_of};
pub(crate) use patch::put_patched;
pub(crate) use record::Record;
pub(crate) use repack::{Packing, repack};
pub(crate) use split::split;
pub(crate) use survey::Survey;
