//! Selectors of the calls for programs: CSS, and two forms that say what a person sees: `text=Sign in` and
//! `role=button[name="Sign in"]`.

use serde_json::Value;

use crate::error::Error;

/// What a selector means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    /// The first element that is shown and matches.
    Css(String),
    /// The first element of the list whose name holds this text, or is it.
    Text(Pattern),
    /// The first element of the list with that role and, where one is given, that name.
    Role {
        /// The role, as the list tells it.
        role: String,
        /// Its name.
        name: Option<Pattern>,
    },
}

/// A text to compare with: in quotes as a whole and in its own case, else a part of it in whatever case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    is_whole: bool,
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
        Self {
            text: squeezed(quoted.unwrap_or(text)),
            is_whole: quoted.is_some(),
        }
    }

    fn fits(&self, name: &str) -> bool {
        let name = squeezed(name);
        match self.is_whole {
            true => name == self.text,
            false => name.to_lowercase().contains(&self.text.to_lowercase()),
        }
    }
}

/// Without what only lays a text out.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Selector {
    /// Reads a selector. Whatever has neither form is CSS.
    pub(super) fn parse(selector: &str) -> Result<Self, Error> {
        if let Some(text) = selector.strip_prefix("text=") {
            let pattern = Pattern::parse(text);
            return match pattern.text.is_empty() {
                true => Err(wrong("text= has no text")),
                false => Ok(Self::Text(pattern)),
            };
        }
        let Some(rest) = selector.strip_prefix("role=") else {
            return Ok(Self::Css(selector.to_owned()));
        };
        let (role, name) = match rest.split_once('[') {
            None => (rest, None),
            Some((role, attributes)) => {
                let name = attributes.trim().strip_suffix(']');
                let name = name.and_then(|name| name.trim().strip_prefix("name"));
                let name = name.and_then(|name| name.trim_start().strip_prefix('='));
                let name = name.ok_or_else(|| wrong("role= takes no attribute but name"))?;
                (role, Some(Pattern::parse(name)))
            }
        };
        let role = role.trim();
        match role.is_empty() || !role.chars().all(|letter| letter.is_ascii_alphabetic()) {
            true => Err(wrong("role= has no role")),
            false => Ok(Self::Role {
                role: role.to_ascii_lowercase(),
                name,
            }),
        }
    }

    /// The role and the name that it asks for, if it asks for both.
    pub(super) fn role_and_name(&self) -> Option<(&str, &str)> {
        match self {
            Self::Role {
                role,
                name: Some(name),
            } => Some((role, &name.text)),
            Self::Css(_) | Self::Text(_) | Self::Role { name: None, .. } => None,
        }
    }

    /// Whether an element of the list is meant.
    pub(super) fn fits(&self, element: &Value) -> bool {
        let field = |name: &str| {
            element
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match self {
            Self::Css(_) => false,
            Self::Text(text) => text.fits(field("name")),
            Self::Role { role, name } => {
                let is_named = |name: &Pattern| name.fits(field("name"));
                field("role") == role && name.as_ref().is_none_or(is_named)
            }
        }
    }
}

fn wrong(what: &str) -> Error {
    Error::invalid_input(format!("the selector is not valid: {what}"))
        .hint("Use CSS, text=Sign in, or role=button[name=\"Sign in\"].")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_person_sees_is_found() {
        let button = json!({"role": "button", "name": "Sign  in now"});
        let fits = |selector: &str| Selector::parse(selector).unwrap().fits(&button);
        for yes in [
            "text=sign in",
            "text=\"Sign in now\"",
            "role=button",
            "role=button[name=\"Sign in now\"]",
            "role=button[ name = sign IN ]",
            "role=button[name='Sign in now']",
        ] {
            assert!(fits(yes), "{yes}");
        }
        for no in [
            "text=\"Sign in\"",
            "role=link[name=sign]",
            "role=button[name=\"sign in now\"]",
            "button",
        ] {
            assert!(!fits(no), "{no}");
        }
        for wrong in [
            "text=",
            "text=\"\"",
            "role=",
            "role=button[level=2]",
            "role=a b",
        ] {
            assert!(Selector::parse(wrong).is_err(), "{wrong}");
        }
    }
}
