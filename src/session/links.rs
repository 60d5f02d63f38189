//! Links to one session: whoever has one may watch it, or drive it, and nothing else. In memory; those of kept
//! sessions are on the disk as well, by [`super::lasting_links`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::credential::{Digest, random};
use crate::error::Error;
use crate::model::{KeptLink, Right, SessionId, UnixTime};

/// What the token of a link begins with.
pub const LINK: &str = "gcs_";
/// Links of all sessions.
const LINKS_MAX: usize = 4_096;
/// Links of one session.
const LINKS_OF_SESSION_MAX: usize = 64;

/// The links of all sessions, by what their tokens are hashed to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Links(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: Mutex<HashMap<[u8; 32], Held>>,
    /// Held by whoever writes them to the disk.
    writing: tokio::sync::Mutex<()>,
}

/// By whom a link was made that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// By whoever came, since the service had no tokens.
    Anyone,
    /// By a token: its digest, or, as it is kept, that of the link's and its own.
    Token([u8; 32]),
}

/// What a link is for.
#[derive(Debug, Clone)]
pub struct Link {
    /// The session.
    pub session: SessionId,
    /// Whether it can be driven by it, or only watched.
    pub right: Right,
    /// How it came about.
    pub kind: LinkKind,
    /// What whoever has it is called.
    pub name: Option<String>,
    /// Whether whoever drives by it does so privately.
    pub is_private: bool,
    /// By whom it was made, where it outlives the service; nobody for one that ends with what is only in memory.
    pub maker: Option<Maker>,
    /// Cancelled when it is good no more.
    pub gone: CancellationToken,
}

/// How a link came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// To watch in the dashboard.
    Share,
    /// To come to a session as a person.
    Takeover,
}

impl LinkKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Takeover => "link",
        }
    }
}

#[derive(Debug)]
struct Held {
    link: Link,
    expires: Instant,
    /// Whether it is exchanged for another one when it is used.
    is_one_time: bool,
}

/// A link that was made.
#[derive(Debug)]
pub struct Made {
    /// Its token.
    pub token: String,
    /// How long it is good.
    pub life: Duration,
}

impl Held {
    fn is_good(&self, now: Instant) -> bool {
        self.expires > now && !self.link.gone.is_cancelled()
    }
}

impl Links {
    /// Makes a link that is good for so long.
    pub fn make(
        &self,
        link: Link,
        life: Duration,
        is_one_time: bool,
        now: Instant,
    ) -> Result<Made, Error> {
        let mut links = self.lock();
        links.retain(|_, held| held.is_good(now));
        let of_session = links.values();
        let of_session = of_session.filter(|held| held.link.session == link.session);
        if of_session.count() >= LINKS_OF_SESSION_MAX || links.len() >= LINKS_MAX {
            return Err(Error::exhausted("there are too many links to this session")
                .hint("Send the one that there is to several people, or revoke them all."));
        }
        let token = random(LINK)?;
        count(link.kind, "issued", 1);
        let held = Held {
            link,
            expires: now + life,
            is_one_time,
        };
        links.insert(Digest::of(&token).bytes(), held);
        Ok(Made { token, life })
    }

    /// The link of this token, while it is good. One for one use is good only for [`Self::enter`].
    pub fn find(&self, token: &str, now: Instant) -> Option<Link> {
        let links = self.lock();
        let held = links.get(&Digest::of(token).bytes())?;
        (held.is_good(now) && !held.is_one_time).then(|| held.link.clone())
    }

    /// Enters by a link. One for one use is gone then, and another token stands for it, which nobody has seen.
    pub fn enter(&self, token: &str, now: Instant) -> Result<Option<(Link, String)>, Error> {
        let mut links = self.lock();
        let digest = Digest::of(token).bytes();
        let Some(held) = links.get(&digest).filter(|held| held.is_good(now)) else {
            return Ok(None);
        };
        let link = held.link.clone();
        count(link.kind, "used", 1);
        if !held.is_one_time {
            return Ok(Some((link, token.to_owned())));
        }
        let own = random(LINK)?;
        if let Some(mut held) = links.remove(&digest) {
            held.is_one_time = false;
            links.insert(Digest::of(&own).bytes(), held);
        }
        Ok(Some((link, own)))
    }

