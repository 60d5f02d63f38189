//! The scripts that run in our world of every document. They throw; Rust decides.

/// In the order in which they depend on each other.
const SCRIPTS: [&str; 23] = [
    include_str!("dom.js"),
    include_str!("geometry.js"),
    include_str!("names.js"),
    include_str!("rules.js"),
    include_str!("list.js"),
    include_str!("text.js"),
    include_str!("find.js"),
    include_str!("tree.js"),
    include_str!("locate.js"),
    include_str!("press.js"),
    include_str!("scroll.js"),
    include_str!("observe.js"),
    include_str!("changes.js"),
    include_str!("field.js"),
    include_str!("value.js"),
    include_str!("choose.js"),
    include_str!("offer.js"),
    include_str!("files.js"),
    include_str!("clipboard.js"),
    include_str!("permission.js"),
    include_str!("failure.js"),
    include_str!("shown.js"),
    include_str!("standing.js"),
];

/// What has to run in the page's own world, to hear what it copies by `navigator.clipboard` and what it asks a
/// person's permission for.
pub(in crate::browser) const IN_PAGE: &str = concat!(
    include_str!("clipboard_page.js"),
    include_str!("permission_page.js")
);

/// Whether the page hears single keys where the focus is; an expression for its own world, with the
/// functions of Chromium's console.
pub(in crate::browser) const HEARS_KEYS: &str = include_str!("hears_page.js");

/// All of them, as one.
pub(in crate::browser) fn all() -> String {
    SCRIPTS.join("\n")
}
