//! Pictures into H.264 access units.

mod openh264;
mod pace;

pub use self::openh264::{Config, Encoded, Encoder, Error};
pub use self::pace::Budget;
