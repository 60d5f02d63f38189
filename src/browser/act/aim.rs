//! Aiming: from an index to a point of the page that will really hit the element, or why there is none.
//!
//! An element is looked for in its own frame; then its point is followed through the frames around
//! it, each of which must show it there. With a guard, presses land on the element or nowhere: our
//! scripts look again under the very press, and keep one that lands elsewhere from the page.

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::sight::{self, Known, Print};
use super::super::target::{Frame, Page};
use super::{Stage, browser_failed};
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::{Retry, Struck};

/// Frames around one another, at most.
const DEPTH_MAX: usize = 16;

/// What an element is aimed at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// To be pressed: a disabled one is refused, presses land on it or nowhere, and what changes from
    /// now on is marked.
    Press,
    /// To be pointed at, whatever its state; presses are guarded, changes are marked.
    Hover,
    /// As the place where something ends, whatever its state.
    End,
}

/// An element, and where it is hit.
#[derive(Debug)]
pub(super) struct Aim {
    /// In CSS px of the page.
    pub(super) at: Point,
    /// The element.
    pub(super) known: Known,
    /// As it is told.
    pub(super) struck: Struck,
    /// Whether something had to be scrolled for it.
    pub(super) scrolled: bool,
    /// Whether presses on it land in another document, which may tell nothing of them.
    pub(super) is_frame: bool,
    /// The frames whose presses are guarded, that of the element first.
    pub(super) guarded: Vec<Frame>,
    offset: Point,
}

/// What `locate` and `through` answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Located {
    Ready(Spot),
    /// The element is no more.
    Gone,
    /// It says something else than when it was listed.
    Other {
        now: Print,
    },
    /// It cannot be used.
    Disabled {
        by: String,
    },
    /// Nothing of it shows.
    Hidden,
    /// Something lies over it, or nothing of it takes the pointer.
    Covered {
        cover: Option<Cover>,
    },
}

#[derive(Debug, Deserialize)]
struct Spot {
    x: f64,
    y: f64,
    #[serde(default)]
    scrolled: bool,
    /// Whether the element is a frame's, so that presses land inside that.
    #[serde(default)]
    is_frame: bool,
    /// What lies inside the element and takes the press, where no place of it is free of such.
    #[serde(default)]
    inner: Option<Inner>,
}

/// Something inside an element that can be pressed by itself.
#[derive(Debug, Deserialize)]
struct Inner {
    node: u64,
    role: String,
    name: String,
}

/// What lies over an element.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Cover {
    tag: String,
    role: String,
    name: String,
    text: String,
    #[serde(rename = "box")]
    area: Value,
    buttons: Vec<Button>,
}

/// Something of a cover that can be pressed.
#[derive(Debug, Clone, Deserialize)]
struct Button {
    node: u64,
    role: String,
    name: String,
    #[serde(rename = "box")]
    area: Value,
}

/// What an index means, or why it means nothing, with what is most like it.
pub(super) async fn known(stage: Stage<'_>, index: u32) -> Result<Known, ActionError> {
    match sight::resolve(stage.page, index) {
        Ok(known) => Ok(known),
        Err(error) => Err(sight::with_candidates(stage.page, index, error).await),
    }
}

/// The number of one of our world's nodes in the list, when it is listed.
pub(super) fn index_of(page: &Page, frame: &Frame, node: u64) -> Option<u32> {
    page.told().numbers().of(frame.document(), node)
}

/// Finds the point of an index.
pub(super) async fn aim(stage: Stage<'_>, index: u32, why: For) -> Result<Aim, ActionError> {
    let known = known(stage, index).await?;
    let is_guarded = why != For::End;
    let options = json!({
        "any_state": why != For::Press, "guard": is_guarded, "mark": is_guarded,
    });
    let print = json!({
        "role": known.print.role, "name": known.print.name,
        "row": known.print.row, "href": known.print.href,
    });
    let args = json!([known.node, print, options]);
    let located = match known.frame.call::<Located>("locate", args).await {
        Ok(located) => located,
        Err(Error::Replaced | Error::Detached) => Located::Gone,
        Err(error) => return Err(browser_failed(error)),
    };
    let spot = match located {
        Located::Ready(spot) => spot,
        refused => return Err(refusal(stage, &known, &known.frame, refused).await),
    };
    let inner = Point::new(spot.x, spot.y);
    let Outwards {
        at,
        chain,
        scrolled,
    } = outwards(stage, &known, inner, is_guarded).await?;
    let mut guarded = vec![known.frame.clone()];
    if is_guarded {
        guarded.extend(guard_others(stage, &known.frame, &chain, spot.is_frame).await);
        guarded.extend(chain);
    }
    let frame = frame_of(&known.frame);
    let struck = match spot.inner {
        Some(inner) => Struck {
            index: index_of(stage.page, &known.frame, inner.node),
            role: inner.role,
            name: inner.name,
            frame,
        },
        None => Struck {
            index: Some(index),
            role: known.print.role.clone(),
            name: known.print.name.clone(),
            frame,
        },
    };
    Ok(Aim {
        at,
        offset: Point::new(at.x - inner.x, at.y - inner.y),
        struck,
        scrolled: spot.scrolled || scrolled,
        is_frame: spot.is_frame,
        guarded,
        known,
    })
}

