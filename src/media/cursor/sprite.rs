//! [`Sheet`]: the pictures of the cursor, drawn as vectors at the scale they are shown at and
//! kept for as long as that scale and the look stay the same.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, Pixmap, PixmapPaint, PremultipliedColorU8, Stroke,
    Transform,
};

use super::{
    config::{Color, Look},
    overlay::MarkKind,
    vector,
};
use crate::model::Size;

/// Steps of a press: enough that the pointer is pushed in without a visible jump.
pub const PRESS_STEPS: u8 = 4;

/// Steps of a mark's loop: dots and chevrons that small look smooth at 16 pictures a loop, and each
/// step not drawn is a picture not encoded.
pub const MARK_STEPS: u8 = 16;

/// Steps of a ripple: finer than 60 frames a second.
pub const RIPPLE_STEPS: u8 = 64;

/// The picture pixels of one CSS px that sprites are drawn for; bounds their memory.
const SCALE_RANGE: std::ops::RangeInclusive<f32> = 0.1..=8.0;

/// How much smaller a pointer is when pushed in.
const PRESS_SHRINK: f32 = 0.16;

/// The shadow, in cursor heights: how far below, how soft, how dark.
const SHADOW_DROP: f32 = 0.055;
const SHADOW_BLUR: f32 = 0.075;
const SHADOW_ALPHA: f32 = 0.42;

/// Radius of a ripple when it starts and when it is over, and the width of its ring, in cursor
/// heights.
const RIPPLE_RADIUS: (f32, f32) = (0.18, 0.92);
const RIPPLE_RING: f32 = 0.085;

/// Picture px per CSS px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Across.
    pub(crate) x: f32,
    /// Down.
    pub(crate) y: f32,
}

impl Scale {
    /// A scale for each way, kept within what sprites are drawn for.
    pub fn new(x: f32, y: f32) -> Self {
        // A viewport without a side has no scale; 1 draws something sane.
        let bound = |scale: f32| match scale.is_finite() {
            true => scale.clamp(*SCALE_RANGE.start(), *SCALE_RANGE.end()),
            false => 1.0,
        };
        Self {
            x: bound(x),
            y: bound(y),
        }
    }

    /// The same scale both ways.
    pub fn uniform(scale: f32) -> Self {
        Self::new(scale, scale)
    }

    /// The scale of a picture of `picture` px that shows a viewport of `viewport` CSS px.
    pub fn between(viewport: Size, picture: Size) -> Self {
        Self::new(
            picture.width as f32 / viewport.width as f32,
            picture.height as f32 / viewport.height as f32,
        )
    }

    fn transform(self, size_px: f32) -> Transform {
        Transform::from_scale(self.x * size_px, self.y * size_px)
    }
}

/// One picture of the cursor, as finely as pictures are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// The pointer, pushed in by this many of [`PRESS_STEPS`].
    Pointer(u8),
    /// A mark at this one of [`MARK_STEPS`].
    Mark(MarkKind, u8),
    /// A ripple at this one of [`RIPPLE_STEPS`].
    Ripple(u8),
}

/// Premultiplied RGBA.
#[derive(Debug, Clone, Default)]
pub struct Sprite {
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
    /// From the left edge to the hot spot, px.
    pub hot_x: i32,
    /// From the top edge to the hot spot, px.
    pub hot_y: i32,
    /// Rows of four bytes per pixel, without padding.
    pub rgba: Vec<u8>,
}

/// The sprites of one look at one scale.
#[derive(Debug, Default)]
pub struct Sheet {
    key: Option<(Look, Scale)>,
    /// A few dozen at the most, which are found faster by looking at each than by hashing.
    sprites: Vec<(Glyph, Sprite)>,
    /// A ripple is never the same twice in a row, so that it is painted anew instead of kept:
    /// that is cheaper than the memory of all its steps.
    ripple: Sprite,
}

impl Sheet {
    /// The picture of `glyph`, drawn now if it is the first of its kind. Another look or scale
    /// than the last time drops all sprites.
    pub fn sprite(&mut self, look: &Look, scale: Scale, glyph: Glyph) -> &Sprite {
        if self.key != Some((*look, scale)) {
            self.sprites.clear();
            self.key = Some((*look, scale));
        }
        if let Glyph::Ripple(step) = glyph {
            let phase = f32::from(step) / f32::from(RIPPLE_STEPS);
            paint_ripple(&mut self.ripple, look, scale, phase);
            return &self.ripple;
        }
        let index = self.sprites.iter().position(|(kept, _)| *kept == glyph);
        let index = index.unwrap_or_else(|| {
            let sprite = draw(look, scale, glyph).unwrap_or_default();
            self.sprites.push((glyph, sprite));
            self.sprites.len() - 1
        });
        &self.sprites[index].1
    }
}

/// None when the sprite has no area, which is nothing to draw.
fn draw(look: &Look, scale: Scale, glyph: Glyph) -> Option<Sprite> {
    let size_px = look.height_px();
    match glyph {
        Glyph::Pointer(step) => draw_pointer(look, scale.transform(size_px), step),
        Glyph::Mark(kind, step) => {
            let phase = f32::from(step) / f32::from(MARK_STEPS);
            draw_mark(look, scale.transform(size_px), kind, phase)
        }
        Glyph::Ripple(_) => None,
    }
}

