//! [`Sketch`]: what a browser shows in windows of its own, which a capture of the page leaves out.

use serde::Serialize;

use super::outcome::DialogInfo;

/// What is to be drawn over the page. Areas are left, top, width and height, CSS px.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Sketch {
    /// A JavaScript dialog.
    Dialog {
        /// Who asks; empty when that has no name.
        origin: String,
        /// What it says.
        info: DialogInfo,
    },
    /// The list of a select element.
    Choice {
        /// Where the element is.
        area: [f64; 4],
        /// Its options.
        list: Options,
    },
    /// A file chooser.
    Files {
        /// Where the element is that it was opened by.
        area: [f64; 4],
        /// The files that are chosen.
        names: Vec<String>,
    },
    /// Who drives, in a corner.
    Badge {
        /// What they are called.
        who: String,
    },
}

/// Some options of a select element, around those that are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
pub struct Options {
    /// Their labels.
    pub labels: Vec<String>,
    /// Which of them are chosen, by their places in the list.
    pub marked: Vec<usize>,
    /// So many are above.
    pub above: usize,
    /// So many are below.
    pub below: usize,
}
