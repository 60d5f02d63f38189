//! The accessibility tree of a page (REQUIREMENTS A56), through its frames and shadow roots.
//!
//! It is Chromium's own, and the list of elements takes roles, names and states from it, so that
//! both say the same of an element. Told flat, without what is ignored or said twice, what is in
//! view first, and in parts of a bounded size.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chromiumoxide_cdp::cdp::browser_protocol::accessibility::{AxNode, AxValue, GetFullAxTreeParams};
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::target::Page;
use super::elements::{self, BYTES_MAX, Cursor};
use super::snapshot::{Frame, Snapshot};

/// Nodes kept at most.
const NODES_MAX: usize = 5_000;

/// States that are told of elements and of nodes alike.
const STATES: [&str; 6] = [
    "checked", "disabled", "expanded", "pressed", "required", "selected",
];

/// A part of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreePart {
    /// One object a node: `role`, `name`, `depth`, and what else is set of `index`, `value`,
    /// `description` and the states.
    pub nodes: Vec<Value>,
    /// Nodes there are, told or not.
    pub total: u64,
    /// Reads on; none at the end.
    pub more: Option<String>,
}

/// A tree that is kept, so that it can be read on.
#[derive(Debug)]
pub(super) struct Told {
    document: u64,
    number: u64,
    nodes: Vec<Value>,
}

/// Chromium's nodes in document order, frames where they are held.
#[derive(Debug, Default)]
pub(super) struct AxTree {
    nodes: Vec<Placed>,
    places: HashMap<i64, usize>,
}

#[derive(Debug)]
struct Placed {
    node: AxNode,
    parent: Option<usize>,
}

/// A part of the page's tree: from the beginning, or on from a cursor.
pub async fn tree(page: &Page, more: Option<&str>) -> Result<Option<TreePart>, Error> {
    let cursor = match more.map(Cursor::parse) {
        None => None,
        Some(None) => return Ok(None),
        Some(Some(cursor)) => Some(cursor),
    };
    let document = page.loading().committed;
    let epoch = format!("tree{document}");
    let start = cursor.map_or(0, |cursor| cursor.start);
    let told = Told { document, number: 0, nodes: draw(page).await? };
    let rest = told.nodes.get(start..).unwrap_or_default();
    let taken = elements::fitting(rest, BYTES_MAX);
    let next = start + taken;
    let cursor = Cursor {
        epoch,
        version: told.number,
        start: next,
    };
    Ok(Some(TreePart {
        nodes: rest[..taken].to_vec(),
        total: told.nodes.len() as u64,
        more: (next < told.nodes.len()).then(|| cursor.to_string()),
    }))
}

/// The whole tree as it is told.
async fn draw(page: &Page) -> Result<Vec<Value>, Error> {
    let snapshot = Snapshot::take(page).await?;
    let listed = elements::whole(page, &snapshot).await?;
    let ax = AxTree::read(page, &snapshot.frames).await?;
    let mut tellers = HashMap::new();
    for (element, ids) in listed {
        let at = ids.iter().find_map(|id| ax.places.get(id));
        if let Some(at) = at {
            tellers.insert(*at, ax.agree(element, &ids));
        }
    }
    Ok(ax.tell(&tellers, |id| snapshot.is_in_view(id, page.viewport())))
}

impl AxTree {
    /// Asks for the trees of all frames. A frame of another process has none here.
    pub(super) async fn read(page: &Page, frames: &[Frame]) -> Result<Self, Error> {
        const OPERATION: &str = "read the accessibility tree";
        let ask = |frame: &Frame| {
            let params = GetFullAxTreeParams::builder()
                .frame_id(frame.id.clone())
                .build();
            async {
                let answer = page.session().execute(OPERATION, params).await;
                answer.map(|answer| answer.nodes)
            }
        };
        let mut answers = join_all(frames.iter().map(ask)).await.into_iter();
        let first = answers.next().unwrap_or(Ok(Vec::new()))?;
        let inner = answers.map(Result::unwrap_or_default);
        let mut held = HashMap::new();
        for (frame, nodes) in frames.iter().skip(1).zip(inner) {
            if let Some(owner) = frame.owner {
                held.insert(owner, nodes);
            }
        }
        Ok(Self::put_together(first, held))
    }

