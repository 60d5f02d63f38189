//! What can go wrong between us and Chromium, by operation.

use crate::error::{BoxError, Error as ServiceError};

/// Why a remote browser cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// It, or its provider, is not there or fails.
    Unreachable,
    /// The provider does not take the key.
    Denied,
    /// The provider has no place at the moment.
    Full,
    /// The provider knows no such session or context.
    Missing,
    /// The provider does not take what is asked for.
    Refused,
    /// What is answered makes no sense.
    Senseless,
    /// What was noted of a session's context cannot be read.
    Unreadable,
}

/// An operation on Chromium that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A remote browser cannot be had.
    #[error("{operation}: {far:?}")]
    Far {
        /// Why.
        far: Far,
        /// What was tried.
        operation: &'static str,
        /// What failed, without any address or key.
        #[source]
        source: Option<BoxError>,
    },
    /// No executable was found.
    #[error("no Chromium was found")]
    NoExecutable,
    /// No executable that has windows was found.
    #[error("no Chromium with windows was found")]
    NoWindows {
        /// What browser.executable names, if it does.
        path: Option<String>,
    },
    /// A page was made and its window has not come to the display.
    #[error("the window of a page has not come to the display")]
    WindowMissing {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The configured executable is not there, or is none.
    #[error("there is no executable file {path}")]
    NotExecutable {
        /// What browser.executable names.
        path: String,
    },
    /// The process ended at once.
    #[error("Chromium at {path} ended before it could be used; it said last: {said}")]
    Ended {
        /// The executable.
        path: String,
        /// The last line of its stderr.
        said: String,
    },
    /// The process never opened its debugging socket.
    #[error("Chromium at {path} opened no debugging socket within {milliseconds} ms")]
    Mute {
        /// The executable.
        path: String,
        /// The bound.
        milliseconds: u128,
    },
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
    /// Our script in the page threw.
    #[error("our script in the page failed: {message}")]
    Script {
        /// The exception's text.
        message: String,
    },
    /// A picture that its format, or the memory, has no room for.
    #[error("a {format} picture of {width} x {height} px")]
    PictureSize {
        /// The format's name.
        format: &'static str,
        /// Px.
        width: u64,
        /// Px.
        height: u64,
        /// Most px a side.
        side_max: u64,
        /// Most px, both sides multiplied.
        pixels_max: u64,
    },
    /// A picture of what is not on the page.
    #[error("a picture of what lies outside a page of {width} x {height} px")]
    OutsidePage {
        /// The page's, CSS px.
        width: u64,
        /// The page's, CSS px.
        height: u64,
    },
    /// The document that was asked is no more, or there is none at this moment.
    #[error("the document was replaced")]
    Replaced,
    /// The page, or the frame's process, that was asked is no more.
    #[error("the page is gone")]
    Detached,
    /// The process is gone.
    #[error("the browser is gone")]
    Gone,
}

impl Far {
    fn outside_words(self) -> ServiceError {
        use ServiceError as Words;
        match self {
            Self::Unreachable => Words::unavailable("the remote browser cannot be reached").hint(
                "Try again later, or start the session with browser \"local\". The log has the cause.",
            ),
            Self::Denied => Words::unavailable("the remote browser's provider refuses the key").hint(
                "Check BROWSERBASE_API_KEY and BROWSERBASE_PROJECT_ID, or the token in remote.endpoint.",
            ),
            Self::Full => {
                Words::exhausted("the remote browser's provider has no place for one more session")
                    .hint("Close a session that runs there, or try again later.")
            }
            Self::Missing => Words::unprocessable(
                "the remote browser's provider does not know the project, or what it was asked for, any more",
            )
            .hint("Check BROWSERBASE_PROJECT_ID, and remote.base_url."),
            Self::Refused => {
                Words::unprocessable("the remote browser's provider refuses what is asked for")
                    .hint("Check remote_options, and remote.session_body. The log has its status.")
            }
            Self::Unreadable => Words::unprocessable(
                "which remote context has the session's logins cannot be read; what was noted is set aside",
            )
            .hint(
                "Start the session again for a new context, in which it logs in anew. The log says where the \
                 note is: mended and put back, it leads to the old one.",
            ),
            Self::Senseless => {
                Words::unavailable("what the remote browser answers makes no sense")
                    .hint("Check remote.endpoint, or remote.base_url.")
            }
        }
    }
}

