//! What is made from a token, in memory only: tickets, for one use, and links to watch by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Caller;
use super::caller;
use crate::credential::{Digest, random};
use crate::error::Error;
use crate::model::{Scope, SessionId};

/// What a ticket begins with.
pub(super) const TICKET: &str = "gct_";
/// What the token of a link begins with.
pub(super) const SHARE: &str = "gcs_";
/// How long a ticket is good.
const TICKET_LIFE: Duration = Duration::from_secs(60);
/// Tickets that wait for their use.
const TICKETS_MAX: usize = 4_096;
/// Links of all sessions.
const SHARES_MAX: usize = 4_096;
/// Links of one session.
const SHARES_OF_SESSION_MAX: usize = 64;

/// Tickets of one caller that wait for their use, so that there is room for those of others.
const TICKETS_OF_CALLER_MAX: usize = 1_024;

/// Tickets and links.
#[derive(Debug, Default)]
pub(super) struct Passes {
    tickets: HashMap<[u8; 32], Pass>,
    shares: HashMap<[u8; 32], Pass>,
}

/// One of them.
#[derive(Debug)]
struct Pass {
    /// What the token is called that it stands for; none of a link.
    label: Option<Arc<str>>,
    scope: Arc<Scope>,
    /// Of the token that it was made from, or what ends with that.
    gone: CancellationToken,
    expires: Instant,
    /// The session that a link shows.
    session: Option<SessionId>,
}

impl Pass {
    fn is_good(&self, now: Instant) -> bool {
        self.expires > now && !self.gone.is_cancelled()
    }

    fn caller(&self) -> Caller {
        Caller::new(
            self.label.clone(),
            Arc::clone(&self.scope),
            self.gone.clone(),
        )
    }
}

/// Something that was made.
#[derive(Debug)]
pub(in super::super) struct Made {
    /// The ticket, or the link's token.
    pub(in super::super) token: String,
    /// How long it is good.
    pub(in super::super) life: Duration,
}

impl Passes {
    /// Makes a ticket of this scope, which the caller has looked after.
    pub(super) fn ticket(
        &mut self,
        of: &Caller,
        scope: Scope,
        now: Instant,
    ) -> Result<Made, Error> {
        self.tickets.retain(|_, ticket| ticket.is_good(now));
        let of_caller = self.tickets.values();
        let of_caller = of_caller.filter(|ticket| ticket.label == of.label).count();
        if self.tickets.len() >= TICKETS_MAX || of_caller >= TICKETS_OF_CALLER_MAX {
            return Err(Error::exhausted("too many tickets wait for their use")
                .hint("Use those that there are, or wait a minute until they are good no more."));
        }
        let token = random(TICKET)?;
        let pass = Pass {
            label: of.label.clone(),
            scope: Arc::new(scope),
            gone: of.gone.clone(),
            expires: now + TICKET_LIFE,
            session: None,
        };
        self.tickets.insert(Digest::of(&token).bytes(), pass);
        Ok(Made {
            token,
            life: TICKET_LIFE,
        })
    }

    /// Takes a ticket, which is gone then.
    pub(super) fn redeem(&mut self, token: &str, now: Instant) -> Option<Caller> {
        let ticket = self.tickets.remove(&Digest::of(token).bytes())?;
        ticket
            .is_good(now)
            .then(|| ticket.caller().by(caller::Pass::Ticket))
    }

    /// Makes a link's token, by which a session can be watched.
    pub(super) fn share(
        &mut self,
        of: &Caller,
        session: SessionId,
        life: Duration,
        now: Instant,
    ) -> Result<Made, Error> {
        self.shares.retain(|_, share| share.is_good(now));
        let of_session = self.shares.values();
        let of_session = of_session.filter(|share| share.session == Some(session));
        if of_session.count() >= SHARES_OF_SESSION_MAX || self.shares.len() >= SHARES_MAX {
            return Err(
                Error::exhausted("there are too many links to watch this session by")
                    .hint("Send the one that there is to several people, or revoke them all."),
            );
        }
        let token = random(SHARE)?;
        let pass = Pass {
            label: None,
            scope: Arc::new(Scope::watch(session.to_string())),
            gone: of.gone.child_token(),
            expires: now + life,
            session: Some(session),
        };
        self.shares.insert(Digest::of(&token).bytes(), pass);
        Ok(Made { token, life })
    }

    /// Whoever comes by a link whose session there is still.
    pub(super) fn shared(
        &self,
        token: &str,
        now: Instant,
        exists: impl Fn(SessionId) -> bool,
    ) -> Option<Caller> {
        let share = self.shares.get(&Digest::of(token).bytes())?;
        let is_good = share.is_good(now) && share.session.is_some_and(exists);
        is_good.then(|| share.caller().by(caller::Pass::Link))
    }

