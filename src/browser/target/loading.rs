//! [`Loading`]: what the browser tells of a page's loads, folded into one value that can be
//! waited on. Pure.

use std::collections::HashSet;

/// Requests counted at once; a page with more in flight is busy whatever the exact number.
const IN_FLIGHT_MAX: usize = 4096;

/// The loading state of the page's main frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loading {
    /// Navigations begun, whoever began them.
    pub started: u64,
    /// Documents committed (a new document is shown).
    pub committed: u64,
    /// `load` events of the main frame.
    pub loaded: u64,
    /// How far the current document is.
    pub progress: Progress,
    /// Moves inside the same document (`history`, fragments).
    pub within_document: u64,
    /// Whether the main frame loads at this moment.
    pub is_loading: bool,
    /// Whether a document is asked for that has not come yet; Chromium says that it loads only
    /// when it has.
    pub awaits_document: bool,
    /// The URL of the current document.
    pub url: String,
    /// Requests of the page in flight that a settling page waits for.
    pub in_flight: usize,
    /// The newest failure of a main-frame document.
    pub failure: Option<Failure>,
    /// Whether the current document is Chromium's own error page.
    pub is_error_page: bool,
    /// The HTTP status of the newest main-frame document.
    pub http_status: Option<u16>,
    /// Whether the renderer crashed.
    pub crashed: bool,
}

/// How far a document is (HTML, "the end").
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// It is there, and more of it may come.
    #[default]
    Committed,
    /// All of it is read: `DOMContentLoaded`.
    Parsed,
    /// What it needs is there as well: `load`.
    Loaded,
}

impl Loading {
    /// Whether another document has begun to come since, or is there.
    pub fn went_since(&self, before: &Self) -> bool {
        self.started > before.started || self.committed > before.committed
    }

    /// Whether nothing was ever shown: the page is as empty as it was made.
    pub fn is_untouched(&self) -> bool {
        self.committed == 0 && self.url == "about:blank"
    }

    /// The failure that the current document stands for, if it is Chromium's own error page.
    pub fn shown_failure(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.is_error_page)
    }
}

/// A main-frame document that could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Counts failures, so that a new one can be told from an old one.
    pub number: u64,
    /// The URL that was asked for.
    pub url: String,
    /// Chromium's name of the error, `net::ERR_…`.
    pub error: String,
}

/// What the browser tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The main frame begins to load.
    LoadingStarted,
    /// The main frame stopped loading.
    LoadingStopped,
    /// A new document is shown in the main frame.
    Committed {
        /// Its URL.
        url: String,
        /// Whether it is Chromium's own error page, for a document that could not be loaded.
        is_error_page: bool,
    },
    /// The main frame moved inside its document.
    WithinDocument {
        /// Its new URL.
        url: String,
    },
    /// The main frame's `DOMContentLoaded` event.
    Parsed,
    /// The main frame's `load` event.
    Loaded,
    /// A request left the page.
    RequestStarted {
        /// Chromium's id of it.
        id: String,
        /// Whether it is the main frame's document.
        is_document: bool,
        /// Where it goes.
        url: String,
    },
    /// The main-frame document's answer began.
    Response {
        /// HTTP status.
        status: u16,
    },
    /// A request ended well.
    RequestDone {
        /// Chromium's id of it.
        id: String,
    },
    /// A request failed.
    RequestFailed {
        /// Chromium's id of it.
        id: String,
        /// Chromium's name of the error.
        error: String,
        /// Whether the page, or a newer navigation, cancelled it.
        cancelled: bool,
    },
    /// What was told of requests is lost in part; which of them are in flight is not known.
    Forgotten,
    /// The renderer crashed.
    Crashed,
}

/// Folds [`Signal`]s into [`Loading`].
#[derive(Debug, Default)]
pub struct Tracker {
    loading: Loading,
    requests: HashSet<String>,
    document: Option<(String, String)>,
    failures: u64,
}

impl Tracker {
    /// Goes on from a state that is known.
    pub fn from(loading: Loading) -> Self {
        Self {
            loading,
            ..Self::default()
        }
    }

    /// The state as it is.
    pub fn loading(&self) -> &Loading {
        &self.loading
    }

