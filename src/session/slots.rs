//! Which sessions there are, and who may take which name: what the manager decides under its lock.

use std::collections::HashMap;

use tokio::sync::watch;

use super::handle::SessionHandle;
use crate::error::Error;
use crate::model::{
    BrowserPlace, BrowserWish, Kept, RemoteFence, RoomName, SessionId, SessionRecord, SessionSpec,
    SessionState, allowlist,
};

/// All sessions, by where their events are told.
#[derive(Debug, Default)]
pub(super) struct Slots {
    map: HashMap<RoomName, Slot>,
    /// Set when the service ends: nothing is started any more.
    is_shut: bool,
    /// Set while the service is being drained: nothing is started meanwhile.
    pub(super) is_draining: bool,
}

/// One session, or what is left of it.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most are held")]
pub(super) enum Slot {
    /// It is being started; nobody else may take its names.
    Starting {
        record: Box<SessionRecord>,
        /// Changes, or closes, when it is not being started any more.
        over: watch::Receiver<()>,
    },
    /// It is there, alive or dead.
    Held(SessionHandle),
    /// It has no browser, and comes back when it is asked for.
    Stored(Box<Kept>),
}

/// What a caller gets who wants a session.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Claim {
    /// The names are the caller's: a session may be started.
    New(Box<Claimed>),
    /// There is one already.
    There(SessionHandle),
    /// Somebody else is starting it.
    Starting(watch::Receiver<()>),
}

/// Names that were claimed.
#[derive(Debug)]
pub(super) struct Claimed {
    /// The session's specification, completed by that of the stored one.
    pub(super) spec: SessionSpec,
    /// Its record.
    pub(super) record: SessionRecord,
    /// Dead ones that make way.
    pub(super) dead: Vec<SessionHandle>,
    /// The stored one that comes back.
    pub(super) stored: Option<Box<Kept>>,
    /// Dropped when the start is over.
    pub(super) _starting: watch::Sender<()>,
}

impl Slot {
    pub(super) fn with<T>(&self, look: impl FnOnce(&SessionRecord) -> T) -> T {
        match self {
            Self::Starting { record, .. } => look(record),
            Self::Held(handle) => look(&handle.record.borrow()),
            Self::Stored(kept) => look(&kept.record),
        }
    }

    pub(super) fn record(&self) -> SessionRecord {
        self.with(SessionRecord::clone)
    }

    /// Whether it takes a place of those that may run.
    fn is_live(&self) -> bool {
        !matches!(self, Self::Stored(_)) && !self.with(|record| record.state.is_dead())
    }
}

/// How a session that is wanted and one that there is have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clash {
    /// Both have the same name of their own.
    Name,
    /// Both are of the same room.
    Room,
    /// The name of the one is the room of the other.
    Crossed,
}

fn clash(wanted: &SessionSpec, there: &SessionRecord) -> Option<Clash> {
    let (name, room) = (&wanted.session_name, &wanted.room_name);
    if name.is_some() && *name == there.session_name {
        return Some(Clash::Name);
    }
    if room.is_some() && *room == there.room_name {
        return Some(Clash::Room);
    }
    let is_same = |name: &Option<_>, room: &Option<RoomName>| {
        let name: Option<RoomName> = name.as_ref().map(RoomName::from);
        name.is_some() && name == *room
    };
    let is_crossed = is_same(name, &there.room_name) || is_same(&there.session_name, room);
    is_crossed.then_some(Clash::Crossed)
}

impl Slots {
    /// The session with that id, else of that name, else of that room.
    pub(super) fn get(&self, key: &str) -> Option<&Slot> {
        let id = SessionId::parse(key);
        let by = |is_it: &dyn Fn(&SessionRecord) -> bool| {
            self.map.values().find(|slot| slot.with(|it| is_it(it)))
        };
        let by_id = id.and_then(|id| by(&|record| record.session_id == id));
        let is_named = |record: &SessionRecord| {
            let name = record.session_name.as_ref();
            name.is_some_and(|name| name.as_str() == key)
        };
        let is_of_room = |record: &SessionRecord| {
            let room = record.room_name.as_ref();
            room.is_some_and(|room| room.as_str() == key)
        };
        by_id.or_else(|| by(&is_named)).or_else(|| by(&is_of_room))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.map.values()
    }

