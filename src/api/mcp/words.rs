//! What is said of an action and of a page, in sentences that can be spoken. They name things, and
//! tell what a person would notice.

use serde_json::Value;

use crate::model::command::ActionRequest;
use crate::model::keys::Chord;
use crate::model::words::capital;
use crate::model::{
    ActionResult, Change, DialogInfo, DownloadInfo, DownloadState, EffectKind, HandledBy,
};
use crate::session::{Executed, PageContext};

/// Longest piece of a page's text within a sentence, characters.
const SPOKEN_CHARS_MAX: usize = 80;
/// Most changes that are told one by one.
const CHANGES_MAX: usize = 4;
/// Most chords that are told one by one.
const CHORDS_MAX: usize = 3;
/// HTTP statuses from here on are failures.
const STATUS_FAILED: u64 = 400;

/// What is said of an action that ended.
pub(super) fn told(action: &ActionRequest, result: &ActionResult) -> String {
    let mut said = vec![match &result.error {
        Some(error) => error.clone(),
        None => done(action, result),
    }];
    if result.success {
        said.extend(led(action, result));
    }
    said.extend(noticed(result));
    // The failure's own words may hold what was noticed.
    let first = said[0].clone();
    let news = said.into_iter().enumerate();
    let news = news.filter(|(at, words)| *at == 0 || !first.contains(words.as_str()));
    news.map(|(_, words)| words).collect::<Vec<_>>().join(" ")
}

/// What is said of a script that ran.
pub(super) fn ran(executed: &Executed) -> String {
    if let Some(thrown) = &executed.error {
        let (name, message) = (cut(&thrown.name), cut(&thrown.message));
        return format!("The script threw {name}: {message}");
    }
    match (&executed.result, executed.kind.as_deref()) {
        (Value::Null, Some("null")) => "The script returned null.".to_owned(),
        (Value::Null, _) => "The script ran and returned nothing.".to_owned(),
        (Value::String(text), Some("string")) => {
            format!("The script returned \"{}\".", cut(text))
        }
        (Value::Array(items), _) => match items.len() {
            1 => "The script returned a list of one item.".to_owned(),
            count => format!("The script returned a list of {count} items."),
        },
        (Value::Object(_), _) => "The script returned an object.".to_owned(),
        (other, _) => match other.as_str() {
            Some(described) => format!("The script returned {}.", cut(described)),
            None => format!("The script returned {other}."),
        },
    }
}

/// What was done.
fn done(action: &ActionRequest, result: &ActionResult) -> String {
    let place = || place(result.title.as_deref(), &result.url);
    let data = &result.outcome.data;
    match action.action_type.as_str() {
        "navigate" => format!("Opened {}.", place()),
        "go_back" => format!("Went back to {}.", place()),
        "go_forward" => format!("Went forward to {}.", place()),
        "refresh" => format!("Loaded {} again.", place()),
        "click" => format!("{} {}.", clicked(action), thing(action, result)),
        "hover" => format!("The pointer is over {}.", thing(action, result)),
        "type" => typed(action, result),
        "press" => pressed(action),
        "select" => chosen(action, result),
        "check" => checked(action, result),
        "focus" => format!("{} has the focus.", capital(&thing(action, result))),
        "drag" => dragged(result),
        "upload" => uploaded(action, result),
        "handle_dialog" => answered(action, result),
        "clipboard_write" => "The clipboard holds the text now.".to_owned(),
        "clipboard_read" => match data.get("text").and_then(Value::as_str) {
            Some("") | None => "The clipboard is empty.".to_owned(),
            Some(text) => format!("The clipboard holds \"{}\".", cut(text)),
        },
        "scroll" => match data.get("moved") == Some(&Value::Bool(false)) {
            true => "The page does not scroll any further that way.".to_owned(),
            false => format!("Scrolled {}.", param(action, "direction").unwrap_or("on")),
        },
        "wait" => match action.params.contains_key("for") {
            true => "It is there.".to_owned(),
            false => "Done waiting.".to_owned(),
        },
        "request_human" => {
            "A person has been asked for, and comes by the link takeover_url. A control \
                            event says when they are through."
                .to_owned()
        }
        "withdraw_request" => "Nobody is asked for any more.".to_owned(),
        "new_tab" => format!("Opened a new tab with {}.", place()),
        "switch_tab" => format!("Switched to the tab with {}.", place()),
        "close_tab" => format!("Closed the tab. The current one shows {}.", place()),
        _ => "Done.".to_owned(),
    }
}

