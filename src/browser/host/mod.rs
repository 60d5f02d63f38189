//! Where a browser comes from: processes of our own, shared by sessions, or one of its own for a
//! session whose profile is kept; or far away, from an endpoint or a vendor's service.

mod begun;
mod choice;
pub mod command;
mod files;
mod jar;
pub mod memory;
pub mod pool;
pub(super) mod process;
mod profile;
pub(super) mod remote;
pub(super) mod storage;
mod usage;
pub(super) mod vault;
mod visit;
mod workdir;

pub use choice::Captured;
pub use jar::Jar;
pub use pool::{Lease, Pool};
pub use process::Loss;
pub use profile::Profile;
pub use remote::{Contexts, Life, Remote, Run};
pub use storage::Items;
pub use usage::{Usage, usage};
pub use workdir::{end_strays, sweep as sweep_work};
