//! People who are asked for, and who come: what only a person can do in a job, and the login of a connection.
//!
//! A job that asks for a person is held without a browser, for as long as that takes. Whoever is let in by its link
//! finds the page on which it asked; their Done lets it go on with the step that it had come to. Done on the page of
//! a login is looked after by a verification.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::Jobs;
use super::connections::{Verified, session_name};
use super::lease::USUAL;
use super::news::UserEvent;
use super::workflow::Work;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::ids::{CONNECTION, is_services};
use crate::model::{
    BrowserWish, HumanAsk, Job, JobError, JobErrorKind, JobState, SessionName, SessionRecord,
    SessionState, Size, VerifyOutcome,
};
use crate::session::{Parting, Script, SessionHandle};

/// What was asked of a person is shown on their page for so long; they may come later all the same.
const ASKED_MAX: Duration = Duration::from_mins(15);
/// How wide and how high pages are shown on a phone at least and at most, CSS px.
const PHONE_WIDTH: (u32, u32) = (240, 1_000);
const PHONE_HEIGHT: (u32, u32) = (240, 1_000);
/// What has come of a person's Done is told for so long.
const TOLD_MAX: Duration = Duration::from_mins(2);
/// A verification that nobody but a page waits for takes this long at most.
const LOOK_MAX: Duration = Duration::from_secs(100);

/// A job to whose page a person is let.
#[derive(Debug)]
pub struct Asked {
    /// The job.
    pub job: Job,
    /// What the person is to do.
    pub reason: String,
    /// Whether nobody else sees the page meanwhile.
    pub is_private: bool,
    /// The session, on the page where the job asked.
    pub handle: SessionHandle,
}

/// The screen of a person who comes.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TheirScreen {
    /// How wide their page's picture is, CSS px.
    width: u32,
    /// How high.
    height: u32,
    /// Whether it is a phone's: small, and touched.
    phone: bool,
}

impl TheirScreen {
    /// The size at which pages are shown on it, where that is not the usual one.
    fn fitting(self) -> Option<Size> {
        let of = |length: u32, (least, most): (u32, u32)| length.clamp(least, most);
        let size = Size::new(of(self.width, PHONE_WIDTH), of(self.height, PHONE_HEIGHT));
        self.phone.then_some(size.to_even())
    }
}

/// How far that is what comes of a person's Done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AftermathState {
    /// It is looked for.
    Checking,
    /// It is as it should be.
    Good,
    /// It is not, and they may go on.
    Bad,
}

/// What has come of a person's Done, for whoever has the session's page open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aftermath {
    /// In a word.
    pub state: AftermathState,
    /// For the person.
    pub message: String,
}

/// What has come of it, by the session, and since when.
pub(super) type Aftermaths = HashMap<SessionName, (Instant, Aftermath)>;

/// Verifications that were begun by a person's Done, by the connection.
pub(super) type UnderWay = HashMap<String, watch::Receiver<Option<Verified>>>;

/// Hears of people who leave sessions until the service ends.
pub(super) async fn hear(jobs: Jobs) {
    let end = jobs.0.end.clone();
    let partings = jobs.0.manager.partings().clone();
    while let Some((name, parting)) = end.run_until_cancelled(partings.next()).await {
        let end = end.clone();
        let parting = Box::pin(jobs.clone().parted(name, parting));
        jobs.0.tracker.spawn(async move {
            end.run_until_cancelled(parting).await;
        });
    }
}

impl Jobs {
    /// Opens the session of a job that waits for a person, on the page where it asked.
    pub async fn take_over(&self, job_id: &str) -> Result<Asked, Error> {
        let found = self.0.queue.human_ask(job_id).await?;
        let (job, ask) = found.ok_or_else(|| super::order::no_job(job_id))?;
        let ask = ask.filter(|_| job.state == JobState::PendingHuman);
        let Some(ask) = ask else {
            let state = job.state.as_str();
            return Err(
                Error::conflict(format!("the job is {state}, and asks for nobody")).hint(
                    "A job is taken over while it is pending_human. One that was asked for by a bridge's worker is \
                     tried anew by POST /jobs/{id}/retry, once that is done.",
                ),
            );
        };
        let name = SessionName::parse(&ask.session)?;
        let handle = self.open_for_ask(&job, &ask, &name).await?;
        self.forget_aftermath(&name);
        self.0.queue.open_ask(name.as_str(), Some(job_id)).await?;
        // One that was asked for before is asked for anew.
        let _ = handle.wheel().withdraw();
        ask_at(&handle, &ask);
        Ok(Asked {
            job,
            reason: ask.reason,
            is_private: ask.is_private,
            handle,
        })
    }

