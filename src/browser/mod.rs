//! The browser: processes, pages, and what they may reach.

pub mod gate;
