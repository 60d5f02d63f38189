//! The list of what can be acted on: dialogs in front first, then what is in view, then the rest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::numbers::{Lookup, Print};
use super::super::target::Page;
use super::super::told::{Kind, Unread, Whole};
use super::look::{self, Entry, View, Want};
use super::place::Area;
use super::unreadable::Unreadable;

/// Bytes of JSON that one part of a list holds where the caller names no limit: it shall not fill
/// the mind of whoever reads it, and it is read on.
pub(super) const BYTES_MAX: usize = 7_000;
/// Elements listed at most by a limit of the caller's.
const ELEMENTS_LIMIT_MAX: u32 = 5_000;
/// Elements that are read at first, more than one part holds: what each is called is most of the
/// work of a long list, and of those few read on.
const FIRST_READ: usize = 120;

/// The interactive elements of a page and its frames, or a part of them: what lies in front first,
/// then what is in view, then the rest, each in the order of reading.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ElementList {
    /// The state of the page that the list was taken of: the same as long as its elements are, and
    /// the first 120 of them say the same in the same order.
    pub version: u64,
    /// One object an element: `index`, `role`, `name`, `tag`, `in_viewport`, and what else there is
    /// to tell: `value`, `checked`, `disabled`, `row`, `frame`, `box` (CSS px) …
    #[schema(value_type = Vec<Object>)]
    pub elements: Vec<Value>,
    /// How many there are, listed or not.
    pub total: u64,
    /// Whether this is not the whole list.
    pub truncated: bool,
    /// Reads on in the same list, as `?more=`; null at the end. What was not read yet of a long list
    /// is as it is when it is read on.
    pub more: Option<String>,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// At most so many elements, whatever their size; else as many as are comfortably read.
    pub limit: Option<u32>,
    /// Where a former part ended.
    pub more: Option<String>,
    /// Whether each element's box is told.
    pub boxes: bool,
}

/// An element with its number, as of one look at the page.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) index: u32,
    pub(super) view: usize,
    pub(super) entry: Entry,
    /// CSS px of the page's viewport.
    pub(super) area: Area,
    /// 0 in front, 1 in view, 2 elsewhere.
    rank: u8,
}

impl Part {
    /// All that can be listed at once.
    pub(in crate::browser) fn all() -> Self {
        Self {
            limit: Some(ELEMENTS_LIMIT_MAX),
            ..Self::default()
        }
    }
}

impl Numbered {
    pub(super) fn print(&self) -> Print {
        print(&self.entry)
    }
}

fn print(entry: &Entry) -> Print {
    Print {
        role: entry.role.clone(),
        name: entry.steady.as_ref().unwrap_or(&entry.name).clone(),
        row: entry.row.clone(),
        href: entry.href.clone(),
    }
}

/// All that one look at the page gave.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) views: Vec<View>,
    /// In the order of reading.
    pub(super) elements: Vec<Numbered>,
    total: u64,
    truncated: bool,
    /// Whether there are elements beyond those that were asked for.
    has_rest: bool,
}

/// Looks at the whole page, and numbers what is listed.
pub(super) async fn look(page: &Page, want: Want) -> Result<Sight, Error> {
    let views = look::walk(page, want).await?;
    let mut elements: Vec<Numbered> = Vec::new();
    gather(&views, 0, &mut elements);
    elements.sort_by_key(|element| element.rank);
    let stand_ins = elements
        .iter()
        .filter(|element| is_stand_in(&element.entry))
        .count() as u64;
    let has_rest = views.iter().any(|view| view.listed.rest > 0);
    if let Want::First(count) = want
        && has_rest
    {
        // Beyond those, what one document did not tell may come before what another did.
        elements.truncate(count);
    }
    let mut numbers = page.told().numbers();
    for element in &mut elements {
        let document = views[element.view].frame.document();
        let node = (document, element.entry.id);
        element.index = numbers.number(page.tab(), node, print(&element.entry));
    }
    drop(numbers);
    let total = views.iter().map(|view| view.listed.total).sum::<u64>() + stand_ins;
    let truncated = views.iter().any(|view| view.listed.truncated);
    Ok(Sight {
        views,
        elements,
        total,
        truncated,
        has_rest,
    })
}

/// A frame that cannot be read is one thing, from here.
fn is_stand_in(entry: &Entry) -> bool {
    entry.role == "iframe" && entry.rest.contains_key("unread")
}

