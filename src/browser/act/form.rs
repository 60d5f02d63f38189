//! type: text into what takes it, seen to be held afterwards.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::hand::keys::{self, Breaks, Input, Stroke};
use super::super::scripts;
use super::aim::{self, in_words};
use super::deliver::{Sent, deliver, is_open};
use super::field::{Facts, Field, Way, focused, gone, listed, no_focus};
use super::observe::{self, Before, Observed, Typed};
use super::reach::reach_field;
use super::value::{Verdict, Wanted};
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, Type};
use crate::model::outcome::{Change, Delivery, Effect, EffectKind, Retry};

/// Steps of typing that are under way at once.
const BATCH: usize = 32;
/// A text of more characters begins by keys, which pages listen for, and goes on in larger pieces:
/// a page that does much at each key would not keep up.
const KEYS_MAX: usize = 200;
/// So many of its characters come by keys.
const KEYS_FIRST: usize = 32;
/// A text of fewer steps is typed sooner than the page is asked whether it listens.
const HEARD_FROM: usize = 3;
/// A page that takes longer to say whether it listens gets keys.
const HEARD_WITHIN: Duration = Duration::from_millis(100);
/// How long a text is typed key by key; what is left then is committed line by line.
const BY_KEYS_WITHIN: Duration = Duration::from_secs(4);
/// Fields that take so few characters may be the boxes of one code.
const BOX_CHARS_MAX: u32 = 2;
/// Waits, milliseconds, until a field that is rewritten by its page holds what it will hold.
const LOOKS: [u64; 4] = [20, 50, 100, 150];

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

/// What was seen of a field.
enum Seen {
    /// It holds this; for a password, nothing is said.
    Held(Verdict, String),
    /// The page has taken the text out of it and writes it itself; this is left in it.
    Taken(String),
    /// It is gone, or cannot be read.
    Unknown,
}

pub(super) async fn type_text(stage: Stage<'_>, params: &Type) -> Result<Done, ActionError> {
    let (field, mut before) = match params.index {
        Some(index) => of_index(stage, index, params.clear).await?,
        None => of_focus(stage, params.clear).await?,
    };
    before = before.with_field(&field.frame, field.facts.node);
    if !params.submit {
        before = before.without_downloads();
    }
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
    finish(stage, &field, before, (&wanted, text), params.submit).await
}

async fn of_index(
    stage: Stage<'_>,
    index: u32,
    clear: bool,
) -> Result<(Field, Before), ActionError> {
    let known = aim::known(stage, index).await?;
    let before = observe::unmarked(stage, Some(&known)).await;
    before.mark_around(stage, &known.frame).await;
    let (aimed, prepared) = reach_field(stage, known, clear).await?;
    let field = listed(stage, &aimed, prepared, clear).await?;
    Ok((field, before))
}

async fn of_focus(stage: Stage<'_>, clear: bool) -> Result<(Field, Before), ActionError> {
    let before = observe::before(stage, None).await;
    match focused(stage, clear).await? {
        Some(field) => Ok((field, before)),
        None => Err(no_focus(stage).await),
    }
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
            let wanted = Wanted::Whole(wanted);
            finish(stage, field, before, (&wanted, text), submit).await
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
    if strokes.len() >= HEARD_FROM && !is_boxed && !hears_keys(field).await {
        strokes = keys::joined(&strokes);
    }
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
        let struck = match next == strokes.len() {
            true => strike_last(stage, events).await?,
            false => deliver(stage, keys::send(stage.page, events)).await?,
        };
        sent(stage, field, struck)?;
        if is_boxed {
            // Some pages move on to the next box a moment later.
            let moved = field.frame.call::<Value>("moveOn", json!([])).await;
            moved.map_err(browser_failed)?;
        }
        done = next;
    }
    Ok(())
}

/// Sends the last events of a text. When only a key that is let go is not answered, the text is there,
/// and the dialog that keeps the answer is what came of it.
async fn strike_last(stage: Stage<'_>, mut events: Vec<Input>) -> Result<Sent, ActionError> {
    let released = events.pop_if(|last| last.is_release());
    let typed = deliver(stage, keys::send(stage.page, events));
    let released = keys::send(stage.page, released.into_iter().collect());
    // Polled in this order, they are sent in this order.
    let (typed, released) = tokio::join!(typed, deliver(stage, released));
    match (typed?, released?) {
        (Sent::Answered, Sent::Dialog) => Ok(Sent::Answered),
        (Sent::Answered, released) => Ok(released),
        (typed, _) => Ok(typed),
    }
}

/// Whether the page would notice that no keys are struck. Where nothing listens, text that is
/// committed at once comes to the same, and sooner.
async fn hears_keys(field: &Field) -> bool {
    if !matches!(field.facts.way, Way::Line | Way::Area) {
        return true;
    }
    let hears = field.frame.ask_page(scripts::HEARS_KEYS);
    let hears = timeout(HEARD_WITHIN, hears).await;
    hears.ok().and_then(Result::ok).unwrap_or(true)
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
    (wanted, text): (&Wanted, &str),
    submit: bool,
) -> Result<Done, ActionError> {
    if !submit {
        let (seen, observed) = see(stage, field, &before, (wanted, text)).await;
        return told(field, &seen, observed, submit).await;
    }
    let seen = look(stage, field, wanted, text).await;
    if !matches!(seen, Seen::Held(Verdict::Refused, _)) {
        let enter = keys::chord(&keys::plain("Enter"));
        if deliver(stage, keys::send(stage.page, enter)).await? == Sent::Unanswered {
            sent(stage, field, Sent::Unanswered)?;
        }
    }
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    told(field, &seen, observed, submit).await
}

