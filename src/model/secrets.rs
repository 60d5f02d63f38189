//! [`Secrets`]: values that are typed by their labels and told to nobody.
//!
//! `{{label}}` in a text to type stands for the value; on the way out every value that the
//! session knows becomes its placeholder again, wherever it turns up. A secret may name the origins
//! that it is typed into, and is refused everywhere else.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::command::{ActionError, ActionErrorKind};
use super::masks::Masks;
use super::origins::Origins;
use super::secret::Secret;
use crate::error::Error;

/// Secrets of one session.
pub const COUNT_MAX: usize = 64;
/// Secrets that a session knows, with the service's own and those that it was sent later.
const ALL_MAX: usize = 2 * COUNT_MAX;
/// Ways to write the values of one label that are masked, those of replaced values too: the newest.
const FORMS_MAX: usize = 64;
/// Longest label, characters.
pub const LABEL_CHARS_MAX: usize = 64;
/// Longest value, characters.
pub const VALUE_CHARS_MAX: usize = 4_096;
/// A field's name is masked from this length, characters.
const NAME_CHARS_MIN: usize = 8;

/// What stands for `{{` itself.
const ESCAPE: &str = "{{{{";

/// A value, and where it may be typed. Written as a text, for any page, or as an object with `value` and
/// `origins`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// What is typed.
    pub value: Secret,
    /// The pages that it may be typed into.
    pub origins: Origins,
}

impl From<Secret> for Entry {
    fn from(value: Secret) -> Self {
        Self {
            value,
            origins: Origins::default(),
        }
    }
}

impl Entry {
    /// A value with its origins.
    pub fn new(value: Secret, origins: &[String]) -> Result<Self, Error> {
        let origins = Origins::parse(origins)?;
        Ok(Self { value, origins })
    }

    /// Reads what a variable holds: the value itself, or the object as JSON where it has `origins`.
    pub fn of_variable(text: String) -> Result<Self, Error> {
        if !text.trim_start().starts_with('{') || !text.contains("\"origins\"") {
            return Ok(Secret::from(text).into());
        }
        // The source is left out: it would repeat what was given.
        serde_json::from_str(&text).map_err(|_| {
            Error::invalid_input("it has origins, and is not the JSON of a secret").hint(
                "Write it as {\"value\": \"…\", \"origins\": [\"https://shop.example.com\"]}.",
            )
        })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Errors of the format itself would repeat what was given.
        let wrong = || {
            D::Error::custom(
                "a secret is a text, or an object with a text value and a list origins",
            )
        };
        let mut fields = match Value::deserialize(deserializer).map_err(|_| wrong())? {
            Value::String(value) => return Ok(Secret::from(value).into()),
            Value::Object(fields) => fields,
            _ => return Err(wrong()),
        };
        let Some(Value::String(value)) = fields.remove("value") else {
            return Err(wrong());
        };
        let value = Secret::from(value);
        let entry = match fields.remove("origins") {
            None => Self::from(value),
            Some(origins) => {
                let origins: Vec<String> = serde_json::from_value(origins).map_err(|_| wrong())?;
                Self::new(value, &origins).map_err(D::Error::custom)?
            }
        };
        fields.is_empty().then_some(entry).ok_or_else(wrong)
    }
}

/// The secrets that a session knows. Cheap to clone; what one learns all know.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    known: Arc<RwLock<Arc<Known>>>,
}

#[derive(Clone, Default)]
struct Known {
    entries: BTreeMap<String, Entry>,
    /// Labels that had a value once, which is nowhere on the disk.
    lost: BTreeSet<String>,
    /// Each way that a value is written, and what is told in its place: of values that were replaced too.
    forms: Vec<(String, String)>,
    masks: Arc<Masks>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

/// Checks the secrets that came with a session.
pub fn check(secrets: &BTreeMap<String, Entry>) -> Result<(), Error> {
    if secrets.len() > COUNT_MAX {
        return Err(Error::invalid_input("secrets has too many labels")
            .hint(format!("Use at most {COUNT_MAX}.")));
    }
    for (label, Entry { value, .. }) in secrets {
        if !is_label(label) {
            return Err(
                Error::invalid_input("secrets has a label that is not valid").hint(format!(
                    "Use 1 to {LABEL_CHARS_MAX} letters, digits, '_', '-' or '.' in each label."
                )),
            );
        }
        if value.is_empty() || value.reveal().chars().count() > VALUE_CHARS_MAX {
            return Err(Error::invalid_input(format!(
                "the secret \"{label}\" is empty or too long"
            ))
            .hint(format!("Use 1 to {VALUE_CHARS_MAX} characters.")));
        }
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=LABEL_CHARS_MAX).contains(&label.len()) && label.chars().all(is_part)
}

/// Labels are the same in whatever case, as variables' names have only one.
fn key(label: &str) -> String {
    label.to_ascii_lowercase().replace(['-', '.'], "_")
}

impl Secrets {
    /// The service's own secrets and a session's, which win.
    pub fn new(common: &BTreeMap<String, Entry>, own: &BTreeMap<String, Entry>) -> Self {
        let secrets = Self::default();
        secrets.learn(common.iter().chain(own));
        secrets
    }

