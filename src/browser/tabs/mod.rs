//! The tabs of a session: which pages there are, and which of them is the current one.
//!
//! [`Tabs`] is what everybody holds instead of a page, and asks for the current one when it begins
//! with something. A change is in force at once, and told by [`PageEvent::Shown`] in the same
//! channel as what pages tell: whoever reads that channel hears nothing of the new page before it
//! hears that it is the current one.
//!
//! A page that another page opens is taken over as it comes, by whatever way it was opened.

mod arrival;
mod facts;
mod order;
mod permit;
mod stored;
mod targets;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::target::TargetId;
use futures::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use self::arrival::Arrival;
use self::facts::Facts;
use self::order::TabOrder;
use super::cdp::COMMAND_TIMEOUT;
use super::error::Error;
use super::host::{Items, Lease};
use super::target::offers::Offers;
use super::target::{Downloads, Ground, Made, Page, PageEvent, Prepared, TabEvent};
use crate::error::Chain;
use crate::model::outcome::DialogPolicy;
use crate::model::tab::TABS_MAX;
use crate::model::{Device, TabInfo};
use crate::refusals::{self, Limit};

/// Documents that are asked what they have stored.
const STORAGES_MAX: usize = 32;
/// One that answers does so within this time.
const STORED_WITHIN: Duration = Duration::from_millis(500);
/// A document's origin and what it has stored, up to 256 KiB.
const STORED: &str = "(() => { try { const items = { ...localStorage }; const size = \
    JSON.stringify(items).length; return location.protocol.startsWith('http') && size < 262144 ? \
    [location.origin, items] : null; } catch { return null; } })()";

/// The tabs of one session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tabs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ground: Ground,
    state: Mutex<State>,
    /// How many pages are being taken over.
    arriving: watch::Sender<usize>,
    /// How many pages have come in all.
    came: watch::Sender<u64>,
    /// Held while a page of our own comes to be, which nobody shall take for one that a page opened.
    opening: tokio::sync::Mutex<()>,
    /// Whether pages open others behind themselves at the moment.
    opens_behind: AtomicBool,
}

#[derive(Debug)]
struct State {
    order: TabOrder,
    pages: Vec<Page>,
    /// Kept when the last one closes, until another is there.
    current: Page,
    /// All targets that are tabs or about to be, with what a strip of tabs would show.
    known: HashMap<String, Facts>,
    /// Targets of the pages that pages have opened, from the moment that they are told.
    windows: HashSet<String>,
    /// The tab that was opened last.
    number: u32,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ground.stop.cancel();
    }
}

impl Tabs {
    /// Opens the first page in the lease's context, and reports to `events`.
    pub async fn open_first(
        lease: &Lease,
        device: Device,
        dialogs: DialogPolicy,
        events: mpsc::Sender<TabEvent>,
        tracker: &TaskTracker,
    ) -> Result<Self, Error> {
        let ground = Ground::new(lease, device, dialogs, events, tracker);
        let targets = targets::Targets::subscribe(&lease.process);
        let made = ground.create().await?;
        let known = HashMap::from([(made.target.inner().clone(), Facts::default())]);
        let prepared = Page::prepare(&ground, 1, made).await?;
        let page = prepared.listen(&ground);
        let mut order = TabOrder::default();
        order.add(1, true);
        let state = State {
            order,
            pages: vec![page.clone()],
            current: page,
            known,
            windows: HashSet::new(),
            number: 1,
        };
        let inner = Arc::new(Inner {
            ground,
            state: Mutex::new(state),
            arriving: watch::Sender::new(0),
            came: watch::Sender::new(0),
            opening: tokio::sync::Mutex::new(()),
            opens_behind: AtomicBool::new(false),
        });
        let following = targets.follow(Arc::downgrade(&inner), inner.ground.stop.clone());
        tracker.spawn(following.in_current_span());
        Ok(Self { inner })
    }

    /// The page that is shown and acted on.
    pub fn current(&self) -> Page {
        self.inner.state().current.clone()
    }

    /// The current page, waited for while an empty one takes the place of the last.
    pub async fn present(&self) -> Page {
        let current = self.current();
        if !current.is_closed() {
            return current;
        }
        let mut arriving = self.inner.arriving.subscribe();
        // Without another one, what is asked of this one fails.
        let _ = timeout(COMMAND_TIMEOUT, arriving.wait_for(|count| *count == 0)).await;
        self.current()
    }

    /// Whether this tab is the current one.
    pub fn is_current(&self, tab: u32) -> bool {
        self.inner.state().current.tab() == tab
    }

