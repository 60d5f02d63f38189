//! What leaves a session, without the values of its secrets.

use super::look::PageContext;
use crate::browser::PageEvent;
use crate::browser::sight::elements::ElementList;
use crate::model::ActionResult;
use crate::model::command::ActionRequest;
use crate::model::secrets::Secrets;

/// An action as it may be repeated.
pub(super) fn request(secrets: &Secrets, action: &mut ActionRequest) {
    action
        .params
        .values_mut()
        .for_each(|value| secrets.mask_value(value));
    secrets.mask_text(&mut action.action_type);
}

/// What came of an action.
pub(super) fn result(secrets: &Secrets, result: &mut ActionResult) {
    if let Some(error) = &mut result.error {
        secrets.mask_text(error);
    }
    if let Some(context) = &mut result.context {
        secrets.mask_value(context);
    }
    result
        .data
        .values_mut()
        .for_each(|value| secrets.mask_value(value));
    secrets.mask_text(&mut result.url);
    secrets.mask_text(&mut result.title);
}

/// What the page tells.
pub(super) fn page_event(secrets: &Secrets, event: &mut PageEvent) {
    match event {
        PageEvent::Navigated { url } | PageEvent::Loaded { url } => secrets.mask_text(url),
        PageEvent::Console { text, .. } => secrets.mask_text(text),
        PageEvent::Dialog(info) | PageEvent::DialogLeft(info) => secrets.mask_text(&mut info.message),
        PageEvent::Titled(title) => secrets.mask_text(title),
        PageEvent::Download(info) => secrets.mask_text(&mut info.name),
        PageEvent::Dom(_)
        | PageEvent::PageCount(_)
        | PageEvent::Shown { .. }
        | PageEvent::Crashed => (),
    }
}

/// What an agent sees of the page.
pub(super) fn context(secrets: &Secrets, context: &mut PageContext) {
    secrets.mask_text(&mut context.url);
    secrets.mask_text(&mut context.title);
    for tab in &mut context.tabs {
        secrets.mask_text(&mut tab.url);
        secrets.mask_text(&mut tab.title);
    }
    if let Some(list) = &mut context.elements {
        elements(secrets, list);
    }
    let nodes = context.accessibility.iter_mut().flatten();
    nodes.for_each(|node| secrets.mask_value(node));
}

/// A list of elements.
pub(super) fn elements(secrets: &Secrets, list: &mut ElementList) {
    list.elements
        .iter_mut()
        .for_each(|element| secrets.mask_value(element));
}
