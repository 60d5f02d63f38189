//! [`Composer`]: draws the cursor's [`Overlay`] onto a [`Picture`] and takes it off again, to the
//! byte.
//!
//! Only the rectangles under the cursor are read and written, and their samples are kept, so that
//! a cursor that moves over a still page costs no decode of that page. Whoever replaces the
//! picture says so: [`Composer::erase`] before writing into part of it, [`Composer::forget`]
//! after writing all of it.

use super::{
    cursor::{
        Look, Mark, Overlay,
        sprite::{Glyph, MARK_STEPS, PRESS_STEPS, RIPPLE_STEPS, Scale, Sheet, Sprite},
    },
    picture::{Picture, Plane},
};
use crate::model::{Point, Size};

/// Full opacity of a stamp.
const OPAQUE: u32 = 256;

/// One premultiplied component at full value and full opacity: the unit of the blend.
const FULL: u32 = 255 * OPAQUE;

/// From the tip of the pointer to the near corner of the mark, in cursor heights; and how far
/// left of the tip the mark ends when there is no room on the right.
const MARK_OFFSET: (f32, f32) = (0.7, 0.58);
const MARK_OFFSET_LEFT: f32 = 0.16;

/// Draws overlays onto one picture, and restores what was under them.
#[derive(Debug, Default)]
pub struct Composer {
    sheet: Sheet,
    /// What is on the picture now, in drawing order.
    stamps: Vec<Stamp>,
    /// What shall be; a field to keep its allocation.
    wanted: Vec<Stamp>,
    /// What the stamps were drawn with.
    drawn: Option<(Look, Scale, Size)>,
    patches: Vec<Patch>,
    /// The samples under all patches, one patch after the other.
    kept: Vec<u8>,
}

/// A sprite at its place, as exactly as the picture can show it: equal stamps, equal pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    glyph: Glyph,
    place: Place,
}

/// Where a sprite is, and how much of it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Top left corner, picture px.
    x: i32,
    y: i32,
    /// Of [`OPAQUE`].
    opacity: u32,
}

/// A rectangle of the picture whose samples are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    area: Area,
    /// Where its samples start in `kept`.
    start: usize,
}