    pub(super) fn count_live(&self) -> usize {
        self.map.values().filter(|slot| slot.is_live()).count()
    }

    /// Each session that is here, whatever its state.
    pub(super) fn held(&self) -> impl Iterator<Item = &SessionHandle> {
        self.map.values().filter_map(|slot| match slot {
            Slot::Held(handle) => Some(handle),
            Slot::Starting { .. } | Slot::Stored(_) => None,
        })
    }

    /// Whether anything is told under that name.
    pub(super) fn is_taken(&self, channel: &RoomName) -> bool {
        self.map.contains_key(channel)
    }

    pub(super) fn put(&mut self, channel: RoomName, slot: Slot) {
        self.map.insert(channel, slot);
    }

    /// Takes a session out that is there, if it is still this one.
    pub(super) fn remove_held(&mut self, handle: &SessionHandle) -> bool {
        let channel = handle.record.borrow().channel();
        let is_it = matches!(self.map.get(&channel),
            Some(Slot::Held(held)) if held.requests.same_channel(&handle.requests));
        is_it && self.map.remove(&channel).is_some()
    }

    /// Stores a session again; one whose room was taken meanwhile goes without it.
    pub(super) fn store(&mut self, mut kept: Kept) {
        if self.map.contains_key(&kept.record.channel()) {
            kept.record.room_name = None;
            kept.spec.room_name = None;
        }
        self.map
            .entry(kept.record.channel())
            .or_insert(Slot::Stored(Box::new(kept)));
    }

    /// Takes a session out, if it is still the same.
    pub(super) fn remove(&mut self, channel: &RoomName, id: SessionId) -> Option<Slot> {
        let slot = self.map.get(channel)?;
        match slot.with(|record| record.session_id == id) {
            true => self.map.remove(channel),
            false => None,
        }
    }

    /// Takes all out; from now on none is started.
    pub(super) fn shut(&mut self) -> impl Iterator<Item = Slot> {
        self.is_shut = true;
        self.map.drain().map(|(_, slot)| slot)
    }

    /// Whether one more session may run.
    fn must_have_room(&self, count_max: usize) -> Result<(), Error> {
        if self.is_draining {
            return Err(
                Error::unavailable("the service is being drained and starts no session")
                    .hint("Start it on another one, or here when it runs again."),
            );
        }
        let live = self.count_live();
        if live >= count_max {
            return Err(
                Error::exhausted(format!("{live} sessions run already")).hint(format!(
                    "Close one, or raise session.count_max (now {count_max})."
                )),
            );
        }
        Ok(())
    }

    /// Takes the names of a session that is wanted, or says who has them.
    pub(super) fn claim(
        &mut self,
        wanted: &SessionSpec,
        first_record: impl FnOnce(&SessionSpec) -> SessionRecord,
        count_max: usize,
    ) -> Result<Claim, Error> {
        if self.is_shut {
            return Err(
                Error::unavailable("the service is ending").hint("Try again when it runs again.")
            );
        }
        let mut making_way = Vec::new();
        for (channel, slot) in &self.map {
            let Some(clash) = slot.with(|there| clash(wanted, there)) else {
                continue;
            };
            if clash == Clash::Name
                && let Some(claim) = reuse(wanted, slot)?
            {
                return Ok(claim);
            }
            let is_kept = slot.with(|there| there.session_name.is_some());
            if clash != Clash::Name && (slot.is_live() || is_kept) {
                return Err(taken(clash, &slot.record()));
            }
            making_way.push(channel.clone());
        }
        self.must_have_room(count_max)?;
        let stored = making_way
            .iter()
            .find_map(|channel| match self.map.get(channel)? {
                Slot::Held(handle) => handle.kept().map(Box::new),
                Slot::Stored(kept) => Some(kept.clone()),
                Slot::Starting { .. } => None,
            });
        // Nothing has been taken yet that a refusal would lose.
        let spec = match &stored {
            Some(kept) => kept.spec.completed_by(wanted)?,
            None => wanted.clone(),
        };
        let dead: Vec<SessionHandle> = making_way
            .iter()
            .filter_map(|channel| match self.map.remove(channel) {
                Some(Slot::Held(handle)) => Some(handle),
                _ => None,
            })
            .collect();
        let mut record = first_record(&spec);
        if let Some(kept) = &stored {
            record.session_id = kept.record.session_id;
            record.created_at.clone_from(&kept.record.created_at);
        }
        let (starting, over) = watch::channel(());
        let slot = Slot::Starting {
            record: Box::new(record.clone()),
            over,
        };
        self.map.insert(record.channel(), slot);
        Ok(Claim::New(Box::new(Claimed {
            spec,
            record,
            dead,
            stored,
            _starting: starting,
        })))
    }
}

