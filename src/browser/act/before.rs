//! What there is before an action, marked, so that what comes of it can be told.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::super::sight::Known;
use super::super::target::Frame;
use super::super::target::loading::Loading;
use super::Stage;

/// Where nothing has changed at once, a change is waited for so long: pages put off what they do by
/// timers of their own.
const PATIENCE: Duration = Duration::from_millis(150);

/// The state of things before an action.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) loading: Loading,
    pub(super) dialogs: u64,
    pub(super) downloads: usize,
    /// Those that tell what they see, the main one first.
    pub(super) watched: Vec<Frame>,
    /// Others whose presses are guarded or noted.
    pub(super) armed: Vec<Frame>,
    /// How long a change is waited for where there is none at once.
    pub(super) patience: Duration,
    /// Whether what is done may begin a download of which nothing else tells.
    pub(super) may_download: bool,
    /// A field that is typed into: the numbers of its document and of itself.
    pub(super) field: Option<(u64, u64)>,
}

/// Marks what there is now, in the page and in the frame of what shall be acted on.
pub(super) async fn before(stage: Stage<'_>, target: Option<&Known>) -> Before {
    let before = unmarked(stage, target).await;
    before.mark(stage, target).await;
    before
}

/// As [`before`], for whoever marks it.
pub(super) async fn unmarked(stage: Stage<'_>, target: Option<&Known>) -> Before {
    let mut before = Before::now(stage);
    let main = stage.page.main_frame().await.ok();
    let own = target.filter(|known| known.frame.parent().is_some());
    before.watched = main
        .into_iter()
        .chain(own.map(|known| known.frame.clone()))
        .collect();
    before
}

/// As [`before`], where aiming has marked the element's own frame and guards these.
pub(super) async fn before_in(stage: Stage<'_>, own: &Frame, guarded: &[Frame]) -> Before {
    let mut before = Before::now(stage);
    before.watched = vec![own.clone()];
    if own.parent().is_some()
        && let Ok(main) = stage.page.main_frame().await
    {
        // What cannot be marked has nothing to compare with.
        let _ = main.call::<Value>("mark", json!([null])).await;
        before.watched.insert(0, main);
    }
    before.armed = without(guarded, &before.watched);
    before
}

/// As [`before`], where presses are noted in these frames.
pub(super) async fn before_at(stage: Stage<'_>, armed: &[Frame]) -> Before {
    let mut before = before(stage, None).await;
    before.armed = without(armed, &before.watched);
    before
}

fn without(frames: &[Frame], others: &[Frame]) -> Vec<Frame> {
    let is_other = |frame: &&Frame| !others.iter().any(|other| other.id() == frame.id());
    frames.iter().filter(is_other).cloned().collect()
}

impl Before {
    fn now(stage: Stage<'_>) -> Self {
        Self {
            loading: stage.page.loading(),
            dialogs: stage.page.dialogs_count(),
            downloads: stage.tabs.downloads().count(),
            watched: Vec::new(),
            armed: Vec::new(),
            patience: PATIENCE,
            may_download: true,
            field: None,
        }
    }

    /// For an action whose input goes to this frame as well: it tells what it sees.
    pub(super) async fn watching(mut self, frame: Option<&Frame>) -> Self {
        let is_watched = |frame: &Frame| self.watched.iter().any(|one| one.id() == frame.id());
        if let Some(frame) = frame.filter(|frame| !is_watched(frame)) {
            // What cannot be marked has nothing to compare with.
            let _ = frame.call::<Value>("mark", json!([null])).await;
            self.watched.push(frame.clone());
            self.armed = without(&self.armed, &self.watched);
        }
        self
    }

    /// For an action that sees to its effect itself.
    pub(super) fn impatient(mut self) -> Self {
        self.patience = Duration::ZERO;
        self
    }

    /// For an action that begins no download.
    pub(super) fn without_downloads(mut self) -> Self {
        self.may_download = false;
        self
    }

    /// For an action that types into this field: what it holds then is told as well.
    pub(super) fn with_field(mut self, frame: &Frame, node: u64) -> Self {
        self.field = Some((frame.document(), node));
        self
    }

    /// Marks what there is now. What is sent to the page after the first poll of this comes after it.
    pub(super) async fn mark(&self, stage: Stage<'_>, target: Option<&Known>) {
        // A page that is stopped by a dialog cannot answer; it was marked before the dialog opened.
        if stage.page.dialog().is_some() {
            return;
        }
        let marking = self.watched.iter().map(|frame| {
            let node = target.filter(|known| known.frame.id() == frame.id());
            let node = node.map(|known| known.node);
            frame.call::<Value>("mark", json!([node]))
        });
        // A document that is going has nothing to compare with.
        join_all(marking).await;
    }

    /// As [`Self::mark`], but for a frame that is marked by what is asked of it next.
    pub(super) async fn mark_around(&self, stage: Stage<'_>, own: &Frame) {
        if stage.page.dialog().is_some() {
            return;
        }
        let others = self.watched.iter().filter(|frame| frame.id() != own.id());
        join_all(others.map(|frame| frame.call::<Value>("mark", json!([null])))).await;
    }
}
