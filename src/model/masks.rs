//! [`Masks`]: where a text holds what nobody may be told, also as a page writes it anew: in groups, in
//! other letters, cut off.

use std::borrow::Cow;
use std::ops::Range;

/// A shorter form is only masked where it is the whole text: as a part of others it would be found
/// everywhere.
const PART_CHARS_MIN: usize = 3;
/// Texts are cut to a length on their way; so much of a form at the edge of one gives it away.
const EDGE_CHARS_MIN: usize = 8;
/// As much where an ellipsis says that the text was cut just there.
const CUT_CHARS_MIN: usize = 4;
/// Of so many signs, whatever stands between them, no ordinary text is made by chance.
const REGROUPED_ANYWHERE_MIN: usize = 8;
/// So many are sought in other groups where no letter or digit touches them: within words ("shun
/// terror") they would be found by chance.
const REGROUPED_APART_MIN: usize = 6;
/// So few only with something between every two of them ("1 2 3 4"): a year or a range of pages ("20-24")
/// is ordinary text. Below, only as they were written.
const SPELLED_MIN: usize = 4;

/// A way in which a value is written.
#[derive(Debug)]
struct Form {
    text: String,
    /// Its signs, without what groups them, in one case.
    signs: Vec<char>,
    shown: String,
}

/// What is masked, and what stands for it.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// The longest first.
    forms: Vec<Form>,
    /// What stands for values, which is never masked itself.
    shown: Vec<String>,
}

/// A sign of a text, and where it stands.
struct Sign {
    sign: char,
    at: Range<usize>,
}

impl Masks {
    /// Of forms, each with what stands for it.
    pub(super) fn new(forms: impl Iterator<Item = (String, String)>) -> Self {
        let mut forms: Vec<Form> = forms
            .filter(|(text, _)| !text.is_empty())
            .map(|(text, shown)| Form {
                signs: signs(&text).into_iter().map(|sign| sign.sign).collect(),
                text,
                shown,
            })
            .collect();
        forms.sort_by(|a, b| {
            let by_length = b.text.len().cmp(&a.text.len());
            by_length.then_with(|| (&a.text, &a.shown).cmp(&(&b.text, &b.shown)))
        });
        forms.dedup_by(|a, b| a.text == b.text);
        let mut shown: Vec<String> = forms.iter().map(|form| form.shown.clone()).collect();
        shown.sort();
        shown.dedup();
        Self { forms, shown }
    }

    /// The text with every value replaced by what stands for it.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.forms.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        if let Some(form) = self.forms.iter().find(|form| form.text == text) {
            return Cow::Owned(form.shown.clone());
        }
        let told: Vec<Range<usize>> = self
            .shown
            .iter()
            .flat_map(|shown| occurrences(text, shown))
            .collect();
        let signs = signs(text);
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        for form in &self.forms {
            for at in form.found_in(text, &signs) {
                let is_told = told
                    .iter()
                    .any(|told| told.start <= at.start && at.end <= told.end);
                if !is_told {
                    take(&mut found, at, &form.shown);
                }
            }
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|(at, _)| at.start);
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for (at, shown) in found {
            masked.push_str(&text[end..at.start]);
            masked.push_str(shown);
            end = at.end;
        }
        masked.push_str(&text[end..]);
        Cow::Owned(masked)
    }
}

/// Adds a place; where it meets others, one stands for all of them.
fn take<'a>(found: &mut Vec<(Range<usize>, &'a str)>, at: Range<usize>, shown: &'a str) {
    let mut at = at;
    let mut said = shown;
    found.retain(|(other, other_shown)| {
        let meets = other.start < at.end && at.start < other.end;
        if meets {
            at = other.start.min(at.start)..other.end.max(at.end);
            said = other_shown;
        }
        !meets
    });
    found.push((at, said));
}

impl Form {
    /// Where a text holds it.
    fn found_in(&self, text: &str, signs: &[Sign]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.text.chars().count() >= PART_CHARS_MIN {
            found.extend(occurrences(text, &self.text));
        }
        let starts = self.text.char_indices().skip(EDGE_CHARS_MIN);
        let cuts = starts.map(|(at, _)| &self.text[..at]);
        if let Some(start) = cuts.filter(|start| text.ends_with(start)).last() {
            found.push(text.len() - start.len()..text.len());
        }
        let Some(first) = self.signs.first() else {
            return found;
        };
        for window in signs.windows(self.signs.len()) {
            if window[0].sign == *first
                && window.iter().zip(&self.signs).all(|(a, b)| a.sign == *b)
                && let Some(at) = self.regrouped(text, window)
            {
                found.push(at);
            }
        }
        found.extend(self.cut_in(text, signs));
        found
    }

