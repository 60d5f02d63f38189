//! The page's text in the order of reading, all frames in their places; and where a phrase stands.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::target::{Frame, Page};
use super::super::told::Kind;
use super::list;
use super::look::{self, Want};
use super::place::Area;
use super::unreadable::Unreadable;

/// Bytes of text in one part.
const PART_BYTES_MAX: usize = 6_000;
/// Places told of one phrase.
const FOUND_MAX: usize = 20;

/// A part of the page's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPart {
    /// One line a block; a table's row is one line, its cells apart by ` | `.
    pub text: String,
    /// Whether the page says more than could be read.
    pub truncated: bool,
    /// Reads on, as `text_cursor`; none at the end.
    pub more: Option<String>,
}

/// A place where a phrase stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Found {
    /// The text around it.
    pub text: String,
    /// Whether it is in view.
    pub in_viewport: bool,
    /// The number of the nearest listed element.
    pub index: Option<u32>,
    /// The frame that it is in; null for the page itself.
    pub frame: Option<String>,
    /// Where it is, CSS px of the viewport: `x`, `y`, `width`, `height`.
    #[serde(rename = "box")]
    #[schema(value_type = Object)]
    pub area: Value,
}

/// A line, or the place of a frame.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Frame { frame: u64 },
}

#[derive(Debug, Deserialize)]
struct Read {
    lines: Vec<Line>,
    truncated: bool,
}

/// A part of the page's text: from the beginning, or on from a cursor.
pub async fn text(page: &Page, more: Option<&str>) -> Result<TextPart, Unreadable> {
    let (whole, start) = match more {
        Some(more) => list::kept(page, Kind::Text, more)?,
        None => {
            let main = page.main_frame().await?;
            let document = main.document();
            let (lines, truncated) = read(page, main).await?;
            let pieces: Vec<Value> = parts(&lines).into_iter().map(Value::String).collect();
            let total = pieces.len() as u64;
            let mut kept = page.told().kept();
            (
                kept.keep(Kind::Text, document, pieces, (total, truncated, 0), None),
                0,
            )
        }
    };
    let part = whole.pieces.get(start).and_then(Value::as_str);
    let next = start + 1;
    Ok(TextPart {
        text: part.unwrap_or_default().to_owned(),
        truncated: whole.truncated,
        more: (next < whole.pieces.len()).then(|| whole.cursor(next)),
    })
}

/// The lines of all documents, each frame's where it is held.
async fn read(page: &Page, main: Frame) -> Result<(Vec<String>, bool), Error> {
    let mut frames = vec![main];
    frames.extend(page.frames().into_iter().skip(1));
    let asked = frames
        .iter()
        .map(|frame| look::ask::<Read>(page, frame, "text", json!([])));
    let mut answers = join_all(asked).await.into_iter();
    // The page itself must be read; a frame that cannot be is left out.
    let first = answers.next().ok_or(Error::Replaced)??;
    let mut truncated = first.truncated;
    let mut texts: HashMap<usize, Vec<Line>> = HashMap::from([(0, first.lines)]);
    for (at, answer) in answers.enumerate() {
        if let Ok(read) = answer {
            truncated |= read.truncated;
            texts.insert(at + 1, read.lines);
        }
    }
    let finding = frames.iter().enumerate().skip(1).map(|(at, frame)| {
        let frames = &frames;
        async move {
            let parent = frame.parent()?;
            let around = frames.iter().position(|one| one.id() == parent)?;
            let node = look::holder(page, &frames[around], frame).await?;
            Some(((around, node), at))
        }
    });
    let held: HashMap<(usize, u64), usize> =
        join_all(finding).await.into_iter().flatten().collect();
    let mut lines = Vec::new();
    join(&mut texts, &held, 0, &mut lines);
    Ok((lines, truncated))
}

