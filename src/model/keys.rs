//! Chords: `Control+A` in words, as the keys to press.

use super::likeness::meant;

/// Keys that are held while another is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Modifiers {
    /// Control.
    pub control: bool,
    /// Shift.
    pub shift: bool,
    /// Alt, or Option.
    pub alt: bool,
    /// The Windows or Command key.
    pub meta: bool,
}

impl Modifiers {
    /// Whether none is held.
    pub const fn is_none(self) -> bool {
        !(self.control || self.shift || self.alt || self.meta)
    }

    /// Whether one is held that makes a shortcut of a letter.
    pub const fn is_command(self) -> bool {
        self.control || self.alt || self.meta
    }

    fn hold(&mut self, modifier: Modifier) {
        match modifier {
            Modifier::Control => self.control = true,
            Modifier::Shift => self.shift = true,
            Modifier::Alt => self.alt = true,
            Modifier::Meta => self.meta = true,
        }
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.control, "Control"),
            (self.alt, "Alt"),
            (self.shift, "Shift"),
            (self.meta, "Meta"),
        ]
        .into_iter()
        .filter_map(|(is_held, name)| is_held.then_some(name))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Modifier {
    Control,
    Shift,
    Alt,
    Meta,
}

impl Modifier {
    fn of(name: &str) -> Option<Self> {
        let modifier = match name.to_ascii_lowercase().as_str() {
            "control" | "ctrl" | "ctl" | "controlormeta" | "cmdorctrl" | "commandorcontrol"
            | "mod" => Self::Control,
            "shift" => Self::Shift,
            "alt" | "option" | "opt" => Self::Alt,
            "meta" | "cmd" | "command" | "win" | "windows" | "super" | "os" => Self::Meta,
            _ => return None,
        };
        Some(modifier)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Control => "Control",
            Self::Shift => "Shift",
            Self::Alt => "Alt",
            Self::Meta => "Meta",
        }
    }
}

/// One key, with what is held meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chord {
    /// What is held.
    pub modifiers: Modifiers,
    /// The key as UI Events names it in `KeyboardEvent.key`: `Enter`, `ArrowDown`, `F5`, or the one
    /// character that it gives (`a`, `A` with Shift, a blank for the space bar).
    pub key: String,
}

impl std::fmt::Display for Chord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for name in self.modifiers.names().filter(|name| *name != self.key) {
            write!(f, "{name}+")?;
        }
        match self.key.as_str() {
            " " => f.write_str("Space"),
            key if self.modifiers.is_command() => {
                write!(
                    f,
                    "{}",
                    if is_letter(key) {
                        key.to_ascii_uppercase()
                    } else {
                        key.to_owned()
                    }
                )
            }
            key => f.write_str(key),
        }
    }
}

/// The right form, for a refusal.
pub const FORM: &str = "Write the keys to hold and one key, joined by +, such as \"Control+A\", \
                        \"Shift+Tab\", \"Enter\" or \"ArrowDown\"";

/// Keys with a name, as UI Events writes them (but for the space bar); F1 to F24 beside them.
const NAMED: [&str; 25] = [
    "Enter",
    "Tab",
    "Escape",
    "Backspace",
    "Delete",
    "Insert",
    "Home",
    "End",
    "PageUp",
    "PageDown",
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "ContextMenu",
    "CapsLock",
    "NumLock",
    "ScrollLock",
    "Pause",
    "PrintScreen",
    "Space",
    "Control",
    "Shift",
    "Alt",
    "Meta",
];

impl Chord {
    /// Reads a chord. The refusal is half a sentence: what was understood, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (held, last) = split(text).ok_or_else(|| format!("it names no key. {FORM}"))?;
        let mut modifiers = Modifiers::default();
        for name in &held {
            match Modifier::of(name) {
                Some(modifier) => modifiers.hold(modifier),
                None if key(name).is_some() => {
                    return Err(format!(
                        "\"{}\" was understood as the key {} and then {}, and a chord has one key. {FORM}, or \
                         a list of chords, one after the other",
                        shown(text),
                        shown(name),
                        shown(last)
                    ));
                }
                None => return Err(no_such(text, name)),
            }
        }
        if let Some(modifier) = Modifier::of(last) {
            modifiers.hold(modifier);
            let key = modifier.name().to_owned();
            return Ok(Self { modifiers, key });
        }
        let key = key(last).ok_or_else(|| no_such(text, last))?;
        Ok(Self::of(modifiers, key))
    }

    /// The key as it reads with what is held.
    fn of(mut modifiers: Modifiers, key: String) -> Self {
        if !is_letter(&key) {
            return Self { modifiers, key };
        }
        // Control+A is written with a capital and pressed without Shift.
        let is_capital = key.chars().all(char::is_uppercase);
        modifiers.shift |= is_capital && !modifiers.is_command();
        let key = match modifiers.shift {
            true => key.to_ascii_uppercase(),
            false => key.to_ascii_lowercase(),
        };
        Self { modifiers, key }
    }
}

