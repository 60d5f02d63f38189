//! [`Manager`]: who gets which session, admission, and shutdown.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::{BoxFuture, join_all};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::handle::SessionHandle;
use super::journal::Journal;
use super::keeping::Keeping;
use super::links::Links;
use super::machine::still_starting;
use super::memory::Overgrown;
use super::partings::Partings;
use super::slots::{self, Slot, Slots};
use super::stage::{self, Stage};
use super::start::{self, Means};
use super::usage::{Busy, Measured};
use crate::browser::{self, Pool, Remote};
use crate::config::{Config, Live};
use crate::error::{Error, ErrorKind};
use crate::events;
use crate::model::{
    End, EndReason, Kept, RoomName, Secrets, SessionId, SessionRecord, SessionSpec, SessionState,
};
use crate::publish::record::Shelf;
use crate::refusals::{Limit, refused};
use crate::store::{PictureName, Registry, Saved};
use crate::vision;

/// All sessions of the service.
#[derive(Debug, Clone)]
pub struct Manager {
    pub(super) means: Means,
    slots: Arc<Mutex<Slots>>,
    /// When browsers of kept sessions were started again after a loss, by the session.
    pub(super) restarts: Arc<Mutex<HashMap<SessionId, Vec<Instant>>>>,
    pub(super) measured: Measured,
}

/// A session that was asked for.
#[derive(Debug)]
pub struct Opened {
    /// The session.
    pub handle: SessionHandle,
    /// Whether it was there before, alive or stored.
    pub is_reused: bool,
}

/// Frees the names of a session that could not be started; one that was stored is stored again.
struct Claim<'a> {
    manager: &'a Manager,
    channel: RoomName,
    id: SessionId,
    stored: Option<Box<Kept>>,
    is_held: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_held {
            return;
        }
        let mut slots = self.manager.lock();
        slots.remove(&self.channel, self.id);
        if let Some(kept) = self.stored.take() {
            let kept = at_rest(*kept, None);
            let registry = self.manager.means.registry.clone();
            slots.store(kept.clone());
            // A registry that cannot be written has been told of.
            let writing = async move { drop(registry.put(kept).await) };
            self.manager.means.tracker.spawn(writing);
        }
    }
}

impl Manager {
    /// A manager without sessions.
    pub fn new(
        config: Live,
        pool: Pool,
        bus: events::Bus,
        kept: (Registry, Vec<Kept>),
        journal: Journal,
        tracker: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let (registry, stored) = kept;
        let first = config.now();
        pool.own_addresses().add(first.server.listen);
        let vision = vision::Client::new(&first.vision);
        let remote = Remote::new(
            &first.remote,
            first.browser.probe_interval(),
            registry.remote_notes().as_deref(),
            browser::Life {
                tracker: tracker.clone(),
                cancel: cancel.clone(),
            },
        );
        if let Some(debugger) = remote.debugger() {
            pool.own_addresses().add(debugger);
        }
        let means = Means {
            remote,
            vision,
            shelf: start::shelf(&first.recording),
            links: Links::default(),
            registry,
            overgrown: Overgrown::default(),
            journal,
            partings: Partings::default(),
            config,
            pool,
            bus,
            tracker,
            cancel,
        };
        let mut slots = Slots::default();
        for kept in stored {
            slots.put(kept.record.channel(), Slot::Stored(Box::new(kept)));
        }
        Self {
            means,
            slots: Arc::new(Mutex::new(slots)),
            restarts: Arc::default(),
            measured: Measured::default(),
        }
    }

    /// What the registry needs to make records of what is stored.
    pub fn restore(config: &Config, spec: &SessionSpec) -> SessionRecord {
        start::first_record(config, spec)
    }

    /// Why nothing can be kept on disk, as far as is known.
    pub fn registry_problem(&self) -> Option<String> {
        self.means.registry.problem()
    }

    /// The links by which people come to sessions.
    pub fn links(&self) -> &Links {
        &self.means.links
    }

