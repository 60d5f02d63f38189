//! What was last read of a page, for when a dialog stops it and it answers nothing.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::look::{ContextOptions, PageContext, Unread};
use crate::browser::sight::ElementList;
use crate::model::Unreadable;

/// Elements that are kept; who wants more reads them when the dialog is answered.
const ELEMENTS_MAX: usize = 500;

/// The last that was read of the current page, as it was told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered(Arc<Mutex<Option<Seen>>>);

#[derive(Debug)]
struct Seen {
    tab: u32,
    document: u64,
    title: Option<String>,
    ready_state: Option<String>,
    scroll: Value,
    elements: Option<ElementList>,
    text: Option<(String, Option<String>)>,
    tree: Option<Tree>,
}

#[derive(Debug, Clone)]
struct Tree {
    nodes: Vec<Value>,
    total: Option<u64>,
    more: Option<Option<String>>,
}

impl Remembered {
    /// Keeps what was read of a tab. What was not asked for this time is kept from the time before,
    /// while the document is the same; parts that read on are not kept.
    pub(super) fn keep(&self, tab: u32, options: &ContextOptions, context: &PageContext) {
        let Some(document) = context.document else {
            return;
        };
        let is_first = options.more.is_none();
        let elements = context.elements.as_ref().filter(|_| is_first).map(light);
        let text = context.text.as_ref();
        let text = text.filter(|_| options.text_cursor.is_none());
        let text = text.map(|text| (text.clone(), context.text_cursor.clone().flatten()));
        let tree = context.accessibility.as_ref();
        let tree = tree.filter(|_| options.accessibility_more.is_none());
        let tree = tree.map(|nodes| Tree {
            nodes: nodes.clone(),
            total: context.accessibility_total,
            more: context.accessibility_more.clone(),
        });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kept
            .take()
            .filter(|old| old.tab == tab && old.document == document);
        let (old_elements, old_text, old_tree) =
            old.map_or((None, None, None), |old| (old.elements, old.text, old.tree));
        *kept = Some(Seen {
            tab,
            document,
            title: context.title.clone(),
            ready_state: context.ready_state.clone(),
            scroll: context.scroll.clone(),
            elements: elements.or(old_elements),
            text: text.or(old_text),
            tree: tree.or(old_tree),
        });
    }

    /// Adds to what is told of a page that a dialog has stopped what was last read of its document,
    /// as far as it is asked for; the rest is told as unreadable.
    pub(super) fn fill(&self, tab: u32, options: &ContextOptions, context: &mut PageContext) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = kept
            .as_ref()
            .filter(|seen| seen.tab == tab && Some(seen.document) == context.document);
        let mut left = options.clone();
        if let Some(seen) = seen {
            context.title = context.title.take().or_else(|| seen.title.clone());
            context.ready_state.clone_from(&seen.ready_state);
            context.scroll = seen.scroll.clone();
            if left.elements && left.more.is_none() {
                let elements = seen.elements.as_ref();
                context.elements = elements.map(|list| asked_for(list, options));
            }
            if let Some((text, cursor)) = seen.text.clone()
                && left.text
                && left.text_cursor.is_none()
            {
                (context.text, context.text_cursor) = (Some(text), Some(cursor));
            }
            if let Some(tree) = seen.tree.clone()
                && left.accessibility
                && left.accessibility_more.is_none()
            {
                context.accessibility = Some(tree.nodes);
                context.accessibility_total = tree.total;
                context.accessibility_more = tree.more;
            }
        }
        left.elements &= context.elements.is_none();
        left.text &= context.text.is_none();
        left.accessibility &= context.accessibility.is_none();
        context.unread = Unread::all(&left, Unreadable::DialogOpen);
        context.from_before = seen.is_some();
    }
}

/// As much of a list as is asked for now.
fn asked_for(list: &ElementList, options: &ContextOptions) -> ElementList {
    let mut list = list.clone();
    let most = options.limit.map_or(usize::MAX, |limit| limit as usize);
    if list.elements.len() > most {
        list.elements.truncate(most);
        (list.truncated, list.more) = (true, None);
    }
    if !options.boxes {
        let objects = list.elements.iter_mut().filter_map(Value::as_object_mut);
        objects.for_each(|element| drop(element.remove("box")));
    }
    list
}

fn light(list: &ElementList) -> ElementList {
    let is_cut = list.elements.len() > ELEMENTS_MAX;
    ElementList {
        version: list.version,
        elements: list.elements.iter().take(ELEMENTS_MAX).cloned().collect(),
        total: list.total,
        truncated: list.truncated || is_cut,
        more: list.more.clone().filter(|_| !is_cut),
    }
}