/// The parts before the last, and the last; a plus at the end is the key itself.
fn split(text: &str) -> Option<(Vec<&str>, &str)> {
    if text == " " {
        return Some((Vec::new(), text));
    }
    let text = text.trim();
    let (held, last) = match text.strip_suffix('+') {
        Some("") => ("", "+"),
        Some(before) if before.trim_end().ends_with('+') => {
            (before.trim_end().trim_end_matches('+'), "+")
        }
        _ => text.rsplit_once('+').unwrap_or(("", text)),
    };
    let held = held.trim();
    let held = match held {
        "" => Vec::new(),
        _ => held.split('+').map(str::trim).collect(),
    };
    let last = last.trim();
    (!last.is_empty()).then_some((held, last))
}

fn is_letter(key: &str) -> bool {
    key.len() == 1 && key.chars().all(|c| c.is_ascii_alphabetic())
}

/// The key of a name, or of a character.
fn key(name: &str) -> Option<String> {
    let mut characters = name.chars();
    if let (Some(character), None) = (characters.next(), characters.next()) {
        return (!character.is_control()).then(|| name.to_owned());
    }
    let lower = name.to_ascii_lowercase();
    let alias = match lower.as_str() {
        "return" => "Enter",
        "esc" => "Escape",
        "del" => "Delete",
        "ins" => "Insert",
        "bksp" => "Backspace",
        "pgup" => "PageUp",
        "pgdn" | "pgdown" => "PageDown",
        "up" => "ArrowUp",
        "down" => "ArrowDown",
        "left" => "ArrowLeft",
        "right" => "ArrowRight",
        "menu" | "apps" => "ContextMenu",
        "space" | "spacebar" => " ",
        "plus" => "+",
        "minus" => "-",
        _ => "",
    };
    if !alias.is_empty() {
        return Some(alias.to_owned());
    }
    if let Some(named) = NAMED.iter().find(|named| named.eq_ignore_ascii_case(name)) {
        return Some((*named).to_owned());
    }
    // As KeyboardEvent.code writes them.
    for prefix in ["key", "digit"] {
        match lower.strip_prefix(prefix) {
            Some(rest) if rest.len() == 1 => return Some(rest.to_owned()),
            _ => (),
        }
    }
    let number: u8 = lower.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then(|| format!("F{number}"))
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn no_such(text: &str, name: &str) -> String {
    let mut capital = name.to_owned();
    if let Some(first) = capital.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let meant = meant(&capital, &NAMED);
    let hint = meant.map(|meant| format!(" Did you mean \"{meant}\"?"));
    let whole = match text == name {
        true => String::new(),
        false => format!(" in \"{}\"", shown(text)),
    };
    format!(
        "\"{}\"{whole} was understood as the name of a key, and there is none of that name.{} {FORM}; text is \
         typed by the action type",
        shown(name),
        hint.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (String, String) {
        let chord = Chord::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        (chord.to_string(), chord.key)
    }

    #[test]
    fn a_chord_is_read_as_people_write_it() {
        for (text, chord, key) in [
            ("Control+A", "Control+A", "a"),
            ("ctrl + a", "Control+A", "a"),
            ("Cmd+Shift+z", "Shift+Meta+Z", "Z"),
            ("Option+Left", "Alt+ArrowLeft", "ArrowLeft"),
            ("Esc", "Escape", "Escape"),
            ("return", "Enter", "Enter"),
            ("DEL", "Delete", "Delete"),
            ("pgdn", "PageDown", "PageDown"),
            ("f5", "F5", "F5"),
            ("Space", "Space", " "),
            (" ", "Space", " "),
            ("a", "a", "a"),
            ("A", "Shift+A", "A"),
            ("Shift+a", "Shift+A", "A"),
            ("KeyB", "b", "b"),
            ("Digit7", "7", "7"),
            ("+", "+", "+"),
            ("Control++", "Control++", "+"),
            ("Control + +", "Control++", "+"),
            ("Control+Plus", "Control++", "+"),
            ("ß", "ß", "ß"),
            ("Shift", "Shift", "Shift"),
            ("Control+Shift", "Control+Shift", "Shift"),
            ("Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight"),
        ] {
            assert_eq!(told(text), (chord.to_owned(), key.to_owned()), "{text}");
        }
    }

    #[test]
    fn control_a_is_pressed_without_shift() {
        let chord = Chord::parse("Control+A").unwrap();
        assert!(chord.modifiers.control && !chord.modifiers.shift);
        assert!(Chord::parse("A").unwrap().modifiers.shift);
        assert!(Chord::parse("a").unwrap().modifiers.is_none());
    }

    #[test]
    fn a_refusal_says_what_was_understood_and_the_right_form() {
        for (text, words) in [
            ("", &["no key", "Control+A"][..]),
            ("   ", &["no key"]),
            ("Control+", &["no key"]),
            ("Ctrl+Entr", &["\"Entr\"", "\"Enter\"", "Control+A"]),
            ("Hyper+A", &["\"Hyper\"", "Control+A"]),
            ("A+B", &["the key A and then B", "one key", "list"]),
            ("hello", &["\"hello\"", "type"]),
            ("F25", &["\"F25\""]),
        ] {
            let why = Chord::parse(text).expect_err(text);
            for word in words {
                assert!(why.contains(word), "{text}: {why} says {word}");
            }
        }
    }
}