fn draw_pointer(look: &Look, place: Transform, step: u8) -> Option<Sprite> {
    let shrink = 1.0 - PRESS_SHRINK * f32::from(step) / f32::from(PRESS_STEPS);
    let place = place.pre_scale(shrink, shrink);
    let figure = vector::pointer(look.shape);
    let mut canvas = Canvas::around(&figure.parts, place)?;
    for part in &figure.parts {
        canvas.stroke(part, look.outline, 2.0 * vector::OUTLINE, 1.0);
    }
    for part in &figure.parts {
        canvas.fill(part, look.color, 1.0);
    }
    for line in &figure.lines {
        canvas.stroke(line, look.outline, vector::OUTLINE * 0.6, 0.85);
    }
    canvas.finish()
}

/// A pill beside the pointer, its top left corner at the hot spot.
fn draw_mark(look: &Look, place: Transform, kind: MarkKind, phase: f32) -> Option<Sprite> {
    /// Short and long side of a pill and the spacing of what is in it, in cursor heights.
    const SHORT: f32 = 0.52;
    const LONG: f32 = 0.94;
    const SPACING: f32 = 0.235;
    let unit = match kind {
        MarkKind::Typing => (1.0, 0.0),
        MarkKind::Scrolling(direction) => (direction.unit().x as f32, direction.unit().y as f32),
    };
    let lies = unit.0 != 0.0;
    let (width, height) = if lies { (LONG, SHORT) } else { (SHORT, LONG) };
    // Sides of whole pixels, so that all four edges are equally sharp.
    let width = (width * place.sx).round().max(1.0) / place.sx;
    let height = (height * place.sy).round().max(1.0) / place.sy;
    let pill = vector::capsule(0.0, 0.0, width, height, width.min(height) / 2.0)?;
    let mut canvas = Canvas::around(std::slice::from_ref(&pill), place)?;
    canvas.stroke(&pill, look.outline, vector::OUTLINE * 1.5, 1.0);
    canvas.fill(&pill, look.accent, 1.0);
    let centre = |offset: f32| {
        Transform::from_translate(
            width / 2.0 + unit.0 * offset,
            height / 2.0 + unit.1 * offset,
        )
    };
    match kind {
        MarkKind::Typing => {
            let dot = tiny_skia::PathBuilder::from_circle(0.0, 0.0, 0.072)?;
            for i in 0..3_u8 {
                let place = centre((f32::from(i) - 1.0) * SPACING);
                let wave = wave(phase - f32::from(i) * 0.16);
                let place = place.pre_translate(0.0, 0.03 - 0.075 * wave);
                let dot = dot.clone().transform(place)?;
                canvas.fill(&dot, look.outline, 0.6 + 0.4 * wave);
            }
        }
        MarkKind::Scrolling(direction) => {
            let chevron = vector::chevron(direction, 0.125)?;
            for i in 0..3_u8 {
                let offset = f32::from(i) - 1.5 + phase;
                let chevron = chevron.clone().transform(centre(offset * SPACING))?;
                let alpha = (1.45 - offset.abs()).clamp(0.0, 1.0);
                canvas.stroke(&chevron, look.outline, 0.078, alpha);
            }
        }
    }
    canvas.finish()
}

/// One soft hump in the first half of a loop.
fn wave(phase: f32) -> f32 {
    let phase = phase.rem_euclid(1.0);
    if phase < 0.5 {
        (phase * std::f32::consts::TAU).sin()
    } else {
        0.0
    }
}

/// A pixmap that fits what is drawn, with a hot spot on a whole pixel so that edges stay sharp.
#[derive(Debug)]
struct Canvas {
    pixmap: Pixmap,
    place: Transform,
    hot: (i32, i32),
    /// Shadow below and softness, px.
    drop: f32,
    blur: f32,
}

impl Canvas {
    fn around(parts: &[Path], place: Transform) -> Option<Self> {
        let drop = SHADOW_DROP * place.sy;
        let blur = SHADOW_BLUR * place.sx.min(place.sy);
        let (mut left, mut top, mut right, mut bottom) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
        for part in parts {
            let bounds = part.bounds();
            left = left.min(bounds.left());
            top = top.min(bounds.top());
            right = right.max(bounds.right());
            bottom = bottom.max(bounds.bottom());
        }
        // Three box blurs reach three radii; the outline and its antialiasing come on top.
        let margin_x = vector::OUTLINE * place.sx + 3.0 * blur + 2.0;
        let margin_y = vector::OUTLINE * place.sy + 3.0 * blur + drop + 2.0;
        let hot = (
            (margin_x - left * place.sx).ceil(),
            (margin_y - top * place.sy).ceil(),
        );
        let width = hot.0 + right * place.sx + margin_x;
        let height = hot.1 + bottom * place.sy + margin_y;
        Some(Self {
            pixmap: Pixmap::new(width.ceil() as u32, height.ceil() as u32)?,
            place: place.post_translate(hot.0, hot.1),
            hot: (hot.0 as i32, hot.1 as i32),
            drop,
            blur,
        })
    }

