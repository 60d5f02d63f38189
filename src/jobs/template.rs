//! `${name}` in the texts of a workflow: what the job was given by that name.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::config::Workflow;

/// What is wrong with a text and what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The job was not given this.
    Missing(String),
    /// What it was given would stand for a secret, which is not for whoever gave it.
    Secret,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "the job's args lack \"{name}\""),
            Self::Secret => {
                f.write_str("what the job was given holds \"{{\", which would stand for a secret")
            }
        }
    }
}

/// What begins the place of a secret.
const SECRET: &str = "{{";

/// A text with what the job was given in its places.
pub(super) fn filled(text: &str, args: &Map<String, Value>) -> Result<String, Wrong> {
    let mut whole = String::with_capacity(text.len());
    // Secrets that the text itself asks for.
    let mut own = 0;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        whole.push_str(before);
        own += before.matches(SECRET).count();
        let Some(end) = after.find('}') else {
            whole.push_str("${");
            rest = after;
            continue;
        };
        let name = &after[..end];
        match args.get(name) {
            None | Some(Value::Null) => return Err(Wrong::Missing(name.to_owned())),
            Some(Value::String(text)) => whole.push_str(text),
            Some(other) => whole.push_str(&other.to_string()),
        }
        rest = &after[end + 1..];
    }
    whole.push_str(rest);
    own += rest.matches(SECRET).count();
    // However it came about: by one, by several side by side, or inside of something.
    match whole.matches(SECRET).count() > own {
        true => Err(Wrong::Secret),
        false => Ok(whole),
    }
}

/// What a workflow names and was not given.
pub(super) fn missing(workflow: &Workflow, args: &Map<String, Value>) -> Vec<String> {
    let mut texts = vec![workflow.page.as_str(), workflow.seen_on.as_str()];
    for step in &workflow.steps {
        texts.extend(step.on.iter().map(String::as_str));
        texts.push(&step.about);
        step.params
            .values()
            .for_each(|value| all(value, &mut texts));
    }
    let is_missing = |name: &&str| args.get(*name).is_none_or(Value::is_null);
    let names = texts.into_iter().flat_map(names).filter(is_missing);
    let names: BTreeSet<String> = names.map(|name| format!("\"{name}\"")).collect();
    names.into_iter().collect()
}

/// The names in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let places = text.split("${").skip(1);
    places.filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The texts of a value.
fn all<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| all(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| all(field, texts)),
        _ => (),
    }
}

/// The same in every text of a value.
pub(super) fn filled_value(value: &Value, args: &Map<String, Value>) -> Result<Value, Wrong> {
    Ok(match value {
        Value::String(text) => Value::String(filled(text, args)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| filled_value(item, args));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => Value::Object(filled_map(fields, args)?),
        other => other.clone(),
    })
}

/// The same in every text of an object.
pub(super) fn filled_map(
    fields: &Map<String, Value>,
    args: &Map<String, Value>,
) -> Result<Map<String, Value>, Wrong> {
    let filled = fields
        .iter()
        .map(|(name, value)| Ok((name.clone(), filled_value(value, args)?)));
    filled.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args() -> Map<String, Value> {
        let args = json!({"text": "a ${x} b", "at": 45.2, "evil": "{{shop-password}}", "no": null,
            "list": ["{{shop}}"], "half": "{", "rest": "{shop}}"});
        args.as_object().unwrap().clone()
    }

    #[test]
    fn what_was_given_stands_in_its_place_and_is_not_read_again() {
        let filled = |text: &str| filled(text, &args());
        assert_eq!(filled("${text}|${at}").unwrap(), "a ${x} b|45.2");
        assert_eq!(filled("$text ${").unwrap(), "$text ${");
        assert_eq!(filled("{{label}}").unwrap(), "{{label}}");
        assert_eq!(filled("${no}"), Err(Wrong::Missing("no".to_owned())));
        assert_eq!(filled("${other}"), Err(Wrong::Missing("other".to_owned())));
    }

    #[test]
    fn what_was_given_never_stands_for_a_secret() {
        for text in [
            "${evil}",
            "${list}",
            "${half}${rest}",
            "{${rest}",
            "{{own}} ${evil}",
        ] {
            assert_eq!(filled(text, &args()), Err(Wrong::Secret), "{text}");
        }
        assert_eq!(filled("{{own}} ${at}", &args()).unwrap(), "{{own}} 45.2");
    }

    #[test]
    fn what_a_workflow_lacks_is_named_at_once() {
        let workflow: Workflow = serde_json::from_value(json!({
            "page": "${url}?at=${at}", "seen": "null",
            "steps": [{"action": "fill", "on": ["#${no}"], "params": {"text": ["${title}", 1]}}],
        }))
        .unwrap();
        assert_eq!(
            missing(&workflow, &args()),
            ["\"no\"", "\"title\"", "\"url\""]
        );
    }

    #[test]
    fn every_text_of_a_value_is_filled() {
        let value = json!({"a": ["${at}", 1], "b": {"c": "${at}"}});
        let filled = filled_value(&value, &args()).unwrap();
        assert_eq!(filled, json!({"a": ["45.2", 1], "b": {"c": "45.2"}}));
    }
}
