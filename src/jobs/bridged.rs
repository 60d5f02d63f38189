//! Work that a process of the operator's does: a framed worker that is kept running.
//!
//! What the worker has done is not known when it does not answer; so a call that others may see the effect of is not
//! made a second time: its intent is on the disk before it.

use std::sync::{Arc, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Jobs;
use super::attempt::text;
use crate::config;
use crate::error::Error;
use crate::framed::worker::UNKNOWN_ACTION;
use crate::framed::{Bridge, Call, Failed};
use crate::model::{JobError, JobErrorKind};
use crate::store::Run;

/// What a call leaves in the registry before it is made.
const CALLED: &str = "called";
/// What it leaves when the worker has said that it came to nothing, or was not asked.
const REFUSED: &str = "";

/// The process of the settings, kept running for as long as it is set or somebody calls it.
#[derive(Debug)]
pub(super) struct Kept {
    bridge: Bridge,
    settings: config::Bridge,
    end: CancellationToken,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Kept {
    pub(super) fn of(settings: &config::Bridge, end: &CancellationToken) -> Option<Arc<Self>> {
        if settings.command.is_empty() {
            return None;
        }
        let end = end.child_token();
        let command = settings.command.clone();
        Some(Arc::new(Self {
            bridge: Bridge::keep(command, settings.timeout(), end.clone()),
            settings: settings.clone(),
            end,
        }))
    }

    /// Returns when the process has ended for good.
    pub(super) async fn ended(&self) {
        self.bridge.ended().await;
    }
}

impl Jobs {
    /// There is such a process.
    pub(super) fn must_have_bridge(&self) -> Result<Arc<Kept>, Error> {
        self.bridge().ok_or_else(|| {
            Error::not_configured("no worker is set that does this")
                .hint("Set bridge.command to a program and reload the service.")
        })
    }

    pub(super) fn bridge(&self) -> Option<Arc<Kept>> {
        self.held_bridge().clone()
    }

    /// Takes the settings of the process that does work: what it does is finished by the one that was, and calls from
    /// now on are for the one that is set.
    pub fn renew_bridge(&self) {
        let settings = self.config().bridge.clone();
        let mut held = self.held_bridge();
        let is_same = match held.as_ref() {
            Some(kept) => kept.settings == settings,
            None => settings.command.is_empty(),
        };
        if !is_same && !self.0.end.is_cancelled() {
            *held = Kept::of(&settings, &self.0.end);
        }
    }

    fn held_bridge(&self) -> MutexGuard<'_, Option<Arc<Kept>>> {
        let held = self.0.bridge.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the worker do what the job says.
    pub(super) async fn bridged(&self, run: &Run) -> Result<Value, JobError> {
        let kept = self.must_have_bridge()?;
        let args = &run.job.args;
        let call = Call {
            action: text(args, "action")?,
            data: args.get("data").cloned().unwrap_or_default(),
        };
        let has_effect = args.get("effect") != Some(&Value::Bool(false));
        let intent = run.intent.as_deref().filter(|it| *it != REFUSED);
        if has_effect && intent.is_some() {
            return Err(JobError {
                kind: JobErrorKind::EffectNotSeen,
                message: "The worker was asked for this and has not answered: it may have done it, and is not asked \
                    again. Look where it would be seen; if it is not there, ask for a new job."
                    .to_owned(),
            });
        }
        if has_effect {
            self.intend(run, CALLED).await?;
        }
        let done = self.watched(run, &kept.bridge, call).await;
        if has_effect
            && matches!(
                done,
                Err(Failed::Refused(_) | Failed::TooLong | Failed::Untold(_))
            )
        {
            // What is not written down is looked for once more than is needed.
            let _ = self.0.queue.note_intent(run, REFUSED).await;
        }
        done.map_err(told)
    }

    /// Makes a call and tells how far it is.
    async fn watched(&self, run: &Run, bridge: &Bridge, call: Call) -> Result<Value, Failed> {
        let (progress, mut news) = watch::channel(Value::Null);
        let calling = bridge.call(call, progress);
        tokio::pin!(calling);
        loop {
            tokio::select! {
                biased;
                done = &mut calling => return done,
                Ok(()) = news.changed() => {
                    let progress = news.borrow_and_update().clone();
                    let count = |name: &str| {
                        let count = progress.get(name).and_then(Value::as_u64);
                        count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
                    };
                    let doing = match progress.get("doing").and_then(Value::as_str) {
                        Some(doing) => doing.to_owned(),
                        None => progress.to_string(),
                    };
                    self.tell(run, count("step"), count("of"), &doing).await;
                }
            }
        }
    }
}

/// Why a call came to nothing, as a job tells it. A worker may begin its words with one of ours.
fn told(failed: Failed) -> JobError {
    let kind = match &failed {
        Failed::Refused(words) if words == UNKNOWN_ACTION => JobErrorKind::InvalidInput,
        Failed::Refused(words) => {
            let word = words.split_once(": ").map(|(word, _)| word);
            word.and_then(|word| serde_json::from_value(word.into()).ok())
                .unwrap_or(JobErrorKind::Unavailable)
        }
        Failed::TooLong => JobErrorKind::InvalidInput,
        Failed::Late(_) => JobErrorKind::Timeout,
        Failed::Crashed(_) | Failed::Ended | Failed::Untold(_) => JobErrorKind::Unavailable,
    };
    let message = match failed {
        Failed::Refused(words) => words,
        failed => format!("{failed}."),
    };
    JobError { kind, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_words_are_a_jobs_error() {
        use JobErrorKind::{InvalidInput, SessionNotFound, Timeout, Unavailable};
        for (failed, kind) in [
            (
                Failed::Refused("session_not_found: gone".to_owned()),
                SessionNotFound,
            ),
            (Failed::Refused("Unknown action".to_owned()), InvalidInput),
            (Failed::Refused("no: paper".to_owned()), Unavailable),
            (Failed::Late(std::time::Duration::from_secs(60)), Timeout),
            (
                Failed::Crashed("signal: 9 (SIGKILL)".to_owned()),
                Unavailable,
            ),
        ] {
            assert_eq!(told(failed).kind, kind);
        }
    }
}
