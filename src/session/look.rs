//! What a session tells of its page: contexts, screenshots, and what a model says of them.

use serde::Serialize;
use utoipa::ToSchema;

use super::handle::{SessionHandle, closed};
use super::masking;
use crate::browser::capture::screenshot::{self, Clip, Format};
use crate::browser::sight::{self, ElementList, Part};
use crate::browser::target::{Opened, Page, PageState};
use crate::error::{Error, ErrorKind};
use crate::media::marks;
use crate::model::session::LiveKitStatus;
use crate::model::{DialogInfo, SessionState, TabInfo, Unreadable};

/// Elements marked on a picture of the viewport; beyond that nobody can tell them apart.
const MARKS_MAX: u32 = 300;
/// Elements marked on a picture of the full page.
const FULL_PAGE_MARKS_MAX: u32 = 1_000;

/// A context waits this long for a document that was asked for.
const DOCUMENT_PATIENCE: std::time::Duration = std::time::Duration::from_millis(300);

/// What a context shall hold besides url, title and ready state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextOptions {
    /// The indexed elements.
    pub elements: bool,
    /// The accessibility tree.
    pub accessibility: bool,
    /// Most elements listed; else as many as are comfortably read.
    pub limit: Option<u32>,
    /// Reads on in the elements.
    pub more: Option<String>,
    /// Reads on in the accessibility tree.
    pub accessibility_more: Option<String>,
    /// The text of the page, in reading order.
    pub text: bool,
    /// Reads on in the text.
    pub text_cursor: Option<String>,
    /// A phrase to look for on the page.
    pub find: Option<String>,
    /// Whether each element comes with its box.
    pub boxes: bool,
}

/// How much of the page a picture shows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Area {
    /// What is in view.
    #[default]
    Viewport,
    /// The whole page.
    FullPage,
    /// An element of the list, scrolled into view.
    Element(u32),
    /// A part of the page, CSS px from the viewport's corner.
    Region {
        /// From the left.
        x: f64,
        /// From the top.
        y: f64,
        /// More than 0.
        width: f64,
        /// More than 0.
        height: f64,
    },
}

/// The page as an agent needs it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PageContext {
    /// The page's URL.
    pub url: String,
    /// Why the document of that URL could not be loaded; null when it is there.
    pub page_error: Option<String>,
    /// Its title; null when it is not known.
    pub title: Option<String>,
    /// `loading`, `interactive` or `complete`; null when it is not known.
    pub ready_state: Option<String>,
    /// The number of the page's document, for `expects`; null when it is not known.
    pub document: Option<u64>,
    /// Whether a navigation is under way.
    pub is_loading: bool,
    /// Where the session is in its life: `live` when all is well.
    pub session_state: SessionState,
    /// Why it is in that state, when that needs saying.
    pub state_reason: Option<String>,
    /// The LiveKit side.
    pub livekit: LiveKitStatus,
    /// Scroll offsets and their ends, CSS px.
    #[schema(value_type = Object)]
    pub scroll: serde_json::Value,
    /// The viewport, CSS px.
    #[schema(value_type = Object)]
    pub viewport: serde_json::Value,
    /// The ghost cursor's place, CSS px; null before its first move.
    pub cursor: Option<crate::model::Point>,
    /// The session's tabs, in the order in which they were opened.
    pub tabs: Vec<TabInfo>,
    /// The dialog that is open; null when none is. Until it is handled, the rest is from before.
    pub dialog: Option<DialogInfo>,
    /// True while a dialog is open and the page was read before: title, ready state, scroll and what
    /// was asked for are as they were then. A list that is `truncated` without `more` goes on when the
    /// dialog is answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_before: bool,
    /// The indexed elements, when asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub elements: Option<ElementList>,
    /// The accessibility tree, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub accessibility: Option<Vec<serde_json::Value>>,
    /// How many nodes the tree has, listed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accessibility_total: Option<u64>,
    /// Reads on in the tree, as `?accessibility_more=`; null at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub accessibility_more: Option<Option<String>>,
    /// The text of the page and its frames in reading order, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Reads on in the text, as `?text_cursor=`; null at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub text_cursor: Option<Option<String>>,
    /// Where the phrase stands that was looked for: `text` around it, `index` of the nearest
    /// element, `in_viewport`, `box`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub found: Option<Vec<serde_json::Value>>,
    /// What was asked for and could not be read.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub unread: Option<Unread>,
}

