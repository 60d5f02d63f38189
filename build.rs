//! Compiles the gRPC contract, without any compiler but cargo's, and tells the linker what a release wants.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use protox::prost::Message;

const PROTO: &str = "ghostcast/v1/browser.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    let out = PathBuf::from(told("OUT_DIR")?);
    fs::write(out.join("ghostcast.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .compile_fds(descriptors)?;
    if told("PROFILE")? == "release" && told("TARGET")? == "x86_64-unknown-linux-gnu" {
        // Functions that come out alike become one. rustc brings a linker that can do it, LLD, for this target only.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
    Ok(())
}

/// What cargo tells a build script, which it does by the environment.
fn told(name: &str) -> Result<OsString, Box<dyn Error>> {
    std::env::var_os(name).ok_or_else(|| format!("cargo tells no {name}").into())
}
