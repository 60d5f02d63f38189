//! Where a frame's viewport lies in the page's, and what shows of it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::error::Error;
use super::super::target::{Frame, Page};
use super::look;
use crate::model::{Point, Size};

/// Frames within frames at most.
const DEPTH_MAX: usize = 64;

/// A rectangle, CSS px.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::browser) struct Area {
    /// Left edge.
    pub(in crate::browser) x: f64,
    /// Top edge.
    pub(in crate::browser) y: f64,
    /// Width.
    pub(in crate::browser) width: f64,
    /// Height.
    pub(in crate::browser) height: f64,
}

impl Area {
    /// Its middle.
    pub(in crate::browser) const fn centre(self) -> Point {
        Point::new(self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// What it shares with another; nothing where they only touch.
    pub(in crate::browser) fn meet(self, other: Self) -> Option<Self> {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        let right = (self.x + self.width).min(other.x + other.width);
        let bottom = (self.y + self.height).min(other.y + other.height);
        (right > x && bottom > y).then_some(Self {
            x,
            y,
            width: right - x,
            height: bottom - y,
        })
    }
}

/// Where a frame's viewport lies in the page's, CSS px of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::browser) struct Placement {
    /// Left edge of the frame's content.
    pub(in crate::browser) x: f64,
    /// Top edge of the frame's content.
    pub(in crate::browser) y: f64,
    /// Px of the page to one of the frame, across.
    pub(in crate::browser) scale_x: f64,
    /// Px of the page to one of the frame, down.
    pub(in crate::browser) scale_y: f64,
    /// What shows of it; none when nothing does.
    pub(in crate::browser) clip: Option<Area>,
}

impl Placement {
    /// The page's own.
    pub(in crate::browser) fn of_page(viewport: Size) -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            scale_x: 1.0,
            scale_y: 1.0,
            clip: Some(Area {
                x: 0.0,
                y: 0.0,
                width: f64::from(viewport.width),
                height: f64::from(viewport.height),
            }),
        }
    }

    /// A place in this frame, in px of the page.
    pub(in crate::browser) fn within(self, inner: Self) -> Self {
        let at = self.to_page(Point::new(inner.x, inner.y));
        let clip = inner.clip.map(|clip| self.area_to_page(clip));
        Self {
            x: at.x,
            y: at.y,
            scale_x: self.scale_x * inner.scale_x,
            scale_y: self.scale_y * inner.scale_y,
            clip: clip.zip(self.clip).and_then(|(clip, own)| clip.meet(own)),
        }
    }

    /// A point of the frame's viewport in the page's.
    pub(in crate::browser) fn to_page(self, point: Point) -> Point {
        Point::new(
            self.x + self.scale_x * point.x,
            self.y + self.scale_y * point.y,
        )
    }

    /// A point of the page's viewport in the frame's.
    pub(in crate::browser) fn to_frame(self, point: Point) -> Point {
        let across = if self.scale_x == 0.0 {
            1.0
        } else {
            self.scale_x
        };
        let down = if self.scale_y == 0.0 {
            1.0
        } else {
            self.scale_y
        };
        Point::new((point.x - self.x) / across, (point.y - self.y) / down)
    }

    /// A rectangle of the frame's viewport in the page's.
    pub(in crate::browser) fn area_to_page(self, area: Area) -> Area {
        let at = self.to_page(Point::new(area.x, area.y));
        Area {
            x: at.x,
            y: at.y,
            width: area.width * self.scale_x,
            height: area.height * self.scale_y,
        }
    }

    /// What shows of the frame, in its own px: of no size when nothing does.
    pub(in crate::browser) fn clip_inside(self) -> Area {
        let Some(clip) = self.clip else {
            return Area::default();
        };
        let from = self.to_frame(Point::new(clip.x, clip.y));
        let to = self.to_frame(Point::new(clip.x + clip.width, clip.y + clip.height));
        Area {
            x: from.x,
            y: from.y,
            width: to.x - from.x,
            height: to.y - from.y,
        }
    }
}

impl look::Holder {
    /// Where its frame's content lies in the document around it.
    pub(super) const fn placement(&self) -> Placement {
        Placement {
            x: self.x,
            y: self.y,
            scale_x: self.scale_x,
            scale_y: self.scale_y,
            clip: self.clip,
        }
    }
}

/// Where a frame's viewport lies in the page's, through all that hold it.
pub(in crate::browser) async fn placement(page: &Page, frame: &Frame) -> Result<Placement, Error> {
    let frames = page.frames();
    let mut chain = vec![frame.clone()];
    while let Some(parent) = chain.last().and_then(Frame::parent)
        && chain.len() < DEPTH_MAX
    {
        let around = frames.iter().find(|one| one.id() == parent);
        chain.push(around.ok_or(Error::Replaced)?.clone());
    }
    let mut place = Placement::of_page(page.viewport());
    for pair in chain.windows(2).rev() {
        let [inner, around] = pair else { continue };
        place = step(page, around, place, inner).await?;
    }
    Ok(place)
}

/// Where a frame lies, when the place of the document around it is known.
pub(super) async fn step(
    page: &Page,
    around: &Frame,
    place: Placement,
    inner: &Frame,
) -> Result<Placement, Error> {
    #[derive(Deserialize)]
    struct Measured {
        x: f64,
        y: f64,
        scale_x: f64,
        scale_y: f64,
        clip: Option<Area>,
    }
    let node = look::holder(page, around, inner).await;
    let node = node.ok_or(Error::Replaced)?;
    let args = json!([node, place.clip_inside()]);
    let measured: Option<Measured> = around.call("frameBox", args).await?;
    let measured = measured.ok_or(Error::Replaced)?;
    Ok(place.within(Placement {
        x: measured.x,
        y: measured.y,
        scale_x: measured.scale_x,
        scale_y: measured.scale_y,
        clip: measured.clip,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Placement {
        Placement::of_page(Size::new(1280, 720))
    }

    fn inner(x: f64, y: f64, scale: f64) -> Placement {
        Placement {
            x,
            y,
            scale_x: scale,
            scale_y: scale,
            clip: Some(Area {
                x,
                y,
                width: 300.0,
                height: 200.0,
            }),
        }
    }

    #[test]
    fn points_go_through_frames_and_back() {
        let place = page()
            .within(inner(100.0, 50.0, 2.0))
            .within(inner(10.0, 20.0, 0.5));
        let at = place.to_page(Point::new(4.0, 6.0));
        assert_eq!((at.x, at.y), (124.0, 96.0));
        let back = place.to_frame(at);
        assert_eq!((back.x, back.y), (4.0, 6.0));
    }

    #[test]
    fn a_frame_shows_only_where_those_around_it_do() {
        let place = page().within(inner(1200.0, 600.0, 1.0));
        let clip = place.clip.expect("some of it shows");
        assert_eq!((clip.width, clip.height), (80.0, 120.0));
        assert_eq!(place.clip_inside().width, 80.0);
        let beyond = page().within(inner(1300.0, 0.0, 1.0));
        assert_eq!(beyond.clip, None);
        assert_eq!(beyond.clip_inside(), Area::default());
    }
}
