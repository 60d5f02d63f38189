//! What a person would notice between before and after an action.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::target::loading::Loading;
use super::super::target::{Frame, Page, PageState};
use super::aim::{Cover, in_words, index_of};
pub(super) use super::before::{Before, before, before_at, before_in, unmarked};
use super::navigate::explain;
use super::settle::{self, Settled, waits};
use super::{Done, Stage, renderer_crashed};
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::{
    Change, Delivery, DialogInfo, DownloadInfo, Effect, EffectKind, Rest, Retry, Struck,
};

/// A download that input began is told a moment later, by another part of the browser.
const DOWNLOAD_GRACE: Duration = Duration::from_millis(15);
/// The same, where a navigation that began brought no document.
const DOWNLOAD_INSTEAD_GRACE: Duration = Duration::from_millis(300);

/// What came of an action.
#[derive(Debug)]
pub(super) struct Observed {
    /// As far as it goes into the result.
    pub(super) outcome: Done,
    /// Why it is a failure all the same.
    pub(super) error: Option<ActionError>,
    /// What presses landed on, by frame.
    pub(super) pressed: Vec<(Frame, Pressed)>,
    /// Whether all frames could say so.
    pub(super) is_whole: bool,
    /// What the field that was typed into holds now.
    pub(super) field: Option<Typed>,
    /// Where the page is scrolled to now.
    pub(super) scroll: Option<Value>,
    /// Whether a dialog has stopped the page.
    is_stopped: bool,
    /// Whether the page shows another document.
    pub(super) navigated: bool,
}

impl Observed {
    /// What was done to `target`, or why that is a failure all the same.
    pub(super) fn done_to(self, target: Option<Struck>) -> Result<Done, ActionError> {
        let mut done = self.outcome;
        done.target = target;
        match self.error {
            Some(error) => Err(error.outcome(done)),
            None => Ok(done),
        }
    }

    /// Whether the document that was acted on is still there to be asked.
    pub(super) fn can_be_asked(&self) -> bool {
        !self.navigated && !self.is_stopped
    }

    /// Whether the page is another one now, or stopped by a dialog, so that what was pressed cannot
    /// be asked of it any more; something was.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.navigated || self.outcome.effect.kind >= EffectKind::Navigation
    }
}

/// What `after` of our scripts answers.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    pub(super) settled: bool,
    pub(super) is_closing: bool,
    pub(super) pressed: Option<Pressed>,
    changes: Option<Changes>,
    state: PageState,
    /// When it has said so.
    #[serde(skip, default = "Instant::now")]
    at: Instant,
    /// What the field holds that was asked for.
    pub(super) field: Option<Typed>,
}

/// What a field holds that was typed into.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    pub(super) is_gone: bool,
    pub(super) held: Option<String>,
    /// All that the boxes of a code hold, when the page moved on from one to the next.
    pub(super) boxes: Option<String>,
}

/// What became of the presses in one frame.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pressed {
    /// Presses that the page heard of.
    pub(super) presses: u64,
    /// Clicks that came of them.
    pub(super) clicks: u64,
    /// What was under one that it did not hear of.
    pub(super) blocked: Option<Cover>,
    /// What the last one landed on.
    pub(super) on: Option<On>,
    /// Whether the pointer was on the element that is guarded.
    pub(super) is_over: bool,
    /// Whether it became a drag by the page's own drag events.
    pub(super) is_drag: bool,
}

/// Something that a press landed on.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct On {
    pub(super) node: u64,
    pub(super) role: String,
    pub(super) name: String,
}

/// What has changed in one document.
#[derive(Debug, Clone, Default, Deserialize)]
struct Changes {
    page: bool,
    value: Option<Span>,
    focus: Option<Span>,
    scroll: Option<Span>,
    stopped: Vec<Stopped>,
    told: Vec<Told>,
    /// Where what was clicked or submitted leads.
    leads: Option<Way>,
}

/// Where a link or a form leads that the page let go its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// To another document.
    Away,
    /// To a file that is saved.
    File,
}

impl After {
    /// Whether another document is on its way, whether or not the browser has told so.
    pub(super) fn leads_away(&self) -> bool {
        self.leads_to(Way::Away)
    }