/// Parts of a page that could not be read: each is null, and `unreadable` says why. A part that is
/// empty was read, and holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    elements: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    accessibility: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    text: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    found: Option<()>,
    /// Why.
    pub unreadable: Unreadable,
}

impl Unread {
    /// Everything that was asked for, which could not be read for the same reason; nothing when
    /// nothing was.
    pub(super) fn all(options: &ContextOptions, unreadable: Unreadable) -> Option<Self> {
        let all = Self {
            elements: options.wants_elements().then_some(()),
            accessibility: options.wants_tree().then_some(()),
            text: options.wants_text().then_some(()),
            found: options.find.is_some().then_some(()),
            unreadable,
        };
        let parts = [all.elements, all.accessibility, all.text, all.found];
        parts.iter().any(Option::is_some).then_some(all)
    }
}

impl ContextOptions {
    const fn wants_elements(&self) -> bool {
        self.elements || self.more.is_some()
    }

    const fn wants_tree(&self) -> bool {
        self.accessibility || self.accessibility_more.is_some()
    }

    /// The parameter that reads on, as it is called.
    const fn cursor_name(&self) -> &'static str {
        match (&self.more, &self.accessibility_more) {
            (Some(_), _) => "more",
            (None, Some(_)) => "accessibility_more",
            (None, None) => "text_cursor",
        }
    }

    const fn wants_text(&self) -> bool {
        self.text || self.text_cursor.is_some()
    }
}

impl SessionHandle {
    /// The page as an agent needs it.
    pub(super) async fn whole_context(
        &self,
        options: ContextOptions,
    ) -> Result<PageContext, Error> {
        self.must_have_browser()?;
        let page = self.tabs.present().await;
        match self.context_of(&page, options.clone()).await {
            // The tab was closed under the question.
            Err(error) if error.kind == ErrorKind::Unavailable && page.is_going().await => {
                self.context_of(&self.tabs.present().await, options).await
            }
            answer => answer,
        }
    }

    async fn context_of(&self, page: &Page, options: ContextOptions) -> Result<PageContext, Error> {
        let between = self.between_documents(page, &options);
        tokio::select! {
            biased;
            read = self.read(page, options) => read,
            () = awaiting_document(page) => Ok(between),
        }
    }

    /// What is known of a page that is about to be another.
    fn between_documents(&self, page: &Page, options: &ContextOptions) -> PageContext {
        let record = self.record.borrow();
        let viewport = page.viewport();
        let mut context = PageContext {
            url: page.loading().url,
            page_error: None,
            title: None,
            ready_state: None,
            document: None,
            is_loading: true,
            session_state: record.state,
            state_reason: record.state_reason.clone(),
            livekit: record.livekit,
            scroll: serde_json::Value::Null,
            viewport: serde_json::json!({ "width": viewport.width, "height": viewport.height }),
            cursor: record.cursor,
            tabs: self.tabs.list(),
            dialog: None,
            from_before: false,
            elements: None,
            accessibility: None,
            accessibility_total: None,
            accessibility_more: None,
            text: None,
            text_cursor: None,
            found: None,
            unread: Unread::all(options, Unreadable::BetweenDocuments),
        };
        masking::context(&self.secrets, &mut context);
        context
    }

    async fn read(&self, page: &Page, options: ContextOptions) -> Result<PageContext, Error> {
        if let Some(dialog) = page.dialog() {
            return Ok(self.behind_dialog(page, &options, dialog.info));
        }
        let mut read = Read::default();
        let mut told = read.all(page, &options).await;
        if matches!(told, Err(sight::Unreadable::BetweenDocuments)) {
            // The next document is usually there at once.
            told = read.all(page, &options).await;
        }
        if let Err(unreadable) = told {
            let Some(unreadable) = reason(unreadable) else {
                return Err(read_anew(options.cursor_name()));
            };
            read = Read {
                unread: Unread::all(&options, unreadable),
                ..Read::default()
            };
        }
        // A dialog may have opened meanwhile, and then nothing more is answered.
        let mut state = match page.dialog() {
            None => page.state().await?,
            Some(dialog) => return Ok(self.behind_dialog(page, &options, dialog.info)),
        };
        let loading = page.loading();
        let is_error_page = state.is_error_page();
        if is_error_page {
            state.url = loading.url;
        }
        let PageState {
            url,
            title,
            ready_state,
            scroll,
            viewport,
        } = state;
        let is_loading = loading.is_loading || loading.awaits_document;
        let mut tabs = self.tabs.list();
        // What the strip of tabs says comes a moment later.
        if let Some(tab) = tabs.iter_mut().find(|tab| tab.tab == page.tab()) {
            (tab.url, tab.title) = (url.clone(), title.clone());
        }
        let record = self.record();
        let mut context = PageContext {
            url,
            page_error: record.page_error.filter(|_| is_error_page),
            title: Some(title),
            ready_state: Some(ready_state),
            document: page.document(),
            is_loading,
            session_state: record.state,
            state_reason: record.state_reason,
            livekit: record.livekit,
            scroll,
            viewport,
            cursor: record.cursor,
            tabs,
            dialog: None,
            from_before: false,
            elements: read.elements,
            accessibility: read.nodes,
            accessibility_total: read.nodes_total,
            accessibility_more: read.nodes_more,
            text: read.text,
            text_cursor: read.text_cursor,
            found: read.found,
            unread: read.unread,
        };
        masking::context(&self.secrets, &mut context);
        self.remembered.keep(page.tab(), &options, &context);
        Ok(context)
    }

