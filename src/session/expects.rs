//! Whether the page is still the one that an action is meant for.

use serde_json::json;

use crate::model::command::{ActionError, ActionErrorKind, Expects};

/// The page that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) url: String,
    pub(super) tab: u32,
    /// Not known while the page is between two documents.
    pub(super) document: Option<u64>,
}

/// Refuses an action when something came between.
pub(super) fn check(expects: &Expects, present: &Present) -> Result<(), ActionError> {
    let Present { url, tab, document } = present;
    let what = if expects.tab.is_some_and(|expected| expected != *tab) {
        format!("tab {tab} is the current one")
    } else if expects.url.as_ref().is_some_and(|expected| expected != url) {
        format!("the page is at {url}")
    } else if expects.document.is_some() && expects.document != *document {
        "the page has been loaded again, or its document is another one".to_owned()
    } else {
        return Ok(());
    };
    Err(ActionError::new(
        ActionErrorKind::PageChanged,
        format!(
            "Nothing was done, for the page is not the one that was expected: {what}. Get the context \
             and decide again."
        ),
    )
    .context(json!({
        "expected": expects, "now": { "url": url, "tab": tab, "document": document },
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::{Delivery, Retry};

    #[test]
    fn what_is_expected_must_be_so_and_the_rest_may_be_anything() {
        let present = Present {
            url: "http://h/a".to_owned(),
            tab: 1,
            document: Some(7),
        };
        let expects = |url: Option<&str>, tab, document| Expects {
            url: url.map(str::to_owned),
            tab,
            document,
        };
        for expects in [
            expects(None, None, None),
            expects(Some("http://h/a"), None, None),
            expects(Some("http://h/a"), Some(1), Some(7)),
        ] {
            assert!(check(&expects, &present).is_ok(), "{expects:?}");
        }
        for (expects, words) in [
            (expects(Some("http://h/b"), None, None), "http://h/a"),
            (expects(None, Some(2), None), "tab 1"),
            (
                expects(Some("http://h/a"), Some(1), Some(6)),
                "loaded again",
            ),
        ] {
            let error = check(&expects, &present).expect_err("refused");
            assert_eq!(error.kind, ActionErrorKind::PageChanged);
            assert_eq!(error.outcome.delivery, Delivery::NotSent);
            assert_eq!(error.outcome.retry, Retry::Useless);
            assert!(error.message.contains(words), "{error}");
        }
        let unknown = Present {
            document: None,
            ..present
        };
        assert!(check(&expects(None, None, Some(7)), &unknown).is_err());
    }
}
