//! What the pointer does.

use serde::Deserialize;

use super::parse::{invalid, missing};
use super::{ActionError, ActionErrorKind};
use crate::model::geometry::Point;

/// Pixels scrolled when the caller names no amount, CSS px.
pub const SCROLL_AMOUNT_DEFAULT: f64 = 500.0;

/// What the pointer goes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// An element of the indexed list.
    Index(u32),
    /// A point of the viewport.
    Point(Point),
}

/// Parameters of `click`.
#[derive(Debug, Clone, PartialEq)]
pub struct Click {
    /// The element or point.
    pub target: Target,
    /// Which button.
    pub button: MouseButton,
    /// 1 for a click, 2 for a double click, 3 for a triple click.
    pub count: u8,
}

/// A mouse button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MouseButton {
    /// The primary button.
    #[default]
    Left,
    /// The wheel.
    Middle,
    /// The context-menu button.
    Right,
}

impl MouseButton {
    /// Its bit among those that are held, as UI Events has it.
    pub const fn bit(self) -> u8 {
        match self {
            Self::Left => 1,
            Self::Right => 2,
            Self::Middle => 4,
        }
    }
}

/// Parameters of `scroll`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scroll {
    /// Which way the view moves.
    pub direction: Direction,
    /// How far, CSS px.
    #[serde(default = "scroll_amount_default")]
    pub amount: f64,
    /// An element inside the scroller that shall move; without it, the page.
    pub index: Option<u32>,
}

fn scroll_amount_default() -> f64 {
    SCROLL_AMOUNT_DEFAULT
}

/// Which way the view moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the start of the page.
    Up,
    /// Towards its end.
    Down,
    /// Towards the left edge.
    Left,
    /// Towards the right edge.
    Right,
}

impl Direction {
    /// The unit step of the scroll offset in this direction.
    pub const fn unit(self) -> Point {
        match self {
            Self::Up => Point::new(0.0, -1.0),
            Self::Down => Point::new(0.0, 1.0),
            Self::Left => Point::new(-1.0, 0.0),
            Self::Right => Point::new(1.0, 0.0),
        }
    }
}

/// The parameters of `click` as they arrive. `coordinate_x` and `coordinate_y` are documented
/// aliases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClickParams {
    index: Option<u32>,
    #[serde(alias = "coordinate_x")]
    x: Option<f64>,
    #[serde(alias = "coordinate_y")]
    y: Option<f64>,
    #[serde(default)]
    button: MouseButton,
    count: Option<u8>,
}

/// The parameters of `hover`, and each end of a `drag`, as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceParams {
    index: Option<u32>,
    #[serde(alias = "coordinate_x")]
    x: Option<f64>,
    #[serde(alias = "coordinate_y")]
    y: Option<f64>,
}

/// Parameters of `drag`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drag {
    /// Where the button goes down.
    pub from: Target,
    /// Where it goes up.
    pub to: Target,
}

/// The parameters of `drag` as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DragParams {
    from: PlaceParams,
    to: PlaceParams,
}

impl Target {
    /// Whether it is an element of the list.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::Index(_))
    }

    pub(super) fn hover(params: PlaceParams) -> Result<Self, ActionError> {
        params.target("A hover")
    }

    fn of(
        what: &str,
        index: Option<u32>,
        x: Option<f64>,
        y: Option<f64>,
    ) -> Result<Self, ActionError> {
        let target = match (index, x, y) {
            (Some(index), None, None) => Self::Index(index),
            (None, Some(x), Some(y)) => Self::Point(Point::new(x, y)),
            (None, Some(_), None) => return Err(missing("y")),
            (None, None, Some(_)) => return Err(missing("x")),
            (Some(_), _, _) => {
                return Err(invalid("index", "give either index, or x and y, not both"));
            }
            (None, None, None) => {
                return Err(ActionError::new(
                    ActionErrorKind::MissingParameter,
                    format!(
                        "{what} needs \"index\", or \"x\" and \"y\". Send one of them in params."
                    ),
                ));
            }
        };
        if let Self::Point(point) = target
            && !(point.x.is_finite() && point.y.is_finite() && point.x >= 0.0 && point.y >= 0.0)
        {
            return Err(invalid(
                "x",
                "a point inside the viewport has x and y of 0 or more",
            ));
        }
        Ok(target)
    }
}

impl PlaceParams {
    fn target(self, what: &str) -> Result<Target, ActionError> {
        Target::of(what, self.index, self.x, self.y)
    }
}

impl Drag {
    pub(super) fn checked(params: DragParams) -> Result<Self, ActionError> {
        Ok(Self {
            from: params.from.target("The \"from\" of a drag")?,
            to: params.to.target("The \"to\" of a drag")?,
        })
    }
}

impl Click {
    pub(super) fn checked(params: ClickParams) -> Result<Self, ActionError> {
        let target = Target::of("A click", params.index, params.x, params.y)?;
        let count = params.count.unwrap_or(1);
        if !(1..=3).contains(&count) {
            return Err(invalid("count", "it must be 1, 2 or 3"));
        }
        Ok(Self {
            target,
            button: params.button,
            count,
        })
    }
}

impl Scroll {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        if !(self.amount.is_finite() && self.amount > 0.0 && self.amount <= 100_000.0) {
            return Err(invalid(
                "amount",
                "it must be more than 0 and at most 100000 CSS px",
            ));
        }
        Ok(self)
    }
}
