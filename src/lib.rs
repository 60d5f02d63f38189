//! Ghostcast gives every LiveKit room a browser that people can watch and a voice agent can drive.
//!
//! In reading order:
//! - [`model`]: the nouns; [`error`], [`config`]: what goes wrong and what can be set.
//! - [`credential`]: tokens, compared and made; `disk`: what several parts do on a disk in the same way;
//!   `memory`: what the allocator keeps.
//! - [`media`]: pictures in, access units out; pure.
//! - [`display`]: the Wayland display that a Chromium of our own draws to.
//! - [`browser`]: Chromium: processes, pages, input, elements, capture, the gate to the network.
//! - [`rtc`]: WebRTC peers; pure, in a thin driver.
//! - [`refusals`]: what is refused at a limit, counted and told.
//! - [`livekit`]: LiveKit's signalling, tokens and conventions.
//! - [`vision`]: questions about a picture, put to a model.
//! - [`publish`]: where access units go: LiveKit and WHEP.
//! - [`events`]: what happened, numbered and kept for a while.
//! - [`store`]: what is kept on disk.
//! - [`session`]: one room's browser, from start to close.
//! - [`framed`]: JSON in frames over two pipes: a worker, and whoever has work done by one.
//! - [`jobs`]: work that outlives its caller, and the logins that it needs.
//! - [`api`]: the front doors: MCP, REST, gRPC, WebSocket, WHEP, metrics, dashboard.
//! - [`telemetry`]: what programs that watch the service are told: traces, measurements, errors.
//! - [`demo`]: the built-in page that drives itself; [`app`]: where everything is put together.
//! - [`cli`]: the command line. Its `validate` calls a crate of its own, which uses nothing of this one but
//!   what any client can.

pub mod api;
pub mod app;
pub mod browser;
pub mod cli;
pub mod config;
pub mod credential;
pub mod demo;
mod disk;
pub mod display;
pub mod error;
pub mod events;
pub mod framed;
pub mod jobs;
pub mod livekit;
pub mod media;
mod memory;
pub mod model;
mod processes;
pub mod publish;
pub mod refusals;
pub mod rtc;
pub mod session;
pub mod store;
pub mod telemetry;
mod tls;
pub mod vision;
