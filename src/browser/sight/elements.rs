//! The indexed elements of a page, and finding one again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::target::Page;
use super::accessibility::AxTree;
use super::snapshot::Snapshot;
use crate::error::Chain;
use crate::model::Point;

/// Bytes of JSON that one part of a list holds where the caller names no limit: it shall not fill
/// the mind of whoever reads it, and it is read on.
pub(super) const BYTES_MAX: usize = 7_000;
/// Elements looked at for one such part; each takes more than 70 bytes.
const PART_MAX: usize = 100;
/// Elements listed at most by a limit of the caller's.
pub const ELEMENTS_LIMIT_MAX: u32 = 5_000;
/// Longest name, value or description, characters.
const TEXT_CHARS_MAX: usize = 120;

/// The interactive elements of a page and its same-origin frames, or a part of them: what is in
/// view first, then the rest, each in document order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ElementList {
    /// The state of the page that the indices belong to: the same as long as its elements are.
    pub version: u64,
    /// One object an element: `index`, `role`, `name`, `tag`, `box` (CSS px), `in_viewport` …
    #[schema(value_type = Vec<Object>)]
    pub elements: Vec<Value>,
    /// How many there are, listed or not.
    pub total: u64,
    /// Whether this is not the whole list.
    pub truncated: bool,
    /// Reads on, as `?more=`; null at the end.
    pub more: Option<String>,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// At most so many elements, whatever their size; else as many as are comfortably read.
    pub limit: Option<u32>,
    /// Where a former part ended.
    pub more: Option<String>,
}

/// A place in a list of a state of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The document.
    pub(super) epoch: String,
    /// The list.
    pub(super) version: u64,
    /// The place in the order of reading.
    pub(super) start: usize,
}

impl Cursor {
    /// Parses the textual form; none when it is not a cursor.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (epoch, version, start) = (parts.next()?, parts.next()?, parts.next()?);
        let is_epoch = (1..=32).contains(&epoch.len())
            && epoch.chars().all(|c| c.is_ascii_alphanumeric())
            && parts.next().is_none();
        is_epoch.then_some(Self {
            epoch: epoch.to_owned(),
            version: version.parse().ok()?,
            start: start.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.epoch, self.version, self.start)
    }
}

/// How many of `values` fit into so many bytes of JSON; at least one.
pub(super) fn fitting(values: &[Value], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = values.iter().take_while(|value| {
        bytes += value.to_string().len() + 1;
        bytes <= bytes_max
    });
    fits.count().max(1).min(values.len())
}

