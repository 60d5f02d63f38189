//! The keyboard, as Chromium's own input events.
//!
//! Text goes by a key event for each character that a key of the US layout gives, and by an input
//! method's commit for everything else, emoji and other scripts alike. A line break is an editing
//! command on a key event without a name: what a page takes for "send" is Enter, which it never is.

use chromiumoxide_cdp::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams,
};
use chromiumoxide_types::{Command, Method, MethodId};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::super::error::Error;
use super::super::target::Page;
use crate::model::keys::{Chord, Modifiers};

/// One thing that a hand does on a keyboard.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(in crate::browser) enum Input {
    /// A key goes down or up.
    Key(Box<DispatchKeyEventParams>),
    /// An input method commits a text.
    Text(InsertTextParams),
}

impl Input {
    /// Whether it lets a key go.
    pub(in crate::browser) fn is_release(&self) -> bool {
        matches!(self, Self::Key(event) if event.r#type == DispatchKeyEventType::KeyUp)
    }
}

impl Method for Input {
    fn identifier(&self) -> MethodId {
        match self {
            Self::Key(event) => event.identifier(),
            Self::Text(commit) => commit.identifier(),
        }
    }
}

impl Command for Input {
    type Response = IgnoredAny;
}

/// A step of typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::browser) enum Stroke {
    /// A character that a key gives.
    Key(char),
    /// Characters without a key.
    Text(String),
    /// A line break.
    Break,
}

/// How line breaks get into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::browser) enum Breaks {
    /// Not at all.
    None,
    /// By an editing command.
    Command,
    /// As text.
    Text,
    /// By Shift and Enter.
    ShiftEnter,
}

/// The steps that type a text. Line ends of all kinds are line breaks.
pub(in crate::browser) fn strokes(text: &str) -> Vec<Stroke> {
    let mut strokes = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                strokes.push(Stroke::Break);
            }
            '\n' => strokes.push(Stroke::Break),
            key if LAYOUT.key(key).is_some() => strokes.push(Stroke::Key(key)),
            other => match strokes.last_mut() {
                Some(Stroke::Text(text)) => text.push(other),
                _ => strokes.push(Stroke::Text(other.to_string())),
            },
        }
    }
    strokes
}

/// The same steps with all text between two breaks committed at once.
pub(in crate::browser) fn joined(strokes: &[Stroke]) -> Vec<Stroke> {
    let mut joined: Vec<Stroke> = Vec::new();
    for stroke in strokes {
        let piece = match stroke {
            Stroke::Break => {
                joined.push(Stroke::Break);
                continue;
            }
            Stroke::Key(key) => &key.to_string(),
            Stroke::Text(text) => text,
        };
        match joined.last_mut() {
            Some(Stroke::Text(text)) => text.push_str(piece),
            _ => joined.push(Stroke::Text(piece.clone())),
        }
    }
    joined
}

/// The events of one step.
pub(in crate::browser) fn stroke(stroke: &Stroke, breaks: Breaks) -> Vec<Input> {
    match stroke {
        Stroke::Text(text) => vec![Input::Text(InsertTextParams::new(text.clone()))],
        Stroke::Key(key) => {
            let key = LAYOUT.facts(&key.to_string());
            // As it is without Shift held, so that no shortcut is meant.
            tap(&key, 0, key.text.as_deref())
        }
        Stroke::Break => match breaks {
            Breaks::Text => vec![Input::Text(InsertTextParams::new("\n"))],
            Breaks::ShiftEnter => chord(&Chord {
                modifiers: Modifiers {
                    shift: true,
                    ..Modifiers::default()
                },
                key: "Enter".to_owned(),
            }),
            Breaks::None | Breaks::Command => {
                let unnamed = Key {
                    key: "Unidentified".to_owned(),
                    code: String::new(),
                    windows: 0,
                    text: None,
                };
                let mut events = tap(&unnamed, 0, None);
                if let Some(Input::Key(down)) = events.first_mut() {
                    down.commands = Some(vec!["insertLineBreak".to_owned()]);
                }
                events
            }
        },
    }
}

