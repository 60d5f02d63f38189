//! What a session has copied.

use tokio::sync::watch;

/// A session's clipboard: text only.
#[derive(Debug)]
pub(in crate::browser) struct Clipboard {
    text: watch::Sender<Option<String>>,
}

impl Default for Clipboard {
    fn default() -> Self {
        Self {
            text: watch::Sender::new(None),
        }
    }
}

impl Clipboard {
    /// Takes what was copied.
    pub(in crate::browser) fn set(&self, text: String) {
        self.text.send_replace(Some(text));
    }

    /// Puts back what was there before.
    pub(in crate::browser) fn put_back(&self, text: Option<String>) {
        self.text.send_replace(text);
    }

    /// What was copied last; nothing when nothing was.
    pub(in crate::browser) fn text(&self) -> Option<String> {
        self.text.borrow().clone()
    }

    /// What is copied from now on.
    pub(in crate::browser) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.text.subscribe()
    }
}
