//! One look at a whole page: our script walks each document, those that hold others first, so that
//! each frame knows where it lies and what shows of it.

use std::collections::HashSet;

use futures::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::target::{Frame, Page};
use super::heed;
use super::place::{Area, Placement};

/// Nodes whose marks as listening change in one look at a document.
const MARKED_MAX: usize = 1_500;

/// Event types by what they say of an element.
const LISTENING: [(&str, &[&str]); 5] = [
    (
        "press",
        &[
            "click",
            "mousedown",
            "mouseup",
            "pointerdown",
            "pointerup",
            "touchstart",
            "touchend",
            "dblclick",
            "contextmenu",
        ],
    ),
    (
        "hover",
        &["mouseover", "mouseenter", "pointerover", "pointerenter"],
    ),
    ("key", &["keydown", "keyup", "keypress"]),
    ("drag", &["dragstart"]),
    ("drop", &["drop", "dragover"]),
];

/// A listed element as our script tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Entry {
    /// The node's number in its document.
    pub(super) id: u64,
    /// Its place among the entries and frames of its document.
    pub(super) order: u64,
    pub(super) role: String,
    pub(super) name: String,
    /// The name without what ticks in it, where that is another.
    pub(super) steady: Option<String>,
    pub(super) row: Option<String>,
    pub(super) section: Option<String>,
    pub(super) href: Option<String>,
    /// Left, top, width and height, CSS px of its document's viewport.
    #[serde(rename = "box")]
    pub(super) area: [f64; 4],
    /// Whether any of it is in view.
    #[serde(default)]
    pub(super) seen: bool,
    /// Whether it is in a dialog, or a layer over the page.
    #[serde(default)]
    pub(super) front: bool,
    /// What else there is to tell.
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// An element that holds a frame.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Holder {
    pub(super) id: u64,
    pub(super) order: u64,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) scale_x: f64,
    pub(super) scale_y: f64,
    pub(super) clip: Option<Area>,
    #[serde(rename = "box")]
    pub(super) area: [f64; 4],
    pub(super) seen: bool,
    pub(super) front: bool,
}

/// The list of one document.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Listed {
    pub(super) entries: Vec<Entry>,
    pub(super) frames: Vec<Holder>,
    pub(super) total: u64,
    /// How many there are beyond those that were asked for.
    #[serde(default)]
    pub(super) rest: u64,
    /// Stands for which elements these are, told or not.
    #[serde(default)]
    pub(super) nodes: u32,
    pub(super) truncated: bool,
}

/// What our script answers: the list, and for a tree its nodes.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    list: Listed,
    #[serde(default)]
    nodes: Vec<Map<String, Value>>,
    #[serde(default)]
    truncated: bool,
}

/// What was seen of one document.
#[derive(Debug)]
pub(super) struct View {
    pub(super) frame: Frame,
    /// Where its viewport lies in the page's.
    pub(super) place: Placement,
    /// What the frame is called; none for the page itself.
    pub(super) label: Option<String>,
    /// The view and the element of it that holds this one.
    pub(super) within: Option<(usize, u64)>,
    /// Whether all of it lies in front.
    pub(super) front: bool,
    pub(super) listed: Listed,
    pub(super) nodes: Vec<Map<String, Value>>,
    pub(super) truncated: bool,
}

/// What a look at a page is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// All elements that can be listed.
    All,
    /// Of each document so many of them as come first.
    First(usize),
    /// All of them, and the outline that they stand in.
    Outline,
}

impl Want {
    /// The function of our script, and what it is given beside the place of the document.
    fn asked(self, mut options: Value) -> (&'static str, Value) {
        if let Self::First(count) = self {
            options["first"] = json!(count);
        }
        let function = if self == Self::Outline {
            "tree"
        } else {
            "list"
        };
        (function, json!([options]))
    }
}

