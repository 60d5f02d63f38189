//! The start of a session: gate, context, first page, stage, and then its actor.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use super::actor::{Actor, Asking};
use super::handle::SessionHandle;
use super::journal::Journal;
use super::keeping::Keeping;
use super::ledger::Ledger;
use super::limits::{self, Used};
use super::links::Links;
use super::logbook::Logbook;
use super::memory::Overgrown;
use super::outlets;
use super::partings::Partings;
use super::perform::Kit;
use super::quarters::{Quarters, Search};
use super::remains::Remains;
use super::remembered::Remembered;
use super::request::REQUESTS_MAX;
use super::room;
use super::stage::Stage;
use super::studio::Studio;
use super::supervise::caught;
use super::visited::Visited;
use crate::browser::capture::Easel;
use crate::browser::gate::{Gate, OwnAddresses, Policy};
use crate::browser::{Jar, Lease, Pool, Remote, Tabs};
use crate::config::{self, Config, Live};
use crate::error::Error;
use crate::events;
use crate::model::allowlist::{self, Allowlist};
use crate::model::control::ControlStatus;
use crate::model::session::{LiveKitStatus, VideoStats, Viewers};
use crate::model::{
    BrowserPlace, BrowserWish, SessionId, SessionRecord, SessionSpec, SessionState, UnixTime,
};
use crate::publish::record::{self, Shelf};
use crate::store::Gallery;
use crate::store::Registry;
use crate::vision;

/// Page events that may wait for the actor; the page's listener waits beyond.
const PAGE_EVENTS_MAX: usize = 1_024;
/// What is to be drawn for a moment and waits; what comes beyond is left out.
const SKETCHES_MAX: usize = 2;

/// What every session of the service is started with.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) config: Live,
    pub(super) pool: Pool,
    pub(super) remote: Remote,
    pub(super) bus: events::Bus,
    pub(super) vision: vision::Client,
    pub(super) shelf: Shelf,
    pub(super) registry: Registry,
    pub(super) overgrown: Overgrown,
    pub(super) links: Links,
    pub(super) journal: Journal,
    pub(super) partings: Partings,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// The record of a session that is about to start.
pub(super) fn first_record(config: &Config, spec: &SessionSpec) -> SessionRecord {
    let now = UnixTime::now().to_iso8601();
    let (idle_timeout_s, max_lifetime_s) = limits::of(&config.session, spec);
    SessionRecord {
        session_id: SessionId::new(),
        session_name: spec.session_name.clone(),
        room_name: spec.room_name.clone(),
        active: true,
        state: SessionState::Starting,
        state_reason: None,
        is_opening: spec.initial_url.is_some(),
        page_error: None,
        http_status: None,
        current_url: "about:blank".to_owned(),
        title: String::new(),
        created_at: now.clone(),
        last_activity: now,
        page_count: 1,
        capture: spec.capture.unwrap_or_default(),
        capture_reason: None,
        browser: match spec.browser.unwrap_or(config.remote.browser) {
            BrowserWish::Auto | BrowserWish::Local => BrowserPlace::Local,
            BrowserWish::Remote => BrowserPlace::Remote,
        },
        capturing: false,
        viewers: Viewers::default(),
        livekit: LiveKitStatus::None,
        viewport: spec.viewport(),
        fps: spec.fps.unwrap_or(config.session.fps),
        bitrate_bps: spec.bitrate_bps.unwrap_or(config.session.bitrate_bps),
        video: VideoStats::default(),
        recording: None,
        cursor: None,
        dialogs: spec.dialogs,
        control: ControlStatus::default(),
        running_action: None,
        queued_actions: 0,
        allowed_domains: spec.allowed_domains.clone(),
        block_private_networks: spec.block_private_networks,
        connections: 0,
        idle_timeout_s,
        max_lifetime_s,
        metadata: spec.metadata.clone(),
    }
}

/// Moves in, and says which browser it is and how that is captured, and why not otherwise where that was not asked for.
fn move_in(record: &mut SessionRecord, spec: &SessionSpec, found: Quarters) -> (Gate, Lease, Tabs) {
    let captured = found.lease.captured();
    (record.browser, record.capture) = (found.place, captured.mode);
    let is_asked = spec.capture == Some(captured.mode);
    record.capture_reason = captured.why.clone().filter(|_| !is_asked);
    (found.gate, found.lease, found.tabs)
}

