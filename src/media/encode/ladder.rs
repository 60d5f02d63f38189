//! [`Ladder`]: chooses each picture's quantiser where bits are few.
//!
//! The library's own rate control is made for a rate that stays. On a narrow path it gives a keyframe
//! half a second's bits and the picture after it as many, and a page that comes to rest stays as
//! blurred as it was: blocks that did not change are never looked at again. So there the quantiser
//! is chosen here: motion is blurred first, then drawn less often (by [`super::Budget`]), and rest
//! sharpens it step by step.

/// Coarsest and finest quantisers of pictures in motion.
const QUANTISER_MAX: u8 = 51;
const MOVING_MIN: u8 = 26;
/// At rest text is as sharp as it gets, and flat colours are those of the page: four steps coarser, what is off by
/// four may stay so.
const REST_MIN: u8 = 18;
/// One step of a page that rests, and where that takes long: a page that moves again has to wait for
/// it.
const REST_STEP: u8 = 6;
const REST_STEP_NARROW: u8 = 2;
/// One picture at the finest does not sharpen every block: it goes on until there is so little left
/// to do, bits, or for so many pictures.
const REST_DONE_BITS: f64 = 10_000.0;
const REST_FINEST_MAX: u32 = 12;
/// Steps of a page in motion: a picture that was too large is answered at once.
const FINER_MAX: f64 = 1.0;
const COARSER_MAX: f64 = 6.0;
/// Quantiser steps that halve a picture.
const HALVES: f64 = 6.0;
/// The same of a keyframe.
const KEYFRAME_HALVES: f64 = 6.5;
/// About what the library chooses for a keyframe where bits are few.
const KEYFRAME_USUAL: u8 = 36;
/// Where it begins.
const FIRST: u8 = 34;

/// Chooses quantisers by what pictures cost. See the module's documentation.
#[derive(Debug)]
pub struct Ladder {
    quantiser: u8,
    /// Bits of a picture at quantiser 0, as far as the last ones tell.
    cost: Option<f64>,
    /// Whether the last picture is coarser than one at rest shall be.
    is_coarse: bool,
    /// Pictures at rest that were as fine as they get.
    finest: u32,
    /// Bits of the last picture at rest.
    rest_bits: f64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            quantiser: FIRST,
            cost: None,
            is_coarse: false,
            finest: 0,
            rest_bits: 0.0,
        }
    }
}

impl Ladder {
    /// Whether what is shown is coarser than it shall stay.
    pub const fn is_coarse(&self) -> bool {
        self.is_coarse
    }

    /// The quantiser of a picture in motion that may cost `bits`.
    pub fn moving(&mut self, bits: f64) -> u8 {
        let now = f64::from(self.quantiser);
        let wanted = self.cost.map_or(now, |cost| HALVES * (cost / bits).log2());
        let next = wanted.clamp(now - FINER_MAX, now + COARSER_MAX).round();
        self.quantiser = (next as u8).clamp(MOVING_MIN, QUANTISER_MAX);
        self.quantiser
    }

    /// The next quantiser of a page that rests; a picture should not cost more than `bits`.
    pub fn resting(&mut self, bits: f64) -> u8 {
        let step = if self.rest_bits > bits {
            REST_STEP_NARROW
        } else {
            REST_STEP
        };
        self.quantiser = self.quantiser.saturating_sub(step).max(REST_MIN);
        self.quantiser
    }

    /// A picture was made with the quantiser that was chosen last.
    pub fn made(&mut self, bits: f64, is_resting: bool) {
        if is_resting {
            self.rest_bits = bits;
            self.finest += u32::from(self.quantiser <= REST_MIN);
            let is_done = bits < REST_DONE_BITS || self.finest >= REST_FINEST_MAX;
            self.is_coarse = self.quantiser > REST_MIN || !is_done;
            return;
        }
        self.finest = 0;
        self.rest_bits = 0.0;
        self.is_coarse |= self.quantiser > MOVING_MIN;
        let cost = bits * (f64::from(self.quantiser) / HALVES).exp2();
        // A scroll's pictures differ by a lot; what one cost may come again.
        self.cost = Some(match self.cost {
            Some(before) if cost > before => before + 0.4 * (cost - before),
            Some(before) => before + 0.15 * (cost - before),
            None => cost,
        });
    }

    /// A keyframe was made with `quantiser`, or by the library alone, which does not tell: on a page that rests
    /// nothing would sharpen it.
    pub fn made_keyframe(&mut self, quantiser: Option<u8>) {
        self.quantiser = quantiser.unwrap_or(self.quantiser);
        self.is_coarse = quantiser.is_none_or(|quantiser| quantiser > REST_MIN);
        self.finest = 0;
    }
}

/// The quantiser that makes a keyframe of `bytes`, made with `quantiser` or by the library alone, fit
/// into `bytes_max`; `None` when it fits or cannot be made smaller.
pub(super) fn smaller(bytes: usize, quantiser: Option<u8>, bytes_max: usize) -> Option<u8> {
    let before = quantiser.unwrap_or(KEYFRAME_USUAL);
    if bytes <= bytes_max || before >= QUANTISER_MAX {
        return None;
    }
    let steps = KEYFRAME_HALVES * (bytes as f64 / bytes_max.max(1) as f64).log2();
    Some((f64::from(before) + steps.ceil()).min(f64::from(QUANTISER_MAX)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures that cost `cost` at quantiser 0; gives the quantiser after so many.
    fn play(ladder: &mut Ladder, cost: f64, allowed: f64, pictures: usize) -> u8 {
        let mut quantiser = 0;
        for _ in 0..pictures {
            quantiser = ladder.moving(allowed);
            ladder.made(cost * (-f64::from(quantiser) / HALVES).exp2(), false);
        }
        quantiser
    }

    #[test]
    fn motion_costs_what_it_may() {
        let mut ladder = Ladder::default();
        let cost = 4_000_000.0;
        let quantiser = play(&mut ladder, cost, 30_000.0, 60);
        let bits = cost * (-f64::from(quantiser) / HALVES).exp2();
        assert!((20_000.0..40_000.0).contains(&bits), "{quantiser}: {bits}");
        assert!(play(&mut ladder, cost, 3_000.0, 6) > 51 - 3);
        assert_eq!(play(&mut ladder, cost, 1e9, 60), MOVING_MIN);
    }

    #[test]
    fn rest_sharpens_step_by_step() {
        let mut ladder = Ladder::default();
        ladder.made_keyframe(Some(51));
        let mut steps = 0;
        while ladder.is_coarse() {
            ladder.resting(200_000.0);
            ladder.made(1_000.0, true);
            steps += 1;
        }
        assert_eq!((ladder.quantiser, steps), (REST_MIN, 6));
        ladder.made_keyframe(Some(51));
        let mut pictures = 0;
        while ladder.is_coarse() {
            ladder.resting(200_000.0);
            ladder.made(90_000.0, true);
            pictures += 1;
        }
        assert!(pictures < 20, "it ends whatever it costs");
        ladder.made_keyframe(None);
        assert!(ladder.is_coarse(), "nobody knows how coarse");
        ladder.resting(200_000.0);
        ladder.made(1_000.0, true);
        assert!(!ladder.is_coarse() && ladder.quantiser == REST_MIN);
    }

    #[test]
    fn a_keyframe_that_is_too_large_is_made_coarser() {
        assert_eq!(smaller(10_000, None, 10_000), None);
        assert_eq!(smaller(54_000, None, 27_000), Some(43));
        assert_eq!(smaller(54_000, Some(50), 1_000), Some(51));
        assert_eq!(smaller(54_000, Some(51), 1_000), None);
    }
}
