//! `ghostcast stop`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::time::sleep;

use super::super::Settings;
use super::pidfile::{self, Found, Note};
use super::processes::Process;
use super::start::named;
use super::{Place, say};
use crate::error::Error;

/// Between two looks whether the service has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What was killed is gone within this time.
const GONE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(in super::super) struct Options {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    bounds: Bounds,
}

/// How long the service is waited for, and what then.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Bounds {
    /// Longest wait for the service to end in order, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Kill it if it has not ended by then, with its browsers; kept sessions come back with the next start.
    #[arg(long)]
    force: bool,
}

pub(in super::super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let place = Place::of(&options.settings)?;
    // Who has nothing to stop makes no directory for a log of it.
    let _log = match place.found {
        Found::Nobody => None,
        _ => place.note().ok(),
    };
    stop(&place, options.bounds).await?;
    Ok(ExitCode::SUCCESS)
}

/// Ends the service, if one runs, and says what it did.
pub(super) async fn stop(place: &Place, bounds: Bounds) -> Result<(), Error> {
    match &place.found {
        Found::Nobody => say("ghostcast does not run"),
        Found::Stale(stale) => {
            remove(place)?;
            tracing::warn!(why = stale.why, "a PID file was stale and was removed");
            say(format!(
                "ghostcast does not run; a stale PID file was removed: {}",
                stale.why
            ))
        }
        Found::Elsewhere => Err(Error::unavailable(
            "the service runs where its process cannot be seen from here",
        )
        .hint("Stop it where it was started, as in its container.")),
        Found::Running(note) => end(place, note, bounds).await,
    }
}

async fn end(place: &Place, note: &Note, bounds: Bounds) -> Result<(), Error> {
    let (process, pid) = (note.process(), note.pid);
    let began = Instant::now();
    if !process.signal(Signal::SIGTERM) && process.is_alive() {
        return Err(
            Error::forbidden(format!("may not stop the service, pid {pid}"))
                .hint("Stop it as the user whom it runs as."),
        );
    }
    let took_ms = |began: Instant| began.elapsed().as_millis() as u64;
    if has_ended(process, Duration::from_secs(bounds.timeout)).await {
        // One that ended in the middle of its own end.
        remove(place)?;
        tracing::info!(pid, took_ms = took_ms(began), "stopped");
        return say(format!("ghostcast stopped: {}", named(note)));
    }
    let seconds = bounds.timeout;
    if !bounds.force {
        tracing::error!(pid, seconds, "did not stop in time");
        return Err(Error::timeout(format!(
            "the service, pid {pid}, still runs after {seconds} s"
        ))
        .hint("Wait and look with `ghostcast status`, or kill it with `ghostcast stop --force`."));
    }
    kill(process);
    if !has_ended(process, GONE_WITHIN).await {
        return Err(Error::internal(format!("process {pid} cannot be killed"))
            .hint("It hangs in the system; see `ghostcast doctor` and the system's log."));
    }
    remove(place)?;
    tracing::warn!(
        pid,
        took_ms = took_ms(began),
        "killed, since it did not stop in time"
    );
    say(format!(
        "ghostcast was killed: pid {pid} had not ended after {seconds} s"
    ))
}

/// Kills a process and all that descends from it.
pub(super) fn kill(process: Process) {
    let below = process.descendants();
    process.signal(Signal::SIGKILL);
    for process in below {
        process.signal(Signal::SIGKILL);
    }
}

async fn has_ended(process: Process, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while process.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

/// Removes a PID file that its service has left.
fn remove(place: &Place) -> Result<(), Error> {
    pidfile::remove_stale(&place.state)
        .map(drop)
        .map_err(|error| {
            let path = pidfile::path(&place.state);
            Error::unavailable(format!("cannot remove {}", path.display()))
                .hint("Check the rights of the state directory.")
                .source(error)
        })
}
