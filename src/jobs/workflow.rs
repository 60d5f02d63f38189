//! A platform's workflow, done on a page.
//!
//! What others see is done at most once as far as a page allows: before such a step its intent is written
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
use crate::config::{Platform, REQUEST_HUMAN, Step, Workflow};
use crate::model::command::ActionRequest;
use crate::model::{self, HumanAsk, JobError, JobErrorKind, JobProgress};
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
    /// Whether the page took another one before it: that is not done again either.
    #[serde(default)]
    is_second: bool,
    /// What was to be seen before it: not what it leaves.
    before: Value,
}

/// Where a job is, should a person be asked for.
struct Point<'a> {
    /// The step that is next, from 1 on; 0 for the whole work.
    step: u32,
    /// Since which step the page is the same.
    since: u32,
    /// What was to be seen before the work, if that is known.
    before: Option<&'a Value>,
}

impl<'a> Point<'a> {
    /// Before that step, with nothing that would have to be done again.
    fn of(step: u32, before: &'a Value) -> Self {
        Self {
            step,
            since: step,
            before: Some(before),
        }
    }

    fn ask(&self) -> HumanAsk {
        HumanAsk {
            step: self.step,
            since: self.since,
            before: self.before.map(|seen| model::Before { seen: seen.clone() }),
            ..HumanAsk::default()
        }
    }
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
        let resumed = self.resumed(work, of).await?;
        if resumed.is_none() {
            self.tell(run, 0, of, "goes to the page").await;
            login::go(handle, &page, platform).await?;
        }
        if is_logged_out(work).await {
            return Err(logged_out(platform));
        }
        let before = match resumed.and_then(|ask| ask.before.as_ref()) {
            Some(before) => before.seen.clone(),
            None => match self.before(work, &page, &seen_on).await? {
                Before::Done(left) => return Ok(left),
                Before::ToDo(before) => before,
            },
        };
        self.do_steps(work, resumed, &before).await?;
        let through = Point::of(of - 1, &before);
        self.must_need_nobody(work, &through).await?;
        self.tell(run, of - 1, of, "looks for what it has left")
            .await;
        if !seen_on.is_empty() {
            login::go(handle, &seen_on, platform).await?;
        }
        match left(work, &before, SEEN_MAX).await? {
            Some(left) => Ok(left),
            None if is_logged_out(work).await => Err(logged_out(platform)),
            None => {
                self.must_need_nobody(work, &through).await?;
                Err(not_seen(work))
            }
        }
    }

    /// What a person was asked for and has done, if the work goes on from there: on the page that they have left. An
    /// effect that may have come about since is looked for first, as always.
    async fn resumed<'a>(
        &self,
        work: &Work<'a>,
        of: u32,
    ) -> Result<Option<&'a HumanAsk>, JobError> {
        let ask = work.run.ask.as_ref();
        let Some(ask) = ask.filter(|ask| ask.is_done && ask.step > 0 && !ask.left.is_empty())
        else {
            return Ok(None);
        };
        let is_before = |intent: &str| {
            serde_json::from_str::<Intent>(intent)
                .is_ok_and(|intent| intent.is_done && intent.step < ask.step)
        };
        if work.intent.is_some_and(|intent| !is_before(intent)) {
            return Ok(None);
        }
        let doing = "goes on where a person was asked for";
        self.tell(work.run, ask.step - 1, of, doing).await;
        if work.handle.record().current_url != ask.left {
            login::go(work.handle, &ask.left, work.platform).await?;
        }
        Ok(Some(ask))
    }

    /// The page shows nothing that only a person passes; else one is asked for, and the work goes on from there when
    /// they are through.
    async fn must_need_nobody(&self, work: &Work<'_>, point: &Point<'_>) -> Result<(), JobError> {
        if !login::is_challenged(work.handle, work.platform).await {
            return Ok(());
        }
        let label = &work.platform.label;
        let ask = HumanAsk {
            reason: format!("{label} wants to see a person, by a captcha or the like"),
            ..point.ask()
        };
        Err(self.ask(work, ask).await)
    }

    /// A step that asks for a person; where it names a sign of what they are to do, only if that is shown.
    async fn request_human(
        &self,
        work: &Work<'_>,
        step: &Step,
        point: &Point<'_>,
    ) -> Result<(), JobError> {
        let params = filled_map(&step.params, work.args).map_err(wrong)?;
        let on = step.on.iter().map(|on| filled(on, work.args));
        let on: Vec<String> = on.collect::<Result<_, _>>().map_err(wrong)?;
        let patience = Duration::from_millis(step.timeout_ms.unwrap_or_default());
        let mut ask = point.ask();
        // Who was asked without a sign of it is believed; a sign is looked at once more.
        if on.is_empty() {
            ask.step += 1;
        } else if !login::is_shown(work.handle, on, patience).await? {
            return Ok(());
        }
        let reason = params.get("reason").and_then(Value::as_str);
        reason.unwrap_or_default().clone_into(&mut ask.reason);
        ask.is_private = params.get("private") == Some(&Value::Bool(true));
        Err(self.ask(work, ask).await)
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
        // What is behind it cannot be seen; where that is another page than the steps', all begins anew then.
        let point = Point {
            step: u32::from(seen_on.is_empty()),
            since: 1,
            before: None,
        };
        self.must_need_nobody(work, &point).await?;
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
        let is_done = intent
            .as_ref()
            .is_some_and(|intent| intent.is_done || intent.is_second);
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

    /// Does the steps, from where a person was asked for if one was, and writes down before and after those that
    /// others see.
    async fn do_steps(
        &self,
        work: &Work<'_>,
        resumed: Option<&HumanAsk>,
        before: &Value,
    ) -> Result<(), JobError> {
        let Work {
            run,
            workflow,
            handle,
            ..
        } = work;
        let of = workflow.steps.len() as u32 + 2;
        let (from, asked) = resumed.map_or((1, 0), |ask| (ask.resume(), ask.step));
        let mut has_effect = work.intent.is_some() && resumed.is_some();
        let mut url = handle.record().current_url;
        let mut since = from;
        let numbered = (1..).zip(&workflow.steps);
        for (number, step) in numbered.skip_while(|(number, _)| *number < from) {
            let here = handle.record().current_url;
            if here != url {
                (url, since) = (here, number);
            }
            let point = Point {
                since,
                ..Point::of(number, before)
            };
            self.must_need_nobody(work, &point).await?;
            if step.action == REQUEST_HUMAN {
                if number >= asked || !step.on.is_empty() {
                    self.request_human(work, step, &point).await?;
                }
                continue;
            }
            let doing = match step.on.first() {
                Some(on) => format!("{} {on}", step.action),
                None => step.action.clone(),
            };
            self.tell(run, number, of, &doing).await;
            let mut intent = Intent {
                step: number,
                is_done: false,
                is_second: has_effect,
                before: before.clone(),
            };
            if step.effect {
                // On the disk before it can be seen by anybody.
                self.intend(run, &json!(intent).to_string()).await?;
            }
            if let Err(error) = do_step(work, step).await {
                self.must_need_nobody(work, &point).await?;
                return Err(JobError {
                    message: format!("Step {number} ({doing}): {}", error.message),
                    ..error
                });
            }
            if step.effect {
                intent.is_done = true;
                (has_effect, since) = (true, number + 1);
                self.intend(run, &json!(intent).to_string()).await?;
            }
        }
        Ok(())
    }

    /// Writes down what is about to be done, or is done; a run that was called off goes no further.
    pub(super) async fn intend(&self, run: &Run, intent: &str) -> Result<(), JobError> {
        match self.0.queue.note_intent(run, intent).await? {
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
        let _ = self.0.queue.note_progress(run, progress).await;
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
