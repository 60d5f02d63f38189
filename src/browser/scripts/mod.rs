//! The scripts that run in our world of every document. They throw; Rust decides.

/// In the order in which they depend on each other.
const SCRIPTS: [&str; 9] = [
    include_str!("dom.js"),
    include_str!("geometry.js"),
    include_str!("names.js"),
    include_str!("elements.js"),
    include_str!("locate.js"),
    include_str!("typing.js"),
    include_str!("scroll.js"),
    include_str!("observe.js"),
    include_str!("find.js"),
];

/// All of them, as one.
pub(in crate::browser) fn all() -> String {
    SCRIPTS.join("\n")
}