    fn fill(&mut self, path: &Path, color: Color, alpha: f32) {
        let paint = paint(color, alpha);
        self.pixmap
            .fill_path(path, &paint, FillRule::Winding, self.place, None);
    }

    fn stroke(&mut self, path: &Path, color: Color, width: f32, alpha: f32) {
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap
            .stroke_path(path, &paint(color, alpha), &stroke, self.place, None);
    }

    /// Lays a shadow of all that has been drawn under it.
    fn finish(self) -> Option<Sprite> {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let mut alpha: Vec<f32> = self
            .pixmap
            .pixels()
            .iter()
            .map(|pixel| f32::from(pixel.alpha()) * SHADOW_ALPHA)
            .collect();
        blur(&mut alpha, width, self.blur.round() as usize);
        let mut shadow = Pixmap::new(self.pixmap.width(), self.pixmap.height())?;
        let drop = self.drop.round() as usize * width;
        for (pixel, alpha) in shadow.pixels_mut().iter_mut().skip(drop).zip(&alpha) {
            let black = PremultipliedColorU8::from_rgba(0, 0, 0, alpha.round() as u8);
            *pixel = black.unwrap_or(PremultipliedColorU8::TRANSPARENT);
        }
        shadow.draw_pixmap(
            0,
            0,
            self.pixmap.as_ref(),
            &PixmapPaint::default(),
            Transform::identity(),
            None,
        );
        Some(Sprite {
            width,
            height,
            hot_x: self.hot.0,
            hot_y: self.hot.1,
            rgba: shadow.take(),
        })
    }
}

fn paint(color: Color, alpha: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    let alpha = (alpha.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(color.red, color.green, color.blue, alpha);
    paint
}

/// Three box blurs each way, which is as good as a Gaussian.
fn blur(plane: &mut [f32], width: usize, radius: usize) {
    if radius == 0 || width == 0 {
        return;
    }
    let height = plane.len() / width;
    let mut line = Vec::new();
    for _ in 0..3 {
        for y in 0..height {
            blur_line(plane, &mut line, y * width, 1, width, radius);
        }
        for x in 0..width {
            blur_line(plane, &mut line, x, width, height, radius);
        }
    }
}

fn blur_line(
    plane: &mut [f32],
    line: &mut Vec<f32>,
    first: usize,
    step: usize,
    count: usize,
    radius: usize,
) {
    line.clear();
    line.extend((0..count).map(|i| plane[first + i * step]));
    for i in 0..count {
        let window = &line[i.saturating_sub(radius)..(i + radius + 1).min(count)];
        // Beyond the edge there is nothing, and that counts too.
        plane[first + i * step] = window.iter().sum::<f32>() / (2 * radius + 1) as f32;
    }
}

/// A ring that widens and thins out round a soft disc; the distance to the ring gives the
/// coverage of each pixel, so that no path has to be built for each frame.
fn paint_ripple(sprite: &mut Sprite, look: &Look, scale: Scale, phase: f32) {
    let spread = 1.0 - (1.0 - phase).powi(3);
    let (first, last) = RIPPLE_RADIUS;
    let radius = look.height_px() * (first + (last - first) * spread);
    let ring = look.height_px() * RIPPLE_RING * (1.0 - 0.55 * phase);
    let fade = 1.0 - phase * phase;
    let reach = radius + ring;
    sprite.hot_x = (reach * scale.x).ceil() as i32 + 1;
    sprite.hot_y = (reach * scale.y).ceil() as i32 + 1;
    sprite.width = 2 * sprite.hot_x as usize;
    sprite.height = 2 * sprite.hot_y as usize;
    sprite.rgba.clear();
    let sharpness = scale.x.min(scale.y);
    for y in 0..sprite.height {
        let dy = (y as f32 + 0.5 - sprite.hot_y as f32) / scale.y;
        for x in 0..sprite.width {
            let dx = (x as f32 + 0.5 - sprite.hot_x as f32) / scale.x;
            let distance = (dx * dx + dy * dy).sqrt();
            let cover = |edge: f32| ((edge - distance) * sharpness + 0.5).clamp(0.0, 1.0);
            let inner = cover(radius - ring / 2.0);
            let outer = cover(radius + ring / 2.0);
            // A fine line of the other colour keeps the ring apart from a page of its own.
            let halo = (cover(reach) - outer) * 0.55 * fade;
            let accent = ((outer - inner) * 0.9 + inner * 0.24 * (1.0 - phase)) * fade;
            let mix = |accent_part: u8, halo_part: u8| {
                (f32::from(accent_part) * accent + f32::from(halo_part) * halo + 0.5) as u8
            };
            sprite.rgba.extend([
                mix(look.accent.red, look.outline.red),
                mix(look.accent.green, look.outline.green),
                mix(look.accent.blue, look.outline.blue),
                mix(255, 255),
            ]);
        }
    }
}
