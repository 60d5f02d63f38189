//! What is told while a verb runs: on standard error for a person, in files for later.
//!
//! `GHOSTCAST_LOG` says how much, and raw messages are silenced, wherever a line goes. Lines of files, and
//! those of `--log-format json`, are made in [`line`]; [`files`] bounds what they take on the disk.

mod files;
mod line;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use self::files::{Dropped, Files};
use self::line::Lines;
use crate::app::Journal;
use crate::config::{self, Config, LogFormat};
use crate::error::Error;
use crate::model::SPANS;
use crate::telemetry::Telemetry;

pub(super) use self::files::{ACTIONS, DAEMON, SERVER, put_aside};

/// What a service logs where `GHOSTCAST_LOG` says nothing.
pub(super) const OF_SERVICES: &str = "info,chromiumoxide=off,str0m=warn,livekit=warn,rmcp=warn,\
     smithay=warn";

/// How often it is looked whether lines were dropped.
const DROPPED_EVERY: Duration = Duration::from_secs(10);

/// A layer of any kind.
type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Lines reach the files while this lives; what is under way is written when it goes.
#[must_use]
pub(super) struct Logging {
    told: Option<Watched>,
    actions: Option<Watched>,
    filter: Option<Filter>,
}

/// A log with a count of what it has lost.
struct Watched {
    files: Files,
    dropped: Dropped,
    /// Lines that have been told of.
    told: AtomicU64,
    name: &'static str,
    counter: &'static str,
}

/// What is told, to be changed while the service runs.
type Filter = reload::Handle<EnvFilter, Registry>;

/// Logs to standard error, as much as `GHOSTCAST_LOG` says, or else `usual`.
pub(super) fn to_stderr(usual: &str) {
    let layers = vec![stderr(LogFormat::Text, everything())];
    let _ = begin(filter(usual), layers, Vec::new());
}

/// Logs as the service does: to standard error unless it runs in the background, and to the server's log
/// in `directory`, if there is one.
pub(super) fn of_service(
    config: &Config,
    directory: Option<&Path>,
    is_background: bool,
) -> Result<(Logging, Telemetry), Error> {
    let format = config.log.format;
    let level = level(config)?;
    let files = directory.map(|directory| Files::open(directory, SERVER, &config.log));
    let files = files.transpose()?;
    let mut layers = Vec::new();
    if !is_background {
        layers.push(stderr(format, everything()));
    }
    if let Some(files) = &files {
        layers.push(Lines::new(format, files.writer()).boxed());
    }
    let (telemetry, telling) = Telemetry::begin(&config.telemetry)?;
    if files.is_some() || telemetry.reports() {
        panics_are_logged();
    }
    let actions = directory.filter(|_| config.log.actions);
    let actions = actions.map(|directory| Files::when_needed(directory, ACTIONS, &config.log));
    let counter = "ghostcast_action_log_lines_dropped_total";
    let logging = Logging {
        filter: begin(level, layers, telling),
        told: files.map(Watched::server),
        actions: actions.map(|files| Watched::new(files, ACTIONS, counter)),
    };
    Ok((logging, telemetry))
}

/// Logs as a verb about the service does: what it did to the daemon's log in `directory`, and what is wrong
/// with the settings to whoever called it.
pub(super) fn of_verb(config: &Config, directory: &Path) -> Result<Logging, Error> {
    let files = Files::open(directory, DAEMON, &config.log);
    let settings = Targets::new().with_target("ghostcast::config", LevelFilter::WARN);
    let mut layers = vec![stderr(LogFormat::Text, settings)];
    if let Ok(files) = &files {
        layers.push(Lines::new(config.log.format, files.writer()).boxed());
    }
    let _ = begin(filter(OF_SERVICES), layers, Vec::new());
    Ok(Logging {
        filter: None,
        told: Some(Watched::server(files?)),
        actions: None,
    })
}