    /// Takes further secrets; one of a label that there is replaces its value, which stays masked.
    pub fn learn<'a>(&self, more: impl IntoIterator<Item = (&'a String, &'a Entry)>) {
        self.change(|known| {
            for (label, entry) in more {
                let shown = format!("{{{{{label}}}}}");
                for form in written(entry.value.reveal()).map(|form| (form, shown.clone())) {
                    if !known.forms.contains(&form) {
                        known.forms.push(form);
                    }
                }
                let of_label = |form: &(String, String)| form.1 == shown;
                let count = known.forms.iter().filter(|form| of_label(form)).count();
                let mut too_many = count.saturating_sub(FORMS_MAX);
                // The oldest ones go.
                known.forms.retain(|form| {
                    let goes = too_many > 0 && of_label(form);
                    too_many -= usize::from(goes);
                    !goes
                });
                known.lost.remove(&key(label));
                known.entries.insert(key(label), entry.clone());
            }
        });
    }

    /// Whether further ones of these labels find room.
    pub fn must_have_room<'a>(
        &self,
        labels: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), Error> {
        let known = self.known();
        let new = labels
            .into_iter()
            .filter(|label| !known.entries.contains_key(&key(label)));
        match known.entries.len() + new.count() > ALL_MAX {
            false => Ok(()),
            true => Err(Error::exhausted("the session knows too many secrets")
                .hint(format!("Use the labels that there are, at most {ALL_MAX}."))),
        }
    }

    /// Notes labels that had a value once: whoever types one hears that it has to be sent again.
    pub fn lose<'a>(&self, labels: impl IntoIterator<Item = &'a String>) {
        self.change(|known| {
            let lost = labels.into_iter().map(|label| key(label));
            known.lost = lost
                .filter(|label| !known.entries.contains_key(label))
                .collect();
        });
    }

    /// One change at a time: none is lost to another.
    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut held = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = Known::clone(&held);
        change(&mut known);
        if known.forms != held.forms {
            known.masks = Arc::new(Masks::new(known.forms.iter().cloned()));
        }
        *held = Arc::new(known);
    }

    fn known(&self) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }

    /// The text with every placeholder replaced by its value, to be typed into a page of the URL or
    /// origin `page`; `None` for a page that has none.
    pub fn resolve(&self, text: &str, page: Option<&str>) -> Result<String, ActionError> {
        let known = self.known();
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix(ESCAPE) {
                out.push_str("{{");
                rest = after;
                continue;
            }
            let end = rest.find("}}");
            let label = end.map(|end| rest[2..end].trim());
            match (label.filter(|label| is_label(label)), end) {
                (Some(label), Some(end)) => {
                    let entry = known.entries.get(&key(label));
                    let entry = entry.ok_or_else(|| match known.lost.contains(&key(label)) {
                        true => lost(label),
                        false => unknown(label),
                    })?;
                    if !entry.origins.permit(page) {
                        return Err(out_of_place(label, &entry.origins, page));
                    }
                    out.push_str(entry.value.reveal());
                    rest = &rest[end + 2..];
                }
                // Braces around anything else are text.
                _ => {
                    out.push_str("{{");
                    rest = &rest[2..];
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The text with every value replaced by its placeholder.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.known().masks.mask(text)
    }

    /// Masks a text in place.
    pub fn mask_text(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }

    /// Masks every text in a value. Numbers are our own, such as indices: what a page says comes as a
    /// text.
    pub fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.mask_value(value)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|value| self.mask_value(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => (),
        }
    }

    /// Masks every text in an object that a caller has made, the names of its fields among them.
    pub fn mask_fields(&self, fields: &mut Map<String, Value>) {
        let sent = std::mem::take(fields);
        fields.extend(sent.into_iter().map(|(name, mut value)| {
            match &mut value {
                Value::Object(inner) => self.mask_fields(inner),
                Value::Array(values) => values.iter_mut().for_each(|value| match value {
                    Value::Object(inner) => self.mask_fields(inner),
                    other => self.mask_value(other),
                }),
                other => self.mask_value(other),
            }
            // The names of parameters are words that a short secret may be, too.
            let name = match name.chars().count() >= NAME_CHARS_MIN {
                true => self.mask(&name).into_owned(),
                false => name,
            };
            (name, value)
        }));
    }
}

