//! `ghostcast start` and `ghostcast restart`: the service in the background.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::super::{Signals, log, serve};
use super::pidfile::{Found, Note};
use super::processes::Process;
use super::tail::Tail;
use super::{Place, answers, look, say, stop, url_of};
use crate::error::Error;

/// A service answers within this time of its start, or has not started.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A service that does not start is given so long to end in order.
const END_WITHIN: Duration = Duration::from_secs(6);
/// Lines of its log that are shown of one that did not start.
const LINES: usize = 20;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Start {
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct Restart {
    #[command(flatten)]
    serve: serve::Options,
    #[command(flatten)]
    stop: stop::Bounds,
}

/// The options of a service that runs, as its PID file has them.
#[derive(Debug, Parser)]
struct Then {
    #[command(flatten)]
    serve: serve::Options,
}

pub(in super::super) async fn run(options: Start) -> Result<ExitCode, Error> {
    let place = Place::of(options.serve.settings())?;
    if let Found::Running(note) = &place.found {
        say(format!("ghostcast runs already: {}", named(note)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let _log = place.note()?;
    start(&place, options.serve).await?;
    Ok(ExitCode::SUCCESS)
}

pub(in super::super) async fn restart(options: Restart) -> Result<ExitCode, Error> {
    let place = Place::of(options.serve.settings())?;
    let then = match &place.found {
        Found::Running(note) => Some(note),
        Found::Stale(stale) => stale.note.as_ref(),
        Found::Nobody | Found::Elsewhere => None,
    };
    let serve = match then.and_then(options_of) {
        Some(then) => options.serve.or(then),
        None => options.serve,
    };
    // The log of the service that is to be started is where both of it are told.
    let next = Place::of(serve.settings())?;
    let _log = next.note()?;
    let pid = then.map(|note| note.pid);
    tracing::info!(pid, "restart");
    stop::stop(&place, options.stop).await?;
    let next = Place::of(serve.settings())?;
    start(&next, serve).await?;
    Ok(ExitCode::SUCCESS)
}

/// The options that a service was started with; `None` for those of another version, which are not understood.
fn options_of(note: &Note) -> Option<serve::Options> {
    let words = std::iter::once("ghostcast").chain(note.arguments.iter().map(String::as_str));
    Then::try_parse_from(words).ok().map(|then| then.serve)
}

/// Starts the service and waits until it answers.
async fn start(place: &Place, options: serve::Options) -> Result<(), Error> {
    match &place.found {
        Found::Nobody => {}
        Found::Stale(stale) => {
            tracing::warn!(why = stale.why, "a PID file was stale and is replaced");
            say(format!("a stale PID file is replaced: {}", stale.why))?;
        }
        Found::Running(note) => return Err(taken(place, &named(note))),
        Found::Elsewhere => return Err(taken(place, "one that cannot be seen from here")),
    }
    let listen = place.config.server.listen;
    is_free(listen).await?;
    let mut signals = Signals::listen()?;
    let mark = Tail::end_of(&place.logs, log::SERVER);
    let began = Instant::now();
    let mut child = spawn(&options)?;
    let ready = tokio::select! {
        ready = ready(place, &mut child) => ready,
        () = signals.end() => Err(Error::cancelled("the start was interrupted")),
    };
    match ready {
        Ok((note, health)) => {
            let took_ms = began.elapsed().as_millis() as u64;
            tracing::info!(
                pid = note.pid,
                address = note.address.map(tracing::field::display),
                took_ms,
                "started"
            );
            say(format!(
                "ghostcast started: {}, logs in {}",
                named(&note),
                place.logs.display()
            ))?;
            for reason in health["reasons"].as_array().into_iter().flatten() {
                say(format!(
                    "  degraded: {}",
                    reason.as_str().unwrap_or_default()
                ))?;
            }
            Ok(())
        }
        Err(error) => {
            give_up(&mut child).await;
            tracing::error!("did not start: {error}");
            for line in mark.lines_since(LINES) {
                eprintln!("  {line}");
            }
            let (log, hint) = (place.logs.join(log::SERVER), error.hint.clone());
            let hint = hint.map(|hint| format!("{hint} ")).unwrap_or_default();
            Err(error.hint(format!("{hint}Its log is {}.", log.display())))
        }
    }
}

fn taken(place: &Place, by: &str) -> Error {
    Error::conflict(format!(
        "{} is in use by another service: {by}",
        place.state.display()
    ))
    .hint("Stop that one, or start this one with a directory of its own, by --state-dir.")
}

/// Whether the service can listen there, said before it tries and in plainer words than its log has.
async fn is_free(listen: SocketAddr) -> Result<(), Error> {
    let Err(error) = TcpListener::bind(listen).await else {
        return Ok(());
    };
    let hint = match answers(listen).await {
        true => {
            "Another Ghostcast answers there, which does not serve this state directory: stop that one, or \
             choose another port with --port."
        }
        false => "Stop what listens there, or choose another port with --port.",
    };
    let failure = Error::unavailable(format!("cannot listen on {listen}: {error}"));
    tracing::error!("did not start: {failure}");
    Err(failure.hint(hint).source(error))
}

fn spawn(options: &serve::Options) -> Result<Child, Error> {
    let program = std::env::current_exe();
    let child = program.and_then(|program| {
        Command::new(program)
            .args([OsString::from("serve"), serve::BACKGROUND.into()])
            .args(options.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    child.map_err(|error| {
        Error::internal(format!("cannot run this program again: {error}")).source(error)
    })
}

/// Waits until the service has said where it listens, and answers there.
async fn ready(place: &Place, child: &mut Child) -> Result<(Note, Value), Error> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Error::unavailable(format!(
                "the service ended at its start, with {status}"
            )));
        }
        if let Found::Running(note) = look(&place.state)?
            && u32::try_from(note.pid) == Ok(child.id())
            && let Some(address) = note.address
            && let Ok(health) = place.client(Some(&url_of(address)))?.get(&["health"]).await
        {
            return Ok((note, health));
        }
        if Instant::now() >= deadline {
            let seconds = READY_WITHIN.as_secs();
            return Err(Error::timeout(format!(
                "the service did not answer within {seconds} s of its start"
            )));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Ends a service that did not start, with all that it has started.
async fn give_up(child: &mut Child) {
    let process = i32::try_from(child.id()).ok().and_then(Process::of);
    let Some(process) = process else {
        return;
    };
    process.signal(Signal::SIGTERM);
    let deadline = Instant::now() + END_WITHIN;
    while process.is_alive() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    stop::kill(process);
    // It is ours, and reaped by nobody else.
    let _ = child.wait();
}

/// A service as it is called in words.
pub(super) fn named(note: &Note) -> String {
    match note.address {
        Some(address) => format!("pid {}, {}", note.pid, url_of(address)),
        None => format!("pid {}, still starting", note.pid),
    }
}