    fn leads_to(&self, way: Way) -> bool {
        let changes = self.changes.as_ref();
        changes.is_some_and(|changes| changes.leads == Some(way))
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Span {
    before: Value,
    after: Value,
}

/// A field for whose sake the browser stopped a form.
#[derive(Debug, Clone, Deserialize)]
struct Stopped {
    node: u64,
    role: String,
    name: String,
    message: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Told {
    kind: String,
    text: String,
    node: Option<u64>,
}

/// Waits for rest, and tells what has changed. A navigation that failed, or a form that the browser
/// did not send, is the action's failure.
pub(super) async fn after(stage: Stage<'_>, before: Before) -> Result<Done, ActionError> {
    observe(stage, &before, Delivery::Sent).await.done_to(None)
}

/// As [`after`], with all that was seen.
pub(super) async fn observe(stage: Stage<'_>, before: &Before, delivery: Delivery) -> Observed {
    let page = stage.page;
    let bounds = settle::Bounds {
        most: stage.settle_max,
        patience: before.patience,
        dialogs: before.dialogs,
        field: before.field,
    };
    let mut settled = settle::after_input(page, &before.loading, &before.watched, bounds).await;
    let is_stopped = settled.waits_for == Some(waits::DIALOG);
    note_state(page, &settled);
    let field = settled
        .seen
        .iter_mut()
        .find_map(|(_, after)| after.field.take());
    let (others, is_whole) = match is_stopped {
        true => (Vec::new(), false),
        false => pressed_in(&before.armed).await,
    };
    let told = |(frame, after): &(Frame, After)| Some((frame.clone(), after.pressed.clone()?));
    let mut pressed: Vec<(Frame, Pressed)> = settled.seen.iter().filter_map(told).collect();
    let is_whole = is_whole && pressed.len() == before.watched.len();
    pressed.extend(others);
    let now = page.loading();
    let facts = Facts {
        dialogs: page.dialogs_since(before.dialogs),
        downloads: downloads(stage, before, &now, &settled).await,
        from: before.loading.clone(),
        to: now,
        // Those of an inner frame say more than those of the page around it.
        changes: settled
            .seen
            .iter()
            .rev()
            .filter_map(|(_, after)| after.changes.as_ref())
            .collect(),
        is_looked: !settled.seen.is_empty(),
    };
    let error = failed(stage, &settled, &facts);
    Observed {
        outcome: outcome(stage, &settled, facts, delivery),
        error,
        pressed,
        is_whole,
        field,
        scroll: settled.main().map(|(_, after)| after.state.scroll.clone()),
        is_stopped,
        navigated: settled.navigated,
    }
}

fn outcome(stage: Stage<'_>, settled: &Settled, facts: Facts<'_>, delivery: Delivery) -> Done {
    let mut outcome = Done {
        delivery,
        effect: facts.effect(),
        changes: changes(stage, settled, &facts),
        rest: Some(Rest {
            reached: settled.waits_for.is_none(),
            waits_for: settled.waits_for.map(str::to_owned),
        }),
        retry: Retry::Unsafe,
        dialogs: facts.dialogs,
        downloads: facts.downloads,
        ..Done::default()
    };
    if settled.navigated
        && let Some(status) = facts.to.http_status
    {
        outcome = outcome.with("http_status", status);
    }
    outcome
        .with("settled", settled.waits_for.is_none())
        .with("settle_ms", settled.took.as_millis() as u64)
        .with("navigated", settled.navigated)
}

/// What the page itself has just said need not be asked again.
fn note_state(page: &Page, settled: &Settled) {
    if let Some((frame, after)) = settled.main() {
        page.note_state(frame.document(), after.state.clone(), after.at);
    }
}

/// Says that more was seen than what was observed so far.
pub(super) fn raise(outcome: &mut Done, kind: EffectKind, before: Value, after: Value) {
    if kind >= outcome.effect.kind {
        outcome.effect = Effect {
            kind,
            verified: Some(true),
            before: Some(before).filter(|value| !value.is_null()),
            after: Some(after).filter(|value| !value.is_null()),
        };
    }
}

/// What presses landed on in frames that tell nothing else, and whether all could say.
async fn pressed_in(frames: &[Frame]) -> (Vec<(Frame, Pressed)>, bool) {
    let asking = frames
        .iter()
        .map(|frame| frame.call::<Option<Pressed>>("pressed", json!([])));
    let answers = join_all(asking).await;
    let is_whole = answers.iter().all(|answer| matches!(answer, Ok(Some(_))));
    let told = frames.iter().zip(answers);
    let told = told.filter_map(|(frame, answer)| Some((frame.clone(), answer.ok()??)));
    (told.collect(), is_whole)
}

/// The downloads that began, waited for where nothing else seems to have come of the action.
async fn downloads(
    stage: Stage<'_>,
    before: &Before,
    now: &Loading,
    settled: &Settled,
) -> Vec<DownloadInfo> {
    let downloads = stage.tabs.downloads();
    let mut watch = downloads.watch();
    let came_empty = now.started > before.loading.started
        && now.committed == before.loading.committed
        && now.within_document == before.loading.within_document;
    let is_weak = settled.waits_for.is_none()
        && settled.seen.iter().all(|(_, after)| {
            let changes = after.changes.as_ref();
            changes.is_none_or(|changes| !changes.page && changes.value.is_none())
        });
    let is_saved = settled
        .seen
        .iter()
        .any(|(_, after)| after.leads_to(Way::File));
    let is_weak = is_weak && before.may_download && !settled.navigated;
    let grace = match (is_saved, came_empty, is_weak) {
        (true, _, _) => stage.settle_max,
        (false, true, _) => DOWNLOAD_INSTEAD_GRACE,
        (false, false, true) => DOWNLOAD_GRACE,
        (false, false, false) => Duration::ZERO,
    };
    if !grace.is_zero() {
        let begun = watch.wait_for(|_| downloads.count() > before.downloads);
        // Without one, none is told.
        let _ = timeout(grace, begun).await;
    }
    downloads.since(before.downloads)
}

/// Why an action that was carried out is a failure all the same.
fn failed(stage: Stage<'_>, settled: &Settled, facts: &Facts<'_>) -> Option<ActionError> {
    if let Some(failure) = &settled.failure {
        return Some(explain(stage, failure));
    }
    if facts.to.crashed && !facts.from.crashed {
        return Some(renderer_crashed());
    }
    let (frame, stopped) = settled.seen.iter().find_map(|(frame, after)| {
        let stopped = &after.changes.as_ref()?.stopped;
        (!stopped.is_empty()).then_some((frame, stopped))
    })?;
    let fields: Vec<Value> = stopped
        .iter()
        .map(|field| {
            json!({
                "index": index_of(stage.page, frame, field.node),
                "role": field.role, "name": field.name, "message": field.message,
            })
        })
        .collect();
    let why: Vec<String> = stopped.iter().map(Stopped::in_words).collect();
    let message = format!(
        "The form was not sent, because of what its fields hold. {} Correct them and send it \
         again.",
        why.join(" ")
    );
    Some(
        ActionError::new(ActionErrorKind::NotAccepted, message)
            .context(json!({ "fields": fields })),
    )
}

impl Stopped {
    fn in_words(&self) -> String {
        let what = in_words(&self.role, &self.name);
        let mut letters = what.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let what: String = first.into_iter().chain(letters).collect();
        format!("{what}: {}", self.message)
    }
}

/// All that is known of what came of an action.
struct Facts<'a> {
    from: Loading,
    to: Loading,
    dialogs: Vec<DialogInfo>,
    downloads: Vec<DownloadInfo>,
    changes: Vec<&'a Changes>,
    /// Whether the page could be looked at.
    is_looked: bool,
}

impl Facts<'_> {
    /// The strongest effect.
    fn effect(&self) -> Effect {
        let found = |kind, before: Value, after: Value| Effect {
            kind,
            verified: Some(true),
            before: Some(before).filter(|value| !value.is_null()),
            after: Some(after).filter(|value| !value.is_null()),
        };
        if let Some(download) = self.downloads.first() {
            return found(EffectKind::Download, Value::Null, json!(download.name));
        }
        if let Some(dialog) = self.dialogs.first() {
            return found(EffectKind::Dialog, Value::Null, json!(dialog.message));
        }
        let is_moved = self.to.committed > self.from.committed
            || self.to.within_document > self.from.within_document;
        if is_moved {
            let (from, to) = (json!(self.from.url), json!(self.to.url));
            return found(EffectKind::Navigation, from, to);
        }
        let first = |pick: fn(&Changes) -> Option<&Span>| {
            self.changes
                .iter()
                .find_map(|changes| pick(changes))
                .cloned()
        };
        let spans = [
            (EffectKind::Scroll, first(|changes| changes.scroll.as_ref())),
            (EffectKind::Focus, first(|changes| changes.focus.as_ref())),
            (EffectKind::Value, first(|changes| changes.value.as_ref())),
        ];
        for (kind, span) in spans {
            if let Some(Span { before, after }) = span {
                return found(kind, before, after);
            }
        }
        if self.changes.iter().any(|changes| changes.page) {
            return found(EffectKind::Page, Value::Null, Value::Null);
        }
        Effect {
            verified: self.is_looked.then_some(false),
            ..Effect::default()
        }
    }
}

/// What has changed, in words.
fn changes(stage: Stage<'_>, settled: &Settled, facts: &Facts<'_>) -> Vec<Change> {
    let mut list = Vec::new();
    for dialog in &facts.dialogs {
        list.push(Change {
            kind: "dialog".to_owned(),
            text: format!(
                "A dialog ({}) says: \"{}\"",
                dialog.dialog_type, dialog.message
            ),
            index: None,
        });
    }
    if settled.navigated
        && let Some(status) = facts.to.http_status.filter(|status| *status >= 400)
    {
        list.push(Change {
            kind: "http_status".to_owned(),
            text: format!("The page that opened is an error of the site: HTTP {status}."),
            index: None,
        });
    }
    for (frame, after) in &settled.seen {
        let told = after
            .changes
            .as_ref()
            .map(|changes| changes.told.as_slice());
        list.extend(told.unwrap_or_default().iter().map(|told| Change {
            kind: told.kind.clone(),
            text: told.text.clone(),
            index: told.node.and_then(|node| index_of(stage.page, frame, node)),
        }));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(changes: &'a Changes, change: impl FnOnce(&mut Facts<'a>)) -> Facts<'a> {
        let mut facts = Facts {
            from: Loading::default(),
            to: Loading::default(),
            dialogs: Vec::new(),
            downloads: Vec::new(),
            changes: vec![changes],
            is_looked: true,
        };
        change(&mut facts);
        facts
    }