/// What a caller gets of a session that has the wanted name; none when it has to be started again.
fn reuse(wanted: &SessionSpec, slot: &Slot) -> Result<Option<Claim>, Error> {
    let record = slot.record();
    let name = record
        .session_name
        .as_ref()
        .map_or("", |name| name.as_str());
    if !wanted.reuse {
        if !slot.is_live() {
            return Ok(None);
        }
        return Err(
            Error::conflict(format!("a session \"{name}\" is there already"))
                .hint("Use it (reuse: true), delete it first, or choose another name."),
        );
    }
    if matches!(record.state, SessionState::Closing | SessionState::Closed) {
        return Err(
            Error::conflict(format!("the session \"{name}\" is being closed"))
                .hint("Try again in a moment."),
        );
    }
    if !slot.is_live() {
        return Ok(None);
    }
    if let Slot::Starting { over, .. } = slot {
        // Where it comes to live is known once it is there.
        return Ok(Some(Claim::Starting(over.clone())));
    }
    must_satisfy(wanted, &record)?;
    if wanted.room_name.is_some() && wanted.room_name != record.room_name {
        let place = match &record.room_name {
            Some(room) => format!("is in the room \"{room}\""),
            None => "is there without a room".to_owned(),
        };
        return Err(Error::conflict(format!("the session \"{name}\" {place}"))
            .hint("Use it as it is, or delete it first: its profile stays."));
    }
    Ok(match slot {
        Slot::Held(handle) => Some(Claim::There(handle.clone())),
        Slot::Starting { .. } | Slot::Stored(_) => None,
    })
}

/// What a caller asks for to be safe holds of a session that runs already, or the caller hears of it.
fn must_satisfy(wanted: &SessionSpec, there: &SessionRecord) -> Result<(), Error> {
    let is_fenced = wanted.allowed_domains.is_empty()
        || !there.allowed_domains.is_empty()
            && allowlist::narrowed(&there.allowed_domains, &wanted.allowed_domains)
                .is_ok_and(|both| both == there.allowed_domains);
    let is_private = there.block_private_networks || !wanted.block_private_networks;
    let (here, other) = match there.browser {
        BrowserPlace::Local => ("a browser of this machine", BrowserWish::Remote),
        BrowserPlace::Remote => ("a remote browser", BrowserWish::Local),
    };
    let is_there = wanted.browser != Some(other);
    let is_strict = there.browser == BrowserPlace::Remote
        && wanted.remote_fence == Some(RemoteFence::Strict)
        && (!there.allowed_domains.is_empty() || there.block_private_networks);
    let what = match (
        is_fenced && is_private,
        wanted.storage_state.is_none(),
        is_there,
    ) {
        (true, true, true) if is_strict => {
            format!("in {here}, whose fence is not what remote_fence \"strict\" asks for")
        }
        (true, true, true) => return Ok(()),
        (false, ..) => "without the fence that was asked for".to_owned(),
        (true, false, _) => "and takes no storage_state any more".to_owned(),
        (true, true, false) => format!("in {here}, in the other browser than was asked for"),
    };
    let name = there.session_name.as_ref().map_or("", |name| name.as_str());
    Err(
        Error::conflict(format!("the session \"{name}\" runs {what}"))
            .hint("Use it as it is, or delete it first and start it again: its profile stays."),
    )
}

fn taken(clash: Clash, there: &SessionRecord) -> Error {
    let channel = there.channel();
    if clash == Clash::Crossed {
        return Error::conflict(format!(
            "\"{channel}\" is what another session is called, or its room"
        ))
        .hint("Choose another name: sessions and rooms are found by the same key.");
    }
    let hint = if there.livekit.is_lost() {
        "LiveKit is lost to it: recover it, or close it and start again."
    } else {
        "Use it, close it first, or choose another room."
    };
    Error::conflict(format!("room \"{channel}\" has a session already")).hint(hint)
}
