//! What a session tells of its page: contexts, screenshots, and what a model says of them.

use serde::Serialize;
use utoipa::ToSchema;

use super::handle::SessionHandle;
use super::masking;
use crate::browser::accessibility;
use crate::browser::elements::{self, ElementList, Part};
use crate::browser::page::{Page, PageState};
use crate::browser::screenshot::{self, Format};
use crate::error::{Error, ErrorKind};
use crate::media::marks;
use crate::model::session::LiveKitStatus;
use crate::model::{SessionState, TabInfo};
use crate::vision::{self, Analysis};

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
}

/// The page as an agent needs it (REQUIREMENTS A21, A55, D12).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PageContext {
    /// The page's URL.
    pub url: String,
    /// Its title.
    pub title: String,
    /// `loading`, `interactive` or `complete`.
    pub ready_state: String,
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
}

impl SessionHandle {
    /// The page as an agent needs it. While the next document is awaited, the browser answers no
    /// question about this one; what is known is told then.
    pub async fn context(&self, options: ContextOptions) -> Result<PageContext, Error> {
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
            title: record.title.clone(),
            ready_state: "loading".to_owned(),
            is_loading: true,
            session_state: record.state,
            state_reason: record.state_reason.clone(),
            livekit: record.livekit,
            scroll: serde_json::Value::Null,
            viewport: serde_json::json!({ "width": viewport.width, "height": viewport.height }),
            cursor: record.cursor,
            tabs: self.tabs.list(),
            elements: options.elements.then(ElementList::default),
            accessibility: options.accessibility.then(Vec::new),
            accessibility_total: options.accessibility.then_some(0),
            accessibility_more: options.accessibility.then_some(None),
        };
        masking::context(&self.secrets, &mut context);
        context
    }

    async fn read(&self, page: &Page, options: ContextOptions) -> Result<PageContext, Error> {
        let elements = match options.elements || options.more.is_some() {
            true => {
                let part = Part {
                    limit: options.limit,
                    more: options.more,
                };
                let list = elements::list(page, &part).await?;
                Some(list.ok_or_else(|| read_anew("more"))?)
            }
            false => None,
        };
        let tree = match options.accessibility || options.accessibility_more.is_some() {
            true => {
                let more = options.accessibility_more.as_deref();
                let tree = accessibility::tree(page, more).await?;
                Some(tree.ok_or_else(|| read_anew("accessibility_more"))?)
            }
            false => None,
        };
        let (nodes, total, more) = tree
            .map(|tree| (tree.nodes, tree.total, tree.more))
            .map_or((None, None, None), |(nodes, total, more)| {
                (Some(nodes), Some(total), Some(more))
            });
        let mut state = page.state().await?;
        let loading = page.loading();
        if state.is_error_page() {
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
            title,
            ready_state,
            is_loading,
            session_state: record.state,
            state_reason: record.state_reason,
            livekit: record.livekit,
            scroll,
            viewport,
            cursor: record.cursor,
            tabs,
            elements,
            accessibility: nodes,
            accessibility_total: total,
            accessibility_more: more,
        };
        masking::context(&self.secrets, &mut context);
        Ok(context)
    }

    /// A screenshot in a picture file format.
    pub async fn screenshot(
        &self,
        format: Format,
        quality: Option<u8>,
        full_page: bool,
    ) -> Result<Vec<u8>, Error> {
        self.must_have_browser()?;
        let page = self.tabs.present().await;
        Ok(screenshot::screenshot(&page, format, quality, full_page).await?)
    }

    /// A screenshot on which every element that is in the picture has its box and its index; with
    /// the list of them.
    pub async fn marked_screenshot(
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
        };
        let page = self.tabs.present().await;
        let list = elements::list(&page, &part).await?;
        let mut list = list.ok_or_else(|| Error::internal("a fresh list is no older page's"))?;
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
        let png = screenshot::screenshot(&page, Format::Png, None, full_page).await?;
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

    /// Asks the configured model about the page as it looks, by wish with numbered boxes.
    pub async fn analyze(&self, question: &str, is_marked: bool) -> Result<Analysis, Error> {
        self.vision.check(question)?;
        let bytes = match is_marked {
            true => self.marked_screenshot(marks::Output::Png, false).await?.0,
            false => self.screenshot(Format::Png, None, false).await?,
        };
        let picture = vision::Picture {
            bytes,
            media_type: Format::Png.media_type(),
            is_marked,
        };
        let mut analysis = self.vision.ask(question, &picture).await?;
        self.secrets.mask_text(&mut analysis.answer);
        Ok(analysis)
    }

    fn must_have_browser(&self) -> Result<(), Error> {
        if self.record.borrow().state.is_dead() {
            return Err(crate::browser::Error::Gone.into());
        }
        Ok(())
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
