//! The command line.

mod apply_note;
mod asked;
mod client;
mod daemon;
mod doctor;
mod job;
mod log;
mod mcp;
mod notify;
mod office;
mod serve;
mod session;
mod settings;
mod token;
mod validate;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::settings::{Address, ConfigFile, Settings};
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
    /// Run the service in the foreground.
    Serve(serve::Options),
    /// Run the service in the background; returns when it answers.
    Start(daemon::Start),
    /// Stop the service of this state directory.
    Stop(daemon::Stop),
    /// Stop the service and start it again, with the options it had and those given now.
    Restart(daemon::Restart),
    /// Tell whether the service runs and how it is; exit code 0 if it does, 3 if not, 1 if it has died.
    Status(daemon::Status),
    /// Print the end of the service's log.
    Logs(daemon::Logs),
    /// Remove what is left of services that died, old logs, and sessions that nothing happens in.
    Cleanup(daemon::Cleanup),
    /// Take no new sessions, and end the service when the last one is closed.
    Drain(daemon::Drain),
    /// Sessions with a name: start, find, list, run JavaScript in, delete.
    Session(session::Options),
    /// Jobs: ask for one, list them, watch one, call one off, try one again.
    Job(job::Options),
    /// Post one note and print what came of it; exit code 0 when it is posted, 3 when not.
    ApplyNote(apply_note::Options),
    /// Do work that is asked for on standard input, in frames of JSON, and answer on standard output.
    Worker(worker::Options),
    /// Serve MCP on standard input and output, for a client that starts its servers itself.
    Mcp(mcp::Options),
    /// Check what the service needs, and say how to mend what is missing.
    Doctor(doctor::Options),
    /// Print a LiveKit token that lets a viewer into a room.
    Token(token::Options),
    /// Test every feature on this machine; the exit code is 0 when all tests pass and 1 when any fails.
    Validate(validate::Options),
}

/// Parses the command line and does what it says.
pub async fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Serve(options) => Box::pin(serve::run(options)).await,
        Verb::Start(options) => daemon::start(options).await,
        Verb::Stop(options) => daemon::stop(options).await,
        Verb::Restart(options) => Box::pin(daemon::restart(options)).await,
        Verb::Status(options) => daemon::tell(options).await,
        Verb::Logs(options) => daemon::print_logs(options).await,
        Verb::Cleanup(options) => daemon::clean_up(options).await,
        Verb::Drain(options) => daemon::drain(options).await,
        Verb::Session(options) => session::run(options).await,
        Verb::Job(options) => job::run(options).await,
        Verb::ApplyNote(options) => Box::pin(apply_note::run(options)).await,
        Verb::Worker(options) => Box::pin(worker::run(options)).await,
        Verb::Mcp(options) => mcp::run(options).await,
        Verb::Doctor(options) => doctor::run(options).await,
        Verb::Token(options) => token::run(&options),
        Verb::Validate(options) => validate::run(options).await,
    };
    outcome.unwrap_or_else(|error| {
        explain(&error);
        ExitCode::FAILURE
    })
}

/// The signals that end a verb in order.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let broken = |error| Error::internal("cannot listen for signals").source(error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(broken)?,
            terminate: signal(SignalKind::terminate()).map_err(broken)?,
        })
    }

    /// Waits for the first of them.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
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