    /// Waits until nobody else writes links to the disk.
    pub(super) async fn writing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.writing.lock().await
    }

    /// The links of a session that last, as they are kept; `until` is the time after so long.
    pub(super) fn lasting(
        &self,
        session: SessionId,
        now: Instant,
        until: impl Fn(Duration) -> UnixTime,
    ) -> Vec<KeptLink> {
        let links = self.lock();
        let of_session = links.iter();
        let of_session =
            of_session.filter(|(_, held)| held.link.session == session && held.is_good(now));
        let kept = of_session.filter_map(|(digest, held)| {
            let link = &held.link;
            Some(KeptLink {
                digest: *digest,
                session,
                is_for_driving: link.right >= Right::Control,
                is_share: link.kind == LinkKind::Share,
                name: link.name.clone(),
                is_private: link.is_private,
                is_one_time: held.is_one_time,
                expires: until(held.expires.saturating_duration_since(now)),
                maker: match link.maker? {
                    Maker::Anyone => None,
                    Maker::Token(token) => Some(Digest::from(token).beside(digest)),
                },
            })
        });
        kept.collect()
    }

    /// Takes up a link that was kept, of this maker, and ends it when its maker is gone.
    pub(super) fn recall(
        &self,
        kept: KeptLink,
        (maker, gone): (Maker, &CancellationToken),
        expires: Instant,
    ) {
        let link = Link {
            session: kept.session,
            right: match kept.is_for_driving {
                true => Right::Control,
                false => Right::Watch,
            },
            kind: match kept.is_share {
                true => LinkKind::Share,
                false => LinkKind::Takeover,
            },
            name: kept.name,
            is_private: kept.is_private,
            maker: Some(maker),
            gone: gone.child_token(),
        };
        let held = Held {
            link,
            expires,
            is_one_time: kept.is_one_time,
        };
        self.lock().insert(kept.digest, held);
    }

    /// Ends all links of a session that came about so; answers how many there were.
    pub fn revoke(&self, session: SessionId, kind: LinkKind, now: Instant) -> usize {
        let mut revoked = 0;
        self.lock().retain(|_, held| {
            let is_meant = held.link.session == session && held.link.kind == kind;
            if is_meant {
                revoked += usize::from(held.is_good(now));
                held.link.gone.cancel();
            }
            !is_meant
        });
        count(kind, "revoked", revoked);
        revoked
    }

    /// Forgets what is good no more, and ends what was opened by it. Answers the sessions that are there and have
    /// lost a link whose maker is gone.
    pub(super) fn upkeep(
        &self,
        now: Instant,
        exists: impl Fn(SessionId) -> bool,
    ) -> HashSet<SessionId> {
        let mut lost = HashSet::new();
        self.lock().retain(|_, held| {
            let Link { session, gone, .. } = &held.link;
            let is_there = exists(*session);
            if held.is_good(now) && is_there {
                return true;
            }
            if gone.is_cancelled() && is_there && held.link.maker.is_some() {
                lost.insert(*session);
            }
            gone.cancel();
            false
        });
        lost
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(kind: LinkKind, outcome: &'static str, links: usize) {
    metrics::counter!("ghostcast_passes_total", "kind" => kind.as_str(), "outcome" => outcome)
        .increment(links as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn link(session: SessionId, right: Right) -> Link {
        Link {
            session,
            right,
            kind: match right {
                Right::Watch => LinkKind::Share,
                Right::Control | Right::Admin => LinkKind::Takeover,
            },
            name: None,
            is_private: false,
            maker: Some(Maker::Anyone),
            gone: CancellationToken::new(),
        }
    }

    #[test]
    fn a_link_ends_by_its_time_its_session_or_by_wish() {
        let (links, now) = (Links::default(), Instant::now());
        let session = SessionId::new();
        let make = |right| links.make(link(session, right), LIFE, false, now).unwrap();
        let watch = make(Right::Watch);
        let drive = make(Right::Control);
        let opened = links.find(&watch.token, now).unwrap();
        assert_eq!((opened.session, opened.right), (session, Right::Watch));
        assert!(links.find(&watch.token, now + LIFE).is_none());
        assert_eq!(links.revoke(SessionId::new(), LinkKind::Share, now), 0);
        assert_eq!(links.revoke(session, LinkKind::Share, now), 1);
        assert!(opened.gone.is_cancelled());
        assert!(links.find(&watch.token, now).is_none());
        let driving = links.find(&drive.token, now).unwrap();
        assert!(links.upkeep(now, |_| false).is_empty());
        assert!(driving.gone.is_cancelled());
        assert!(links.find(&drive.token, now).is_none());
    }

    #[test]
    fn a_link_whose_maker_is_gone_is_to_be_forgotten_on_the_disk_too() {
        let (links, now) = (Links::default(), Instant::now());
        let [lasts, fleets, is_late] = [(); 3].map(|()| link(SessionId::new(), Right::Watch));
        let fleets = Link {
            maker: None,
            ..fleets
        };
        for one in [&lasts, &fleets, &is_late] {
            links.make(one.clone(), LIFE, false, now).unwrap();
        }
        assert!(links.upkeep(now, |_| true).is_empty());
        lasts.gone.cancel();
        fleets.gone.cancel();
        let lost = links.upkeep(now + LIFE, |_| true);
        assert_eq!(lost, [lasts.session].into());
        assert!(links.upkeep(now, |_| true).is_empty());
    }

    #[test]
    fn a_link_for_one_use_is_of_no_use_to_whoever_comes_later() {
        let (links, now) = (Links::default(), Instant::now());
        let link = link(SessionId::new(), Right::Control);
        let once = links.make(link, LIFE, true, now).unwrap();
        assert!(links.find(&once.token, now).is_none());
        let (_, own) = links.enter(&once.token, now).unwrap().unwrap();
        assert!(links.enter(&once.token, now).unwrap().is_none());
        assert!(links.find(&own, now).is_some());
        let (_, again) = links.enter(&own, now).unwrap().unwrap();
        assert_eq!(own, again);
        assert!(links.enter(&own, now + LIFE).unwrap().is_none());
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let (links, now) = (Links::default(), Instant::now());
        let session = SessionId::new();
        let make = |session| links.make(link(session, Right::Watch), LIFE, false, now);
        for _ in 0..LINKS_OF_SESSION_MAX {
            make(session).unwrap();
        }
        assert!(make(session).is_err());
        assert!(make(SessionId::new()).is_ok());
    }
}
