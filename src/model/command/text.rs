//! What is typed, pressed and chosen, and what dialogs and the clipboard are told.

use serde::Deserialize;

use super::parse::{OneOrMany, invalid};
use super::{ActionError, ActionErrorKind};
use crate::model::keys::Chord;

/// Longest text a single `type` accepts, characters.
pub const TEXT_CHARS_MAX: usize = 100_000;
/// Most chords of one `press`, and most times that they are pressed.
pub const PRESS_MAX: u32 = 100;
/// Most key presses of one action.
const PRESSES_MAX: usize = 1_000;
/// Most choices of one `select`.
const CHOICES_MAX: usize = 1_000;

/// Parameters of `type`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    /// What to type.
    pub text: String,
    /// The element to focus first; without it, whatever has the focus.
    pub index: Option<u32>,
    /// Empty the field first.
    #[serde(default)]
    pub clear: bool,
    /// Press Enter afterwards.
    #[serde(default)]
    pub submit: bool,
}

/// Parameters of `press`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// The chords, one after the other.
    pub keys: Vec<Chord>,
    /// The element to focus first; without it, whatever has the focus.
    pub index: Option<u32>,
    /// How many times all of them are pressed, from 1.
    pub count: u32,
}

/// The parameters of `press` as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PressParams {
    keys: OneOrMany,
    index: Option<u32>,
    count: Option<u32>,
}

/// Parameters of `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The select element, combobox or listbox.
    pub index: u32,
    /// What is chosen.
    pub choice: Choice,
}

/// What is chosen of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The option with this value.
    Value(String),
    /// The option that reads like this.
    Label(String),
    /// Exactly the options with these values; none for an empty list.
    Values(Vec<String>),
    /// Exactly the options that read like these; none for an empty list.
    Labels(Vec<String>),
}

/// The parameters of `select` as they arrive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectParams {
    index: u32,
    value: Option<String>,
    label: Option<String>,
    values: Option<Vec<String>>,
    labels: Option<Vec<String>>,
}

/// Parameters of `handle_dialog`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandleDialog {
    /// OK, or Cancel.
    pub accept: bool,
    /// What to put into the field of a `prompt`; without it, what it holds.
    pub text: Option<String>,
}

/// Parameters of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The checkbox, radio button or switch.
    pub index: u32,
    /// How it is to be.
    #[serde(default = "yes")]
    pub checked: bool,
}

const fn yes() -> bool {
    true
}

/// Parameters of `focus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focus {
    /// The element.
    pub index: u32,
}

/// Parameters of `clipboard_write`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipboardWrite {
    /// What the session's clipboard shall hold.
    pub text: String,
}

fn not_too_long(text: &str) -> Result<(), ActionError> {
    match text.chars().count() > TEXT_CHARS_MAX {
        true => Err(invalid(
            "text",
            &format!("it has more than {TEXT_CHARS_MAX} characters"),
        )),
        false => Ok(()),
    }
}

impl Press {
    pub(super) fn checked(params: PressParams) -> Result<Self, ActionError> {
        let keys = params.keys.into_list();
        if keys.is_empty() || keys.len() > PRESS_MAX as usize {
            let why = format!("a press has 1 to {PRESS_MAX} chords");
            return Err(invalid("keys", &why));
        }
        let keys: Vec<_> = keys
            .iter()
            .map(|chord| Chord::parse(chord))
            .collect::<Result<_, _>>()
            .map_err(|why| invalid("keys", &why))?;
        let count = params.count.unwrap_or(1);
        if !(1..=PRESS_MAX).contains(&count) {
            let why = format!("it must be from 1 to {PRESS_MAX}");
            return Err(invalid("count", &why));
        }
        if keys.len() * count as usize > PRESSES_MAX {
            let why = format!("together with keys it makes more than {PRESSES_MAX} presses");
            return Err(invalid("count", &why));
        }
        Ok(Self {
            keys,
            index: params.index,
            count,
        })
    }
}

impl Select {
    pub(super) fn checked(params: SelectParams) -> Result<Self, ActionError> {
        let SelectParams {
            index,
            value,
            label,
            values,
            labels,
        } = params;
        let mut given = [
            value.map(Choice::Value),
            label.map(Choice::Label),
            values.map(Choice::Values),
            labels.map(Choice::Labels),
        ]
        .into_iter()
        .flatten();
        let Some(choice) = given.next() else {
            return Err(ActionError::new(
                ActionErrorKind::MissingParameter,
                "A select needs \"value\", \"label\", \"values\" or \"labels\". Send one of them in \
                 params.",
            ));
        };
        if given.next().is_some() {
            let why = "give one of value, label, values and labels, not several";
            return Err(invalid("label", why));
        }
        if let Choice::Values(many) | Choice::Labels(many) = &choice
            && many.len() > CHOICES_MAX
        {
            let why = format!("it has more than {CHOICES_MAX} choices");
            return Err(invalid("values", &why));
        }
        Ok(Self { index, choice })
    }
}

impl HandleDialog {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        not_too_long(self.text.as_deref().unwrap_or_default())?;
        if self.text.is_some() && !self.accept {
            return Err(invalid(
                "text",
                "it goes with \"accept\": true; a dialog that is dismissed takes no text",
            ));
        }
        Ok(self)
    }
}

impl ClipboardWrite {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        not_too_long(&self.text)?;
        Ok(self)
    }
}

impl Type {
    pub(super) fn checked(self) -> Result<Self, ActionError> {
        not_too_long(&self.text)?;
        Ok(self)
    }
}
