//! What `wait` waits for.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Longest single wait, seconds.
pub const WAIT_SECONDS_MAX: f64 = 300.0;
/// Bound on a wait for something that names none, milliseconds.
pub const WAIT_FOR_MS_DEFAULT: u64 = 10_000;
/// Longest bound on a wait for something, milliseconds.
pub const WAIT_FOR_MS_MAX: u64 = 120_000;
/// Longest selector, text or pattern, characters.
const TERM_CHARS_MAX: usize = 1_000;

/// Parameters of `wait`.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// Let so many seconds pass.
    Seconds(f64),
    /// Until something is so.
    For {
        /// What.
        what: Awaited,
        /// Bound on it, milliseconds.
        timeout_ms: u64,
    },
}

/// What may be waited for; exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// An element that this CSS selector matches is shown.
    Selector(String),
    /// The page shows this text, in whatever case and spacing.
    Text(String),
    /// The page's URL is like this pattern, where `*` stands for anything.
    Url(String),
    /// Nothing loads and nothing changes; always `true`.
    Idle(bool),
}

/// The parameters as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitParams {
    seconds: Option<f64>,
    #[serde(rename = "for")]
    what: Option<Awaited>,
    timeout_ms: Option<u64>,
}

/// A parameter that is wrong, and why; absent where there is no why.
pub(super) type Wrong = (&'static str, Option<String>);

impl Wait {
    pub(super) fn checked(params: WaitParams) -> Result<Self, Wrong> {
        match params {
            WaitParams {
                seconds: None,
                what: None,
                ..
            } => Err(("seconds", None)),
            WaitParams {
                seconds: Some(_),
                what: Some(_),
                ..
            } => wrong("for", "give either seconds or for, not both"),
            WaitParams {
                seconds: Some(seconds),
                timeout_ms,
                ..
            } => {
                if timeout_ms.is_some() {
                    return wrong("timeout_ms", "it goes with for, not with seconds");
                }
                if !(seconds.is_finite() && (0.0..=WAIT_SECONDS_MAX).contains(&seconds)) {
                    return wrong(
                        "seconds",
                        &format!("it must be from 0 to {WAIT_SECONDS_MAX}"),
                    );
                }
                Ok(Self::Seconds(seconds))
            }
            WaitParams {
                what: Some(what),
                timeout_ms,
                ..
            } => {
                let timeout_ms = timeout_ms.unwrap_or(WAIT_FOR_MS_DEFAULT);
                if !(1..=WAIT_FOR_MS_MAX).contains(&timeout_ms) {
                    let why = format!("it must be from 1 to {WAIT_FOR_MS_MAX}");
                    return wrong("timeout_ms", &why);
                }
                what.check()?;
                Ok(Self::For { what, timeout_ms })
            }
        }
    }
}

fn wrong<T>(name: &'static str, why: &str) -> Result<T, Wrong> {
    Err((name, Some(why.to_owned())))
}

impl Awaited {
    fn check(&self) -> Result<(), Wrong> {
        let term = match self {
            Self::Idle(true) => return Ok(()),
            Self::Idle(false) => return wrong("for", "idle can only be true"),
            Self::Selector(term) | Self::Text(term) | Self::Url(term) => term,
        };
        if term.trim().is_empty() || term.chars().count() > TERM_CHARS_MAX {
            let why = format!("what to wait for has 1 to {TERM_CHARS_MAX} characters");
            return wrong("for", &why);
        }
        Ok(())
    }

    /// In words, for a sentence.
    pub fn describe(&self) -> String {
        match self {
            Self::Selector(selector) => format!("An element that matches \"{selector}\""),
            Self::Text(text) => format!("The text \"{text}\""),
            Self::Url(pattern) => format!("A URL like \"{pattern}\""),
            Self::Idle(_) => "A page at rest".to_owned(),
        }
    }

    /// As it was sent.
    pub fn to_json(&self) -> Value {
        let (name, value) = match self {
            Self::Selector(term) => ("selector", json!(term)),
            Self::Text(term) => ("text", json!(term)),
            Self::Url(term) => ("url", json!(term)),
            Self::Idle(idle) => ("idle", json!(idle)),
        };
        Value::Object(Map::from_iter([(name.to_owned(), value)]))
    }
}

/// Whether a whole text is like a pattern, where `*` stands for any run of characters.
pub fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, is) in [
            ("http://h/a", "http://h/a", true),
            ("http://h/a", "http://h/ab", false),
            ("*/done", "http://h/x/done", true),
            ("*/done", "http://h/done?x", false),
            ("*done*", "http://h/done?x", true),
            ("http://*/a*b", "http://h/a-a-b", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(is_like(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn one_thing_is_waited_for_and_within_bounds() {
        let parse = |value: Value| {
            let params = serde_json::from_value(value).map_err(|_| ("json", None))?;
            Wait::checked(params)
        };
        assert_eq!(parse(json!({"seconds": 2})), Ok(Wait::Seconds(2.0)));
        assert_eq!(
            parse(json!({"for": {"text": "Done"}})),
            Ok(Wait::For {
                what: Awaited::Text("Done".to_owned()),
                timeout_ms: WAIT_FOR_MS_DEFAULT
            })
        );
        assert!(parse(json!({"for": {"idle": true}, "timeout_ms": 120_000})).is_ok());
        for (params, name) in [
            (json!({}), "seconds"),
            (json!({"seconds": -1}), "seconds"),
            (json!({"seconds": 1, "for": {"idle": true}}), "for"),
            (json!({"seconds": 1, "timeout_ms": 5}), "timeout_ms"),
            (json!({"for": {"idle": false}}), "for"),
            (json!({"for": {"text": " "}}), "for"),
            (
                json!({"for": {"text": "a"}, "timeout_ms": 120_001}),
                "timeout_ms",
            ),
            (json!({"for": {"text": "a", "idle": true}}), "json"),
            (json!({"for": {"sound": "a"}}), "json"),
        ] {
            assert_eq!(parse(params.clone()).unwrap_err().0, name, "{params}");
        }
    }
}