    /// All tabs, in the order in which they were opened.
    pub fn list(&self) -> Vec<TabInfo> {
        let state = self.inner.state();
        let pages = state.pages.iter().take(TABS_MAX);
        let info = |page: &Page| {
            let Facts { url, title } = state.facts(page);
            TabInfo {
                tab: page.tab(),
                url,
                title,
                current: page.tab() == state.current.tab(),
            }
        };
        pages.map(info).collect()
    }

    /// Notes the title of a page that has loaded, which Chromium may not tell again by itself.
    pub fn note_title(&self, tab: u32, title: &str) {
        let Some(page) = self.find(tab) else { return };
        let mut state = self.inner.state();
        if let Some(known) = state.known.get_mut(page.target()) {
            title.clone_into(&mut known.title);
        }
    }

    /// What the documents of all tabs have in `localStorage`, by their origins; not of one that does not
    /// answer, or has more than is kept.
    pub async fn storage(&self) -> BTreeMap<String, Items> {
        let pages = self.inner.state().pages.clone();
        let frames = pages.iter().flat_map(Page::frames).take(STORAGES_MAX);
        let asking = frames.map(|frame| async move {
            let stored = frame.evaluate::<Option<(String, Items)>>(STORED);
            timeout(STORED_WITHIN, stored).await.ok()?.ok()?
        });
        join_all(asking).await.into_iter().flatten().collect()
    }

    /// Closes a tab of which nothing can be expected any more.
    pub fn discard(&self, tab: u32) {
        let Some(page) = self.find(tab) else { return };
        let inner = Arc::clone(&self.inner);
        self.inner.ground.tracker.spawn(
            async move {
                if let Err(error) = inner.ground.close(page.target()).await {
                    tracing::warn!(error = %Chain(&error), tab, "a tab could not be closed");
                }
            }
            .in_current_span(),
        );
    }

    /// What the session's pages have downloaded.
    pub fn downloads(&self) -> &Arc<Downloads> {
        &self.inner.ground.downloads
    }

    /// What the session's pages ask a person to choose from.
    pub fn offers(&self) -> &Arc<Offers> {
        &self.inner.ground.offers
    }

    /// What the session has copied.
    pub fn copied(&self) -> Option<String> {
        self.inner.ground.clipboard.text()
    }

    /// Puts back what it had copied before.
    pub fn put_back_copied(&self, text: Option<String>) {
        self.inner.ground.clipboard.put_back(text);
    }

    /// No person drives any more: what pages open is the browser's again.
    pub fn offer_no_more(&self) {
        let pages = self.inner.state().pages.clone();
        for page in &pages {
            page.offer_no_more();
            page.zoom_out();
        }
    }

    /// Takes no notice of pages any more: the session ends.
    pub fn end(&self) {
        self.inner.ground.stop.cancel();
    }

    /// The page of a tab.
    pub fn find(&self, tab: u32) -> Option<Page> {
        let state = self.inner.state();
        state.pages.iter().find(|page| page.tab() == tab).cloned()
    }

    /// Whether one more tab may be opened.
    pub(super) fn has_room(&self) -> bool {
        self.inner.state().known.len() < TABS_MAX
    }

