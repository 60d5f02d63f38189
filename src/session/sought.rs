//! To find an element that no selector finds any more: by what it was called, or by whoever can see.

use serde_json::Value;

use super::handle::SessionHandle;
use super::interact::whole_list;
use super::selector::Selector;
use crate::error::Error;
use crate::media::marks;

/// Words that a name may have more than before.
const MORE_WORDS_MAX: usize = 2;
/// With one of these more, a name says something else.
const OTHERWISE: [&str; 12] = [
    "cancel", "delete", "don't", "later", "never", "no", "not", "off", "remove", "stop", "undo",
    "without",
];

/// An element of the list that was pointed out, and what was said.
#[derive(Debug)]
pub struct PointedOut {
    /// As the list has it.
    pub element: Value,
    /// What the model said.
    pub answer: String,
    /// What it calls itself.
    pub model: String,
}

/// The element of the list whose role is what a selector of the form `role=…[name=…]` says, and whose name is
/// another form of that one, where there is one such element.
pub async fn likely(handle: &SessionHandle, selectors: &[String]) -> Result<Option<Value>, Error> {
    let meant: Vec<Selector> = selectors
        .iter()
        .filter_map(|selector| Selector::parse(selector).ok())
        .filter(|selector| selector.role_and_name().is_some())
        .collect();
    if meant.is_empty() {
        return Ok(None);
    }
    let context = handle.context(whole_list()).await?;
    let elements = context.elements.map_or_else(Vec::new, |list| list.elements);
    Ok(nearest(&meant, elements))
}

fn nearest(meant: &[Selector], elements: Vec<Value>) -> Option<Value> {
    let distance = |element: &Value| {
        let distances = meant.iter().filter_map(|selector| {
            let (role, name) = selector.role_and_name()?;
            let field = |name: &str| element.get(name).and_then(Value::as_str);
            (field("role")? == role).then(|| more_words(name, field("name")?))?
        });
        distances.min()
    };
    let mut found: Vec<(usize, Value)> = elements
        .into_iter()
        .filter_map(|element| Some((distance(&element)?, element)))
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    let second = found.get(1).map(|(distance, _)| *distance);
    let (first, element) = found.into_iter().next()?;
    (second != Some(first)).then_some(element)
}

/// How many words a name has more than the one that is sought, where it is another form of that: all of its words
/// are there in their order, perhaps in the plural, and what has come says nothing else. One word alone is not
/// enough to have others beside it.
fn more_words(sought: &str, found: &str) -> Option<usize> {
    let (sought, found) = (words(sought), words(found));
    let mut more = Vec::new();
    let mut rest = sought.iter().peekable();
    for word in &found {
        match rest.peek() {
            Some(next) if is_form(next, word) => drop(rest.next()),
            _ => more.push(word.as_str()),
        }
    }
    let is_whole = rest.next().is_none() && !sought.is_empty();
    let more_max = if sought.len() > 1 { MORE_WORDS_MAX } else { 0 };
    let says_else =
        |word: &&str| OTHERWISE.contains(word) || word.chars().any(|c| c.is_ascii_digit());
    let is_one = is_whole && more.len() <= more_max && !more.iter().any(says_else);
    is_one.then_some(more.len())
}

fn words(name: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '\'';
    let words = name.split(|c: char| !is_part(c));
    words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether two words are the same, perhaps one of them in the plural.
fn is_form(one: &str, other: &str) -> bool {
    let is_plural = |one: &str, other: &str| {
        let end = other.strip_prefix(one);
        one.chars().all(char::is_alphabetic) && matches!(end, Some("s" | "es"))
    };
    one == other || is_plural(one, other) || is_plural(other, one)
}

impl SessionHandle {
    /// Whether there is a model that can be asked what it sees.
    pub fn can_be_seen(&self) -> bool {
        self.vision.check("?").is_ok()
    }

    /// Asks the configured model which of the numbered boxes is meant; nothing where it says that none is, or a
    /// number that none has.
    pub async fn point_out(&self, about: &str) -> Result<Option<PointedOut>, Error> {
        let question = format!(
            "Which numbered box is this: {about}? Answer with its number and nothing else; with 0 if none is, or \
             if you are not sure."
        );
        self.vision.check(&question)?;
        let (bytes, list) = self.marked_screenshot(marks::Output::Png, false).await?;
        let analysis = self.asked(&question, bytes, true).await?;
        let number = number(&analysis.answer);
        let is_it = |element: &Value| element.get("index").and_then(Value::as_u64) == number;
        let element = list.elements.into_iter().find(is_it);
        Ok(element.map(|element| PointedOut {
            element,
            answer: analysis.answer,
            model: analysis.model,
        }))
    }
}

/// The one number of an answer; of several nobody knows which is meant.
fn number(answer: &str) -> Option<u64> {
    let mut numbers = answer
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty());
    let number = numbers.next()?.parse().ok()?;
    let is_one = numbers.next().is_none() && number > 0;
    is_one.then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(selector: &str, names: &[(&str, &str)]) -> Option<String> {
        let elements = names
            .iter()
            .map(|(role, name)| json!({"role": role, "name": name}))
            .collect();
        let meant = [Selector::parse(selector).unwrap()];
        let name = nearest(&meant, elements)?["name"].as_str()?.to_owned();
        Some(name)
    }

    #[test]
    fn only_another_form_of_the_name_is_meant() {
        let post = "role=button[name=\"Post comment\"]";
        let others = [
            ("button", "Delete comment"),
            ("button", "Post reply"),
            ("link", "Post comment"),
            ("button", "Cancel"),
        ];
        assert_eq!(found(post, &others), None);
        for now in [
            "Post your comment",
            "Post a comment",
            "post comment…",
            "Post Comments",
        ] {
            let mut all = others.to_vec();
            all.push(("button", now));
            assert_eq!(found(post, &all).as_deref(), Some(now));
        }
        // Of two that are as much alike, neither.
        let both = [("button", "Post a comment"), ("button", "Post a comment")];
        assert_eq!(found(post, &both), None);
        assert_eq!(found("#post", &[("button", "#post")]), None);
    }

    #[test]
    fn what_says_something_else_is_not_meant() {
        for (sought, there) in [
            ("subscribe", "Unsubscribe"),
            ("approve", "Disapprove"),
            ("publish", "Publish later"),
            ("publish", "Publish and pay"),
            ("buy tea 2", "Buy tea 3"),
            ("buy tea", "Buy tea 12"),
            ("send to ada", "Send to ana"),
            ("post comment", "Do not post comment"),
            ("post comment", "Comment post"),
            ("post comment", "Post a comment to all of your friends"),
        ] {
            let selector = format!("role=button[name=\"{sought}\"]");
            assert_eq!(found(&selector, &[("button", there)]), None, "{sought}");
        }
    }

    #[test]
    fn an_answer_has_one_number() {
        assert_eq!(number("7"), Some(7));
        assert_eq!(number(" Box 12."), Some(12));
        for none in ["", "0", "none", "3 or 4", "99999999999999999999999"] {
            assert_eq!(number(none), None, "{none}");
        }
    }
}
