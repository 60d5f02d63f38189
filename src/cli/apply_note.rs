//! `ghostcast apply-note`: one note, posted by one process.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Number, Value, json};
use tokio_util::sync::CancellationToken;

use super::daemon::say;
use super::office::{Desk, Office, Unhappy, Which, post_note, posted};
use super::{Signals, log};
use crate::error::Error;

/// The note is not posted.
const NOT_POSTED: u8 = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The page of the video.
    #[arg(long, value_name = "URL")]
    video_url: String,
    /// The moment of the video, seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timestamp: Number,
    /// What the note says.
    #[arg(long)]
    text: String,
    /// The session in which somebody is logged in: that of a connection, or another one that is kept.
    #[arg(long, value_name = "SESSION")]
    session_id: String,
    /// A note that is not posted after this time is called off, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    timeout_ms: u64,
    #[command(flatten)]
    which: Which,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    log::to_stderr("warn");
    let mut signals = Signals::listen()?;
    let office = Office::find(&options.which).await?;
    let note = json!({
        "video_url": options.video_url,
        "timestamp": options.timestamp,
        "text": options.text,
        "session_id": options.session_id,
    });
    let longest = Duration::from_millis(options.timeout_ms);
    let done = post(&office.desk(), &note, longest, &mut signals).await;
    let code = match done {
        Ok(result) => {
            say(posted(&result).to_string())?;
            ExitCode::SUCCESS
        }
        Err(unhappy) => {
            eprintln!("ghostcast: {unhappy}");
            ExitCode::from(NOT_POSTED)
        }
    };
    office.end().await;
    Ok(code)
}

/// Posts the note, unless a signal calls it off.
async fn post(
    desk: &Desk,
    note: &Value,
    longest: Duration,
    signals: &mut Signals,
) -> Result<Value, Unhappy> {
    let (order, end) = (post_note(note)?, CancellationToken::new());
    let posting = desk.work(&order, longest, &end, None);
    tokio::pin!(posting);
    tokio::select! {
        done = &mut posting => done,
        () = signals.end() => {
            end.cancel();
            posting.await
        }
    }
}

/// A number as it is written: what a page is given is that, and not what a machine makes of it.
fn seconds(text: &str) -> Result<Number, String> {
    let number: Option<Number> = serde_json::from_str(text).ok();
    number
        .filter(|number| number.as_f64().is_some_and(|at| at >= 0.0))
        .ok_or_else(|| "write seconds as a number, such as 45.2".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_as_it_is_written() {
        for text in ["0", "45", "45.2"] {
            assert_eq!(seconds(text).unwrap().to_string(), text);
        }
        for text in ["", "-1", "x", "1:30", "null", "\"1\"", "1e999"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
