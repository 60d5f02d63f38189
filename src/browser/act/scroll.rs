//! scroll: what a person would have scrolled, and which that was.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::hand::pointer;
use super::super::sight::{self, Known};
use super::super::target::Frame;
use super::aim::{frame_of, index_of, known};
use super::observe;
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{ActionError, Scroll};
use crate::model::outcome::{Delivery, EffectKind, Struck};

/// Frames inside one another that are looked into.
const DEPTH_MAX: usize = 8;

/// What `scroll` of our scripts answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Answer {
    Scrolled(Moved),
    /// Nothing in this document goes that way; `inside` is the frame element in its middle.
    None {
        inside: Option<u64>,
        scroll: Option<Value>,
    },
    Gone,
}

#[derive(Debug, Deserialize)]
struct Moved {
    moved: bool,
    /// Whether nothing has come of it in its frame.
    calm: bool,
    from: Value,
    scroll: Value,
    target: Scroller,
}

#[derive(Debug, Deserialize)]
struct Scroller {
    /// None for a document as a whole.
    node: Option<u64>,
    role: String,
    name: String,
}

pub(super) async fn scroll(stage: Stage<'_>, params: &Scroll) -> Result<Done, ActionError> {
    let middle = middle(stage);
    let unit = params.direction.unit();
    let by = Point::new(unit.x * params.amount, unit.y * params.amount);
    let known = match params.index {
        Some(index) => Some(known(stage, index).await?),
        None => None,
    };
    stage.hint(Cue::Scrolling {
        at: middle,
        direction: params.direction,
    });
    let before = observe::unmarked(stage, known.as_ref()).await;
    let before = before.impatient().without_downloads();
    let scrolling = async {
        match &known {
            Some(known) => around(stage, known, by).await,
            None => in_the_middle(stage, middle, by).await,
        }
    };
    let marking = before.mark(stage, known.as_ref());
    let ((), found, deaf) = tokio::join!(marking, scrolling, deaf(stage, known.as_ref()));
    let mut found = found?;
    found.rest(deaf).await;
    if found.moved.is_none() && known.is_none() {
        // Some pages (maps, canvases) go by the wheel only.
        let wheel = pointer::wheel(stage.page, middle, by);
        wheel.await.map_err(browser_failed)?;
    }
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    if let Some(error) = observed.error {
        return Err(error.outcome(observed.outcome));
    }
    let can_be_asked = observed.can_be_asked();
    let mut done = observed.outcome;
    let Some((frame, mut moved)) = found.moved.take() else {
        let at = found
            .at
            .unwrap_or_else(|| json!({ "x": 0, "y": 0, "max_x": 0, "max_y": 0 }));
        return Ok(done.with("moved", false).with("scroll", at));
    };
    if can_be_asked {
        moved.look_again(&frame, observed.scroll).await;
    }
    if moved.moved {
        observe::raise(
            &mut done,
            EffectKind::Scroll,
            moved.from,
            moved.scroll.clone(),
        );
    }
    done.target = Some(Struck {
        index: moved
            .target
            .node
            .and_then(|node| index_of(stage.page, &frame, node)),
        role: moved.target.role,
        name: moved.target.name,
        frame: frame_of(&frame),
    });
    Ok(done.with("moved", moved.moved).with("scroll", moved.scroll))
}

/// The document that is meant, when nothing in it listens for scrolls.
async fn deaf(stage: Stage<'_>, known: Option<&Known>) -> Option<u64> {
    let frame = match known {
        Some(known) => known.frame.clone(),
        None => stage.page.main_frame().await.ok()?,
    };
    let heeds = sight::heeds_scrolls(&frame).await;
    (!heeds).then(|| frame.document())
}

impl Moved {
    /// Where it is at rest: pages glide on, go back, and grow at their end.
    async fn look_again(&mut self, frame: &Frame, page: Option<Value>) {
        let now = match (self.target.node, page) {
            (None, Some(page)) if frame.parent().is_none() => Some(page),
            (node, _) => {
                let asked = frame.call::<Option<Value>>("scrolledTo", json!([node]));
                asked.await.ok().flatten()
            }
        };
        if let Some(now) = now {
            self.moved = ["x", "y"].iter().any(|axis| now[axis] != self.from[axis]);
            self.scroll = now;
        }
    }
}

fn middle(stage: Stage<'_>) -> Point {
    let viewport = stage.page.viewport();
    Point::new(
        f64::from(viewport.width) / 2.0,
        f64::from(viewport.height) / 2.0,
    )
}

/// What was scrolled, or would have been were it not at its end.
#[derive(Default)]
struct Found {
    moved: Option<(Frame, Moved)>,
    /// Where the page stands when nothing goes that way.
    at: Option<Value>,
}