    /// The session that a person comes to: the service's own as its platform has it, a caller's as that made it.
    async fn open_for_ask(
        &self,
        job: &Job,
        ask: &HumanAsk,
        name: &SessionName,
    ) -> Result<SessionHandle, Error> {
        let mut spec = match is_services(name.as_str()) {
            true => {
                let platform = self.platform(job.platform.as_deref().unwrap_or_default())?;
                self.spec(name, &platform, "profile")?
            }
            false => crate::model::SessionSpec::named(name.clone()),
        };
        if job.browser == BrowserWish::Remote {
            spec.browser = Some(job.browser);
        }
        self.open_at(name, spec, &ask.url).await
    }

    /// Receives whoever comes anew by a link, before they have done anything there: with the page on which a job asked,
    /// and with that of a login fitted to their screen. Answers the session as it is then.
    pub async fn receive(&self, record: SessionRecord, theirs: TheirScreen) -> SessionRecord {
        let Some(name) = record.session_name.clone() else {
            return record;
        };
        let received = match self.0.queue.human_ask_in(name.as_str()).await {
            Ok(Some((_, Some(ask)))) => self.brought_back(&name, &ask).await,
            Ok(_) => self.fitted(&record, &name, theirs).await,
            Err(error) => Err(error),
        };
        match received {
            Ok(Some(received)) => received,
            Ok(None) => record,
            Err(error) => {
                // It is shown as it is.
                tracing::warn!(%error, "a person finds a session as it is");
                self.0
                    .manager
                    .record(&record.session_id.to_string())
                    .unwrap_or(record)
            }
        }
    }

    /// The page on which a job asked, which another one may have left meanwhile, and what it asked for.
    async fn brought_back(
        &self,
        name: &SessionName,
        ask: &HumanAsk,
    ) -> Result<Option<SessionRecord>, Error> {
        let handle = self.0.manager.find(name.as_str()).await?;
        if handle.wheel().has_people() {
            return Ok(None);
        }
        if handle.record().current_url != ask.url {
            go_to(&handle, &ask.url).await;
        }
        if handle.wheel().status().request.is_none() {
            ask_at(&handle, ask);
        }
        Ok(Some(handle.record()))
    }

    /// The page of a login, at a phone's size for whoever has one, and else at its usual one.
    async fn fitted(
        &self,
        record: &SessionRecord,
        name: &SessionName,
        theirs: TheirScreen,
    ) -> Result<Option<SessionRecord>, Error> {
        let Some(id) = name.as_str().strip_prefix(CONNECTION) else {
            return Ok(None);
        };
        let size = theirs.fitting();
        if size.unwrap_or(USUAL).width == record.viewport.width {
            return Ok(None);
        }
        let kept = self.kept(id).await?;
        let platform = self.platform(&kept.connection.platform)?;
        if record.state != SessionState::Stored {
            let handle = self.0.manager.find(name.as_str()).await?;
            // Whoever is there already goes on as it is.
            if handle.wheel().has_people() {
                return Ok(None);
            }
            let _held = self.0.leases.take_soon(name.as_str()).await?;
            let id = record.session_id.to_string();
            let why = "it is shown anew, at the size of its person's screen";
            self.0.manager.put_to_rest(&id, why).await;
        }
        let mut spec = self.spec(name, &platform, "profile")?;
        if let Some(size) = size {
            spec.viewport = Some(size);
            spec.mobile = Some(true);
        }
        let handle = self.open_at(name, spec, platform.login_url()).await?;
        Ok(Some(handle.record()))
    }

