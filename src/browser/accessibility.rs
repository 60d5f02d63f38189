//! The accessibility tree of a page (REQUIREMENTS A56), flat and without the ignored nodes.

use chromiumoxide::cdp::browser_protocol::accessibility::{AxNode, AxValue, GetFullAxTreeParams};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::error::Error;
use super::page::{COMMAND_TIMEOUT, Page};

/// Nodes returned at most.
const NODES_MAX: usize = 1_000;

/// The nodes in document order: `role`, `name`, `depth`, and what else is set of `value`,
/// `description` and the states.
pub async fn tree(page: &Page) -> Result<Vec<Value>, Error> {
    const OPERATION: &str = "read the accessibility tree";
    let answer = timeout(
        COMMAND_TIMEOUT,
        page.cdp().execute(GetFullAxTreeParams::default()),
    )
    .await
    .map_err(|_| Error::Timeout {
        operation: OPERATION,
    })?
    .map_err(Error::command(OPERATION))?;
    let nodes = answer.result.nodes;
    let mut depths = std::collections::HashMap::new();
    let mut tree = Vec::new();
    for node in &nodes {
        let parent = node
            .parent_id
            .as_ref()
            .and_then(|id| depths.get(id))
            .copied();
        let depth: u32 = parent.unwrap_or(0);
        let shown = (!node.ignored).then(|| describe(node, depth)).flatten();
        depths.insert(node.node_id.clone(), depth + u32::from(shown.is_some()));
        tree.extend(shown);
        if tree.len() >= NODES_MAX {
            break;
        }
    }
    Ok(tree)
}

fn describe(node: &AxNode, depth: u32) -> Option<Value> {
    let role = text(node.role.as_ref())?;
    let name = text(node.name.as_ref()).unwrap_or_default();
    // Inline boxes repeat the text of their parent.
    if role == "InlineTextBox" || (name.is_empty() && matches!(role.as_str(), "generic" | "none")) {
        return None;
    }
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role));
    out.insert("name".to_owned(), json!(name));
    out.insert("depth".to_owned(), json!(depth));
    for (key, value) in [("value", &node.value), ("description", &node.description)] {
        if let Some(text) = text(value.as_ref()).filter(|text| !text.is_empty()) {
            out.insert(key.to_owned(), json!(text));
        }
    }
    for property in node.properties.iter().flatten() {
        let name = property.name.as_ref();
        if matches!(
            name,
            "checked" | "disabled" | "expanded" | "focused" | "selected" | "pressed"
        ) && let Some(value) = &property.value.value
        {
            out.insert(name.to_owned(), value.clone());
        }
    }
    Some(Value::Object(out))
}

fn text(value: Option<&AxValue>) -> Option<String> {
    match value?.value.as_ref()? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