impl Found {
    /// Waits until what was scrolled has come to rest, unless it has: by itself, in a document that
    /// is `deaf` to scrolls.
    async fn rest(&self, deaf: Option<u64>) {
        if let Some((frame, moved)) = &self.moved
            && !(moved.calm && deaf == Some(frame.document()))
        {
            let resting = frame.call::<Value>("scrollRested", json!([moved.target.node]));
            // A document that cannot be asked any more has gone, which is seen to afterwards.
            let _ = resting.await;
        }
    }

    /// Takes an answer in; the first that moved counts, else the first that could.
    fn take(&mut self, frame: &Frame, answer: Answer) -> bool {
        match answer {
            Answer::Scrolled(moved) => {
                let is_moved = moved.moved;
                if is_moved || self.moved.is_none() {
                    self.moved = Some((frame.clone(), moved));
                }
                is_moved
            }
            Answer::None { scroll, .. } => {
                self.at = scroll.or_else(|| self.at.take());
                false
            }
            Answer::Gone => false,
        }
    }
}

/// The scroller that holds an element: in its document, else the one around its frame.
async fn around(stage: Stage<'_>, known: &Known, by: Point) -> Result<Found, ActionError> {
    let frames = stage.page.frames();
    let mut found = Found::default();
    let mut frame = known.frame.clone();
    let mut node = known.node;
    for _ in 0..DEPTH_MAX {
        let answer = match ask(&frame, json!({ "id": node }), by).await {
            Ok(Answer::Gone) | Err(Error::Replaced | Error::Detached) => {
                return Err(sight::stale(stage.page, known, None).await);
            }
            answer => answer.map_err(browser_failed)?,
        };
        if found.take(&frame, answer) {
            break;
        }
        let holder = frames
            .iter()
            .find(|holder| Some(holder.id()) == frame.parent());
        let Some(holder) = holder else { break };
        let Some(host) = host(&frame, holder).await else {
            break;
        };
        (node, frame) = (host, holder.clone());
    }
    Ok(found)
}

/// The scroller in the middle of what is seen, through the frames there; the innermost that moves.
async fn in_the_middle(stage: Stage<'_>, at: Point, by: Point) -> Result<Found, ActionError> {
    let frames = stage.page.frames();
    let mut found = Found::default();
    let mut frame = stage.page.main_frame().await.map_err(browser_failed)?;
    let mut passed = Vec::new();
    for _ in 0..DEPTH_MAX {
        let at = inside(stage, &frame, at).await;
        let place = json!({ "middle": { "x": at.x, "y": at.y } });
        let answer = ask(&frame, place.clone(), by)
            .await
            .map_err(browser_failed)?;
        let inner = match &answer {
            Answer::None { inside, .. } => *inside,
            _ => None,
        };
        if found.take(&frame, answer) {
            return Ok(found);
        }
        let Some(element) = inner else { break };
        passed.push((frame.clone(), at));
        match child(&frames, &frame, element).await {
            Some(child) => frame = child,
            None => break,
        }
    }
    // Nothing moved in there: what is around it does.
    while let Some((frame, at)) = passed.pop() {
        let place = json!({ "middle": { "x": at.x, "y": at.y }, "inner_done": true });
        let answer = ask(&frame, place, by).await.map_err(browser_failed)?;
        if found.take(&frame, answer) {
            break;
        }
    }
    Ok(found)
}

async fn ask(frame: &Frame, place: Value, by: Point) -> Result<Answer, Error> {
    frame.call("scroll", json!([place, by.x, by.y])).await
}

/// A point of the page in a frame's own px.
async fn inside(stage: Stage<'_>, frame: &Frame, at: Point) -> Point {
    if frame.parent().is_none() {
        return at;
    }
    match sight::placement(stage.page, frame).await {
        Ok(place) => place.to_frame(at),
        // Its own scripts take the middle of what they see.
        Err(_) => at,
    }
}

/// The number, in the frame around it, of the element that holds a frame.
async fn host(frame: &Frame, holder: &Frame) -> Option<u64> {
    let owner = frame.owner().await.ok()??;
    let owner = [owner];
    let ids = holder.call_on_nodes::<Vec<u64>>("ids", &owner, json!([]));
    ids.await.ok()?.first().copied()
}

/// The frame that an element holds.
async fn child(frames: &[Frame], holder: &Frame, element: u64) -> Option<Frame> {
    for frame in frames
        .iter()
        .filter(|frame| frame.parent() == Some(holder.id()))
    {
        if host(frame, holder).await == Some(element) {
            return Some(frame.clone());
        }
    }
    None
}