    /// A person is asked for, so that the job is held: the error by which its attempt ends.
    pub(super) async fn ask(&self, work: &Work<'_>, ask: HumanAsk) -> JobError {
        let job_id = &work.run.job.job_id;
        let session = work.handle.record().session_name;
        let ask = HumanAsk {
            reason: ask.reason.trim().trim_end_matches('.').to_owned(),
            session: session.map_or_else(String::new, |name| name.as_str().to_owned()),
            url: address(work.handle).await,
            ..ask
        };
        let message = format!(
            "A person is needed: {}. POST /jobs/{job_id}/takeover makes the link for them.",
            ask.reason
        );
        match self.0.queue.note_ask(work.run, ask).await {
            Ok(true) => JobError {
                kind: JobErrorKind::HumanRequired,
                message,
            },
            Ok(false) => JobError {
                kind: JobErrorKind::Cancelled,
                message: "The job was called off.".to_owned(),
            },
            Err(error) => error.into(),
        }
    }

    /// Somebody has the wheel of that session no more.
    async fn parted(self, name: SessionName, parting: Parting) {
        let Ok(asked) = self.0.queue.human_ask_in(name.as_str()).await else {
            // It has been told of; the person may press Done again.
            return;
        };
        let is_live =
            self.0.manager.record(name.as_str()).is_ok_and(|record| {
                record.state != SessionState::Stored && !record.state.is_dead()
            });
        let connection = name.as_str().strip_prefix(CONNECTION).map(str::to_owned);
        match (asked, connection) {
            (Some((job, _)), _) if parting.is_done => self.answered(&job, &name).await,
            // A program that works in the session has asked them for something of its own.
            (None, Some(_)) if parting.was_asked => (),
            (None, Some(id)) if parting.is_done => self.logged_in_by_hand(&id, &name).await,
            (Some(_), _) if is_live && is_services(name.as_str()) => {
                if let Ok(handle) = self.0.manager.find(name.as_str()).await {
                    self.rest_when_left(&handle, &name).await;
                }
            }
            _ => (),
        }
    }

    /// A person has done what a job asked for: it goes on.
    async fn answered(&self, job: &Job, name: &SessionName) {
        let url = match self.0.manager.find(name.as_str()).await {
            Ok(handle) => address(&handle).await,
            Err(_) => String::new(),
        };
        let job_id = &job.job_id;
        let now = crate::model::UnixTime::now();
        match self.0.queue.answer_ask(job_id, &url, now).await {
            Ok(Some((job, note))) => {
                tracing::info!(job_id, "a job goes on that waited for a person");
                if let Some(note) = &note {
                    self.tell_of_note(job.state, note);
                }
                self.0.news.job(&job);
                self.tell_aftermath(
                    name,
                    AftermathState::Good,
                    "Thank you. The work goes on by itself.",
                );
                self.wake(job.queue);
            }
            // It was called off meanwhile.
            Ok(None) => self.tell_aftermath(
                name,
                AftermathState::Good,
                "Thank you. It is not needed any more.",
            ),
            Err(error) => self.tell_aftermath(name, AftermathState::Bad, &error.in_full()),
        }
    }