impl Aim {
    /// Where the element is now, when it still shows; nothing is scrolled or waited for.
    pub(super) async fn now(&self) -> Option<Point> {
        let frame = &self.known.frame;
        let place = frame.call::<Option<Point>>("whereIs", json!([self.known.node]));
        let place = place.await.ok()??;
        Some(Point::new(place.x + self.offset.x, place.y + self.offset.y))
    }

    /// Whether the element is under its point now.
    pub(super) async fn is_hit(&self) -> bool {
        let (x, y) = (self.at.x - self.offset.x, self.at.y - self.offset.y);
        let hits = self
            .known
            .frame
            .call("hits", json!([self.known.node, x, y]));
        hits.await.unwrap_or(false)
    }
}

/// A point's way through the frames around it.
struct Outwards {
    at: Point,
    chain: Vec<Frame>,
    scrolled: bool,
}

/// Follows a point of the element's frame outwards to the page, through each frame around it.
async fn outwards(
    stage: Stage<'_>,
    known: &Known,
    inner: Point,
    is_guarded: bool,
) -> Result<Outwards, ActionError> {
    let mut found = Outwards {
        at: inner,
        chain: Vec::new(),
        scrolled: false,
    };
    if known.frame.parent().is_none() {
        return Ok(found);
    }
    let frames = stage.page.frames();
    let mut frame = known.frame.clone();
    while let Some(parent) = frame.parent() {
        let holder = frames.iter().find(|other| other.id() == parent).cloned();
        let owner = frame.owner().await;
        let (Some(holder), Ok(Some(owner))) = (holder, owner) else {
            return Err(sight::stale(stage.page, known, None).await);
        };
        let args = json!([found.at, { "guard": is_guarded }]);
        let through = holder
            .call_on_nodes::<Located>("through", &[owner], args)
            .await;
        match through {
            Ok(Located::Ready(spot)) => {
                found.at = Point::new(spot.x, spot.y);
                found.scrolled |= spot.scrolled;
            }
            Ok(refused) => return Err(refusal(stage, known, &holder, refused).await),
            Err(Error::Replaced | Error::Detached) => {
                return Err(sight::stale(stage.page, known, None).await);
            }
            Err(error) => return Err(browser_failed(error)),
        }
        found.chain.push(holder.clone());
        if found.chain.len() >= DEPTH_MAX {
            break;
        }
        frame = holder;
    }
    Ok(found)
}

/// Keeps presses out of all frames but those on the way to the element; those of an element that is a
/// frame are let in.
async fn guard_others(stage: Stage<'_>, own: &Frame, chain: &[Frame], lets_in: bool) -> Vec<Frame> {
    let frames = stage.page.frames();
    let is_on_way = |frame: &Frame| {
        frame.id() == own.id() || chain.iter().any(|holder| holder.id() == frame.id())
    };
    let others: Vec<Frame> = frames
        .into_iter()
        .filter(|frame| !is_on_way(frame))
        .collect();
    let arming = others
        .iter()
        .map(|frame| frame.call::<bool>("arm", json!([lets_in])));
    // One that cannot be asked has no document that could be pressed.
    let armed = join_all(arming).await;
    let armed = others
        .into_iter()
        .zip(armed)
        .filter(|(_, armed)| armed.is_ok());
    armed.map(|(frame, _)| frame).collect()
}

/// Lets all presses through, and notes what they land on.
pub(super) async fn note_presses(stage: Stage<'_>) -> Vec<Frame> {
    let frames = stage.page.frames();
    let arming = frames
        .iter()
        .map(|frame| frame.call::<bool>("arm", json!([true])));
    let armed = join_all(arming).await;
    let armed = frames.iter().zip(armed).filter(|(_, armed)| armed.is_ok());
    armed.map(|(frame, _)| frame.clone()).collect()
}

/// The frame's name in a result; none for the page itself.
pub(super) fn frame_of(frame: &Frame) -> Option<String> {
    frame.parent().map(|_| without_login(frame.url()))
}

/// A URL that may be repeated: a name and a password in it may not.
fn without_login(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return url.to_owned();
    };
    let had_login = !parsed.username().is_empty() || parsed.password().is_some();
    let is_bare = parsed.set_username("").is_ok() && parsed.set_password(None).is_ok();
    match had_login && is_bare {
        true => parsed.into(),
        false => url.to_owned(),
    }
}

/// "the button \"Pay\"", for sentences.
pub(super) fn in_words(role: &str, name: &str) -> String {
    let role = match role {
        "" | "generic" => "element",
        role => role,
    };
    match name {
        "" => format!("the {role}"),
        name => format!("the {role} \"{name}\""),
    }
}

