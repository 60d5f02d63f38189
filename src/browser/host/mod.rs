//! Where a browser comes from: processes of our own, shared by sessions.

mod files;
pub mod pool;
pub mod process;
mod workdir;

pub use pool::{Lease, Pool};
pub use process::Loss;
