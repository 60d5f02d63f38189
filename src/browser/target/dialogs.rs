//! JavaScript dialogs of a page (`alert`, `confirm`, `prompt`, `beforeunload`).
//!
//! A dialog stops its page's scripts until it is answered. By default it is left open for whoever acts
//! on the page to answer; one that nobody answers in time is dismissed, and that is told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EventJavascriptDialogOpening, HandleJavaScriptDialogParams,
};
use tokio::sync::watch;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::text::cut;
use crate::model::outcome::{DialogInfo, DialogPolicy, HandledBy};

/// A dialog that nobody answers is dismissed after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Dialogs of a page that are remembered.
const KEPT_MAX: usize = 32;

/// The dialogs of one page.
#[derive(Debug)]
pub(super) struct Dialogs {
    policy: DialogPolicy,
    open: watch::Sender<Option<Opened>>,
    told: Mutex<Told>,
}

/// A dialog that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Counts the page's dialogs from 1.
    pub number: u64,
    /// Who asks: host and port of the document; empty when it has none.
    pub origin: String,
    /// What it says.
    pub info: DialogInfo,
}

impl Opened {
    /// Whether it waits for an answer, which is nobody's yet.
    pub fn is_open(&self) -> bool {
        self.info.handled_by.is_none()
    }
}

#[derive(Debug, Default)]
struct Told {
    last: u64,
    kept: Vec<Opened>,
}

impl Dialogs {
    pub(super) fn new(policy: DialogPolicy) -> Self {
        Self {
            policy,
            open: watch::Sender::new(None),
            told: Mutex::default(),
        }
    }

    /// The one that is open.
    pub(super) fn open(&self) -> Option<Opened> {
        self.open.borrow().clone()
    }

    /// The one that is open, to wait on.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Opened>> {
        self.open.subscribe()
    }

    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        self.told().last
    }

    /// Those since there had been so many, oldest first.
    pub(super) fn since(&self, count: u64) -> Vec<DialogInfo> {
        let told = self.told();
        let since = told.kept.iter().filter(|opened| opened.number > count);
        since.map(|opened| opened.info.clone()).collect()
    }

    /// One has opened. Answers whether the policy answers it, and how.
    pub(super) fn note_opened(
        &self,
        event: &EventJavascriptDialogOpening,
    ) -> (Opened, Option<bool>) {
        let kind = event.r#type.as_ref().to_owned();
        let answer = match (self.policy, kind.as_str()) {
            (DialogPolicy::Ask, _) => None,
            // To stay would undo the very action that led there.
            (_, "beforeunload" | "alert") => Some(true),
            (DialogPolicy::Accept, _) => Some(true),
            (DialogPolicy::Dismiss, _) => Some(false),
        };
        let is_prompt = kind == "prompt";
        let info = DialogInfo {
            dialog_type: kind,
            message: cut(&event.message),
            default_value: event
                .default_prompt
                .as_deref()
                .filter(|_| is_prompt)
                .map(cut),
            accepted: answer,
            handled_by: answer.map(|_| HandledBy::Policy),
        };
        let mut told = self.told();
        told.last += 1;
        let opened = Opened {
            number: told.last,
            origin: origin(&event.url),
            info,
        };
        if told.kept.len() == KEPT_MAX {
            told.kept.remove(0);
        }
        told.kept.push(opened.clone());
        drop(told);
        self.open.send_replace(Some(opened.clone()));
        (opened, answer)
    }

    /// The one that was open is closed, whoever closed it. Answers how it was when that is news: the
    /// policy's answers are told with the question.
    pub(super) fn note_closed(&self) -> Option<DialogInfo> {
        let closed = self.open.send_replace(None)?;
        let told = self.told();
        let mut same = told.kept.iter().filter(|one| one.number == closed.number);
        let info = same.next().map(|one| one.info.clone())?;
        (info.handled_by == Some(HandledBy::Agent)).then_some(info)
    }

    /// Notes that the answer to one did not reach it.
    pub(super) fn note_unanswered(&self, number: u64) {
        let mut told = self.told();
        if let Some(opened) = told.kept.iter_mut().find(|opened| opened.number == number) {
            (opened.info.accepted, opened.info.handled_by) = (None, None);
        }
    }

    /// Notes how one was answered.
    pub(super) fn note_answer(&self, number: u64, accepted: bool, by: HandledBy) {
        let mut told = self.told();
        if let Some(opened) = told.kept.iter_mut().find(|opened| opened.number == number) {
            opened.info.accepted = Some(accepted);
            opened.info.handled_by = Some(by);
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Host and port of a URL, as an address bar has them.
fn origin(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let host = url
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, Some(port))) => cut(&format!("{host}:{port}")),
        Some((host, None)) => cut(host),
        None => String::new(),
    }
}

/// Answers the dialog that is open.
pub(super) async fn answer(
    session: &Session,
    accept: bool,
    text: Option<&str>,
) -> Result<(), Error> {
    let mut params = HandleJavaScriptDialogParams::new(accept);
    params.prompt_text = text.map(str::to_owned);
    session.execute("answer a dialog", params).await?;
    Ok(())
}