async fn refusal(stage: Stage<'_>, known: &Known, frame: &Frame, located: Located) -> ActionError {
    let index = known.index;
    let what = in_words(&known.print.role, &known.print.name);
    match located {
        Located::Other { now } => sight::stale(stage.page, known, Some(now)).await,
        Located::Ready(_) | Located::Gone => sight::stale(stage.page, known, None).await,
        Located::Disabled { by } => ActionError::new(
            ActionErrorKind::ElementDisabled,
            format!(
                "Element {index}, {what}, cannot be used now: {by}. Do first what enables it, or \
                 pick another one."
            ),
        )
        .context(json!({
            "disabled_by": by, "candidates": sight::candidates(stage.page, known).await,
        })),
        Located::Hidden => ActionError::new(
            ActionErrorKind::ElementNotVisible,
            format!(
                "Element {index}, {what}, is not visible at the moment. Open what it is in, or \
                 pick one of the candidates."
            ),
        )
        .context(json!({
            "candidates": sight::candidates(stage.page, known).await, "cover": null,
        })),
        Located::Covered { cover } => covered(stage, known, frame, cover).await,
    }
}

/// The refusal that names what lies over an element, and offers what can be pressed of that.
pub(super) async fn covered(
    stage: Stage<'_>,
    known: &Known,
    frame: &Frame,
    cover: Option<Cover>,
) -> ActionError {
    let what = in_words(&known.print.role, &known.print.name);
    let index = known.index;
    let Some(cover) = cover else {
        let candidates = sight::candidates(stage.page, known).await;
        return ActionError::new(
            ActionErrorKind::ElementCovered,
            format!(
                "Element {index}, {what}, does not take the pointer where it is. Pick one of the \
                 candidates."
            ),
        )
        .context(json!({ "candidates": candidates, "cover": null }));
    };
    let by = cover.in_words();
    // A listing gives numbers to what is new.
    let listed = sight::list(stage.page, &sight::Part::all()).await;
    let mut offers = Vec::new();
    for button in &cover.buttons {
        let offered = index_of(stage.page, frame, button.node);
        offers.extend(offered.filter(|_| listed.is_ok()).map(|index| {
            json!({
                "index": index, "role": button.role, "name": button.name, "box": button.area,
            })
        }));
    }
    let way = match offers.is_empty() {
        true => "Wait until it is gone, or scroll, and try again.",
        false => "Close it by one of the candidates, which are its own buttons, and try again.",
    };
    let cover = json!({
        "tag": cover.tag, "role": cover.role, "name": cover.name, "text": cover.text,
        "box": cover.area,
    });
    ActionError::new(
        ActionErrorKind::ElementCovered,
        format!("Element {index}, {what}, is covered by {by}. {way}"),
    )
    .retry(Retry::Safe)
    .context(json!({ "candidates": offers, "cover": cover }))
}

impl Cover {
    /// What it is, for a sentence.
    pub(super) fn in_words(&self) -> String {
        let role = match self.role.as_str() {
            "" | "generic" => "a layer",
            role => return with_words(&format!("the {role}"), &self.name, &self.text),
        };
        with_words(role, &self.name, &self.text)
    }
}

fn with_words(what: &str, name: &str, text: &str) -> String {
    match (name, text) {
        ("", "") => what.to_owned(),
        ("", text) => format!("{what} that says \"{text}\""),
        (name, _) => format!("{what} \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(role: &str, name: &str, text: &str) -> Cover {
        Cover {
            tag: "div".to_owned(),
            role: role.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            area: Value::Null,
            buttons: Vec::new(),
        }
    }

    #[test]
    fn things_are_called_by_role_and_name() {
        assert_eq!(in_words("button", "Pay"), "the button \"Pay\"");
        assert_eq!(in_words("generic", ""), "the element");
    }

    #[test]
    fn a_frame_is_named_without_a_login() {
        assert_eq!(
            without_login("https://ana:geheim@x.test/a"),
            "https://x.test/a"
        );
        assert_eq!(without_login("https://x.test"), "https://x.test");
        assert_eq!(without_login("about:srcdoc"), "about:srcdoc");
    }

    #[test]
    fn a_cover_is_named_by_what_a_person_reads_on_it() {
        for (role, name, text, said) in [
            (
                "dialog",
                "We use cookies",
                "…",
                "the dialog \"We use cookies\"",
            ),
            ("generic", "", "Added.", "a layer that says \"Added.\""),
            ("generic", "", "", "a layer"),
            ("status", "", "Saved", "the status that says \"Saved\""),
        ] {
            assert_eq!(cover(role, name, text).in_words(), said);
        }
    }

    #[test]
    fn what_our_script_answers_is_understood() {
        let ready = json!({ "is": "ready", "x": 1.5, "y": 2, "scrolled": true, "node": 3 });
        assert!(matches!(
            serde_json::from_value(ready),
            Ok(Located::Ready(Spot {
                scrolled: true,
                is_frame: false,
                ..
            }))
        ));
        let disabled = json!({ "is": "disabled", "by": "it is inert", "role": "button" });
        assert!(matches!(
            serde_json::from_value(disabled),
            Ok(Located::Disabled { by }) if by == "it is inert"
        ));
        let covered = json!({ "is": "covered", "cover": null });
        assert!(matches!(
            serde_json::from_value(covered),
            Ok(Located::Covered { cover: None })
        ));
    }
}
