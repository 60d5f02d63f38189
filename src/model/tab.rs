//! A tab of a session, as the outside sees it.

use serde::Serialize;
use utoipa::ToSchema;

/// Most tabs of one session: each is a renderer of some 30 MB, and a page can open them in a loop.
pub const TABS_MAX: usize = 32;

/// A tab of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TabInfo {
    /// Names the tab, for `switch_tab` and `close_tab`; counts from 1 and is never used again.
    pub tab: u32,
    /// The page's URL.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Whether it is the one that is shown and acted on.
    pub current: bool,
}