    /// Ends all links of a session; answers how many there were.
    pub(super) fn revoke(&mut self, session: SessionId, now: Instant) -> usize {
        let mut revoked = 0;
        self.shares.retain(|_, share| {
            let is_meant = share.session == Some(session);
            if is_meant {
                revoked += usize::from(share.is_good(now));
                share.gone.cancel();
            }
            !is_meant
        });
        revoked
    }

    /// Forgets what is good no more, and ends what was opened by links that are not.
    pub(super) fn upkeep(&mut self, now: Instant, exists: impl Fn(SessionId) -> bool) {
        self.tickets.retain(|_, ticket| ticket.is_good(now));
        self.shares.retain(|_, share| {
            let is_good = share.is_good(now) && share.session.is_some_and(&exists);
            if !is_good {
                share.gone.cancel();
            }
            is_good
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anyone() -> Caller {
        Caller::service()
    }

    #[test]
    fn a_ticket_is_for_one_use_within_its_minute() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let one = passes.ticket(&anyone(), Scope::watch("a"), now).unwrap();
        let two = passes.ticket(&anyone(), Scope::watch("a"), now).unwrap();
        assert!(one.token.starts_with(TICKET) && one.token != two.token);
        let caller = passes.redeem(&one.token, now).unwrap();
        assert_eq!(caller.scope().to_string(), "watch:a");
        assert!(passes.redeem(&one.token, now).is_none());
        assert!(passes.redeem(&two.token, now + TICKET_LIFE).is_none());
        assert!(passes.redeem("gct_other", now).is_none());
    }

    #[test]
    fn what_is_made_ends_with_its_token() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let caller = anyone();
        let ticket = passes.ticket(&caller, Scope::watch("a"), now).unwrap();
        let share = passes.share(&caller, SessionId::new(), TICKET_LIFE, now);
        let share = share.unwrap();
        let opened = passes.shared(&share.token, now, |_| true).unwrap();
        caller.gone.cancel();
        assert!(opened.gone.is_cancelled());
        assert!(passes.shared(&share.token, now, |_| true).is_none());
        assert!(passes.redeem(&ticket.token, now).is_none());
    }

    #[test]
    fn a_link_ends_by_its_time_its_session_or_by_wish() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let (caller, session) = (anyone(), SessionId::new());
        let mut share = || passes.share(&caller, session, TICKET_LIFE, now).unwrap();
        let tokens = [share().token, share().token];
        let opened = passes.shared(&tokens[0], now, |_| true).unwrap();
        assert_eq!(opened.scope().key(), Some(session.to_string().as_str()));
        assert!(passes.shared(&tokens[0], now, |_| false).is_none());
        assert!(
            passes
                .shared(&tokens[0], now + TICKET_LIFE, |_| true)
                .is_none()
        );
        assert_eq!(passes.revoke(SessionId::new(), now), 0);
        assert_eq!(passes.revoke(session, now), 2);
        assert!(opened.gone.is_cancelled());
        assert!(passes.shared(&tokens[1], now, |_| true).is_none());
        let late = passes.share(&caller, session, TICKET_LIFE, now).unwrap();
        let opened = passes.shared(&late.token, now, |_| true).unwrap();
        passes.upkeep(now + TICKET_LIFE, |_| true);
        assert!(opened.gone.is_cancelled() && !caller.gone.is_cancelled());
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let (caller, session) = (anyone(), SessionId::new());
        for _ in 0..SHARES_OF_SESSION_MAX {
            passes.share(&caller, session, TICKET_LIFE, now).unwrap();
        }
        assert!(passes.share(&caller, session, TICKET_LIFE, now).is_err());
        assert!(
            passes
                .share(&caller, SessionId::new(), TICKET_LIFE, now)
                .is_ok()
        );
        let named = |label: usize| {
            let label = Some(Arc::from(label.to_string()));
            Caller::new(label, Arc::new(Scope::ADMIN), CancellationToken::new())
        };
        for at in 0..TICKETS_MAX {
            let caller = named(at / TICKETS_OF_CALLER_MAX);
            passes.ticket(&caller, Scope::watch("a"), now).unwrap();
            if at + 1 == TICKETS_OF_CALLER_MAX {
                let one_more = passes.ticket(&caller, Scope::watch("a"), now);
                assert!(one_more.is_err(), "there is room for those of others");
            }
        }
        assert!(passes.ticket(&named(9), Scope::watch("a"), now).is_err());
        let later = now + TICKET_LIFE;
        assert!(passes.ticket(&caller, Scope::watch("a"), later).is_ok());
    }
}