    /// How people leave sessions.
    pub fn partings(&self) -> &Partings {
        &self.means.partings
    }

    /// Starts a session, or finds the one of that name.
    pub async fn open(&self, spec: SessionSpec) -> Result<Opened, Error> {
        let opened = self.open_uncounted(spec).await;
        let outcome = match &opened {
            Ok(opened) if opened.is_reused => "reused",
            Ok(_) => "started",
            Err(error) => match error.kind {
                ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::Timeout => "failed",
                _ => "refused",
            },
        };
        metrics::counter!("ghostcast_session_starts_total", "outcome" => outcome).increment(1);
        opened
    }

    async fn open_uncounted(&self, mut spec: SessionSpec) -> Result<Opened, Error> {
        spec.check()?;
        start::narrow(&self.means.config.now().browser, &mut spec)?;
        start::check_livekit(&self.means.config.now(), &spec)?;
        start::policy(
            &self.means.config.now(),
            &spec,
            self.means.pool.own_addresses(),
        )?;
        let claimed = loop {
            match self.claim(&spec)? {
                slots::Claim::New(claimed) => break claimed,
                slots::Claim::There(handle) => {
                    handle.learn(&spec).await?;
                    handle.used.note();
                    return Ok(Opened {
                        handle,
                        is_reused: true,
                    });
                }
                // What became of it is seen by the next look.
                slots::Claim::Starting(mut over) => drop(over.changed().await),
            }
        };
        let is_reused = claimed.stored.is_some();
        // Finished by a task of its own: a caller that hangs up leaves a whole session or none.
        let manager = self.clone();
        let starting = async move { manager.start_claimed(*claimed).await }.in_current_span();
        let starting = self.means.tracker.spawn(starting);
        let handle = starting
            .await
            .map_err(|error| Error::internal("the session's start broke").source(error))??;
        Ok(Opened { handle, is_reused })
    }