/// The elements of a view in document order, those of the frames in it in their places.
fn gather(views: &[View], at: usize, into: &mut Vec<Numbered>) {
    let view = &views[at];
    let mut entries = view.listed.entries.iter().peekable();
    let push = |entry: &Entry, into: &mut Vec<Numbered>| {
        let [x, y, width, height] = entry.area;
        let front = view.front || entry.front;
        let seen = entry.seen && view.place.clip.is_some();
        into.push(Numbered {
            index: 0,
            view: at,
            entry: entry.clone(),
            area: view.place.area_to_page(Area {
                x,
                y,
                width,
                height,
            }),
            rank: if front { 0 } else { 2 - u8::from(seen) },
        });
    };
    for holder in &view.listed.frames {
        while let Some(entry) = entries.next_if(|entry| entry.order < holder.order) {
            push(entry, into);
        }
        let inner = views
            .iter()
            .position(|other| other.within == Some((at, holder.id)));
        match inner {
            Some(inner) => gather(views, inner, into),
            None => push(&stand_in(holder), into),
        }
    }
    for entry in entries {
        push(entry, into);
    }
}

fn stand_in(holder: &look::Holder) -> Entry {
    let mut rest = Map::new();
    rest.insert("tag".to_owned(), json!("iframe"));
    rest.insert("unread".to_owned(), json!(true));
    let named = [&holder.name, &holder.label];
    let name = named.into_iter().find(|text| !text.is_empty());
    Entry {
        id: holder.id,
        order: holder.order,
        role: "iframe".to_owned(),
        name: name.cloned().unwrap_or_default(),
        steady: None,
        row: None,
        section: None,
        href: None,
        area: holder.area,
        seen: holder.seen,
        front: holder.front,
        rest,
    }
}

impl Sight {
    /// What stands for these elements: the numbers of the first, and which nodes all are.
    fn signs(&self) -> Vec<u32> {
        let first = self.elements.iter().take(FIRST_READ);
        let nodes = self.views.iter().flat_map(|view| {
            let document = view.frame.document();
            [(document >> 32) as u32, document as u32, view.listed.nodes]
        });
        first.map(|element| element.index).chain(nodes).collect()
    }

    /// The elements as they are told to the outside.
    fn tell(&self, boxes: bool) -> Vec<Value> {
        let mut same: HashMap<(&str, &str), usize> = HashMap::new();
        for Numbered { entry, .. } in &self.elements {
            *same.entry((&entry.role, &entry.name)).or_default() += 1;
        }
        let tell = |element: &Numbered| {
            let entry = &element.entry;
            let is_unique = same.get(&(entry.role.as_str(), entry.name.as_str())) == Some(&1);
            let mut out = Map::new();
            out.insert("index".to_owned(), json!(element.index));
            out.insert("role".to_owned(), json!(entry.role));
            out.insert("name".to_owned(), json!(entry.name));
            if !is_unique || self.has_rest {
                // What tells equal names apart; those of the rest may be equal.
                if let Some(row) = &entry.row {
                    out.insert("row".to_owned(), json!(row));
                }
                if let Some(section) = entry.section.as_ref().filter(|text| !text.is_empty()) {
                    out.insert("section".to_owned(), json!(section));
                }
            }
            out.extend(entry.rest.clone());
            if let Some(href) = &entry.href {
                out.insert("href".to_owned(), json!(href));
            }
            if boxes {
                out.insert("box".to_owned(), whole_px(element.area));
            }
            let seen = entry.seen && self.views[element.view].place.clip.is_some();
            out.insert("in_viewport".to_owned(), json!(seen));
            if element.rank == 0 {
                out.insert("in_front".to_owned(), json!(true));
            }
            if let Some(label) = &self.views[element.view].label {
                out.insert("frame".to_owned(), json!(label));
            }
            Value::Object(out)
        };
        self.elements.iter().map(tell).collect()
    }
}

/// Whole px say enough of a place, and say it briefly.
pub(super) fn whole_px(area: Area) -> Value {
    let px = |length: f64| length.round() as i64;
    json!({
        "x": px(area.x), "y": px(area.y), "width": px(area.width), "height": px(area.height),
    })
}

