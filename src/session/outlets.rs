//! Where a session's video goes: the LiveKit publisher and the WHEP viewers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::Seat;
use super::studio::Studio;
use super::supervise::Supervisor;
use super::viewing::Connections;
use super::wheel::Ear;
use crate::config;
use crate::error::Error;
use crate::livekit::{Company, Minter, conventions, place};
use crate::media::Level;
use crate::model::session::LiveKitStatus;
use crate::model::{Secret, SessionSpec, Size, ViewerId};
use crate::publish::layers::are_of_use;
use crate::publish::{FeedId, livekit, whep};
use crate::refusals::{Limit, refused};
use crate::rtc::peer::Rate;
use crate::rtc::sockets;

/// What outlets are made from.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) livekit: config::LiveKit,
    pub(super) rtc: config::Rtc,
    /// Where the service listens; viewers on this machine reach loopback.
    pub(super) listen: IpAddr,
    pub(super) size: Size,
    pub(super) fps: u32,
    pub(super) bitrate_bps: u32,
    /// Whether there may be a low layer.
    pub(super) low_layer: bool,
}

/// The outlets of one session.
#[derive(Debug)]
pub(super) struct Outlets {
    studio: Studio,
    settings: Settings,
    livekit: Option<livekit::Publisher>,
    livekit_feed: Option<FeedId>,
    viewers: HashMap<ViewerId, Watching>,
    /// The seat of the person who has the page to themselves.
    veil: Option<Seat>,
    ended: mpsc::Sender<ViewerId>,
    /// Bytes sent to all of them.
    sent: Arc<AtomicU64>,
    supervisor: Supervisor,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

/// A viewer, and where they sit.
#[derive(Debug)]
struct Watching {
    viewer: whep::Viewer,
    feed: FeedId,
    seat: Option<Seat>,
}

impl Outlets {
    /// No outlets yet. Viewers that end by themselves are told to `ended`.
    pub(super) fn new(
        studio: Studio,
        settings: Settings,
        ended: mpsc::Sender<ViewerId>,
        supervisor: Supervisor,
        tracker: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            studio,
            settings,
            livekit: None,
            livekit_feed: None,
            viewers: HashMap::new(),
            veil: None,
            ended,
            sent: Arc::default(),
            supervisor,
            tracker,
            cancel,
        }
    }

    /// Counts the bytes that are sent to all of them.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// Starts to publish into the room, if the session has LiveKit settings at all.
    pub(super) fn join(&mut self, spec: &SessionSpec) -> Result<(), Error> {
        let Some((url, credentials)) = credentials(spec, &self.settings.livekit) else {
            return Ok(());
        };
        let options = livekit::Options {
            url,
            credentials,
            size: self.settings.size,
            rate: self.rate(),
            has_low: self.settings.low_layer && are_of_use(self.settings.size, self.rate().target),
            sockets: self.sockets(None)?,
            topics: &conventions::INPUT_TOPICS,
        };
        let feed = self.studio.subscribe();
        self.livekit_feed = Some(feed.id());
        let publisher = livekit::start(options, feed, &self.tracker, &self.cancel);
        let (mut company, studio) = (publisher.company(), self.studio.clone());
        self.tracker.spawn(async move {
            while company.changed().await.is_ok() {
                studio.set_people(company.borrow_and_update().people);
            }
        });
        self.livekit = Some(publisher);
        Ok(())
    }

    /// The LiveKit publisher's state, to wait on.
    pub(super) fn livekit_states(&self) -> Option<watch::Receiver<livekit::State>> {
        self.livekit.as_ref().map(livekit::Publisher::states)
    }

    /// Who is in the room beside the browser; none for a session without LiveKit.
    pub(super) fn company(&self) -> Option<watch::Receiver<Company>> {
        self.livekit.as_ref().map(livekit::Publisher::company)
    }

    /// The way to and from those in the room; none for a session without LiveKit.
    pub(super) fn talk(&self) -> Option<livekit::Talk> {
        self.livekit.as_ref().map(livekit::Publisher::talk)
    }

    /// Tries to reach LiveKit at once.
    pub(super) fn reconnect(&self) {
        if let Some(publisher) = &self.livekit {
            publisher.reconnect_now();
        }
    }

