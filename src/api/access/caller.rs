//! [`Caller`]: who calls, and what they may do.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::rules::{self, Need};
use crate::credential::Digest;
use crate::error::Error;
use crate::model::ids::is_services;
use crate::model::{
    EndedSession, Reach, Right, RoomName, Scope, SessionId, SessionRecord, SessionSpec,
};
use crate::session::{Link, Maker, Manager, names, names_of_ended};

/// Who calls.
#[derive(Debug, Clone)]
pub(in super::super) struct Caller {
    /// What their token is called, or the token that their ticket is of; none for whoever has none.
    pub(super) label: Option<Arc<str>>,
    scope: Arc<Scope>,
    /// What the call that is being answered takes of a session.
    right: Right,
    /// The service's address as they wrote it.
    base: Option<Arc<str>>,
    /// Cancelled when what lets them in is good no more.
    pub(in super::super) gone: CancellationToken,
    /// What stood for a token.
    pass: Option<Pass>,
    /// The digest of their token.
    digest: Option<[u8; 32]>,
}

/// What stands for a token.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// A ticket, for one request.
    Ticket,
    /// A link to a session.
    Link(Link),
}

impl Caller {
    pub(super) fn new(label: Option<Arc<str>>, scope: Arc<Scope>, gone: CancellationToken) -> Self {
        Self {
            label,
            scope,
            right: Right::Admin,
            base: None,
            gone,
            pass: None,
            digest: None,
        }
    }

    /// The same, whose token has this digest.
    pub(super) fn with(mut self, digest: Digest) -> Self {
        self.digest = Some(digest.bytes());
        self
    }

    /// By whom a link is made that they make, and that lasts.
    pub(in super::super) fn maker(&self) -> Maker {
        self.digest.map_or(Maker::Anyone, Maker::Token)
    }

    /// Whoever comes by a link, who may look at its session, and drive it where the link says so.
    pub(super) fn by_link(link: Link) -> Self {
        let scope = Scope::watch(link.session.to_string());
        Self::new(None, Arc::new(scope), link.gone.clone()).by(Pass::Link(link))
    }

    /// The link that they came by.
    fn link(&self) -> Option<&Link> {
        match &self.pass {
            Some(Pass::Link(link)) => Some(link),
            Some(Pass::Ticket) | None => None,
        }
    }

    /// Whether they may drive the session with that name, room or id.
    pub(in super::super) fn may_drive(&self, manager: &Manager, key: &str) -> bool {
        match self.link() {
            Some(link) => link.right >= Right::Control,
            None => self.may(Right::Control, manager, key).is_ok(),
        }
    }

    /// Whether they drive privately when they do.
    pub(in super::super) fn drives_privately(&self) -> bool {
        self.link().is_some_and(|link| link.is_private)
    }

    /// What they are called as people.
    pub(in super::super) fn person(&self) -> &str {
        let named = self.link().and_then(|link| link.name.as_deref());
        named.or(self.label()).unwrap_or("somebody")
    }

    /// The same, who came by this.
    pub(super) fn by(mut self, pass: Pass) -> Self {
        self.pass = Some(pass);
        self
    }

    /// Whether they may begin an MCP conversation.
    pub(super) fn may_converse(&self) -> Result<(), Error> {
        match self.pass {
            Some(Pass::Link(_)) => Err(Error::forbidden(
                "a link to a session opens no MCP conversation",
            )
            .hint("Use a token of the service.")),
            Some(Pass::Ticket) | None => Ok(()),
        }
    }

    /// What is good for one request makes nothing that lasts longer.
    pub(in super::super) fn must_last(&self) -> Result<(), Error> {
        match self.pass {
            Some(Pass::Ticket) => Err(Error::forbidden(
                "a ticket makes no further ticket and no link",
            )
            .hint("Send the token itself.")),
            Some(Pass::Link(_)) | None => Ok(()),
        }
    }

    /// The one session whose events they may hear of a room, where that is not the room itself.
    pub(in super::super) fn only_session(
        &self,
        manager: &Manager,
        room: &RoomName,
    ) -> Option<SessionId> {
        let key = self.scope.key().filter(|key| *key != room.as_str())?;
        manager.record(key).ok().map(|record| record.session_id)
    }

    /// One who came by none of the service's sockets, or to a service without tokens.
    pub(in super::super) fn service() -> Self {
        Self::new(None, Arc::new(Scope::ADMIN), CancellationToken::new())
    }

    /// The same, making a call that takes this right, at this address.
    pub(super) fn making(mut self, right: Right, base: Option<Arc<str>>) -> Self {
        (self.right, self.base) = (right, base);
        self
    }

