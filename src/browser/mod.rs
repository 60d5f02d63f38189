//! Chromium: processes, pages, input, elements and capture. The only module that names
//! chromiumoxide; no `CdpError` leaves it.

pub mod accessibility;
pub mod actions;
pub mod capture;
pub mod elements;
mod error;
pub mod gate;
mod input;
pub mod loading;
pub mod page;
pub mod pool;
pub mod process;
pub mod screenshot;
mod snapshot;
mod socket;
pub mod tabs;
mod workdir;
mod world;

pub use error::Error;
pub use page::{Page, PageEvent};
pub use pool::{Lease, Pool};
pub use process::Loss;
pub use tabs::{TabEvent, Tabs};
