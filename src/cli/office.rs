//! Where a verb has jobs done: the service that runs on the state directory, or one that it carries itself.
//!
//! Two services never share a state directory, and logins lie there; so a verb asks the one that has it, and only
//! where none runs is there one in this very program, for as long as the verb takes. Either way it is asked by REST.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::client::{Client, Method};
use super::daemon::Place;
use super::daemon::pidfile::{PidFile, Refused};
use crate::app::{App, Journal};
use crate::error::{Error, ErrorKind};
use crate::framed::worker::Progress;

/// A service that is gone is asked again after this time: a job outlives it.
const AGAIN: Duration = Duration::from_millis(500);
/// A job is called off within this time, or goes on.
const CALL_OFF_WITHIN: Duration = Duration::from_secs(3);

/// Which service.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    settings: Settings,
    /// The service's URL; without it, the service that runs on the state directory, and where none does, one of this
    /// program's own, which ends with it.
    #[arg(long, value_name = "URL")]
    service: Option<String>,
}

/// A service that does jobs.
pub(super) struct Office {
    desk: Desk,
    own: Option<Own>,
}

/// Where it takes them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Desk(Arc<Client>);

/// One in this program.
struct Own {
    app: Box<App>,
    /// Others find it by that, and ask it instead of carrying one.
    _pid_file: PidFile,
}

/// Why a job came to nothing, in a word and in words.
#[derive(Debug)]
pub(super) struct Unhappy {
    pub(super) kind: String,
    pub(super) message: String,
}

impl std::fmt::Display for Unhappy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl From<Error> for Unhappy {
    fn from(error: Error) -> Self {
        let kind = serde_json::to_value(error.kind);
        let kind = kind.ok().and_then(|kind| kind.as_str().map(str::to_owned));
        Self {
            kind: kind.unwrap_or_default(),
            message: error.in_full(),
        }
    }
}

impl Office {
    /// Finds the service, or carries one.
    pub(super) async fn find(which: &Which) -> Result<Self, Error> {
        let place = Place::of(&which.settings)?;
        if which.service.is_some() || place.is_served() {
            let client = place.client(which.service.as_deref())?;
            tracing::info!("works with the service at {}", client.url());
            let desk = Desk(Arc::new(client));
            return Ok(Self { desk, own: None });
        }
        let is_addressed = which.settings.address().is_given();
        let (mut config, state) = place.into_settings();
        if !is_addressed {
            // Nobody else looks for it: whatever listens where services do is left alone.
            config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        }
        // It is there to do work, and has none done.
        config.bridge.command.clear();
        let token = config.server.own_token();
        let mut pid_file = PidFile::take(&state, None, Vec::new()).map_err(|refused| {
            let state = state.display();
            match refused {
                Refused::Held => Error::conflict(format!(
                    "another Ghostcast uses the state directory {state}"
                ))
                .hint("Say where it is with --service, or use another --state-dir."),
                Refused::Disk(error) => {
                    Error::unavailable(format!("cannot write in the state directory {state}"))
                        .hint("Choose a directory that you may write, with --state-dir.")
                        .source(error)
                }
            }
        })?;
        let app = Box::new(Box::pin(App::start(config, Journal::default())).await?);
        if let Err(error) = pid_file.listens(app.address()) {
            tracing::warn!(%error, "the PID file cannot be written");
        }
        let client = Client::new(&format!("http://{}", app.address()), token)?;
        tracing::info!(
            "no service runs on {}: works with one of its own",
            state.display()
        );
        let own = Some(Own {
            app,
            _pid_file: pid_file,
        });
        let desk = Desk(Arc::new(client));
        Ok(Self { desk, own })
    }

    /// Where it takes jobs.
    pub(super) fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Ends a service of our own, with its browsers.
    pub(super) async fn end(self) {
        if let Some(own) = self.own {
            own.app.shut_down().await;
        }
    }
}

