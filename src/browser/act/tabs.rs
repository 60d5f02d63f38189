//! new_tab, switch_tab and close_tab; and what becomes of an action whose page is left.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::target::Page;
use super::super::target::loading::Loading;
use super::{Stage, browser_failed, navigate, observe};
use crate::media::cursor::Cue;
use crate::model::Outcome;
use crate::model::command::{ActionError, ActionErrorKind, Command};
use crate::model::outcome::{Delivery, DownloadInfo, Effect, EffectKind, Retry};
use crate::model::tab::TABS_MAX;
use crate::model::wait::Wait;
use crate::refusals::{self, Limit};

/// A page that a page opened goes somewhere within this, or stays empty.
const BLANK_GRACE: Duration = Duration::from_millis(300);
/// A window that was opened for a file is closed within this of its coming to rest.
const FILE_GRACE: Duration = Duration::from_millis(300);
/// A window that a page asks for is there within this, or is not let open.
const WINDOW_WITHIN: Duration = Duration::from_millis(1_500);

pub(super) async fn open(stage: Stage<'_>, url: Option<&str>) -> Result<Outcome, ActionError> {
    let url = url.map(|url| navigate::allowed(stage, url)).transpose()?;
    if !stage.tabs.has_room() {
        let message = format!(
            "The session has {TABS_MAX} tabs, and no more are opened. Close one with close_tab and try \
             again."
        );
        refusals::note(Limit::Tabs, &message);
        return Err(ActionError::new(ActionErrorKind::Exhausted, message));
    }
    // Where it goes is told when it is there.
    let opened = stage.tabs.open(url.is_none()).await;
    let page = opened.map_err(browser_failed)?;
    stage.hint(Cue::Hide);
    let stage = Stage {
        page: &page,
        ..stage
    };
    let done = match url {
        Some(url) => navigate::load(stage, stage.navigate_timeout, &url).await,
        None => Ok(Outcome::default()),
    };
    if done.is_err() {
        stage.tabs.tell_empty(&page).await;
    }
    let mut done = done?;
    done.delivery = Delivery::Sent;
    done.retry = Retry::Unsafe;
    Ok(in_tab(done, page.tab()))
}

/// Another tab is the current one.
fn in_tab(mut done: Outcome, tab: u32) -> Outcome {
    if done.effect.kind < EffectKind::Tab {
        done.effect = Effect {
            kind: EffectKind::Tab,
            verified: Some(true),
            before: None,
            after: Some(tab.into()),
        };
    }
    done.tab = Some(tab);
    let effect = done.effect.kind.as_str();
    done.with("effect", effect).with("tab", tab)
}

pub(super) async fn switch(stage: Stage<'_>, tab: u32) -> Result<Outcome, ActionError> {
    let was_there = stage.tabs.is_current(tab);
    if !was_there && !stage.tabs.show(tab).await {
        return Err(no_tab(stage, tab));
    }
    if !was_there {
        stage.hint(Cue::Hide);
    }
    let done = Outcome {
        delivery: Delivery::Sent,
        ..Outcome::default()
    };
    Ok(match was_there {
        true => done
            .with("effect", EffectKind::None.as_str())
            .with("tab", tab),
        false => in_tab(done, tab),
    })
}

pub(super) async fn close(stage: Stage<'_>, tab: Option<u32>) -> Result<Outcome, ActionError> {
    let page = match tab {
        Some(tab) => stage.tabs.find(tab).ok_or_else(|| no_tab(stage, tab))?,
        None => stage.tabs.current(),
    };
    if stage.tabs.list().len() < 2 {
        return Err(ActionError::new(
            ActionErrorKind::OnlyTab,
            "This is the only tab, and a session has at least one. Navigate it elsewhere, open \
             another one with new_tab first, or close the session.",
        ));
    }
    if stage.tabs.is_current(page.tab()) {
        stage.hint(Cue::Hide);
    }
    stage.tabs.close(&page).await.map_err(browser_failed)?;
    let done = Outcome {
        delivery: Delivery::Sent,
        retry: Retry::Useless,
        ..Outcome::default()
    };
    Ok(in_tab(done, stage.tabs.current().tab()).with("closed", page.tab()))
}

fn no_tab(stage: Stage<'_>, tab: u32) -> ActionError {
    let tabs = stage.tabs.list();
    let numbers: Vec<String> = tabs.iter().map(|tab| tab.tab.to_string()).collect();
    ActionError::new(
        ActionErrorKind::TabNotFound,
        format!(
            "There is no tab {tab}; the tabs are {}. Get the context, and use a tab that it lists.",
            numbers.join(", ")
        ),
    )
    .context(json!({ "tabs": tabs }))
}

