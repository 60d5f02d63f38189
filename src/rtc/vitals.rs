//! [`Vitals`]: what a connection is seen to do, for whoever looks after it. Counted as it goes, and told when asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::output::{Carries, Transport};
use crate::media::Layer;

/// What a connection is seen to do, at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vitals {
    /// Whether media can flow.
    pub is_open: bool,
    /// The way that media takes, once it has taken one.
    pub way: Option<(Transport, SocketAddr)>,
    /// The shortest round trip of the last half minute.
    pub rtt: Option<Duration>,
    /// The share of packets that were lost in the last moments.
    pub loss: f64,
    /// What the path carries; without bits when the other side tells nothing.
    pub carries: Carries,
    /// Pictures of the full layer and of the low one.
    pub pictures: [Pictures; 2],
    /// Packets that were sent again.
    pub repairs: u64,
    /// Keyframes that the other side has asked for.
    pub keyframes_asked: u64,
    /// Pictures, and datagrams, that found no place on the way out.
    pub dropped: u64,
}

/// The pictures of one layer that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pictures {
    /// All of them.
    pub sent: u64,
    /// How many a second, over the last ones.
    pub fps: f64,
}

/// Counts the pictures of one connection.
#[derive(Debug, Default)]
pub(super) struct Tally {
    layers: [Counted; 2],
    pub(super) keyframes_asked: u64,
}

#[derive(Debug, Default)]
struct Counted {
    sent: u64,
    lately: VecDeque<Instant>,
}

impl Tally {
    /// A picture of this layer was sent.
    pub(super) fn wrote(&mut self, now: Instant, layer: Layer) {
        let counted = &mut self.layers[layer as usize];
        counted.sent += 1;
        if counted.lately.len() == LATELY_MAX {
            counted.lately.pop_front();
        }
        counted.lately.push_back(now);
    }

    pub(super) fn pictures(&self, now: Instant) -> [Pictures; 2] {
        [0, 1].map(|layer| {
            let counted = &self.layers[layer];
            let is_late = |at: &&Instant| now.saturating_duration_since(**at) < LATELY;
            let lately = counted.lately.iter().filter(is_late).count();
            Pictures {
                sent: counted.sent,
                fps: lately as f64 / LATELY.as_secs_f64(),
            }
        })
    }
}

/// Over which pictures a second are counted, and how many at most: 60 a second.
const LATELY: Duration = Duration::from_secs(2);
const LATELY_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_counted_by_layer_and_rate() {
        let mut tally = Tally::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for number in 0..300 {
            tally.wrote(at(number * 20), Layer::Full);
        }
        tally.wrote(at(5_500), Layer::Low);
        let [full, low] = tally.pictures(at(5_990));
        assert_eq!((full.sent, low.sent), (300, 1));
        assert!((full.fps - 50.0).abs() < 1.0, "{}", full.fps);
        assert!((low.fps - 0.5).abs() < f64::EPSILON, "{}", low.fps);
        let [full, _] = tally.pictures(at(9_000));
        assert_eq!((full.sent, full.fps.to_bits()), (300, 0.0_f64.to_bits()));
    }
}
