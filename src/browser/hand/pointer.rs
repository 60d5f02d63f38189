//! The mouse, as Chromium's own input events.
//!
//! The events of one gesture are sent without waiting for each answer: Chromium keeps their order,
//! and a mouse move is answered only with the next frame.

use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::input::{
    DispatchMouseEventParams, DispatchMouseEventType, MouseButton as CdpButton,
};

use super::super::error::Error;
use super::super::target::Page;
use crate::model::Point;
use crate::model::command::MouseButton;

/// The first moves of a drag: pages take a press that moves less for a click.
const FIRST_MOVES: [f64; 3] = [2.0, 6.0, 12.0];
/// Moves on the way from there to the end, and about how far each goes, CSS px.
const STEPS: (f64, f64) = (12.0, 24.0);
const STEP: f64 = 8.0;
/// How long what is carried rests over its end before it is let go: boards look every 50 ms where the
/// pointer is. It does not move there any more: a move that leads nowhere has no direction, and
/// sortable lists go by that.
const REST: Duration = Duration::from_millis(120);
/// How often a page is told again that something is dragged over it, and how many times at the end: HTML
/// has a browser tell it every 350 ms (± 200 ms) though the pointer rests, and lists look at every
/// second or third only.
const TOLD_AGAIN: (Duration, usize) = (Duration::from_millis(50), 4);

/// Moves the pointer to a point; answered when the page has seen it there.
pub(in crate::browser) async fn hover(page: &Page, at: Point) -> Result<(), Error> {
    send(page, "move the pointer", vec![moved(at, None)]).await
}

/// Moves to a point, and presses and releases a button there, `count` times.
pub(in crate::browser) async fn click(
    page: &Page,
    at: Point,
    button: MouseButton,
    count: u8,
) -> Result<(), Error> {
    let mut gesture = vec![moved(at, None)];
    for clicks in 1..=i64::from(count) {
        gesture.push(pressed(at, button, clicks));
        gesture.push(released(at, button, clicks));
    }
    send(page, "click", gesture).await
}

/// Presses the primary button at a point and keeps it down, moving away a little towards `to`.
pub(in crate::browser) async fn take(page: &Page, at: Point, to: Point) -> Result<(), Error> {
    const OPERATION: &str = "take hold with the pointer";
    let taken = vec![moved(at, None), pressed(at, MouseButton::Left, 1)];
    send(page, OPERATION, taken).await?;
    for point in first_moves(at, to) {
        send(page, OPERATION, vec![moved(point, Some(MouseButton::Left))]).await?;
    }
    Ok(())
}

/// Carries what is held from one point to another, at the pace at which the page draws.
pub(in crate::browser) async fn carry(page: &Page, from: Point, to: Point) -> Result<(), Error> {
    const OPERATION: &str = "drag with the pointer";
    for point in way(from, to) {
        send(page, OPERATION, vec![moved(point, Some(MouseButton::Left))]).await?;
    }
    Ok(())
}

/// Rests for a moment with what is held. What the browser drags for the page is told there again and
/// again.
pub(in crate::browser) async fn rest(page: &Page, at: Point, by_events: bool) -> Result<(), Error> {
    if !by_events {
        tokio::time::sleep(REST).await;
        return Ok(());
    }
    let (pause, times) = TOLD_AGAIN;
    for _ in 0..times {
        tokio::time::sleep(pause).await;
        let again = vec![moved(at, Some(MouseButton::Left))];
        send(page, "drag with the pointer", again).await?;
    }
    Ok(())
}

/// Lets go of what is held.
pub(in crate::browser) async fn drop_at(page: &Page, at: Point) -> Result<(), Error> {
    let drop = vec![released(at, MouseButton::Left, 1)];
    send(page, "let go with the pointer", drop).await
}

/// Lets go of what is held when the one who holds it is given up.
pub(in crate::browser) struct Held<'a>(Option<(&'a Page, Point)>);

impl<'a> Held<'a> {
    /// Something is held, which is to be let go there.
    pub(in crate::browser) const fn new(page: &'a Page, at: Point) -> Self {
        Self(Some((page, at)))
    }

    /// It has been let go.
    pub(in crate::browser) fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((page, at)) = self.0 {
            let release = released(at, MouseButton::Left, 1);
            page.session().tell("let go with the pointer", &release);
        }
    }
}

/// Turns the wheel over a point.
pub(in crate::browser) async fn wheel(page: &Page, at: Point, by: Point) -> Result<(), Error> {
    let mut event = event(DispatchMouseEventType::MouseWheel, at);
    event.delta_x = Some(by.x);
    event.delta_y = Some(by.y);
    send(page, "turn the wheel", vec![event]).await
}

