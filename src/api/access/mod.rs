//! Who calls, and what they may do: tokens with their scopes, and the tickets and links made from them.
//!
//! Every request passes [`guard`], whichever door it comes by. It finds out who calls ([`Access`]), and
//! asks the one table ([`rules`]) what the call takes. A call whose session stands in its body is asked
//! about again by whoever reads that, with [`Caller::enter`]. What stays open ends with the token that
//! opened it: [`Caller::gone`].

mod caller;
mod failures;
mod guard;
mod passes;
mod rules;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

pub(super) use self::caller::Caller;
use self::failures::Failures;
pub(super) use self::guard::guard;
pub(super) use self::passes::Made;
use self::passes::Passes;
use crate::config::{self, TokenForm};
use crate::credential::Digest;
use crate::error::Error;
use crate::model::{KeptLink, Scope, SessionId};
use crate::session::{LINK, Link, Links, Maker, Manager};

/// All tokens, tickets and links. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: RwLock<Tokens>,
    passes: Mutex<Passes>,
    failures: Mutex<Failures>,
    /// Whether a token in an address was told of.
    has_told: AtomicBool,
}

/// The tokens of the settings.
#[derive(Debug)]
struct Tokens {
    known: Vec<Known>,
    /// Who calls while there are none.
    anyone: Caller,
}

/// One of them.
#[derive(Debug)]
struct Known {
    digest: Digest,
    caller: Caller,
}

impl Known {
    fn of(token: config::Token) -> Self {
        let digest = match &token.form {
            TokenForm::Plain(secret) => Digest::of(secret.reveal()),
            TokenForm::Sha256(bytes) => Digest::from(*bytes),
        };
        let gone = CancellationToken::new();
        let caller = Caller::new(Some(token.label.into()), Arc::new(token.scope), gone);
        let caller = caller.with(digest);
        Self { digest, caller }
    }

    fn is(&self, other: &Self) -> bool {
        self.digest.is(&other.digest)
            && self.caller.label == other.caller.label
            && self.caller.scope() == other.caller.scope()
    }
}

/// What a request brought to say who calls.
#[derive(Debug, Default)]
struct Presented {
    /// Tokens, or the tokens of links, by header or in the address.
    tokens: Vec<String>,
    /// A ticket.
    ticket: Option<String>,
    /// Whether a token stood in the address.
    is_in_address: bool,
}

/// Why nobody is known.
#[derive(Debug)]
struct Unknown {
    error: Error,
    /// How long to wait before the next try.
    pause: Option<Duration>,
}

impl Access {
    /// These tokens open the service; without any, everybody may do everything.
    pub(super) fn new(tokens: Vec<config::Token>) -> Self {
        Self(Arc::new(Inner {
            tokens: RwLock::new(Tokens {
                known: tokens.into_iter().map(Known::of).collect(),
                anyone: Caller::service(),
            }),
            passes: Mutex::default(),
            failures: Mutex::default(),
            has_told: AtomicBool::new(false),
        }))
    }

    /// Whether there are no tokens.
    pub(super) fn is_open(&self) -> bool {
        let tokens = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.known.is_empty()
    }

