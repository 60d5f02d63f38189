//! Chromium: processes, pages, what they show, what is done to them, and capture. The only module
//! that names chromiumoxide; no error of Chromium's leaves it.
//!
//! A folder uses only those above it in this list.

mod error;
mod text;

mod numbers;
mod scripts;
mod told;

mod cdp;

pub mod gate;

pub mod host;

pub mod target;

pub mod tabs;

pub mod sight;

mod hand;

pub mod act;

pub mod capture;

pub use error::Error;
pub use hand::{copy, drive, give_files, key_of_windows, pass_on};
pub use host::memory;
pub use host::{
    Captured, Contexts, Items, Jar, Lease, Life, Loss, Pool, Profile, Remote, Run, Usage,
    end_strays, sweep_work, usage,
};
pub use tabs::Tabs;
pub use target::{Page, PageEvent, TabEvent};
