//! `ghostcast serve`: the service, in the foreground or, as `ghostcast start` runs it, in the background.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::daemon::pidfile::{PidFile, Refused};
use super::log::Logging;
use super::notify::Notify;
use super::settings::absolute;
use super::{Settings, Signals, log};
use crate::app::{App, Journal};
use crate::config::{self, Config};
use crate::demo;
use crate::error::{Chain, Error};
use crate::telemetry::Telemetry;

/// The flag by which `ghostcast start` runs the service.
pub(super) const BACKGROUND: &str = "--background";

#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Open one session in room "demo": on URL, or on a built-in page that Ghostcast drives itself.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    demo: Option<String>,
    /// In a session of its own, with files for its log: what `ghostcast start` asks for.
    #[arg(long, hide = true)]
    background: bool,
}

impl Options {
    /// The settings that came as flags.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// These, and where they say nothing, `others`.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            settings: self.settings.or(others.settings),
            demo: self.demo.or(others.demo),
            background: false,
        }
    }

    /// The same as arguments of a command line.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = self.settings.arguments();
        match self.demo.as_deref() {
            None => {}
            Some("") => arguments.push("--demo".into()),
            // In one word: what a URL begins with is the caller's.
            Some(url) => arguments.push(format!("--demo={url}").into()),
        }
        arguments
    }
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let config = options.settings.load()?;
    let is_background = options.background;
    if is_background {
        // Without a terminal, whose end would be ours. Only the leader of a group is refused, which has none.
        let _ = nix::unistd::setsid();
    }
    let has_files = is_background || config.log.is_placed();
    let directory = has_files.then(|| absolute(&config.log.place(&config.state)));
    let (logging, telemetry) = log::of_service(&config, directory.as_deref(), is_background)?;
    let journal = logging.journal();
    let place = directory.clone();
    let served = tokio::select! {
        served = serve(config, place, journal, &options, &logging, &telemetry) => served,
        () = logging.watch() => Ok(()),
    };
    if (has_files || telemetry.reports())
        && let Err(error) = &served
    {
        let hint = error.hint.as_deref();
        tracing::error!(hint, "ended: {}", Chain(error));
    }
    telemetry.end().await;
    served.map(|()| ExitCode::SUCCESS)
}

/// Serves until a signal ends it.
async fn serve(
    config: Config,
    logs: Option<PathBuf>,
    journal: Journal,
    options: &Options,
    logging: &Logging,
    telemetry: &Telemetry,
) -> Result<(), Error> {
    let livekit = if config.livekit.is_configured() {
        config.livekit.url.as_str()
    } else {
        "none"
    };
    let pid = std::process::id();
    tracing::info!(livekit, pid, "Ghostcast {}", env!("CARGO_PKG_VERSION"));
    let mut signals = Signals::listen()?;
    let mut hangups = hangups()?;
    let mut pid_file = pid_file(&config, logs, options)?;
    let app = App::start(config, journal).await?;
    if let Some(Err(error)) = pid_file.as_mut().map(|file| file.listens(app.address())) {
        tracing::warn!(%error, "the PID file cannot be written");
    }
    tracing::info!("dashboard at http://{}/", app.address());
    let notify = Notify::of(config::supervisor());
    notify.ready(&app);
    if let Some(url) = &options.demo {
        let url = Some(url.clone()).filter(|url| !url.is_empty());
        demo::start(app.manager(), url).await?;
    }
    let measurements = app.measurements();
    tokio::select! {
        () = signals.end() => (),
        () = app.drained() => (),
        () = reload_each(&mut hangups, &app, options, logging) => (),
        () = telemetry.measure(&measurements) => (),
        () = notify.live(&app) => (),
    }
    tracing::info!("ending");
    notify.stopping();
    app.shut_down().await;
    tracing::info!("ended");
    telemetry.measure_last(measurements).await;
    Ok(())
}

/// Says in the state directory who serves it. The other verbs need that, and a service that nobody started
/// by them does without.
fn pid_file(
    config: &Config,
    logs: Option<PathBuf>,
    options: &Options,
) -> Result<Option<PidFile>, Error> {
    let state = absolute(&config.state.place());
    let words = options.arguments().into_iter();
    let words = words.map(|word| word.to_string_lossy().into_owned());
    match PidFile::take(&state, logs, words.collect()) {
        Ok(file) => Ok(Some(file)),
        Err(refused) if !options.background => {
            tracing::debug!(%refused, "no PID file: start, stop and status do not know of this service");
            Ok(None)
        }
        Err(Refused::Held) => Err(Error::conflict(format!(
            "another service runs on the state directory {}",
            state.display()
        ))
        .hint("Stop that one, or give this one a directory of its own, by --state-dir.")),
        Err(Refused::Disk(error)) => Err(Error::unavailable(format!(
            "cannot write the PID file in {}: {error}",
            state.display()
        ))
        .hint("Choose a directory that you may write, with --state-dir.")
        .source(error)),
    }
}

/// A terminal that closes sends SIGHUP, and so do those who want settings read again; neither ends the
/// service.
fn hangups() -> Result<Signal, Error> {
    signal(SignalKind::hangup())
        .map_err(|error| Error::internal("cannot listen for signals").source(error))
}

/// Reads the settings again at each SIGHUP.
async fn reload_each(hangups: &mut Signal, app: &App, options: &Options, logging: &Logging) {
    loop {
        if hangups.recv().await.is_none() {
            return std::future::pending().await;
        }
        let read = options.settings.load();
        let reloaded = read.and_then(|config| {
            let level = log::level(&config)?;
            let reloaded = app.reload(config)?;
            logging.take(level);
            Ok(reloaded)
        });
        match reloaded {
            Ok(reloaded) => {
                let changed = told(&reloaded.changed);
                tracing::info!(changed, "SIGHUP: the settings were read again");
                if !reloaded.waiting.is_empty() {
                    let waiting = told(&reloaded.waiting);
                    tracing::warn!(waiting, "SIGHUP: these settings need a restart");
                }
            }
            Err(error) => {
                let hint = error.hint.as_deref();
                tracing::error!(
                    hint,
                    "SIGHUP: the settings stay as they are: {}",
                    Chain(&error)
                );
            }
        }
    }
}

/// Keys in a line of the log.
fn told(keys: &[String]) -> String {
    match keys {
        [] => "none".to_owned(),
        keys => keys.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: Options,
    }

    #[test]
    fn options_are_handed_on_as_they_came() {
        for words in [
            &[][..],
            &["--demo"],
            &["--demo=--strange"],
            &["--listen", "127.0.0.1:1", "--demo=https://example.com"],
        ] {
            let line = Line::try_parse_from(["x"].iter().chain(words)).unwrap();
            let again = line.serve.arguments();
            assert_eq!(again, words.iter().map(OsString::from).collect::<Vec<_>>());
        }
    }
}
