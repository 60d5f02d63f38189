//! Compiles the gRPC contract, without any compiler but cargo's.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use protox::prost::Message;

const PROTO: &str = "ghostcast/v1/browser.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script where to write by the environment"
    )]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("ghostcast.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
