//! Sessions: one per room, each an actor with a pure machine at its heart.
//!
//! ```text
//! Manager            rooms -> sessions, admission, shutdown
//!   SessionHandle    what everybody else holds: requests in, records out
//!     Actor          the one task that owns the session's state
//!       Machine      its life, pure
//!       Studio       shots in, access units out (an OS thread)
//!       Outlets      the LiveKit publisher and the WHEP viewers
//! ```

mod actor;
mod corrections;
mod downloads;
mod expects;
mod handle;
mod look;
pub mod machine;
mod manager;
mod masking;
mod outlets;
mod perform;
mod request;
mod start;
pub mod studio;

pub use crate::browser::sight::ElementList;
pub use crate::vision::Analysis;
pub use handle::SessionHandle;
pub use look::{Area, ContextOptions, PageContext, Unread};
pub use manager::Manager;
pub use request::Order;