    /// Opens what a kept session's further tabs showed, behind the current one; how they load is not
    /// waited for.
    pub async fn reopen(&self, urls: &[String]) {
        for url in urls.iter().take(TABS_MAX - 1) {
            if url.is_empty() {
                continue;
            }
            let page = match self.inner.open(false, false).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "a kept tab could not be opened again");
                    return;
                }
            };
            let url = url.clone();
            let going = async move {
                if let Err(error) = page.navigate(&url).await {
                    tracing::debug!(error = %Chain(&error), "a kept tab does not load");
                }
            };
            self.inner.ground.tracker.spawn(going.in_current_span());
        }
    }

    /// Opens an empty page and makes it the current one, whether or not the caller waits for it.
    pub(super) async fn open(&self, is_news: bool) -> Result<Page, Error> {
        let inner = Arc::clone(&self.inner);
        let opening = async move { inner.open(true, is_news).await };
        let opening = self.inner.ground.tracker.spawn(opening.in_current_span());
        opening.await.map_err(|_| Error::Gone)?
    }

    /// Tells that a page that was about to go somewhere has not come there.
    pub(super) async fn tell_empty(&self, page: &Page) {
        let url = "about:blank".to_owned();
        self.inner
            .tell(page.tab(), PageEvent::Navigated { url })
            .await;
    }

    /// Makes another tab the current one; false when there is no such tab.
    pub(super) async fn show(&self, tab: u32) -> bool {
        let is_there = self.inner.state().show(tab);
        if is_there {
            self.inner.see_shown().await;
        }
        is_there
    }

    /// Closes a tab that is not the only one; the tab shown before it is current from now on.
    pub(super) async fn close(&self, page: &Page) -> Result<(), Error> {
        let was_current = {
            let mut state = self.inner.state();
            let next = state.order.without(page.tab());
            state.current.tab() == page.tab() && next.is_some_and(|next| state.show(next))
        };
        if was_current {
            self.inner.see_shown().await;
        }
        self.inner.ground.close(page.target()).await?;
        timeout(self.inner.ground.patience()?, page.closed())
            .await
            .map_err(|_| Error::Timeout {
                operation: "close a page",
            })
    }

    /// Says whether pages that are opened from now on stay behind the current one.
    pub(super) fn open_behind(&self, is_behind: bool) {
        self.inner.opens_behind.store(is_behind, Ordering::Relaxed);
    }

    /// How many pages have come so far.
    pub(super) fn came(&self) -> u64 {
        *self.inner.came.borrow()
    }

    /// Waits until so many pages have come in all.
    pub(super) async fn until_came(&self, count: u64, deadline: Instant) {
        let mut came = self.inner.came.subscribe();
        // A window that was asked for and is not let open never comes.
        let _ = timeout_at(deadline, came.wait_for(|came| *came >= count)).await;
    }

    /// The current page, if it is another one than this once all pages that come have come.
    pub(super) async fn other_than(&self, page: &Page, deadline: Instant) -> Option<Page> {
        let mut arriving = self.inner.arriving.subscribe();
        // One that takes longer becomes the current one later.
        let _ = timeout_at(deadline, arriving.wait_for(|count| *count == 0)).await;
        let current = self.current();
        (current.tab() != page.tab()).then_some(current)
    }
}

impl State {
    fn facts(&self, page: &Page) -> Facts {
        let target = page.target();
        let mut facts = self.known.get(target).cloned().unwrap_or_default();
        if facts.url.is_empty() {
            facts.url = page.loading().url;
        }
        facts
    }

