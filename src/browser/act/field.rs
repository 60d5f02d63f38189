//! What takes text: found, given the focus, and told apart by how it takes it.

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::hand::keys::Breaks;
use super::super::sight;
use super::super::target::Frame;
use super::aim::{self, in_words};
use super::click;
use super::reach::Reached;
use super::value::{Verdict, Wanted};
use super::{Stage, browser_failed};
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind};
use crate::model::outcome::{Delivery, Struck};

/// How a field takes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// Its value is picked: a date, a colour, a place on a range.
    Picked,
    /// Digits.
    Number,
    /// One line.
    Line,
    /// A text area.
    Area,
    /// A part of the page that is edited in its place.
    Rich,
    /// An editor that draws its text itself and takes it through an `EditContext`.
    Context,
    /// A code editor, which draws its text itself and listens to a small text area.
    Code,
}

/// What our script tells of a field.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) node: u64,
    pub(super) way: Way,
    pub(super) breaks: Breaks,
    pub(super) is_password: bool,
    /// Nothing when it is too long to be compared.
    pub(super) held: Option<String>,
    pub(super) max_length: Option<u32>,
    pub(super) caret: Option<(usize, usize)>,
    pub(super) role: String,
    pub(super) name: String,
}

/// What `prepareField` and `focusedField` answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Prepared {
    Gone,
    TakesNone,
    ReadOnly {
        held: Option<String>,
    },
    /// A click may make a field of it.
    Click,
    RefusedFocus,
    /// The focus is in another document.
    Elsewhere,
    None,
    Ready {
        field: Facts,
    },
}

/// A field that has the focus.
pub(super) struct Field {
    pub(super) frame: Frame,
    pub(super) facts: Facts,
    pub(super) struck: Struck,
    pub(super) at: Option<Point>,
    /// Whether the text goes to its end.
    pub(super) is_at_end: bool,
}

/// The field of an index, with the focus.
pub(super) async fn listed(
    stage: Stage<'_>,
    aimed: &Reached,
    prepared: Prepared,
    clear: bool,
) -> Result<Field, ActionError> {
    let known = &aimed.known;
    let what = in_words(&known.print.role, &known.print.name);
    let index = known.index;
    let refuse = |why: String| ActionError::new(ActionErrorKind::ElementNotEditable, why);
    let candidates =
        || async { json!({ "candidates": sight::candidates(stage.page, known).await }) };
    match prepared {
        Prepared::Ready { field } => Ok(Field {
            frame: known.frame.clone(),
            facts: field,
            struck: aimed.struck.clone(),
            at: Some(aimed.at),
            is_at_end: true,
        }),
        Prepared::Gone => Err(sight::stale(stage.page, known, None).await),
        Prepared::ReadOnly { held } => Err(refuse(format!(
            "Element {index}, {what}, can be read but not changed. Pick another one, or do first \
             what makes it editable."
        ))
        .context(json!({ "value": held }))),
        Prepared::Click => {
            click::once(stage, index).await?;
            let field = focused(stage, clear).await?;
            let missing = refuse(format!(
                "Element {index}, {what}, was clicked and gave nothing to type into. Get the \
                 context to see what the page shows now."
            ));
            field.ok_or(missing.delivery(Delivery::Sent))
        }
        Prepared::RefusedFocus => Err(refuse(format!(
            "Element {index}, {what}, refuses the focus, so that nothing can be typed into it. \
             Pick one of the candidates."
        ))
        .context(candidates().await)),
        Prepared::TakesNone | Prepared::Elsewhere | Prepared::None => Err(refuse(format!(
            "Element {index}, {what}, takes no text. Pick one of the candidates."
        ))
        .context(candidates().await)),
    }
}