    /// A person says that they have logged in: it is looked whether that is so, and they are told.
    async fn logged_in_by_hand(&self, connection_id: &str, name: &SessionName) {
        let Ok(kept) = self.kept(connection_id).await else {
            return;
        };
        let platform = kept.connection.platform.clone();
        let (user_id, label) = (kept.connection.user_id.clone(), self.label(&platform));
        let (told, under_way) = watch::channel(None);
        self.under_way().insert(connection_id.to_owned(), under_way);
        let words = format!("Looking whether you are logged in to {label} …");
        self.tell_aftermath(name, AftermathState::Checking, &words);
        let looked = tokio::time::timeout(LOOK_MAX, self.look_at(kept)).await;
        let looked = looked.unwrap_or_else(|_| {
            Err(Error::timeout("the platform did not answer in time").hint("Press Done again."))
        });
        self.under_way().remove(connection_id);
        let (outcome, message) = match &looked {
            Ok(verified) => {
                told.send_replace(Some(verified.clone()));
                (verified.outcome, verified.message.clone())
            }
            Err(error) => (VerifyOutcome::Error, error.in_full()),
        };
        self.0.news.user(
            &user_id,
            UserEvent::LoginChecked {
                connection_id: connection_id.to_owned(),
                platform,
                outcome,
                message: message.clone(),
            },
        );
        let (state, words) = match outcome {
            VerifyOutcome::LoggedIn => (AftermathState::Good, "You are logged in.".to_owned()),
            VerifyOutcome::NotLoggedIn => (
                AftermathState::Bad,
                format!(
                    "Not logged in yet: {label} asks for a login still. Log in here, and press Done again."
                ),
            ),
            VerifyOutcome::SessionExpired | VerifyOutcome::Error => {
                (AftermathState::Bad, format!("Not logged in yet: {message}"))
            }
        };
        self.tell_aftermath(name, state, &words);
        if state == AftermathState::Good
            && let Ok(handle) = self.0.manager.find(name.as_str()).await
        {
            self.rest_when_left(&handle, name).await;
        }
    }

    /// What a verification comes to that a person's Done has begun, if one is under way.
    pub(super) async fn verified_by_hand(&self, connection_id: &str) -> Option<Verified> {
        let mut under_way = self.under_way().get(connection_id).cloned()?;
        let told = under_way.wait_for(Option::is_some).await;
        // One that has come to nothing is made anew by whoever asks.
        told.ok().and_then(|told| told.clone())
    }

    /// Whoever is let in to log in does what no job asks for.
    pub(super) async fn begin_login(&self, connection_id: &str) -> Result<(), Error> {
        let name = session_name(connection_id)?;
        self.forget_aftermath(&name);
        self.0.queue.open_ask(name.as_str(), None).await
    }

    /// What has come of a person's Done in that session, lately.
    pub fn aftermath(&self, name: &SessionName) -> Option<Aftermath> {
        let aftermaths = self.aftermaths();
        let (at, aftermath) = aftermaths.get(name)?;
        (at.elapsed() < TOLD_MAX).then(|| aftermath.clone())
    }

    fn tell_aftermath(&self, name: &SessionName, state: AftermathState, message: &str) {
        let mut aftermaths = self.aftermaths();
        aftermaths.retain(|_, (at, _)| at.elapsed() < TOLD_MAX);
        let aftermath = Aftermath {
            state,
            message: message.to_owned(),
        };
        aftermaths.insert(name.clone(), (Instant::now(), aftermath));
    }

    fn forget_aftermath(&self, name: &SessionName) {
        self.aftermaths().remove(name);
    }

    fn aftermaths(&self) -> MutexGuard<'_, Aftermaths> {
        let aftermaths = self.0.aftermaths.lock();
        aftermaths.unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        let under_way = self.0.under_way.lock();
        under_way.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes to a page for a person; one that does not come is shown as one that did not.
pub(super) async fn go_to(handle: &SessionHandle, url: &str) {
    let params = json!({"url": url, "wait_until": "commit"});
    let params = params.as_object().cloned().unwrap_or_default();
    let _ = handle.act(ActionRequest::new("navigate", params)).await;
}

/// Shows on a session's page what a job asks for. Whoever drives already needs no asking.
fn ask_at(handle: &SessionHandle, ask: &HumanAsk) {
    let how = (ASKED_MAX, ask.is_private);
    let _ = handle
        .wheel()
        .request(&ask.reason, how, CancellationToken::new());
}

/// The page that a session shows, as itself says: of what a person did privately the record says nothing yet.
async fn address(handle: &SessionHandle) -> String {
    let mut script = Script::new("return location.href".to_owned());
    script.args = json!({});
    match handle.execute(&script).await {
        Ok(looked) if looked.result.is_string() => {
            looked.result.as_str().unwrap_or_default().to_owned()
        }
        _ => handle.record().current_url,
    }
}
