//! Numbered boxes over a screenshot, so that whoever looks at it can name what it sees.
//!
//! Drawn on the picture and never put into the page. Numbers are bitmaps: they stay readable at
//! any size, and need no font.

use tiny_skia::Pixmap;

use crate::model::Size;

/// The colours of boxes, in turn, so that neighbours differ; dark enough for white digits.
const COLORS: [[u8; 3]; 6] = [
    [0xd0, 0x1c, 0x3f],
    [0x1d, 0x4e, 0xd8],
    [0x04, 0x78, 0x57],
    [0x9d, 0x17, 0x8f],
    [0xb4, 0x45, 0x09],
    [0x0e, 0x6f, 0x8a],
];

/// The digits, five columns by seven rows, a row a number.
const DIGITS: [[u8; 7]; 10] = [
    [0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e],
    [0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e],
    [0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f],
    [0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e],
    [0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02],
    [0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e],
    [0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e],
    [0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
    [0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e],
    [0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c],
];
const DIGIT_WIDTH: i32 = 5;
const DIGIT_HEIGHT: i32 = 7;

/// Picture px of one px of a digit.
const SCALE: i32 = 2;
/// Between a number and the edge of its label, and between two digits.
const PADDING: i32 = 3;
const GAP: i32 = 2;
/// The width of a box's line.
const LINE: i32 = 2;

/// Largest side accepted, px: bounds what a decoder allocates.
pub const SIDE_PX_MAX: u32 = 16_384;

/// Why a picture could not be marked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The screenshot is damaged.
    #[error("decode the screenshot")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The screenshot is larger than anybody looks at.
    #[error("a screenshot of {0}x{1} px")]
    Size(u32, u32),
    /// The marked picture could not be written.
    #[error("encode the marked screenshot")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Lossless.
    Png,
    /// Lossy, by this quality.
    Jpeg(u8),
}

/// An element's number and box, px of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its index.
    pub number: u64,
    /// Where it is.
    pub area: Area,
}

/// A rectangle, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// From the left edge.
    pub x: i32,
    /// From the top edge.
    pub y: i32,
    /// Across.
    pub width: i32,
    /// Down.
    pub height: i32,
}

impl Area {
    fn overlap(self, other: Self) -> i64 {
        let side = |a: i32, a_size: i32, b: i32, b_size: i32| {
            i64::from(((a + a_size).min(b + b_size) - a.max(b)).max(0))
        };
        side(self.x, self.width, other.x, other.width)
            * side(self.y, self.height, other.y, other.height)
    }

    /// Moved by as little as brings it into a picture of this size.
    fn inside(self, size: Size) -> Self {
        let fit = |at: i32, length: i32, side: u32| {
            let most = i32::try_from(side).unwrap_or(i32::MAX) - length;
            at.clamp(0, most.max(0))
        };
        Self {
            x: fit(self.x, self.width, size.width),
            y: fit(self.y, self.height, size.height),
            ..self
        }
    }
}

/// Draws the marks on a PNG and writes the picture anew.
pub fn draw(png: &[u8], marks: &[Mark], output: Output) -> Result<Vec<u8>, Error> {
    check_size(png)?;
    let mut picture = Pixmap::decode_png(png).map_err(|error| Error::Decode(error.into()))?;
    let size = Size::new(picture.width(), picture.height());
    let mut canvas = Canvas {
        size,
        rgba: picture.data_mut(),
    };
    for mark in marks {
        canvas.outline(mark.area, color(mark.number));
    }
    // Numbers come last, so that no line runs through one.
    for (mark, label) in marks.iter().zip(labels(marks, size)) {
        canvas.fill(label, color(mark.number));
        canvas.number(label, mark.number);
    }
    match output {
        Output::Png => picture
            .encode_png()
            .map_err(|error| Error::Encode(error.into())),
        Output::Jpeg(quality) => {
            let image = turbojpeg::Image {
                pixels: picture.data(),
                width: size.width as usize,
                pitch: size.width as usize * 4,
                height: size.height as usize,
                format: turbojpeg::PixelFormat::RGBA,
            };
            turbojpeg::compress(image, i32::from(quality), turbojpeg::Subsamp::None)
                .map(|jpeg| jpeg.to_vec())
                .map_err(|error| Error::Encode(error.into()))
        }
    }
}

