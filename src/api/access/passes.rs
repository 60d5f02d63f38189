//! What is made from a token, in memory only: tickets, for one use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Caller;
use super::caller;
use crate::credential::{Digest, random};
use crate::error::Error;
use crate::model::Scope;

/// What a ticket begins with.
pub(super) const TICKET: &str = "gct_";
/// How long a ticket is good.
const TICKET_LIFE: Duration = Duration::from_secs(60);
/// Tickets that wait for their use.
const TICKETS_MAX: usize = 4_096;
/// Tickets of one caller that wait for their use, so that there is room for those of others.
const TICKETS_OF_CALLER_MAX: usize = 1_024;

/// Tickets.
#[derive(Debug, Default)]
pub(super) struct Passes {
    tickets: HashMap<[u8; 32], Pass>,
}

/// One of them.
#[derive(Debug)]
struct Pass {
    /// What the token is called that it stands for.
    label: Option<Arc<str>>,
    scope: Arc<Scope>,
    /// Of the token that it was made from, or what ends with that.
    gone: CancellationToken,
    expires: Instant,
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
    /// The ticket.
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

    /// Forgets what is good no more.
    pub(super) fn upkeep(&mut self, now: Instant) {
        self.tickets.retain(|_, ticket| ticket.is_good(now));
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
        caller.gone.cancel();
        assert!(passes.redeem(&ticket.token, now).is_none());
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        let caller = anyone();
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