async fn send(
    page: &Page,
    operation: &'static str,
    gesture: Vec<DispatchMouseEventParams>,
) -> Result<(), Error> {
    page.hurry();
    page.session().execute_all(operation, gesture).await
}

fn event(kind: DispatchMouseEventType, at: Point) -> DispatchMouseEventParams {
    DispatchMouseEventParams::new(kind, at.x, at.y)
}

fn moved(at: Point, held: Option<MouseButton>) -> DispatchMouseEventParams {
    let mut params = event(DispatchMouseEventType::MouseMoved, at);
    if let Some(held) = held {
        params.button = Some(name(held));
        params.buttons = Some(held.bit().into());
    }
    params
}

fn pressed(at: Point, button: MouseButton, clicks: i64) -> DispatchMouseEventParams {
    let mut params = event(DispatchMouseEventType::MousePressed, at);
    params.button = Some(name(button));
    params.buttons = Some(button.bit().into());
    params.click_count = Some(clicks);
    params
}

fn released(at: Point, button: MouseButton, clicks: i64) -> DispatchMouseEventParams {
    let mut params = event(DispatchMouseEventType::MouseReleased, at);
    params.button = Some(name(button));
    params.buttons = Some(0);
    params.click_count = Some(clicks);
    params
}

pub(super) const fn name(button: MouseButton) -> CdpButton {
    match button {
        MouseButton::Left => CdpButton::Left,
        MouseButton::Right => CdpButton::Right,
        MouseButton::Middle => CdpButton::Middle,
    }
}

/// Where the first moves of a drag go, in its direction.
fn first_moves(from: Point, to: Point) -> Vec<Point> {
    let length = from.distance(to);
    let towards = |step: f64| match length > step {
        true => between(from, to, step / length),
        // Too near for that: a little aside, so that it is a drag at all.
        false => Point::new(from.x + step, from.y),
    };
    FIRST_MOVES.into_iter().map(towards).collect()
}

/// The points from where the first moves have led to the end: it never goes back on its way, which
/// sortable lists would take for a change of mind.
fn way(from: Point, to: Point) -> Vec<Point> {
    let start = first_moves(from, to).last().copied().unwrap_or(from);
    let count = (start.distance(to) / STEP).ceil().clamp(STEPS.0, STEPS.1);
    let parts = std::iter::successors(Some(1.0), |step| Some(step + 1.0));
    parts
        .take_while(|step| *step <= count)
        .map(|step| between(start, to, step / count))
        .collect()
}

fn between(from: Point, to: Point, part: f64) -> Point {
    Point::new(
        from.x + (to.x - from.x) * part,
        from.y + (to.y - from.y) * part,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_begins_with_moves_that_no_page_takes_for_a_click() {
        let (from, to) = (Point::new(10.0, 10.0), Point::new(110.0, 10.0));
        let moves = first_moves(from, to);
        let far: Vec<f64> = moves.iter().map(|point| point.distance(from)).collect();
        assert_eq!(far, FIRST_MOVES);
        assert!(moves.iter().all(|point| point.x > from.x));
        let short = first_moves(from, Point::new(11.0, 10.0));
        assert!(
            short.iter().all(|point| point.distance(from) > 1.0),
            "{short:?}"
        );
    }

    #[test]
    fn a_drag_ends_at_its_end() {
        let to = Point::new(3.0, 400.0);
        let way = way(Point::new(90.0, 20.0), to);
        assert_eq!(way.last(), Some(&to));
        assert_eq!(way.len(), 24);
    }

    #[test]
    fn a_drag_never_goes_back() {
        let (from, to) = (Point::new(10.0, 10.0), Point::new(70.0, 10.0));
        let far: Vec<f64> = way(from, to).iter().map(|at| at.x).collect();
        assert!(
            far[0] > from.x + FIRST_MOVES[2] && far.is_sorted(),
            "{far:?}"
        );
        assert_eq!(far.len(), 12);
    }

    #[test]
    fn buttons_are_said_to_be_held_while_they_are() {
        let at = Point::new(1.0, 2.0);
        assert_eq!(pressed(at, MouseButton::Middle, 2).buttons, Some(4));
        assert_eq!(released(at, MouseButton::Middle, 2).buttons, Some(0));
        assert_eq!(moved(at, Some(MouseButton::Left)).buttons, Some(1));
        assert_eq!(moved(at, None).buttons, None);
    }
}
