//! What Chromium says of a page, as a strip of tabs shows it.

use chromiumoxide_cdp::cdp::browser_protocol::target::TargetInfo;

use super::super::text::{cut, shown};

/// What a strip of tabs shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) url: String,
    pub(super) title: String,
}

impl Facts {
    pub(super) fn of(info: &TargetInfo) -> Self {
        Self {
            url: shown(&info.url),
            title: cut(&info.title),
        }
    }

    /// Whether the title is what Chromium calls a page before it knows better: its URL, as address
    /// bars show it.
    pub(super) fn is_nameless(&self) -> bool {
        let url = self.url.trim_end_matches('/');
        let short = url.split_once("://").map_or(url, |(_, rest)| rest);
        let title = self.title.trim_end_matches('/');
        title.is_empty() || title == url || title == short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_nameless_while_it_is_called_by_its_url() {
        let is_nameless = |url: &str, title: &str| {
            let (url, title) = (url.to_owned(), title.to_owned());
            Facts { url, title }.is_nameless()
        };
        assert!(is_nameless("http://h:1/", "h:1"));
        assert!(is_nameless("http://h/form", "h/form"));
        assert!(is_nameless("about:blank", "about:blank"));
        assert!(is_nameless("http://h/form", ""));
        assert!(!is_nameless("http://h/form", "form"));
    }
}
