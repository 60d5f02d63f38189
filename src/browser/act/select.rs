//! select: options of select elements; those of the listboxes that pages build are in [`super::listbox`].

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::sight;
use super::aim::in_words;
use super::listbox;
use super::observe::{self, Before};
use super::reach::{Reached, reach};
use super::sketch;
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, Choice, Select};
use crate::model::outcome::{Delivery, Effect, EffectKind, Retry};

/// Options named in a sentence.
const NAMED_MAX: usize = 12;

/// What `choose` answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Chose {
    Gone,
    /// It is no select element.
    Aria,
    Absent(Refusal),
    Disabled(Refusal),
    /// More than one option reads like this.
    Twice(Refusal),
    /// It takes one option.
    OneOnly(Refusal),
    Chosen {
        before: Vec<String>,
        picked: Vec<String>,
        changed: bool,
    },
}

/// Why nothing was chosen.
#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    what: String,
    options: Vec<Value>,
    more: u32,
}

/// What a select element holds.
#[derive(Debug, Deserialize)]
struct Chosen {
    values: Vec<String>,
    labels: Vec<String>,
}

pub(super) async fn select(stage: Stage<'_>, params: &Select) -> Result<Done, ActionError> {
    let aimed = reach(stage, params.index).await?;
    let known = &aimed.known;
    stage.show(Cue::MoveTo { at: aimed.at }).await;
    let before = observe::before(stage, Some(known)).await;
    let wanted = match &params.choice {
        Choice::Value(value) => json!({ "values": [value] }),
        Choice::Values(values) => json!({ "values": values }),
        Choice::Label(label) => json!({ "labels": [label] }),
        Choice::Labels(labels) => json!({ "labels": labels }),
    };
    let chose = known
        .frame
        .call::<Chose>("choose", json!([known.node, wanted]));
    match chose.await.map_err(browser_failed)? {
        Chose::Aria => listbox::choose(stage, &aimed, &params.choice, before).await,
        Chose::Gone => Err(sight::stale(stage.page, known, None).await),
        Chose::Chosen {
            before: held,
            picked,
            changed,
        } => {
            sketch::choice(stage, &known.frame, known.node);
            chosen(stage, &aimed, before, (&held, &picked), changed).await
        }
        refused => Err(refusal(&aimed, refused)),
    }
}

/// Sees that a select element holds what was chosen.
async fn chosen(
    stage: Stage<'_>,
    aimed: &Reached,
    before: Before,
    (held, picked): (&[String], &[String]),
    changed: bool,
) -> Result<Done, ActionError> {
    let known = &aimed.known;
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    let can_be_asked = observed.can_be_asked();
    let mut done = observed.done_to(Some(aimed.struck.clone()))?;
    if !can_be_asked {
        // The choice took the page elsewhere.
        return Ok(done.with("values", json!(picked)));
    }
    let now = known
        .frame
        .call::<Option<Chosen>>("chosen", json!([known.node]));
    let Some(now) = now.await.ok().flatten() else {
        // The page has made a list anew, of which nothing is known.
        return Ok(done.with("values", Value::Null));
    };
    let is_held =
        now.values.len() == picked.len() && picked.iter().all(|value| now.values.contains(value));
    if !is_held {
        let what = in_words(&aimed.struck.role, &aimed.struck.name);
        return Err(ActionError::new(
            ActionErrorKind::ValueNotAccepted,
            format!(
                "The choice was not accepted by {what}: it shows {} now. Choose another option.",
                quoted(&now.labels)
            ),
        )
        .context(json!({ "value": now.values, "labels": now.labels }))
        .outcome(done)
        .retry(Retry::Useless));
    }
    if done.effect.kind < EffectKind::Navigation && changed {
        done.effect = Effect {
            kind: EffectKind::Value,
            verified: Some(true),
            before: Some(json!(held)),
            after: Some(json!(now.labels)),
        };
    }
    let done = done.with("values", json!(now.values));
    Ok(done.with("value", json!(now.labels.join(", "))))
}

fn refusal(aimed: &Reached, refused: Chose) -> ActionError {
    let what = in_words(&aimed.struck.role, &aimed.struck.name);
    let (why, refusal) = match refused {
        Chose::Absent(refusal) => (format!("has no option \"{}\"", refusal.what), refusal),
        Chose::Disabled(refusal) => (
            format!("does not let the option \"{}\" be chosen now", refusal.what),
            refusal,
        ),
        Chose::Twice(refusal) => (
            format!(
                "has more than one option \"{}\", so choose by value, or write \"group / option\"",
                refusal.what
            ),
            refusal,
        ),
        Chose::OneOnly(refusal) => ("takes exactly one option".to_owned(), refusal),
        Chose::Gone | Chose::Aria | Chose::Chosen { .. } => return browser_defect(),
    };
    let label = |option: &Value| Some(option.get("label")?.as_str()?.to_owned());
    let is_open = |option: &&Value| option.get("disabled").is_none();
    let labels: Vec<String> = refusal
        .options
        .iter()
        .filter(is_open)
        .filter_map(label)
        .collect();
    let mut error = ActionError::new(
        ActionErrorKind::ValueNotAccepted,
        format!(
            "For {what} no choice was made: it {why}. It offers {}.",
            quoted(&labels)
        ),
    )
    .delivery(Delivery::NotSent)
    .retry(Retry::Useless)
    .context(json!({ "options": refusal.options, "more_options": refusal.more }));
    error.outcome.target = Some(aimed.struck.clone());
    error
}

fn browser_defect() -> ActionError {
    ActionError::new(
        ActionErrorKind::Internal,
        "The options could not be read. Get the page's context and try again.",
    )
}

/// "A", "B" and 3 more.
pub(super) fn quoted(labels: &[String]) -> String {
    if labels.is_empty() {
        return "nothing".to_owned();
    }
    let shown = labels.iter().take(NAMED_MAX);
    let shown: Vec<String> = shown.map(|label| format!("\"{label}\"")).collect();
    match labels.len().checked_sub(NAMED_MAX) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_up_to_a_bound() {
        let labels = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(quoted(&labels(0)), "nothing");
        assert_eq!(quoted(&labels(2)), "\"0\", \"1\"");
        assert!(quoted(&labels(NAMED_MAX)).ends_with("\"11\""));
        assert!(quoted(&labels(NAMED_MAX + 3)).ends_with("and 3 more"));
    }

    #[test]
    fn what_our_scripts_answer_is_understood() {
        let absent =
            json!({ "is": "absent", "what": "x", "options": [{ "label": "A" }], "more": 0 });
        assert!(matches!(
            serde_json::from_value(absent),
            Ok(Chose::Absent(_))
        ));
        let one = json!({ "is": "one_only", "options": [], "more": 0 });
        assert!(matches!(serde_json::from_value(one), Ok(Chose::OneOnly(_))));
    }
}
