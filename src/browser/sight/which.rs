//! Which element a number means, what is under a point, and what to say of a number that means
//! nothing any more.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::numbers::{Lookup, Meaning, Print};
use super::super::target::{Frame, Page};
use super::list::{self, Numbered, Sight};
use super::look::{self, Want};
use super::place::{self, Area, Placement};
use crate::media::cursor::Worn;
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::Struck;

/// Elements offered in the place of one that is not there.
const CANDIDATES_MAX: usize = 5;
/// Frames within frames at most.
const DEPTH_MAX: usize = 64;

/// An element that a number means.
#[derive(Debug, Clone)]
pub(in crate::browser) struct Known {
    /// The document that it is in.
    pub(in crate::browser) frame: Frame,
    /// Its number in that document, for our scripts.
    pub(in crate::browser) node: u64,
    /// What it was when it was listed.
    pub(in crate::browser) print: Print,
    /// Its number in the session.
    pub(in crate::browser) index: u32,
}

/// The element that an index means in this page. Whether it still says the same is for who acts on
/// it to see: our script's `print` of the node tells it, and [`stale`] what to answer.
pub(in crate::browser) fn resolve(page: &Page, index: u32) -> Result<Known, ActionError> {
    let found = page.told().numbers().look_up(index);
    let meaning = match found {
        Lookup::NeverGiven => {
            return Err(ActionError::new(
                ActionErrorKind::ElementNotFound,
                format!(
                    "No element was ever listed as {index}. List the elements and use their numbers."
                ),
            ));
        }
        Lookup::Forgotten => return Err(gone(index, None, "it was listed too long ago")),
        Lookup::Means(meaning) => meaning,
    };
    let frames = page.frames();
    let frame = frames
        .into_iter()
        .find(|frame| frame.document() == meaning.document);
    let Some(frame) = frame else {
        let why = match meaning.tab == page.tab() {
            true => "its document is no longer shown".to_owned(),
            false => format!("it was listed in tab {}", meaning.tab),
        };
        return Err(gone(index, Some(&meaning), &why));
    };
    Ok(Known {
        frame,
        node: meaning.node,
        print: meaning.print,
        index,
    })
}

/// Where the element of an index lies in the viewport, brought into view: left, top, width and
/// height, CSS px.
pub async fn area_of(page: &Page, index: u32) -> Result<[f64; 4], ActionError> {
    let known = resolve(page, index)?;
    let failed = |_| gone(index, None, "it is not there any more");
    let frame = &known.frame;
    let ask = || frame.call::<Option<Area>>("areaOf", json!([known.node]));
    // It is brought into view first: the frames around it may be somewhere else afterwards.
    let seen = ask().await.map_err(failed)?;
    let place = place::placement(page, frame).await.map_err(failed)?;
    let area = match seen {
        Some(_) => ask().await.map_err(failed)?,
        None => None,
    };
    let Some(area) = area else {
        return Err(stale(page, &known, None).await);
    };
    let mut area = place.area_to_page(area);
    // Beyond the edges of a frame is another document.
    if frame.parent().is_some() {
        let shown = place.clip.and_then(|clip| area.meet(clip));
        area = shown.ok_or_else(|| gone(index, None, "its frame shows nothing of it"))?;
    }
    Ok([area.x, area.y, area.width.max(1.0), area.height.max(1.0)])
}

fn gone(index: u32, was: Option<&Meaning>, why: &str) -> ActionError {
    let what = was.map_or_else(String::new, |was| {
        format!(", which was {},", was.print.words())
    });
    let message = format!(
        "Element {index}{what} is no longer to be used: {why}. List the elements and take the number from there."
    );
    let error = ActionError::new(ActionErrorKind::StaleElement, message);
    match was {
        Some(was) => error.context(json!({ "was": brief(&was.print) })),
        None => error,
    }
}

/// Fields that take text, for whoever typed without one.
pub(in crate::browser) async fn fields(page: &Page) -> Value {
    let Ok(sight) = list::look(page, Want::All).await else {
        return Value::Null;
    };
    let fields = sight.elements.iter().filter(|element| {
        let role = element.entry.role.as_str();
        matches!(role, "textbox" | "searchbox" | "combobox" | "spinbutton")
    });
    Value::Array(fields.take(CANDIDATES_MAX).map(offer).collect())
}

