//! drag: by the pointer, held from one place to another. Chromium itself turns it into drag events
//! where the page says that something can be dragged.

use futures::future::join_all;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::hand::pointer;
use super::super::sight::{self, Known};
use super::super::target::Frame;
use super::aim::{self, Aim, For, aim};
use super::click::{inside, struck, unknown};
use super::deliver::{Sent, deliver, ready};
use super::observe::{self, Before};
use super::{Done, Stage, standing};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind, Drag, Target};
use crate::model::outcome::{Delivery, Retry, Struck};

/// CSS px.
const PAST_MIDDLE: f64 = 1.0;

pub(super) async fn drag(stage: Stage<'_>, params: &Drag) -> Result<Done, ActionError> {
    let (mut start, mut end) = places(stage, params).await?;
    if stage.show(Cue::MoveTo { at: start.at() }).await {
        // The page may have moved while the cursor was on its way.
        (start, end) = places(stage, params).await?;
    }
    let from = start.at();
    // What is taken up may be elsewhere, or no more, when the drag is over.
    let (frame, there) = match start.struck() {
        Some(struck) => (None, Some(struck.clone())),
        None => sight::under(stage.page, from).await.unzip(),
    };
    let before = match &start {
        Place::Element(aimed) => {
            observe::before_in(stage, &aimed.known.frame, &aimed.guarded).await
        }
        Place::Point(_) => {
            let armed = aim::note_presses(stage).await;
            let before = observe::before_at(stage, &armed).await;
            before.watching(frame.as_ref()).await
        }
    };
    let before = before.watching(end.frame(stage).await.as_ref()).await;
    let dragged = start.known(stage, there.as_ref());
    if let Some(known) = &dragged {
        standing::note(known).await;
    }
    stage.hint(Cue::Press { at: from, count: 1 });
    let to = end.drop_at(end.at());
    ready(stage).await?;
    let taken = deliver(stage, pointer::take(stage.page, from, to)).await?;
    // What is taken up may make room, and so move where it shall go.
    let to = match taken {
        Sent::Answered => end.now().await.map_or(to, |at| end.drop_at(at)),
        Sent::Dialog => return finish(stage, before, (&start, there), &end, to).await,
        Sent::Unanswered => return Err(unknown(start.struck())),
    };
    stage.show(Cue::MoveTo { at: to }).await;
    let carried = deliver(stage, carry(stage, &before, from, to)).await;
    match carried {
        Ok(Sent::Answered | Sent::Dialog) => (),
        Ok(Sent::Unanswered) => return Err(unknown(start.struck())),
        Err(error) => return Err(error.delivery(Delivery::Partly)),
    }
    let mut done = finish(stage, before, (&start, there), &end, to).await?;
    if let Some(known) = dragged
        && stage.page.dialog().is_none()
    {
        standing::tell(&known, &mut done).await;
    }
    Ok(done)
}

async fn carry(stage: Stage<'_>, before: &Before, from: Point, to: Point) -> Result<(), Error> {
    let carried = async {
        pointer::carry(stage.page, from, to).await?;
        let frames = before.watched.iter().chain(&before.armed);
        let asking = frames.map(|frame| frame.call::<bool>("isDragging", json!([])));
        let by_events = join_all(asking).await;
        let by_events = by_events.into_iter().any(|answer| answer.unwrap_or(false));
        pointer::rest(stage.page, to, by_events).await
    };
    // Whatever comes in between, and whoever gives it up: nothing stays held.
    let held = pointer::Held::new(stage.page, to);
    let carried = carried.await;
    let dropped = pointer::drop_at(stage.page, to).await;
    held.let_go();
    carried.and(dropped)
}

