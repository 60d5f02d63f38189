//! What is known of each way by which a session's video goes out: asked of the connections when somebody wants to know.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::Manager;
use super::manager::no_session;
use super::slots::Slot;
use crate::error::Error;
use crate::media::Layer;
use crate::model::watched::{LayerSent, Route, ViewerInfo, ViewerKind};
use crate::model::{SessionId, ViewerId};
use crate::publish::{livekit, whep};
use crate::rtc::{Transport, Vitals};

impl Manager {
    /// Each way by which the video of a session goes out; none of one whose browser does not run. It only looks: no
    /// session comes back by it, and none counts as used.
    pub async fn viewers(&self, key: &str) -> Result<Vec<ViewerInfo>, Error> {
        let handle = match self.lock().get(key) {
            Some(Slot::Held(handle)) => Some(handle.clone()),
            Some(Slot::Starting { .. } | Slot::Stored(_)) => None,
            None => return Err(no_session(key)),
        };
        match handle.filter(|handle| handle.record.borrow().active) {
            Some(handle) => handle.viewers().await,
            None => Ok(Vec::new()),
        }
    }
}

/// The ways by which the video of one session goes out.
#[derive(Debug)]
pub struct Watched {
    /// Which session.
    pub session_id: SessionId,
    /// Each way.
    pub ways: Vec<ViewerInfo>,
}

impl Manager {
    /// The ways of all sessions whose browser runs. It only looks, as [`Self::viewers`].
    pub async fn all_viewers(&self) -> Vec<Watched> {
        let handles: Vec<_> = self.lock().held().cloned().collect();
        let running = handles
            .into_iter()
            .filter(|handle| handle.record.borrow().active);
        let asked = running.map(|handle| async move {
            // One that has just ended has none; one that does not answer holds up nobody.
            let ways = timeout(2 * TOLD_WITHIN, handle.viewers()).await;
            let ways = ways.ok().and_then(Result::ok).unwrap_or_default();
            let session_id = handle.record.borrow().session_id;
            Watched { session_id, ways }
        });
        join_all(asked).await
    }
}

/// Connections that are there, to be asked.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) livekit: Option<livekit::Publisher>,
    pub(super) viewers: Vec<whep::Viewer>,
}

impl Connections {
    /// Asks each: the publisher to the room first, then the viewers.
    pub(super) async fn describe(self) -> Vec<ViewerInfo> {
        let room = async {
            match &self.livekit {
                Some(publisher) => Some(info(None, within(publisher.describe()).await)),
                None => None,
            }
        };
        let viewers = self.viewers.iter();
        let viewers = viewers
            .map(|viewer| async { info(Some(viewer.id()), within(viewer.describe()).await) });
        let (room, viewers) = tokio::join!(room, join_all(viewers));
        room.into_iter().chain(viewers).collect()
    }
}

/// One that does not answer in time says nothing of itself.
async fn within(asked: impl Future<Output = Option<Vitals>>) -> Option<Vitals> {
    timeout(TOLD_WITHIN, asked).await.ok().flatten()
}

fn info(viewer_id: Option<ViewerId>, vitals: Option<Vitals>) -> ViewerInfo {
    let vitals = vitals.unwrap_or_default();
    let layers = vitals.pictures.iter().zip(Layer::ALL);
    ViewerInfo {
        kind: match viewer_id {
            Some(_) => ViewerKind::Whep,
            None => ViewerKind::Livekit,
        },
        viewer_id,
        connected: vitals.is_open,
        route: vitals.way.map(|(transport, _)| match transport {
            Transport::Udp => Route::Udp,
            Transport::Tcp => Route::Tcp,
            Transport::Relay(_) => Route::Relay,
        }),
        remote: vitals.way.map(|(_, address)| address.to_string()),
        rtt_ms: vitals.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
        loss: vitals.loss,
        estimate_bps: vitals.carries.bits,
        path_full: vitals.carries.is_full,
        layers: layers
            .filter(|(pictures, _)| pictures.sent > 0)
            .map(|(pictures, layer)| LayerSent {
                layer: layer.name(),
                fps: pictures.fps,
                pictures_sent: pictures.sent,
            })
            .collect(),
        packets_repaired: vitals.repairs,
        keyframes_asked: vitals.keyframes_asked,
        dropped: vitals.dropped,
    }
}

/// A connection that lives answers at once.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
