//! What leaves a session, without the values of its secrets.

use super::look::PageContext;
use crate::browser::PageEvent;
use crate::browser::sight::ElementList;
use crate::browser::target::Opened;
use crate::model::command::ActionRequest;
use crate::model::secrets::Secrets;
use crate::model::{ActionResult, DialogInfo, Outcome, Sketch};

/// An action as it may be repeated.
pub(super) fn request(secrets: &Secrets, action: &mut ActionRequest) {
    secrets.mask_fields(&mut action.params);
    secrets.mask_text(&mut action.action_type);
}

/// What came of an action.
pub(super) fn result(secrets: &Secrets, result: &mut ActionResult) {
    if let Some(error) = &mut result.error {
        secrets.mask_text(error);
    }
    if let Some(context) = &mut result.context {
        // The action as it came is the caller's own, down to the names in it.
        let action = context.get_mut("action");
        let params = action.and_then(|action| action.get_mut("params"));
        if let Some(sent) = params.and_then(serde_json::Value::as_object_mut) {
            secrets.mask_fields(sent);
        }
        secrets.mask_value(context);
    }
    outcome(secrets, &mut result.outcome);
    secrets.mask_text(&mut result.url);
    result
        .title
        .iter_mut()
        .for_each(|title| secrets.mask_text(title));
}

/// What an action did.
fn outcome(secrets: &Secrets, outcome: &mut Outcome) {
    let Outcome {
        effect,
        target,
        rest,
        dialogs,
        downloads,
        blocked_requests,
        changes,
        data,
        delivery: _,
        retry: _,
        tab: _,
    } = outcome;
    let values = effect.before.iter_mut().chain(&mut effect.after);
    values.for_each(|value| secrets.mask_value(value));
    let struck = target.iter_mut().flat_map(|target| {
        [&mut target.role, &mut target.name]
            .into_iter()
            .chain(&mut target.frame)
    });
    let texts = struck
        .chain(rest.iter_mut().flat_map(|rest| &mut rest.waits_for))
        .chain(downloads.iter_mut().map(|download| &mut download.name))
        .chain(
            blocked_requests
                .iter_mut()
                .flat_map(|blocked| [&mut blocked.host, &mut blocked.reason]),
        )
        .chain(changes.iter_mut().map(|change| &mut change.text));
    texts.for_each(|text| secrets.mask_text(text));
    dialogs.iter_mut().for_each(|it| dialog(secrets, it));
    data.values_mut()
        .for_each(|value| secrets.mask_value(value));
}

/// A dialog.
pub(super) fn dialog(secrets: &Secrets, dialog: &mut DialogInfo) {
    secrets.mask_text(&mut dialog.message);
    dialog
        .default_value
        .iter_mut()
        .for_each(|value| secrets.mask_text(value));
}

/// An open dialog, to be drawn.
pub(super) fn sketch(secrets: &Secrets, opened: Opened) -> Sketch {
    let Opened {
        mut origin,
        mut info,
        ..
    } = opened;
    secrets.mask_text(&mut origin);
    dialog(secrets, &mut info);
    Sketch::Dialog { origin, info }
}

/// What the page tells.
pub(super) fn page_event(secrets: &Secrets, event: &mut PageEvent) {
    match event {
        PageEvent::Navigated { url } | PageEvent::Loaded { url } => secrets.mask_text(url),
        PageEvent::Console { text, .. } => secrets.mask_text(text),
        PageEvent::Dialog(info) | PageEvent::DialogLeft(info) => dialog(secrets, info),
        PageEvent::Failed(failure) => secrets.mask_text(&mut failure.url),
        PageEvent::Titled(title) => secrets.mask_text(title),
        PageEvent::Download(info) => secrets.mask_text(&mut info.name),
        PageEvent::Permission(asked) => secrets.mask_text(&mut asked.site),
        PageEvent::Dom(_) | PageEvent::PageCount | PageEvent::Shown { .. } | PageEvent::Crashed => {
        }
    }
}

/// What an agent sees of the page.
pub(super) fn context(secrets: &Secrets, context: &mut PageContext) {
    secrets.mask_text(&mut context.url);
    let texts = [&mut context.title, &mut context.text]
        .into_iter()
        .flatten();
    texts.for_each(|text| secrets.mask_text(text));
    context.dialog.iter_mut().for_each(|it| dialog(secrets, it));
    let found = context.found.iter_mut().flatten();
    found.for_each(|place| secrets.mask_value(place));
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