    /// Replaces the token that the room is joined with, from the next connection on.
    pub(super) fn set_token(&self, token: Secret) -> Result<(), Error> {
        let publisher = self.livekit.as_ref().ok_or_else(|| {
            Error::invalid_input("the session was started without LiveKit, so it takes no token")
                .hint("Close it, and start it again with livekit_url and livekit_token.")
        })?;
        publisher.set_token(token);
        Ok(())
    }

    /// Tells the room what the browser does, as attributes of its participant.
    pub(super) fn set_attributes(&self, attributes: impl IntoIterator<Item = (String, String)>) {
        if let Some(publisher) = &self.livekit {
            publisher.set_attributes(attributes);
        }
    }

    /// Stops the video everywhere.
    pub(super) fn pause(&self) {
        self.studio.set_paused(true);
        if let Some(publisher) = &self.livekit {
            publisher.pause();
        }
    }

    /// Shows the current page everywhere.
    pub(super) fn resume(&self) {
        self.studio.set_paused(false);
        if let Some(publisher) = &self.livekit {
            publisher.resume();
        }
    }

    /// The seat of the person to whom alone the page is shown.
    pub(super) const fn veil(&self) -> Option<&Seat> {
        self.veil.as_ref()
    }

    /// Shows the page to whoever sits there alone, and a card to all others; or the page to everybody.
    pub(super) fn set_veil(&mut self, driver: Option<Seat>) {
        self.veil = driver;
        self.draw_veil();
    }

    fn draw_veil(&self) {
        let Some(driver) = &self.veil else {
            return self.studio.lift_veil();
        };
        let viewers = self.viewers.values();
        let own = viewers.filter(|watching| watching.seat.as_ref() == Some(driver));
        let own: HashSet<FeedId> = own.map(|watching| watching.feed).collect();
        self.studio.veil(own);
    }

    /// Adds a WHEP viewer, who sits where their ear does if they came to drive, whose address is `remote` as far
    /// as it is known, and who may watch `until` then.
    pub(super) fn add_viewer(
        &mut self,
        offer: &str,
        (remote, ear): (Option<IpAddr>, Ear),
        until: CancellationToken,
    ) -> Result<(ViewerId, String), Error> {
        if self.viewers.len() >= self.settings.rtc.viewers_max {
            let full = Error::exhausted("too many viewers watch this session")
                .hint("Close one, or raise rtc.viewers_max.");
            return Err(refused(Limit::Viewers, full));
        }
        // What listens on loopback only is reached on loopback only, media too; unless it is told to be
        // elsewhere as well, behind a proxy.
        let listen = self.settings.listen;
        let is_alone = listen.is_loopback() && self.settings.rtc.hosts.is_empty();
        let bind = is_alone.then_some(listen);
        let seat = ear.seat().cloned();
        let options = whep::Options {
            rate: self.rate(),
            sockets: self.sockets(bind)?,
            remote,
            ear: Arc::new(ear),
            until,
        };
        let feed = self.studio.subscribe();
        let feed_id = feed.id();
        let (answer, viewer) = whep::start(offer, &options, feed, &self.tracker, &self.cancel)?;
        let id = viewer.id();
        let (watched, ended) = (viewer.clone(), self.ended.clone());
        self.supervisor.spawn(&self.tracker, "outlets", async move {
            watched.ended().await;
            // An actor that is gone has no viewers any more.
            let _ = ended.send(id).await;
        });
        let watching = Watching {
            viewer,
            feed: feed_id,
            seat,
        };
        self.viewers.insert(id, watching);
        if self.veil.is_some() {
            self.draw_veil();
        }
        metrics::gauge!("ghostcast_viewers").increment(1.0);
        Ok((id, answer))
    }

    /// Tells a viewer's further ICE candidates.
    pub(super) fn trickle(&self, id: ViewerId, candidates: &str) -> Result<(), Error> {
        Ok(self
            .viewers
            .get(&id)
            .ok_or_else(no_viewer)?
            .viewer
            .add_candidates(candidates)?)
    }

    /// Ends a viewer; false when it is gone already.
    pub(super) fn remove_viewer(&mut self, id: ViewerId) -> bool {
        let Some(watching) = self.viewers.remove(&id) else {
            return false;
        };
        watching.viewer.close();
        metrics::gauge!("ghostcast_viewers").decrement(1.0);
        true
    }

