//! A platform's workflow, done on a page.
//!
//! What others see is done at most once as far as a page allows (D47): before such a step its intent is written
//! down, and an attempt that finds one looks first whether it is done. Success means that what the workflow
//! leaves was seen.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Jobs;
use super::locate::Sought;
use super::login;
use super::template::{Wrong, filled, filled_map};
use crate::config::{Platform, Step, Workflow};
use crate::model::command::ActionRequest;
use crate::model::{JobError, JobErrorKind, JobProgress};
use crate::session::{Script, SessionHandle};
use crate::store::Run;

/// What a workflow leaves is waited for so long.
const SEEN_MAX: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// What a workflow works with.
pub(super) struct Work<'a> {
    /// The attempt.
    pub(super) run: &'a Run,
    /// The session.
    pub(super) handle: &'a SessionHandle,
    /// Where.
    pub(super) platform: &'a Platform,
    /// What.
    pub(super) workflow: &'a Workflow,
    /// What it was given.
    pub(super) args: &'a Map<String, Value>,
    /// What an attempt before was about to do, or has done.
    pub(super) intent: Option<&'a str>,
    /// Whether it is done with somebody's login.
    pub(super) has_login: bool,
}

/// What a job is about to do that must not be done twice, or has done, as the registry has it.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// The step, from 1 on.
    step: u32,
    /// Whether the page took it.
    is_done: bool,
    /// What was to be seen before it: not what it leaves.
    before: Value,
}

/// What there was of a job's work before it.
enum Before {
    /// An attempt before had done it: this is what it has left.
    Done(Value),
    /// It is still to be done; this is there, and not what it leaves.
    ToDo(Value),
}

impl Jobs {
    /// Does a workflow; answers what it has left.
    pub(super) async fn work(&self, work: &Work<'_>) -> Result<Value, JobError> {
        let Work {
            run,
            handle,
            platform,
            workflow,
            args,
            ..
        } = work;
        let page = filled(&workflow.page, args).map_err(wrong)?;
        let seen_on = filled(&workflow.seen_on, args).map_err(wrong)?;
        let of = workflow.steps.len() as u32 + 2;
        self.tell(run, 0, of, "goes to the page").await;
        login::go(handle, &page, platform).await?;
        if is_logged_out(work).await {
            return Err(logged_out(platform));
        }
        let before = match self.before(work, &page, &seen_on).await? {
            Before::Done(left) => return Ok(left),
            Before::ToDo(before) => before,
        };
        self.do_steps(work, of, &before).await?;
        self.tell(run, of - 1, of, "looks for what it has left")
            .await;
        if !seen_on.is_empty() {
            login::go(handle, &seen_on, platform).await?;
        }
        match left(work, &before, SEEN_MAX).await? {
            Some(left) => Ok(left),
            None if is_logged_out(work).await => Err(logged_out(platform)),
            None => Err(not_seen(work)),
        }
    }

    /// What is there already: what an attempt before has done, or what is not to be taken for this one's.
    async fn before(&self, work: &Work<'_>, page: &str, seen_on: &str) -> Result<Before, JobError> {
        let Work { run, handle, .. } = work;
        if work.intent.is_none() && !work.workflow.steps.iter().any(|step| step.effect) {
            return Ok(Before::ToDo(Value::Null));
        }
        if !seen_on.is_empty() {
            login::go(handle, seen_on, work.platform).await?;
        }
        let Some(intent) = work.intent else {
            let there = match left(work, &Value::Null, Duration::ZERO).await {
                // What throws now may do so because nothing is there yet.
                Err(error) if error.kind == JobErrorKind::SelectorChanged => None,
                looked => looked?,
            };
            if !seen_on.is_empty() {
                login::go(handle, page, work.platform).await?;
            }
            return Ok(Before::ToDo(there.unwrap_or_default()));
        };
        let of = work.workflow.steps.len() as u32 + 2;
        self.tell(run, 0, of, "looks whether it is done already")
            .await;
        // What cannot be read was left by another build: it is looked for all the same.
        let intent: Option<Intent> = serde_json::from_str(intent).ok();
        let is_done = intent.as_ref().is_some_and(|intent| intent.is_done);
        let before = intent.map_or(Value::Null, |intent| intent.before);
        if let Some(left) = left(work, &before, SEEN_MAX).await? {
            tracing::info!(job_id = run.job.job_id, "an attempt before had done it");
            return Ok(Before::Done(left));
        }
        // It was done, and is shown late or to others only: it is looked for, and not done again.
        if is_done {
            return Err(not_seen(work));
        }
        login::go(handle, page, work.platform).await?;
        Ok(Before::ToDo(before))
    }