/// Adds to a refusal of [`resolve`] what there is now that is most like what was meant.
pub(in crate::browser) async fn with_candidates(
    page: &Page,
    index: u32,
    mut error: ActionError,
) -> ActionError {
    let was = match page.told().numbers().look_up(index) {
        Lookup::Means(meaning) => meaning.print,
        _ => Print::default(),
    };
    let offered = match list::look(page, Want::All).await {
        Ok(sight) => most_like(&sight, &was, |_| 0.0),
        Err(_) => Vec::new(),
    };
    let mut context = match error.context.take() {
        Some(Value::Object(context)) => context,
        _ => Map::new(),
    };
    context.insert("candidates".to_owned(), Value::Array(offered));
    error.context(Value::Object(context))
}

fn brief(print: &Print) -> Value {
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(print.role));
    out.insert("name".to_owned(), json!(print.name));
    for (key, value) in [("row", &print.row), ("href", &print.href)] {
        if let Some(value) = value {
            out.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(out)
}

/// Why an element that was listed can no longer be acted on: what it was, what stands there `now`,
/// and what is most like it in a fresh list.
pub(in crate::browser) async fn stale(
    page: &Page,
    known: &Known,
    now: Option<Print>,
) -> ActionError {
    let was = known.print.words();
    let happened = match &now {
        Some(now) => format!("it says something else now: {}", now.words()),
        None => "it is no longer there".to_owned(),
    };
    let mut context = Map::new();
    context.insert("was".to_owned(), brief(&known.print));
    context.insert("now".to_owned(), now.as_ref().map_or(Value::Null, brief));
    let offered = match list::look(page, Want::All).await {
        Ok(sight) => nearest(&sight, known),
        Err(_) => Vec::new(),
    };
    let next = match offered.first() {
        Some(best) => format!("; most like it is {} now", best["index"]),
        None => "; list the elements again".to_owned(),
    };
    context.insert("candidates".to_owned(), Value::Array(offered));
    let message = format!("{} was {was}, and {happened}{next}", known.index);
    ActionError::new(ActionErrorKind::StaleElement, message).context(Value::Object(context))
}

/// What is most like an element, or nearest to it, in a fresh list: at most five of `index`, `role`,
/// `name`, `row` and `box`.
pub(in crate::browser) async fn candidates(page: &Page, near: &Known) -> Value {
    let sight = list::look(page, Want::All).await;
    sight.map_or_else(|_| json!([]), |sight| Value::Array(nearest(&sight, near)))
}

fn nearest(sight: &Sight, known: &Known) -> Vec<Value> {
    let document = known.frame.document();
    let in_document = |element: &Numbered| sight.views[element.view].frame.document() == document;
    let mut elements = sight.elements.iter();
    let stood = elements.find(|element| in_document(element) && element.entry.id == known.node);
    let stood = stood.map(|element| element.area.centre());
    most_like(sight, &known.print, |element| {
        if element.index == known.index {
            return f64::NEG_INFINITY;
        }
        let far = stood.map_or(0.0, |at| distance(at, element.area));
        f64::from(u8::from(in_document(element))) * 0.5 + 1.0 / (1.0 + far)
    })
}

/// The elements that are most like what was meant; `besides` counts what else speaks for one.
fn most_like(sight: &Sight, was: &Print, besides: impl Fn(&Numbered) -> f64) -> Vec<Value> {
    let rank = |element: &'_ Numbered| likeness(was, &element.print()) + besides(element);
    let mut ranked: Vec<(f64, &Numbered)> = sight
        .elements
        .iter()
        .map(|element| (rank(element), element))
        .filter(|(rank, _)| rank.is_finite())
        .collect();
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    ranked
        .iter()
        .take(CANDIDATES_MAX)
        .map(|(_, element)| offer(element))
        .collect()
}

/// An element as it is offered.
fn offer(element: &Numbered) -> Value {
    let mut out = Map::new();
    out.insert("index".to_owned(), json!(element.index));
    out.insert("role".to_owned(), json!(element.entry.role));
    out.insert("name".to_owned(), json!(element.entry.name));
    if let Some(row) = &element.entry.row {
        out.insert("row".to_owned(), json!(row));
    }
    out.insert("box".to_owned(), list::whole_px(element.area));
    Value::Object(out)
}

fn distance(from: Point, area: Area) -> f64 {
    let to = area.centre();
    (from.x - to.x).hypot(from.y - to.y)
}

/// Same role, name and row first, then shared words.
fn likeness(was: &Print, now: &Print) -> f64 {
    let mut rank = share(&was.name, &now.name) * 4.0;
    if was.role == now.role {
        rank += 2.0;
    }
    match (&was.row, &now.row) {
        (Some(was), Some(now)) => rank += share(was, now) * 3.0,
        (None, None) => rank += 1.0,
        _ => {}
    }
    if was.href.is_some() && was.href == now.href {
        rank += 2.0;
    }
    rank
}

/// How much of a text another one has: 1 when they are the same.
fn share(was: &str, now: &str) -> f64 {
    if was == now {
        return 1.0;
    }
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric());
        parts
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (was, now) = (words(was), words(now));
    if was.is_empty() {
        return 0.0;
    }
    let shared = was.iter().filter(|word| now.contains(word)).count();
    0.75 * shared as f64 / was.len() as f64
}

