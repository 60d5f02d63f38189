//! Addresses of pages, as they may be repeated.

use std::borrow::Cow;

/// A URL without the user name and the password in it: they open the page, and are in nothing that
/// is said of it.
pub fn without_password(url: &str) -> Cow<'_, str> {
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
