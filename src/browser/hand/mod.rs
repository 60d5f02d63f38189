//! Input only: what a hand does, as Chromium's own input events. It neither looks nor decides.

mod drive;
pub(in crate::browser) mod files;
pub(in crate::browser) mod keys;
mod offered;
pub(in crate::browser) mod pointer;

pub use drive::{copy, drive, pass_on};
pub use keys::of_windows as key_of_windows;
pub use offered::give_files;
