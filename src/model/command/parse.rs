//! From JSON to parameters; a refusal names the parameter that is wrong.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ACTION_TYPES, ActionError, ActionErrorKind};
use crate::model::likeness::meant;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParams {}

pub(super) fn unknown_action(name: &str) -> ActionError {
    let meant = meant(name, &ACTION_TYPES).map(|meant| format!("Did you mean \"{meant}\"? "));
    let shown: String = name.chars().take(64).collect();
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
    let whole = match serde_json::from_value(Value::Object(params.clone())) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    // serde does not say which field is mistyped: leave one out at a time, and the one whose
    // absence, or null in its place, changes the complaint is the culprit.
    let culprit = params.keys().find(|name| {
        let mut without = params.clone();
        without.remove(*name);
        match serde_json::from_value::<T>(Value::Object(without)) {
            Ok(_) => true,
            Err(error) => error.to_string() != whole.to_string(),
        }
    });
    let name = culprit.map_or("params", String::as_str);
    // serde repeats the value, and what is to be typed may be a password.
    let why = match name {
        "text" => "it must be a text".to_owned(),
        _ => whole.to_string(),
    };
    Err(invalid(name, &why))
}

pub(super) fn missing(name: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::MissingParameter,
        format!("The parameter \"{name}\" is missing. Send it in params and try again."),
    )
}

pub(super) fn invalid(name: &str, why: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!("The parameter \"{name}\" is not valid: {why}. Correct it and try again."),
    )
}
