//! What a page is when it is taken over: one that another page opened has lived for a moment by
//! then, and nobody has heard what it did.

use chromiumoxide::Page as CdpPage;
use chromiumoxide::cdp::browser_protocol::network;
use chromiumoxide::cdp::browser_protocol::page::{self, GetFrameTreeParams};
use chromiumoxide::cdp::js_protocol::runtime;
use serde::Deserialize;

use super::super::error::Error;
use super::super::loading::Loading;
use super::super::world::World;
use super::PageEvent;
use super::listen::cut;

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

/// Asks for the page's events. Twice does no harm.
pub(super) async fn enable(cdp: &CdpPage) -> Result<(), Error> {
    const OPERATION: &str = "listen to a page that a page opened";
    cdp.execute(page::EnableParams::default())
        .await
        .map_err(Error::command(OPERATION))?;
    cdp.execute(network::EnableParams::default())
        .await
        .map_err(Error::command(OPERATION))?;
    cdp.execute(runtime::EnableParams::default())
        .await
        .map_err(Error::command(OPERATION))?;
    Ok(())
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
    pub(super) async fn read(cdp: &CdpPage, world: &World) -> Result<Self, Error> {
        let tree = cdp.execute(GetFrameTreeParams::default()).await;
        let tree = tree.map_err(Error::command("read a page that a page opened"))?;
        let frame = &tree.result.frame_tree.frame;
        let fragment = frame.url_fragment.as_deref().unwrap_or_default();
        let url = frame.unreachable_url.as_ref().unwrap_or(&frame.url);
        let document = "({url: location.href, ready_state: document.readyState})";
        // One that is replaced at this moment tells of itself.
        let document = world.evaluate::<Document>(cdp, 0, document).await;
        let is_complete = document.is_ok_and(|document| {
            document.ready_state == "complete" && document.url == format!("{}{fragment}", frame.url)
        });
        Ok(Self {
            loader: Some(frame.loader_id.inner().clone()),
            url: match url.is_empty() {
                true => "about:blank".to_owned(),
                false => cut(&format!("{url}{fragment}")),
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