impl Error {
    /// A remote browser cannot be had.
    pub(super) fn far(far: Far, operation: &'static str) -> Self {
        Self::Far {
            far,
            operation,
            source: None,
        }
    }

    /// Whether a remote browser cannot be had for that cause.
    pub(super) fn is_far(&self, cause: Far) -> bool {
        matches!(self, Self::Far { far, .. } if *far == cause)
    }

    /// Keeps the cause of a remote browser's absence.
    pub(super) fn because(mut self, cause: impl Into<BoxError>) -> Self {
        if let Self::Far { source, .. } = &mut self {
            *source = Some(cause.into());
        }
        self
    }

    /// Wraps parameters that could not be put together.
    pub(crate) fn builder(operation: &'static str) -> impl FnOnce(String) -> Self {
        move |text| Self::Command {
            operation,
            source: text.into(),
        }
    }
}

impl Error {
    /// What may be said of it outside, without its cause.
    pub(crate) fn outside_words(&self) -> ServiceError {
        use ServiceError as Words;
        match self {
            Self::Far { far, .. } => far.outside_words(),
            Self::NoExecutable => Words::unavailable("no Chromium was found on this machine")
                .hint("Install chromium-headless-shell or chromium, or set browser.executable."),
            Self::NoWindows { path } => no_windows(path.as_deref()),
            Self::WindowMissing { .. } => {
                Words::unavailable("the browser's window has not come to the display")
                    .hint("Try again, or take the screencast: capture of the session, or browser.capture.")
            }
            Self::NotExecutable { path } => {
                Words::unavailable(format!("there is no executable file {path}")).hint(
                    "Correct browser.executable, or leave it out and install \
                     chromium-headless-shell or chromium.",
                )
            }
            // What it said is for the log: it may hold anything.
            Self::Ended { path, .. } => {
                Words::unavailable(format!("{path} ended before it could be used")).hint(
                    "Is it Chromium? In a container, its sandbox needs user namespaces: see \
                     deploy/seccomp.json, or set browser.sandbox = \"off\". The log has its last \
                     words.",
                )
            }
            Self::Mute { path, milliseconds } => Words::unavailable(format!(
                "{path} opened no debugging socket within {milliseconds} ms"
            ))
            .hint("Is it Chromium? On a slow or busy machine, raise browser.launch_timeout_ms."),
            Self::Launch { path, .. } => {
                Words::unavailable(format!("Chromium at {path} could not be started")).hint(
                    "The log has the cause. Check browser.executable, and browser.work_dir and \
                     the free space there.",
                )
            }
            Self::Timeout { .. } => Words::timeout("the browser did not answer in time")
                .hint("Try again; if it persists, close the session and start it anew."),
            Self::Gone => Words::unavailable("the session's browser is gone")
                .hint("Start a new session on the room."),
            Self::Replaced => Words::unavailable("the page went to another document meanwhile")
                .hint("Try again in a moment."),
            Self::Detached => Words::unavailable("the tab was closed meanwhile")
                .hint("Get the context to see the tab that is current now, and try again."),
            Self::PictureSize {
                format,
                width,
                height,
                side_max,
                pixels_max,
            } => Words::unsupported(format!(
                "the picture would be {width} x {height} px, and as {format} it can have {side_max} \
                 px a side and {} million px at most",
                pixels_max / 1_000_000
            ))
            .hint(match *format {
                "png" => "Take a part of the page, by x, y, width and height or by an element's index.",
                _ => {
                    "Take a part of the page, by x, y, width and height or by an element's index, or \
                     png where the format can be chosen: it has room for more."
                }
            }),
            Self::OutsidePage { width, height } => Words::invalid_input(format!(
                "this part lies outside the page, which is {width} x {height} px"
            ))
            .hint("x and y count from the corner of what is in view: scroll the page, or use others."),
            Self::Script { .. } | Self::Command { .. } => {
                Words::unavailable("the browser refused the request")
                    .hint("Try again; the log has the details under the request id.")
            }
        }
    }
}

fn no_windows(path: Option<&str>) -> ServiceError {
    let message = match path {
        None => "no Chromium that draws to a display was found on this machine".to_owned(),
        Some(path) => format!("{path} has no windows that it could draw to a display"),
    };
    ServiceError::unavailable(message).hint(
        "Install chromium, or take the screencast: capture of the session, or browser.capture.",
    )
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        error.outside_words().source(error)
    }
}
