//! What the pages of a session ask a person to choose from in windows of the browser's own: the lists of
//! select elements, and files. While a person drives, our scripts open no list but tell it, and Chromium opens
//! no file chooser but tells of it; whoever shows it to the person answers by `Offers::take`. What they ask
//! permission for is in `permissions`.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chromiumoxide_cdp::cdp::browser_protocol::dom::SetFileInputFilesParams;
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EventFileChooserOpened, SetInterceptFileChooserDialogParams,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EventBindingCalled;
use futures::future::{join, join_all};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::error::Error;
use super::shared::Shared;
use super::{Frame, Page};
use crate::model::offer::{Choosable, Offer, Offered, PermissionAnswer};

/// For so long a document tells its lists, unless it is told again.
const LEASE: Duration = Duration::from_secs(30);
/// It is told again after this.
const RENEW_AFTER: Duration = Duration::from_secs(10);
/// A pointer that moves has it looked for new documents this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A person's press waits so long for a document that is to tell its lists.
const READY_WITHIN: Duration = Duration::from_millis(150);
/// Most options of a list.
const OPTIONS_MAX: usize = 1_000;

/// What the pages of a session offer: one thing at a time, the last one that was opened.
#[derive(Debug)]
pub struct Offers {
    pub(super) last: watch::Sender<Option<Opened>>,
    count: Mutex<u64>,
    /// Whether a person drives, and does so privately.
    pub(super) is_driven: AtomicBool,
    pub(super) is_private: AtomicBool,
    /// Held by what asks for permission: one after the other.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// What was answered to those that ask for permission, until they hear of it.
    pub(super) answers: Mutex<HashMap<u64, PermissionAnswer>>,
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            last: watch::Sender::new(None),
            count: Mutex::default(),
            is_driven: AtomicBool::new(false),
            is_private: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            answers: Mutex::default(),
        }
    }
}

/// Something that is offered, and where.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::browser) struct Opened {
    pub(super) offer: Offer,
    tab: u32,
    document: u64,
    /// What our script calls it there: a list, or a field.
    name: u64,
}

/// Which documents tell their lists, of one page.
#[derive(Debug, Default)]
pub(super) struct Offering {
    since: Option<Instant>,
    /// When it was looked for documents last.
    looked_at: Option<Instant>,
    documents: HashSet<u64>,
    /// The sessions whose file choosers are told of.
    sessions: HashSet<String>,
}

/// What our script says of a list.
#[derive(Debug, Deserialize)]
struct List {
    number: u64,
    text: String,
    options: Vec<Choosable>,
}

/// What `fileFieldOf` answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Field {
    Gone,
    Field {
        node: u64,
        multiple: bool,
        accept: String,
    },
}

impl Offers {
    /// What is offered now.
    pub fn current(&self) -> Option<Offer> {
        let last = self.last.borrow();
        last.as_ref().map(|opened| opened.offer.clone())
    }

