//! Where a browser comes from: processes of our own, shared by sessions.

mod files;
pub mod pool;
pub mod process;
mod workdir;

pub(in crate::browser) use files::Files;
pub use pool::{Lease, Pool};
pub use process::Loss;