    /// The place of the form's signs, unless it may be there by chance.
    fn regrouped(&self, text: &str, signs: &[Sign]) -> Option<Range<usize>> {
        let at = signs.first()?.at.start..signs.last()?.at.end;
        let is_apart = || {
            let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            !touches(text[..at.start].chars().next_back())
                && !touches(text[at.end..].chars().next())
        };
        let is_spelled = || {
            signs
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a.at.end < b.at.start))
        };
        let is_it = match signs.len() {
            // The same but for the case of its letters.
            count if is_same(&text[at.clone()], &self.text) => count >= PART_CHARS_MIN,
            REGROUPED_ANYWHERE_MIN.. => true,
            REGROUPED_APART_MIN.. => is_apart(),
            SPELLED_MIN.. => is_apart() && is_spelled(),
            _ => false,
        };
        is_it.then_some(at)
    }

    /// Where an ellipsis cuts the form off.
    fn cut_in(&self, text: &str, signs: &[Sign]) -> Option<Range<usize>> {
        let longest = self.signs.len().min(signs.len() + 1);
        let lengths = || (CUT_CHARS_MIN..longest).rev();
        let is_same = |some: &[Sign], own: &[char]| some.iter().map(|s| &s.sign).eq(own);
        if text.ends_with('…') || text.ends_with("...") {
            let cut = lengths().find(|n| is_same(&signs[signs.len() - n..], &self.signs[..*n]));
            if let Some(n) = cut {
                return Some(signs[signs.len() - n].at.start..signs[signs.len() - 1].at.end);
            }
        }
        if text.starts_with('…') || text.starts_with("...") {
            let all = self.signs.len();
            let cut = lengths().find(|n| is_same(&signs[..*n], &self.signs[all - n..]));
            if let Some(n) = cut {
                return Some(signs[0].at.start..signs[n - 1].at.end);
            }
        }
        None
    }
}

fn occurrences(text: &str, form: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(form)
        .map(|(at, found)| at..at + found.len())
}

fn is_same(one: &str, other: &str) -> bool {
    let folded = |text: &str| text.chars().flat_map(fold).collect::<Vec<_>>();
    folded(one) == folded(other)
}

/// The signs of a text without what groups them, in one case, and as they are outside of a URL.
fn signs(text: &str) -> Vec<Sign> {
    let mut found = Vec::with_capacity(text.len());
    let mut start = 0;
    while let Some((c, length)) = text.get(start..).and_then(first) {
        let at = start..start + length;
        start = at.end;
        if !is_between(c) {
            found.extend(fold(c).map(|sign| Sign {
                sign,
                at: at.clone(),
            }));
        }
    }
    found
}

/// The character that a text begins with, and how many bytes say it.
fn first(text: &str) -> Option<(char, usize)> {
    const BLANK: &str = "&nbsp;";
    let c = text.chars().next()?;
    match c {
        '%' => Some(percent(text.as_bytes()).unwrap_or((c, 1))),
        '&' if text.starts_with(BLANK) => Some((' ', BLANK.len())),
        _ => Some((c, c.len_utf8())),
    }
}

/// The character that percent signs and digits say at the beginning of a text.
fn percent(text: &[u8]) -> Option<(char, usize)> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let byte = |number: usize| {
        let at = number * 3;
        let value = digit(at + 1)? * 16 + digit(at + 2)?;
        (text.get(at) == Some(&b'%')).then(|| u8::try_from(value).ok())?
    };
    let length = match byte(0)? {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    let bytes: Vec<u8> = (0..length).map_while(byte).collect();
    let c = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((c, length * 3))
}

/// One case, and one width.
fn fold(c: char) -> impl Iterator<Item = char> {
    let narrow = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    narrow.to_lowercase()
}