impl Desk {
    /// Has a job done and answers its result; tells how far it is. One that waits for a login, takes longer than
    /// `longest` or is not wanted any more by `end` is called off.
    pub(super) async fn work(
        &self,
        order: &Value,
        longest: Duration,
        end: &CancellationToken,
        progress: Option<&Progress>,
    ) -> Result<Value, Unhappy> {
        let deadline = Instant::now() + longest;
        let asking = tokio::time::timeout_at(deadline, self.0.post(&["jobs"], order));
        let asked = end.run_until_cancelled(asking).await;
        let Some(Ok(job)) = asked else {
            return Err(Unhappy {
                kind: "timeout".to_owned(),
                message: "The service did not say whether it has taken it: it may be done."
                    .to_owned(),
            });
        };
        let job = job?;
        let job_id = job["job_id"].as_str().unwrap_or_default().to_owned();
        let following = self.follow(&job_id, progress);
        let why = tokio::select! {
            job = following => match job? {
                // What is told to have come to nothing is not done later.
                job if matches!(job["state"].as_str(), Some("pending_auth" | "pending_human")) => {
                    unhappy(&job)
                }
                job => return outcome(&job),
            },
            () = end.cancelled() => Unhappy {
                kind: "cancelled".to_owned(),
                message: "It is not wanted any more.".to_owned(),
            },
            () = tokio::time::sleep_until(deadline) => Unhappy {
                kind: "timeout".to_owned(),
                message: format!(
                    "It was not through after {} s.",
                    longest.as_secs_f64()
                ),
            },
        };
        let path = ["jobs", &job_id, "cancel"];
        let calling_off = self.0.ask(Method::POST, &path, None);
        match timeout(CALL_OFF_WITHIN, calling_off).await {
            // It has ended at the same moment.
            Ok(Ok(answer)) if answer.status == 409 => {
                outcome(&self.0.get(&["jobs", &job_id]).await?)
            }
            Ok(Ok(answer)) if answer.status == 200 => Err(Unhappy {
                message: format!("{} It is called off.", why.message),
                ..why
            }),
            Ok(_) | Err(_) => Err(Unhappy {
                message: format!(
                    "{} It could not be called off, and may still be done: job {job_id}.",
                    why.message
                ),
                ..why
            }),
        }
    }

    /// Follows a job until it is over or waits for a login; answers it as it is then.
    async fn follow(&self, job_id: &str, progress: Option<&Progress>) -> Result<Value, Unhappy> {
        let mut last = Value::Null;
        loop {
            match self.0.watch(&["jobs", job_id, "events"]).await {
                Ok(mut watch) => {
                    while let Some(job) = watch.next().await {
                        let now = how_far(&job);
                        if let Some(progress) = progress.filter(|_| now != last) {
                            progress.tell(now.clone()).await;
                            last = now;
                        }
                        if is_through(&job) {
                            return Ok(job);
                        }
                    }
                }
                Err(error) if error.kind == ErrorKind::NotFound => return Err(error.into()),
                // It goes on with the next life of the service.
                Err(error) => tracing::debug!(%error, "the job cannot be watched"),
            }
            sleep(AGAIN).await;
        }
    }
}

/// How far a job is.
fn how_far(job: &Value) -> Value {
    let mut progress = match job["progress"].is_object() {
        true => job["progress"].clone(),
        false => json!({}),
    };
    progress["state"] = job["state"].clone();
    progress
}

/// Whether nothing more comes of it by itself.
fn is_through(job: &Value) -> bool {
    let state = job["state"].as_str().unwrap_or_default();
    matches!(
        state,
        "done" | "failed" | "cancelled" | "pending_auth" | "pending_human"
    )
}

/// What came of a job that is over.
fn outcome(job: &Value) -> Result<Value, Unhappy> {
    match job["state"].as_str() {
        Some("done") => Ok(job["result"].clone()),
        _ => Err(unhappy(job)),
    }
}

fn unhappy(job: &Value) -> Unhappy {
    let text = |name: &str, or: &str| job["error"][name].as_str().unwrap_or(or).to_owned();
    Unhappy {
        kind: text("kind", "cancelled"),
        message: text("message", "The job was called off."),
    }
}

/// The order of a job that posts a note.
pub(super) fn post_note(data: &Value) -> Result<Value, Unhappy> {
    let wrong = |what: &str| {
        Err(Unhappy {
            kind: "invalid_input".to_owned(),
            message: format!("post_note needs {what} in data."),
        })
    };
    for name in ["video_url", "text", "session_id"] {
        if data[name].as_str().is_none_or(str::is_empty) {
            return wrong(&format!("\"{name}\", a text,"));
        }
    }
    if data["timestamp"].as_f64().is_none_or(|at| at < 0.0) {
        return wrong("\"timestamp\", a number of seconds,");
    }
    let mut args = data.clone();
    args["workflow"] = "post_note".into();
    Ok(json!({ "kind": "workflow", "args": args, "attempts_max": 1 }))
}

/// What is told of a note that was posted: what its workflow has seen of it.
pub(super) fn posted(result: &Value) -> Value {
    json!({
        "comment_id": result["comment_id"],
        "permalink": result["permalink"],
        "status": "posted",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_asked_for_whole() {
        let whole = json!({
            "video_url": "https://air.inc/video/test", "timestamp": 45.2, "text": "Test note",
            "session_id": "test-session-123",
        });
        let order = post_note(&whole).unwrap();
        assert_eq!(order["args"]["timestamp"], 45.2);
        assert_eq!(order["args"]["workflow"], "post_note");
        for name in ["video_url", "timestamp", "text", "session_id"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(name);
            let wrong = post_note(&part).unwrap_err();
            assert!(wrong.to_string().starts_with("invalid_input: "), "{wrong}");
            assert!(wrong.message.contains(name), "{wrong}");
        }
        for nothing in [Value::Null, json!([]), json!("x")] {
            assert!(post_note(&nothing).is_err());
        }
    }
}
