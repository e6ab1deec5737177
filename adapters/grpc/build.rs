//! Compiles the .proto without `protoc`, and keeps its descriptors for reflection.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

const ROOT: &str = "proto";
const PROTO: &str = "proto/standpipe/v1/standpipe.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], [ROOT])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("standpipe.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .codec_path("crate::codec::BoundedCodec")
        .compile_fds(descriptors)?;
    Ok(())
}