/// The events of a chord: what is held goes down first and up last.
pub(in crate::browser) fn chord(chord: &Chord) -> Vec<Input> {
    let Modifiers {
        control,
        shift,
        alt,
        meta,
    } = chord.modifiers;
    let held = [
        (control, "Control", 2),
        (alt, "Alt", 1),
        (shift, "Shift", 8),
        (meta, "Meta", 4),
    ];
    let held: Vec<_> = held
        .into_iter()
        .filter(|(is_held, name, _)| *is_held && *name != chord.key)
        .collect();
    let mut bits = 0;
    let mut events = Vec::with_capacity(held.len() * 2 + 2);
    for (_, name, bit) in &held {
        bits |= bit;
        events.push(event(&LAYOUT.facts(name), bits, true, None));
    }
    let key = LAYOUT.facts(&chord.key);
    // A command's key makes no text.
    let text = key
        .text
        .as_deref()
        .filter(|_| !chord.modifiers.is_command());
    events.extend(tap(&key, bits, text));
    for (_, name, bit) in held.iter().rev() {
        bits &= !bit;
        events.push(event(&LAYOUT.facts(name), bits, false, None));
    }
    events
}

/// One key, which goes down or up, with these held: 1 Alt, 2 Control, 4 Meta, 8 Shift.
pub(in crate::browser) fn single(
    key: &str,
    modifiers: u8,
    is_down: bool,
    is_repeat: bool,
) -> Input {
    let key = LAYOUT.facts(key);
    let is_command = modifiers & 7 != 0;
    let text = key.text.as_deref().filter(|_| is_down && !is_command);
    let mut event = event(&key, i64::from(modifiers), is_down, text);
    if let Input::Key(event) = &mut event {
        event.auto_repeat = Some(is_repeat);
    }
    event
}

/// A chord of one key with nothing held.
pub(in crate::browser) fn plain(key: &str) -> Chord {
    Chord {
        modifiers: Modifiers::default(),
        key: key.to_owned(),
    }
}

/// A chord of Control and a key.
pub(in crate::browser) fn control(key: &str) -> Chord {
    Chord {
        modifiers: Modifiers {
            control: true,
            ..Modifiers::default()
        },
        key: key.to_owned(),
    }
}

/// Sends events in their order; answered when the page has handled all of them. They go to the
/// page's own session: Chromium hands them to the frame that has the focus, whatever its process.
pub(in crate::browser) async fn send(page: &Page, events: Vec<Input>) -> Result<(), Error> {
    page.hurry();
    page.session().execute_all("press keys", events).await
}

/// A key as UI Events and Windows name it, and the text that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    key: String,
    code: String,
    windows: i64,
    text: Option<String>,
}

/// A keyboard layout: each key's characters without and with Shift, its code and its Windows number.
struct Layout {
    keys: &'static [(char, char, &'static str, i64)],
}

const LAYOUT: Layout = Layout {
    keys: &[
        (' ', ' ', "Space", 32),
        ('0', ')', "Digit0", 48),
        ('1', '!', "Digit1", 49),
        ('2', '@', "Digit2", 50),
        ('3', '#', "Digit3", 51),
        ('4', '$', "Digit4", 52),
        ('5', '%', "Digit5", 53),
        ('6', '^', "Digit6", 54),
        ('7', '&', "Digit7", 55),
        ('8', '*', "Digit8", 56),
        ('9', '(', "Digit9", 57),
        (';', ':', "Semicolon", 186),
        ('=', '+', "Equal", 187),
        (',', '<', "Comma", 188),
        ('-', '_', "Minus", 189),
        ('.', '>', "Period", 190),
        ('/', '?', "Slash", 191),
        ('`', '~', "Backquote", 192),
        ('[', '{', "BracketLeft", 219),
        ('\\', '|', "Backslash", 220),
        (']', '}', "BracketRight", 221),
        ('\'', '"', "Quote", 222),
    ],
};

