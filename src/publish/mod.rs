//! Where access units go: one encode, fanned out to every publisher.

pub mod fanout;
pub mod layers;
pub mod livekit;
pub mod record;
mod source;
pub mod whep;

pub use fanout::{Fanout, Feed, FeedId, Feedback, Takes, Wants};