/// One line of bounded length.
pub(super) fn clean(text: &str) -> String {
    let is_unseen = |c: &char| {
        matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let seen: String = text.chars().filter(|c| !is_unseen(c)).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    words.join(" ").chars().take(TEXT_CHARS_MAX).collect()
}

/// A box, CSS px of the viewport.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Box {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Box {
    /// Its middle.
    pub const fn centre(self) -> Point {
        Point::new(self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// What came of looking for an element.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Located {
    pub(super) ok: bool,
    x: Option<f64>,
    y: Option<f64>,
    pub(super) reason: Option<String>,
    pub(super) cover: Option<Value>,
    pub(super) candidates: Option<Value>,
    pub(super) total: Option<u64>,
    pub(super) role: Option<String>,
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) is_password: bool,
    /// `scrollTarget` only: whether anything moved, and the offsets.
    pub(super) moved: Option<bool>,
    pub(super) max_x: Option<f64>,
    pub(super) max_y: Option<f64>,
}

impl Located {
    /// The point that hits the element.
    pub(super) fn point(&self) -> Option<Point> {
        Some(Point::new(self.x?, self.y?))
    }
}

/// What our script says of the list it keeps.
#[derive(Debug, Deserialize)]
struct Opened {
    ok: bool,
    epoch: String,
    version: u64,
    listed: usize,
    total: u64,
    truncated: bool,
}

/// An element with the numbers of its nodes, the one that counts first.
type Listed = (Map<String, Value>, Vec<i64>);

/// Lists the page's elements; later indices refer to this list. `None` when `part.more` points
/// into a list that is no more.
pub async fn list(page: &Page, part: &Part) -> Result<Option<ElementList>, Error> {
    let ours = |error: Error| {
        tracing::debug!(error = %Chain(&error), "roles and names are our own this time");
    };
    let snapshot = Snapshot::take(page).await.map_err(ours).unwrap_or_default();
    let cursor = match part.more.as_deref().map(Cursor::parse) {
        None => None,
        Some(None) => return Ok(None),
        Some(Some(cursor)) => Some(cursor),
    };
    let opened = open(page, &snapshot, cursor.as_ref()).await?;
    if !opened.ok {
        return Ok(None);
    }
    let start = cursor.map_or(0, |cursor| cursor.start);
    let count = part.limit.map_or(PART_MAX, |limit| {
        limit.clamp(1, ELEMENTS_LIMIT_MAX) as usize
    });
    let listed = read(page, start, count).await?;
    // Without the tree the list is as our scripts see it.
    let ax = AxTree::read(page, &snapshot.frames).await;
    let ax = ax.map_err(ours).unwrap_or_default();
    let mut places = Vec::new();
    let agreed = listed.into_iter().map(|(mut element, ids)| {
        places.push(element.remove("at").and_then(|at| at.as_u64()));
        Value::Object(ax.agree(element, &ids))
    });
    let mut elements: Vec<Value> = agreed.collect();
    let mut next = start.saturating_add(count).min(opened.listed);
    if part.limit.is_none() {
        elements.truncate(fitting(&elements, BYTES_MAX));
        if let Some(Some(place)) = places.get(elements.len()) {
            next = *place as usize;
        }
    }
    let cursor = Cursor {
        epoch: opened.epoch,
        version: opened.version,
        start: next,
    };
    let more = (next < opened.listed).then(|| cursor.to_string());
    Ok(Some(ElementList {
        version: opened.version,
        elements,
        total: opened.total,
        truncated: opened.truncated || more.is_some(),
        more,
    }))
}

/// All elements, for those who have to know which node is which element.
pub(super) async fn whole(page: &Page, snapshot: &Snapshot) -> Result<Vec<Listed>, Error> {
    let opened = open(page, snapshot, None).await?;
    read(page, 0, opened.listed).await
}

/// Opens the list that a cursor points into, or takes a new one, in which closed shadow roots are
/// seen as well.
async fn open(page: &Page, snapshot: &Snapshot, cursor: Option<&Cursor>) -> Result<Opened, Error> {
    let of = match cursor {
        None => {
            let frame = page.main_frame().await?;
            let ids = &snapshot.inside_closed;
            frame.call_on_nodes::<Value>("adoptAll", ids, json!([])).await?;
            Value::Null
        }
        Some(Cursor { epoch, version, .. }) => json!({ "epoch": epoch, "version": version }),
    };
    let opened = page
        .evaluate(&format!("__ghostcast.openList({of})"))
        .await?;
    Ok(opened)
}

async fn read(page: &Page, start: usize, count: usize) -> Result<Vec<Listed>, Error> {
    let mut elements: Vec<Map<String, Value>> = page
        .evaluate(&format!("__ghostcast.readList({start}, {count})"))
        .await?;
    let index = |element: &Map<String, Value>| element.get("index").and_then(Value::as_u64);
    let indices: Vec<u64> = elements.iter().filter_map(index).collect();
    let subjects = page
        .main_frame()
        .await?
        .nodes("nodes", json!([indices]))
        .await?;
    let subjects = subjects.into_iter().map(|node| node.map(|node| node.backend));
    let labels: Vec<u64> = elements
        .iter_mut()
        .filter_map(|element| element.remove("is_label").and_then(|_| index(element)))
        .collect();
    let own = match labels.is_empty() {
        true => Vec::new(),
        false => {
            let frame = page.main_frame().await?;
            let own = frame.nodes("nodes", json!([labels, true])).await?;
            own.into_iter().map(|node| node.map(|node| node.backend)).collect()
        }
    };
    let own: HashMap<u64, i64> = labels
        .into_iter()
        .zip(own)
        .filter_map(|(label, id)| Some((label, id?)))
        .collect();
    let with_ids = elements
        .into_iter()
        .zip(subjects)
        .map(|(element, subject)| {
            let own = index(&element).and_then(|index| own.get(&index).copied());
            let ids = subject.into_iter().chain(own).collect();
            (element, ids)
        });
    Ok(with_ids.collect())
}

/// Whether the page asks for a password anywhere.
pub async fn asks_for_password(page: &Page) -> Result<bool, Error> {
    page.evaluate("__ghostcast.hasPassword()").await
}

/// Finds an element and brings it into view.
pub(super) async fn locate(page: &Page, index: u32) -> Result<Located, Error> {
    let rule = "{build: true}";
    look(page, format!("__ghostcast.locate({index}, {rule})")).await
}

/// Finds a field, focuses it, and selects its content when it shall be cleared.
pub(super) async fn prepare_typing(page: &Page, index: u32, clear: bool) -> Result<Located, Error> {
    let rule = "{build: true}";
    look(
        page,
        format!("__ghostcast.prepareTyping({index}, {clear}, {rule})"),
    )
    .await
}

/// Scrolls what there is to scroll.
pub(super) async fn scroll(page: &Page, index: Option<u32>, by: Point) -> Result<Located, Error> {
    let rule = "{build: true}";
    let index = index.map_or_else(|| "null".to_owned(), |index| index.to_string());
    let (dx, dy) = (by.x, by.y);
    look(
        page,
        format!("__ghostcast.scrollTarget({index}, {dx}, {dy}, {rule})"),
    )
    .await
}

async fn look(page: &Page, expression: String) -> Result<Located, Error> {
    let located: Located = page.evaluate(&expression).await?;
    if !located.ok {
        // A refusal carries candidates of the present document, whose indices count from now on.
        }
    Ok(located)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back_and_nothing_else_is() {
        let cursor = Cursor {
            epoch: "a1b2".to_owned(),
            version: 3,
            start: 40,
        };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", "a.b.c", "a.1", "a.1.2.3", "\"a.1.2", "a.-1.2", "é.1.2"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_part_holds_at_least_one_and_no_more_than_fits() {
        let values: Vec<Value> = (0..5).map(|_| json!("x".repeat(8))).collect();
        assert_eq!(fitting(&values, 33), 3);
        assert_eq!(fitting(&values, 1), 1);
        assert_eq!(fitting(&values, 1_000), 5);
        assert_eq!(fitting(&[], 1), 0);
    }

    #[test]
    fn texts_are_one_bounded_line() {
        assert_eq!(clean(" a\n\u{202e} b\u{200b} "), "a b");
        assert_eq!(clean(&"é".repeat(500)).chars().count(), TEXT_CHARS_MAX);
    }
}