/// A rectangle inside the picture, in samples of one plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Composer {
    /// A composer that has drawn nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `overlay` onto the picture in place of what was drawn before; None takes it off.
    /// Returns whether any sample may have changed: a cursor at rest is not drawn again.
    pub fn draw(&mut self, picture: &mut Picture, overlay: Option<&Overlay>, scale: Scale) -> bool {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.clear();
        if let Some(overlay) = overlay {
            self.plan(&mut wanted, overlay, scale, picture.size());
        }
        let with = overlay.map(|overlay| (overlay.look, scale, picture.size()));
        let same = wanted == self.stamps && (wanted.is_empty() || with == self.drawn);
        if !same {
            self.erase(picture);
            if let Some((look, ..)) = with {
                for stamp in &wanted {
                    self.stamp(picture, &look, scale, *stamp);
                }
            }
            self.drawn = with;
            std::mem::swap(&mut self.stamps, &mut wanted);
        }
        self.wanted = wanted;
        !same
    }

    /// Takes off what was drawn: the picture is as it was before, to the byte.
    pub fn erase(&mut self, picture: &mut Picture) {
        // A picture of another size is another picture, which has nothing of ours on it.
        if self.drawn.is_some_and(|(.., size)| size == picture.size()) {
            // Patches may overlap; the last drawn holds samples of those before it.
            for patch in self.patches.iter().rev() {
                restore(picture, *patch, &self.kept);
            }
        }
        self.forget();
    }

    /// The picture was replaced as a whole: there is nothing to restore.
    pub fn forget(&mut self) {
        self.stamps.clear();
        self.patches.clear();
        self.kept.clear();
        self.drawn = None;
    }

    /// What to stamp for `overlay`, from the bottom to the top.
    fn plan(&mut self, stamps: &mut Vec<Stamp>, overlay: &Overlay, scale: Scale, size: Size) {
        let look = &overlay.look;
        for ripple in overlay.ripples.iter().flatten() {
            let glyph = Glyph::Ripple(steps(ripple.phase, RIPPLE_STEPS));
            let sprite = self.sheet.sprite(look, scale, glyph);
            let (x, y) = pixel(ripple.at, scale);
            let (x, y) = (x - sprite.hot_x, y - sprite.hot_y);
            stamps.push(Stamp::new(glyph, x, y, overlay.opacity));
        }
        let glyph = Glyph::Pointer(steps(overlay.press, PRESS_STEPS));
        let sprite = self.sheet.sprite(look, scale, glyph);
        let (x, y) = pixel(overlay.tip, scale);
        let (left, top) = (x - sprite.hot_x, y - sprite.hot_y);
        stamps.push(Stamp::new(glyph, left, top, overlay.opacity));
        if let Some(mark) = &overlay.mark {
            stamps.push(self.plan_mark(overlay, mark, scale, size));
        }
        stamps.retain(|stamp| stamp.place.opacity > 0);
    }

    /// The mark stands right of the pointer and below its tip, or left of it at the right edge.
    fn plan_mark(&mut self, overlay: &Overlay, mark: &Mark, scale: Scale, size: Size) -> Stamp {
        let step = steps(mark.phase.rem_euclid(1.0), MARK_STEPS) % MARK_STEPS;
        let glyph = Glyph::Mark(mark.kind, step);
        let sprite = self.sheet.sprite(&overlay.look, scale, glyph);
        let (tip_x, tip_y) = pixel(overlay.tip, scale);
        let height = overlay.look.height_px();
        let offset = |heights: f32, scale: f32| (heights * height * scale).round() as i32;
        // The sprite is the pill with the same margin, which is its hot spot, on all sides.
        let (pill_width, pill_height) = (
            sprite.width as i32 - 2 * sprite.hot_x,
            sprite.height as i32 - 2 * sprite.hot_y,
        );
        let right = tip_x + offset(MARK_OFFSET.0, scale.x);
        let x = if right + pill_width <= size.width as i32 {
            right
        } else {
            tip_x - offset(MARK_OFFSET_LEFT, scale.x) - pill_width
        };
        let y = tip_y + offset(MARK_OFFSET.1, scale.y);
        let y = y.min(size.height as i32 - pill_height);
        let opacity = overlay.opacity * mark.opacity;
        Stamp::new(glyph, x - sprite.hot_x, y - sprite.hot_y, opacity)
    }

    fn stamp(&mut self, picture: &mut Picture, look: &Look, scale: Scale, stamp: Stamp) {
        let sprite = self.sheet.sprite(look, scale, stamp.glyph);
        let patch = put(picture, sprite, stamp.place, &mut self.kept);
        self.patches.extend(patch);
    }
}

/// Draws a sprite, and keeps the samples under it; nothing when it is off the picture.
pub(super) fn put(
    picture: &mut Picture,
    sprite: &Sprite,
    place: Place,
    kept: &mut Vec<u8>,
) -> Option<Patch> {
    let area = covered(place, sprite, picture.size())?;
    let start = kept.len();
    keep(picture, area, kept);
    blend_luma(picture, area, sprite, place);
    blend_chroma(picture, area, sprite, place);
    Some(Patch { area, start })
}

impl Place {
    /// All of a sprite, its top left corner there.
    pub(super) fn at(corner: Point, scale: Scale) -> Self {
        let (x, y) = pixel(corner, scale);
        let opacity = OPAQUE;
        Self { x, y, opacity }
    }
}

impl Stamp {
    fn new(glyph: Glyph, x: i32, y: i32, opacity: f32) -> Self {
        let place = Place {
            x,
            y,
            opacity: (opacity.clamp(0.0, 1.0) * OPAQUE as f32).round() as u32,
        };
        Self { glyph, place }
    }
}

impl Area {
    /// The same rectangle on another plane: its sides are even.
    fn on(self, plane: Plane) -> Self {
        match plane {
            Plane::Y => self,
            Plane::U | Plane::V => Self {
                left: self.left / 2,
                top: self.top / 2,
                right: self.right / 2,
                bottom: self.bottom / 2,
            },
        }
    }
}