impl Logging {
    /// What writes down how actions have ended.
    pub(super) fn journal(&self) -> Journal {
        let files = self.actions.as_ref().map(|actions| &actions.files);
        files.map_or_else(Journal::default, |files| Journal::new(files.writer()))
    }

    /// Tells this much from now on.
    pub(super) fn take(&self, level: Level) {
        if let Some(filter) = &self.filter {
            // Only a subscriber that is gone refuses.
            let _ = filter.reload(level.0);
        }
    }

    /// Tells of lines that were dropped, for as long as it is polled.
    pub(super) async fn watch(&self) {
        loop {
            tokio::time::sleep(DROPPED_EVERY).await;
            for log in self.told.iter().chain(&self.actions) {
                log.tell_of_losses();
            }
        }
    }
}

impl Watched {
    fn new(files: Files, name: &'static str, counter: &'static str) -> Self {
        Self {
            dropped: files.dropped(),
            files,
            told: AtomicU64::new(0),
            name,
            counter,
        }
    }

    fn server(files: Files) -> Self {
        Self::new(files, SERVER, "ghostcast_log_lines_dropped_total")
    }

    fn tell_of_losses(&self) {
        let lines = self.dropped.lines();
        let told = self.told.swap(lines, Ordering::Relaxed);
        if lines > told {
            metrics::counter!(self.counter).absolute(lines);
            tracing::warn!(
                lines = lines - told,
                log = self.name,
                "lines of a log were dropped: the disk is full or too slow"
            );
        }
    }
}

/// What is told, as settings say it.
pub(super) struct Level(EnvFilter);

/// What a service tells: as `GHOSTCAST_LOG` says, else as `log.level` does.
pub(super) fn level(config: &Config) -> Result<Level, Error> {
    let level = config.log.level.as_str();
    if level.is_empty() {
        return Ok(filter(OF_SERVICES));
    }
    EnvFilter::try_new(level).map_err(|error| {
        Error::invalid_input("log.level is not valid")
            .hint("Write it as \"info\", or as \"info,ghostcast::session=debug\".")
            .source(error)
    })?;
    Ok(filter(level))
}

/// As much as `GHOSTCAST_LOG` says, or else `usual`.
fn filter(usual: &str) -> Level {
    let filter = EnvFilter::try_from_env("GHOSTCAST_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    // Raw messages hold whatever is typed and shown, tokens and secrets among it.
    let silenced = [
        "chromiumoxide=off",
        "rmcp=warn",
        "stun_proto=warn",
        "stun_types=warn",
        "turn_client_proto=warn",
        "turn_types=warn",
    ];
    let filter = silenced
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    Level(filter)
}

/// Begins to log, and to tell more by layers of their own. Answers by what it is told how much is logged, unless
/// something logs already.
fn begin(level: Level, lines: Vec<Boxed>, mut layers: Vec<Boxed>) -> Option<Filter> {
    let (filter, handle) = reload::Layer::new(level.0);
    let is_logged = filter_fn(|metadata| metadata.target() != SPANS);
    layers.push(lines.with_filter(filter.and(is_logged)).boxed());
    // The first one stays; a second one in a process would be a verb within a verb.
    let begun = tracing_subscriber::registry().with(layers).try_init();
    config::warn_of_strays();
    begun.ok().map(|()| handle)
}

fn everything() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE)
}

fn stderr(format: LogFormat, told: Targets) -> Boxed {
    match format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            // Told where? A terminal that has gone must not end what it had started.
            .log_internal_errors(false)
            .with_filter(told)
            .boxed(),
        LogFormat::Json => Lines::new(format, |line: &[u8]| {
            let _ = std::io::stderr().write_all(line);
        })
        .with_filter(told)
        .boxed(),
    }
}

/// A panic's words go to standard error, which a service in the background does not have.
fn panics_are_logged() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("a defect: {panic}");
        usual(panic);
    }));
}