    fn span() -> Option<Span> {
        Some(Span {
            before: json!("a"),
            after: json!("b"),
        })
    }

    #[test]
    fn the_strongest_effect_is_told() {
        let all = Changes {
            page: true,
            value: span(),
            focus: span(),
            scroll: span(),
            ..Changes::default()
        };
        let weaker = |weaken: fn(&mut Changes)| {
            let mut changes = all.clone();
            weaken(&mut changes);
            facts(&changes, |_| ()).effect().kind
        };
        assert_eq!(weaker(|_| ()), EffectKind::Scroll);
        assert_eq!(weaker(|changes| changes.scroll = None), EffectKind::Focus);
        let only_value = |changes: &mut Changes| (changes.scroll, changes.focus) = (None, None);
        assert_eq!(weaker(only_value), EffectKind::Value);
        let only_page = |changes: &mut Changes| {
            *changes = Changes {
                page: true,
                ..Changes::default()
            }
        };
        assert_eq!(weaker(only_page), EffectKind::Page);
        let moved = facts(&all, |facts| facts.to.committed = 1);
        assert_eq!(moved.effect().kind, EffectKind::Navigation);
        let within = facts(&all, |facts| facts.to.within_document = 1);
        assert_eq!(within.effect().kind, EffectKind::Navigation);
    }

