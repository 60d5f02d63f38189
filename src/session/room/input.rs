//! What a participant does on the page, as its data says it: our own words, which are [`Deed`]'s, or those of
//! LiveKit's browser plugin.

use std::collections::HashMap;

use serde::Deserialize;

use crate::browser::key_of_windows;
use crate::error::Error;
use crate::model::command::MouseButton;
use crate::model::hand::{At, Deed};

/// Deeds in one message.
const DEEDS_MAX: usize = 64;
/// Keys that are remembered as being down.
const KEYS_MAX: usize = 32;

/// One message: one thing that is done, or several in their order.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    One(Event),
    Several(Vec<Event>),
}

/// One thing that is done.
#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    // Both have a wheel; the plugin's names its deltas.
    Plugin(Plugin),
    Own(Deed),
}

/// In the plugin's words. A page gets a key as its number (that of Windows) when it goes down, what it types
/// as a `char` of its own, and its number again when it goes up.
#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Plugin {
    MouseMove(Place),
    MouseDown(Press),
    MouseUp(Press),
    /// Up and to the left where they are positive.
    Wheel {
        #[serde(flatten)]
        place: Place,
        #[serde(default)]
        delta_x: f64,
        delta_y: f64,
    },
    KeyDown(Key),
    KeyUp(Key),
    Char {
        #[serde(default)]
        key_code: u32,
        char_code: u32,
        #[serde(default)]
        modifiers: u32,
    },
}

/// Where the pointer is, and what is held.
#[derive(Deserialize)]
struct Place {
    x: f64,
    y: f64,
    #[serde(default)]
    modifiers: u32,
}

/// A button that goes down or up.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Press {
    #[serde(flatten)]
    place: Place,
    /// The primary one, the wheel or the context-menu button.
    #[serde(default)]
    button: u8,
    #[serde(default = "once")]
    click_count: u8,
}

/// A key that goes down or up.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    key_code: u32,
    #[serde(default)]
    modifiers: u32,
}

const fn once() -> u8 {
    1
}

/// Reads what one participant does, and remembers what it holds, which the plugin's words do not repeat.
#[derive(Default)]
pub(super) struct Reader {
    /// The buttons that are held, as UI Events has it.
    buttons: u8,
    /// What keys typed that are down, by their number.
    typed: HashMap<u32, String>,
}

impl Reader {
    /// What a message says, in its order.
    pub(super) fn read(&mut self, message: &[u8]) -> Result<Vec<Deed>, Error> {
        let not_understood = || {
            Error::invalid_input("this is no message that a person sends")
                .hint("The documents' section From inside the room has their form.")
        };
        let message = serde_json::from_slice(message).map_err(|_| not_understood())?;
        let events = match message {
            Message::One(event) => vec![event],
            Message::Several(events) => events,
        };
        if events.len() > DEEDS_MAX {
            return Err(not_understood());
        }
        let is_answer =
            |event: &Event| matches!(event, Event::Own(Deed::Dialog { .. } | Deed::Choose { .. }));
        if events.iter().any(is_answer) {
            return Err(Error::forbidden(
                "the room answers no dialog and no list: it is not told of them",
            )
            .hint("Open the session's takeover page, and answer there."));
        }
        let deeds = events.into_iter().filter_map(|event| match event {
            Event::Own(deed) => Some(deed),
            Event::Plugin(event) => self.deed(event),
        });
        Ok(deeds.collect())
    }

    fn deed(&mut self, event: Plugin) -> Option<Deed> {
        let deed = match event {
            Plugin::MouseMove(place) => Deed::Move {
                at: place.at(),
                buttons: self.buttons,
            },
            Plugin::MouseDown(press) => {
                let button = press.button();
                self.buttons |= button.bit();
                Deed::Down {
                    at: press.place.at(),
                    button,
                    count: press.click_count,
                }
            }
            Plugin::MouseUp(press) => {
                let button = press.button();
                self.buttons &= !button.bit();
                Deed::Up {
                    at: press.place.at(),
                    button,
                    count: press.click_count,
                }
            }
            Plugin::Wheel {
                place,
                delta_x,
                delta_y,
            } => Deed::Wheel {
                at: place.at(),
                dx: -delta_x,
                dy: -delta_y,
            },
            Plugin::KeyDown(key) => return key_down(key.key_code, held(key.modifiers)),
            Plugin::Char {
                key_code,
                char_code,
                modifiers,
            } => return self.typed(key_code, char_code, held(modifiers)),
            Plugin::KeyUp(Key {
                key_code,
                modifiers,
            }) => {
                let key = self.typed.remove(&key_code);
                key_event(
                    key.or_else(|| key_of_windows(key_code))?,
                    held(modifiers),
                    false,
                )
            }
        };
        Some(deed)
    }

    fn typed(&mut self, number: u32, character: u32, modifiers: u8) -> Option<Deed> {
        let character = char::from_u32(character).filter(|it| !it.is_control())?;
        if is_command(modifiers) {
            return None;
        }
        let key = character.to_string();
        if self.typed.len() < KEYS_MAX {
            self.typed.insert(number, key.clone());
        }
        Some(key_event(key, 0, true))
    }
}

impl Place {
    const fn at(&self) -> At {
        At {
            x: self.x,
            y: self.y,
            modifiers: held(self.modifiers),
        }
    }
}

impl Press {
    const fn button(&self) -> MouseButton {
        match self.button {
            1 => MouseButton::Middle,
            2 => MouseButton::Right,
            _ => MouseButton::Left,
        }
    }
}

