//! From JSON to parameters; a refusal names the parameter that is wrong, says what was understood,
//! and what the right form is.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{ACTION_TYPES, ActionError, ActionErrorKind};
use crate::model::likeness::meant;

/// Longest text that a refusal repeats, characters.
const SHOWN_CHARS_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParams {}

/// One, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn into_list(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

pub(super) fn unknown_action(name: &str) -> ActionError {
    let meant = meant(name, &ACTION_TYPES).map(|meant| format!("Did you mean \"{meant}\"? "));
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    ActionError::new(
        ActionErrorKind::UnknownAction,
        format!(
            "There is no action \"{shown}\". {}The actions are {}.",
            meant.unwrap_or_default(),
            ACTION_TYPES.join(", ")
        ),
    )
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(
    params: &Map<String, Value>,
    required: &[&str],
) -> Result<T, ActionError> {
    for name in required {
        if params.get(*name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    let params = with_numbers(params);
    let whole = match serde_json::from_value(Value::Object(params.clone())) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error.to_string(),
    };
    // serde does not say which field is mistyped: leave one out at a time, and the one whose
    // absence, or null in its place, changes the complaint is the culprit.
    let culprit = params.iter().find(|(name, _)| {
        let mut without = params.clone();
        without.remove(*name);
        match serde_json::from_value::<T>(Value::Object(without)) {
            Ok(_) => true,
            Err(error) => error.to_string() != whole,
        }
    });
    let Some((name, value)) = culprit else {
        return Err(invalid("params", &whole));
    };
    let why = match form(name) {
        Some(form) if !whole.starts_with("unknown field `") || value.is_object() => {
            format!("it is {}, and must be {form}", understood(name, value))
        }
        _ => whole,
    };
    Err(invalid(name, &why))
}

/// Parameters that are numbers, wherever they stand.
const NUMBERS: [&str; 10] = [
    "index",
    "tab",
    "count",
    "timeout_ms",
    "amount",
    "seconds",
    "x",
    "y",
    "coordinate_x",
    "coordinate_y",
];

/// The parameters, numbers that came as texts as numbers, and 11.0 as 11: models write both.
fn with_numbers(params: &Map<String, Value>) -> Map<String, Value> {
    let mut params = params.clone();
    for (name, value) in &mut params {
        if matches!(name.as_str(), "from" | "to")
            && let Value::Object(point) = value
        {
            *point = with_numbers(point);
        }
        if NUMBERS.contains(&name.as_str())
            && let Some(number) = number(value)
        {
            *value = Value::Number(number);
        }
    }
    params
}

fn number(value: &Value) -> Option<Number> {
    /// Whole numbers up to here have one way to be written as a float.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = match value {
        Value::String(text) => {
            let text = text.trim();
            if let Ok(whole) = text.parse::<i64>() {
                return Some(whole.into());
            }
            text.parse().ok()?
        }
        Value::Number(number) if number.is_f64() => number.as_f64()?,
        _ => return None,
    };
    match float.fract() == 0.0 && float.abs() <= EXACT_MAX {
        true => Some(Number::from(float as i64)),
        false => Number::from_f64(float),
    }
}

/// What a parameter must be.
fn form(name: &str) -> Option<&'static str> {
    let form = match name {
        "index" => "a whole number as the context lists it, such as 11",
        "tab" => "a whole number as the context's tabs have it, such as 2",
        "count" => "a whole number, such as 2",
        "timeout_ms" => "a whole number of milliseconds, such as 5000",
        "x" | "y" | "coordinate_x" | "coordinate_y" => {
            "a number of CSS px from the viewport's corner, such as 120"
        }
        "amount" => "a number of CSS px, such as 500",
        "seconds" => "a number of seconds, such as 1.5",
        "url" | "text" | "value" | "label" => "a text",
        "values" | "labels" => "a list of texts",
        "clear" | "submit" | "accept" => "true or false",
        "direction" => "\"up\", \"down\", \"left\" or \"right\"",
        "button" => "\"left\", \"middle\" or \"right\"",
        "for" => {
            "an object with one of selector, text, url or idle, such as {\"text\": \"Done\"} or \
             {\"idle\": true}"
        }
        "keys" => "a chord such as \"Control+A\", or a list of them",
        "from" | "to" => "{\"index\": 11} or {\"x\": 100, \"y\": 200}",
        "files" => {
            "a list such as [{\"name\": \"a.txt\", \"mime_type\": \"text/plain\", \"data_base64\": \
             \"aGk=\"}]"
        }
        "path" => "a path or a list of paths",
        _ => return None,
    };
    Some(form)
}

/// What came, in words. What is to be typed may be a password, and a file is long: of these only
/// the type is told.
fn understood(name: &str, value: &Value) -> String {
    let is_told = !matches!(name, "text" | "value" | "values" | "keys" | "files");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) if is_told => value.to_string(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) if is_told => {
            let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            format!("the text \"{shown}\"")
        }
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list of something else".to_owned(),
        Value::Object(object) if object.is_empty() => "an empty object".to_owned(),
        Value::Object(object) => {
            let keys: Vec<_> = object.keys().take(8).map(String::as_str).collect();
            format!("an object with {}", keys.join(", "))
        }
    }
}

pub(super) fn missing(name: &str) -> ActionError {
    let form = form(name).map(|form| format!(", {form},"));
    ActionError::new(
        ActionErrorKind::MissingParameter,
        format!(
            "The parameter \"{name}\" is missing. Send it in params{} and try again.",
            form.unwrap_or_default()
        ),
    )
}

pub(super) fn invalid(name: &str, why: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!("The parameter \"{name}\" is not valid: {why}. Correct it and try again."),
    )
}