/// The pixel that holds a point. Far away is far enough: what is off the picture is not drawn.
fn pixel(at: Point, scale: Scale) -> (i32, i32) {
    const FAR: f64 = 1e6;
    let whole = |at: f64, scale: f32| (at * f64::from(scale)).floor().clamp(-FAR, FAR) as i32;
    (whole(at.x, scale.x), whole(at.y, scale.y))
}

fn steps(phase: f32, count: u8) -> u8 {
    (phase.clamp(0.0, 1.0) * f32::from(count)).round() as u8
}

/// The part of the picture under a stamp, its sides moved outwards to even: chroma samples span
/// two pixels each way.
fn covered(place: Place, sprite: &Sprite, size: Size) -> Option<Area> {
    let (left, right) = span(place.x, sprite.width, size.width)?;
    let (top, bottom) = span(place.y, sprite.height, size.height)?;
    Some(Area {
        left,
        top,
        right,
        bottom,
    })
}

fn span(start: i32, length: usize, limit: u32) -> Option<(usize, usize)> {
    let (start, limit) = (i64::from(start), i64::from(limit));
    let end = (start + length as i64).min(limit);
    let start = start.max(0);
    (start < end).then(|| (start as usize & !1, (end as usize).next_multiple_of(2)))
}

const PLANES: [Plane; 3] = [Plane::Y, Plane::U, Plane::V];

fn keep(picture: &Picture, area: Area, kept: &mut Vec<u8>) {
    for plane in PLANES {
        let (area, stride) = (area.on(plane), picture.stride(plane));
        let samples = picture.plane(plane);
        for y in area.top..area.bottom {
            kept.extend_from_slice(&samples[y * stride..][area.left..area.right]);
        }
    }
}

pub(super) fn restore(picture: &mut Picture, patch: Patch, kept: &[u8]) {
    let mut kept = &kept[patch.start..];
    for plane in PLANES {
        let (area, stride) = (patch.area.on(plane), picture.stride(plane));
        let samples = picture.plane_mut(plane);
        for y in area.top..area.bottom {
            let row = &mut samples[y * stride..][area.left..area.right];
            let (first, rest) = kept.split_at(row.len());
            row.copy_from_slice(first);
            kept = rest;
        }
    }
}

/// The pixels of row `y` of the picture that `sprite` has inside `area`, and where they start.
fn sprite_row(sprite: &Sprite, place: Place, area: Area, y: usize) -> (usize, &[u8]) {
    let row = y as i64 - i64::from(place.y);
    if row < 0 || row >= sprite.height as i64 {
        return (area.left, &[]);
    }
    let left = i64::from(place.x).max(area.left as i64);
    let right = (i64::from(place.x) + sprite.width as i64).min(area.right as i64);
    let skip = (left - i64::from(place.x)) as usize;
    let count = (right - left).max(0) as usize;
    let pixels = &sprite.rgba[(row as usize * sprite.width + skip) * 4..][..count * 4];
    (left as usize, pixels)
}

/// Limited-range BT.601 luma of premultiplied full-range components, 16 for the black under them
/// being the alpha's part. The factors are 65536ths.
fn blend_luma(picture: &mut Picture, area: Area, sprite: &Sprite, place: Place) {
    let stride = picture.stride(Plane::Y);
    let samples = picture.plane_mut(Plane::Y);
    for y in area.top..area.bottom {
        let (left, pixels) = sprite_row(sprite, place, area, y);
        let row = &mut samples[y * stride + left..];
        for (sample, pixel) in row.iter_mut().zip(pixels.chunks_exact(4)) {
            let [red, green, blue, alpha] = [pixel[0], pixel[1], pixel[2], pixel[3]]
                .map(|part| u32::from(part) * place.opacity);
            if alpha == 0 {
                continue;
            }
            let luma = (16_829 * red + 33_039 * green + 6_416 * blue) >> 16;
            let under = u32::from(*sample) * (FULL - alpha);
            *sample = ((under + 16 * alpha + 255 * luma + FULL / 2) / FULL) as u8;
        }
    }
}

