//! Pictures in, access units out. Pure and synchronous: no clock, no thread, no socket; `now`
//! is an argument. Driven by `session::studio`.

pub mod card;
pub mod compose;
pub mod convert;
pub mod cursor;
pub mod decode;
pub mod encode;
pub mod layer;
pub mod level;
pub mod marks;
pub mod mux;
pub mod panel;
pub mod picture;
pub mod screen;
pub mod shot;

pub use layer::Layer;
pub use level::Level;
pub use picture::{AccessUnit, Picture, Plane};
pub use shot::{Pixels, Shot};
