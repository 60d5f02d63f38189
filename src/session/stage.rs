//! A session's stage: the studio that draws it and the outlets that it goes to.
//!
//! The stage of a kept session outlives a browser that is lost: it is handed over to the session that is
//! started in its place, so that those who watch see the picture stand still and go on.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::links::Links;
use super::outlets::{Outlets, Settings};
use super::studio::{self, Studio};
use super::supervise::{Panicked, Supervisor};
use super::wheel::Wheel;
use crate::config::Config;
use crate::error::Error;
use crate::model::{Kept, SessionRecord, SessionSpec, ViewerId};
use crate::publish::livekit;
use crate::refusals::{Limit, refused};

/// Ended viewers that may wait for the actor.
const ENDED_VIEWERS_MAX: usize = 16;

/// What is seen of a session, and by whom.
#[derive(Debug)]
pub(super) struct Stage {
    /// Whether the video is paused by request.
    pub(super) is_paused: bool,
    pub(super) studio: Studio,
    pub(super) outlets: Outlets,
    pub(super) viewers_ended: mpsc::Receiver<ViewerId>,
    pub(super) panicked: mpsc::Receiver<Panicked>,
    pub(super) livekit_states: Option<watch::Receiver<livekit::State>>,
    pub(super) wheel: Wheel,
}

impl Stage {
    /// Starts the studio, and the publisher into the session's room.
    pub(super) fn set_up(
        config: &Arc<Config>,
        spec: &SessionSpec,
        record: &SessionRecord,
        links: &Links,
        (tracker, service): (&TaskTracker, &CancellationToken),
    ) -> Result<Self, Error> {
        let (supervisor, panicked) = Supervisor::new();
        let studio = start_studio(config, record, &supervisor)?;
        let (ended, viewers_ended) = mpsc::channel(ENDED_VIEWERS_MAX);
        let mut outlets = Outlets::new(
            studio.clone(),
            settings(config, record),
            ended,
            supervisor,
            tracker.clone(),
            service.child_token(),
        );
        outlets.join(spec)?;
        let address = format!("http://{}/", config.server.listen);
        Ok(Self {
            is_paused: false,
            studio,
            livekit_states: outlets.livekit_states(),
            outlets,
            viewers_ended,
            panicked,
            wheel: Wheel::new(record.session_id, links.clone(), address),
        })
    }

    /// Takes all that is of use to another session, and leaves nobody behind.
    pub(super) fn take(&mut self, is_paused: bool) -> Self {
        Self {
            is_paused,
            studio: self.studio.clone(),
            livekit_states: self.livekit_states.take(),
            outlets: self.outlets.take(),
            viewers_ended: std::mem::replace(&mut self.viewers_ended, mpsc::channel(1).1),
            panicked: std::mem::replace(&mut self.panicked, mpsc::channel(1).1),
            wheel: self.wheel.take(),
        }
    }

    /// Ends every viewer, leaves the room, and ends the studio.
    pub(super) async fn leave(mut self) {
        self.outlets.leave().await;
        self.studio.end();
    }
}

/// Whether the stage of a session that was kept is one for the session that takes its place: whatever it was
/// set up for is as it was.
pub(super) fn suits(kept: &Kept, spec: &SessionSpec, record: &SessionRecord) -> bool {
    let before = &kept.record;
    before.room_name == record.room_name
        && before.viewport == record.viewport
        && before.fps == record.fps
        && before.bitrate_bps == record.bitrate_bps
        && kept.spec.livekit_url == spec.livekit_url
        && kept.spec.own_livekit_token() == spec.own_livekit_token()
}

fn start_studio(
    config: &Config,
    record: &SessionRecord,
    supervisor: &Supervisor,
) -> Result<Studio, Error> {
    let options = studio::Options {
        fps: record.fps,
        size: record.viewport.to_even(),
        bitrate_bps: record.bitrate_bps,
        video: config.video.clone(),
        cursor: config.cursor.clone(),
    };
    Studio::start(record.channel().as_str(), options, supervisor).map_err(|error| {
        let full = Error::exhausted("no thread is free for the session").source(error);
        refused(Limit::Threads, full)
    })
}

fn settings(config: &Config, record: &SessionRecord) -> Settings {
    Settings {
        livekit: config.livekit.clone(),
        rtc: config.rtc.clone(),
        listen: config.server.listen.ip(),
        size: record.viewport.to_even(),
        fps: record.fps,
        bitrate_bps: record.bitrate_bps,
        low_layer: config.video.low_layer && config.video.room_layers,
    }
}
