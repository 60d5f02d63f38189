//! The scripts that run in our world of every document. They throw; Rust decides.

/// In the order in which they depend on each other.
const SCRIPTS: [&str; 16] = [
    include_str!("dom.js"),
    include_str!("geometry.js"),
    include_str!("names.js"),
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
    include_str!("files.js"),
];

/// All of them, as one.
pub(in crate::browser) fn all() -> String {
    SCRIPTS.join("\n")
}