async fn finish(
    stage: Stage<'_>,
    before: Before,
    (start, there): (&Place, Option<Struck>),
    end: &Place,
    to: Point,
) -> Result<Done, ActionError> {
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    let by_events = observed.pressed.iter().any(|(_, pressed)| pressed.is_drag);
    let presses: u64 = observed
        .pressed
        .iter()
        .map(|(_, pressed)| pressed.presses)
        .sum();
    let blocked = observed
        .pressed
        .iter()
        .find_map(|(frame, pressed)| Some((frame, pressed.blocked.as_ref()?)));
    if presses == 0
        && let Some((frame, cover)) = blocked
        && let Place::Element(aimed) = start
    {
        let missed = aim::covered(stage, &aimed.known, frame, Some(cover.clone())).await;
        return Err(missed.delivery(Delivery::NotSent).retry(Retry::Safe));
    }
    let struck = match start {
        Place::Element(_) => there,
        Place::Point(_) => struck(stage, &observed).or(there),
    };
    let done = observed.done_to(struck)?;
    let from = start.at();
    Ok(done
        .with("from", json!({ "x": from.x, "y": from.y }))
        .with("to", json!({ "x": to.x, "y": to.y }))
        .with("onto", end.told())
        .with("by", if by_events { "drag_events" } else { "pointer" }))
}

/// Where a drag begins or ends.
enum Place {
    Element(Box<Aim>),
    Point(Point),
}

impl Place {
    fn at(&self) -> Point {
        match self {
            Self::Element(aimed) => aimed.at,
            Self::Point(point) => *point,
        }
    }

    /// The frame that it is in; on a page without frames it is the page itself.
    async fn frame(&self, stage: Stage<'_>) -> Option<Frame> {
        match self {
            Self::Element(aimed) => Some(aimed.known.frame.clone()),
            Self::Point(_) if stage.page.frames().len() < 2 => None,
            Self::Point(at) => sight::under(stage.page, *at).await.map(|(frame, _)| frame),
        }
    }

    /// The listed element that is taken hold of.
    fn known(&self, stage: Stage<'_>, there: Option<&Struck>) -> Option<Known> {
        match self {
            Self::Element(aimed) => Some(aimed.known.clone()),
            Self::Point(_) => sight::resolve(stage.page, there?.index?).ok(),
        }
    }

    async fn now(&self) -> Option<Point> {
        match self {
            Self::Element(aimed) => aimed.now().await,
            Self::Point(point) => Some(*point),
        }
    }

    /// Where it is dropped: a little past the middle of an element, where boards ask on which half.
    fn drop_at(&self, at: Point) -> Point {
        match self {
            Self::Element(_) => Point::new(at.x + PAST_MIDDLE, at.y + PAST_MIDDLE),
            Self::Point(_) => at,
        }
    }

    fn struck(&self) -> Option<&Struck> {
        match self {
            Self::Element(aimed) => Some(&aimed.struck),
            Self::Point(_) => None,
        }
    }

    fn told(&self) -> Value {
        let struck = self.struck();
        struck.map_or(
            Value::Null,
            |struck| json!({ "index": struck.index, "role": struck.role, "name": struck.name }),
        )
    }

    fn has_scrolled(&self) -> bool {
        matches!(self, Self::Element(aimed) if aimed.scrolled)
    }
}

/// Both ends, on show at the same time; the start guarded.
async fn places(stage: Stage<'_>, params: &Drag) -> Result<(Place, Place), ActionError> {
    let end = place(stage, params.to, For::End).await?;
    let start = place(stage, params.from, For::Press).await?;
    if !start.has_scrolled() {
        return Ok((start, end));
    }
    // To show the start something was scrolled, perhaps the end out of sight.
    let end = match &end {
        Place::Point(point) => Place::Point(*point),
        Place::Element(_) => place(stage, params.to, For::End).await?,
    };
    if !end.has_scrolled() {
        return Ok((start, end));
    }
    let Place::Element(aimed) = &start else {
        return Ok((start, end));
    };
    let start = place(stage, Target::Index(aimed.known.index), For::Press).await?;
    if !start.has_scrolled() {
        return Ok((start, end));
    }
    Err(ActionError::new(
        ActionErrorKind::ElementNotVisible,
        "The two ends of the drag cannot be seen at the same time. Drag to something nearer first, \
         or use the page's own way to move it, such as a menu.",
    ))
}

async fn place(stage: Stage<'_>, target: Target, why: For) -> Result<Place, ActionError> {
    match target {
        Target::Index(index) => Ok(Place::Element(Box::new(aim(stage, index, why).await?))),
        Target::Point(point) => Ok(Place::Point(inside(stage, point)?)),
    }
}