/// The same for both chroma planes: the mean of four premultiplied pixels over the mean of what
/// they let through.
fn blend_chroma(picture: &mut Picture, area: Area, sprite: &Sprite, place: Place) {
    const FULL_SUM: i64 = 4 * FULL as i64;
    let stride = picture.stride(Plane::U);
    let [_, u, v] = picture.planes_mut();
    let half = area.on(Plane::U);
    for y in half.top..half.bottom {
        let rows = [2 * y, 2 * y + 1].map(|y| sprite_row(sprite, place, area, y));
        for x in half.left..half.right {
            let [red, green, blue, alpha] = sum(&rows, 2 * x).map(|s| i64::from(s * place.opacity));
            if alpha == 0 {
                continue;
            }
            let blend = |sample: &mut u8, chroma: i64| {
                let under = i64::from(*sample) * (FULL_SUM - alpha);
                let over = 128 * alpha + 255 * (chroma >> 16);
                *sample = ((under + over + FULL_SUM / 2) / FULL_SUM).clamp(0, 255) as u8;
            };
            let at = y * stride + x;
            blend(&mut u[at], -9_714 * red - 19_070 * green + 28_784 * blue);
            blend(&mut v[at], 28_784 * red - 24_103 * green - 4_681 * blue);
        }
    }
}

