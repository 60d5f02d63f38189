//! The one error type of the service: what went wrong, whose fault it is, and what to do next.
//!
//! Modules keep small error enums of their own that name the operation; they become an [`Error`]
//! where they leave the module. Only `message` and `hint` are meant for people outside the
//! process; the chain in `source` is for the log.

use std::borrow::Cow;

use serde::Serialize;

/// A boxed cause, kept for the log.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Shorthand for a result with the service's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that may leave the process. `Display` prints the external words only.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The class, which decides the status code on every protocol.
    pub kind: ErrorKind,
    /// One sentence: what went wrong.
    pub message: Cow<'static, str>,
    /// One sentence: what the caller can do about it.
    pub hint: Option<Cow<'static, str>>,
    /// The cause, logged and never sent.
    #[source]
    pub source: Option<BoxError>,
}

/// The class of an error. `api::status` maps each to a status code of every protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The caller, or a shutdown, ended the work.
    Cancelled,
    /// The session has closed, or is closing.
    Closed,
    /// The thing exists already, or is in a state that does not allow this.
    Conflict,
    /// A budget, queue or limit is full.
    Exhausted,
    /// The caller may not do this.
    Forbidden,
    /// A person drives the session.
    HumanInControl,
    /// A defect of the service.
    Internal,
    /// The request does not make sense as it was sent.
    InvalidInput,
    /// The service was not given what this needs.
    NotConfigured,
    /// No such room, session, viewer or path.
    NotFound,
    /// It took longer than its bound.
    Timeout,
    /// No valid token came with the request.
    Unauthenticated,
    /// Something the service depends on (browser, LiveKit) is not there.
    Unavailable,
    /// The request makes sense, and lacks what only its caller can add to it.
    Unprocessable,
    /// The request makes sense, and is for more than this page, format or build can do.
    Unsupported,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Adds what the caller can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong, and what to do next, as one text for whoever has but one place for it.
    pub fn in_full(&self) -> String {
        let message = self.message.trim_end_matches('.');
        match &self.hint {
            Some(hint) => format!("{message}. {hint}"),
            None => format!("{message}."),
        }
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(ErrorKind::$kind, message)
            })*
        }
    };
}

constructors! {
    /// See [`ErrorKind::Cancelled`].
    cancelled => Cancelled;
    /// See [`ErrorKind::Closed`].
    closed => Closed;
    /// See [`ErrorKind::Conflict`].
    conflict => Conflict;
    /// See [`ErrorKind::Exhausted`].
    exhausted => Exhausted;
    /// See [`ErrorKind::Forbidden`].
    forbidden => Forbidden;
    /// See [`ErrorKind::HumanInControl`].
    human_in_control => HumanInControl;
    /// See [`ErrorKind::Internal`].
    internal => Internal;
    /// See [`ErrorKind::InvalidInput`].
    invalid_input => InvalidInput;
    /// See [`ErrorKind::NotConfigured`].
    not_configured => NotConfigured;
    /// See [`ErrorKind::NotFound`].
    not_found => NotFound;
    /// See [`ErrorKind::Timeout`].
    timeout => Timeout;
    /// See [`ErrorKind::Unauthenticated`].
    unauthenticated => Unauthenticated;
    /// See [`ErrorKind::Unavailable`].
    unavailable => Unavailable;
    /// See [`ErrorKind::Unprocessable`].
    unprocessable => Unprocessable;
    /// See [`ErrorKind::Unsupported`].
    unsupported => Unsupported;
}

/// Prints an error and its whole chain of causes on one line, for the log.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'a));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}
