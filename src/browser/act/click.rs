//! click: aim, press, and see on what the press landed.

use serde_json::{Value, json};

use super::super::hand::pointer;
use super::super::sight;
use super::super::target::Frame;
use super::aim::{self, Aim, Cover, For, aim};
use super::deliver::{Sent, deliver, ready};
use super::observe::{self, Before, Observed, Pressed};
use super::sketch;
use super::{Done, Stage};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind, Click, MouseButton, Target};
use crate::model::outcome::{Change, Delivery, Retry, Struck};

pub(super) async fn click(stage: Stage<'_>, params: &Click) -> Result<Done, ActionError> {
    // What the middle button opens is for later.
    let behind = Behind::of(stage, params.button == MouseButton::Middle);
    let done = match params.target {
        Target::Index(index) => on_element(stage, index, params).await,
        Target::Point(point) => at_point(stage, inside(stage, point)?, params).await,
    };
    drop(behind);
    done
}

/// Clicks an element once, as a part of another action.
pub(super) async fn once(stage: Stage<'_>, index: u32) -> Result<Done, ActionError> {
    let params = Click {
        target: Target::Index(index),
        button: MouseButton::Left,
        count: 1,
    };
    click(stage, &params).await
}

async fn on_element(stage: Stage<'_>, index: u32, params: &Click) -> Result<Done, ActionError> {
    let mut aimed = aim(stage, index, For::Press).await?;
    if stage.show(Cue::MoveTo { at: aimed.at }).await {
        // The page may have moved while the cursor was on its way.
        aimed = aim(stage, index, For::Press).await?;
    }
    match press(stage, &aimed, params).await? {
        Landed::OnIt(done) => Ok(done),
        Landed::Elsewhere(_) => {
            // It moved away under the pointer, and no page heard of the press: followed once.
            aimed = aim(stage, index, For::Press).await?;
            match press(stage, &aimed, params).await? {
                Landed::OnIt(done) => Ok(done),
                Landed::Elsewhere(at) => Err(missed(stage, &aimed, at).await),
            }
        }
    }
}

/// A press that is let go of elsewhere, or of which the page has taken its element away, is no click.
fn no_click(done: &mut Done, struck: &Struck) {
    // The list of a select element takes the rest of the click.
    if struck.role == "combobox" {
        return;
    }
    let what = aim::in_words(&struck.role, &struck.name);
    done.changes.push(Change {
        kind: "no_click".to_owned(),
        text: format!(
            "The press on {what} did not become a click: the page changed or moved it while it was \
             pressed. What waits for clicks heard nothing."
        ),
        index: struck.index,
    });
    done.effect.verified = None;
}

/// Where a press landed.
enum Landed {
    OnIt(Done),
    /// On something else, which was kept from hearing of it; or on nothing.
    Elsewhere(Option<(Frame, Cover)>),
}

async fn press(stage: Stage<'_>, aimed: &Aim, params: &Click) -> Result<Landed, ActionError> {
    let Click { button, count, .. } = *params;
    stage.hint(Cue::Press {
        at: aimed.at,
        count,
    });
    let before = observe::before_in(stage, &aimed.known.frame, &aimed.guarded).await;
    let gesture = pointer::click(stage.page, aimed.at, button, count);
    let observed = send(stage, before, gesture, Some(&aimed.struck)).await?;
    let verdict = Verdict::of(&observed);
    let can_tell = verdict.is_known && !aimed.is_frame && !observed.is_elsewhere();
    if verdict.presses == 0 && can_tell {
        return Ok(Landed::Elsewhere(verdict.blocked));
    }
    let can_be_asked = observed.can_be_asked();
    let mut done = observed.outcome;
    done.target = Some(aimed.struck.clone());
    done.drop_focus_on(aimed.struck.index);
    if can_tell && can_be_asked && button == MouseButton::Left && verdict.clicks == 0 {
        no_click(&mut done, &aimed.struck);
    }
    let pressed = u64::from(count).min(verdict.presses.max(1));
    if verdict.is_known && verdict.presses < u64::from(count) && verdict.blocked.is_some() {
        done.delivery = Delivery::Partly;
        let blocked = verdict.blocked.as_ref().map(|(_, cover)| cover.in_words());
        return Err(ActionError::new(
            ActionErrorKind::PageChanged,
            format!(
                "Only {pressed} of {count} presses reached {}: then {} was under the pointer, and \
                 was not pressed. Get the context to see what the page shows now.",
                aim::in_words(&aimed.struck.role, &aimed.struck.name),
                blocked.unwrap_or_default()
            ),
        )
        .outcome(done)
        .retry(Retry::Unsafe));
    }
    if let Some(error) = observed.error {
        return Err(error.outcome(done));
    }
    if button == MouseButton::Left && aimed.struck.role == "combobox" {
        sketch::choice(stage, &aimed.known.frame, aimed.known.node);
    }
    let element = json!({ "role": aimed.struck.role, "name": aimed.struck.name });
    let done = done.with("x", aimed.at.x).with("y", aimed.at.y);
    Ok(Landed::OnIt(done.with("element", element)))
}