fn join(
    texts: &mut HashMap<usize, Vec<Line>>,
    held: &HashMap<(usize, u64), usize>,
    at: usize,
    into: &mut Vec<String>,
) {
    // Taken out: what runs in a circle ends.
    for line in texts.remove(&at).unwrap_or_default() {
        match line {
            Line::Text(text) => into.push(text),
            Line::Frame { frame } => {
                if let Some(inner) = held.get(&(at, frame)) {
                    join(texts, held, *inner, into);
                }
            }
        }
    }
}

/// Parts that end at ends of lines, but for a line that is longer than a part.
fn parts(lines: &[String]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    for line in lines {
        let mut line = line.as_str();
        while !line.is_empty() {
            let room = PART_BYTES_MAX.saturating_sub(part.len() + usize::from(!part.is_empty()));
            if line.len() > room && !part.is_empty() {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            let taken = line.floor_char_boundary(line.len().min(room));
            let (now, later) = line.split_at(taken);
            if !part.is_empty() {
                part.push('\n');
            }
            part.push_str(now);
            line = later;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Where a phrase stands in the page, at most so many times as `FOUND_MAX` says: what is in view first.
pub async fn find(page: &Page, phrase: &str) -> Result<Vec<Found>, Unreadable> {
    #[derive(Deserialize)]
    struct Place {
        text: String,
        #[serde(rename = "box")]
        area: [f64; 4],
        seen: bool,
        near: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Places {
        found: Vec<Place>,
    }
    // The list first: it gives what is near a number, and tells where frames lie.
    let sight = list::look(page, Want::All).await?;
    let asked = sight.views.iter().map(|view| {
        let args = json!([phrase, { "clip": view.place.clip_inside() }]);
        look::ask::<Places>(page, &view.frame, "seek", args)
    });
    let answers = join_all(asked).await;
    let mut found = Vec::new();
    let mut told = HashSet::new();
    for (view, answer) in sight.views.iter().zip(answers) {
        let Ok(places) = answer else { continue };
        for place in places.found {
            let [x, y, width, height] = place.area;
            let area = Area {
                x,
                y,
                width,
                height,
            };
            let document = view.frame.document();
            let numbers = page.told().numbers();
            let one = Found {
                in_viewport: place.seen && view.place.clip.is_some(),
                index: place.near.and_then(|node| numbers.of(document, node)),
                frame: view.label.clone(),
                area: list::whole_px(view.place.area_to_page(area)),
                text: place.text,
            };
            drop(numbers);
            if told.insert((one.text.clone(), one.area.to_string())) {
                found.push(one);
            }
        }
    }
    found.sort_by_key(|one| !one.in_viewport);
    found.truncate(FOUND_MAX);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_in_their_places() {
        let text = |text: &str| Line::Text(text.to_owned());
        let mut texts = HashMap::from([
            (
                0,
                vec![
                    text("a"),
                    Line::Frame { frame: 5 },
                    text("b"),
                    Line::Frame { frame: 6 },
                ],
            ),
            (1, vec![text("inner")]),
        ]);
        let held = HashMap::from([((0, 5), 1)]);
        let mut lines = Vec::new();
        join(&mut texts, &held, 0, &mut lines);
        assert_eq!(lines, ["a", "inner", "b"]);
    }

    #[test]
    fn parts_end_at_ends_of_lines_and_lose_nothing() {
        let lines: Vec<String> = (0..400)
            .map(|i| format!("Item {i}. {}", "é".repeat(60)))
            .collect();
        let parts = parts(&lines);
        assert!(parts.iter().all(|part| part.len() <= PART_BYTES_MAX));
        assert_eq!(parts.join("\n"), lines.join("\n"));
    }

    #[test]
    fn a_line_longer_than_a_part_is_told_in_several() {
        let line = "é".repeat(PART_BYTES_MAX);
        let parts = parts(std::slice::from_ref(&line));
        assert!(parts.len() > 1);
        assert_eq!(parts.concat(), line);
        assert!(super::parts(&[]).is_empty());
    }
}
