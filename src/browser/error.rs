//! What can go wrong between us and Chromium, by operation.

use chromiumoxide::error::CdpError;

use crate::error::{BoxError, Error as ServiceError};

/// An operation on Chromium that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No executable was found.
    #[error("no Chromium was found")]
    NoExecutable,
    /// The process could not be started.
    #[error("start Chromium at {path}")]
    Launch {
        /// The executable.
        path: String,
        /// What failed.
        #[source]
        source: BoxError,
    },
    /// A command was refused or its answer made no sense.
    #[error("{operation}")]
    Command {
        /// What was tried.
        operation: &'static str,
        /// What failed.
        #[source]
        source: BoxError,
    },
    /// The browser did not answer in time.
    #[error("{operation} took too long")]
    Timeout {
        /// What was tried.
        operation: &'static str,
    },
    /// The process is gone.
    #[error("the browser is gone")]
    Gone,
}

impl Error {
    /// Wraps a failed command.
    pub(crate) fn command(operation: &'static str) -> impl FnOnce(CdpError) -> Self {
        move |source| match source {
            CdpError::Timeout => Self::Timeout { operation },
            CdpError::ChannelSendError(_) | CdpError::NoResponse => Self::Gone,
            other => Self::Command {
                operation,
                source: Box::new(other),
            },
        }
    }

    /// Wraps parameters that could not be put together.
    pub(crate) fn builder(operation: &'static str) -> impl FnOnce(String) -> Self {
        move |text| Self::Command {
            operation,
            source: text.into(),
        }
    }

    /// Whether the page was replaced under the command, so that trying again makes sense.
    pub(crate) fn is_stale_context(&self) -> bool {
        let Self::Command { source, .. } = self else {
            return false;
        };
        let text = source.to_string();
        ["context", "Context", "navigated", "-32000"]
            .iter()
            .any(|word| text.contains(word))
    }
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoExecutable => Self::unavailable("no Chromium was found on this machine")
                .hint("Install chromium-headless-shell or chromium, or set browser.executable."),
            Error::Launch { .. } => Self::unavailable("Chromium could not be started")
                .hint("Run `ghostcast doctor` to see why."),
            Error::Timeout { .. } => Self::timeout("the browser did not answer in time")
                .hint("Try again; if it persists, close the session and start it anew."),
            Error::Gone => Self::unavailable("the session's browser is gone")
                .hint("Start a new session on the room."),
            Error::Command { .. } => Self::unavailable("the browser refused the request")
                .hint("Try again; the log has the details under the request id."),
        }
        .source(error)
    }
}
