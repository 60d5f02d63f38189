//! Whether a field holds what was typed: a comparison, and nothing else.

/// What a field should hold after typing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Exactly this, but for how the field writes it.
    Whole(String),
    /// Exactly this, in place of the other, but for how the field writes it.
    Instead(String, String),
    /// This among what was there, at a place that cannot be told.
    Within(String),
}

/// How what is held compares with what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is held as it was typed.
    Exact,
    /// All that was typed is there in its order; the field writes it its own way.
    Reformatted,
    /// Some of it is missing.
    Refused,
}

impl Wanted {
    /// What a field holds that held `before` when `text` comes in place of what lies between the
    /// two ends of `caret` (UTF-16 units), or of everything.
    pub(super) fn new(
        before: &str,
        text: &str,
        clear: bool,
        caret: Option<(usize, usize)>,
    ) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if before.is_empty() {
            return Self::Whole(text);
        }
        if clear {
            return Self::Instead(text, before.to_owned());
        }
        let Some((start, end)) = caret else {
            return Self::Within(text);
        };
        let units: Vec<u16> = before.encode_utf16().collect();
        let (start, end) = (start.min(units.len()), end.min(units.len()));
        let head = String::from_utf16_lossy(&units[..start]);
        let tail = String::from_utf16_lossy(&units[end.max(start)..]);
        Self::Whole(format!("{head}{text}{tail}"))
    }

    /// Compares with what is held.
    pub(super) fn verdict(&self, held: &str) -> Verdict {
        let (wanted, is_whole) = match self {
            Self::Whole(wanted) | Self::Instead(wanted, _) => (wanted, true),
            Self::Within(wanted) => (wanted, false),
        };
        let (plain_held, plain_wanted) = (plain(held), plain(wanted));
        let is_exact = match is_whole {
            true => plain_held == plain_wanted,
            false => plain_held.contains(plain_wanted.trim()),
        };
        if is_exact {
            return Verdict::Exact;
        }
        if let Self::Instead(text, old) = self
            && (held == format!("{text}{old}") || held == format!("{old}{text}"))
        {
            return Verdict::Refused;
        }
        let is_broken = lines(&plain_held) >= lines(&plain_wanted);
        let marks_wanted = marks(wanted);
        let is_there = !marks_wanted.is_empty() && is_in_order(&marks_wanted, &marks(held));
        match is_there && is_broken {
            true => Verdict::Reformatted,
            false => Verdict::Refused,
        }
    }

    /// Whether it is held to the letter, as a password must be.
    pub(super) fn is_held_exactly(&self, held: &str) -> bool {
        match self {
            Self::Whole(wanted) | Self::Instead(wanted, _) => held == wanted,
            Self::Within(wanted) => held.contains(wanted.as_str()),
        }
    }
}

/// Without what editors add by themselves: blank lines, and blanks at the ends.
fn plain(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n").trim().to_owned()
}

fn lines(plain: &str) -> usize {
    plain.lines().count()
}

/// What no field may drop: letters and digits, and signs of other scripts such as emoji.
fn marks(text: &str) -> Vec<char> {
    // Arrows, signs and pictures lie above; quotation marks and dashes, which fields set their own
    // way, below.
    let is_sign = |c: char| {
        let number = u32::from(c);
        number >= 0x2190 && !matches!(number, 0xFE00..=0xFE0F | 0xFEFF | 0x3000..=0x303F)
    };
    text.chars()
        .filter(|c| c.is_alphanumeric() || is_sign(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether all of `wanted` is in `held`, in its order.
fn is_in_order(wanted: &[char], held: &[char]) -> bool {
    let mut held = held.iter();
    wanted.iter().all(|mark| held.any(|other| other == mark))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Wanted {
        Wanted::new("", text, true, None)
    }

    #[test]
    fn fields_may_write_it_their_own_way_and_drop_nothing() {
        for (typed, held, verdict) in [
            ("Ana Lima", "Ana Lima", Verdict::Exact),
            ("5551234567", "(555) 123-4567", Verdict::Reformatted),
            ("+1 555", "1555", Verdict::Reformatted),
            ("1000000", "1,000,000", Verdict::Reformatted),
            ("abc", "ABC", Verdict::Reformatted),
            ("say \"no\"", "say “no”", Verdict::Reformatted),
            ("SUMMER-2026-XL", "SUMMER-2", Verdict::Refused),
            ("Ana 42", "Ana ", Verdict::Refused),
            ("10.505", "10.51", Verdict::Refused),
            ("twelve", "", Verdict::Refused),
            ("--", "", Verdict::Refused),
            ("hi 😀", "hi ", Verdict::Refused),
            ("a\nb", "ab", Verdict::Refused),
            ("a\r\nb", "a\n\nb\n", Verdict::Exact),
            ("", "", Verdict::Exact),
            ("", "left", Verdict::Refused),
        ] {
            assert_eq!(whole(typed).verdict(held), verdict, "{typed:?} {held:?}");
        }
    }

    #[test]
    fn text_goes_where_the_caret_is() {
        let wanted = |clear, caret| Wanted::new("a😀b", "X", clear, caret);
        for (held, verdict) in [
            ("X", Verdict::Exact),
            ("Xa😀b", Verdict::Refused),
            ("a😀bX", Verdict::Refused),
            ("x.", Verdict::Reformatted),
        ] {
            assert_eq!(wanted(true, None).verdict(held), verdict, "{held}");
        }
        assert_eq!(
            wanted(false, Some((4, 4))),
            Wanted::Whole("a😀bX".to_owned())
        );
        assert_eq!(wanted(false, Some((1, 3))), Wanted::Whole("aXb".to_owned()));
        assert_eq!(
            wanted(false, Some((9, 9))),
            Wanted::Whole("a😀bX".to_owned())
        );
        assert_eq!(wanted(false, None), Wanted::Within("X".to_owned()));
        assert_eq!(wanted(false, None).verdict("aX😀b"), Verdict::Exact);
        assert_eq!(wanted(false, None).verdict("a😀b"), Verdict::Refused);
    }

    #[test]
    fn a_password_is_held_to_the_letter() {
        assert!(whole("K@strel").is_held_exactly("K@strel"));
        assert!(!whole("K@strel").is_held_exactly("Kstrel"));
    }

    proptest! {
        #[test]
        fn what_is_held_as_typed_is_exact(text in "\\PC{0,30}") {
            prop_assert_eq!(whole(&text).verdict(&text), Verdict::Exact);
        }

        #[test]
        fn no_letter_may_be_lost(text in "[a-z0-9 .-]{0,20}", at in 0_usize..20) {
            let letters: Vec<usize> = text.match_indices(char::is_alphanumeric).map(|(i, _)| i).collect();
            prop_assume!(!letters.is_empty());
            let mut less = text.clone();
            less.remove(letters[at % letters.len()]);
            prop_assert_eq!(whole(&text).verdict(&less), Verdict::Refused);
        }

        #[test]
        fn punctuation_may_come_in_anywhere(text in "[a-z0-9]{1,20}", at in 0_usize..20) {
            let mut more = text.clone();
            more.insert(at % (text.len() + 1), '-');
            prop_assert_eq!(whole(&text).verdict(&more), Verdict::Reformatted);
        }

        #[test]
        fn any_caret_is_taken(before in "\\PC{0,10}", start in 0_usize..20, end in 0_usize..20) {
            let wanted = Wanted::new(&before, "x", false, Some((start, end)));
            prop_assert!(matches!(wanted, Wanted::Whole(text) if text.contains('x')));
        }
    }
}