    fn put_together(first: Vec<AxNode>, mut held: HashMap<i64, Vec<AxNode>>) -> Self {
        let mut all = Self::default();
        let mut waiting = vec![(None, first)];
        while let Some((parent, nodes)) = waiting.pop() {
            all.add(parent, nodes, &mut held, &mut waiting);
        }
        all.sort();
        for (place, placed) in all.nodes.iter().enumerate() {
            if let Some(id) = backend(&placed.node) {
                all.places.insert(id, place);
            }
        }
        all
    }

    /// Adds one frame's nodes in document order; frames inside it wait for their turn.
    fn add(
        &mut self,
        parent: Option<usize>,
        nodes: Vec<AxNode>,
        held: &mut HashMap<i64, Vec<AxNode>>,
        waiting: &mut Vec<(Option<usize>, Vec<AxNode>)>,
    ) {
        let roots: Vec<_> = nodes
            .iter()
            .filter(|node| node.parent_id.is_none())
            .map(|node| node.node_id.clone())
            .collect();
        let mut nodes: HashMap<_, _> = nodes
            .into_iter()
            .map(|node| (node.node_id.clone(), node))
            .collect();
        let mut stack: Vec<_> = roots.into_iter().rev().map(|id| (parent, id)).collect();
        while let Some((parent, id)) = stack.pop() {
            // Taken out: a tree that runs in a circle ends.
            let Some(node) = nodes.remove(&id) else {
                continue;
            };
            let place = self.nodes.len();
            let children = node.child_ids.iter().flatten().rev();
            stack.extend(children.map(|child| (Some(place), child.clone())));
            if let Some(inner) = backend(&node).and_then(|id| held.remove(&id)) {
                waiting.push((Some(place), inner));
            }
            self.nodes.push(Placed { node, parent });
        }
    }

    /// Puts frames' nodes, which were added at the end, after the nodes that hold them.
    fn sort(&mut self) {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut stack = Vec::new();
        for (place, placed) in self.nodes.iter().enumerate().rev() {
            match placed.parent {
                Some(parent) => children[parent].push(place),
                None => stack.push((None, place)),
            }
        }
        let mut old: Vec<Option<Placed>> = self.nodes.drain(..).map(Some).collect();
        while let Some((parent, place)) = stack.pop() {
            let Some(placed) = old[place].take() else {
                continue;
            };
            let now = self.nodes.len();
            stack.extend(children[place].iter().map(|child| (Some(now), *child)));
            self.nodes.push(Placed { parent, ..placed });
        }
    }