/// The size stands in front of everything that is allocated for it.
pub(super) fn check_size(png: &[u8]) -> Result<(), Error> {
    let side = |at: usize| {
        let bytes = png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    let (width, height) = (side(16), side(20));
    if width > SIDE_PX_MAX || height > SIDE_PX_MAX {
        return Err(Error::Size(width, height));
    }
    Ok(())
}

/// Where each number goes: beside its box where that hides neither another number nor another
/// box, else where it hides the least.
fn labels(marks: &[Mark], size: Size) -> Vec<Area> {
    let mut placed: Vec<Area> = Vec::with_capacity(marks.len());
    for mark in marks {
        let cost = |label: &Area| {
            let numbers: i64 = placed.iter().map(|other| label.overlap(*other)).sum();
            let boxes: i64 = marks.iter().map(|other| label.overlap(other.area)).sum();
            numbers * 1_000 + boxes
        };
        let best = places(mark, size).into_iter().min_by_key(cost);
        placed.extend(best);
    }
    placed
}

/// The places that a number may take, the best first.
fn places(mark: &Mark, size: Size) -> [Area; 10] {
    let Area {
        x,
        y,
        width,
        height,
    } = mark.area;
    let digits = i32::try_from(mark.number.max(1).ilog10()).unwrap_or(0) + 1;
    let wide = digits * (DIGIT_WIDTH * SCALE + GAP) - GAP + 2 * PADDING;
    let high = DIGIT_HEIGHT * SCALE + 2 * PADDING;
    let (right, bottom) = (x + width, y + height);
    let at = |x, y| {
        Area {
            x,
            y,
            width: wide,
            height: high,
        }
        .inside(size)
    };
    [
        at(x, y - high),
        at(right - wide, y - high),
        at(x - wide, y),
        at(right, y),
        at(x, bottom),
        at(right - wide, bottom),
        at(x - wide, bottom - high),
        at(right, bottom - high),
        at(x, y),
        at(right - wide, y),
    ]
}

fn color(number: u64) -> [u8; 3] {
    COLORS[(number % COLORS.len() as u64) as usize]
}

/// The pixels of a picture that hides nothing behind it.
struct Canvas<'a> {
    size: Size,
    rgba: &'a mut [u8],
}

impl Canvas<'_> {
    fn fill(&mut self, area: Area, [red, green, blue]: [u8; 3]) {
        let bound = |at: i32, side: u32| usize::try_from(at).unwrap_or(0).min(side as usize);
        let (left, right) = (
            bound(area.x, self.size.width),
            bound(area.x + area.width, self.size.width),
        );
        for row in bound(area.y, self.size.height)..bound(area.y + area.height, self.size.height) {
            let start = row * self.size.width as usize;
            let row = &mut self.rgba[(start + left) * 4..(start + right.max(left)) * 4];
            for pixel in row.chunks_exact_mut(4) {
                pixel.copy_from_slice(&[red, green, blue, 0xff]);
            }
        }
    }

    fn outline(&mut self, area: Area, color: [u8; 3]) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let lines = [
            (x, y, width, LINE),
            (x, y + height - LINE, width, LINE),
            (x, y, LINE, height),
            (x + width - LINE, y, LINE, height),
        ];
        for (x, y, width, height) in lines {
            let line = Area {
                x,
                y,
                width,
                height,
            };
            self.fill(line, color);
        }
    }

    fn number(&mut self, label: Area, number: u64) {
        let mut x = label.x + PADDING;
        for digit in number.to_string().bytes() {
            let rows = DIGITS[usize::from(digit - b'0') % DIGITS.len()];
            for (row, bits) in (0..).zip(rows) {
                for column in (0..DIGIT_WIDTH).filter(|at| bits >> (DIGIT_WIDTH - 1 - at) & 1 == 1)
                {
                    let dot = Area {
                        x: x + column * SCALE,
                        y: label.y + PADDING + row * SCALE,
                        width: SCALE,
                        height: SCALE,
                    };
                    self.fill(dot, [0xff; 3]);
                }
            }
            x += DIGIT_WIDTH * SCALE + GAP;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64, x: i32, y: i32) -> Mark {
        let (width, height) = (80, 20);
        Mark {
            number,
            area: Area {
                x,
                y,
                width,
                height,
            },
        }
    }

    #[test]
    fn numbers_do_not_lie_over_each_other() {
        let size = Size::new(800, 600);
        let column: Vec<Mark> = (0..20).map(|n| mark(n, 100, 10 + n as i32 * 24)).collect();
        let placed = labels(&column, size);
        for (number, label) in placed.iter().enumerate() {
            assert_eq!(label.inside(size), *label);
            for other in &placed[..number] {
                assert_eq!(label.overlap(*other), 0, "{label:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_box_and_its_number_are_drawn_and_the_rest_stays() {
        let mut blank = Pixmap::new(300, 200).unwrap();
        blank.fill(tiny_skia::Color::WHITE);
        let png = blank.encode_png().unwrap();
        let marked = draw(&png, &[mark(7, 100, 100)], Output::Png).unwrap();
        let picture = Pixmap::decode_png(&marked).unwrap();
        let at = |x, y| {
            let pixel = picture.pixel(x, y).unwrap();
            [pixel.red(), pixel.green(), pixel.blue()]
        };
        for point in [(100, 110), (101, 119), (179, 105), (140, 100)] {
            assert_eq!(at(point.0, point.1), color(7), "{point:?}");
        }
        assert_eq!(at(140, 110), [0xff; 3], "inside the box");
        assert_eq!(at(250, 50), [0xff; 3], "far from it");
        assert_eq!(at(101, 81), color(7), "the number's ground, above the box");
        let white = (80..100).flat_map(|y| (100..116).map(move |x| (x, y)));
        assert!(white.filter(|(x, y)| at(*x, *y) == [0xff; 3]).count() > 20);
        assert!(
            draw(
                &png,
                &[mark(1, -50, -50), mark(2, 290, 190)],
                Output::Jpeg(80)
            )
            .is_ok()
        );
    }

    #[test]
    fn damage_is_an_error() {
        assert!(draw(b"no picture", &[], Output::Png).is_err());
        let mut huge = vec![0; 24];
        huge[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(
            draw(&huge, &[], Output::Png),
            Err(Error::Size(u32::MAX, 0))
        ));
    }
}