/// What the field holds when the page has come to rest, and all else that came of the typing.
async fn see(
    stage: Stage<'_>,
    field: &Field,
    before: &Before,
    (wanted, text): (&Wanted, &str),
) -> (Seen, Observed) {
    // Both are on their way at once; the first says what is held should the page go elsewhere.
    let observing = observe::observe(stage, before, Delivery::Sent);
    let (first, observed) = tokio::join!(glance(stage, field, wanted), observing);
    let now = observed.field.as_ref().map(|now| held(field, wanted, now));
    if !observed.can_be_asked() {
        return match now.unwrap_or(first) {
            Seen::Held(Verdict::Refused, _) => (Seen::Unknown, observed),
            seen => (seen, observed),
        };
    }
    match now {
        Some(Seen::Held(Verdict::Refused, _)) | None => (),
        Some(seen) => return (seen, observed),
    }
    let seen = look(stage, field, wanted, text).await;
    // What the page has done meanwhile came of the typing as well.
    let observed = observe::observe(stage, before, Delivery::Sent).await;
    let now = observed.field.as_ref().map(|now| held(field, wanted, now));
    let seen = match (seen, now) {
        (Seen::Held(Verdict::Refused, _), None) if !observed.can_be_asked() => Seen::Unknown,
        (Seen::Held(..), Some(now)) => now,
        (seen, _) => seen,
    };
    (seen, observed)
}

/// What the field holds now; a page that a dialog has stopped cannot say.
async fn glance(stage: Stage<'_>, field: &Field, wanted: &Wanted) -> Seen {
    let mut dialogs = stage.page.watch_dialog();
    let typed = field
        .frame
        .call::<Typed>("typed", json!([field.facts.node]));
    tokio::select! {
        typed = typed => typed.map_or(Seen::Unknown, |typed| held(field, wanted, &typed)),
        Ok(_) = dialogs.wait_for(is_open) => Seen::Unknown,
    }
}

fn held(field: &Field, wanted: &Wanted, typed: &Typed) -> Seen {
    let Typed {
        is_gone: false,
        held: Some(held),
        boxes,
    } = typed
    else {
        return Seen::Unknown;
    };
    let verdict = field.verdict(wanted, held, boxes.as_deref());
    let boxes = boxes.as_ref().filter(|_| verdict != Verdict::Refused);
    Seen::Held(verdict, boxes.unwrap_or(held).clone())
}

/// Waits, for a moment, until the field holds what it should, or the page has taken it.
async fn look(stage: Stage<'_>, field: &Field, wanted: &Wanted, text: &str) -> Seen {
    let mut last = glance(stage, field, wanted).await;
    for wait in LOOKS {
        if !matches!(last, Seen::Held(Verdict::Refused, _)) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        last = glance(stage, field, wanted).await;
    }
    match last {
        // An editor of code shows only the lines that fit.
        Seen::Held(Verdict::Refused, held)
            if field.facts.way == Way::Code && Some(&held) != field.facts.held.as_ref() =>
        {
            Seen::Unknown
        }
        Seen::Held(Verdict::Refused, held) if is_taken(field, text).await => Seen::Taken(held),
        last => last,
    }
}

/// Whether the page writes the text that its field does not hold.
async fn is_taken(field: &Field, text: &str) -> bool {
    if field.facts.is_password {
        return false;
    }
    let node = field.facts.node;
    let taken = field.frame.call::<bool>("taken", json!([node, text]));
    taken.await.unwrap_or(false)
}

async fn told(
    field: &Field,
    seen: &Seen,
    observed: Observed,
    submit: bool,
) -> Result<Done, ActionError> {
    let left = observed.field.and_then(|now| now.boxes.or(now.held));
    let left = left.filter(|_| submit);
    let mut done = observed.outcome;
    done.target = Some(field.struck.clone());
    done.drop_focus_on(field.struck.index);
    match seen {
        Seen::Held(Verdict::Refused, held) => {
            let error = field.not_accepted(held, "");
            return Err(error
                .outcome(done)
                .delivery(Delivery::Sent)
                .retry(Retry::Useless));
        }
        Seen::Held(verdict, held) => {
            done = with_value(field, done, held, left.as_ref());
            done = done.with("reformatted", *verdict == Verdict::Reformatted);
        }
        Seen::Taken(held) => {
            done = done.with("value", json!(held)).with("taken", true);
            let what = in_words(&field.struck.role, &field.struck.name);
            done.changes.push(Change {
                kind: "value".to_owned(),
                text: format!("The page has taken the text out of {what} and shows it itself."),
                index: field.struck.index,
            });
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

/// What the field holds: what was typed, or, once that has been sent, what is `left`.
fn with_value(field: &Field, mut done: Done, held: &String, left: Option<&String>) -> Done {
    let shown = |held: &String| match field.facts.is_password {
        true => Value::Null,
        false => json!(held),
    };
    let before = field.facts.held.as_ref();
    let is_kept = left.is_none_or(|left| left == held);
    // The focus came with the typing: what was asked for is the value.
    if done.effect.kind < EffectKind::Navigation && is_kept && before != Some(held) {
        done.effect = Effect {
            kind: EffectKind::Value,
            verified: Some(true),
            before: Some(before.map_or(Value::Null, shown)),
            after: Some(shown(held)),
        };
    }
    // Whoever sends a text often empties its field.
    done.with("value", shown(left.unwrap_or(held)))
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
    fn what_set_value_answers_is_understood() {
        let set = json!({ "is": "set", "wanted": "42", "held": "42" });
        assert!(matches!(
            serde_json::from_value(set),
            Ok(Picked::Set { .. })
        ));
    }
}