    /// Gives an element the role, name and states that the tree has of it. `ids` are its nodes,
    /// the one that counts first.
    pub(super) fn agree(&self, mut element: Map<String, Value>, ids: &[i64]) -> Map<String, Value> {
        let place = ids.iter().find_map(|id| self.places.get(id));
        let Some(node) = place.map(|place| &self.nodes[*place].node) else {
            return element;
        };
        if node.ignored {
            return element;
        }
        if let Some(role) = aria_role(node) {
            element.insert("role".to_owned(), json!(role));
        }
        let name = text(node.name.as_ref()).map(|name| elements::clean(&name));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            element.insert("name".to_owned(), json!(name));
        }
        element.extend(states(node));
        element
    }

    /// The tree as it is told: in view first, then the rest, each in document order. `tellers` are
    /// the listed elements by their places.
    fn tell(
        &self,
        tellers: &HashMap<usize, Map<String, Value>>,
        in_view: impl Fn(i64) -> Option<bool>,
    ) -> Vec<Value> {
        let (mut shown, mut hidden) = (Vec::new(), Vec::new());
        let mut depths: Vec<u32> = Vec::with_capacity(self.nodes.len());
        let mut views: Vec<bool> = Vec::with_capacity(self.nodes.len());
        let mut silent = HashSet::new();
        for (place, Placed { node, parent }) in self.nodes.iter().enumerate() {
            let depth = parent.map_or(0, |parent| depths[parent]);
            let view = backend(node).and_then(&in_view);
            views.push(view.unwrap_or(parent.is_none_or(|parent| views[parent])));
            let is_inside = parent.is_some_and(|parent| silent.contains(&parent));
            let teller = tellers.get(&place);
            let told = match teller {
                Some(element) => Some(interactive(node, element)),
                None if is_inside || node.ignored => None,
                None => passive(node).filter(|_| !self.repeats(node, *parent, tellers)),
            };
            // What a field holds is its value, which is masked where it must be.
            if is_inside || is_field(node) {
                silent.insert(place);
            }
            depths.push(depth + u32::from(told.is_some()));
            let Some(mut told) = told else { continue };
            told.insert("depth".to_owned(), json!(depth));
            let list = if views[place] {
                &mut shown
            } else {
                &mut hidden
            };
            list.push(Value::Object(told));
        }
        shown.append(&mut hidden);
        shown.truncate(NODES_MAX);
        shown
    }

    /// Whether a text only says again what the node around it is called.
    fn repeats(
        &self,
        node: &AxNode,
        parent: Option<usize>,
        tellers: &HashMap<usize, Map<String, Value>>,
    ) -> bool {
        let name = text(node.name.as_ref()).unwrap_or_default();
        let mut around = parent;
        // A wrapper or two may lie between them.
        for _ in 0..4 {
            let Some(place) = around else { return false };
            let Placed {
                node: outer,
                parent,
            } = &self.nodes[place];
            let called = tellers.get(&place).and_then(|element| element.get("name"));
            let own = text(outer.name.as_ref()).unwrap_or_default();
            let called = called.and_then(Value::as_str).unwrap_or(&own);
            if !called.is_empty() {
                return is_text(node) && called.contains(name.trim());
            }
            around = *parent;
        }
        false
    }
}

/// A listed element as a node of the tree.
fn interactive(node: &AxNode, element: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    let told = ["index", "role", "name", "value"];
    for key in told.into_iter().chain(STATES) {
        if let Some(value) = element.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    extras(node, &mut out);
    out
}

/// Any other node, or nothing where it says nothing.
fn passive(node: &AxNode) -> Option<Map<String, Value>> {
    let role = text(node.role.as_ref())?;
    let name = elements::clean(&text(node.name.as_ref()).unwrap_or_default());
    let says_nothing = matches!(
        role.as_str(),
        "generic" | "none" | "LabelText" | "StaticText" | "paragraph" | "Legend" | "MenuListPopup"
    );
    // Inline boxes repeat the text of their parent.
    if role == "InlineTextBox" || (name.is_empty() && says_nothing) {
        return None;
    }
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role));
    out.insert("name".to_owned(), json!(name));
    let value = text(node.value.as_ref()).filter(|value| !value.is_empty());
    // Dots stand for a password, and tell how long it is.
    if let Some(value) = value.filter(|value| !value.contains('•')) {
        out.insert("value".to_owned(), json!(elements::clean(&value)));
    }
    out.extend(states(node));
    extras(node, &mut out);
    Some(out)
}

/// What only the tree tells.
fn extras(node: &AxNode, out: &mut Map<String, Value>) {
    let description = text(node.description.as_ref()).filter(|text| !text.is_empty());
    if let Some(description) = description {
        let description = elements::clean(&description);
        out.insert("description".to_owned(), json!(description));
    }
    if property(node, "focused") == Some(&Value::Bool(true)) {
        out.insert("focused".to_owned(), json!(true));
    }
}

