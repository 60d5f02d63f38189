//! Memory is bounded: no session is started where the browsers take what they may already, and a page
//! whose process takes more than it may is ended, and told why.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Manager;
use super::handle::SessionHandle;
use super::slots::Slot;
use crate::browser::memory::{self, Renderer};
use crate::error::Error;

/// Renderers are looked at this often, while there are sessions.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A renderer that was ended is heard of by its page within this time.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a megabyte, as people are told.
const MEGABYTE: u64 = 1 << 20;

/// Why renderers that took too much were ended, by the first process of their browser. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Overgrown(Arc<Mutex<HashMap<u32, (Instant, String)>>>);

impl Overgrown {
    fn note(&self, browser: u32, why: String) {
        let mut overgrown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        overgrown.retain(|_, (at, _)| at.elapsed() < HEARD_WITHIN);
        overgrown.insert(browser, (Instant::now(), why));
    }

    /// Why a renderer of that browser has just been ended, if it was.
    pub(super) fn why(&self, browser: Option<u32>) -> Option<String> {
        let overgrown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = overgrown.get(&browser?)?;
        (at.elapsed() < HEARD_WITHIN).then(|| why.clone())
    }
}

impl Manager {
    /// Whether the browsers of this machine leave room for one more session.
    pub(super) async fn must_have_memory(&self) -> Result<(), Error> {
        let configured = self.means.config.now().browser.memory_bytes_max;
        let leaders = self.browsers();
        let looking = tokio::task::spawn_blocking(move || {
            let budget = match configured {
                0 => memory::usual_budget()?,
                bytes => bytes,
            };
            Some((memory::taken(&leaders, budget), budget))
        });
        let looked = looking
            .await
            .map_err(|error| Error::internal("the measurement broke").source(error))?;
        // A machine that does not tell of its memory has no bound but its own.
        let Some((taken, budget)) = looked else {
            return Ok(());
        };
        metrics::gauge!("ghostcast_browsers_memory_budget_bytes").set(budget as f64);
        if taken < budget {
            return Ok(());
        }
        let full = Error::exhausted(format!(
            "the browsers take {} MB of memory, of {} MB that they may",
            taken / MEGABYTE,
            budget / MEGABYTE
        ))
        .hint("Close a session, or raise browser.memory_bytes_max.");
        Err(full)
    }

    /// Ends renderers that take more memory than they may, for as long as the service runs.
    pub async fn watch_memory(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let bytes_max = self.means.config.now().browser.renderer_bytes_max;
            if bytes_max == 0 {
                continue;
            }
            let leaders = self.browsers();
            if leaders.is_empty() || self.count_live() == 0 {
                continue;
            }
            let looking =
                tokio::task::spawn_blocking(move || memory::renderers_beyond(&leaders, bytes_max));
            for renderer in looking.await.unwrap_or_default() {
                self.end_renderer(renderer, bytes_max);
            }
        }
    }

    /// Chromium tells the pages that lived there.
    fn end_renderer(&self, renderer: Renderer, bytes_max: u64) {
        let why = format!(
            "The page took {} MB of memory, more than the {} MB that it may \
             (browser.renderer_bytes_max), and was ended.",
            renderer.bytes / MEGABYTE,
            bytes_max / MEGABYTE
        );
        tracing::warn!(pid = renderer.pid, browser = renderer.browser, why);
        metrics::counter!("ghostcast_renderers_ended_total").increment(1);
        self.means.overgrown.note(renderer.browser, why);
        renderer.end();
    }

    /// The first processes of all browsers.
    pub(super) fn browsers(&self) -> Vec<u32> {
        let mut leaders = self.means.pool.pids();
        let slots = self.lock();
        let pid = |handle: &SessionHandle| {
            let is_dead = handle.record.borrow().state.is_dead();
            handle.browser_pid.filter(|_| !is_dead)
        };
        leaders.extend(slots.all().filter_map(|slot| match slot {
            Slot::Held(handle) => pid(handle),
            Slot::Starting { .. } | Slot::Stored(_) => None,
        }));
        leaders.sort_unstable();
        leaders.dedup();
        leaders
    }
}
