//! The shapes as vector paths, in units of the cursor's height: y grows downwards and 0, 0 is the
//! hot spot.

use tiny_skia::{Path, PathBuilder, Rect, Transform};

use super::config::Shape;
use crate::model::command::Direction;

/// The width of the outline, in cursor heights: 1.75 px at the default size.
pub(super) const OUTLINE: f32 = 0.0625;

/// A shape: parts that are filled as one, and hair lines in the colour of the outline.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) parts: Vec<Path>,
    pub(super) lines: Vec<Path>,
}

/// The figure of a pointer.
pub(super) fn pointer(shape: Shape) -> Figure {
    match shape {
        Shape::Arrow => arrow(),
        Shape::Hand => hand(),
        Shape::Dot => Figure {
            parts: PathBuilder::from_circle(0.0, 0.0, 0.32)
                .into_iter()
                .collect(),
            lines: Vec::new(),
        },
        Shape::Beam => beam(),
    }
}

/// A stem with a serif at either end.
fn beam() -> Figure {
    const HALF: f32 = 0.4;
    const STEM: f32 = 0.08;
    const SERIF: f32 = 0.3;
    let serif = |y: f32| capsule(-SERIF / 2.0, y - STEM / 2.0, SERIF, STEM, STEM / 2.0);
    let stem = capsule(-STEM / 2.0, -HALF, STEM, 2.0 * HALF, STEM / 2.0);
    Figure {
        parts: [stem, serif(-HALF), serif(HALF)]
            .into_iter()
            .flatten()
            .collect(),
        lines: Vec::new(),
    }
}

/// An arrow with a tail, all corners but the tip rounded off.
fn arrow() -> Figure {
    /// x, y and radius of the corners, in twenty-firsts of the height.
    const CORNERS: [(f32, f32, f32); 7] = [
        (0.0, 0.0, 0.35),
        (0.0, 17.0, 0.7),
        (4.05, 13.35, 0.25),
        (6.65, 19.5, 0.75),
        (9.75, 18.2, 0.75),
        (7.2, 12.2, 0.25),
        (12.3, 12.2, 0.7),
    ];
    Figure {
        parts: polygon(&CORNERS.map(|(x, y, radius)| (x / 21.0, y / 21.0, radius / 21.0)))
            .into_iter()
            .collect(),
        lines: Vec::new(),
    }
}

/// A hand whose index finger points; the hot spot is just under the fingertip.
fn hand() -> Figure {
    /// One twenty-fourth of the height, in which the hand is measured.
    const UNIT: f32 = 1.0 / 24.0;
    let place = Transform::from_scale(UNIT, UNIT).pre_translate(-7.6, -0.6);
    let parts = [
        // index, middle, ring, little finger
        capsule(5.5, 0.0, 4.2, 15.0, 2.1),
        capsule(9.4, 7.2, 4.0, 10.0, 2.0),
        capsule(13.1, 8.0, 3.9, 10.0, 1.95),
        capsule(16.7, 9.3, 3.5, 9.0, 1.75),
        palm(),
    ];
    let lines = [9.55_f32, 13.25, 16.85]
        .iter()
        .filter_map(|x| line(&[(*x, 11.6), (*x, 15.6)]));
    Figure {
        parts: parts
            .into_iter()
            .flatten()
            .filter_map(|path| path.transform(place))
            .collect(),
        lines: lines.filter_map(|path| path.transform(place)).collect(),
    }
}

/// The palm with the thumb.
fn palm() -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(5.5, 11.0);
    path.line_to(20.2, 11.2);
    path.line_to(20.2, 15.4);
    path.cubic_to(20.2, 19.6, 18.0, 23.0, 14.6, 23.0);
    path.line_to(11.4, 23.0);
    path.cubic_to(8.6, 23.0, 7.2, 22.0, 5.6, 19.6);
    path.line_to(1.3, 13.8);
    path.cubic_to(0.4, 12.4, 0.7, 11.2, 1.7, 10.6);
    path.cubic_to(2.7, 10.0, 4.0, 10.4, 4.8, 11.4);
    path.line_to(5.5, 12.4);
    path.close();
    path.finish()
}

/// A rectangle whose corners have the radius `radius`.
pub(super) fn capsule(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Option<Path> {
    Rect::from_xywh(x, y, width, height)?;
    polygon(&[
        (x, y, radius),
        (x + width, y, radius),
        (x + width, y + height, radius),
        (x, y + height, radius),
    ])
}

/// A chevron round 0, 0 that points in `direction`, `half` its half width.
pub(super) fn chevron(direction: Direction, half: f32) -> Option<Path> {
    let unit = direction.unit();
    let (ux, uy) = (unit.x as f32, unit.y as f32);
    let depth = half * 0.5;
    // From the apex back along the direction, and to either side across it.
    let corner = |side: f32| {
        (
            -ux * depth + uy * half * side,
            -uy * depth + ux * half * side,
        )
    };
    line(&[corner(-1.0), (ux * depth, uy * depth), corner(1.0)])
}

fn line(points: &[(f32, f32)]) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first.0, first.1);
    for (x, y) in rest {
        path.line_to(*x, *y);
    }
    path.finish()
}

/// A closed polygon of `(x, y, radius)` corners, each rounded by the arc that touches both sides.
fn polygon(corners: &[(f32, f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let count = corners.len();
    for (i, &(x, y, radius)) in corners.iter().enumerate() {
        let before = toward((x, y), corners[(i + count - 1) % count]);
        let after = toward((x, y), corners[(i + 1) % count]);
        let cosine = (before.0 * after.0 + before.1 * after.1).clamp(-1.0, 1.0);
        let half_angle = cosine.acos() / 2.0;
        let reach = radius / half_angle.tan();
        // The control points of a cubic that follows an arc of this turn.
        let turn = std::f32::consts::PI - 2.0 * half_angle;
        let handle = reach - 4.0 / 3.0 * (turn / 4.0).tan() * radius;
        let on = |side: (f32, f32), distance: f32| (x + side.0 * distance, y + side.1 * distance);
        let (start, end) = (on(before, reach), on(after, reach));
        let (pull, push) = (on(before, handle), on(after, handle));
        if i == 0 {
            path.move_to(start.0, start.1);
        } else {
            path.line_to(start.0, start.1);
        }
        path.cubic_to(pull.0, pull.1, push.0, push.1, end.0, end.1);
    }
    path.close();
    path.finish()
}

/// The unit vector from `from` to a corner.
fn toward(from: (f32, f32), to: (f32, f32, f32)) -> (f32, f32) {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let length = x.hypot(y).max(f32::EPSILON);
    (x / length, y / length)
}
