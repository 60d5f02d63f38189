//! LiveKit: tokens, signalling and naming conventions. The only module that names LiveKit's
//! crates; media is not its business (see `rtc` and `publish::livekit`).

mod company;
pub mod conventions;
pub mod data;
pub mod place;
pub mod signal;
pub mod token;

pub use company::{Company, Participant, SelfWriters};
pub use signal::Signal;
pub use token::Minter;
