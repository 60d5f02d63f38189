//! Sessions: one per room, each an actor with a pure machine at its heart.
//!
//! ```text
//! Manager            rooms -> sessions, admission, shutdown
//!   SessionHandle    what everybody else holds: requests in, records out
//!     Actor          the one task that owns the session's state
//!       Machine      its life, pure
//!       Queue        its actions, pure
//!       Stage        what is seen of it
//!         Studio     shots in, access units out (an OS thread)
//!         Outlets    the LiveKit publisher and the WHEP viewers
//! ```

mod acting;
mod actor;
mod analyze;
mod asker;
pub mod control;
mod corrections;
mod downloads;
mod driving;
mod expects;
mod handle;
mod interact;
mod journal;
mod keeping;
mod lasting;
mod lasting_links;
mod ledger;
mod limits;
mod links;
mod logbook;
mod look;
pub mod machine;
mod manager;
mod masking;
mod memory;
mod names;
mod outlets;
mod partings;
mod people;
mod perform;
pub mod place;
mod privacy;
mod quarters;
pub mod queue;
mod remains;
mod remembered;
mod request;
mod room;
mod script;
mod selector;
mod service;
mod slots;
mod sought;
mod stage;
mod start;
pub mod studio;
pub mod supervise;
mod sweep;
mod usage;
mod viewing;
mod visited;
mod wheel;

pub use crate::browser::sight::ElementList;
pub use crate::store::PictureName;
pub use crate::vision::Analysis;
pub use acting::no_action;
pub use asker::{Asker, Door, Lending};
pub use handle::SessionHandle;
pub use interact::{Interaction, LOOK_EVERY, Meant, WAIT_MS, act_on, located, not_met, on_index};
pub use journal::Journal;
pub use lasting::Which;
pub use links::{LINK, Link, LinkKind, Links, Maker};
pub use look::{Area, ContextOptions, PageContext, Unread};
pub use manager::{Manager, Opened};
pub use names::{names, names_of_ended};
pub use partings::{Parting, Partings};
pub use request::ActionOrder;
pub use script::{Executed, Script};
pub use sought::{PointedOut, likely};
pub use usage::{Busy, Cost, Costs};
pub use viewing::Watched;
pub use wheel::{Hearing, Invitation, Invite, Seated, Way, Wheel};