    /// What is known of a page that a dialog has stopped: what was so before it opened.
    fn behind_dialog(
        &self,
        page: &Page,
        options: &ContextOptions,
        dialog: DialogInfo,
    ) -> PageContext {
        let title = Some(self.record.borrow().title.clone()).filter(|title| !title.is_empty());
        let loading = page.loading();
        let mut context = PageContext {
            title,
            document: page.document(),
            is_loading: loading.is_loading || loading.awaits_document,
            dialog: Some(dialog),
            ..self.between_documents(page, options)
        };
        self.remembered.fill(page.tab(), options, &mut context);
        masking::context(&self.secrets, &mut context);
        context
    }

    /// A screenshot in a picture file format.
    pub(super) async fn photographed(
        &self,
        format: Format,
        quality: Option<u8>,
        area: Area,
    ) -> Result<Vec<u8>, Error> {
        self.must_have_browser()?;
        let page = self.tabs.present().await;
        if let Some(opened) = page.dialog().filter(Opened::is_open) {
            let clip = match area {
                Area::Viewport | Area::FullPage => Clip::Viewport,
                Area::Region {
                    x,
                    y,
                    width,
                    height,
                } => Clip::Part([x, y, width, height]),
                Area::Element(_) => return Err(dialog_open()),
            };
            let sketch = masking::sketch(&self.secrets, opened);
            let drawn = self
                .easel
                .screenshot(&page, sketch, (format, quality), clip);
            return Ok(drawn.await?);
        }
        let clip = match area {
            Area::Viewport => Clip::Viewport,
            Area::FullPage => Clip::FullPage,
            Area::Element(index) => {
                // It is brought into view, which moves the page.
                self.must_be_agents()?;
                let area = sight::area_of(&page, index).await;
                Clip::Part(area.map_err(|error| {
                    Error::invalid_input(error.message)
                        .hint("List the elements and use an index of it.")
                })?)
            }
            Area::Region {
                x,
                y,
                width,
                height,
            } => Clip::Part([x, y, width, height]),
        };
        Ok(screenshot::screenshot(&page, format, quality, clip).await?)
    }

    /// A screenshot with boxes, and their list.
    pub(super) async fn marked(
        &self,
        output: marks::Output,
        full_page: bool,
    ) -> Result<(Vec<u8>, ElementList), Error> {
        self.must_have_browser()?;
        let part = Part {
            limit: Some(if full_page {
                FULL_PAGE_MARKS_MAX
            } else {
                MARKS_MAX
            }),
            more: None,
            boxes: true,
        };
        let page = self.tabs.present().await;
        let list = sight::list(&page, &part).await;
        let mut list = list.map_err(|why| {
            Error::unavailable(format!("the page could not be listed: {why}"))
                .hint("Try without marks.")
        })?;
        if !full_page {
            list.elements
                .retain(|element| element["in_viewport"] == serde_json::Value::Bool(true));
            list.more = None;
        }
        let offset = match full_page {
            true => page.state().await?.scroll,
            false => serde_json::Value::Null,
        };
        let marked = list
            .elements
            .iter()
            .filter_map(|element| mark(element, &offset))
            .collect::<Vec<_>>();
        let side_max = marks::SIDE_PX_MAX.into();
        let clip = Clip::of(full_page);
        let png = screenshot::screenshot_within(&page, Format::Png, None, clip, side_max).await?;
        let drawing = move || marks::draw(&png, &marked, output);
        let drawn = tokio::task::spawn_blocking(drawing)
            .await
            .map_err(|error| Error::internal("the marks could not be drawn").source(error))?;
        let picture = drawn.map_err(|error| {
            Error::internal("the marks could not be drawn")
                .hint("Try without marks.")
                .source(error)
        })?;
        masking::elements(&self.secrets, &mut list);
        Ok((picture, list))
    }

