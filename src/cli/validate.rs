//! `ghostcast validate`: every feature shown to work on this machine, and by exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use ghostcast_validate as validate;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Address, ConfigFile, Signals};
use crate::error::Error;
use crate::model::Secret;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Run the tests of one step only.
    #[arg(long, value_name = "N", conflicts_with = "all",
        value_parser = clap::value_parser!(u8).range(range()))]
    step: Option<u8>,
    /// Run every step; the same as no flag.
    #[arg(long)]
    all: bool,
    /// Write the result as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The LiveKit server of steps 11 to 13; without one, a livekit-server that is found is started.
    #[arg(long, value_name = "URL", requires_all = ["livekit_api_key", "livekit_api_secret"])]
    livekit_url: Option<String>,
    /// Its API key.
    #[arg(long, value_name = "KEY", requires = "livekit_url")]
    livekit_api_key: Option<String>,
    /// The key's secret.
    #[arg(long, value_name = "SECRET", requires = "livekit_url")]
    livekit_api_secret: Option<String>,
}

fn range() -> std::ops::RangeInclusive<i64> {
    i64::from(*validate::STEPS.start())..=i64::from(*validate::STEPS.end())
}

/// Waits for the end of the terminal, with which the tests' services would not end by themselves. Under
/// `nohup`, which ignores it, the run goes on.
fn hangup() -> Result<impl Future<Output = ()>, Error> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let is_ignored = ignored.is_some_and(|mask| mask & 1 << (libc::SIGHUP - 1) != 0);
    let listening = match is_ignored {
        true => None,
        false => Some(signal(SignalKind::hangup()).map_err(|error| {
            Error::internal("cannot listen for the end of the terminal").source(error)
        })?),
    };
    Ok(async move {
        match listening {
            Some(mut hangup) => drop(hangup.recv().await),
            None => std::future::pending().await,
        }
    })
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    // What fails on purpose is no news; what a test finds wrong is printed.
    super::log::to_stderr("off");
    let mut config = options.file.load(&Address::default())?;
    if let (Some(url), Some(key), Some(secret)) = (
        options.livekit_url,
        options.livekit_api_key,
        options.livekit_api_secret,
    ) {
        config.livekit.url = url;
        config.livekit.api_key = key;
        config.livekit.api_secret = Secret::from(secret);
    }
    let browser = serde_json::to_value(&config.browser).map_err(|error| {
        Error::internal("the settings of the browser cannot be handed on").source(error)
    })?;
    let livekit = &config.livekit;
    let livekit = livekit.is_configured().then(|| validate::Coordinates {
        url: livekit.url.clone(),
        api_key: livekit.api_key.clone(),
        api_secret: livekit.api_secret.reveal().to_owned(),
    });
    let program = std::env::current_exe().map_err(|error| {
        Error::internal("this program does not know where it lies").source(error)
    })?;
    let stop = CancellationToken::new();
    let (mut signals, interrupted) = (Signals::listen()?, stop.clone());
    let hangup = hangup()?;
    tokio::spawn(async move {
        tokio::select! {
            () = signals.end() => (),
            () = hangup => (),
        }
        interrupted.cancel();
    });
    let passed = validate::run(validate::Options {
        program,
        version: env!("CARGO_PKG_VERSION"),
        step: options.step,
        json: options.json,
        stop,
        browser: browser.as_object().cloned().unwrap_or_default(),
        livekit,
    });
    let passed = Box::pin(passed).await.map_err(|error| {
        Error::unavailable(error.to_string())
            .hint("Choose another place with --json.")
            .source(error)
    })?;
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