/// A key that types something says what it is by a `char` of its own, unless it is a shortcut.
fn key_down(number: u32, modifiers: u8) -> Option<Deed> {
    let key = key_of_windows(number)?;
    let types = key.chars().count() == 1 && !is_command(modifiers);
    (!types).then(|| key_event(key, modifiers, true))
}

fn key_event(key: String, modifiers: u8, down: bool) -> Deed {
    Deed::Key {
        down,
        key,
        modifiers,
        repeat: false,
    }
}

/// What is held of Alt, Control, Meta and Shift, from the plugin's flags (those of CEF).
const fn held(flags: u32) -> u8 {
    let mut held = 0;
    if flags & (1 << 3) != 0 {
        held |= 1;
    }
    if flags & (1 << 2) != 0 {
        held |= 2;
    }
    if flags & (1 << 7) != 0 {
        held |= 4;
    }
    if flags & (1 << 1) != 0 {
        held |= SHIFT;
    }
    held
}

/// Among what is held.
const SHIFT: u8 = 8;
const ALT_AND_CONTROL: u8 = 3;

/// Whether what is held makes a shortcut of a key. Alt with Control is how some keyboards type.
const fn is_command(held: u8) -> bool {
    held & !SHIFT != 0 && held & ALT_AND_CONTROL != ALT_AND_CONTROL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Vec<Deed> {
        Reader::default().read(message.as_bytes()).unwrap()
    }

    fn key(name: &str, modifiers: u8, down: bool) -> Deed {
        key_event(name.to_owned(), modifiers, down)
    }

    #[test]
    fn our_own_words_come_alone_or_several() {
        let one = read(r#"{"type":"text","text":"x"}"#);
        assert_eq!(
            one,
            [Deed::Text {
                text: "x".to_owned()
            }]
        );
        let two = read(r#"[{"type":"move","x":1,"y":2},{"type":"key","down":true,"key":"Enter"}]"#);
        assert_eq!(two.len(), 2);
        assert_eq!(two[1], key("Enter", 0, true));
    }

    #[test]
    fn a_pointer_in_the_plugins_words() {
        let deeds = read(
            r#"[{"type":"mousedown","x":1,"y":2,"button":2},{"type":"mousemove","x":3.5,"y":4},
                {"type":"mouseup","x":3,"y":4,"button":2,"modifiers":2},
                {"type":"mousemove","x":3,"y":4},
                {"type":"wheel","x":5,"y":6,"deltaX":0,"deltaY":-120}]"#,
        );
        let at = |x, y, modifiers| At { x, y, modifiers };
        assert_eq!(
            deeds,
            [
                Deed::Down {
                    at: at(1.0, 2.0, 0),
                    button: MouseButton::Right,
                    count: 1
                },
                Deed::Move {
                    at: at(3.5, 4.0, 0),
                    buttons: 2
                },
                Deed::Up {
                    at: at(3.0, 4.0, SHIFT),
                    button: MouseButton::Right,
                    count: 1
                },
                Deed::Move {
                    at: at(3.0, 4.0, 0),
                    buttons: 0
                },
                Deed::Wheel {
                    at: at(5.0, 6.0, 0),
                    dx: -0.0,
                    dy: 120.0
                },
            ]
        );
    }

    #[test]
    fn keys_in_the_plugins_words_type_once() {
        let typed = r#"[{"type":"keydown","keyCode":65,"modifiers":2},
            {"type":"char","keyCode":65,"charCode":65,"modifiers":2},
            {"type":"keyup","keyCode":65,"modifiers":2}]"#;
        assert_eq!(read(typed), [key("A", 0, true), key("A", SHIFT, false)]);
        let enter = r#"[{"type":"keydown","keyCode":13},{"type":"char","keyCode":13,"charCode":13},
            {"type":"keyup","keyCode":13}]"#;
        assert_eq!(read(enter), [key("Enter", 0, true), key("Enter", 0, false)]);
        let all = r#"[{"type":"keydown","keyCode":65,"modifiers":4},
            {"type":"char","keyCode":65,"charCode":1,"modifiers":4},
            {"type":"keyup","keyCode":65,"modifiers":4}]"#;
        assert_eq!(read(all), [key("a", 2, true), key("a", 2, false)]);
        let sharp_s = r#"[{"type":"char","charCode":223}]"#;
        assert_eq!(read(sharp_s), [key("ß", 0, true)]);
        assert_eq!(read(r#"[{"type":"keydown","keyCode":999}]"#), []);
        let menu = r#"[{"type":"keydown","keyCode":93},{"type":"keyup","keyCode":92}]"#;
        assert_eq!(
            read(menu),
            [key("ContextMenu", 0, true), key("Meta", 0, false)]
        );
    }

    #[test]
    fn what_is_asked_is_answered_elsewhere() {
        for answer in [
            r#"{"type":"dialog","number":1,"accept":true}"#,
            r#"[{"type":"back"},{"type":"choose","number":1,"index":0}]"#,
        ] {
            let error = Reader::default().read(answer.as_bytes()).unwrap_err();
            assert_eq!(error.kind, crate::error::ErrorKind::Forbidden);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_not_repeated() {
        let many = format!("[{}]", vec![r#"{"type":"back"}"#; 65].join(","));
        for wrong in [
            "",
            "secret",
            r#"{"type":"sing"}"#,
            r#"[{"type":"mousedown","x":"secret"}]"#,
            r#"[[{"type":"back"}]]"#,
            &many,
        ] {
            let error = Reader::default().read(wrong.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("secret"));
        }
    }
}
