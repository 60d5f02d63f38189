//! The outline of a page: roles, names and numbers, through frames and shadow
//! roots, from the same walk as the list, so that both say the same of an element.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::target::Page;
use super::super::told::Kind;
use super::list::{self, BYTES_MAX, Numbered, Sight};
use super::look::Want;
use super::unreadable::Unreadable;

/// Nodes kept at most.
const NODES_MAX: usize = 5_000;
/// What is told of an element here as in the list.
const STATES: [&str; 11] = [
    "value",
    "checked",
    "disabled",
    "expanded",
    "pressed",
    "required",
    "selected",
    "description",
    "focused",
    "readonly",
    "invalid",
];

/// A part of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreePart {
    /// One object a node: `role`, `name`, `depth`, and what else is set of `index`, `level`,
    /// `value`, `description` and the states.
    pub nodes: Vec<Value>,
    /// Nodes there are, told or not.
    pub total: u64,
    /// Reads on; none at the end.
    pub more: Option<String>,
}

/// A part of the page's tree: from the beginning, or on from a cursor.
pub async fn tree(page: &Page, more: Option<&str>) -> Result<TreePart, Unreadable> {
    let (whole, start) = match more {
        Some(more) => list::kept(page, Kind::Tree, more)?,
        None => {
            let sight = list::look(page, Want::Outline).await?;
            let document = sight.views[0].frame.document();
            let nodes = draw(&sight);
            let total = nodes.len() as u64;
            let truncated = sight.views.iter().any(|view| view.truncated);
            let mut kept = page.told().kept();
            (
                kept.keep(Kind::Tree, document, nodes, (total, truncated, 0), None),
                0,
            )
        }
    };
    let rest = &whole.pieces[start..];
    let taken = list::fitting(rest, BYTES_MAX);
    let next = start + taken;
    Ok(TreePart {
        nodes: rest[..taken].to_vec(),
        total: whole.total,
        more: (next < whole.pieces.len()).then(|| whole.cursor(next)),
    })
}

/// The whole tree as it is told.
fn draw(sight: &Sight) -> Vec<Value> {
    let listed: HashMap<(usize, u64), &Numbered> = sight
        .elements
        .iter()
        .map(|element| ((element.view, element.entry.id), element))
        .collect();
    let mut told = Vec::new();
    add(sight, &listed, 0, 0, &mut told);
    told
}

fn add(
    sight: &Sight,
    listed: &HashMap<(usize, u64), &Numbered>,
    view: usize,
    below: u64,
    told: &mut Vec<Value>,
) {
    for node in &sight.views[view].nodes {
        if told.len() >= NODES_MAX {
            return;
        }
        let number = |key: &str| node.get(key).and_then(Value::as_u64);
        let depth = below + number("depth").unwrap_or(0);
        let held = number("frame");
        let inner = held.and_then(|id| {
            let holds = |other: &super::look::View| other.within == Some((view, id));
            sight.views.iter().position(holds)
        });
        let element = number("id").or(held).and_then(|id| listed.get(&(view, id)));
        told.push(tell(node, element.copied(), depth));
        if let Some(inner) = inner {
            add(sight, listed, inner, depth + 1, told);
        }
    }
}

fn tell(node: &Map<String, Value>, element: Option<&Numbered>, depth: u64) -> Value {
    let mut out = Map::new();
    if let Some(element) = element {
        out.insert("index".to_owned(), json!(element.index));
    }
    for key in ["role", "name", "level"] {
        if let Some(value) = node.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(element) = element {
        for key in STATES {
            if let Some(value) = element.entry.rest.get(key) {
                out.insert(key.to_owned(), value.clone());
            }
        }
    }
    out.insert("depth".to_owned(), json!(depth));
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_at_its_depth_and_without_numbers_of_ours() {
        let node = json!({ "role": "heading", "name": "Lamp", "level": 1, "depth": 2, "id": 9 });
        let node = node.as_object().expect("an object");
        let told = tell(node, None, 4);
        assert_eq!(
            told,
            json!({ "role": "heading", "name": "Lamp", "level": 1, "depth": 4 })
        );
    }
}