    /// Whether anybody in the room subscribes to the video.
    pub(super) fn livekit_is_watched(&self) -> bool {
        self.livekit_feed
            .is_some_and(|feed| self.studio.is_watched_by(feed))
    }

    /// WHEP viewers.
    pub(super) fn viewer_count(&self) -> u32 {
        u32::try_from(self.viewers.len()).unwrap_or(u32::MAX)
    }

    /// The connections that there are, to be asked what is seen of them.
    pub(super) fn connections(&self) -> Connections {
        let viewers = self.viewers.values();
        Connections {
            livekit: self.livekit.clone(),
            viewers: viewers.map(|watching| watching.viewer.clone()).collect(),
        }
    }

    /// Takes the publisher and the viewers, as they are.
    pub(super) fn take(&mut self) -> Self {
        Self {
            studio: self.studio.clone(),
            settings: self.settings.clone(),
            livekit: self.livekit.take(),
            livekit_feed: self.livekit_feed.take(),
            viewers: std::mem::take(&mut self.viewers),
            veil: self.veil.clone(),
            ended: self.ended.clone(),
            sent: Arc::clone(&self.sent),
            supervisor: self.supervisor.clone(),
            tracker: self.tracker.clone(),
            cancel: self.cancel.clone(),
        }
    }

    /// Cancelled, it ends what there is at once and without a word.
    pub(super) fn cut(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Ends every viewer and leaves the room; what is answered lasts until it is left.
    pub(super) fn leave(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let ids: Vec<ViewerId> = self.viewers.keys().copied().collect();
        for id in ids {
            self.remove_viewer(id);
        }
        let (publisher, cancel) = (self.livekit.take(), self.cancel.clone());
        async move {
            if let Some(publisher) = publisher {
                publisher.close().await;
            }
            cancel.cancel();
        }
    }

    fn rate(&self) -> Rate {
        Rate {
            target: u64::from(self.settings.bitrate_bps),
            level: Level::of(self.settings.size, self.settings.fps),
        }
    }

    fn sockets(&self, bind: Option<IpAddr>) -> Result<sockets::Config, Error> {
        Ok(sockets::Config {
            bind,
            ports: self.settings.rtc.port_range()?,
            advertise: self.settings.rtc.hosts.clone(),
            sent: Arc::clone(&self.sent),
        })
    }
}

/// No such viewer.
pub(super) fn no_viewer() -> Error {
    Error::not_found("there is no such viewer").hint("It ended already; POST a new offer.")
}

/// The server and the way in: the caller's, or the service's own. A token of the service's key goes to
/// the server that the service was configured with and to no other.
fn credentials(
    spec: &SessionSpec,
    own: &config::LiveKit,
) -> Option<(String, livekit::Credentials)> {
    let given = spec
        .own_livekit_token()
        .map(|token| livekit::Credentials::Given(Secret::from(token.to_owned())));
    let room = spec.room_name.as_ref()?;
    let minted = || {
        livekit::Credentials::Minted(Minter {
            api_key: own.api_key.clone(),
            api_secret: own.api_secret.clone(),
            room: room.clone(),
            identity: own.identity.clone(),
            name: "Browser".to_owned(),
        })
    };
    match (&spec.livekit_url, given) {
        (Some(url), Some(given)) => Some((url.clone(), given)),
        (Some(url), None) if !is_own(own, url) => None,
        _ if own.is_configured() => Some((own.url.clone(), minted())),
        _ => None,
    }
}

/// Whether an address is that of the service's own LiveKit server.
pub(super) fn is_own(own: &config::LiveKit, url: &str) -> bool {
    own.is_configured() && place::is_same(&own.url, url)
}

/// The publisher's state as a session shows it.
pub(super) fn status(state: &livekit::State) -> (LiveKitStatus, String) {
    match state {
        livekit::State::Connecting => (LiveKitStatus::Connecting, String::new()),
        livekit::State::Connected => (LiveKitStatus::Connected, "LiveKit is connected".to_owned()),
        livekit::State::Reconnecting { reason } => (LiveKitStatus::Reconnecting, reason.clone()),
        livekit::State::Failed { reason } => (LiveKitStatus::Failed, reason.clone()),
        livekit::State::Closed => (LiveKitStatus::None, String::new()),
    }
}