    /// Takes other tokens. What was opened by one that is gone ends. Answers how many there are, and how
    /// many are gone.
    pub(super) fn replace(&self, tokens: Vec<config::Token>) -> (usize, usize) {
        let mut held = self
            .0
            .tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut held.known);
        let known = tokens.into_iter().map(Known::of).map(|new| {
            // One that is as it was stays, with what it has opened.
            match old.iter().position(|old| old.is(&new)) {
                Some(at) => old.swap_remove(at),
                None => new,
            }
        });
        held.known = known.collect();
        old.iter().for_each(|gone| gone.caller.gone.cancel());
        if !held.known.is_empty() {
            held.anyone.gone.cancel();
            held.anyone = Caller::service();
        }
        (held.known.len(), old.len())
    }

    /// Who calls with this.
    fn caller(
        &self,
        presented: &Presented,
        from: Option<IpAddr>,
        manager: &Manager,
    ) -> Result<Caller, Unknown> {
        let now = Instant::now();
        let exists = |session: SessionId| manager.record(&session.to_string()).is_ok();
        if presented.is_in_address && !self.0.has_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a token came in an address (access_token), where logs of others may keep it: send a header, \
                 or a ticket of POST /tickets; this is told once"
            );
        }
        if let Some(caller) = self.by_token(presented) {
            return Ok(caller);
        }
        let linked = |token: &String| {
            let link = manager.links().find(token, now)?;
            exists(link.session).then(|| Caller::by_link(link))
        };
        if let Some(caller) = presented.tokens.iter().find_map(linked) {
            return Ok(caller);
        }
        let mut passes = self.passes();
        let redeemed = presented.ticket.as_ref();
        if let Some(caller) = redeemed.and_then(|ticket| passes.redeem(ticket, now)) {
            count_ticket("used");
            return Ok(caller);
        }
        drop(passes);
        let is_share = presented.tokens.iter().any(|token| token.starts_with(LINK));
        if self.is_open() && !is_share && presented.ticket.is_none() {
            let tokens = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner);
            return Ok(tokens.anyone.clone());
        }
        let reason = match (is_share, &presented.ticket, presented.tokens.is_empty()) {
            (true, ..) => "share",
            (_, Some(_), _) => "ticket",
            (_, None, true) => "missing",
            (_, None, false) => "unknown",
        };
        Err(self.failed(reason, from, now))
    }

    /// Looks at every token, so that the time does not tell which one came near.
    fn by_token(&self, presented: &Presented) -> Option<Caller> {
        let tokens = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for token in &presented.tokens {
            let digest = Digest::of(token);
            for known in &tokens.known {
                if known.digest.is(&digest) && found.is_none() {
                    found = Some(known.caller.clone());
                }
            }
        }
        found
    }

    fn failed(&self, reason: &'static str, from: Option<IpAddr>, now: Instant) -> Unknown {
        metrics::counter!("ghostcast_auth_failures_total", "reason" => reason).increment(1);
        let error = match reason {
            "missing" => Error::unauthenticated("a valid token is needed").hint(
                "Send the header \"Authorization: Bearer TOKEN\" with a token of the service.",
            ),
            "ticket" => Error::unauthenticated("this ticket is not good, or not any more")
                .hint("A ticket is for one use within a minute. Make another by POST /tickets."),
            "share" => Error::unauthenticated("this link is not good any more")
                .hint("Ask whoever sent it for another."),
            _ => Error::unauthenticated("this token is not known; a valid token is needed").hint(
                "Send the header \"Authorization: Bearer TOKEN\" with a token of the service.",
            ),
        };
        // Nothing was guessed by whoever sent nothing.
        if reason == "missing" {
            return Unknown { error, pause: None };
        }
        let verdict = self.failures().note(from, now);
        if let Some(failures) = verdict.told {
            tell(from, failures);
        }
        match verdict.pause {
            None => Unknown { error, pause: None },
            Some(pause) => {
                metrics::counter!("ghostcast_auth_failures_total", "reason" => "throttled")
                    .increment(1);
                let error = Error::exhausted("too many wrong tokens came from this address")
                    .hint("Wait as long as Retry-After says. A right token is let in meanwhile.");
                let pause = Some(pause);
                Unknown { error, pause }
            }
        }
    }

    /// Makes a ticket for a caller.
    pub(super) fn ticket(&self, of: &Caller, scope: Scope) -> Result<Made, Error> {
        let made = self.passes().ticket(of, scope, Instant::now())?;
        count_ticket("issued");
        Ok(made)
    }

    /// What a link hangs on that was kept; nothing where the token is gone by which it was made.
    pub(super) fn holder(&self, link: &KeptLink) -> Option<(Maker, CancellationToken)> {
        let tokens = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let Some(maker) = link.maker else {
            // As those end that nobody needed a token for when there are tokens.
            let anyone = tokens.known.is_empty().then_some(&tokens.anyone)?;
            return Some((Maker::Anyone, anyone.gone.clone()));
        };
        let mut known = tokens.known.iter();
        let known = known.find(|known| known.digest.beside(&link.digest) == maker)?;
        Some((known.caller.maker(), known.caller.gone.clone()))
    }

    /// Enters by a link, from there; answers the token to go on with. What is no good link counts as a guess.
    pub(super) fn enter(
        &self,
        links: &Links,
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<(Link, String), Error> {
        let now = Instant::now();
        match links.enter(token, now)? {
            Some(entered) => Ok(entered),
            None => Err(self.failed("share", from, now).error),
        }
    }

    /// Ends what is good no more, and tells what is still to be told; to be called every few seconds.
    pub(super) fn upkeep(&self, manager: &Manager) {
        let now = Instant::now();
        self.passes().upkeep(now);
        manager.tidy_links();
        let untold = self.failures().upkeep(now);
        for (from, failures) in untold {
            tell(from, failures);
        }
    }

    fn passes(&self) -> std::sync::MutexGuard<'_, Passes> {
        self.0.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.0
            .failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(from: Option<IpAddr>, failures: u32) {
    let from = from.map_or_else(|| "unknown".to_owned(), |from| from.to_string());
    tracing::warn!(%from, failures, "refused: a token, ticket or link that is not good");
}

fn count_ticket(outcome: &'static str) {
    metrics::counter!("ghostcast_passes_total", "kind" => "ticket", "outcome" => outcome)
        .increment(1);
}
