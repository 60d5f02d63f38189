//! select in the listboxes and comboboxes that pages build: opened, looked through and clicked.

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
use super::reach::Reached;
use super::select::quoted;
use super::{Done, Stage, browser_failed};
use crate::model::command::{ActionError, ActionErrorKind, Choice};
use crate::model::outcome::{Delivery, Effect, EffectKind, Retry};

/// How long a listbox may take to open, and to show what was asked of it.
const OPENS_WITHIN: Duration = Duration::from_millis(1500);
/// How long an option may take to be found by scrolling its listbox.
const SCROLLS_WITHIN: Duration = Duration::from_secs(4);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);

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

/// What `heldOptions` answers.
#[derive(Debug, Default, Deserialize)]
struct Held {
    /// Those that were taken and show that they are not chosen.
    off: Vec<String>,
    /// Those that are chosen besides, in a list that takes many.
    others: Vec<Choosable>,
}

/// What shows that an option was taken.
#[derive(Debug, Deserialize)]
struct Took {
    held: String,
    shows: bool,
}

/// Chooses in a listbox of the page's own, by opening it and clicking.
pub(super) async fn choose(
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
    for want in &wanted {
        let option = find(stage, aimed, want).await?;
        if option.disabled {
            return Err(not_open(aimed, &option.label));
        }
        if !option.selected || aimed.struck.role == "combobox" {
            take(stage, aimed, &option).await?;
        }
        taken.push(option);
    }
    // As with a select element, what is wanted is all that is chosen then.
    for other in held(aimed, &taken).await.others {
        take(stage, aimed, &other).await?;
    }
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    let is_elsewhere = observed.is_elsewhere();
    let mut done = observed.done_to(Some(aimed.struck.clone()))?;
    let Some(option) = taken.last() else {
        return Err(not_open(aimed, ""));
    };
    let kept = match is_elsewhere {
        true => Held::default(),
        false => held(aimed, &taken).await,
    };
    if !kept.off.is_empty() || !kept.others.is_empty() {
        return Err(not_kept(aimed, &kept, &labels(&taken)).outcome(done));
    }
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
            Ok(done.with("labels", json!(labels(&taken))))
        }
        // It was clicked; what the page made of it does not show in the element.
        _ => {
            if !is_elsewhere {
                done.effect.verified = None;
            }
            let done = done.with("value", Value::Null);
            Ok(done.with("labels", json!(labels(&taken))))
        }
    }
}

/// What the page shows of the options; nothing when it cannot be asked.
async fn held(aimed: &Reached, taken: &[Choosable]) -> Held {
    let numbers: Vec<u64> = taken.iter().map(|option| option.node).collect();
    let args = json!([aimed.known.node, numbers, labels(taken)]);
    let held = aimed.known.frame.call("heldOptions", args).await;
    held.unwrap_or_default()
}

fn labels(options: &[Choosable]) -> Vec<String> {
    options.iter().map(|option| option.label.clone()).collect()
}

fn not_kept(aimed: &Reached, kept: &Held, taken: &[String]) -> ActionError {
    let what = in_words(&aimed.struck.role, &aimed.struck.name);
    let others = labels(&kept.others);
    let why = match kept.off.is_empty() {
        false => format!("it does not show {} as chosen", quoted(&kept.off)),
        true => format!("it still shows {} as chosen", quoted(&others)),
    };
    ActionError::new(
        ActionErrorKind::ValueNotAccepted,
        format!("The choice was clicked, and {what} does not keep it: {why}."),
    )
    .context(json!({ "asked": taken, "not_chosen": kept.off, "still_chosen": others }))
    .retry(Retry::Useless)
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
    let listed = sight::list(stage.page, &sight::Part::all()).await;
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
    fn what_our_scripts_answer_is_understood() {
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
