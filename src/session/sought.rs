//! To find an element that no selector finds any more: by what it was called, or by whoever can see (REQUIREMENTS
//! C83, C97).

use serde_json::Value;

use super::handle::SessionHandle;
use super::interact::whole_list;
use super::selector::Selector;
use crate::error::Error;
use crate::media::marks;
use crate::model::likeness::likeness;

/// From this likeness on, one name may be another form of the other.
const ALIKE: f64 = 0.88;
/// What comes next is less like it by this at least.
const MARGIN: f64 = 0.04;

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

/// The element of the list that comes nearest to what selectors of the form `role=…[name=…]` say of one: of the
/// same role, with a name that is much alike, where no other one is nearly as much.
pub async fn likely(handle: &SessionHandle, selectors: &[String]) -> Result<Option<Value>, Error> {
    let context = handle.context(whole_list()).await?;
    let elements = context.elements.map_or_else(Vec::new, |list| list.elements);
    let meant: Vec<Selector> = selectors
        .iter()
        .filter_map(|selector| Selector::parse(selector).ok())
        .collect();
    Ok(nearest(&meant, elements))
}

fn nearest(meant: &[Selector], elements: Vec<Value>) -> Option<Value> {
    let score = |element: &Value| {
        let scores = meant.iter().filter_map(|selector| {
            let (role, name) = selector.role_and_name()?;
            let field = |name: &str| element.get(name).and_then(Value::as_str);
            let is_one = field("role") == Some(role);
            is_one.then(|| likeness(&name.to_lowercase(), &field("name")?.to_lowercase()).into())?
        });
        scores.fold(0.0, f64::max)
    };
    let mut scored: Vec<(f64, Value)> = elements
        .into_iter()
        .map(|element| (score(&element), element))
        .filter(|(score, _)| *score >= ALIKE - MARGIN)
        .collect();
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let second = scored.get(1).map_or(0.0, |(score, _)| *score);
    let (best, element) = scored.into_iter().next()?;
    (best >= ALIKE && best - second >= MARGIN).then_some(element)
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
    numbers.next().is_none().then_some(number)
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
    fn only_what_is_much_alike_is_meant() {
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
    fn an_answer_has_one_number() {
        assert_eq!(number("7"), Some(7));
        assert_eq!(number(" Box 12."), Some(12));
        for none in ["", "none", "3 or 4", "99999999999999999999999"] {
            assert_eq!(number(none), None, "{none}");
        }
    }
}