    #[test]
    fn nothing_seen_is_told_apart_from_not_looked() {
        let none = Changes::default();
        let looked = facts(&none, |_| ()).effect();
        assert_eq!(
            (looked.kind, looked.verified),
            (EffectKind::None, Some(false))
        );
        let blind = facts(&none, |facts| facts.is_looked = false).effect();
        assert_eq!((blind.kind, blind.verified), (EffectKind::None, None));
    }

    #[test]
    fn an_effect_says_what_was_and_what_is() {
        let changes = Changes {
            value: span(),
            ..Changes::default()
        };
        let effect = facts(&changes, |_| ()).effect();
        assert_eq!(
            (effect.before, effect.after),
            (Some(json!("a")), Some(json!("b")))
        );
        assert_eq!(effect.verified, Some(true));
    }

    #[test]
    fn a_weaker_effect_does_not_hide_a_stronger_one() {
        let mut outcome = Done::default();
        raise(&mut outcome, EffectKind::Navigation, json!("a"), json!("b"));
        raise(&mut outcome, EffectKind::Scroll, Value::Null, Value::Null);
        assert_eq!(outcome.effect.kind, EffectKind::Navigation);
        raise(&mut outcome, EffectKind::Tab, Value::Null, json!(2));
        assert_eq!(outcome.effect.after, Some(json!(2)));
    }

    #[test]
    fn a_field_that_stops_a_form_is_named_with_its_message() {
        let field = Stopped {
            node: 1,
            role: "textbox".to_owned(),
            name: "Mail".to_owned(),
            message: "Please fill out this field.".to_owned(),
        };
        assert_eq!(
            field.in_words(),
            "The textbox \"Mail\": Please fill out this field."
        );
    }
}
