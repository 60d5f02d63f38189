//! Input only: what a hand does, as Chromium's own input events. It neither looks nor decides.

mod drive;
pub(in crate::browser) mod files;
pub(in crate::browser) mod keys;
pub(in crate::browser) mod pointer;

pub use drive::{drive, pass_on};