/// Carries out what is done to one page, which may close meanwhile or open another one.
pub(super) async fn on_page(
    stage: Stage<'_>,
    command: &Command,
    acting: impl Future<Output = Result<Outcome, ActionError>>,
) -> Result<Outcome, ActionError> {
    let (windows, came) = (stage.page.windows_asked(), stage.tabs.came());
    let downloads = stage.tabs.downloads().count();
    let done = tokio::select! {
        biased;
        done = acting => done,
        () = stage.page.closed() => closed(command),
    };
    let done = match done {
        // Whatever it says, it is because the page is gone.
        Err(error) if is_gone(stage.page, error.kind).await => Ok(closed(command)?),
        done => done,
    };
    let deadline = Instant::now() + stage.settle_max;
    let asked = stage.page.windows_asked().saturating_sub(windows);
    if asked > 0 {
        let soon = deadline.min(Instant::now() + WINDOW_WITHIN);
        stage.tabs.until_came(came + asked, soon).await;
    }
    let mut other = stage.tabs.other_than(stage.page, deadline).await;
    if let Some(page) = &other {
        arrive(page, deadline).await;
        // One that was opened for a file alone is closed when that begins.
        if page.is_closed() {
            other = stage.tabs.other_than(stage.page, deadline).await;
        }
    }
    let done = match asked {
        0 => done,
        _ => done.map(|done| with_downloads(done, stage.tabs.downloads().since(downloads))),
    };
    match (other, done) {
        (Some(page), Ok(done)) => Ok(in_tab(done, page.tab())),
        (Some(page), Err(error)) => Err(failed_in_tab(error, page.tab())),
        (None, done) => done,
    }
}

/// A file that a window was opened for begins when the page itself rests already.
fn with_downloads(mut done: Outcome, downloads: Vec<DownloadInfo>) -> Outcome {
    if let Some(first) = downloads.first() {
        observe::raise(
            &mut done,
            EffectKind::Download,
            Value::Null,
            json!(first.name),
        );
        done.downloads = downloads;
    }
    done
}

/// A failure says too what came of what was sent.
fn failed_in_tab(mut error: ActionError, tab: u32) -> ActionError {
    if error.outcome.delivery != Delivery::NotSent {
        let outcome = in_tab(std::mem::take(&mut *error.outcome), tab);
        *error.outcome = outcome;
    }
    error
}

/// Whether an action is lost with its page.
pub(super) fn is_of_page(command: &Command) -> bool {
    !matches!(
        command,
        Command::NewTab(_)
            | Command::SwitchTab(_)
            | Command::CloseTab(_)
            | Command::Wait(Wait::Seconds(_))
    )
}

async fn is_gone(page: &Page, kind: ActionErrorKind) -> bool {
    let may_be_why = matches!(
        kind,
        ActionErrorKind::BrowserLost | ActionErrorKind::Internal
    );
    may_be_why && page.is_going().await
}

/// Input may close its page, which is then what it was for. Anything else wants the page.
fn closed(command: &Command) -> Result<Outcome, ActionError> {
    match command {
        Command::Click(_) | Command::Type(_) => Ok(Outcome {
            delivery: Delivery::Sent,
            ..Outcome::default()
        }),
        _ => Err(ActionError::new(
            ActionErrorKind::Cancelled,
            "The tab closed before the action ended. Get the context to see the tab that is \
             current now.",
        )),
    }
}

/// Lets a page that has become the current one come to rest, or close.
async fn arrive(page: &Page, deadline: Instant) {
    let mut loading = page.watch_loading();
    let goes = |loading: &Loading| {
        loading.is_loading || loading.awaits_document || loading.url != "about:blank"
    };
    let resting = async {
        // An empty page may be all that was wanted.
        let has_gone = timeout(BLANK_GRACE, loading.wait_for(goes)).await.is_ok();
        let rests = |loading: &Loading| !loading.is_loading && !loading.awaits_document;
        // One that takes longer is still loading when the action is done.
        let _ = timeout_at(deadline, loading.wait_for(rests)).await;
        if has_gone && page.loading().is_untouched() {
            // A file came in place of a document, which is told a moment later and closes the window.
            tokio::time::sleep_until(deadline.min(Instant::now() + FILE_GRACE)).await;
        }
    };
    tokio::select! { () = page.closed() => (), () = resting => () }
}