async fn at_point(stage: Stage<'_>, at: Point, params: &Click) -> Result<Done, ActionError> {
    let Click { button, count, .. } = *params;
    stage.show(Cue::MoveTo { at }).await;
    stage.hint(Cue::Press { at, count });
    // A document that the press replaces can say nothing of it any more.
    let (frame, there) = sight::under(stage.page, at).await.unzip();
    let armed = aim::note_presses(stage).await;
    let before = observe::before_at(stage, &armed).await;
    let before = before.watching(frame.as_ref()).await;
    let gesture = pointer::click(stage.page, at, button, count);
    let observed = send(stage, before, gesture, None).await?;
    let struck = struck(stage, &observed).or(there);
    let element = struck
        .as_ref()
        .map(|struck| json!({ "role": struck.role, "name": struck.name }));
    let on = observed.pressed.iter().find_map(|(frame, pressed)| {
        let on = pressed.on.as_ref()?;
        (on.role == "combobox").then(|| (frame.clone(), on.node))
    });
    let done = observed.done_to(struck)?;
    if button == MouseButton::Left
        && let Some((frame, node)) = on
    {
        sketch::choice(stage, &frame, node);
    }
    let done = done.with("x", at.x).with("y", at.y);
    Ok(done.with("element", element.unwrap_or(Value::Null)))
}

/// What was under the press, as our scripts saw it then.
pub(super) fn struck(stage: Stage<'_>, observed: &Observed) -> Option<Struck> {
    let pressed = observed.pressed.iter();
    let mut on = pressed.filter_map(|(frame, pressed)| Some((frame, pressed.on.as_ref()?)));
    let (frame, on) = on.next()?;
    Some(Struck {
        index: aim::index_of(stage.page, frame, on.node),
        role: on.role.clone(),
        name: on.name.clone(),
        frame: aim::frame_of(frame),
    })
}

/// Sends a gesture, and sees what came of it.
pub(super) async fn send(
    stage: Stage<'_>,
    before: Before,
    gesture: impl Future<Output = Result<(), super::super::error::Error>>,
    target: Option<&Struck>,
) -> Result<Observed, ActionError> {
    ready(stage).await?;
    match deliver(stage, gesture).await? {
        Sent::Answered | Sent::Dialog => Ok(observe::observe(stage, &before, Delivery::Sent).await),
        Sent::Unanswered => Err(unknown(target)),
    }
}

/// The press was sent, and the page did not answer.
pub(super) fn unknown(target: Option<&Struck>) -> ActionError {
    let what = target.map_or_else(
        || "what is there".to_owned(),
        |struck| aim::in_words(&struck.role, &struck.name),
    );
    let mut error = ActionError::new(
        ActionErrorKind::OutcomeUnknown,
        format!(
            "The press on {what} was sent, and the page has not answered since. Do not press it \
             again: get the context to see what came of it."
        ),
    )
    .delivery(Delivery::Unknown)
    .retry(Retry::Unsafe);
    error.outcome.target = target.cloned();
    error
}

/// What the frames say of the presses.
struct Verdict {
    presses: u64,
    clicks: u64,
    blocked: Option<(Frame, Cover)>,
    /// Whether all frames could say.
    is_known: bool,
}

impl Verdict {
    fn of(observed: &Observed) -> Self {
        let blocked =
            |(frame, pressed): &(Frame, Pressed)| Some((frame.clone(), pressed.blocked.clone()?));
        Self {
            presses: observed
                .pressed
                .iter()
                .map(|(_, pressed)| pressed.presses)
                .sum(),
            clicks: observed
                .pressed
                .iter()
                .map(|(_, pressed)| pressed.clicks)
                .sum(),
            blocked: observed.pressed.iter().find_map(blocked),
            is_known: observed.is_whole,
        }
    }
}

/// Twice something else came under the pointer.
async fn missed(stage: Stage<'_>, aimed: &Aim, at: Option<(Frame, Cover)>) -> ActionError {
    let what = aim::in_words(&aimed.struck.role, &aimed.struck.name);
    match at {
        Some((frame, cover)) => aim::covered(stage, &aimed.known, &frame, Some(cover)).await,
        None => ActionError::new(
            ActionErrorKind::PageChanged,
            format!(
                "Twice {what} moved away under the pointer, and was not pressed. Get the context \
                 and try again when the page is at rest."
            ),
        ),
    }
    .delivery(Delivery::NotSent)
    .retry(Retry::Safe)
}

/// Pages that are opened while this lives stay behind the current one.
struct Behind<'a>(Option<Stage<'a>>);

impl<'a> Behind<'a> {
    fn of(stage: Stage<'a>, is_behind: bool) -> Self {
        stage.tabs.open_behind(is_behind);
        Self(is_behind.then_some(stage))
    }
}

impl Drop for Behind<'_> {
    fn drop(&mut self) {
        if let Some(stage) = self.0 {
            stage.tabs.open_behind(false);
        }
    }
}

/// The point, if it lies in the viewport.
pub(super) fn inside(stage: Stage<'_>, point: Point) -> Result<Point, ActionError> {
    let viewport = stage.page.viewport();
    let (width, height) = (f64::from(viewport.width), f64::from(viewport.height));
    if (0.0..width).contains(&point.x) && (0.0..height).contains(&point.y) {
        return Ok(point);
    }
    Err(ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!(
            "The point {},{} lies outside the viewport of {}x{} CSS px. Scroll, or use an index.",
            point.x, point.y, viewport.width, viewport.height
        ),
    ))
}
