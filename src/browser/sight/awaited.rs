//! Whether a page shows what is waited for, in whichever of its frames.

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::target::{Frame, Page};
use super::look;
use super::place;

/// What a look for a selector or a text gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::browser) struct Awaited {
    /// What was found: of a text the text, of a selector the element's `tag`, `role`, `name`, `box`
    /// in px of the page's viewport, and `index` if it is listed. With `frame` when it is in one.
    pub(in crate::browser) found: Option<Value>,
    /// What there is instead: `hidden_matches` of a selector, the beginning of the `text`.
    pub(in crate::browser) instead: Map<String, Value>,
    /// The selector is none.
    pub(in crate::browser) is_invalid: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    found: Option<Map<String, Value>>,
    #[serde(default)]
    instead: Map<String, Value>,
    #[serde(default)]
    invalid: bool,
    #[serde(default)]
    hosts: u64,
}

/// Looks once for `{"selector": …}` or `{"text": …}`, in all frames.
pub(in crate::browser) async fn awaited(page: &Page, wanted: &Value) -> Result<Awaited, Error> {
    let main = page.main_frame().await?;
    let first = ask(page, &main, wanted).await?;
    if first.invalid {
        return Ok(Awaited {
            is_invalid: true,
            ..Awaited::default()
        });
    }
    let mut all = Awaited {
        instead: first.instead,
        ..Awaited::default()
    };
    if let Some(found) = first.found {
        all.found = Some(tell(page, &main, found, None).await);
        return Ok(all);
    }
    let frames = page.frames();
    let inside = frames.iter().skip(1);
    let asked = inside.clone().map(|frame| ask(page, frame, wanted));
    for (frame, answer) in inside.zip(join_all(asked).await) {
        let Ok(answer) = answer else { continue };
        if let Some(found) = answer.found
            && is_shown(page, &frames, frame).await
        {
            let label = look::without_userinfo(frame.url());
            all.found = Some(tell(page, frame, found, Some(label)).await);
            return Ok(all);
        }
        let hidden = |of: &Map<String, Value>| of.get("hidden_matches").and_then(Value::as_u64);
        if let (Some(had), Some(more)) = (hidden(&all.instead), hidden(&answer.instead)) {
            let both = json!(had + more);
            all.instead.insert("hidden_matches".to_owned(), both);
        }
    }
    Ok(all)
}

async fn ask(page: &Page, frame: &Frame, wanted: &Value) -> Result<Answer, Error> {
    let answer: Answer = frame.call("finds", json!([wanted])).await?;
    if answer.found.is_none() && answer.hosts > 0 && look::open(page, frame).await? {
        return frame.call("finds", json!([wanted])).await;
    }
    Ok(answer)
}

/// Whether all elements that hold a frame are drawn.
async fn is_shown(page: &Page, frames: &[Frame], frame: &Frame) -> bool {
    let mut inner = frame;
    // A page has fewer levels than frames.
    for _ in frames {
        let Some(parent) = inner.parent() else {
            return true;
        };
        let Some(around) = frames.iter().find(|one| one.id() == parent) else {
            return false;
        };
        let Some(node) = look::holder(page, around, inner).await else {
            return false;
        };
        let shown = around.call::<bool>("isShown", json!([node])).await;
        if !shown.unwrap_or(false) {
            return false;
        }
        inner = around;
    }
    true
}

/// What was found, as it is told outside.
async fn tell(
    page: &Page,
    frame: &Frame,
    mut found: Map<String, Value>,
    label: Option<String>,
) -> Value {
    let node = found.remove("id").and_then(|id| id.as_u64());
    if let Some(node) = node {
        let index = page.told().numbers().of(frame.document(), node);
        if let Some(index) = index {
            found.insert("index".to_owned(), json!(index));
        }
    }
    let area = found
        .get("box")
        .cloned()
        .and_then(|area| serde_json::from_value(area).ok());
    if let (Some(area), Some(_)) = (area, &label)
        && let Ok(place) = place::placement(page, frame).await
    {
        let area: place::Area = place.area_to_page(area);
        found.insert("box".to_owned(), json!(area));
    }
    if let Some(label) = label {
        found.insert("frame".to_owned(), json!(label));
    }
    Value::Object(found)
}
