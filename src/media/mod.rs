//! Pictures in, access units out. Pure and synchronous: no clock, no thread, no socket; `now`
//! is an argument. Driven by `session::studio`.

pub mod decode;
pub mod encode;
pub mod picture;
pub mod shot;

pub use shot::{Pixels, Shot};
pub use picture::{AccessUnit, Picture, Plane};
