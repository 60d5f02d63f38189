//! A snapshot of a page's layout: where each node is, which frames there are, and which shadow
//! roots no script can open.

use std::collections::{HashMap, HashSet};

use chromiumoxide_cdp::cdp::browser_protocol::dom::BackendNodeId;
use chromiumoxide_cdp::cdp::browser_protocol::dom_snapshot::{
    CaptureSnapshotParams, CaptureSnapshotReturns, DocumentSnapshot, StringIndex,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::FrameId;

use super::super::error::Error;
use super::super::target::Page;

/// Frames looked into at most.
const FRAMES_MAX: usize = 64;

/// Where a node is: left, top, right and bottom, CSS px of the viewport.
type Area = [f64; 4];

/// A document of the page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) id: FrameId,
    /// The node that holds it; none for the page itself.
    pub(super) owner: Option<i64>,
}

/// The page's layout at one moment. Nodes are told apart by Chromium's own numbers.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The page first.
    pub(super) frames: Vec<Frame>,
    /// Nodes by which shadow roots are found that no script can open.
    pub(super) inside_closed: Vec<i64>,
    areas: HashMap<i64, Area>,
}

impl Snapshot {
    /// Takes one of the whole page.
    pub(super) async fn take(page: &Page) -> Result<Self, Error> {
        const OPERATION: &str = "take a snapshot of the layout";
        // Chromium wants the list of styles, and the client leaves an empty one out.
        let params = CaptureSnapshotParams::new(vec!["display".to_owned()]);
        let answer = page.session().execute(OPERATION, params).await?;
        Ok(Self::of(&answer))
    }

    fn of(answer: &CaptureSnapshotReturns) -> Self {
        let mut all = Self::default();
        let text = |index: i64| {
            let index = usize::try_from(index).ok()?;
            answer.strings.get(index).map(String::as_str)
        };
        let mut places: HashMap<usize, (Option<i64>, [f64; 2])> =
            HashMap::from([(0, (None, [0.0, 0.0]))]);
        // A frame's document comes after the one that holds it.
        for (number, document) in answer.documents.iter().take(FRAMES_MAX).enumerate() {
            let Some((owner, origin)) = places.get(&number).copied() else {
                continue;
            };
            if let Some(id) = text(*document.frame_id.inner()) {
                let id = FrameId::new(id);
                all.frames.push(Frame { id, owner });
            }
            all.add_areas(document, origin);
            all.add_closed_roots(document, &text);
            let inner = document.nodes.content_document_index.as_ref();
            let inner = inner.map(|data| data.index.iter().zip(&data.value));
            for (node, child) in inner.into_iter().flatten() {
                let owner = backend(document, *node);
                let at = owner.and_then(|id| all.areas.get(&id));
                let at = at.map_or([f64::MAX; 2], |area| [area[0], area[1]]);
                places.insert(usize::try_from(*child).unwrap_or_default(), (owner, at));
            }
        }
        all
    }

    /// Whether any of a node shows in a viewport of this size; `None` for what has no box.
    pub(super) fn is_in_view(&self, node: i64, viewport: crate::model::Size) -> Option<bool> {
        let [left, top, right, bottom] = *self.areas.get(&node)?;
        let (width, height) = (f64::from(viewport.width), f64::from(viewport.height));
        Some(left < width && top < height && right > 0.0 && bottom > 0.0)
    }

    fn add_areas(&mut self, document: &DocumentSnapshot, origin: [f64; 2]) {
        let x = origin[0] - document.scroll_offset_x.unwrap_or(0.0);
        let y = origin[1] - document.scroll_offset_y.unwrap_or(0.0);
        let layout = &document.layout;
        for (node, bounds) in layout.node_index.iter().zip(&layout.bounds) {
            if let (Some(id), [left, top, width, height]) =
                (backend(document, *node), bounds.inner().as_slice())
            {
                let (left, top) = (left + x, top + y);
                self.areas
                    .insert(id, [left, top, left + width, top + height]);
            }
        }
    }

    fn add_closed_roots<'a>(
        &mut self,
        document: &DocumentSnapshot,
        text: &dyn Fn(i64) -> Option<&'a str>,
    ) {
        let kinds = document.nodes.shadow_root_type.as_ref();
        let kinds = kinds.map(|data| data.index.iter().zip(&data.value));
        let closed = |kind: &StringIndex| text(*kind.inner()) == Some("closed");
        let parents = document.nodes.parent_index.as_deref().unwrap_or_default();
        // Each node inside is marked. One child of each parent will do: a root has no other parent
        // than its host, and may be inside another one.
        let mut seen = HashSet::new();
        for (node, kind) in kinds.into_iter().flatten() {
            let parent = usize::try_from(*node).ok().and_then(|at| parents.get(at));
            if closed(kind) && seen.insert(parent) {
                self.inside_closed.extend(backend(document, *node));
            }
        }
    }
}

fn backend(document: &DocumentSnapshot, node: i64) -> Option<i64> {
    let ids: &Vec<BackendNodeId> = document.nodes.backend_node_id.as_ref()?;
    ids.get(usize::try_from(node).ok()?).map(|id| *id.inner())
}