/// Keys with names: their codes where those differ, and their Windows numbers.
const NAMED: [(&str, &str, i64); 24] = [
    ("Backspace", "Backspace", 8),
    ("Tab", "Tab", 9),
    ("Enter", "Enter", 13),
    ("Shift", "ShiftLeft", 16),
    ("Control", "ControlLeft", 17),
    ("Alt", "AltLeft", 18),
    ("Pause", "Pause", 19),
    ("CapsLock", "CapsLock", 20),
    ("Escape", "Escape", 27),
    ("PageUp", "PageUp", 33),
    ("PageDown", "PageDown", 34),
    ("End", "End", 35),
    ("Home", "Home", 36),
    ("ArrowLeft", "ArrowLeft", 37),
    ("ArrowUp", "ArrowUp", 38),
    ("ArrowRight", "ArrowRight", 39),
    ("ArrowDown", "ArrowDown", 40),
    ("PrintScreen", "PrintScreen", 44),
    ("Insert", "Insert", 45),
    ("Delete", "Delete", 46),
    ("Meta", "MetaLeft", 91),
    ("ContextMenu", "ContextMenu", 93),
    ("NumLock", "NumLock", 144),
    ("ScrollLock", "ScrollLock", 145),
];
/// The Windows numbers of F1 and F24.
const F1: i64 = 112;
const F24: i64 = 135;

/// The Windows number of the other key that is Meta.
const META_RIGHT: i64 = 92;

/// The key of a Windows number: its name, or the character that it gives with nothing held.
pub fn of_windows(number: u32) -> Option<String> {
    let number = i64::from(number);
    if let Some((name, ..)) = NAMED.iter().find(|(.., windows)| *windows == number) {
        return Some((*name).to_owned());
    }
    if let Some((plain, ..)) = LAYOUT.keys.iter().find(|(.., windows)| *windows == number) {
        return Some(plain.to_string());
    }
    match number {
        META_RIGHT => Some("Meta".to_owned()),
        65..=90 => char::from_u32(number as u32 + 32).map(String::from),
        F1..=F24 => Some(format!("F{}", number - F1 + 1)),
        _ => None,
    }
}

impl Layout {
    /// Code and Windows number of the key that gives a character.
    fn key(&self, character: char) -> Option<(String, i64)> {
        if character.is_ascii_alphabetic() {
            let letter = character.to_ascii_uppercase();
            return Some((format!("Key{letter}"), i64::from(u32::from(letter))));
        }
        let mut keys = self.keys.iter();
        let key = keys.find(|(plain, shifted, ..)| [*plain, *shifted].contains(&character))?;
        Some((key.2.to_owned(), key.3))
    }

    /// All about a key of this name or character.
    fn facts(&self, name: &str) -> Key {
        let mut characters = name.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            let (code, windows) = self.key(character).unwrap_or_default();
            return Key {
                key: name.to_owned(),
                code,
                windows,
                text: Some(name.to_owned()),
            };
        }
        let function = name.strip_prefix('F').and_then(|n| n.parse::<i64>().ok());
        let named = NAMED.iter().find(|(key, ..)| *key == name);
        let (code, windows) = match (named, function) {
            (Some((_, code, windows)), _) => ((*code).to_owned(), *windows),
            (None, Some(number)) => (name.to_owned(), F1 + number - 1),
            (None, None) => (String::new(), 0),
        };
        Key {
            key: name.to_owned(),
            code,
            windows,
            text: (name == "Enter").then(|| "\r".to_owned()),
        }
    }
}

/// Down and up.
fn tap(key: &Key, modifiers: i64, text: Option<&str>) -> Vec<Input> {
    vec![
        event(key, modifiers, true, text),
        event(key, modifiers, false, None),
    ]
}