/// The directory of recordings.
pub(super) fn shelf(config: &config::Recording) -> Shelf {
    let directory = match config.directory.as_os_str().is_empty() {
        true => config::data_directory().join("recordings"),
        false => config.directory.clone(),
    };
    Shelf::new(record::Options {
        directory,
        bytes_max: config.bytes_max,
        total_bytes_max: config.total_bytes_max,
        free_bytes_min: config.free_bytes_min,
    })
}

/// Where screenshots are saved.
pub(super) fn gallery(config: &config::Screenshots) -> Gallery {
    let directory = match config.directory.as_os_str().is_empty() {
        true => config::data_directory().join("screenshots"),
        false => config.directory.clone(),
    };
    Gallery::new(directory, config.total_bytes_max)
}

/// A server that the service was not configured with needs a token of the caller's: one of the
/// service's own would hand its key's power to whoever listens there.
pub(super) fn check_livekit(config: &Config, spec: &SessionSpec) -> Result<(), Error> {
    let is_foreign = |url: &String| !outlets::is_own(&config.livekit, url);
    if spec.own_livekit_token().is_none() && spec.livekit_url.as_ref().is_some_and(is_foreign) {
        return Err(
            Error::unprocessable("livekit_url came without livekit_token").hint(
                "Send a token for the room; the service makes one only for the server of its own \
                 LIVEKIT_URL, which needs no livekit_url.",
            ),
        );
    }
    Ok(())
}

/// Puts into a specification what holds of its fence: a caller narrows what the operator permits, and
/// widens nothing.
pub(super) fn narrow(config: &config::Browser, spec: &mut SessionSpec) -> Result<(), Error> {
    spec.allowed_domains = allowlist::narrowed(&spec.allowed_domains, &config.allowed_domains)?;
    spec.block_private_networks |= config.block_private_networks;
    Ok(())
}

/// The policy of a session's way out.
pub(super) fn policy(
    config: &Config,
    spec: &SessionSpec,
    own: OwnAddresses,
) -> Result<Policy, Error> {
    let mut allowlist = Allowlist::parse(&spec.allowed_domains)?;
    if !config.browser.deny_metadata {
        allowlist = allowlist.permit_metadata();
    }
    if spec.block_private_networks {
        allowlist = allowlist.block_private_networks();
    }
    if let Some(url) = &spec.initial_url {
        allowlist.url_verdict(url)?;
    }
    Ok(Policy {
        allowlist,
        deny_addresses: own,
        ..Policy::default()
    })
}

/// Starts a session. It lives on in its actor until it is closed. A stage that is there already, or is set up while
/// the browser starts, is taken when nothing can fail any more; else it is whoever called's to put away.
pub(super) async fn start(
    means: Means,
    spec: SessionSpec,
    mut record: SessionRecord,
    keeping: Keeping,
    can_run_here: Result<(), Error>,
    stage: &mut Option<Stage>,
) -> Result<SessionHandle, Error> {
    let (config, tracker) = (means.config.now(), means.tracker.clone());
    let (cancel, span) = (means.cancel.child_token(), span(&record));
    let (page_events, page_heard) = mpsc::channel(PAGE_EVENTS_MAX);
    let life = (&tracker, &means.cancel);
    let set_up = |record: &SessionRecord| {
        let made = || Stage::set_up(&config, &spec, record, &means.links, life);
        span.in_scope(made)
    };
    let search = Search::new(&means, &spec, &keeping, &page_events, &cancel);
    let set_up_now = || set_up(&record);
    let finding = find(&search, can_run_here, stage, &set_up_now);
    let found = finding.instrument(span.clone()).await?;
    let (gate, lease, tabs) = move_in(&mut record, &spec, found);
    let easel = Easel::new(&lease, record.viewport, &tracker);
    let channel = means.bus.room(&record.channel())?;
    let stage = stage.take().map_or_else(|| set_up(&record), Ok)?;
    tell_as_before(&mut record, &stage, &keeping);
    let (requests, requested) = mpsc::channel(REQUESTS_MAX);
    let (record_sender, record) = watch::channel(record);
    let (kept, visited) = (keeping.clone(), visited(lease.jar()).await);
    let kept = kept.run(record.clone(), tabs.clone(), lease.jar(), visited.clone());
    tracker.spawn(kept.instrument(span.clone()));
    let handle = SessionHandle {
        requests,
        ledger: Ledger::new(means.journal.of(&record_sender.borrow())),
        record,
        tabs: tabs.clone(),
        easel,
        vision: means.vision,
        secrets: keeping.secrets().clone(),
        remembered: Remembered::default(),
        keeping,
        logbook: Logbook::default(),
        browser_pid: lease.pid(),
        sent: stage.outlets.sent(),
        company: stage.outlets.company(),
        used: Used::default(),
        visited: visited.clone(),
        wheel: stage.wheel.clone(),
    };
    let door = cancel.child_token();
    let at_the_door = room::serve(&handle, stage.outlets.talk(), door.clone());
    tracker.spawn(at_the_door.instrument(span.clone()));
    let (kit, sketches) = kit((&config, &spec), tabs, gate, stage.studio.clone(), &handle);
    let actor = Actor {
        requested,
        page_heard,
        loss: lease.loss(),
        overgrown: means.overgrown,
        sketches,
        record: record_sender,
        room: channel,
        ledger: handle.ledger.clone(),
        logbook: handle.logbook.clone(),
        visited,
        partings: means.partings,
        kit,
        stage,
        lease: Some(lease),
        shelf: means.shelf,
        config,
        door,
        tracker: tracker.clone(),
        cancel,
    };
    tracker.spawn(run(actor, spec.initial_url).instrument(span));
    Ok(handle)
}

