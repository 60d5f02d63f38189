//! [`Level`]: how much a decoder of the pictures must manage (H.264, table A-1).

use crate::model::Size;

/// A level of H.264.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// What every receiver of WebRTC takes (RFC 7742 §6.2 asks for less): 720p at 30 pictures a second.
    pub const USUAL: Self = Self(31);

    /// That of pictures of this size, so many a second; [`Self::USUAL`] at least.
    pub fn of(size: Size, fps: u32) -> Self {
        let blocks = size.width.div_ceil(BLOCK) * size.height.div_ceil(BLOCK);
        let per_second = u64::from(blocks) * u64::from(fps);
        let side = size.width.max(size.height).div_ceil(BLOCK);
        let fits = |&&(_, of_picture, of_second): &&(u8, u32, u64)| {
            blocks <= of_picture && per_second <= of_second && side.pow(2) <= 8 * of_picture
        };
        let found = LEVELS.iter().find(fits);
        Self(found.map_or(HIGHEST, |(number, ..)| *number))
    }

    /// Ten times its number, as descriptions of sessions write it.
    pub const fn idc(self) -> u8 {
        self.0
    }
}

/// Pixels of a macroblock, each way.
const BLOCK: u32 = 16;
/// Ten times the number, macroblocks of a picture and of a second at most.
const LEVELS: [(u8, u32, u64); 7] = [
    (31, 3_600, 108_000),
    (32, 5_120, 216_000),
    (40, 8_192, 245_760),
    (42, 8_704, 522_240),
    (50, 22_080, 589_824),
    (51, 36_864, 983_040),
    (52, 36_864, 2_073_600),
];
const HIGHEST: u8 = 52;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_level_of_the_standard() {
        let of = |width, height, fps| Level::of(Size::new(width, height), fps).idc();
        assert_eq!(Level::of(Size::new(320, 240), 60), Level::USUAL);
        assert_eq!((of(1280, 720, 30), of(1280, 720, 60)), (31, 32));
        assert_eq!((of(1920, 1080, 30), of(1920, 1080, 60)), (40, 42));
        assert_eq!((of(2560, 1440, 30), of(3840, 2160, 30)), (50, 51));
        assert_eq!((of(3840, 2160, 60), of(7680, 4320, 60)), (52, 52));
        assert_eq!((of(720, 1280, 30), of(390, 844, 60)), (31, 31));
        assert_eq!(of(3840, 240, 30), 40, "a side is bounded as well");
    }
}
