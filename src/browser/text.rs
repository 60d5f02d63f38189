//! Texts of a page's making are bounded before they are kept.

use std::borrow::Cow;

/// Longest text passed on, characters.
pub(in crate::browser) const TEXT_CHARS_MAX: usize = 4_096;

/// Bounds a text of the page's making: events are kept, and go to every subscriber.
pub(in crate::browser) fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// A URL as it is told to anybody.
pub(in crate::browser) fn shown(url: &str) -> String {
    cut(&without_password(url))
}

/// A URL without the user name and the password in it: they open the page, and are in nothing that
/// is said of it.
pub(in crate::browser) fn without_password(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Cow::Borrowed(url);
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}://{}", &rest[at + 1..])),
        None => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_page_is_not_repeated() {
        for (url, shown) in [
            ("http://ada:pass@h/p?q=a@b", "http://h/p?q=a@b"),
            ("https://ada@h:8/", "https://h:8/"),
            ("http://h/a@b", "http://h/a@b"),
            ("http://a:b@c@h", "http://h"),
            ("about:blank", "about:blank"),
            ("http://h?x=1@2", "http://h?x=1@2"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
