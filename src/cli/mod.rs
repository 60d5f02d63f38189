//! The command line.

mod doctor;
mod serve;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// A browser for every LiveKit room, that people can watch and a voice agent can drive.
#[derive(Debug, Parser)]
#[command(name = "ghostcast", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service.
    Serve(serve::Options),
    /// Check what the service needs, and say how to mend what is missing.
    Doctor(doctor::Options),
    /// Print a LiveKit token that lets a viewer into a room.
    Token(token::Options),
}

/// Where settings come from.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; see deploy/config.example.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Parses the command line and does what it says.
pub async fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Serve(options) => serve::run(options).await,
        Verb::Doctor(options) => doctor::run(options).await,
        Verb::Token(options) => token::run(&options),
    };
    outcome.unwrap_or_else(|error| {
        explain(&error);
        ExitCode::FAILURE
    })
}

/// Says what went wrong and what to do about it.
fn explain(error: &Error) {
    eprintln!("ghostcast: {error}");
    if let Some(hint) = &error.hint {
        eprintln!("  {hint}");
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
}
