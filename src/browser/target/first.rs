//! What a page is when it is taken over: one that another page opened has lived for a moment by
//! then, and nobody has heard what it did.

use chromiumoxide_cdp::cdp::browser_protocol::page::{
    CreateIsolatedWorldParams, FrameTree, GetFrameTreeParams,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;
use serde::Deserialize;

use super::super::cdp::Session;
use super::super::error::Error;
use super::super::text::{cut, shown};
use super::PageEvent;
use super::frames::Frames;
use super::loading::Loading;
use super::world::WORLD;

/// The document that a page is taken over with.
#[derive(Debug, Clone)]
pub(super) struct First {
    /// Chromium's name of the load that brought it; none for a page of our own.
    loader: Option<String>,
    url: String,
    is_complete: bool,
    /// Whether it is Chromium's own, in the place of one that could not be loaded.
    is_error: bool,
}

/// What our script says of the document.
#[derive(Debug, Deserialize)]
struct Document {
    url: String,
    ready_state: String,
}

impl First {
    /// The empty page that we open.
    pub(super) fn blank() -> Self {
        Self {
            loader: None,
            url: "about:blank".to_owned(),
            is_complete: true,
            is_error: false,
        }
    }

    /// Looks at a page that is there already. Its events are on by now, so what changes after this
    /// is heard.
    pub(super) async fn read(session: &Session, frames: &mut Frames) -> Result<Self, Error> {
        const OPERATION: &str = "read a page that a page opened";
        let tree = session
            .execute(OPERATION, GetFrameTreeParams::default())
            .await?
            .frame_tree;
        seed(frames, &tree);
        let frame = &tree.frame;
        let fragment = frame.url_fragment.as_deref().unwrap_or_default();
        let url = frame.unreachable_url.as_ref().unwrap_or(&frame.url);
        // One that is replaced at this moment tells of itself.
        let document = document(session, &tree).await;
        let is_complete = document.is_ok_and(|document| {
            document.ready_state == "complete" && document.url == format!("{}{fragment}", frame.url)
        });
        Ok(Self {
            loader: Some(frame.loader_id.inner().clone()),
            url: match url.is_empty() {
                true => "about:blank".to_owned(),
                false => shown(&format!("{url}{fragment}")),
            },
            is_complete,
            is_error: frame.unreachable_url.is_some(),
        })
    }

    /// The loading state to go on from.
    pub(super) fn loading(&self) -> Loading {
        Loading {
            url: self.url.clone(),
            is_loading: !self.is_complete,
            ..Loading::default()
        }
    }

    /// Whether this load brought it.
    pub(super) fn is(&self, loader: &str) -> bool {
        self.loader.as_deref() == Some(loader)
    }

    /// Whether Chromium's own error page is shown.
    pub(super) fn is_error(&self) -> bool {
        self.is_error
    }

    /// What nobody has heard: that it is loaded. That it is shown is told with its URL.
    pub(super) fn missed(&self) -> Option<PageEvent> {
        let is_page = self.loader.is_some() && self.url != "about:blank" && !self.is_error;
        (is_page && self.is_complete).then(|| PageEvent::Loaded {
            url: cut(&self.url),
        })
    }
}

/// Asks the document itself, in our world of it.
async fn document(session: &Session, tree: &FrameTree) -> Result<Document, Error> {
    const OPERATION: &str = "ask a page that a page opened";
    let world = CreateIsolatedWorldParams::builder()
        .frame_id(tree.frame.id.clone())
        .world_name(WORLD)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let context = session
        .execute(OPERATION, world)
        .await?
        .execution_context_id;
    let facts = "({url: location.href, ready_state: document.readyState})";
    let mut params = EvaluateParams::new(facts);
    params.context_id = Some(context);
    params.return_by_value = Some(true);
    let answer = session.execute(OPERATION, params).await?;
    let value = answer.result.value.unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Error::Command {
        operation: OPERATION,
        source: error.into(),
    })
}

/// Notes the frames that are there.
fn seed(frames: &mut Frames, tree: &FrameTree) {
    let frame = &tree.frame;
    frames.attach(&frame.id, frame.parent_id.as_ref());
    frames.note_url(&frame.id, &shown(&frame.url), None);
    for child in tree.child_frames.iter().flatten() {
        seed(frames, child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(url: &str, is_complete: bool, is_error: bool) -> First {
        First {
            loader: Some("L".to_owned()),
            url: url.to_owned(),
            is_complete,
            is_error,
        }
    }

    #[test]
    fn only_what_had_loaded_already_was_missed() {
        let url = "http://h/".to_owned();
        let loaded = first(&url, true, false);
        assert_eq!(
            loaded.missed(),
            Some(PageEvent::Loaded { url: url.clone() })
        );
        assert!(loaded.is("L") && !loaded.is("M") && !loaded.loading().is_loading);
        let loading = first(&url, false, false);
        assert_eq!(loading.missed(), None);
        assert!(loading.loading().is_loading);
        assert_eq!(first(&url, true, true).missed(), None);
        assert_eq!(first("about:blank", true, false).missed(), None);
        assert_eq!(First::blank().missed(), None);
        assert!(!First::blank().is("L"));
    }
}
