//! Input only: what a hand does, as Chromium's own input events. It neither looks nor decides.

pub(in crate::browser) mod pointer;
pub(in crate::browser) mod keys;