/// Lists the page's elements, or reads on in a list that was taken before, as it was then.
pub async fn list(page: &Page, part: &Part) -> Result<ElementList, Unreadable> {
    let limit = part.limit;
    let limit = limit.map(|limit| limit.clamp(1, ELEMENTS_LIMIT_MAX) as usize);
    let (mut whole, start) = match &part.more {
        Some(more) => kept(page, Kind::List, more)?,
        None => {
            let first = FIRST_READ.max(limit.unwrap_or(0));
            let sight = look(page, Want::First(first)).await?;
            let document = sight.views[0].frame.document();
            let pieces = sight.tell(part.boxes);
            let mut kept = page.told().kept();
            let version = kept.version(page.tab(), sight.signs());
            let facts = (sight.total, sight.truncated, version);
            let unread = sight.has_rest.then_some(Unread { boxes: part.boxes });
            (kept.keep(Kind::List, document, pieces, facts, unread), 0)
        }
    };
    let mut count = counted(&whole.pieces[start..], limit);
    if let Some(unread) = whole.unread
        && start + count == whole.pieces.len()
        && limit != Some(count)
    {
        whole = complete(page, &whole, unread).await?;
        count = counted(&whole.pieces[start..], limit);
    }
    let rest = &whole.pieces[start..];
    let next = start + count;
    let is_end = next == whole.pieces.len() && whole.unread.is_none();
    let more = (!is_end).then(|| whole.cursor(next));
    Ok(ElementList {
        version: whole.version,
        elements: rest[..count].to_vec(),
        total: whole.total,
        truncated: whole.truncated || more.is_some(),
        more,
    })
}

/// How many come next.
fn counted(rest: &[Value], limit: Option<usize>) -> usize {
    limit.map_or_else(|| fitting(rest, BYTES_MAX), |limit| rest.len().min(limit))
}

/// Reads what of a long list was not read yet: all that is there now and was not told before.
async fn complete(page: &Page, whole: &Whole, unread: Unread) -> Result<Arc<Whole>, Unreadable> {
    let sight = look(page, Want::All).await?;
    if sight.views[0].frame.document() != whole.document {
        return Err(Unreadable::NotKept);
    }
    let told: HashSet<(u64, u64)> = {
        let numbers = page.told().numbers();
        let node = |piece: &Value| match numbers.look_up(index(piece)?) {
            Lookup::Means(meaning) => Some((meaning.document, meaning.node)),
            _ => None,
        };
        whole.pieces.iter().filter_map(node).collect()
    };
    // By node: what says something else since has a number of its own, and was told all the same.
    let is_new = |element: &Numbered| {
        let document = sight.views[element.view].frame.document();
        !told.contains(&(document, element.entry.id))
    };
    let pairs = sight.elements.iter().zip(sight.tell(unread.boxes));
    let rest = pairs.filter_map(|(element, value)| is_new(element).then_some(value));
    let facts = (sight.total, sight.truncated);
    Ok(page.told().kept().complete(whole, rest.collect(), facts))
}

fn index(element: &Value) -> Option<u32> {
    u32::try_from(element["index"].as_u64()?).ok()
}

/// What a cursor points into; nothing where the page has gone to another document since.
pub(super) fn kept(
    page: &Page,
    kind: Kind,
    cursor: &str,
) -> Result<(Arc<Whole>, usize), Unreadable> {
    let found = page.told().kept().at(kind, cursor);
    let frames = page.frames();
    let now = frames.first().map(super::super::target::Frame::document);
    found
        .filter(|(whole, _)| Some(whole.document) == now)
        .ok_or(Unreadable::NotKept)
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

/// Whether the page asks for a password anywhere. A frame that cannot be asked may well do.
pub async fn asks_for_password(page: &Page) -> Result<bool, Error> {
    let main = page.main_frame().await?;
    let asks: bool = main.call("hasPassword", json!([])).await?;
    if asks {
        return Ok(true);
    }
    let inside = page.frames();
    let asking = inside.iter().skip(1).map(|frame| async {
        frame
            .call::<bool>("hasPassword", json!([]))
            .await
            .unwrap_or(false)
    });
    Ok(futures::future::join_all(asking)
        .await
        .into_iter()
        .any(|asks| asks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_holds_at_least_one_and_no_more_than_fits() {
        let values: Vec<Value> = (0..5).map(|_| json!("x".repeat(8))).collect();
        assert_eq!(fitting(&values, 33), 3);
        assert_eq!(fitting(&values, 1), 1);
        assert_eq!(fitting(&values, 1_000), 5);
        assert_eq!(fitting(&[], 1), 0);
    }
}