/// The sums of the components of up to four pixels: columns `x` and `x + 1` of two rows.
fn sum(rows: &[(usize, &[u8]); 2], x: usize) -> [u32; 4] {
    let mut sums = [0; 4];
    for (left, pixels) in rows {
        for x in [x, x + 1] {
            let pixel = x
                .checked_sub(*left)
                .and_then(|x| pixels.get(4 * x..4 * x + 4));
            if let Some(pixel) = pixel {
                for (sum, part) in sums.iter_mut().zip(pixel) {
                    *sum += u32::from(*part);
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        media::cursor::{Color, Config, Cue, Cursor, MarkKind, Ripple, Shape},
        model::command::Direction,
    };

    fn overlay(x: f64, y: f64) -> Overlay {
        Overlay {
            look: Config::default().look(),
            tip: Point::new(x, y),
            opacity: 1.0,
            press: 0.0,
            ripples: Default::default(),
            mark: None,
        }
    }

    /// Every sample another one than its neighbours, so that a misplaced one shows.
    fn noise(size: Size) -> Picture {
        let mut picture = Picture::new(size);
        let mut state = 0x2545_f491_u32;
        for sample in picture.data_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 24) as u8;
        }
        picture
    }

    fn luma(picture: &Picture, x: usize, y: usize) -> u8 {
        picture.plane(Plane::Y)[y * picture.stride(Plane::Y) + x]
    }

    /// Full-range RGB of a pixel, by limited-range BT.601.
    fn rgb(picture: &Picture, x: usize, y: usize) -> [f64; 3] {
        let chroma = |plane| {
            let sample = picture.plane(plane)[y / 2 * picture.stride(plane) + x / 2];
            (f64::from(sample) - 128.0) / 224.0
        };
        let y = (f64::from(luma(picture, x, y)) - 16.0) / 219.0;
        let (u, v) = (chroma(Plane::U), chroma(Plane::V));
        [
            y + 1.402 * v,
            y - (0.202_008 * u + 0.419_198 * v) / 0.587,
            y + 1.772 * u,
        ]
        .map(|part| part * 255.0)
    }

    fn any_overlay() -> impl Strategy<Value = Overlay> {
        let point = || (-60.0..260.0, -60.0..200.0).prop_map(|(x, y)| Point::new(x, y));
        let kind = prop_oneof![
            Just(MarkKind::Typing),
            Just(MarkKind::Scrolling(Direction::Up)),
            Just(MarkKind::Scrolling(Direction::Right)),
        ];
        let mark = (kind, 0_f32..1.0, 0_f32..1.0).prop_map(|(kind, phase, opacity)| Mark {
            kind,
            phase,
            opacity,
        });
        let ripple = (point(), 0_f32..1.0).prop_map(|(at, phase)| Ripple { at, phase });
        (
            (point(), 0_f32..=1.0, 0_f32..=1.0),
            prop::array::uniform4(prop::option::of(ripple)),
            prop::option::of(mark),
        )
            .prop_map(|((tip, opacity, press), ripples, mark)| Overlay {
                tip,
                opacity,
                press,
                ripples,
                mark,
                ..overlay(0.0, 0.0)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// However the cursor is drawn, over itself and off the edges, it comes off to the byte,
        /// and nothing outside its patches is touched.
        #[test]
        fn what_is_drawn_comes_off(
            (width, height) in (1_u32..240, 1_u32..180),
            scale in (0.4_f32..2.5, 0.4_f32..2.5),
            overlays in prop::collection::vec(any_overlay(), 1..4),
        ) {
            let mut picture = noise(Size::new(width, height));
            let base = picture.clone();
            let scale = Scale::new(scale.0, scale.1);
            let mut composer = Composer::new();
            for overlay in &overlays {
                composer.draw(&mut picture, Some(overlay), scale);
                prop_assert!(!composer.draw(&mut picture, Some(overlay), scale));
                let mut outside = picture.clone();
                for patch in composer.patches.iter().rev() {
                    restore(&mut outside, *patch, &composer.kept);
                }
                prop_assert_eq!(&outside, &base);
            }
            composer.draw(&mut picture, None, scale);
            prop_assert_eq!(&picture, &base);
            composer.draw(&mut picture, overlays.first(), scale);
            composer.erase(&mut picture);
            prop_assert_eq!(&picture, &base);
        }
    }

    #[test]
    fn an_opaque_colour_decodes_as_it_was_asked_for() {
        for text in [
            "#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#16181d", "#3b82f6", "#c0ffee",
        ] {
            let color: Color = text.parse().expect("a colour");
            let mut dot = overlay(32.0, 32.0);
            dot.look.shape = Shape::Dot;
            dot.look.color = color;
            let mut picture = noise(Size::new(64, 64));
            assert!(Composer::new().draw(&mut picture, Some(&dot), Scale::uniform(1.0)));
            let wanted = [color.red, color.green, color.blue].map(f64::from);
            for (got, wanted) in rgb(&picture, 32, 32).iter().zip(wanted) {
                assert!(
                    (got - wanted).abs() <= 2.0,
                    "{text}: {:?}",
                    rgb(&picture, 32, 32)
                );
            }
        }
    }

    #[test]
    fn on_arrival_the_tip_is_on_the_target() {
        let start = Instant::now();
        for (scale, shape) in [0.75, 1.0, 1.5, 2.0, 3.0]
            .into_iter()
            .flat_map(|scale| [Shape::Arrow, Shape::Hand, Shape::Dot].map(|shape| (scale, shape)))
        {
            let mut cursor = Cursor::new(Config {
                shape,
                ..Config::default()
            });
            let at = Point::new(61.5, 47.0);
            let arrival = cursor.cue(start, Cue::MoveTo { at });
            let mut picture = Picture::new(Size::new(400, 300));
            picture.plane_mut(Plane::Y).fill(128);
            let frame = cursor.frame(arrival + Duration::from_millis(120));
            Composer::new().draw(&mut picture, frame.as_ref(), Scale::uniform(scale));
            let (x, y) = pixel(at, Scale::uniform(scale));
            let (x, y) = (x as usize, y as usize);
            let tip = luma(&picture, x, y);
            assert!(tip.abs_diff(128) > 8, "{shape:?} at {scale}: {tip}");
            if shape == Shape::Arrow {
                // Nothing but outline and shadow is above or left of the tip.
                let reach = (4.0 * scale).ceil() as usize;
                assert!(luma(&picture, x - reach, y).abs_diff(128) < 24, "{scale}");
                assert!(luma(&picture, x, y - reach).abs_diff(128) < 24, "{scale}");
                let inside = (3.0 * scale) as usize;
                assert!(
                    luma(&picture, x + inside / 3, y + 2 * inside) < 45,
                    "{scale}"
                );
            }
        }
    }

    #[test]
    fn a_change_is_reported_once() {
        let scale = Scale::uniform(1.0);
        let mut picture = noise(Size::new(128, 96));
        let base = picture.clone();
        let mut composer = Composer::new();
        assert!(!composer.draw(&mut picture, None, scale));
        assert!(composer.draw(&mut picture, Some(&overlay(20.0, 20.0)), scale));
        assert!(!composer.draw(&mut picture, Some(&overlay(20.4, 20.2)), scale));
        assert!(composer.draw(&mut picture, Some(&overlay(21.0, 20.0)), scale));
        let mut red = overlay(21.0, 20.0);
        red.look.color = Color::rgb(255, 0, 0);
        assert!(composer.draw(&mut picture, Some(&red), scale));
        assert!(composer.draw(&mut picture, Some(&red), Scale::uniform(1.01)));
        assert!(composer.draw(&mut picture, None, scale));
        assert_eq!(picture, base);
        assert!(!composer.draw(&mut picture, None, scale));
    }

    #[test]
    fn a_replaced_picture_is_not_restored_into() {
        let scale = Scale::uniform(1.0);
        let mut composer = Composer::new();
        let mut picture = noise(Size::new(128, 96));
        composer.draw(&mut picture, Some(&overlay(20.0, 20.0)), scale);
        let drawn = picture.clone();
        let fresh = Picture::new(Size::new(128, 96));
        picture.clone_from(&fresh);
        composer.forget();
        assert!(composer.draw(&mut picture, Some(&overlay(20.0, 20.0)), scale));
        assert_ne!(picture, drawn);
        composer.erase(&mut picture);
        assert_eq!(picture, fresh);
        composer.draw(&mut picture, Some(&overlay(20.0, 20.0)), scale);
        let mut other = noise(Size::new(64, 64));
        let base = other.clone();
        composer.draw(&mut other, None, scale);
        assert_eq!(other, base);
    }

    #[test]
    fn a_steady_cursor_allocates_nothing_new() {
        let scale = Scale::uniform(1.0);
        let mut picture = noise(Size::new(640, 360));
        let mut composer = Composer::new();
        let mut lap = |composer: &mut Composer| {
            for step in 0..=RIPPLE_STEPS {
                let mut overlay = overlay(100.0 + f64::from(step), 100.0);
                overlay.press = f32::from(step) / f32::from(RIPPLE_STEPS);
                overlay.ripples[0] = Some(Ripple {
                    at: Point::new(100.0, 100.0),
                    phase: overlay.press,
                });
                composer.draw(&mut picture, Some(&overlay), scale);
            }
        };
        lap(&mut composer);
        lap(&mut composer);
        let sizes = |c: &Composer| (c.kept.capacity(), c.stamps.capacity(), c.wanted.capacity());
        let before = sizes(&composer);
        lap(&mut composer);
        assert_eq!(sizes(&composer), before);
    }

    #[test]
    fn the_mark_stays_on_the_picture() {
        let size = Size::new(320, 200);
        let mark = Mark {
            kind: MarkKind::Typing,
            phase: 0.3,
            opacity: 1.0,
        };
        for (x, y) in [(5.0, 5.0), (315.0, 5.0), (318.0, 198.0), (160.0, 199.0)] {
            let mut composer = Composer::new();
            let overlay = overlay(x, y);
            let scale = Scale::uniform(1.0);
            let stamp = composer.plan_mark(&overlay, &mark, scale, size);
            let sprite = composer.sheet.sprite(&overlay.look, scale, stamp.glyph);
            let right = stamp.place.x + sprite.width as i32 - sprite.hot_x;
            let bottom = stamp.place.y + sprite.height as i32 - sprite.hot_y;
            assert!(right <= 320 && bottom <= 200, "{x} {y}: {right} {bottom}");
            assert!(stamp.place.x + sprite.hot_x >= 0 && stamp.place.y + sprite.hot_y >= 0);
        }
    }
}