    /// Tells of each change.
    pub fn changes(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut last = self.last.subscribe();
        async move {
            if last.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The offer of this number, if it is there.
    pub(in crate::browser) fn opened(&self, number: u64) -> Option<Opened> {
        let last = self.last.borrow();
        last.clone().filter(|opened| opened.offer.number == number)
    }

    /// Takes the offer of this number, which is answered then.
    pub(in crate::browser) fn take(&self, number: u64) -> Option<Opened> {
        let mut taken = None;
        self.last.send_if_modified(|last| {
            taken = last.take_if(|opened| opened.offer.number == number);
            taken.is_some()
        });
        taken
    }

    /// What a page has offered is there no more.
    pub(super) fn leave(&self, tab: u32) {
        let is_its = |opened: &mut Opened| opened.tab == tab;
        self.last
            .send_if_modified(|last| last.take_if(is_its).is_some());
    }

    fn list(&self, tab: u32, document: u64, mut list: List) {
        list.options.truncate(OPTIONS_MAX);
        let offered = Offered::List {
            label: list.text,
            options: list.options,
        };
        self.open(tab, document, list.number, offered);
    }

    fn files(&self, tab: u32, document: u64, field: Field) {
        let Field::Field {
            node,
            multiple,
            accept,
        } = field
        else {
            return;
        };
        self.open(tab, document, node, Offered::Files { multiple, accept });
    }

    /// Offers the list of a select element to the person who drives.
    pub(super) fn hear_list(
        &self,
        (tab, shared): (u32, &Shared),
        frames: Vec<Frame>,
        session: Option<&str>,
        event: &EventBindingCalled,
    ) {
        let Ok(list) = serde_json::from_str(&event.payload) else {
            return;
        };
        let mut frames = frames.into_iter();
        let frame = frames.find(|frame| frame.is_in(session, &event.execution_context_id));
        if let Some(frame) = frame.filter(|_| is_offering(shared)) {
            self.list(tab, frame.document(), list);
        }
    }

    /// Asks the person who drives for files, once the page has said what for.
    pub(super) fn hear_files(
        self: &Arc<Self>,
        (tab, shared): (u32, &Shared),
        event: EventFileChooserOpened,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let frame = shared.frames().frame(event.frame_id.inner());
        let (frame, node) = (frame?, event.backend_node_id?);
        let offers = Arc::clone(self);
        let asking = async move {
            let node = [*node.inner()];
            let field = frame.call_on_nodes("fileFieldOf", &node, json!([]));
            if let Ok(field) = field.await {
                offers.files(tab, frame.document(), field);
            }
        };
        is_offering(shared).then_some(asking)
    }

    /// Offers it in place of what was offered before; answers its number.
    pub(super) fn open(&self, tab: u32, document: u64, name: u64, offered: Offered) -> u64 {
        let number = {
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count
        };
        let offer = Offer { number, offered };
        self.last.send_replace(Some(Opened {
            offer,
            tab,
            document,
            name,
        }));
        number
    }
}

impl Opened {
    pub(in crate::browser) fn tab(&self) -> u32 {
        self.tab
    }

    /// Whether it takes these many files; none for a list.
    pub(in crate::browser) fn takes_files(&self) -> Option<bool> {
        match self.offer.offered {
            Offered::List { .. } | Offered::Permission { .. } => None,
            Offered::Files { multiple, .. } => Some(multiple),
        }
    }

    /// Where the document is that offers it, while it is there.
    pub(in crate::browser) fn url(&self, page: &Page) -> Option<String> {
        Some(self.frame(page)?.url().to_owned())
    }

    /// The document that offers it, while it is there.
    fn frame(&self, page: &Page) -> Option<Frame> {
        let mut frames = page.frames().into_iter();
        frames.find(|frame| frame.document() == self.document)
    }

    /// Chooses an option; answers whether that was there to be chosen.
    pub(in crate::browser) async fn choose(
        &self,
        page: &Page,
        index: usize,
    ) -> Result<bool, Error> {
        match self.frame(page) {
            Some(frame) => frame.call("chooseOffered", json!([self.name, index])).await,
            None => Ok(false),
        }
    }

    /// Leaves it: a field hears that nothing was chosen, as it does when a chooser is closed.
    pub(in crate::browser) async fn leave(&self, page: &Page) -> Result<(), Error> {
        let is_field = self.takes_files().is_some();
        if let Some(frame) = self.frame(page).filter(|_| is_field) {
            frame
                .call::<Value>("leaveFiles", json!([self.name]))
                .await?;
        }
        Ok(())
    }

    /// Gives files to the field; answers whether that was there.
    pub(in crate::browser) async fn give(
        &self,
        page: &Page,
        paths: &[PathBuf],
    ) -> Result<bool, Error> {
        let Some(frame) = self.frame(page) else {
            return Ok(false);
        };
        let field = frame.object("element", json!([self.name])).await?;
        let paths: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut set = SetFileInputFilesParams::new(paths);
        set.object_id = Some(field);
        frame
            .session()
            .execute("give a person's files to a field", set)
            .await?;
        Ok(true)
    }
}

/// Whether what is opened is offered to a person.
fn is_offering(shared: &Shared) -> bool {
    let offering = shared.offering.lock();
    let offering = offering.unwrap_or_else(PoisonError::into_inner);
    offering.since.is_some()
}

impl Page {
    /// As [`Self::offer`], for a press that may come: a hand moves many times a second.
    pub(in crate::browser) async fn offer_ahead(&self) {
        let looked_at = self.offering().looked_at;
        if looked_at.is_none_or(|at| at.elapsed() > LOOK_EVERY) {
            self.offer().await;
        }
    }

    /// Sees to it that what the page opens for a person's press is offered; waits a moment for documents that
    /// are new to that.
    pub(in crate::browser) async fn offer(&self) {
        let mut fresh = Vec::new();
        let mut sessions = Vec::new();
        {
            let mut offering = self.offering();
            let now = Instant::now();
            if offering.since.is_none_or(|since| now > since + RENEW_AFTER) {
                offering.since = Some(now);
                offering.documents.clear();
            }
            offering.looked_at = Some(now);
            for frame in self.frames() {
                let session = frame.session().id().unwrap_or_default();
                if !offering.sessions.contains(session) {
                    offering.sessions.insert(session.to_owned());
                    sessions.push(frame.session().clone());
                }
                if offering.documents.insert(frame.document()) {
                    fresh.push(frame);
                }
            }
        }
        if fresh.is_empty() && sessions.is_empty() {
            return;
        }
        let lease = json!([LEASE.as_millis() as u64]);
        let told = fresh
            .iter()
            .map(|frame| frame.call::<Value>("offerLists", lease.clone()));
        let heard = sessions.iter().map(|session| {
            let watch = SetInterceptFileChooserDialogParams::new(true);
            session.execute("watch for file choosers", watch)
        });
        // A page that hangs is driven all the same, and offers nothing.
        let _ = timeout(READY_WITHIN, join(join_all(told), join_all(heard))).await;
    }

    /// Lists and choosers are the browser's again.
    pub(in crate::browser) fn offer_no_more(&self) {
        let before = std::mem::take(&mut *self.offering());
        if before.since.is_none() {
            return;
        }
        for frame in self.frames() {
            if before.documents.contains(&frame.document()) {
                frame.tell("offerLists", &json!([0]));
            }
            let id = frame.session().id().unwrap_or_default();
            if before.sessions.contains(id) {
                let leave = SetInterceptFileChooserDialogParams::new(false);
                frame
                    .session()
                    .tell("watch for no file choosers any more", &leave);
            }
        }
        self.inner.offers.leave(self.tab());
    }

    fn offering(&self) -> std::sync::MutexGuard<'_, Offering> {
        let offering = &self.inner.shared.offering;
        offering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