/// The states of a node; of those that most elements do not have, only what is set.
fn states(node: &AxNode) -> Map<String, Value> {
    let mut out = Map::new();
    for name in STATES {
        let value = match property(node, name) {
            Some(Value::String(text)) if text == "true" => json!(true),
            Some(Value::String(text)) if text == "false" => json!(false),
            Some(value) => value.clone(),
            None => continue,
        };
        if value != json!(false) || !matches!(name, "disabled" | "required") {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

fn property<'a>(node: &'a AxNode, name: &str) -> Option<&'a Value> {
    let mut properties = node.properties.iter().flatten();
    let found = properties.find(|property| property.name.as_ref() == name)?;
    found.value.value.as_ref()
}

/// The role where it is one of ARIA's and says something; Chromium has further ones of its own.
fn aria_role(node: &AxNode) -> Option<String> {
    let role = text(node.role.as_ref())?;
    let is_aria = role.starts_with(|first: char| first.is_ascii_lowercase());
    (is_aria && !matches!(role.as_str(), "generic" | "none")).then_some(role)
}

fn is_field(node: &AxNode) -> bool {
    property(node, "editable").and_then(Value::as_str) == Some("plaintext")
}

fn is_text(node: &AxNode) -> bool {
    text(node.role.as_ref()).as_deref() == Some("StaticText")
}

fn backend(node: &AxNode) -> Option<i64> {
    node.backend_dom_node_id.as_ref().map(|id| *id.inner())
}

fn text(value: Option<&AxValue>) -> Option<String> {
    match value?.value.as_ref()? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes from (id, parent, role, name); the number of each in the DOM is its id.
    fn nodes(all: &[(i64, Option<i64>, &str, &str)]) -> Vec<AxNode> {
        let node = |(id, parent, role, name): &(i64, Option<i64>, &str, &str)| {
            let children = all.iter().filter(|(_, of, ..)| *of == Some(*id));
            let children: Vec<String> = children.map(|(child, ..)| child.to_string()).collect();
            let mut node = json!({
                "nodeId": id.to_string(), "ignored": false, "backendDOMNodeId": id,
                "role": { "type": "role", "value": role },
                "name": { "type": "computedString", "value": name },
                "childIds": children,
            });
            if let Some(parent) = parent {
                node["parentId"] = json!(parent.to_string());
            }
            serde_json::from_value(node).expect("a node")
        };
        all.iter().map(node).collect()
    }

    fn page() -> AxTree {
        // Chromium tells nodes level by level.
        let first = nodes(&[
            (1, None, "RootWebArea", "Page"),
            (2, Some(1), "link", "Item"),
            (3, Some(1), "Iframe", ""),
            (4, Some(1), "generic", ""),
            (5, Some(2), "StaticText", "Item"),
            (6, Some(4), "StaticText", "Words"),
        ]);
        let inner = nodes(&[
            (10, None, "RootWebArea", "Inner"),
            (11, Some(10), "button", "In"),
        ]);
        AxTree::put_together(first, HashMap::from([(3, inner)]))
    }

    #[test]
    fn the_tree_is_in_document_order_and_says_nothing_twice() {
        let clicked = Map::from_iter([
            ("index".to_owned(), json!(0)),
            ("role".to_owned(), json!("button")),
            ("name".to_owned(), json!("Go")),
        ]);
        let tree = page();
        let tellers = HashMap::from([(tree.places[&4], clicked)]);
        let told = tree.tell(&tellers, |_| Some(true));
        let brief: Vec<(u64, &str, &str)> = told
            .iter()
            .map(|node| {
                let text = |key: &str| node[key].as_str().unwrap_or_default();
                let depth = node["depth"].as_u64().unwrap_or_default();
                (depth, text("role"), text("name"))
            })
            .collect();
        let expected = [
            (0, "RootWebArea", "Page"),
            (1, "link", "Item"),
            (1, "Iframe", ""),
            (2, "RootWebArea", "Inner"),
            (3, "button", "In"),
            (1, "button", "Go"),
            (2, "StaticText", "Words"),
        ];
        assert_eq!(brief, expected);
        let hidden = tree.tell(&HashMap::new(), |id| Some(id > 3));
        assert_eq!(hidden[0]["name"], "Inner", "what is in view comes first");
    }

    #[test]
    fn an_element_takes_what_the_tree_says_and_keeps_the_rest() {
        let tree = page();
        let ours = Map::from_iter([
            ("role".to_owned(), json!("textbox")),
            ("name".to_owned(), json!("ours")),
            ("value".to_owned(), json!("kept")),
        ]);
        let agreed = tree.agree(ours.clone(), &[2]);
        assert_eq!(
            (&agreed["role"], &agreed["name"]),
            (&json!("link"), &json!("Item"))
        );
        assert_eq!(agreed["value"], "kept");
        // A generic node without a name knows no better.
        assert_eq!(tree.agree(ours.clone(), &[4]), ours);
        assert_eq!(tree.agree(ours.clone(), &[99]), ours);
    }
}
