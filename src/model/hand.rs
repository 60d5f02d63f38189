//! What a person does on a page, as it comes from theirs: pointer, wheel and keys.

use std::fmt;

use serde::Deserialize;

use super::command::MouseButton;
use super::geometry::{Point, Size};
use crate::error::Error;

/// Longest text that is put in at once, characters.
const TEXT_CHARS_MAX: usize = 100_000;
/// Longest name of a key.
const KEY_CHARS_MAX: usize = 32;

/// One thing that a person does. Places are CSS px of the viewport.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Deed {
    /// The pointer is somewhere else.
    Move {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The buttons that are held, as UI Events has it: 1, 2 and 4.
        #[serde(default)]
        buttons: u8,
    },
    /// A button goes down.
    Down {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// Which.
        #[serde(default)]
        button: MouseButton,
        /// The how manieth press in a row it is.
        #[serde(default = "one")]
        count: u8,
    },
    /// A button goes up.
    Up {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// Which.
        #[serde(default)]
        button: MouseButton,
        /// The how manieth press in a row it is.
        #[serde(default = "one")]
        count: u8,
    },
    /// The wheel turns.
    Wheel {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// To the right, CSS px.
        #[serde(default)]
        dx: f64,
        /// Down, CSS px.
        #[serde(default)]
        dy: f64,
    },
    /// Two fingers go apart or together.
    Pinch {
        /// What is between them.
        #[serde(flatten)]
        at: At,
        /// By which factor they went apart; below 1 they came together.
        scale: f64,
    },
    /// A key goes down or up.
    Key {
        /// Whether it goes down.
        down: bool,
        /// Its name, as UI Events has it.
        key: String,
        /// What is held with it: 1 Alt, 2 Control, 4 Meta, 8 Shift.
        #[serde(default)]
        modifiers: u8,
        /// Whether it is held, and so comes again.
        #[serde(default)]
        repeat: bool,
    },
    /// A text is put in at once: by an input method, or pasted.
    Text {
        /// The text.
        text: String,
    },
    /// An input method shows what is being put together; a text ends it.
    Compose {
        /// What is there so far; empty when it is given up.
        text: String,
    },
    /// The dialog that is open is answered.
    Dialog {
        /// Which it is, as the state tells it: not one that has opened since.
        number: u64,
        /// OK, or Cancel.
        accept: bool,
        /// What to put into the field of a `prompt`.
        #[serde(default)]
        text: Option<String>,
    },
    /// What the page offers is answered.
    Choose {
        /// Which it is, as the state tells it.
        number: u64,
        /// Which option of a list; none to leave it.
        #[serde(default)]
        index: Option<usize>,
    },
    /// One step back in the page's history.
    Back,
    /// One step forward.
    Forward,
    /// Load the page again.
    Reload,
}

/// Where something is done.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct At {
    /// From the left, CSS px.
    pub x: f64,
    /// From the top, CSS px.
    pub y: f64,
    /// What is held with it: 1 Alt, 2 Control, 4 Meta, 8 Shift.
    #[serde(default)]
    pub modifiers: u8,
}

const fn one() -> u8 {
    1
}

impl Deed {
    /// What makes no sense on a page of this size is not done.
    pub fn must_be_sound(&self, viewport: Size) -> Result<(), Error> {
        if self.is_sound(viewport) {
            return Ok(());
        }
        Err(Error::invalid_input("this cannot be done on this page")
            .hint("Places are CSS px of the viewport."))
    }

    fn is_sound(&self, viewport: Size) -> bool {
        let is_there = |at: &At| {
            let within = |value: f64, max: u32| (0.0..=f64::from(max)).contains(&value);
            within(at.x, viewport.width) && within(at.y, viewport.height) && at.modifiers < 16
        };
        match self {
            Self::Move { at, buttons } => is_there(at) && *buttons < 8,
            Self::Down { at, count, .. } | Self::Up { at, count, .. } => {
                is_there(at) && (1..=3).contains(count)
            }
            Self::Wheel { at, dx, dy } => {
                is_there(at) && [dx, dy].iter().all(|by| by.abs() <= 10_000.0)
            }
            Self::Pinch { at, scale } => is_there(at) && (0.1..=10.0).contains(scale),
            Self::Key { key, modifiers, .. } => {
                !key.is_empty() && key.chars().count() <= KEY_CHARS_MAX && *modifiers < 16
            }
            Self::Text { text }
            | Self::Compose { text }
            | Self::Dialog {
                text: Some(text), ..
            } => text.chars().count() <= TEXT_CHARS_MAX,
            Self::Dialog { text: None, .. } => true,
            Self::Choose { .. } | Self::Back | Self::Forward | Self::Reload => true,
        }
    }

