//! The `ghostcast` program: see [`ghostcast::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ghostcast::cli::run().await
}