/// Whatever has the focus, in whatever frame.
pub(super) async fn focused(stage: Stage<'_>, clear: bool) -> Result<Option<Field>, ActionError> {
    let frames = stage.page.frames();
    let asking = frames
        .iter()
        .map(|frame| frame.call::<Prepared>("focusedField", json!([clear])));
    let answers = join_all(asking).await;
    for (frame, answer) in frames.iter().zip(answers) {
        match answer {
            Ok(Prepared::Ready { field }) => {
                let struck = Struck {
                    index: aim::index_of(stage.page, frame, field.node),
                    role: field.role.clone(),
                    name: field.name.clone(),
                    frame: aim::frame_of(frame),
                };
                return Ok(Some(Field {
                    frame: frame.clone(),
                    facts: field,
                    struck,
                    at: None,
                    is_at_end: false,
                }));
            }
            Ok(Prepared::ReadOnly { held }) => {
                return Err(ActionError::new(
                    ActionErrorKind::ElementNotEditable,
                    "What has the focus can be read but not changed. Give the index of another \
                     field.",
                )
                .context(json!({ "value": held })));
            }
            // A frame that cannot be asked has no document that could have the focus.
            Ok(_) | Err(Error::Replaced | Error::Detached | Error::Script { .. }) => (),
            Err(error) => return Err(browser_failed(error)),
        }
    }
    Ok(None)
}

pub(super) async fn no_focus(stage: Stage<'_>) -> ActionError {
    let fields = sight::fields(stage.page).await;
    ActionError::new(
        ActionErrorKind::ElementNotEditable,
        "Nothing that takes text has the focus. Give the index of a field, or click one first.",
    )
    .context(json!({ "candidates": fields, "cover": null }))
}

pub(super) fn gone(field: &Field) -> ActionError {
    let what = in_words(&field.struck.role, &field.struck.name);
    ActionError::new(
        ActionErrorKind::PageChanged,
        format!("While it got the focus, {what} was taken away. Get the context and try again."),
    )
}

impl Field {
    pub(super) fn wanted(&self, text: &str, clear: bool) -> Wanted {
        let Facts {
            held, caret, way, ..
        } = &self.facts;
        let held = held.as_deref().unwrap_or_default();
        let end = held.encode_utf16().count();
        let caret = match (way, self.is_at_end) {
            // Only a part of it is drawn.
            (Way::Code, _) => None,
            (_, true) => Some((end, end)),
            (_, false) => *caret,
        };
        match way {
            Way::Code => Wanted::Within(text.to_owned()),
            _ => Wanted::new(held, text, clear, caret),
        }
    }

    pub(super) fn verdict(&self, wanted: &Wanted, held: &str, boxes: Option<&str>) -> Verdict {
        let own = match self.facts.is_password {
            true if wanted.is_held_exactly(held) => Verdict::Exact,
            true => Verdict::Refused,
            false => wanted.verdict(held),
        };
        match boxes {
            Some(all) if own == Verdict::Refused => match wanted.verdict(all) {
                Verdict::Refused => Verdict::Refused,
                Verdict::Exact | Verdict::Reformatted => Verdict::Exact,
            },
            _ => own,
        }
    }

    /// The refusal, with what the field holds now.
    pub(super) fn not_accepted(&self, held: &str, why: &str) -> ActionError {
        let what = in_words(&self.struck.role, &self.struck.name);
        let (holds, value) = match self.facts.is_password {
            true => (String::new(), Value::Null),
            false if held.is_empty() => (": it holds nothing".to_owned(), json!(held)),
            false => (format!(": it holds \"{}\"", cut(held)), json!(held)),
        };
        let most = match self.facts.max_length {
            Some(most) => format!("; it takes {most} characters at most"),
            None => String::new(),
        };
        let mut error = ActionError::new(
            ActionErrorKind::ValueNotAccepted,
            format!(
                "The text was not accepted by {what}{holds}{why}{most}. Send what it takes, with \
                 \"clear\": true."
            ),
        )
        .context(json!({ "value": value }));
        error.outcome.target = Some(self.struck.clone());
        error
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_scripts_answer_is_understood() {
        let ready = json!({
            "is": "ready",
            "field": {
                "node": 4, "way": "rich", "type": null, "is_password": false, "held": "a",
                "breaks": "command", "max_length": null, "caret": null, "role": "textbox",
                "name": "Reply",
            },
        });
        let prepared: Prepared = serde_json::from_value(ready).unwrap();
        assert!(matches!(
            prepared,
            Prepared::Ready {
                field: Facts {
                    way: Way::Rich,
                    breaks: Breaks::Command,
                    ..
                }
            }
        ));
        for other in [
            "gone",
            "takes_none",
            "click",
            "refused_focus",
            "elsewhere",
            "none",
        ] {
            let answer = json!({ "is": other });
            assert!(
                serde_json::from_value::<Prepared>(answer).is_ok(),
                "{other}"
            );
        }
    }
}
