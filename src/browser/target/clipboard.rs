//! What a session has copied.

use std::sync::{Mutex, PoisonError};

/// A session's clipboard: text only.
#[derive(Debug, Default)]
pub(in crate::browser) struct Clipboard {
    text: Mutex<Option<String>>,
}

impl Clipboard {
    /// Takes what was copied.
    pub(in crate::browser) fn set(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// What was copied last; nothing when nothing was.
    pub(in crate::browser) fn text(&self) -> Option<String> {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
