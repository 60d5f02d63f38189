//! What a page shows, as data; never acts.

pub mod accessibility;
pub mod elements;
mod snapshot;