/// Walks all documents of the page. Those that hold others come first. A frame that cannot be read is
/// left out, and its element stands for it.
pub(super) async fn walk(page: &Page, want: Want) -> Result<Vec<View>, Error> {
    let main = page.main_frame().await?;
    let frames = page.frames();
    let place = Placement::of_page(page.viewport());
    let first = view(page, main, want, place, None).await?;
    let mut views = vec![first];
    let mut from = 0;
    while from < views.len() {
        let until = views.len();
        let mut asked = Vec::new();
        for (at, around) in views.iter().enumerate().take(until).skip(from) {
            let inside = frames
                .iter()
                .filter(|frame| frame.parent() == Some(around.frame.id()));
            for (frame, holder) in held(page, around, inside).await {
                let place = around.place.within(holder.placement());
                let within = Within {
                    view: at,
                    node: holder.id,
                    label: label(holder, &frame),
                    front: around.front || holder.front,
                };
                asked.push(view(page, frame, want, place, Some(within)));
            }
        }
        let found = join_all(asked).await;
        views.extend(found.into_iter().filter_map(Result::ok));
        from = until;
    }
    Ok(views)
}

/// The frames inside a document with the elements that hold them, where those can be seen.
async fn held<'a>(
    page: &Page,
    around: &'a View,
    inside: impl Iterator<Item = &'a Frame>,
) -> Vec<(Frame, &'a Holder)> {
    let finding = inside.map(|frame| async {
        let node = holder(page, &around.frame, frame).await?;
        let holder = around.listed.frames.iter().find(|one| one.id == node)?;
        Some((frame.clone(), holder))
    });
    join_all(finding).await.into_iter().flatten().collect()
}

struct Within {
    view: usize,
    node: u64,
    label: String,
    front: bool,
}

fn label(holder: &Holder, frame: &Frame) -> String {
    let given = [&holder.name, &holder.label];
    match given.into_iter().find(|text| !text.is_empty()) {
        Some(text) => text.clone(),
        None => without_userinfo(frame.url()),
    }
}

/// A URL without the name and password of a user, and of a length that can be read.
pub(super) fn without_userinfo(url: &str) -> String {
    let shown = match (url.find("//"), url.find('@')) {
        (Some(from), Some(at)) if !url[from + 2..at].contains('/') => {
            format!("{}{}", &url[..from + 2], &url[at + 1..])
        }
        _ => url.to_owned(),
    };
    shown.chars().take(120).collect()
}

async fn view(
    page: &Page,
    frame: Frame,
    want: Want,
    place: Placement,
    within: Option<Within>,
) -> Result<View, Error> {
    let front = within.as_ref().is_some_and(|within| within.front);
    let (function, args) = want.asked(json!({ "clip": place.clip_inside(), "front": front }));
    let answer: Answer = ask(page, &frame, function, args).await?;
    Ok(View {
        frame,
        place,
        label: within.as_ref().map(|within| within.label.clone()),
        front,
        within: within.map(|within| (within.view, within.node)),
        listed: answer.list,
        nodes: answer.nodes,
        truncated: answer.truncated,
    })
}

/// Asks one document, after our script there was told what listens; again, when closed shadow roots
/// were found on the way.
pub(super) async fn ask<T: DeserializeOwned>(
    page: &Page,
    frame: &Frame,
    function: &str,
    args: Value,
) -> Result<T, Error> {
    // Without the listeners the list is as markup and pointers tell it.
    if let Err(error) = hear(page, frame).await {
        tracing::debug!(%error, "listeners are not known this time");
    }
    let mut text: String = frame.call(function, args.clone()).await?;
    if hosts(&text) > 0 && open(page, frame).await.unwrap_or(false) {
        text = frame.call(function, args).await?;
    }
    serde_json::from_str(&text).map_err(|error| Error::Script {
        message: error.to_string(),
    })
}

fn hosts(text: &str) -> u64 {
    #[derive(Deserialize)]
    struct Hosts {
        #[serde(default)]
        hosts: u64,
    }
    serde_json::from_str(text).map_or(0, |found: Hosts| found.hosts)
}

/// Opens to our script the shadow roots that no script can open. Whether there were any.
pub(super) async fn open(page: &Page, frame: &Frame) -> Result<bool, Error> {
    let nodes = frame.nodes("hosts", json!([])).await?;
    let closed: Vec<i64> = nodes
        .into_iter()
        .flatten()
        .filter_map(|node| node.shadow)
        .filter_map(|(root, is_closed)| is_closed.then_some(root))
        .collect();
    if closed.is_empty() {
        return Ok(false);
    }
    let _: u64 = frame.call_on_nodes("adopt", &closed, json!([])).await?;
    hear(page, frame).await?;
    Ok(true)
}

