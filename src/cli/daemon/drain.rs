//! `ghostcast drain`: no new sessions, and the end with the last one.

use std::process::ExitCode;

use serde_json::json;

use super::super::Settings;
use super::super::client::Method;
use super::pidfile::Found;
use super::{Place, say};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// The service ends after so long whatever is left, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
    /// Take new sessions again.
    #[arg(long)]
    undo: bool,
}

pub(in super::super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let place = Place::of(&options.settings)?;
    if !matches!(place.found, Found::Running(_)) {
        return Err(Error::unavailable("no service runs here").hint(
            "See `ghostcast status`; a service of another state directory has its --state-dir.",
        ));
    }
    let _log = place.note().ok();
    let client = place.client(None)?;
    if options.undo {
        client
            .ask(Method::DELETE, &["drain"], None)
            .await?
            .success()?;
        tracing::info!("draining was taken back");
        say("ghostcast takes sessions again")?;
        return Ok(ExitCode::SUCCESS);
    }
    let order = json!({ "timeout_s": options.timeout });
    let answer = client.post(&["drain"], &order).await?;
    let left = answer["sessions"].as_u64().unwrap_or_default();
    tracing::info!(left, "draining");
    say(format!(
        "ghostcast takes no new sessions and ends with the last of {left}, in {} s at most",
        options.timeout
    ))?;
    Ok(ExitCode::SUCCESS)
}