    /// [`Self::open`], for what a start itself leads to.
    pub(super) fn open_boxed(&self, spec: SessionSpec) -> BoxFuture<'_, Result<Opened, Error>> {
        Box::pin(self.open(spec))
    }

    /// Starts a session, or finds the one of that name.
    pub async fn start(&self, spec: SessionSpec) -> Result<SessionHandle, Error> {
        self.open(spec).await.map(|opened| opened.handle)
    }

    async fn start_claimed(&self, claimed: slots::Claimed) -> Result<SessionHandle, Error> {
        let slots::Claimed {
            spec,
            record,
            dead,
            stored,
            _starting,
        } = claimed;
        let mut claim = Claim {
            manager: self,
            channel: record.channel(),
            id: record.session_id,
            stored,
            is_held: false,
        };
        let mut stage = None;
        for handle in dead.iter().filter(|handle| handle.kept().is_some()) {
            stage = stage.or(handle.hand_over().await);
        }
        join_all(dead.iter().map(SessionHandle::close)).await;
        let stored = claim.stored.as_deref();
        let suits = stored.is_some_and(|kept| stage::suits(kept, &spec, &record));
        if let Some(stage) = stage.take_if(|_| !suits) {
            stage.leave().await;
        }
        let started = self.start_on(stored, spec, record, &mut stage).await;
        // Nobody else would ever end it.
        if let Some(stage) = stage {
            stage.leave().await;
        }
        if let (Err(error), false) = (&started, dead.is_empty()) {
            self.tell_stored(&claim.channel, claim.id, error);
        }
        let handle = started?;
        claim.is_held = true;
        self.lock()
            .put(claim.channel.clone(), Slot::Held(handle.clone()));
        let sweeping = self.clone().sweep(handle.record.clone());
        self.means.tracker.spawn(sweeping);
        let remembering = self.clone().remember(handle.clone());
        self.means.tracker.spawn(remembering);
        let limiting = self.clone().limit(handle.clone());
        self.means.tracker.spawn(limiting);
        metrics::gauge!("ghostcast_sessions").set(self.count_live() as f64);
        Ok(handle)
    }

    /// Starts a session whose names are taken, on the stage of the one before if there is one.
    async fn start_on(
        &self,
        stored: Option<&Kept>,
        mut spec: SessionSpec,
        record: SessionRecord,
        stage: &mut Option<Stage>,
    ) -> Result<SessionHandle, Error> {
        let can_run_here = self.must_have_memory().await;
        let keeping = self.keep(&spec, &record, stored).await?;
        if let Some(url) = stored.and_then(last_url) {
            spec.initial_url = self.permitted(&spec, url);
        }
        let means = self.means.clone();
        let started = start::start(means, spec, record, keeping.clone(), can_run_here, stage).await;
        if started.is_err() && stored.is_none() {
            // Without a registry there is nothing to forget.
            let _ = keeping.forget().await;
        }
        started
    }

    /// An address that a session comes back to, if it may be there.
    fn permitted(&self, spec: &SessionSpec, url: String) -> Option<String> {
        let mut there = spec.clone();
        there.initial_url = Some(url);
        let own = self.means.pool.own_addresses();
        match start::policy(&self.means.config.now(), &there, own) {
            Ok(_) => there.initial_url,
            Err(error) => {
                tracing::warn!(%error, "a session does not come back to its last page");
                None
            }
        }
    }

    /// Writes a session down that is about to start. One with a name is on the disk when this returns.
    async fn keep(
        &self,
        spec: &SessionSpec,
        record: &SessionRecord,
        stored: Option<&Kept>,
    ) -> Result<Keeping, Error> {
        let tabs = stored.map(|kept| kept.tabs.clone()).unwrap_or_default();
        let mut record = record.clone();
        if let Some(kept) = stored {
            // What it comes back to is lost if it never does.
            record.current_url.clone_from(&kept.record.current_url);
            record.title.clone_from(&kept.record.title);
        }
        let had = stored.map_or(&[][..], |kept| &kept.secret_labels);
        let labels: BTreeSet<String> = spec.secrets.keys().chain(had).cloned().collect();
        let first = Kept {
            record,
            spec: spec.clone(),
            tabs,
            secret_labels: labels.iter().cloned().collect(),
        };
        let is_named = spec.session_name.is_some();
        let secrets = Secrets::new(&self.means.config.now().secrets, &spec.secrets);
        secrets.lose(&labels);
        let keeping = Keeping::new(first, self.means.registry.clone(), secrets);
        if is_named {
            keeping.write().await?;
        } else if keeping.is_wanted() {
            let writing = keeping.clone();
            // A session without a name does not need a registry.
            self.means
                .tracker
                .spawn(async move { drop(writing.write().await) });
        }
        Ok(keeping)
    }

    /// The session with that id, of that name or of that room. One that is stored, or whose browser was
    /// lost, comes back.
    pub async fn find(&self, key: &str) -> Result<SessionHandle, Error> {
        let name = {
            let slots = self.lock();
            let name = |slot: &Slot| slot.with(|record| record.session_name.clone());
            match slots.get(key) {
                None => return Err(no_session(key)),
                Some(slot @ Slot::Held(handle)) => match name(slot) {
                    Some(name) if handle.record.borrow().state == SessionState::Failed => name,
                    _ => {
                        handle.used.note();
                        return Ok(handle.clone());
                    }
                },
                Some(slot @ Slot::Starting { .. }) => name(slot).ok_or_else(still_starting)?,
                Some(slot @ Slot::Stored(_)) => name(slot).ok_or_else(|| no_session(key))?,
            }
        };
        let opened = self.open(SessionSpec::named(name)).await?;
        opened.handle.opened().await;
        Ok(opened.handle)
    }

    /// The session as [`Self::find`] has it, unless it is stored.
    pub(super) fn held(&self, key: &str) -> Result<SessionHandle, Error> {
        match self.lock().get(key) {
            Some(Slot::Held(handle)) => Ok(handle.clone()),
            Some(Slot::Starting { .. }) => Err(still_starting()),
            Some(Slot::Stored(_)) | None => Err(no_session(key)),
        }
    }

    /// The record of the session with that id, of that name or of that room.
    pub fn record(&self, key: &str) -> Result<SessionRecord, Error> {
        let record = self.lock().get(key).map(Slot::record);
        record
            .map(|record| self.complete(record))
            .ok_or_else(|| no_session(key))
    }

    /// The records of all sessions, oldest first.
    pub fn records(&self) -> Vec<SessionRecord> {
        let records: Vec<_> = self.lock().all().map(Slot::record).collect();
        let mut records: Vec<_> = records
            .into_iter()
            .map(|record| self.complete(record))
            .collect();
        records.sort_by(|a, b| a.created_at.cmp(&b.created_at));
        records
    }

    /// All sessions and what they are used for, oldest first.
    pub(super) fn busy(&self) -> Vec<Busy> {
        let slots: Vec<Slot> = self.lock().all().cloned().collect();
        let busy = |slot: Slot| {
            let record = self.complete(slot.record());
            let (browser_pid, bytes_sent, actions) = match &slot {
                Slot::Held(handle) => (
                    handle.browser_pid.filter(|_| !record.state.is_dead()),
                    handle.sent.load(Ordering::Relaxed),
                    handle.ledger.count(),
                ),
                Slot::Starting { .. } | Slot::Stored(_) => (None, 0, 0),
            };
            Busy {
                record,
                browser_pid,
                bytes_sent,
                actions,
            }
        };
        let mut busy: Vec<Busy> = slots.into_iter().map(busy).collect();
        busy.sort_by(|a, b| a.record.created_at.cmp(&b.record.created_at));
        busy
    }

    /// Ends a session, frees its names and forgets its record, which is answered as it was last; its
    /// profile stays.
    pub async fn close(&self, key: &str) -> Result<SessionRecord, Error> {
        self.close_for(key, &End::by_request()).await
    }

    /// As [`Self::close`], for a reason.
    pub(super) async fn close_for(&self, key: &str, end: &End) -> Result<SessionRecord, Error> {
        if let Some(record) = self.forget_stored(key).await? {
            self.remember_stored(&record, end.clone()).await;
            return Ok(record);
        }
        let handle = self.held(key)?;
        handle.close_for(end).await;
        handle.logbook.written().await;
        let mut record = handle.record();
        record.state = SessionState::Closed;
        // Somebody else may have started it again meanwhile.
        let is_it = self.lock().remove_held(&handle);
        let forgotten = match is_it || record.session_name.is_none() {
            true => handle.keeping.forget().await,
            false => Ok(()),
        };
        if record.session_name.is_some() {
            forgotten?;
            self.forget_restarts(record.session_id);
        }
        metrics::gauge!("ghostcast_sessions").set(self.count_live() as f64);
        Ok(record)
    }

    /// Forgets a session that is stored.
    pub(super) async fn forget_stored(&self, key: &str) -> Result<Option<SessionRecord>, Error> {
        let record = {
            let slots = self.lock();
            let Some(Slot::Stored(kept)) = slots.get(key) else {
                return Ok(None);
            };
            let mut record = kept.record.clone();
            record.state = SessionState::Closed;
            record
        };
        self.means.registry.remove(record.session_id).await?;
        let mut slots = self.lock();
        // One that came back meanwhile stays, and is written down again.
        let Some(Slot::Stored(_)) = slots.get(key) else {
            return Ok(None);
        };
        slots.remove(&record.channel(), record.session_id);
        drop(slots);
        self.forget_restarts(record.session_id);
        Ok(Some(record))
    }

    /// Puts a session away that has failed, once there was time to see why, and what its room
    /// remembers.
    async fn sweep(self, mut record: watch::Receiver<SessionRecord>) {
        let cancel = self.means.cancel.clone();
        let kept = self.means.config.now().session.failed_kept();
        let sweeping = async {
            // Whoever writes the record may be gone, and leaves it as it is.
            let _ = record.wait_for(|record| record.state.is_dead()).await;
            if record.borrow().state != SessionState::Failed {
                return;
            }
            let lost = record.borrow().clone();
            let Err(why) = self.start_again(&lost).await else {
                return;
            };
            if let Ok(handle) = self.held(&lost.session_id.to_string()) {
                handle.give_up(why).await;
            }
            let closed = async {
                if record
                    .wait_for(|record| record.state != SessionState::Failed)
                    .await
                    .is_err()
                {
                    std::future::pending::<()>().await;
                }
            };
            if tokio::time::timeout(kept, closed).await.is_ok() {
                return;
            }
            let lost_end = End::new(EndReason::BrowserLost, "its browser was lost");
            let (id, room) = {
                let record = record.borrow();
                (record.session_id, record.channel())
            };
            if self.rest(&id.to_string(), &lost_end).await {
                return;
            }
            // It may have made way for another one.
            if self.close(&id.to_string()).await.is_ok() {
                tracing::info!(%room, %id, "a failed session is put away");
                let slots = self.lock();
                if !slots.is_taken(&room) {
                    self.means.bus.forget(&room);
                }
            }
        };
        cancel.run_until_cancelled(sweeping).await;
    }

    /// Where the events are told that a path means: those of the session with that id, of that name or
    /// of that room, or else of a room that may have a session one day.
    pub fn room(&self, key: &str) -> Result<RoomName, Error> {
        let channel = self
            .lock()
            .get(key)
            .map(|slot| slot.with(SessionRecord::channel));
        channel.map_or_else(|| RoomName::parse(key), Ok)
    }

    /// The recordings.
    pub fn shelf(&self) -> &Shelf {
        &self.means.shelf
    }

    /// Saves a screenshot on the service's own disk.
    pub async fn save_picture(&self, name: PictureName, picture: Vec<u8>) -> Result<Saved, Error> {
        let gallery = start::gallery(&self.means.config.now().screenshots);
        let saving = tokio::task::spawn_blocking(move || gallery.save(&name, &picture));
        saving
            .await
            .map_err(|error| Error::internal("saving a screenshot broke").source(error))?
    }

    /// The event bus.
    pub fn bus(&self) -> &events::Bus {
        &self.means.bus
    }

    /// Sessions that are not dead.
    pub fn count_live(&self) -> usize {
        self.lock().count_live()
    }

    /// Takes the names of a new session, or finds who has them.
    fn claim(&self, spec: &SessionSpec) -> Result<slots::Claim, Error> {
        let config = self.means.config.now();
        let first = |spec: &SessionSpec| start::first_record(&config, spec);
        let claimed = self.lock().claim(spec, first, config.session.count_max);
        claimed.map_err(|error| match error.kind {
            ErrorKind::Exhausted => refused(Limit::Sessions, error),
            _ => error,
        })
    }

    /// Adds what only the service knows.
    pub(super) fn complete(&self, mut record: SessionRecord) -> SessionRecord {
        let connections = self.means.bus.connections(&record.channel());
        record.connections = u32::try_from(connections).unwrap_or(u32::MAX);
        record
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is kept of a session, as of one that has no browser.
pub(super) fn at_rest(mut kept: Kept, why: Option<&str>) -> Kept {
    kept.record.state = SessionState::Stored;
    kept.record.state_reason = why.map(str::to_owned);
    kept.record.active = false;
    kept.record.is_opening = false;
    kept
}

/// Where a session that comes back was, if that was anywhere that is known in full: an address with a
/// secret in it is not.
fn last_url(kept: &Kept) -> Option<String> {
    let url = &kept.record.current_url;
    let is_known = !kept.tabs.first().is_some_and(String::is_empty);
    (is_known && !url.is_empty() && url != "about:blank").then(|| url.clone())
}

pub(super) fn no_session(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::not_found(format!("there is no session \"{shown}\""))
        .hint("Start one of that name or on that room first, or list those there are.")
}