/// Tells our script in a document which of its elements listen, and which no longer do.
async fn hear(page: &Page, frame: &Frame) -> Result<(), Error> {
    let now = listening(frame).await?;
    let mut changes: Vec<(&'static str, bool, Vec<i64>)> = Vec::new();
    // Handing a node over costs; what is left is handed over at the next look.
    let mut room = MARKED_MAX;
    {
        let mut documents = page.told().documents();
        let known = &documents.of(frame.document()).listening;
        for (kind, _) in LISTENING {
            let of_kind = |(one, node): &(&'static str, i64)| (*one == kind).then_some(*node);
            let new: Vec<i64> = now
                .difference(known)
                .filter_map(of_kind)
                .take(room)
                .collect();
            room -= new.len();
            let gone: Vec<i64> = known
                .difference(&now)
                .filter_map(of_kind)
                .take(room)
                .collect();
            room -= gone.len();
            for (is_gone, nodes) in [(false, new), (true, gone)] {
                if !nodes.is_empty() {
                    changes.push((kind, is_gone, nodes));
                }
            }
        }
    }
    for (kind, is_gone, nodes) in changes {
        let args = json!([kind, is_gone]);
        let _: u64 = frame.call_on_nodes("marks", &nodes, args).await?;
        let mut documents = page.told().documents();
        let known = &mut documents.of(frame.document()).listening;
        for node in nodes {
            if is_gone {
                known.remove(&(kind, node));
            } else {
                known.insert((kind, node));
            }
        }
    }
    Ok(())
}

/// What listens in a document now, by kind and node.
async fn listening(frame: &Frame) -> Result<HashSet<(&'static str, i64)>, Error> {
    let document = frame.document_of_page().await?;
    let listeners = heed::listeners(frame, &document, -1).await;
    frame.let_go(document);
    Ok(listeners?
        .iter()
        .filter_map(|listener| {
            let kind = kind_of(&listener.r#type)?;
            Some((kind, *listener.backend_node_id.as_ref()?.inner()))
        })
        .collect())
}

fn kind_of(event: &str) -> Option<&'static str> {
    let of = |(_, types): &&(&str, &[&str])| types.contains(&event);
    LISTENING.iter().find(of).map(|(kind, _)| *kind)
}

/// The number, in the document around it, of the element that holds a frame.
pub(super) async fn holder(page: &Page, around: &Frame, frame: &Frame) -> Option<u64> {
    let key = frame.id().inner().clone();
    let known = |page: &Page| {
        let mut documents = page.told().documents();
        documents.of(around.document()).holders.get(&key).copied()
    };
    if let Some(node) = known(page) {
        return Some(node);
    }
    let owner = frame.owner().await.ok()??;
    let nodes: Vec<u64> = around
        .call_on_nodes("ids", &[owner], json!([]))
        .await
        .ok()?;
    let node = *nodes.first()?;
    let mut documents = page.told().documents();
    let holders = &mut documents.of(around.document()).holders;
    holders.insert(key.clone(), node);
    Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_tell_what_an_element_is_for() {
        assert_eq!(kind_of("click"), Some("press"));
        assert_eq!(kind_of("dragover"), Some("drop"));
        assert_eq!(kind_of("scroll"), None);
    }

    #[test]
    fn a_frame_is_called_by_its_url_without_who_asks() {
        let shown = without_userinfo("http://ana:secret@host.test/a?x=@b");
        assert_eq!(shown, "http://host.test/a?x=@b");
        assert_eq!(
            without_userinfo("http://host.test/@ana"),
            "http://host.test/@ana"
        );
    }

    #[test]
    fn the_scripts_answer_is_read() {
        let text = r#"{"list":{"entries":[{"id":3,"order":0,"role":"button","name":"Go","tag":"button",
            "box":[1,2,3,4],"seen":true,"type":"submit"}],"frames":[],"total":1,"truncated":false},"hosts":2}"#;
        let answer: Answer = serde_json::from_str(text).expect("an answer");
        let entry = &answer.list.entries[0];
        assert!(entry.seen && !entry.front && entry.row.is_none());
        assert_eq!(entry.rest.keys().collect::<Vec<_>>(), ["tag", "type"]);
        assert_eq!(hosts(text), 2);
    }
}
