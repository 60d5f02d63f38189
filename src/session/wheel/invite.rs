//! Links by which people come to a session's wheel.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{NAME_MAX, Wheel, cut};
use crate::error::Error;
use crate::model::{Right, UnixTime};
use crate::session::links::{Link, LinkKind, Maker};

/// What a link by which people come shall be.
#[derive(Debug, Clone)]
pub struct Invite {
    /// To drive, or to watch only.
    pub right: Right,
    /// How long it is good.
    pub life: Duration,
    /// Whether only the first who comes by it is let in.
    pub is_one_time: bool,
    /// What whoever comes by it is called.
    pub name: Option<String>,
    /// Whether whoever drives by it does so privately.
    pub is_private: bool,
    /// By whom it is made, where it outlives the service.
    pub maker: Option<Maker>,
    /// It is good no more when this is cancelled.
    pub until: CancellationToken,
}

/// A link by which people come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The page to open. Whoever has it is let in.
    pub url: String,
    /// Until when, ISO 8601, UTC.
    pub expires_at: String,
}

impl Wheel {
    /// Makes a link by which people come, at the service's address as its caller wrote it.
    pub fn invite(&self, invite: Invite, base: Option<&str>) -> Result<Invitation, Error> {
        let link = Link {
            session: self.0.session,
            right: invite.right,
            kind: LinkKind::Takeover,
            name: invite.name.map(|name| cut(&name, NAME_MAX)),
            is_private: invite.is_private,
            maker: invite.maker,
            gone: invite.until.child_token(),
        };
        let now = Instant::now();
        let made = self
            .0
            .links
            .make(link, invite.life, invite.is_one_time, now)?;
        let base = base.unwrap_or(&self.0.address);
        Ok(Invitation {
            url: format!("{base}takeover/{}", made.token),
            expires_at: UnixTime::now().plus(made.life).to_iso8601(),
        })
    }
}