fn event(key: &Key, modifiers: i64, is_down: bool, text: Option<&str>) -> Input {
    let kind = match (is_down, text) {
        (true, Some(_)) => DispatchKeyEventType::KeyDown,
        (true, None) => DispatchKeyEventType::RawKeyDown,
        (false, _) => DispatchKeyEventType::KeyUp,
    };
    let mut event = DispatchKeyEventParams::new(kind);
    event.key = Some(key.key.clone());
    event.modifiers = Some(modifiers);
    event.text = text.map(str::to_owned);
    event.unmodified_text = event.text.clone();
    if !key.code.is_empty() {
        event.code = Some(key.code.clone());
    }
    event.windows_virtual_key_code = Some(key.windows);
    event.native_virtual_key_code = Some(key.windows);
    Input::Key(Box::new(event))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(events: &[Input]) -> Vec<String> {
        let tell = |event: &Input| match event {
            Input::Text(commit) => format!("commit {}", commit.text),
            Input::Key(event) => {
                let key = event.key.as_deref().unwrap_or_default();
                let text = event.text.as_deref().unwrap_or("-");
                let modifiers = event.modifiers.unwrap_or_default();
                format!("{:?} {key} {text:?} {modifiers}", event.r#type)
            }
        };
        events.iter().map(tell).collect()
    }

    #[test]
    fn modifiers_are_held_around_the_key_and_let_go_in_turn() {
        let events = chord(&Chord::parse("Control+Shift+z").unwrap());
        assert_eq!(
            told(&events),
            [
                "RawKeyDown Control \"-\" 2",
                "RawKeyDown Shift \"-\" 10",
                "RawKeyDown Z \"-\" 10",
                "KeyUp Z \"-\" 10",
                "KeyUp Shift \"-\" 2",
                "KeyUp Control \"-\" 0",
            ]
        );
    }

    #[test]
    fn keys_make_text_unless_they_are_a_command() {
        for (text, down) in [
            ("a", "KeyDown a \"a\" 0"),
            ("Enter", "KeyDown Enter \"\\r\" 0"),
            ("Tab", "RawKeyDown Tab \"-\" 0"),
            ("ß", "KeyDown ß \"ß\" 0"),
        ] {
            let events = chord(&Chord::parse(text).unwrap());
            assert_eq!(told(&events)[0], down);
            assert_eq!(events.len(), 2);
        }
        let command = chord(&Chord::parse("Control+A").unwrap());
        assert_eq!(told(&command)[1], "RawKeyDown a \"-\" 2");
        let alone = chord(&Chord::parse("Shift").unwrap());
        assert_eq!(told(&alone)[0], "RawKeyDown Shift \"-\" 0");
    }

    #[test]
    fn every_key_that_a_chord_can_name_has_a_code_and_a_number() {
        let functions = (1..=24).map(|number| format!("F{number}"));
        let named = NAMED.iter().map(|(name, ..)| (*name).to_owned());
        for name in functions
            .chain(named)
            .chain(["+".to_owned(), " ".to_owned()])
        {
            let chord = Chord::parse(&name).unwrap();
            let key = LAYOUT.facts(&chord.key);
            assert!(!key.code.is_empty() && key.windows > 0, "{name}: {key:?}");
            let back = of_windows(u32::try_from(key.windows).unwrap());
            let plain = if name == "+" { "=" } else { &name };
            assert_eq!(back.as_deref(), Some(plain));
        }
        assert_eq!(of_windows(92).as_deref(), Some("Meta"));
        assert_eq!(of_windows(90).as_deref(), Some("z"));
        assert_eq!(of_windows(7), None);
    }

    #[test]
    fn a_break_is_no_enter_where_an_enter_may_send() {
        let events = stroke(&Stroke::Break, Breaks::Command);
        let Input::Key(down) = &events[0] else {
            panic!("a break is a key event");
        };
        assert_eq!(down.commands, Some(vec!["insertLineBreak".to_owned()]));
        assert_eq!(told(&events)[0], "RawKeyDown Unidentified \"-\" 0");
        assert_eq!(told(&stroke(&Stroke::Break, Breaks::Text)), ["commit \n"]);
    }

    #[test]
    fn what_has_no_key_is_committed_whole() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let text = format!("a{family}日本\r\nb");
        assert_eq!(
            strokes(&text),
            [
                Stroke::Key('a'),
                Stroke::Text(format!("{family}日本")),
                Stroke::Break,
                Stroke::Key('b'),
            ]
        );
    }

    fn spelled(strokes: &[Stroke]) -> String {
        let spell = |stroke: &Stroke| match stroke {
            Stroke::Key(key) => key.to_string(),
            Stroke::Text(text) => text.clone(),
            Stroke::Break => "\n".to_owned(),
        };
        strokes.iter().map(spell).collect()
    }

    proptest! {
        #[test]
        fn steps_spell_the_text_however_they_are_joined(text in "[a-c \\n\\rß😀\\t-]{0,40}") {
            let plain = text.replace("\r\n", "\n").replace('\r', "\n");
            let steps = strokes(&text);
            prop_assert_eq!(&spelled(&steps), &plain);
            let joined = joined(&steps);
            prop_assert_eq!(spelled(&joined), plain);
            prop_assert!(joined.iter().all(|step| !matches!(step, Stroke::Key(_))));
        }
    }
}