/// Finds quarters, and sets up the stage while a browser of this machine starts: the room has the track, and those in it
/// have subscribed, by the time that it has. Only a search that breaks leaves nobody to put the stage away.
async fn find(
    search: &Search<'_>,
    can_run_here: Result<(), Error>,
    stage: &mut Option<Stage>,
    set_up: &(dyn Fn() -> Result<Stage, Error> + Sync),
) -> Result<Quarters, Error> {
    let mut cut = None;
    let mut begins = || {
        if stage.is_none() {
            let made = set_up()?;
            cut = Some(made.outlets.cut().drop_guard());
            *stage = Some(made);
        }
        Ok(())
    };
    let found = search.find(can_run_here, &mut begins).await;
    drop(cut.map(DropGuard::disarm));
    found
}

/// What is told in a session: it outlives by far whatever has asked for it, of which the last word is that it starts.
fn span(record: &SessionRecord) -> Span {
    let (room, id) = (record.channel(), record.session_id);
    tracing::info!(%room, %id, "a session starts");
    tracing::info_span!(parent: None, "session", %room, %id)
}

/// While somebody has the page to themselves, what is told of it is what was so before.
fn tell_as_before(record: &mut SessionRecord, stage: &Stage, keeping: &Keeping) {
    if stage.wheel.private_driver().is_some() {
        let before = keeping.last().record;
        record.current_url = before.current_url;
        record.title = before.title;
        record.page_count = before.page_count;
    }
}

/// Where the pages of a kept session have been already.
async fn visited(jar: Option<Jar>) -> Visited {
    match jar {
        Some(jar) => Visited::new(jar.origins().await),
        None => Visited::default(),
    }
}

/// What a session's actions work with, and what they want drawn.
fn kit(
    (config, spec): (&Config, &SessionSpec),
    tabs: Tabs,
    gate: Gate,
    studio: Studio,
    handle: &SessionHandle,
) -> (Kit, mpsc::Receiver<Asking>) {
    let (sketches, asked) = mpsc::channel(SKETCHES_MAX);
    let kit = Kit {
        tabs,
        gate: Arc::new(gate),
        studio,
        sketches,
        easel: handle.easel.clone(),
        config: config.session.clone(),
        uploads_dir: config.browser.uploads_dir.as_path().into(),
        secrets: handle.secrets.clone(),
        wheel: handle.wheel.clone(),
        fps: handle.record.borrow().fps,
        has_driver_badge: spec.driver_badge.unwrap_or(config.video.driver_badge),
    };
    (kit, asked)
}

/// Runs a session's actor, and fails the session if it breaks.
async fn run(actor: Actor, initial_url: Option<String>) {
    let (kit, cancel) = (actor.kit.clone(), actor.cancel.clone());
    let cut = actor.stage.outlets.cut();
    let remains = Remains {
        record: actor.record.clone(),
        room: Arc::clone(&actor.room),
        ledger: actor.ledger.clone(),
        logbook: actor.logbook.clone(),
        secrets: kit.secrets.clone(),
        put_away: Box::new(move || {
            kit.studio.end();
            kit.tabs.end();
            kit.gate.end();
            cut.cancel();
            cancel.cancel();
        }),
    };
    if let Err(panicked) = caught("actor", actor.run(initial_url)).await {
        remains.fail(&panicked);
    }
}