/// The ways that a value is written: as it is, on one line, in a URL, and in markup and JSON.
fn written(value: &str) -> impl Iterator<Item = String> {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let component = form.replace('+', "%20");
    let mut path = url::Url::parse("http://h/").ok();
    if let Some(path) = &mut path {
        path.set_query(Some(value));
    }
    let query = path.and_then(|url| url.query().map(str::to_owned));
    // What JavaScript leaves as it is.
    let script = [
        ("%21", "!"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%7E", "~"),
    ];
    let script = script
        .into_iter()
        .fold(component.clone(), |form, (code, sign)| {
            form.replace(code, sign)
        });
    let markup = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
    ];
    let markup = markup
        .into_iter()
        .fold(value.to_owned(), |form, (sign, code)| {
            form.replace(sign, code)
        });
    let json = Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    [
        Some(value.to_owned()),
        Some(line),
        Some(form),
        Some(component),
        Some(script),
        query,
        Some(markup),
        Some(json),
    ]
    .into_iter()
    .flatten()
    .filter(|form| !form.is_empty())
}

fn out_of_place(label: &str, origins: &Origins, page: Option<&str>) -> ActionError {
    let origin = page
        .and_then(|page| url::Url::parse(page).ok())
        .map(|url| url.origin())
        .filter(url::Origin::is_tuple);
    let page = match origin {
        Some(origin) => format!("this page is of {}", origin.ascii_serialization()),
        None => "this page has no origin".to_owned(),
    };
    ActionError::new(
        ActionErrorKind::Blocked,
        format!(
            "The secret \"{label}\" may be typed into pages of {origins} only, and {page}. Nothing was \
             typed. Go to such a page first."
        ),
    )
}

fn lost(label: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::UnknownSecret,
        format!(
            "The secret \"{label}\" has no value any more: values are in no file, and the service was \
             started again since it was sent. Nothing was typed. Send it again: POST /sessions with this \
             session_name and secrets."
        ),
    )
}