    /// Does the steps, and writes down before and after those that others see.
    async fn do_steps(&self, work: &Work<'_>, of: u32, before: &Value) -> Result<(), JobError> {
        let Work { run, workflow, .. } = work;
        for (place, step) in workflow.steps.iter().enumerate() {
            let number = place as u32 + 1;
            let doing = match step.on.first() {
                Some(on) => format!("{} {on}", step.action),
                None => step.action.clone(),
            };
            self.tell(run, number, of, &doing).await;
            let mut intent = Intent {
                step: number,
                is_done: false,
                before: before.clone(),
            };
            if step.effect {
                // On the disk before it can be seen by anybody.
                self.intend(run, &json!(intent).to_string()).await?;
            }
            let done = do_step(work, step).await;
            done.map_err(|error| JobError {
                message: format!("Step {number} ({doing}): {}", error.message),
                ..error
            })?;
            if step.effect {
                intent.is_done = true;
                self.intend(run, &json!(intent).to_string()).await?;
            }
        }
        Ok(())
    }

    /// Writes down what is about to be done, or is done; a run that was called off goes no further.
    pub(super) async fn intend(&self, run: &Run, intent: &str) -> Result<(), JobError> {
        match self.0.registry.note_intent(run, intent).await? {
            true => Ok(()),
            false => Err(JobError {
                kind: JobErrorKind::Cancelled,
                message: "The job was called off.".to_owned(),
            }),
        }
    }

    /// Tells how far the work is.
    pub(super) async fn tell(&self, run: &Run, step: u32, of: u32, doing: &str) {
        let progress = JobProgress {
            step,
            of,
            doing: doing.to_owned(),
        };
        let mut job = run.job.clone();
        job.progress = Some(progress.clone());
        self.0.news.job(&job);
        // It is for people: work goes on without it.
        let _ = self.0.registry.note_progress(run, progress).await;
    }
}

/// What the workflow has left on the page that is there, which is waited for: not what was there `before`.
async fn left(
    work: &Work<'_>,
    before: &Value,
    patience: Duration,
) -> Result<Option<Value>, JobError> {
    let mut script = Script::new(work.workflow.seen.clone());
    script.args = json!(work.args);
    let deadline = Instant::now() + patience;
    loop {
        let looked = work.handle.execute(&script).await?;
        let is_over = Instant::now() >= deadline;
        match looked.error {
            None if !looked.result.is_null() && looked.result != *before => {
                return Ok(Some(looked.result));
            }
            // That is so on every page, and after every pause.
            Some(error) if error.name == "SyntaxError" => {
                return Err(JobError {
                    kind: JobErrorKind::InvalidInput,
                    message: format!(
                        "The workflow's \"seen\" is no JavaScript: {}",
                        error.message
                    ),
                });
            }
            Some(error) if is_over => {
                return Err(JobError {
                    kind: JobErrorKind::SelectorChanged,
                    message: format!(
                        "The workflow's \"seen\" throws on this page: {}: {}",
                        error.name, error.message
                    ),
                });
            }
            None if is_over => return Ok(None),
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Whether the page asks for the login that the work is done with.
async fn is_logged_out(work: &Work<'_>) -> bool {
    work.has_login && login::is_asked_for(work.handle, work.platform).await
}

pub(super) fn wrong(wrong: Wrong) -> JobError {
    JobError {
        kind: JobErrorKind::InvalidInput,
        message: format!("{wrong}."),
    }
}

fn not_seen(work: &Work<'_>) -> JobError {
    let label = &work.platform.label;
    let message = match work.workflow.steps.iter().any(|step| step.effect) {
        true => format!(
            "{label} does not show what was done. It is looked for, and not done again: look there yourself, and \
             if it is not there, ask for a new job (of a note: change it with repost: true, and finalise it)."
        ),
        false => {
            format!("All steps were done, and {label} does not show what they should lead to.")
        }
    };
    JobError {
        kind: JobErrorKind::EffectNotSeen,
        message,
    }
}

fn logged_out(platform: &Platform) -> JobError {
    JobError {
        kind: JobErrorKind::LoggedOut,
        message: format!("{} asks for a login.", platform.label),
    }
}

async fn do_step(work: &Work<'_>, step: &Step) -> Result<(), JobError> {
    let handle = work.handle;
    let params = filled_map(&step.params, work.args).map_err(wrong)?;
    match step.action.as_str() {
        "navigate" => {
            let url = params
                .get("url")
                .and_then(Value::as_str)
                .unwrap_or_default();
            login::go(handle, url, work.platform).await
        }
        "execute" => {
            let text = params.get("script").and_then(Value::as_str);
            let mut script = Script::new(text.unwrap_or_default().to_owned());
            script.args = json!(work.args);
            let ran = handle.execute(&script).await?;
            match ran.error {
                None => Ok(()),
                Some(error) => Err(JobError {
                    kind: JobErrorKind::SelectorChanged,
                    message: format!("The step's script threw {}: {}", error.name, error.message),
                }),
            }
        }
        action if step.on.is_empty() => {
            let action = ActionRequest::new(action, params);
            login::act(handle, action).await.map(drop)
        }
        _ => {
            let action = Sought::new(work, step, params)?.action().await?;
            login::act(handle, action).await.map(drop)
        }
    }
}
