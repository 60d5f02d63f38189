//! type: text into what takes it, seen to be held afterwards.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::hand::keys::{self, Breaks, Stroke};
use super::super::sight;
use super::super::target::Frame;
use super::aim::{self, in_words};
use super::click;
use super::deliver::{Sent, deliver};
use super::observe::{self, Before, Observed};
use super::reach::{Reached, reach};
use super::value::{Verdict, Wanted};
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::Point;
use crate::model::command::{ActionError, ActionErrorKind, Click, MouseButton, Target, Type};
use crate::model::outcome::{Delivery, Effect, EffectKind, Retry, Struck};

/// Steps of typing that are under way at once.
const BATCH: usize = 32;
/// A text of more characters begins by keys, which pages listen for, and goes on in larger pieces:
/// a page that does much at each key would not keep up.
const KEYS_MAX: usize = 200;
/// So many of its characters come by keys.
const KEYS_FIRST: usize = 32;
/// How long a text is typed key by key; what is left then is committed line by line.
const BY_KEYS_WITHIN: Duration = Duration::from_secs(4);
/// Fields that take so few characters may be the boxes of one code.
const BOX_CHARS_MAX: u32 = 2;
/// Waits, milliseconds, until a field that is rewritten by its page holds what it will hold.
const LOOKS: [u64; 5] = [0, 20, 50, 100, 150];

/// How a field takes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
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
struct Facts {
    node: u64,
    way: Way,
    breaks: Breaks,
    is_password: bool,
    /// Nothing when it is too long to be compared.
    held: Option<String>,
    max_length: Option<u32>,
    caret: Option<(usize, usize)>,
    role: String,
    name: String,
}

/// What `prepareField` and `focusedField` answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Prepared {
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

/// What `typed` answers.
#[derive(Debug, Deserialize)]
struct Typed {
    is_gone: bool,
    held: Option<String>,
    /// All that the boxes of a code hold, when the page moved on from one to the next.
    boxes: Option<String>,
}

/// What `setValue` answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Picked {
    Gone,
    Refused { why: String, held: String },
    Set { wanted: String },
}

/// Why a number field takes no such text.
#[derive(Debug, Deserialize)]
struct NoNumber {
    why: String,
    held: String,
}

/// A field that has the focus.
struct Field {
    frame: Frame,
    facts: Facts,
    struck: Struck,
    at: Option<Point>,
    /// Whether the text goes to its end.
    is_at_end: bool,
}

/// What was seen of a field.
enum Seen {
    /// It holds this; for a password, nothing is said.
    Held(Verdict, String),
    /// It is gone, or cannot be read.
    Unknown,
}

pub(super) async fn type_text(stage: Stage<'_>, params: &Type) -> Result<Done, ActionError> {
    let known = match params.index {
        Some(index) => Some(reach(stage, index).await?),
        None => None,
    };
    let before = observe::before(stage, known.as_ref().map(|aimed| &aimed.known)).await;
    let field = match &known {
        Some(aimed) => listed(stage, aimed, params.clear).await?,
        None => match focused(stage, params.clear).await? {
            Some(field) => field,
            None => return Err(no_focus(stage).await),
        },
    };
    let _ = stage.is_password.set(field.facts.is_password);
    let text = stage
        .secrets
        .resolve(&params.text, Some(field.frame.url()))?;
    let text = checked(&field, &text, params.submit)?;
    if let Some(at) = field.at {
        stage.show(Cue::Typing { at }).await;
    }
    if field.facts.way == Way::Picked {
        return pick(stage, &field, before, text, params.submit).await;
    }
    if field.facts.way == Way::Number {
        is_number(&field, text, params.clear).await?;
    }
    enter(stage, &field, text, params.clear).await?;
    let wanted = field.wanted(text, params.clear);
    finish(stage, &field, before, &wanted, params.submit).await
}

