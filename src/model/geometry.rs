//! Sizes and points, with their units.

use serde::{Deserialize, Serialize};

/// A point in CSS px of the page's viewport.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Point {
    /// From the left edge, CSS px.
    pub x: f64,
    /// From the top edge, CSS px.
    pub y: f64,
}

impl Point {
    /// A point at `x`, `y`.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// The straight distance to `other`, CSS px.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// A width and a height; CSS px for a viewport, device px for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Size {
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
}

/// What pages are shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// How large, CSS px.
    pub size: Size,
    /// Whether it is a phone's.
    pub is_mobile: bool,
}

impl Size {
    /// A size of `width` by `height`.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// The smallest even size that holds this one: H.264 4:2:0 wants even sides.
    pub const fn to_even(self) -> Self {
        Self {
            width: self.width.next_multiple_of(2),
            height: self.height.next_multiple_of(2),
        }
    }
}