/// The listed element under a point of the page's viewport, else what is there, through frames and
/// shadow roots, and the frame that it is in. None where nothing can be told.
pub(in crate::browser) async fn under(page: &Page, at: Point) -> Option<(Frame, Struck)> {
    let (frame, hit, label) = hit(page, at).await?;
    let numbers = page.told().numbers();
    let listed = hit.around.iter().find_map(|node| {
        let index = numbers.of(frame.document(), *node)?;
        match numbers.look_up(index) {
            Lookup::Means(meaning) => Some((index, meaning.print)),
            _ => None,
        }
    });
    drop(numbers);
    let (index, role, name) = match listed {
        Some((index, print)) => (Some(index), print.role, print.name),
        None => (None, hit.role, hit.name),
    };
    let struck = Struck {
        index,
        role,
        name,
        frame: label,
    };
    Some((frame, struck))
}

/// The cursor that the page asks for at a point of its viewport.
pub async fn cursor_at(page: &Page, at: Point) -> Option<Worn> {
    let (_, hit, _) = hit(page, at).await?;
    Some(match hit.cursor.as_str() {
        "pointer" => Worn::Hand,
        "text" | "vertical-text" => Worn::Beam,
        _ => Worn::Usual,
    })
}

/// What `hit` of our scripts answers.
#[derive(Deserialize)]
struct Hit {
    id: u64,
    is_frame: bool,
    role: String,
    name: String,
    around: Vec<u64>,
    cursor: String,
}

/// The innermost thing under a point, the frame that it is in, and what that is called.
async fn hit(page: &Page, at: Point) -> Option<(Frame, Hit, Option<String>)> {
    let frames = page.frames();
    let mut frame = page.main_frame().await.ok()?;
    let mut place = Placement::of_page(page.viewport());
    let mut label = None;
    for _ in 0..DEPTH_MAX {
        let local = place.to_frame(at);
        let hit: Option<Hit> = frame.call("hit", json!([local.x, local.y])).await.ok()?;
        let hit = hit?;
        let inner = match hit.is_frame {
            true => inside(page, &frames, &frame, hit.id).await,
            false => None,
        };
        if let Some(inner) = inner {
            place = place::step(page, &frame, place, &inner).await.ok()?;
            label = Some(match hit.name.is_empty() {
                true => look::without_userinfo(inner.url()),
                false => hit.name,
            });
            frame = inner;
            continue;
        }
        return Some((frame, hit, label));
    }
    None
}

/// The frame that an element of a document holds.
async fn inside(page: &Page, frames: &[Frame], around: &Frame, node: u64) -> Option<Frame> {
    for frame in frames
        .iter()
        .filter(|frame| frame.parent() == Some(around.id()))
    {
        if look::holder(page, around, frame).await == Some(node) {
            return Some(frame.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(role: &str, name: &str, row: Option<&str>) -> Print {
        Print {
            role: role.to_owned(),
            name: name.to_owned(),
            row: row.map(str::to_owned),
            href: None,
        }
    }

    #[test]
    fn the_same_words_in_the_same_row_are_most_alike() {
        let was = print("button", "Remove", Some("Ana"));
        let order = [
            print("button", "Remove", Some("Ana")),
            print("button", "Remove", Some("Zoe")),
            print("button", "Remove all", None),
            print("link", "Help", None),
        ];
        let ranks: Vec<f64> = order.iter().map(|now| likeness(&was, now)).collect();
        assert!(ranks.is_sorted_by(|one, other| one > other), "{ranks:?}");
    }

    #[test]
    fn a_stale_number_says_what_it_was() {
        let meaning = Meaning {
            tab: 1,
            document: 1,
            node: 1,
            print: print("button", "Edit", Some("Ana")),
            is_stale: true,
        };
        let error = gone(7, Some(&meaning), "something else stands there now");
        assert!(error.message.starts_with(
            "Element 7, which was the button \"Edit\" in the row \"Ana\", is no longer"
        ));
        assert_eq!(
            error.context,
            Some(json!({ "was": { "role": "button", "name": "Edit", "row": "Ana" } }))
        );
    }
}
