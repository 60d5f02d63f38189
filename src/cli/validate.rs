//! `ghostcast validate`: every feature shown to work on this machine, and by exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{Address, ConfigFile, Signals};
use crate::error::Error;
use crate::model::Secret;
use crate::validate;

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
    let stop = CancellationToken::new();
    let (mut signals, interrupted) = (Signals::listen()?, stop.clone());
    tokio::spawn(async move {
        signals.end().await;
        interrupted.cancel();
    });
    let passed = validate::run(validate::Options {
        step: options.step,
        json: options.json,
        stop,
        config,
    });
    Ok(match Box::pin(passed).await? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
