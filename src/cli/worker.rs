//! `ghostcast worker`: work that is asked for in frames on standard input, and answered on standard output.

use std::io::stdout;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::office::{Desk, Office, Unhappy, Which, post_note, posted};
use super::{Signals, explain, log};
use crate::error::Error;
use crate::framed::worker::{Asked, Broken, Deeds, UNKNOWN_ACTION, serve};

/// What was read ends within a frame, or nobody takes the answers.
const BROKEN: u8 = 4;
/// How often it is looked whether somebody takes the answers.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    which: Which,
    /// A request that is not through after this time is called off, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    timeout_ms: u64,
}

/// Does the work, by jobs of a service.
#[derive(Clone)]
struct Work {
    desk: Desk,
    longest: Duration,
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    // Standard output is for frames alone.
    log::to_stderr(log::OF_SERVICES);
    let mut signals = Signals::listen()?;
    let office = Office::find(&options.which).await?;
    let (end, work) = (
        CancellationToken::new(),
        Work {
            desk: office.desk(),
            longest: Duration::from_millis(options.timeout_ms),
        },
    );
    let serving = serve(tokio::io::stdin(), tokio::io::stdout(), work, end.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = async { tokio::select! { () = signals.end() => (), () = hung_up() => () } } => {
            end.cancel();
            serving.await
        }
    };
    office.end().await;
    Ok(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(broken) => {
            explain(&Error::unavailable(broken.to_string()).hint(hint(&broken)));
            ExitCode::from(BROKEN)
        }
    })
}

const fn hint(broken: &Broken) -> &'static str {
    match broken {
        Broken::Truncated(_) => "What had come whole was done and answered.",
        Broken::Input(_) | Broken::Output(_) => "Whoever started this has to read and write it.",
    }
}

/// Returns when nobody reads standard output any more.
async fn hung_up() {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let out = stdout();
        let mut looked = [PollFd::new(out.as_fd(), PollFlags::empty())];
        let is_gone = poll(&mut looked, PollTimeout::ZERO).is_ok()
            && looked[0].revents().is_some_and(|seen| !seen.is_empty());
        if is_gone {
            return;
        }
    }
}

impl Deeds for Work {
    async fn perform(&self, asked: Asked) -> Result<Value, String> {
        let done = match asked.action.as_str() {
            "post_note" => self.post_note(&asked).await,
            "check_login" => self.visit("check_login", &asked).await,
            "ping_session" => self.visit("keep_alive", &asked).await,
            "run" => self.work(&asked.data, &asked).await,
            _ => return Err(UNKNOWN_ACTION.to_owned()),
        };
        done.map_err(|unhappy| unhappy.to_string())
    }
}

impl Work {
    async fn post_note(&self, asked: &Asked) -> Result<Value, Unhappy> {
        let order = post_note(&asked.data)?;
        let result = self.work(&order, asked).await?;
        Ok(posted(&result))
    }

    /// A visit is made whenever it is asked for: it is never the same as another one.
    async fn visit(&self, kind: &str, asked: &Asked) -> Result<Value, Unhappy> {
        if asked.data["session_id"].as_str().is_none_or(str::is_empty) {
            return Err(Unhappy {
                kind: "invalid_input".to_owned(),
                message: format!("{} needs \"session_id\", a text, in data.", asked.action),
            });
        }
        let order = json!({
            "kind": kind,
            "args": asked.data,
            "attempts_max": 1,
            "unique_key": format!("{kind} {}", Uuid::new_v4()),
        });
        self.work(&order, asked).await
    }

    async fn work(&self, order: &Value, asked: &Asked) -> Result<Value, Unhappy> {
        let progress = Some(&asked.progress);
        self.desk
            .work(order, self.longest, &asked.end, progress)
            .await
    }
}
