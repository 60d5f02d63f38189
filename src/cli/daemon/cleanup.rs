//! `ghostcast cleanup`: what is left of services, old logs, and sessions that nothing happens in.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::{Settings, log};
use super::pidfile::{self, Found};
use super::{Place, say};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Sessions without activity, and logs that were put aside, go when they are older than this.
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, value_parser = hours)]
    max_age_hours: f64,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(in super::super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let place = Place::of(&options.settings)?;
    let is_dry = options.dry_run;
    let _log = match is_dry || !place.logs.is_dir() {
        true => None,
        false => place.note().ok(),
    };
    let verb = if is_dry { "would remove" } else { "removed" };
    if let Found::Stale(stale) = &place.found {
        let path = pidfile::path(&place.state);
        let is_removed = is_dry
            || pidfile::remove_stale(&place.state).map_err(|error| {
                Error::unavailable(format!("cannot remove {}", path.display())).source(error)
            })?;
        if is_removed {
            tracing::info!(why = stale.why, "a PID file was stale and was removed");
            say(format!("{verb} {}: {}", path.display(), stale.why))?;
        }
    }
    for name in [log::SERVER, log::DAEMON, log::ACTIONS] {
        for path in log::put_aside(&place.logs, name) {
            if is_older(&path, options.max_age_hours) && (is_dry || fs::remove_file(&path).is_ok())
            {
                tracing::info!(path = %path.display(), "an old log was removed");
                say(format!("{verb} {}", path.display()))?;
            }
        }
    }
    sessions(&place, &options).await?;
    Ok(ExitCode::SUCCESS)
}

/// Has the service close what nothing happens in.
async fn sessions(place: &Place, options: &Options) -> Result<(), Error> {
    if !matches!(place.found, Found::Running(_)) {
        return say("no service runs here, so no sessions were looked at");
    }
    let (hours, is_dry) = (options.max_age_hours, options.dry_run);
    let body = json!({ "max_age_hours": hours, "dry_run": is_dry });
    let client = place.client(None)?;
    let answer = client.post(&["sessions", "cleanup"], &body).await?;
    let closed = answer["deleted"].as_array().map_or(&[][..], Vec::as_slice);
    let verb = if is_dry { "would close" } else { "closed" };
    for record in closed {
        tracing::info!(session = name_of(record), "an old session was closed");
        let last = record["last_activity"].as_str().unwrap_or("unknown");
        say(format!(
            "{verb} session {}, last used {last}",
            name_of(record)
        ))?;
    }
    let kept = answer["kept"].as_u64().unwrap_or_default();
    say(format!(
        "{verb} {} sessions without activity for {hours} h, kept {kept}",
        closed.len()
    ))
}

/// What a session is called.
pub(in super::super) fn name_of(record: &Value) -> &str {
    ["session_name", "room_name", "session_id"]
        .into_iter()
        .find_map(|key| record[key].as_str())
        .unwrap_or("?")
}

fn is_older(path: &Path, hours: f64) -> bool {
    let written = fs::metadata(path).and_then(|data| data.modified());
    let age = written
        .ok()
        .and_then(|time| SystemTime::now().duration_since(time).ok());
    age.unwrap_or(Duration::ZERO).as_secs_f64() > hours * 3_600.0
}

/// A number of hours that a duration can hold.
fn hours(text: &str) -> Result<f64, String> {
    let hours = text
        .parse()
        .ok()
        .filter(|hours: &f64| (0.0..=1e6).contains(hours));
    hours.ok_or_else(|| "it is a number from 0 to 1000000".to_owned())
}
