//! Pictures in, access units out. Pure and synchronous: no clock, no thread, no socket; `now`
//! is an argument. Driven by `session::studio`.

pub mod compose;
pub mod cursor;
pub mod picture;

pub use picture::{AccessUnit, Picture, Plane};