    /// What their token is called; none where they came without one, or by a link.
    pub(in super::super) fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// What they may do.
    pub(in super::super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The service's address as they wrote it, with a slash at the end.
    pub(in super::super) fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Whether they may make this call on the session with that name, room or id.
    pub(in super::super) fn enter(&self, manager: &Manager, key: &str) -> Result<(), Error> {
        self.may(self.right, manager, key)
    }

    /// Whether they may make this call on what a new session would take.
    pub(in super::super) fn enter_new(
        &self,
        manager: &Manager,
        spec: &SessionSpec,
    ) -> Result<(), Error> {
        let room = spec.room_name.as_ref().map(|room| room.as_str());
        let name = spec.session_name.as_ref().map(|name| name.as_str());
        room.into_iter()
            .chain(name)
            .try_for_each(|key| self.enter(manager, key))
    }

    /// Whether they may call a tool of MCP. Where it names no session, that of their token is meant, or any.
    pub(in super::super) fn enter_tool(
        &self,
        manager: &Manager,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Result<(), Error> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        match rules::of_tool(tool, text("operation")) {
            Need::Nothing | Need::Anybody | Need::Conversation => Ok(()),
            Need::OfAll(right) | Need::OfFile(right) => self.may_all(right),
            Need::OfPath(right) | Need::OfBody(right) => {
                let named = [text("room_name"), text("session_name")];
                let mut keys = named.into_iter().flatten().peekable();
                match (keys.peek(), self.scope.key()) {
                    (Some(_), _) => keys.try_for_each(|key| self.may(right, manager, key)),
                    (None, Some(own)) => self.may(right, manager, own),
                    (None, None) => self.may_all(right),
                }
            }
        }
    }

    /// Whether they may do this to the session with that name, room or id.
    pub(in super::super) fn may(
        &self,
        right: Right,
        manager: &Manager,
        key: &str,
    ) -> Result<(), Error> {
        let names = manager.names(key);
        if self.must_not_touch(key, &names) {
            return self.may_all(Right::Admin);
        }
        // Whoever may do it to all of them need not be asked which.
        if self.scope.permits_all(right) {
            return Ok(());
        }
        self.may_of(right, key, &names)
    }

    /// Whether a session is the service's own, with a user's login in it, and they came by no link to it.
    fn must_not_touch(&self, key: &str, names: &[String]) -> bool {
        let is_own = is_services(key) || names.iter().any(|name| is_services(name));
        is_own && self.link().is_none()
    }

    /// Whether they may do this to the session of these names, which was asked for by `key`.
    pub(super) fn may_of(&self, right: Right, key: &str, names: &[String]) -> Result<(), Error> {
        match self.scope.permits(right, names.iter().map(String::as_str)) {
            true => Ok(()),
            false => {
                let reach = Reach::One(key.chars().take(64).collect());
                Err(self.refused(&Scope { right, reach }))
            }
        }
    }

    /// Whether they may have a file of that session written on the service's own disk, which is more than a
    /// look.
    pub(in super::super) fn may_save(&self, manager: &Manager, key: &str) -> Result<(), Error> {
        self.may(Right::Control, manager, key)
    }

    /// Whether they may do this to every session.
    pub(super) fn may_all(&self, right: Right) -> Result<(), Error> {
        match self.scope.permits_all(right) {
            true => Ok(()),
            false => Err(self.refused(&Scope {
                right,
                reach: Reach::All,
            })),
        }
    }

    /// Whether a session is theirs to see.
    pub(in super::super) fn sees(&self, record: &SessionRecord) -> bool {
        self.sees_any(|| names(record))
    }

    /// Whether a session that has ended is theirs to see.
    pub(in super::super) fn sees_ended(&self, ended: &EndedSession) -> bool {
        self.sees_any(|| names_of_ended(ended))
    }

    /// Whether a session that has ended, which was asked for by `key`, is theirs to see.
    pub(in super::super) fn may_see_ended(
        &self,
        key: &str,
        ended: &EndedSession,
    ) -> Result<(), Error> {
        self.may_of(Right::Watch, key, &names_of_ended(ended))
    }

    fn sees_any(&self, names: impl Fn() -> Vec<String>) -> bool {
        if self.scope.permits_all(Right::Admin) {
            return true;
        }
        let names = names();
        let is_within = self.scope.permits_all(Right::Watch)
            || (self.scope).permits(Right::Watch, names.iter().map(String::as_str));
        is_within && !self.must_not_touch("", &names)
    }

    /// Whether what they ask for is within what they may do themselves.
    pub(in super::super) fn lends(&self, manager: &Manager, scope: &Scope) -> Result<(), Error> {
        match &scope.reach {
            Reach::All => self.may_all(scope.right),
            Reach::One(key) => self.may(scope.right, manager, key),
        }
    }

    fn refused(&self, needed: &Scope) -> Error {
        let has = &self.scope;
        let or = match needed.right {
            Right::Admin => String::new(),
            _ => " or admin".to_owned(),
        };
        Error::forbidden(format!(
            "this token may not do that: it takes the scope {needed}{or}"
        ))
        .hint(format!(
            "This one (\"{}\") has the scope {has}. Use a token whose scope reaches that far.",
            self.label().unwrap_or("a link to watch by")
        ))
    }
}