/// The field of an index, with the focus.
async fn listed(stage: Stage<'_>, aimed: &Reached, clear: bool) -> Result<Field, ActionError> {
    let known = &aimed.known;
    let what = in_words(&known.print.role, &known.print.name);
    let index = known.index;
    let prepared = known
        .frame
        .call::<Prepared>("prepareField", json!([known.node, clear]));
    let refuse = |why: String| ActionError::new(ActionErrorKind::ElementNotEditable, why);
    let candidates =
        || async { json!({ "candidates": sight::candidates(stage.page, known).await }) };
    match prepared.await.map_err(browser_failed)? {
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
            let target = Target::Index(index);
            let (button, count) = (MouseButton::Left, 1);
            click::click(
                stage,
                &Click {
                    target,
                    button,
                    count,
                },
            )
            .await?;
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
async fn focused(stage: Stage<'_>, clear: bool) -> Result<Option<Field>, ActionError> {
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

async fn no_focus(stage: Stage<'_>) -> ActionError {
    let fields = sight::fields(stage.page).await;
    ActionError::new(
        ActionErrorKind::ElementNotEditable,
        "Nothing that takes text has the focus. Give the index of a field, or click one first.",
    )
    .context(json!({ "candidates": fields, "cover": null }))
}

/// The text as the field can take it: no line breaks in a single line, but for one at the end that
/// means the same as `submit`.
fn checked<'a>(field: &Field, text: &'a str, submit: bool) -> Result<&'a str, ActionError> {
    if field.facts.breaks != Breaks::None {
        return Ok(text);
    }
    let text = match submit {
        true => one_break_less(text),
        false => text,
    };
    if !text.contains(['\n', '\r']) {
        return Ok(text);
    }
    let what = in_words(&field.struck.role, &field.struck.name);
    Err(ActionError::new(
        ActionErrorKind::InvalidParameter,
        format!(
            "The parameter \"text\" holds a line break, and {what} is a field of one line. Leave \
             it out; to press Enter afterwards, send \"submit\": true."
        ),
    ))
}

fn one_break_less(text: &str) -> &str {
    let without = text.strip_suffix('\n').unwrap_or(text);
    without.strip_suffix('\r').unwrap_or(without)
}

/// Gives a field whose value is picked that value.
async fn pick(
    stage: Stage<'_>,
    field: &Field,
    before: Before,
    text: &str,
    submit: bool,
) -> Result<Done, ActionError> {
    let set = field
        .frame
        .call::<Picked>("setValue", json!([field.facts.node, text]));
    match set.await.map_err(browser_failed)? {
        Picked::Set { wanted } => {
            finish(stage, field, before, &Wanted::Whole(wanted), submit).await
        }
        Picked::Refused { why, held } => Err(field.not_accepted(&held, &format!("; {why}"))),
        Picked::Gone => Err(gone(field)),
    }
}

/// Refuses what a number field would drop without a word.
async fn is_number(field: &Field, text: &str, clear: bool) -> Result<(), ActionError> {
    let held = field.facts.held.as_deref().unwrap_or_default();
    // Where the caret of a number field stands, and what is selected there, nobody tells.
    let whole = match clear || !field.is_at_end {
        true => text.to_owned(),
        false => format!("{held}{text}"),
    };
    let refuses = field
        .frame
        .call::<Option<NoNumber>>("refusesNumber", json!([field.facts.node, whole]));
    match refuses.await.map_err(browser_failed)? {
        Some(NoNumber { why, held }) => Err(field.not_accepted(&held, &format!("; {why}"))),
        None => Ok(()),
    }
}

/// Types, after what stood there is selected or the caret put at its end.
async fn enter(
    stage: Stage<'_>,
    field: &Field,
    text: &str,
    clear: bool,
) -> Result<(), ActionError> {
    let Facts { way, breaks, .. } = field.facts;
    // Editors with a mind of their own move their caret by keys.
    let first = match (way, clear) {
        (Way::Rich | Way::Code, true) => Some(keys::control("a")),
        (Way::Code, false) if field.is_at_end => Some(keys::control("End")),
        _ => None,
    };
    let mut opening: Vec<_> = first.iter().flat_map(keys::chord).collect();
    if clear && text.is_empty() {
        opening.extend(keys::chord(&keys::plain("Delete")));
    }
    if !opening.is_empty() {
        sent(
            stage,
            field,
            deliver(stage, keys::send(stage.page, opening)).await?,
        )?;
    }
    let mut strokes = keys::strokes(text);
    let is_boxed = field
        .facts
        .max_length
        .is_some_and(|most| most <= BOX_CHARS_MAX && strokes.len() > most as usize);
    let until = Instant::now() + BY_KEYS_WITHIN;
    let mut done = 0;
    while done < strokes.len() {
        if Instant::now() > until || (done >= KEYS_FIRST && strokes.len() > KEYS_MAX) {
            let rest = keys::joined(&strokes[done..]);
            strokes.splice(done.., rest);
        }
        let batch = if is_boxed { 1 } else { BATCH };
        let next = strokes.len().min(done + batch);
        let events = strokes[done..next]
            .iter()
            .flat_map(|stroke: &Stroke| keys::stroke(stroke, breaks))
            .collect();
        sent(
            stage,
            field,
            deliver(stage, keys::send(stage.page, events)).await?,
        )?;
        if is_boxed {
            // Some pages move on to the next box a moment later.
            let moved = field.frame.call::<Value>("moveOn", json!([])).await;
            moved.map_err(browser_failed)?;
        }
        done = next;
    }
    Ok(())
}

/// Goes on after what was answered; a dialog, or a page that does not answer, is the end of it.
fn sent(stage: Stage<'_>, field: &Field, sent: Sent) -> Result<(), ActionError> {
    let what = in_words(&field.struck.role, &field.struck.name);
    let mut error = match sent {
        Sent::Answered => return Ok(()),
        Sent::Dialog => ActionError::new(
            ActionErrorKind::DialogOpen,
            format!(
                "While text was typed into {what}, the page opened a dialog. Answer it by \
                 handle_dialog, then look at what the field holds."
            ),
        )
        .delivery(Delivery::Partly),
        Sent::Unanswered => ActionError::new(
            ActionErrorKind::OutcomeUnknown,
            format!(
                "Text was typed into {what}, and the page has not answered since. Do not type it \
                 again: get the context to see what the field holds."
            ),
        )
        .delivery(Delivery::Unknown),
    };
    error.outcome.target = Some(field.struck.clone());
    error.outcome.dialogs = stage
        .page
        .dialog()
        .map(|opened| opened.info)
        .into_iter()
        .collect();
    Err(error.retry(Retry::Unsafe))
}

/// Sees that the field holds what it should, presses Enter if asked to, and tells what came of it.
async fn finish(
    stage: Stage<'_>,
    field: &Field,
    before: Before,
    wanted: &Wanted,
    submit: bool,
) -> Result<Done, ActionError> {
    let mut seen = look(field, wanted).await;
    let is_refused = matches!(seen, Seen::Held(Verdict::Refused, _));
    if submit && !is_refused {
        let enter = keys::chord(&keys::plain("Enter"));
        if deliver(stage, keys::send(stage.page, enter)).await? == Sent::Unanswered {
            sent(stage, field, Sent::Unanswered)?;
        }
    }
    let observed = observe::observe(stage, before, Delivery::Sent).await;
    if !submit && !is_refused && !observed.is_elsewhere() {
        // A page may think again while it comes to rest.
        seen = look(field, wanted).await;
    }
    told(field, &seen, observed, submit).await
}

/// Waits, for a moment, until the field holds what it should.
async fn look(field: &Field, wanted: &Wanted) -> Seen {
    let mut last = Seen::Unknown;
    for wait in LOOKS {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let typed = field
            .frame
            .call::<Typed>("typed", json!([field.facts.node]));
        let Ok(Typed {
            is_gone: false,
            held: Some(held),
            boxes,
        }) = typed.await
        else {
            return Seen::Unknown;
        };
        let verdict = field.verdict(wanted, &held, boxes.as_deref());
        let held = boxes
            .filter(|_| verdict != Verdict::Refused)
            .unwrap_or(held);
        if verdict != Verdict::Refused {
            return Seen::Held(verdict, held);
        }
        last = Seen::Held(verdict, held);
    }
    match last {
        // An editor of code shows only the lines that fit.
        Seen::Held(Verdict::Refused, held)
            if field.facts.way == Way::Code && Some(&held) != field.facts.held.as_ref() =>
        {
            Seen::Unknown
        }
        last => last,
    }
}

async fn told(
    field: &Field,
    seen: &Seen,
    observed: Observed,
    submit: bool,
) -> Result<Done, ActionError> {
    let mut done = observed.outcome;
    done.target = Some(field.struck.clone());
    // That what was typed into has the focus is no news.
    let own = field.struck.index;
    done.changes
        .retain(|change| change.kind != "focus" || change.index != own);
    let shown = |held: &String| match field.facts.is_password {
        true => Value::Null,
        false => json!(held),
    };
    let before = field.facts.held.as_ref();
    match seen {
        Seen::Held(Verdict::Refused, held) => {
            let error = field.not_accepted(held, "");
            return Err(error
                .outcome(done)
                .delivery(Delivery::Sent)
                .retry(Retry::Useless));
        }
        Seen::Held(verdict, held) => {
            done = done.with("value", shown(held));
            done = done.with("reformatted", *verdict == Verdict::Reformatted);
            // The focus came with the typing: what was asked for is the value.
            if done.effect.kind < EffectKind::Navigation && before != Some(held) {
                done.effect = Effect {
                    kind: EffectKind::Value,
                    verified: Some(true),
                    before: Some(before.map_or(Value::Null, shown)),
                    after: Some(shown(held)),
                };
            }
        }
        Seen::Unknown => {
            done = done.with("value", Value::Null);
            done.effect.verified = done
                .effect
                .verified
                .filter(|_| done.effect.kind >= EffectKind::Navigation);
        }
    }
    if let Some(error) = observed.error {
        return Err(error.outcome(done));
    }
    if let Seen::Held(_, held) = seen
        && submit
        && done.effect.kind < EffectKind::Navigation
        && only_broke_the_line(field, held).await
    {
        let what = in_words(&field.struck.role, &field.struck.name);
        return Err(ActionError::new(
            ActionErrorKind::NotAccepted,
            format!(
                "The text is in {what}, but Enter made a line break there and sent nothing. Click \
                 the button that sends it."
            ),
        )
        .outcome(done)
        .retry(Retry::Useless));
    }
    Ok(done)
}

/// Whether Enter was no more than one more line.
async fn only_broke_the_line(field: &Field, held: &str) -> bool {
    if !matches!(field.facts.way, Way::Area | Way::Rich) {
        return false;
    }
    let typed = field
        .frame
        .call::<Typed>("typed", json!([field.facts.node]));
    let now = typed.await.ok().and_then(|typed| typed.held);
    now.is_some_and(|now| {
        now.len() > held.len() && now.trim_end_matches('\n') == held.trim_end_matches('\n')
    })
}

fn gone(field: &Field) -> ActionError {
    let what = in_words(&field.struck.role, &field.struck.name);
    ActionError::new(
        ActionErrorKind::PageChanged,
        format!("While it got the focus, {what} was taken away. Get the context and try again."),
    )
}

impl Field {
    fn wanted(&self, text: &str, clear: bool) -> Wanted {
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

    fn verdict(&self, wanted: &Wanted, held: &str, boxes: Option<&str>) -> Verdict {
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
    fn not_accepted(&self, held: &str, why: &str) -> ActionError {
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
    fn one_break_at_the_end_means_submit() {
        for (text, less) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(one_break_less(text), less);
        }
    }

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
        let set = json!({ "is": "set", "wanted": "42", "held": "42" });
        assert!(matches!(
            serde_json::from_value(set),
            Ok(Picked::Set { .. })
        ));
    }
}