    /// What lets go of what this presses.
    pub fn release(&self) -> Option<Self> {
        match self {
            Self::Down { at, button, count } => Some(Self::Up {
                at: *at,
                button: *button,
                count: *count,
            }),
            Self::Key {
                down: true, key, ..
            } => Some(Self::Key {
                down: false,
                key: key.clone(),
                modifiers: 0,
                repeat: false,
            }),
            _ => None,
        }
    }

    /// Whether both let go of the same button or key.
    pub fn lets_go_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Up { button: one, .. }, Self::Up { button: two, .. }) => one == two,
            (
                Self::Key {
                    down: false,
                    key: one,
                    ..
                },
                Self::Key {
                    down: false,
                    key: two,
                    ..
                },
            ) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

impl From<At> for Point {
    fn from(at: At) -> Self {
        Self::new(at.x, at.y)
    }
}

/// What a person types is told to nobody.
impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Move { .. } => "Move",
            Self::Down { .. } => "Down",
            Self::Up { .. } => "Up",
            Self::Wheel { .. } => "Wheel",
            Self::Pinch { .. } => "Pinch",
            Self::Key { .. } => "Key",
            Self::Text { .. } => "Text",
            Self::Compose { .. } => "Compose",
            Self::Dialog { .. } => "Dialog",
            Self::Choose { .. } => "Choose",
            Self::Back => "Back",
            Self::Forward => "Forward",
            Self::Reload => "Reload",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(json: &str) -> Result<Deed, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_makes_no_sense_is_not_done() {
        let viewport = Size {
            width: 100,
            height: 50,
        };
        for (json, is_sound) in [
            (r#"{"type":"move","x":0,"y":50}"#, true),
            (r#"{"type":"move","x":-1,"y":0}"#, false),
            (r#"{"type":"move","x":100.5,"y":0}"#, false),
            (r#"{"type":"move","x":1,"y":1,"buttons":8}"#, false),
            (
                r#"{"type":"down","x":1,"y":1,"button":"right","count":3}"#,
                true,
            ),
            (r#"{"type":"down","x":1,"y":1,"count":0}"#, false),
            (r#"{"type":"wheel","x":1,"y":1,"dy":-120}"#, true),
            (r#"{"type":"wheel","x":1,"y":1,"dy":1e9}"#, false),
            (r#"{"type":"pinch","x":1,"y":1,"scale":1.5}"#, true),
            (r#"{"type":"pinch","x":1,"y":1,"scale":0}"#, false),
            (r#"{"type":"key","down":true,"key":"a"}"#, true),
            (r#"{"type":"key","down":true,"key":""}"#, false),
            (
                r#"{"type":"key","down":true,"key":"a","modifiers":16}"#,
                false,
            ),
            (r#"{"type":"text","text":"日本"}"#, true),
            (r#"{"type":"back"}"#, true),
        ] {
            assert_eq!(deed(json).unwrap().is_sound(viewport), is_sound, "{json}");
        }
        for wrong in [
            r#"{"type":"move"}"#,
            r#"{"type":"jump"}"#,
            r#"{"type":"key","down":true,"key":1}"#,
        ] {
            assert!(deed(wrong).is_err(), "{wrong}");
        }
        let down = deed(r#"{"type":"down","x":1,"y":2,"button":"right"}"#).unwrap();
        let up = deed(r#"{"type":"up","x":9,"y":9,"button":"right"}"#).unwrap();
        assert!(up.lets_go_of(&down.release().unwrap()) && up.release().is_none());
        let key = deed(r#"{"type":"key","down":true,"key":"a"}"#).unwrap();
        assert!(!up.lets_go_of(&key.release().unwrap()));
        let typed = deed(r#"{"type":"text","text":"secret"}"#).unwrap();
        assert_eq!(format!("{typed:?}"), "Text");
    }
}