    /// Takes one signal in.
    pub fn apply(&mut self, signal: &Signal) {
        let loading = &mut self.loading;
        match signal {
            Signal::LoadingStarted => {
                loading.started += 1;
                loading.is_loading = true;
            }
            Signal::LoadingStopped => loading.is_loading = false,
            Signal::Committed { url, is_error_page } => {
                loading.committed += 1;
                loading.progress = Progress::Committed;
                loading.is_error_page = *is_error_page;
                loading.crashed = false;
                loading.awaits_document = false;
                loading.url.clone_from(url);
                // Requests of the old document never report their end.
                self.requests.clear();
                loading.in_flight = 0;
            }
            Signal::WithinDocument { url } => {
                loading.within_document += 1;
                loading.url.clone_from(url);
            }
            Signal::Parsed => loading.progress = loading.progress.max(Progress::Parsed),
            Signal::Loaded => {
                loading.loaded += 1;
                loading.progress = Progress::Loaded;
            }
            Signal::RequestStarted {
                id,
                is_document,
                url,
            } => {
                if *is_document {
                    self.document = Some((id.clone(), url.clone()));
                    loading.http_status = None;
                    loading.awaits_document = true;
                }
                if self.requests.len() < IN_FLIGHT_MAX {
                    self.requests.insert(id.clone());
                }
                loading.in_flight = self.requests.len();
            }
            Signal::Response { status } => loading.http_status = Some(*status),
            Signal::RequestDone { id } => self.end_request(id),
            Signal::RequestFailed {
                id,
                error,
                cancelled,
            } => {
                self.fail_document(id, error, *cancelled);
                self.end_request(id);
            }
            Signal::Forgotten => {
                self.requests.clear();
                loading.in_flight = 0;
            }
            Signal::Crashed => loading.crashed = true,
        }
    }

    fn end_request(&mut self, id: &str) {
        self.requests.remove(id);
        if self
            .document
            .as_ref()
            .is_some_and(|(document, _)| document == id)
        {
            self.loading.awaits_document = false;
        }
        self.loading.in_flight = self.requests.len();
    }

    fn fail_document(&mut self, id: &str, error: &str, cancelled: bool) {
        // A load that a newer one replaces is aborted, which is no failure.
        let aborted = cancelled || error == "net::ERR_ABORTED";
        if let Some((document, url)) = &self.document
            && document == id
            && !aborted
        {
            self.failures += 1;
            let (url, error) = (url.clone(), error.to_owned());
            self.loading.failure = Some(Failure {
                number: self.failures,
                url,
                error,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(signals: &[Signal]) -> Loading {
        let mut tracker = Tracker::default();
        signals.iter().for_each(|signal| tracker.apply(signal));
        tracker.loading().clone()
    }

    fn request(id: &str, is_document: bool) -> Signal {
        Signal::RequestStarted {
            id: id.to_owned(),
            is_document,
            url: format!("http://h/{id}"),
        }
    }

    #[test]
    fn a_load_from_start_to_end() {
        let loading = folded(&[
            Signal::LoadingStarted,
            request("d", true),
            Signal::Committed {
                url: "http://h/d".to_owned(),
                is_error_page: false,
            },
            request("a", false),
            Signal::Loaded,
            Signal::LoadingStopped,
        ]);
        assert_eq!(
            (loading.started, loading.committed, loading.loaded),
            (1, 1, 1)
        );
        assert_eq!((loading.in_flight, loading.is_loading), (1, false));
        assert_eq!(loading.url, "http://h/d");
    }

    #[test]
    fn a_loss_leaves_no_request_in_flight_for_ever() {
        let loading = folded(&[request("a", false), Signal::Forgotten]);
        assert_eq!(loading.in_flight, 0);
    }

    #[test]
    fn a_document_is_awaited_until_it_comes_or_fails() {
        let asked = folded(&[request("d", true)]);
        assert!(asked.awaits_document && !asked.is_loading);
        let done = Signal::RequestDone { id: "d".to_owned() };
        assert!(!folded(&[request("d", true), done]).awaits_document);
        let committed = Signal::Committed {
            url: "http://h/d".to_owned(),
            is_error_page: false,
        };
        assert!(!folded(&[request("d", true), committed]).awaits_document);
    }

    #[test]
    fn only_the_document_fails_a_navigation() {
        let fail = |id: &str, error: &str| Signal::RequestFailed {
            id: id.to_owned(),
            error: error.to_owned(),
            cancelled: false,
        };
        let refused = "net::ERR_CONNECTION_REFUSED";
        assert_eq!(
            folded(&[request("d", true), fail("a", refused)]).failure,
            None
        );
        assert_eq!(
            folded(&[request("d", true), fail("d", "net::ERR_ABORTED")]).failure,
            None
        );
        let failure = folded(&[request("d", true), fail("d", refused)])
            .failure
            .unwrap();
        assert_eq!((failure.number, failure.url.as_str()), (1, "http://h/d"));
    }
}
