//! Events by what makes them, so that what a page makes without end takes no place from anything
//! else.

/// A kind of source. Each has a replay ring in its room, and a queue at each subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Where the page is, how actions end, and that the browser is lost.
    Outcomes,
    /// What changes in the page.
    Changes,
    /// What the page writes to its console.
    Console,
    /// The dialogs that the page opens.
    Dialogs,
    /// The files that the page sends.
    Downloads,
    /// What the session tells beside it.
    Details,
}

/// How many there are.
pub(super) const CLASSES: usize = 6;

impl Class {
    /// The class of an event's type.
    pub(super) fn of(type_name: &str) -> Self {
        match type_name {
            "dom_change" => Self::Changes,
            "console" => Self::Console,
            "dialog" => Self::Dialogs,
            "download" => Self::Downloads,
            "stream_state" | "action_started" | "settled" | "recording" => Self::Details,
            _ => Self::Outcomes,
        }
    }

    /// Its place in arrays.
    pub(super) const fn place(self) -> usize {
        self as usize
    }
}
