//! Our own connection to Chromium by the Chrome DevTools Protocol.
//!
//! One WebSocket a browser, of this machine or far away, flat sessions on it (`Target.attachToTarget{flatten}`): each
//! page and each out-of-process frame is a [`Session`]. Commands and events are typed by
//! chromiumoxide's generated types; its handler is not used, since it hides child sessions.
//!
//! Events of one page, with those of its frames, come as one ordered stream ([`Events`]). The stream
//! is bounded: what a page can produce in floods (console, network) is left out first and counted,
//! and the reader is told of it by [`Told::Lost`].

mod connection;
mod stream;

pub(super) use self::connection::{Connection, Session, Stream};
pub(super) use self::stream::{Event, Events, Told};

use std::time::Duration;

/// Longest wait for one answer of a browser of this machine.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