    pub(super) fn must_have_browser(&self) -> Result<(), Error> {
        match self.record.borrow().state {
            SessionState::Failed => Err(crate::browser::Error::Gone.into()),
            SessionState::Closing | SessionState::Closed | SessionState::Stored => Err(closed()),
            SessionState::Starting
            | SessionState::Live
            | SessionState::Paused
            | SessionState::Reconnecting => Ok(()),
        }
    }
}

/// Nobody can say where an element of a page is that a dialog has stopped.
fn dialog_open() -> Error {
    Error::conflict("the page has a dialog open")
        .hint("Answer it with handle_dialog, or take a picture of what is in view.")
}

/// What was read of a page beside its state.
#[derive(Default)]
struct Read {
    elements: Option<ElementList>,
    nodes: Option<Vec<serde_json::Value>>,
    nodes_total: Option<u64>,
    nodes_more: Option<Option<String>>,
    text: Option<String>,
    text_cursor: Option<Option<String>>,
    found: Option<Vec<serde_json::Value>>,
    unread: Option<Unread>,
}

impl Read {
    async fn all(
        &mut self,
        page: &Page,
        options: &ContextOptions,
    ) -> Result<(), sight::Unreadable> {
        if options.wants_text() {
            let part = sight::text(page, options.text_cursor.as_deref()).await?;
            self.text = Some(part.text);
            self.text_cursor = Some(part.more);
        }
        if let Some(phrase) = &options.find {
            let found = sight::find(page, phrase).await?;
            self.found = Some(found.iter().map(|place| serde_json::json!(place)).collect());
        }
        if options.wants_elements() {
            let part = Part {
                limit: options.limit,
                more: options.more.clone(),
                boxes: options.boxes,
            };
            self.elements = Some(sight::list(page, &part).await?);
        }
        if options.wants_tree() {
            let tree = sight::tree(page, options.accessibility_more.as_deref()).await?;
            self.nodes = Some(tree.nodes);
            self.nodes_total = Some(tree.total);
            self.nodes_more = Some(tree.more);
        }
        Ok(())
    }
}

/// Why a page could not be read, as it is told; none for a cursor that is no longer kept.
fn reason(unreadable: sight::Unreadable) -> Option<Unreadable> {
    match unreadable {
        sight::Unreadable::BetweenDocuments => Some(Unreadable::BetweenDocuments),
        sight::Unreadable::ScriptFailed => Some(Unreadable::ScriptFailed),
        sight::Unreadable::TooLarge => Some(Unreadable::TooLarge),
        sight::Unreadable::NotKept => None,
    }
}

/// The mark of a listed element, on a picture whose corner is at the page's corner when `offset` is
/// how far the page is scrolled.
fn mark(element: &serde_json::Value, offset: &serde_json::Value) -> Option<marks::Mark> {
    let area = &element["box"];
    // Far beyond any picture, and near enough to be added up.
    let whole = |px: f64| px.round().clamp(-1e6, 1e6) as i32;
    let px = |name: &str| area[name].as_f64().map(whole);
    let shift = |name: &str| whole(offset[name].as_f64().unwrap_or(0.0));
    Some(marks::Mark {
        number: element["index"].as_u64()?,
        area: marks::Area {
            x: px("x")? + shift("x"),
            y: px("y")? + shift("y"),
            width: px("width")?,
            height: px("height")?,
        },
    })
}

/// Returns once a document has been awaited for a while.
async fn awaiting_document(page: &Page) {
    let mut loading = page.watch_loading();
    loop {
        if loading
            .wait_for(|loading| loading.awaits_document)
            .await
            .is_err()
        {
            return std::future::pending().await;
        }
        let comes = loading.wait_for(|loading| !loading.awaits_document);
        if tokio::time::timeout(DOCUMENT_PATIENCE, comes)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A cursor that points into a list that is no more.
fn read_anew(parameter: &str) -> Error {
    Error::invalid_input(format!(
        "stale_element: \"{parameter}\" belongs to an older state of the page"
    ))
    .hint(format!(
        "Get the context without {parameter}, and use the indices and the cursor that come with it."
    ))
}