fn clicked(action: &ActionRequest) -> &'static str {
    let count = action.params.get("count").and_then(Value::as_u64);
    match (param(action, "button"), count) {
        (Some("right"), _) => "Clicked with the right button",
        (Some("middle"), _) => "Clicked with the middle button",
        (_, Some(2)) => "Double-clicked",
        (_, Some(3)) => "Triple-clicked",
        _ => "Clicked",
    }
}

/// What was hit, by its role and name; or else where.
fn thing(action: &ActionRequest, result: &ActionResult) -> String {
    struck(result).unwrap_or_else(|| {
        let px = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| action.params.get(*name));
            found.and_then(Value::as_f64)
        };
        match (px(["x", "coordinate_x"]), px(["y", "coordinate_y"])) {
            (Some(x), Some(y)) => format!("the point {x}, {y}"),
            _ => "it".to_owned(),
        }
    })
}

/// What was hit, by its role and name.
fn struck(result: &ActionResult) -> Option<String> {
    if let Some(target) = &result.outcome.target {
        return named(&target.role, &target.name);
    }
    let element = result.outcome.data.get("element")?;
    let part = |name| {
        element
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    named(part("role"), part("name"))
}

fn named(role: &str, name: &str) -> Option<String> {
    match (role.trim(), name.trim()) {
        ("", "") => None,
        ("", name) => Some(format!("\"{}\"", cut(name))),
        (role, "") => Some(format!("the {role}")),
        (role, name) => Some(format!("the {role} \"{}\"", cut(name))),
    }
}

fn typed(action: &ActionRequest, result: &ActionResult) -> String {
    let into = match struck(result) {
        Some(field) => format!("Typed the text into {field}"),
        None => "Typed the text".to_owned(),
    };
    let submitted = match action.params.get("submit") == Some(&Value::Bool(true)) {
        true => " and pressed Enter",
        false => "",
    };
    match value(result) {
        Some(value) => format!("{into}{submitted}; it holds \"{value}\"."),
        None => format!("{into}{submitted}."),
    }
}

/// What the field holds.
fn value(result: &ActionResult) -> Option<String> {
    let value = result.outcome.data.get("value")?.as_str()?;
    Some(cut(value))
}

fn pressed(action: &ActionRequest) -> String {
    let keys: Vec<&str> = match action.params.get("keys") {
        Some(Value::String(keys)) => vec![keys],
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let chords: Vec<_> = keys
        .iter()
        .filter_map(|keys| Chord::parse(keys).ok())
        .collect();
    // Single characters may spell a password.
    let is_told = |chord: &Chord| {
        chord.modifiers.is_command() || chord.key.chars().count() > 1 || chord.key == " "
    };
    let what = match chords.len() {
        1..=CHORDS_MAX if chords.iter().all(is_told) => {
            let names: Vec<_> = chords.iter().map(ToString::to_string).collect();
            names.join(", ")
        }
        1 => "a key".to_owned(),
        count => format!("{count} keys"),
    };
    let count = action.params.get("count").and_then(Value::as_u64);
    match count.unwrap_or(1) {
        1 => format!("Pressed {what}."),
        count => format!("Pressed {what} {count} times."),
    }
}

fn checked(action: &ActionRequest, result: &ActionResult) -> String {
    let data = &result.outcome.data;
    let thing = thing(action, result);
    match (data.get("checked"), data.contains_key("already")) {
        (Some(Value::Bool(true)), true) => format!("{} is checked already.", capital(&thing)),
        (Some(Value::Bool(false)), true) => format!("{} is not checked anyway.", capital(&thing)),
        (Some(Value::Bool(true)), false) => format!("Checked {thing}."),
        (Some(Value::Bool(false)), false) => format!("Unchecked {thing}."),
        _ => format!("Pressed {thing}; whether it is checked is not known."),
    }
}

fn chosen(action: &ActionRequest, result: &ActionResult) -> String {
    let texts = |name: &str| -> Option<Vec<String>> {
        match action.params.get(name)? {
            Value::String(one) => Some(vec![cut(one)]),
            Value::Array(many) => {
                let many = many.iter().filter_map(Value::as_str);
                Some(many.map(cut).collect())
            }
            _ => None,
        }
    };
    let labels = ["label", "labels", "value", "values"]
        .iter()
        .find_map(|name| texts(name));
    let labels = labels.unwrap_or_default();
    let within = match struck(result) {
        Some(list) => format!(" in {list}"),
        None => String::new(),
    };
    match labels.len() {
        0 => format!("Nothing is chosen{within} now."),
        1..=CHORDS_MAX => format!("Chose \"{}\"{within}.", labels.join("\", \"")),
        count => format!("Chose {count} options{within}."),
    }
}

fn dragged(result: &ActionResult) -> String {
    let what = struck(result).unwrap_or_else(|| "it".to_owned());
    let onto = result.outcome.data.get("onto");
    let part = |name: &str| {
        onto.and_then(|onto| onto.get(name)?.as_str())
            .unwrap_or_default()
    };
    match named(part("role"), part("name")) {
        Some(onto) => format!("Dragged {what} onto {onto}."),
        None => format!("Dragged {what}."),
    }
}

fn uploaded(action: &ActionRequest, result: &ActionResult) -> String {
    let to = match struck(result) {
        Some(field) => format!(" to {field}"),
        None => String::new(),
    };
    let files = action.params.get("files").and_then(Value::as_array);
    let names: Vec<_> = files
        .into_iter()
        .flatten()
        .filter_map(|file| file.get("name")?.as_str())
        .collect();
    match names.as_slice() {
        [] => format!("Gave the files{to}."),
        [name] => format!("Gave the file \"{}\"{to}.", cut(name)),
        names => format!("Gave {} files{to}.", names.len()),
    }
}

fn answered(action: &ActionRequest, result: &ActionResult) -> String {
    let how = match action.params.get("accept") == Some(&Value::Bool(false)) {
        true => "Dismissed",
        false => "Accepted",
    };
    let handled = result.outcome.dialogs.iter();
    let mut handled = handled.filter(|dialog| dialog.handled_by == Some(HandledBy::Agent));
    match handled.next() {
        Some(dialog) => format!("{how} {} \"{}\".", kind_of(dialog), cut(&dialog.message)),
        None => format!("{how} the dialog."),
    }
}

fn kind_of(dialog: &DialogInfo) -> &'static str {
    match dialog.dialog_type.as_str() {
        "alert" => "the alert",
        "confirm" => "the question",
        "prompt" => "the prompt",
        "beforeunload" => "the question whether to leave the page",
        _ => "the dialog",
    }
}

/// Where an action led, beyond what it says by itself.
fn led(action: &ActionRequest, result: &ActionResult) -> Vec<String> {
    let outcome = &result.outcome;
    let mut said = Vec::new();
    let place = || place(result.title.as_deref(), &result.url);
    let is_input = matches!(
        action.action_type.as_str(),
        "click" | "type" | "press" | "select" | "drag" | "upload" | "handle_dialog"
    );
    let navigated = outcome.data.get("navigated") == Some(&Value::Bool(true));
    if is_input {
        if outcome.data.contains_key("tab") {
            said.push(format!("Another tab is shown now, with {}.", place()));
        } else if navigated {
            said.push(format!("The page is now {}.", place()));
        } else if outcome.effect.kind == EffectKind::None && outcome.effect.verified == Some(false)
        {
            said.push("Nothing was seen to change.".to_owned());
        }
    }
    let status = outcome.data.get("http_status").and_then(Value::as_u64);
    if let Some(status) = status.filter(|status| *status >= STATUS_FAILED) {
        said.push(format!("{}.", http_status(status)));
    }
    if let Some(rest) = &outcome.rest
        && let Some(awaited) = rest.waits_for.as_deref().filter(|_| !rest.reached)
    {
        said.push(format!(
            "The page is not at rest yet; it waits for {}.",
            cut(awaited)
        ));
    }
    said
}

fn http_status(status: u64) -> String {
    let meaning = match status {
        401 => "it asks for a login",
        403 => "it does not allow this",
        404 | 410 => "there is no such page",
        429 => "it is asked too often",
        500..=599 => "it has a fault of its own",
        _ => "it refused",
    };
    format!("The server answered with the error {status}: {meaning}")
}

/// What a person would notice.
fn noticed(result: &ActionResult) -> Vec<String> {
    let outcome = &result.outcome;
    let mut said: Vec<_> = outcome.dialogs.iter().filter_map(dialog).collect();
    let is_told = |change: &&Change| match change.kind.as_str() {
        "dialog" => outcome.dialogs.is_empty(),
        "http_status" => !outcome.data.contains_key("http_status"),
        _ => true,
    };
    let changes: Vec<_> = outcome.changes.iter().filter(is_told).collect();
    said.extend(
        changes
            .iter()
            .take(CHANGES_MAX)
            .map(|change| changed(change)),
    );
    match changes.len().saturating_sub(CHANGES_MAX) {
        0 => (),
        1 => said.push("One more thing changed.".to_owned()),
        more => said.push(format!("{more} more things changed.")),
    }
    said.extend(outcome.downloads.iter().map(download));
    let mut hosts: Vec<_> = outcome
        .blocked_requests
        .iter()
        .map(|blocked| cut(&blocked.host))
        .collect();
    hosts.dedup();
    match hosts.as_slice() {
        [] => (),
        [host] => said.push(format!(
            "A request to {host} was stopped: the session may not reach it."
        )),
        hosts => said.push(format!(
            "Requests to {} hosts were stopped, {} among them: the session may not reach them.",
            hosts.len(),
            hosts[0]
        )),
    }
    said
}

/// A dialog that is open, or that somebody else answered.
fn dialog(dialog: &DialogInfo) -> Option<String> {
    let message = cut(&dialog.message);
    let kind = kind_of(dialog);
    let how = match dialog.accepted {
        Some(true) => "accepted",
        _ => "dismissed",
    };
    let said = match dialog.handled_by {
        None => {
            let holds = match &dialog.default_value {
                Some(value) if !value.is_empty() => format!(" Its field holds \"{}\".", cut(value)),
                _ => String::new(),
            };
            format!("The page waits with {kind} \"{message}\".{holds} Answer with handle_dialog.")
        }
        Some(HandledBy::Agent) => return None,
        Some(HandledBy::Person) => format!("A person {how} {kind} \"{message}\"."),
        Some(HandledBy::Policy) => {
            format!("The page opened {kind} \"{message}\", which was {how} as the session is set.")
        }
        Some(HandledBy::Timeout) => {
            format!("Nobody answered {kind} \"{message}\" in time, so it was {how}.")
        }
    };
    Some(said)
}

fn changed(change: &Change) -> String {
    let text = cut(change.text.trim());
    let field = || match change.index {
        Some(index) => format!("Field {index}"),
        None => "A field".to_owned(),
    };
    match change.kind.as_str() {
        "alert" => format!("The page warns: \"{text}\"."),
        "status" => format!("The page says: \"{text}\"."),
        "validation" => format!("{} is not right: \"{text}\".", field()),
        "dialog" => format!("A dialog opened: \"{text}\"."),
        "menu" => format!("A menu opened: \"{text}\"."),
        _ if text.ends_with(['.', '!', '?']) => text,
        _ => format!("{text}."),
    }
}

fn download(info: &DownloadInfo) -> String {
    let name = cut(&info.name);
    match info.state {
        DownloadState::InProgress => format!("The file \"{name}\" is being downloaded."),
        DownloadState::Completed => {
            format!("The file \"{name}\" was downloaded, {}.", size(info.bytes))
        }
        DownloadState::Failed => format!("The download of \"{name}\" broke off."),
        DownloadState::Refused => format!("The download of \"{name}\" was refused."),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// What is said while an action takes its time.
pub(super) fn under_way(action: &ActionRequest) -> String {
    match action.action_type.as_str() {
        "navigate" => {
            let url = param(action, "url").unwrap_or_default();
            format!("Opening {}, one moment.", host(url))
        }
        "go_back" => "Going back, one moment.".to_owned(),
        "go_forward" => "Going forward, one moment.".to_owned(),
        "refresh" => "Loading the page again, one moment.".to_owned(),
        "wait" => "Waiting.".to_owned(),
        "upload" => "Giving the page the files, one moment.".to_owned(),
        "new_tab" => match param(action, "url") {
            Some(url) => format!("Opening {} in a new tab, one moment.", host(url)),
            None => "Opening a new tab.".to_owned(),
        },
        "switch_tab" => "Switching tabs.".to_owned(),
        "close_tab" => "Closing the tab.".to_owned(),
        _ => "Working on it, one moment.".to_owned(),
    }
}

/// What is said of an action that outlasts its answer.
pub(super) fn late(action: &ActionRequest) -> String {
    let what = match action.action_type.as_str() {
        "navigate" | "new_tab" => {
            let url = param(action, "url").unwrap_or_default();
            format!("{} is still loading.", host(url))
        }
        "go_back" | "go_forward" | "refresh" => "The page is still loading.".to_owned(),
        "wait" => "The wait goes on.".to_owned(),
        _ => "The action is still under way.".to_owned(),
    };
    format!("{what} get_browser_context shows the page meanwhile, and with action_id how it ended.")
}

/// What is said of a page.
pub(super) fn seen(context: &PageContext, elements: Option<u64>) -> String {
    let place = place(context.title.as_deref(), &context.url);
    let state = match context.is_loading {
        true => " and is still loading",
        false => "",
    };
    let mut said = vec![match elements {
        Some(0) => format!("The page is {place}{state}; nothing can be used on it."),
        Some(1) => format!("The page is {place}{state}; one thing can be used on it."),
        Some(count) => format!("The page is {place}{state}; {count} things can be used on it."),
        None => format!("The page is {place}{state}."),
    }];
    said.extend(
        context
            .page_error
            .as_ref()
            .map(|why| format!("It could not be loaded: {why}")),
    );
    said.extend(
        context
            .unread
            .map(|unread| unread.unreadable.sentence().to_owned()),
    );
    said.extend(context.dialog.as_ref().and_then(dialog));
    if context.from_before {
        said.push("What is told of the page is from before.".to_owned());
    }
    said.extend(context.found.as_ref().map(|found| match found.len() {
        0 => "The phrase is not on it.".to_owned(),
        1 => "The phrase is on it once.".to_owned(),
        count => format!("The phrase is on it {count} times."),
    }));
    if matches!(context.text_cursor, Some(Some(_))) {
        said.push("Its text goes on; read on with text_cursor.".to_owned());
    }
    match context.tabs.len() {
        0 | 1 => (),
        count => said.push(format!("There are {count} tabs.")),
    }
    said.join(" ")
}

fn param<'a>(action: &'a ActionRequest, name: &str) -> Option<&'a str> {
    action.params.get(name)?.as_str()
}

/// A page by its title, or by its host when it has none or none is known.
pub(super) fn place(title: Option<&str>, url: &str) -> String {
    match title.map(str::trim) {
        None | Some("") => host(url),
        Some(title) => format!("\"{}\"", cut(title)),
    }
}

fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str);
    match host {
        Some(host) => cut(host),
        None if url.starts_with("about:") || url.is_empty() => "an empty page".to_owned(),
        None => cut(url),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(SPOKEN_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::command::{ActionError, ActionErrorKind};
    use crate::model::{BlockedRequest, Effect, Outcome, Struck};

    fn action(action_type: &str, params: Value) -> ActionRequest {
        match params {
            Value::Object(params) => ActionRequest::new(action_type, params),
            _ => panic!("params is an object"),
        }
    }

    fn result(outcome: Outcome, error: Option<ActionError>) -> ActionResult {
        ActionResult {
            action_id: "a1".to_owned(),
            correction_of: None,
            success: error.is_none(),
            error_kind: error.as_ref().map(|error| error.kind),
            error: error.map(|error| error.message),
            context: None,
            outcome,
            duration_ms: 1.0,
            url: "http://shop.test/a".to_owned(),
            title: Some("Shop".to_owned()),
            ready_state: Some("complete".to_owned()),
        }
    }

    fn on(role: &str, name: &str) -> Outcome {
        Outcome {
            target: Some(Struck {
                role: role.to_owned(),
                name: name.to_owned(),
                ..Struck::default()
            }),
            ..Outcome::sent()
        }
    }

    fn dialog_of(handled_by: Option<HandledBy>) -> DialogInfo {
        DialogInfo {
            dialog_type: "confirm".to_owned(),
            message: "Delete Ana for good?".to_owned(),
            default_value: None,
            accepted: handled_by.map(|_| true),
            handled_by,
        }
    }

    #[test]
    fn things_are_named() {
        for (action_type, params, outcome, words) in [
            (
                "click",
                json!({"index": 3}),
                on("button", "Pay"),
                "Clicked the button \"Pay\".",
            ),
            (
                "click",
                json!({"index": 3, "count": 2}),
                on("link", ""),
                "Double-clicked the link.",
            ),
            (
                "click",
                json!({"x": 5, "y": 7}),
                Outcome::sent(),
                "Clicked the point 5, 7.",
            ),
            (
                "hover",
                json!({"index": 3}),
                on("menuitem", "File"),
                "The pointer is over the menuitem \"File\".",
            ),
            (
                "type",
                json!({"index": 3, "text": "5551234567"}),
                on("textbox", "Phone").with("value", "(555) 123-4567"),
                "Typed the text into the textbox \"Phone\"; it holds \"(555) 123-4567\".",
            ),
            (
                "press",
                json!({"keys": "ctrl+a"}),
                Outcome::sent(),
                "Pressed Control+A.",
            ),
            (
                "press",
                json!({"keys": ["ArrowRight"], "count": 5}),
                Outcome::sent(),
                "Pressed ArrowRight 5 times.",
            ),
            (
                "select",
                json!({"index": 3, "label": "Large"}),
                on("combobox", "Size"),
                "Chose \"Large\" in the combobox \"Size\".",
            ),
            (
                "upload",
                json!({"index": 3, "files": [{"name": "a.txt", "data_base64": ""}]}),
                on("button", "Attach"),
                "Gave the file \"a.txt\" to the button \"Attach\".",
            ),
            (
                "clipboard_read",
                json!({}),
                Outcome::sent().with("text", "HERON-5519"),
                "The clipboard holds \"HERON-5519\".",
            ),
        ] {
            let said = told(&action(action_type, params), &result(outcome, None));
            assert_eq!(said, words);
        }
    }

    #[test]
    fn what_is_pressed_key_by_key_is_not_spelled_out() {
        let press = action("press", json!({"keys": ["s", "3", "c"]}));
        assert_eq!(
            told(&press, &result(Outcome::sent(), None)),
            "Pressed 3 keys."
        );
    }

    #[test]
    fn an_open_dialog_is_told_with_what_to_do() {
        let mut outcome = on("button", "Delete Ana");
        outcome.dialogs.push(dialog_of(None));
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, None),
        );
        assert_eq!(
            said,
            "Clicked the button \"Delete Ana\". The page waits with the question \"Delete Ana for \
             good?\". Answer with handle_dialog."
        );
        let mut outcome = Outcome::sent();
        outcome.dialogs.push(dialog_of(Some(HandledBy::Agent)));
        let said = told(
            &action("handle_dialog", json!({"accept": true})),
            &result(outcome, None),
        );
        assert_eq!(said, "Accepted the question \"Delete Ana for good?\".");
        let mut outcome = on("button", "Delete Ana");
        outcome.dialogs.push(dialog_of(Some(HandledBy::Policy)));
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, None),
        );
        assert!(said.contains("accepted as the session is set"), "{said}");
    }

    #[test]
    fn a_missing_page_is_told_as_one() {
        let opened = Outcome::sent().with("http_status", 404);
        let said = told(
            &action("navigate", json!({"url": "x"})),
            &result(opened, None),
        );
        assert!(said.starts_with("Opened \"Shop\"."), "{said}");
        assert!(
            said.contains("404") && said.contains("no such page"),
            "{said}"
        );
    }

    #[test]
    fn what_a_person_would_notice_is_told() {
        let change = |kind: &str, text: &str, index| Change {
            kind: kind.to_owned(),
            text: text.to_owned(),
            index,
        };
        let mut outcome = on("button", "Save");
        outcome.changes = vec![
            change("alert", "Only a draft was saved", None),
            change("validation", "Please fill out this field.", Some(4)),
        ];
        outcome.downloads.push(DownloadInfo {
            id: "d".to_owned(),
            name: "prices.csv".to_owned(),
            state: DownloadState::Completed,
            bytes: 920,
        });
        outcome.blocked_requests.push(BlockedRequest {
            host: "ads.test".to_owned(),
            reason: "not allowed".to_owned(),
        });
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, None),
        );
        for words in [
            "The page warns: \"Only a draft was saved\".",
            "Field 4 is not right: \"Please fill out this field.\".",
            "The file \"prices.csv\" was downloaded, 920 bytes.",
            "A request to ads.test was stopped",
        ] {
            assert!(said.contains(words), "{said}");
        }
        let mut outcome = on("button", "Save");
        outcome.changes = (0..7).map(|_| change("status", "Saved", None)).collect();
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, None),
        );
        assert!(said.ends_with("3 more things changed."), "{said}");
    }

    #[test]
    fn a_press_without_effect_is_said_to_have_none() {
        let mut outcome = on("button", "Pay");
        outcome.effect = Effect {
            verified: Some(false),
            ..Effect::default()
        };
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, None),
        );
        assert_eq!(
            said,
            "Clicked the button \"Pay\". Nothing was seen to change."
        );
    }

    #[test]
    fn a_failure_says_its_reason_first() {
        let error = ActionError::new(ActionErrorKind::DialogOpen, "A dialog is open.");
        let mut outcome = Outcome::default();
        outcome.dialogs.push(dialog_of(None));
        let said = told(
            &action("click", json!({"index": 1})),
            &result(outcome, Some(error)),
        );
        assert!(
            said.starts_with("A dialog is open. The page waits with"),
            "{said}"
        );
    }

    #[test]
    fn pages_are_named_briefly() {
        assert_eq!(place(None, "https://example.com/a?b"), "example.com");
        assert_eq!(place(Some(""), "https://example.com/a?b"), "example.com");
        assert_eq!(
            place(Some(" A page "), "https://example.com/"),
            "\"A page\""
        );
        assert_eq!(host("about:blank"), "an empty page");
        assert!(cut(&"x".repeat(500)).chars().count() == SPOKEN_CHARS_MAX + 1);
    }
}
