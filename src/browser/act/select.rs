//! select: options of select elements, and of the listboxes that pages build.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::hand::keys;
use super::super::sight;
use super::super::target::Frame;
use super::aim::{self, in_words};
use super::click;
use super::deliver::deliver;
use super::observe::{self, Before};
use super::reach::{Reached, reach};
use super::sketch;
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, Choice, Select};
use crate::model::outcome::{Delivery, Effect, EffectKind, Retry};

/// How long a listbox may take to open, and to show what was asked of it.
const OPENS_WITHIN: Duration = Duration::from_millis(1500);
/// How long an option may take to be found by scrolling its listbox.
const SCROLLS_WITHIN: Duration = Duration::from_secs(4);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);
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

/// What `seekOption` answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Sought {
    Gone,
    Closed {
        /// Whether text can be typed to look for options.
        typeable: bool,
    },
    Absent {
        options: Vec<String>,
        typeable: bool,
    },
    Twice {
        options: Vec<String>,
    },
    Found {
        option: Choosable,
    },
}

/// An option of a page's own listbox.
#[derive(Debug, Clone, Deserialize)]
struct Choosable {
    node: u64,
    label: String,
    disabled: bool,
    selected: bool,
}

/// What shows that an option was taken.
#[derive(Debug, Deserialize)]
struct Took {
    held: String,
    shows: bool,
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
        Chose::Aria => in_listbox(stage, &aimed, &params.choice, before).await,
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
    let mut done = observed.outcome;
    done.target = Some(aimed.struck.clone());
    if let Some(error) = observed.error {
        return Err(error.outcome(done));
    }
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
fn quoted(labels: &[String]) -> String {
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

/// Chooses in a listbox of the page's own, by opening it and clicking.
async fn in_listbox(
    stage: Stage<'_>,
    aimed: &Reached,
    choice: &Choice,
    before: Before,
) -> Result<Done, ActionError> {
    let wanted: Vec<&str> = match choice {
        Choice::Value(one) | Choice::Label(one) => vec![one],
        Choice::Values(many) | Choice::Labels(many) => many.iter().map(String::as_str).collect(),
    };
    let mut taken = Vec::new();
    let mut last = None;
    for want in &wanted {
        let option = find(stage, aimed, want).await?;
        if option.disabled {
            return Err(not_open(aimed, &option.label));
        }
        if !option.selected || aimed.struck.role == "combobox" {
            take(stage, aimed, &option).await?;
        }
        taken.push(option.label.clone());
        last = Some(option);
    }
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    let is_elsewhere = observed.is_elsewhere();
    let mut done = observed.outcome;
    done.target = Some(aimed.struck.clone());
    if let Some(error) = observed.error {
        return Err(error.outcome(done));
    }
    let Some(option) = last else {
        return Err(not_open(aimed, ""));
    };
    let args = json!([aimed.known.node, option.node, option.label]);
    let took = aimed
        .known
        .frame
        .call::<Option<Took>>("tookOption", args)
        .await;
    match took {
        Ok(Some(took)) if took.shows => {
            if done.effect.kind < EffectKind::Navigation {
                done.effect = Effect {
                    kind: EffectKind::Value,
                    verified: Some(true),
                    before: None,
                    after: Some(json!(took.held)),
                };
            }
            let done = done.with("value", took.held);
            Ok(done.with("labels", json!(taken)))
        }
        // It was clicked; what the page made of it does not show in the element.
        _ => {
            if !is_elsewhere {
                done.effect.verified = None;
            }
            let done = done.with("value", Value::Null);
            Ok(done.with("labels", json!(taken)))
        }
    }
}

fn not_open(aimed: &Reached, label: &str) -> ActionError {
    let what = in_words(&aimed.struck.role, &aimed.struck.name);
    ActionError::new(
        ActionErrorKind::ValueNotAccepted,
        format!("{what} does not let the option \"{label}\" be chosen now. Choose another one."),
    )
    .retry(Retry::Useless)
}

/// Opens the listbox if need be, and looks for an option: at once, by typing where that filters it,
/// and by scrolling.
async fn find(stage: Stage<'_>, aimed: &Reached, want: &str) -> Result<Choosable, ActionError> {
    let mut typed = None;
    let found = look_for(stage, aimed, want, &mut typed).await;
    if let (Err(_), Some(old)) = (&found, typed) {
        // What was typed to find it is no choice.
        type_into(stage, aimed, &old).await?;
    }
    found
}

/// As [`find`]; `typed` keeps what the element held before something was typed into it.
async fn look_for(
    stage: Stage<'_>,
    aimed: &Reached,
    want: &str,
    typed: &mut Option<String>,
) -> Result<Choosable, ActionError> {
    let index = aimed.known.index;
    let mut sought = seek(aimed, want, true).await?;
    if let Sought::Closed { typeable } = sought {
        click::once(stage, index).await?;
        sought = wait(aimed, want, OPENS_WITHIN / 3).await?;
        if matches!(sought, Sought::Closed { .. }) {
            let open = keys::chord(&keys::plain("ArrowDown"));
            deliver(stage, keys::send(stage.page, open)).await?;
            sought = wait(aimed, want, OPENS_WITHIN / 3).await?;
        }
        if typeable && !matches!(sought, Sought::Found { .. }) {
            *typed = type_into(stage, aimed, want).await?;
            sought = wait(aimed, want, OPENS_WITHIN).await?;
        }
    }
    if let Sought::Absent { typeable: true, .. } = sought {
        let old = type_into(stage, aimed, want).await?;
        *typed = typed.take().or(old);
        sought = wait(aimed, want, OPENS_WITHIN).await?;
    }
    if let Sought::Absent { .. } = sought {
        sought = scroll_to(aimed, want).await?;
    }
    match sought {
        Sought::Found { option, .. } => Ok(option),
        Sought::Gone => Err(sight::stale(stage.page, &aimed.known, None).await),
        Sought::Twice { options } => Err(absent(
            aimed,
            &format!("has more than one option \"{want}\""),
            &options,
        )),
        Sought::Absent { options, .. } => Err(absent(
            aimed,
            &format!("shows no option \"{want}\""),
            &options,
        )),
        Sought::Closed { .. } => Err(absent(aimed, "was clicked and opened no list", &[])),
    }
}

fn absent(aimed: &Reached, why: &str, options: &[String]) -> ActionError {
    let what = in_words(&aimed.struck.role, &aimed.struck.name);
    let mut error = ActionError::new(
        ActionErrorKind::OptionNotFound,
        format!("{what} {why}. It offers {}.", quoted(options)),
    )
    .delivery(Delivery::Sent)
    .retry(Retry::Useless)
    .context(json!({ "options": options }));
    error.outcome.target = Some(aimed.struck.clone());
    error
}

async fn seek(aimed: &Reached, want: &str, is_first: bool) -> Result<Sought, ActionError> {
    let frame: &Frame = &aimed.known.frame;
    let sought = frame.call("seekOption", json!([aimed.known.node, want, is_first]));
    sought.await.map_err(browser_failed)
}

/// Looks until the option is there.
async fn wait(aimed: &Reached, want: &str, most: Duration) -> Result<Sought, ActionError> {
    let until = Instant::now() + most;
    loop {
        let sought = seek(aimed, want, false).await?;
        let is_there = matches!(sought, Sought::Found { .. } | Sought::Gone);
        if is_there || Instant::now() > until {
            return Ok(sought);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Types what is looked for, in the place of what stood there, which it answers.
async fn type_into(
    stage: Stage<'_>,
    aimed: &Reached,
    want: &str,
) -> Result<Option<String>, ActionError> {
    let known = &aimed.known;
    let prepared = known
        .frame
        .call::<Value>("prepareField", json!([known.node, true]));
    let prepared = prepared.await.map_err(browser_failed)?;
    let held = prepared["field"]["held"].as_str().map(str::to_owned);
    let events = match want {
        "" => keys::chord(&keys::plain("Delete")),
        want => keys::strokes(want)
            .iter()
            .flat_map(|stroke| keys::stroke(stroke, keys::Breaks::None))
            .collect(),
    };
    deliver(stage, keys::send(stage.page, events)).await?;
    Ok(held)
}

/// Goes through a listbox that shows, or makes, only a part of its options.
async fn scroll_to(aimed: &Reached, want: &str) -> Result<Sought, ActionError> {
    let frame: &Frame = &aimed.known.frame;
    let until = Instant::now() + SCROLLS_WITHIN;
    let mut to_start = true;
    loop {
        let moved = frame.call::<bool>("scrollList", json!([aimed.known.node, to_start]));
        let moved = moved.await.map_err(browser_failed)?;
        tokio::time::sleep(LOOK_EVERY).await;
        let sought = seek(aimed, want, false).await?;
        let is_end = !moved && !to_start;
        to_start = false;
        if !matches!(sought, Sought::Absent { .. }) || is_end || Instant::now() > until {
            return Ok(sought);
        }
    }
}

/// Clicks an option.
async fn take(stage: Stage<'_>, aimed: &Reached, option: &Choosable) -> Result<(), ActionError> {
    let frame = &aimed.known.frame;
    // A listing gives numbers to what is new.
    let listed = sight::list(stage.page, &sight::Part::default()).await;
    let index = listed
        .ok()
        .and_then(|_| aim::index_of(stage.page, frame, option.node));
    let Some(index) = index else {
        return Err(absent(
            aimed,
            &format!(
                "shows the option \"{}\", which cannot be clicked",
                option.label
            ),
            &[],
        ));
    };
    click::once(stage, index).await?;
    Ok(())
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
        let found = json!({
            "is": "found", "typeable": true, "options": ["A"],
            "option": { "node": 1, "label": "A", "disabled": false, "selected": true },
        });
        assert!(matches!(
            serde_json::from_value(found),
            Ok(Sought::Found { .. })
        ));
        let closed = json!({ "is": "closed", "typeable": false });
        assert!(matches!(
            serde_json::from_value(closed),
            Ok(Sought::Closed { typeable: false })
        ));
    }
}
