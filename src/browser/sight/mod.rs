//! What a page shows, as data: its elements and their numbers, its outline, its text, and where
//! things lie. Nothing here acts.

mod awaited;
mod heed;
mod list;
mod look;
mod place;
mod text;
mod tree;
mod unreadable;
mod which;

pub(in crate::browser) use self::awaited::awaited;
pub(in crate::browser) use self::heed::heeds_scrolls;
pub use self::list::{ElementList, Part, asks_for_password, list};
pub(in crate::browser) use self::place::{Area, placement};
pub use self::text::{Found, TextPart, find, text};
pub use self::tree::{TreePart, tree};
pub use self::unreadable::Unreadable;
pub(in crate::browser) use self::which::{
    Known, candidates, fields, resolve, stale, under, with_candidates,
};
pub use self::which::{area_of, cursor_at};
pub(in crate::browser) use super::numbers::Print;