fn unknown(label: &str) -> ActionError {
    ActionError::new(
        ActionErrorKind::UnknownSecret,
        format!(
            "The parameter \"text\" is not valid: there is no secret \"{label}\". Start the session \
             with it in secrets, set GHOSTCAST_SECRET_{}, or write {{{{{{{{ for two braces.",
            key(label).to_ascii_uppercase()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        let own = pairs.iter().map(|(label, value)| {
            let value = Secret::from((*value).to_owned());
            ((*label).to_owned(), value.into())
        });
        Secrets::new(&BTreeMap::new(), &own.collect())
    }

    #[test]
    fn placeholders_become_values_and_all_else_is_text() {
        let secrets = secrets(&[("shop-password", "pa{{ss"), ("b", "two")]);
        for (text, typed) in [
            ("{{shop-password}}", "pa{{ss"),
            ("a {{ SHOP_PASSWORD }}/{{b}}.", "a pa{{ss/two."),
            ("{{{{b}}", "{{b}}"),
            ("{{not a label}} {{", "{{not a label}} {{"),
            ("plain", "plain"),
        ] {
            assert_eq!(secrets.resolve(text, None).unwrap(), typed, "{text}");
        }
        let error = secrets.resolve("{{nobody.knows}}", None).unwrap_err();
        assert_eq!(error.kind, ActionErrorKind::UnknownSecret);
        for word in ["nobody.knows", "GHOSTCAST_SECRET_NOBODY_KNOWS", "{{{{"] {
            assert!(error.message.contains(word), "{error} says {word}");
        }
    }

    #[test]
    fn values_become_placeholders_however_they_are_written() {
        let secrets = secrets(&[("pw", "hunter 22&é-long"), ("pin", "42")]);
        for (text, told) in [
            ("hunter 22&é-long", "{{pw}}"),
            ("it is hunter 22&é-long!", "it is {{pw}}!"),
            (
                "http://h/?p=hunter+22%26%C3%A9-long&x=1",
                "http://h/?p={{pw}}&x=1",
            ),
            ("http://h/hunter%2022%26%C3%A9-long", "http://h/{{pw}}"),
            ("http://h/hunter%2022%26%c3%a9-long", "http://h/{{pw}}"),
            ("<b>hunter 22&amp;é-long</b>", "<b>{{pw}}</b>"),
            ("HUNTER 22&É LONG", "{{pw}}"),
            ("cut off: hunter 22", "cut off: {{pw}}"),
            ("a hunter 2 b", "a hunter 2 b"),
            ("42", "{{pin}}"),
            ("1420", "1420"),
        ] {
            assert_eq!(secrets.mask(text), told, "{text}");
        }
        let mut value = serde_json::json!({"a": ["hunter 22&é-long"], "n": 42});
        secrets.mask_value(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["{{pw}}"], "n": 42}));
        let mut sent =
            serde_json::json!({"Hunter 22&é long": [{"hunter 22&é-long": 1}], "text": "x"});
        secrets.mask_fields(sent.as_object_mut().unwrap());
        let told = serde_json::json!({"{{pw}}": [{"{{pw}}": 1}], "text": "x"});
        assert_eq!(sent, told);
        assert!(!format!("{secrets:?}").contains("hunter"));
    }

    #[test]
    fn a_value_that_is_replaced_stays_masked_and_one_that_is_lost_is_asked_for() {
        let known = secrets(&[("pin", "4711-0815")]);
        known.lose(&["Pin".to_owned(), "word".to_owned()]);
        assert_eq!(known.resolve("{{pin}}", None).unwrap(), "4711-0815");
        let error = known.resolve("{{word}}", None).unwrap_err();
        assert_eq!(error.kind, ActionErrorKind::UnknownSecret);
        assert!(error.message.contains("POST /sessions"), "{error}");
        let other = known.clone();
        let more =
            |label: &str, value: &str| (label.to_owned(), Secret::from(value.to_owned()).into());
        other.learn(&BTreeMap::from([
            more("word", "sesame-1"),
            more("pin", "9999-1234"),
        ]));
        assert_eq!(
            known.resolve("{{word}} {{pin}}", None).unwrap(),
            "sesame-1 9999-1234"
        );
        assert_eq!(
            known.mask("4711-0815 9999-1234 sesame-1"),
            "{{pin}} {{pin}} {{word}}"
        );
    }

    #[test]
    fn a_secret_stays_with_its_origins() {
        let entry = Entry::of_variable(
            r#"{"value": "hunter22", "origins": ["https://shop.test"]}"#.to_owned(),
        );
        let common = BTreeMap::from([("shop_pw".to_owned(), entry.unwrap())]);
        let secrets = Secrets::new(&common, &BTreeMap::new());
        let typed = secrets.resolve("a{{shop-pw}}", Some("https://shop.test/login"));
        assert_eq!(typed.unwrap(), "ahunter22");
        for (page, word) in [
            (
                Some("https://evil.test/https://shop.test"),
                "https://evil.test",
            ),
            (Some("data:text/html,x"), "no origin"),
            (None, "no origin"),
        ] {
            let error = secrets.resolve("a{{shop-pw}}", page).unwrap_err();
            assert_eq!(error.kind, ActionErrorKind::Blocked);
            for word in [word, "\"shop-pw\"", "https://shop.test"] {
                assert!(error.message.contains(word), "{error} says {word}");
            }
            assert!(!error.message.contains("hunter22"));
        }
        assert_eq!(secrets.resolve("plain", None).unwrap(), "plain");
        assert_eq!(secrets.mask("hunter22"), "{{shop_pw}}");
    }

    #[test]
    fn entries_are_texts_or_objects_and_errors_repeat_no_value() {
        let read = |json: &str| serde_json::from_str::<Entry>(json);
        let plain = read("\"v7391\"").unwrap();
        assert_eq!(plain, read(r#"{"value": "v7391"}"#).unwrap());
        assert!(plain.origins.permit(None));
        assert_eq!(Entry::of_variable("v7391".to_owned()).unwrap(), plain);
        let json = r#"{"user": "v7391"}"#;
        let odd = Entry::of_variable(json.to_owned()).unwrap();
        assert_eq!(odd.value.reveal(), json, "a value may be JSON itself");
        for json in [
            "7391",
            r#"{"value": 7391}"#,
            r#"{"value": "v7391", "origins": []}"#,
            r#"{"value": "v7391", "origins": "https://a.test"}"#,
            r#"{"value": "v7391", "origins": ["a b"]}"#,
            r#"{"value": "v7391", "origins": ["https://a.test"], "more": 1}"#,
            r#"["v7391"]"#,
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(!error.contains("7391"), "{error}");
        }
        let broken = r#"{"value": "v7391" "origins": ["https://a.test"]}"#.to_owned();
        let error = Entry::of_variable(broken).unwrap_err();
        assert!(!format!("{error:?}").contains("7391") && error.hint.is_some());
    }

    #[test]
    fn labels_and_values_have_bounds() {
        let with = |label: &str, value: &str| {
            let secrets = [(label.to_owned(), Secret::from(value.to_owned()).into())];
            check(&BTreeMap::from(secrets))
        };
        assert!(with("a.b-C_1", "x").is_ok());
        for (label, value) in [("", "x"), ("a b", "x"), ("a", ""), ("ä", "x")] {
            let error = with(label, value).unwrap_err();
            assert!(error.hint.is_some(), "{label}");
        }
        assert!(with("a", &"x".repeat(VALUE_CHARS_MAX + 1)).is_err());
    }
}