    fn page(&self, target: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.target() == target)
    }

    /// Whether a page has opened this window and nothing was ever shown in it. One that is opened
    /// without a URL is written into, and is called `about:blank`; one with a URL may be called by that
    /// while its document is awaited.
    fn is_empty_window(&self, target: &str) -> bool {
        if !self.windows.contains(target) {
            return false;
        }
        let called = self.known.get(target).map(|facts| facts.url.as_str());
        match (called, self.page(target)) {
            (Some("about:blank"), _) => false,
            (_, Some(page)) => page.loading().is_untouched(),
            (called, None) => called.is_none_or(str::is_empty),
        }
    }

    fn show(&mut self, tab: u32) -> bool {
        let page = self.pages.iter().find(|page| page.tab() == tab);
        let Some(page) = page.cloned() else {
            return false;
        };
        self.current = page;
        self.order.show(tab)
    }

    fn next_number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, tab: u32, event: PageEvent) {
        // Nobody listens to a session that has ended.
        let _ = self.ground.events.send(TabEvent { tab, event }).await;
    }

    async fn tell_count(&self) {
        let tab = self.state().current.tab();
        self.tell(tab, PageEvent::PageCount).await;
    }

    /// Tells that another page is the current one.
    async fn tell_shown(&self, is_news: bool) {
        let page = self.state().current.clone();
        page.bring_to_front().await;
        self.tell(page.tab(), PageEvent::Shown { is_news }).await;
    }

    /// Tells of the tab that the caller made the current one, whether or not the caller waits for it:
    /// whoever follows the session must not stay behind.
    async fn see_shown(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        let telling = async move { inner.tell_shown(true).await };
        let telling = self.ground.tracker.spawn(telling.in_current_span());
        // It ends by itself, or with the service.
        let _ = telling.await;
    }

    async fn open(&self, is_in_front: bool, is_news: bool) -> Result<Page, Error> {
        let (made, tab) = {
            let _opening = self.opening.lock().await;
            let made = self.ground.create().await?;
            let mut state = self.state();
            state
                .known
                .insert(made.target.inner().clone(), Facts::default());
            (made, state.next_number())
        };
        let target = made.target.clone();
        match Page::prepare(&self.ground, tab, made).await {
            Ok(prepared) => {
                let added = self.add(prepared, is_in_front, is_news).await;
                added.ok_or(Error::Gone)
            }
            Err(error) => {
                self.forget(target.inner()).await;
                Err(error)
            }
        }
    }

    /// Makes a tab of a page; none when it is gone already.
    async fn add(&self, prepared: Prepared, is_in_front: bool, is_news: bool) -> Option<Page> {
        let page = prepared.page.clone();
        {
            let mut state = self.state();
            if !state.known.contains_key(page.target()) {
                return None;
            }
            state.pages.push(page.clone());
            state.order.add(page.tab(), is_in_front);
            if is_in_front {
                state.current = page;
            }
        }
        self.tell_count().await;
        match is_in_front {
            true => self.tell_shown(is_news).await,
            // Chromium itself puts what a page opens in front.
            false => {
                let current = self.state().current.clone();
                current.bring_to_front().await;
            }
        }
        Some(prepared.listen(&self.ground))
    }

    /// Takes over a page that a page has opened, unless we opened it ourselves.
    async fn adopt(&self, target: TargetId, opener: Option<TargetId>, facts: Facts) {
        let is_behind = self.opens_behind.load(Ordering::Relaxed) || {
            let state = self.state();
            opener.is_some_and(|opener| opener.inner() != state.current.target())
        };
        let (is_full, tab) = {
            let _opening = self.opening.lock().await;
            let mut state = self.state();
            if state.known.contains_key(target.inner()) {
                return;
            }
            state.known.insert(target.inner().clone(), facts);
            (state.known.len() > TABS_MAX, state.next_number())
        };
        if is_full {
            metrics::counter!("ghostcast_tabs_refused_total").increment(1);
            refusals::note(Limit::Tabs, "a page opened one tab too many; it is closed");
            self.forget(target.inner()).await;
            return;
        }
        match Page::prepare(&self.ground, tab, Made::by_page(target.clone())).await {
            Ok(prepared) => drop(self.add(prepared, !is_behind, true).await),
            Err(error) => {
                if self.state().known.contains_key(target.inner()) {
                    tracing::warn!(error = %Chain(&error), "a page that a page opened is closed");
                }
                self.forget(target.inner()).await;
            }
        }
    }

    /// Closes what did not become a tab.
    async fn forget(&self, target: &str) {
        self.state().known.remove(target);
        // It may be gone already.
        let _ = self.ground.close(target).await;
    }

    /// Closes a window that was opened for a file alone, as browsers do: it never shows a document.
    fn close_empty(self: &Arc<Self>, target: &str) {
        {
            let mut state = self.state();
            if !state.is_empty_window(target) || state.known.len() < 2 {
                return;
            }
            // One that is not a tab yet does not become one.
            if state.page(target).is_none() {
                state.known.remove(target);
            }
        }
        let (inner, target) = (Arc::clone(self), target.to_owned());
        self.ground.tracker.spawn(
            async move {
                // It may be gone already.
                let _ = inner.ground.close(&target).await;
            }
            .in_current_span(),
        );
    }

    fn note_facts(&self, target: &str, mut facts: Facts) -> Option<(u32, String)> {
        let mut state = self.state();
        let is_current = state.current.target() == target;
        let tab = state.current.tab();
        let known = state.known.get_mut(target)?;
        if facts.is_nameless() && facts.url == known.url {
            facts.title.clone_from(&known.title);
        }
        let is_titled = known.title != facts.title;
        known.clone_from(&facts);
        (is_current && is_titled).then_some((tab, facts.title))
    }

    /// A page is gone, whoever closed it.
    async fn remove(self: &Arc<Self>, target: &str) {
        let (was_current, instead) = {
            let mut state = self.state();
            state.known.remove(target);
            let is_it = |page: &Page| page.target() == target;
            let Some(at) = state.pages.iter().position(is_it) else {
                return;
            };
            let page = state.pages.remove(at);
            state.order.remove(page.tab());
            let was_current = state.current.tab() == page.tab();
            let next = state.order.current().filter(|_| was_current);
            let is_shown = next.is_some_and(|next| state.show(next));
            let is_last = state.pages.is_empty() && !self.ground.stop.is_cancelled();
            let instead = is_last.then(|| Arrival::of(self));
            page.note_closed();
            (is_shown, instead)
        };
        self.tell_count().await;
        if was_current {
            self.tell_shown(true).await;
        }
        if let Some(arrival) = instead {
            self.open_instead(arrival);
        }
    }

    /// A session is never without a page.
    fn open_instead(&self, arrival: Arrival) {
        tracing::info!("the last tab closed itself; an empty one takes its place");
        self.ground.tracker.spawn(
            async move {
                let inner = &arrival.0;
                if let Err(error) = inner.open(true, true).await {
                    tracing::warn!(error = %Chain(&error), "there is no page any more");
                    let tab = inner.state().current.tab();
                    inner.tell(tab, PageEvent::Crashed).await;
                }
            }
            .in_current_span(),
        );
    }
}
