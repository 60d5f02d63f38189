//! Pictures into H.264 access units.

mod content;
mod ladder;
mod openh264;
mod pace;

pub use self::content::{Content, Watcher};
pub use self::ladder::Ladder;
pub use self::openh264::{Config, Encoded, Encoder, Error};
pub use self::pace::Budget;
