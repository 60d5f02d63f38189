//! Texts of a page's making are bounded before they are kept.

pub(in crate::browser) use crate::model::address::without_password;

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
