//! `ghostcast status`: whether the service runs, and how it is.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::super::Settings;
use super::super::client::Client;
use super::pidfile::{Found, Note};
use super::{Place, answers, resources, say, url_of};
use crate::error::Error;

/// The service has ended without removing its PID file (the exit codes are those of LSB init scripts).
const DEAD: u8 = 1;
/// No service runs.
const NOT_RUNNING: u8 = 3;
/// It runs and does not answer, or cannot be seen from here.
const UNKNOWN: u8 = 4;

/// Health is told at once, or not at all.
const HEALTH_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(in super::super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Tell what it takes, too: processor and memory of the service, its browsers and each session.
    #[arg(short, long)]
    verbose: bool,
}

pub(in super::super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let place = Place::of(&options.settings)?;
    let code = match &place.found {
        Found::Running(note) => {
            let client = place.client(note.address.map(url_of).as_deref())?;
            return running(&place, note, &client, options.verbose).await;
        }
        Found::Stale(stale) => {
            say(format!(
                "ghostcast does not run; its PID file is stale: {}",
                stale.why
            ))?;
            say("  It is removed by `ghostcast start`, `stop` and `cleanup`.")?;
            DEAD
        }
        Found::Elsewhere => {
            say("ghostcast runs, where its process cannot be seen from here")?;
            UNKNOWN
        }
        Found::Nobody => {
            say("ghostcast does not run")?;
            let listen = place.address();
            if answers(listen).await {
                say(format!(
                    "  Another Ghostcast answers at {}, which does not serve {}.",
                    url_of(listen),
                    place.state.display()
                ))?;
            }
            NOT_RUNNING
        }
    };
    Ok(ExitCode::from(code))
}

async fn running(
    place: &Place,
    note: &Note,
    client: &Client,
    is_verbose: bool,
) -> Result<ExitCode, Error> {
    let health = tokio::time::timeout(HEALTH_WITHIN, client.get(&["health"])).await;
    let health = health.unwrap_or_else(|_| Err(Error::timeout("it does not answer in time")));
    say("ghostcast runs")?;
    say(format!("  pid       {}", note.pid))?;
    let address = note.address.map_or("none yet".to_owned(), url_of);
    say(format!("  address   {address}"))?;
    if let Some(age) = note.process().age() {
        say(format!("  uptime    {}", duration(age)))?;
    }
    let code = match &health {
        Ok(health) => {
            let version = health["version"].as_str().unwrap_or("unknown");
            say(format!("  version   {version}"))?;
            say(format!("  health    {}", words_of(health)))?;
            say(format!("  sessions  {}", counts(&health["sessions"])))?;
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(format!("  health    unknown: {error}"))?;
            ExitCode::from(UNKNOWN)
        }
    };
    say(format!("  state     {}", place.state.display()))?;
    let logs = note.log_dir.as_ref();
    let logs = logs.map_or("standard error".to_owned(), |path| {
        path.display().to_string()
    });
    say(format!("  logs      {logs}"))?;
    if is_verbose {
        let known = match health {
            Ok(_) => client.get(&["stats"]).await.ok(),
            Err(_) => None,
        };
        for line in resources::tell(note.process(), known.as_ref()).await {
            say(format!("  {line}"))?;
        }
    }
    Ok(code)
}

/// Health, with its reasons.
fn words_of(health: &Value) -> String {
    let status = health["status"].as_str().unwrap_or("unknown");
    let reasons = health["reasons"].as_array().into_iter().flatten();
    let reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
    match reasons.is_empty() {
        true => status.to_owned(),
        false => format!("{status}: {}", reasons.join("; ")),
    }
}

/// How many sessions are in each state.
fn counts(sessions: &Value) -> String {
    let counts = sessions.as_object().into_iter().flatten();
    let counts: Vec<String> = counts
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    match counts.is_empty() {
        true => "none".to_owned(),
        false => counts.join(", "),
    }
}

/// A duration in its two largest units.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_told_in_their_largest_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_661, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn health_is_told_with_its_reasons() {
        assert_eq!(
            words_of(&json!({ "status": "healthy", "reasons": [] })),
            "healthy"
        );
        let ill = json!({ "status": "degraded", "reasons": ["a", "b"] });
        assert_eq!(words_of(&ill), "degraded: a; b");
        assert_eq!(words_of(&Value::Null), "unknown");
        assert_eq!(
            counts(&json!({ "live": 2, "stored": 1 })),
            "2 live, 1 stored"
        );
        assert_eq!(counts(&json!({})), "none");
    }
}
