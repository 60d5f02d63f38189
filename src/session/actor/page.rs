//! What the actor makes of what pages tell: events, and the record.

use tracing::Instrument;

use super::{START_ANEW, Work};
use crate::browser::target::Page;
use crate::browser::target::loading::Failure;
use crate::browser::{Lease, PageEvent, TabEvent, act};
use crate::error::Chain;
use crate::livekit::conventions;
use crate::model::{EndReason, EventBody, UnixTime};
use crate::session::masking;

impl Work {
    /// What is told of a page whose renderer is gone.
    fn crashed(&self) -> String {
        let browser = self.actor.lease.as_ref().and_then(Lease::pid);
        let why = self.actor.overgrown.why(browser);
        let why = why.as_deref().unwrap_or("The page's renderer crashed.");
        format!("{why} {START_ANEW}")
    }

    /// Hears a page. Subscribers hear of the current one only.
    pub(super) fn hear_page(&mut self, heard: TabEvent) {
        let TabEvent { tab, mut event } = heard;
        if let PageEvent::Failed(failure) = event {
            self.hear_failure(tab, &failure);
            return;
        }
        masking::page_event(&self.actor.kit.secrets, &mut event);
        if let PageEvent::Navigated { url } = &event {
            self.actor.visited.note(url);
        }
        self.follow_veil();
        let is_shown = tab == self.shown;
        let body = match event {
            PageEvent::PageCount => {
                self.note_page_count();
                return;
            }
            PageEvent::Shown { is_news } => {
                self.show_tab(is_news);
                return;
            }
            PageEvent::Crashed if self.actor.kit.tabs.is_current(tab) => {
                self.lose_browser(EndReason::BrowserLost, &self.crashed());
                return;
            }
            PageEvent::Crashed => {
                tracing::warn!(tab, "a tab in the background crashed; it is closed");
                self.actor.kit.tabs.discard(tab);
                return;
            }
            PageEvent::Titled(title) => {
                self.actor.kit.tabs.note_title(tab, &title);
                if is_shown && !self.is_veiled() {
                    self.actor.record.send_modify(|record| record.title = title);
                }
                return;
            }
            PageEvent::Failed(_) => return,
            _ if !is_shown || self.is_veiled() => return,
            PageEvent::Navigated { url } => {
                // An empty tab that was to show a page, and shows why there is none.
                if url != "about:blank" || !self.shows_failure() {
                    self.note_place(&url);
                }
                self.note_page(&url);
                self.note_status();
                EventBody::PageNavigation { url }
            }
            PageEvent::Loaded { url } => {
                self.note_status();
                EventBody::PageLoadComplete { url }
            }
            PageEvent::Dom(change_type) => EventBody::DomChange { change_type },
            PageEvent::Console { level, text } => EventBody::Console { level, text },
            PageEvent::Dialog(info) | PageEvent::DialogLeft(info) => EventBody::Dialog {
                kind: info.dialog_type,
                message: info.message,
                default_value: info.default_value,
                accepted: info.accepted,
                handled_by: info.handled_by,
            },
            PageEvent::Permission(asked) => EventBody::Permission(asked),
            PageEvent::Download(info) => EventBody::Download {
                id: info.id,
                name: info.name,
                state: info.state,
                bytes: info.bytes,
            },
        };
        self.tell_of_tab(tab, body);
    }

    /// Turns video, events and record to the tab that is current now. An older word of the same
    /// change finds nothing left to do.
    fn show_tab(&mut self, is_news: bool) {
        let page = self.actor.kit.tabs.current();
        if std::mem::replace(&mut self.shown, page.tab()) == page.tab() {
            return;
        }
        tracing::debug!(tab = page.tab(), "another tab is shown");
        self.show(page);
        if is_news && !self.is_veiled() {
            let url = self.actor.record.borrow().current_url.clone();
            self.note_page(&url);
            self.tell_of_tab(self.shown, EventBody::PageNavigation { url });
        }
    }

    /// Turns video and record to a page.
    pub(super) fn show(&mut self, page: Page) {
        let title = self
            .actor
            .kit
            .tabs
            .list()
            .into_iter()
            .find(|tab| tab.current);
        let mut title = title.map(|tab| tab.title).unwrap_or_default();
        let mut url = page.loading().url;
        self.actor.kit.secrets.mask_text(&mut url);
        self.actor.kit.secrets.mask_text(&mut title);
        let failure = page.loading().shown_failure().cloned();
        self.drawing.turn_to(&page);
        self.filming.turn_to(page);
        if self.is_veiled() {
            return;
        }
        self.actor.record.send_modify(|record| record.title = title);
        self.note_place(&url);
        self.note_status();
        if let Some(failure) = failure {
            self.note_failure(&failure);
        }
    }

    /// Notes how many tabs there are.
    pub(super) fn note_page_count(&self) {
        let count = self.actor.kit.tabs.list().len();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if !self.is_veiled() {
            self.actor
                .record
                .send_modify(|record| record.page_count = count);
        }
    }

    /// A document could not be loaded: the record says so, and so does the page in its place.
    fn hear_failure(&self, tab: u32, failure: &Failure) {
        if tab == self.shown && !self.is_veiled() {
            self.note_place(&self.masked(&failure.url));
            self.note_failure(failure);
        }
        let Some(page) = self.actor.kit.tabs.find(tab) else {
            return;
        };
        let (url, why) = (self.masked(&failure.url), self.why(failure));
        let number = failure.number;
        self.actor.tracker.spawn(
            async move {
                if let Err(error) = page.write_failure(number, &url, &why).await {
                    tracing::debug!(error = %Chain(&error), "a page does not say why it failed");
                }
            }
            .in_current_span(),
        );
    }

    fn note_failure(&self, failure: &Failure) {
        let why = self.why(failure);
        self.actor.record.send_modify(|record| {
            record.page_error = Some(why);
            record.http_status = None;
            record.title.clear();
        });
    }

    /// Notes with which status the current page's document came.
    fn note_status(&self) {
        let status = self.actor.kit.tabs.current().loading().http_status;
        self.actor.record.send_if_modified(|record| {
            let is_news = record.http_status != status;
            record.http_status = status;
            is_news
        });
    }

    /// Whether the current page stands for a document that could not be loaded.
    pub(super) fn shows_failure(&self) -> bool {
        let loading = self.actor.kit.tabs.current().loading();
        loading.shown_failure().is_some()
    }

    /// Why a document could not be loaded, for everybody in the same words.
    fn why(&self, failure: &Failure) -> String {
        let (_, why) = act::why(&self.actor.kit.gate, failure);
        self.masked(&why)
    }

    fn masked(&self, text: &str) -> String {
        self.actor.kit.secrets.mask(text).into_owned()
    }

    /// Notes where the current page is.
    fn note_place(&self, url: &str) {
        self.note_activity(Some(url.to_owned()));
        let attribute = (conventions::ATTRIBUTE_URL.to_owned(), url.to_owned());
        self.actor.stage.outlets.set_attributes([attribute]);
    }

    /// Notes that something happened, and where if that is news.
    pub(super) fn note_activity(&self, url: Option<String>) {
        self.actor.record.send_modify(|record| {
            record.last_activity = UnixTime::now().to_iso8601();
            if let Some(url) = url {
                record.current_url = url;
                record.page_error = None;
            }
        });
    }
}
