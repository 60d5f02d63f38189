//! Words that are made of others.

/// A text as the beginning of a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_letter_is_another_one() {
        assert_eq!(capital("button \"Send it\""), "Button \"Send it\"");
        assert_eq!(capital("ältere"), "Ältere");
        assert_eq!(capital(""), "");
    }
}
