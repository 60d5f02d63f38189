//! [`Overlay`]: what is to be seen of the cursor at one instant, as `media::compose` draws it.

use super::config::Look;
use crate::model::{Point, command::Direction};

/// Clicks whose ripples are seen at once. A fifth within half a second replaces the oldest.
pub const RIPPLES_MAX: usize = 4;

/// All there is to draw at one instant. Opacities and phases run from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlay {
    /// Shape, size and colours.
    pub look: Look,
    /// What the pointer points at, CSS px.
    pub tip: Point,
    /// Of everything: 1 unless the cursor is coming or going.
    pub opacity: f32,
    /// How far the pointer is pushed in by a click.
    pub press: f32,
    /// The ripples of the last clicks.
    pub ripples: [Option<Ripple>; RIPPLES_MAX],
    /// What stands beside the pointer.
    pub mark: Option<Mark>,
}

/// The ring that spreads from a click.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ripple {
    /// Where the click was, CSS px.
    pub at: Point,
    /// How far it has spread.
    pub phase: f32,
}

/// The mark beside the pointer while something goes on there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// What goes on.
    pub kind: MarkKind,
    /// Where its loop is; 1 is 0 again.
    pub phase: f32,
    /// 1 unless the mark is coming or going.
    pub opacity: f32,
}

/// What a mark tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// Keys are typed.
    Typing,
    /// The view moves this way.
    Scrolling(Direction),
}
