//! Ghostcast gives every LiveKit room a browser that people can watch and a voice agent can drive.
pub mod browser;
pub mod error;
pub mod media;
pub mod model;
pub mod publish;