/// What pages put between groups: blanks, dashes, dots and the like, and what cannot be seen.
fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | ',' | '_' | '+' | '/' | ':' | '|' | '…' | '·' | '•' | '\u{2010}'
                ..='\u{2015}' | '\u{2027}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
                | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'
                ..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masks(values: &[(&str, &str)]) -> Masks {
        let forms = values
            .iter()
            .map(|(label, value)| ((*value).to_owned(), format!("{{{{{label}}}}}")));
        Masks::new(forms)
    }

    #[test]
    fn values_are_found_as_pages_write_them() {
        let masks = masks(&[
            ("card", "4111111111111111"),
            ("pass-word", "password"),
            ("iban", "DE89 3704 0044 0532 0130 00"),
            ("six", "hunter"),
            ("pin", "2024"),
            ("cvc", "737"),
            ("two", "42"),
        ]);
        for (text, told) in [
            ("4111 1111 1111 1111", "{{card}}"),
            ("Card 4111-1111-1111-1111, ok", "Card {{card}}, ok"),
            ("no4111\u{a0}1111\u{2009}1111\u{200b}1111x", "no{{card}}x"),
            ("４１１１ 1111 1111 1111", "{{card}}"),
            ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "{{card}}"),
            (
                "http://h/#4111%201111%C2%A01111%e2%80%891111&x",
                "http://h/#{{card}}&x",
            ),
            ("h/?c=4111+1111+1111+1111", "h/?c={{card}}"),
            ("4111&nbsp;1111&nbsp;1111&nbsp;1111", "{{card}}"),
            ("100 % of %zz %2", "100 % of %zz %2"),
            ("1111 1111 1111", "1111 1111 1111"),
            ("ends in 4111 11…", "ends in {{card}}…"),
            ("…111 1111", "…{{card}}"),
            ("de89370400440532013000", "{{iban}}"),
            ("DE89-3704-0044-0532-0130-00.", "{{iban}}."),
            ("PASSWORD", "{{pass-word}}"),
            ("the Pass Word is", "the {{pass-word}} is"),
            ("{{pass-word}} stays", "{{pass-word}} stays"),
            ("HUN-TER!", "{{six}}!"),
            ("they shun terror", "they shun terror"),
            ("Hunters", "{{six}}s"),
            ("in 2024", "in {{pin}}"),
            ("2 0 2 4", "{{pin}}"),
            ("aged 20-24", "aged 20-24"),
            ("12 0 2 4", "12 0 2 4"),
            ("7 3 7", "7 3 7"),
            ("1737", "1{{cvc}}"),
            ("42", "{{two}}"),
            ("1420", "1420"),
            ("4-2", "4-2"),
        ] {
            assert_eq!(masks.mask(text), told, "{text}");
        }
    }

    #[test]
    fn places_that_meet_are_masked_as_one() {
        let masks = masks(&[("a", "abcdefghij"), ("b", "ghijklmnop")]);
        assert_eq!(masks.mask("x abcdef-ghijklmnop y"), "x {{a}} y");
        assert_eq!(masks.mask("abcdefghij ghijklmnop"), "{{a}} {{b}}");
    }

    const BETWEEN: [&str; 18] = [
        " ", "  ", "-", "\u{a0}", "\u{2009}", "\u{202f}", "\u{2013}", " - ", ".", "/", "\u{200b}",
        "\n", "·", "_", "%20", "%C2%A0", "+", "&nbsp;",
    ];

    proptest! {
        #[test]
        fn no_grouping_leaks(
            value in "[a-z0-9]{6,24}",
            gaps in proptest::collection::vec(proptest::option::of(0..BETWEEN.len()), 24),
            upper in proptest::collection::vec(any::<bool>(), 24),
            before in "([a-z ]{0,12}[ (:])?",
            after in "([ ).:,][a-z ]{0,12})?",
        ) {
            let masks = masks(&[("label", &value)]);
            let mut regrouped = String::new();
            for (number, sign) in value.chars().enumerate() {
                let gap = gaps[number].filter(|_| number > 0).map_or("", |gap| BETWEEN[gap]);
                regrouped.push_str(gap);
                regrouped.push(if upper[number] { sign.to_ascii_uppercase() } else { sign });
            }
            let told = masks.mask(&format!("{before}{regrouped}{after}")).into_owned();
            prop_assert!(!told.contains(&regrouped), "{told}");
            prop_assert!(told.contains("{{label}}"), "{told}");
            let left: String = signs(&told.replace("{{label}}", "\u{1}")).iter().map(|s| s.sign).collect();
            prop_assert!(!left.contains(&value), "{told}");
            // Masked again, it stays as it is.
            prop_assert_eq!(masks.mask(&told), told.as_str());
        }

        #[test]
        fn short_values_leave_ordinary_text_alone(
            value in "[0-9]{1,2}",
            text in "[a-z]{1,8} [0-9]{3,6} [a-z]{1,8}",
        ) {
            let masks = masks(&[("label", &value)]);
            prop_assert_eq!(masks.mask(&text), text.as_str());
        }
    }
}
