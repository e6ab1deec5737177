//! What is generated from `proto/standpipe/v1/standpipe.proto`; documented there, field by field.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]

tonic::include_proto!("standpipe.v1");

/// The encoded descriptors, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/standpipe.bin"));
