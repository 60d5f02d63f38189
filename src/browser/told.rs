//! What has been told of a session's pages, on our side: the numbers of elements, and lists, trees
//! and texts that can be read on although the page has changed. One for all tabs of a session.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::numbers::Numbers;

/// Things that are kept to be read on; the oldest goes first.
const KEPT_MAX: usize = 12;
/// Documents whose listeners and frames are remembered.
const DOCUMENTS_MAX: usize = 256;

/// What has been told of the pages of one session.
#[derive(Debug, Default)]
pub(in crate::browser) struct Told {
    numbers: Mutex<Numbers>,
    kept: Mutex<Kept>,
    documents: Mutex<Documents>,
}

impl Told {
    /// The numbers of elements.
    pub(in crate::browser) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be read on.
    pub(in crate::browser) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of documents.
    pub(in crate::browser) fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a kept thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::browser) enum Kind {
    /// A list of elements.
    List,
    /// A tree.
    Tree,
    /// A text.
    Text,
}

impl Kind {
    const fn letter(self) -> &'static str {
        match self {
            Self::List => "e",
            Self::Tree => "t",
            Self::Text => "x",
        }
    }
}

/// A thing that was told in parts.
#[derive(Debug)]
pub(in crate::browser) struct Whole {
    kind: Kind,
    number: u64,
    /// The document of the page that it is of.
    pub(in crate::browser) document: u64,
    /// What it consists of, each as JSON or a line of text.
    pub(in crate::browser) pieces: Vec<serde_json::Value>,
    /// How many there are, told or not.
    pub(in crate::browser) total: u64,
    /// Whether the page holds more than was read.
    pub(in crate::browser) truncated: bool,
    /// The state of the page that it belongs to.
    pub(in crate::browser) version: u64,
    /// How to tell what was not read yet, which comes after the pieces.
    pub(in crate::browser) unread: Option<Unread>,
}

/// The part of a long list that is read once somebody reads so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::browser) struct Unread {
    /// Whether each element's box is told.
    pub(in crate::browser) boxes: bool,
}

impl Whole {
    /// Where to read on.
    pub(in crate::browser) fn cursor(&self, start: usize) -> String {
        format!("{}{}.{start}", self.kind.letter(), self.number)
    }
}

/// What can be read on, the newest last.
#[derive(Debug, Default)]
pub(in crate::browser) struct Kept {
    last: u64,
    wholes: VecDeque<Arc<Whole>>,
    versions: HashMap<u32, (u64, Vec<u32>)>,
    last_version: u64,
}

impl Kept {
    /// Keeps a thing under a number of its own.
    pub(in crate::browser) fn keep(
        &mut self,
        kind: Kind,
        document: u64,
        pieces: Vec<serde_json::Value>,
        (total, truncated, version): (u64, bool, u64),
        unread: Option<Unread>,
    ) -> Arc<Whole> {
        self.last += 1;
        let whole = Arc::new(Whole {
            kind,
            number: self.last,
            document,
            pieces,
            total,
            truncated,
            version,
            unread,
        });
        self.wholes.push_back(Arc::clone(&whole));
        while self.wholes.len() > KEPT_MAX {
            self.wholes.pop_front();
        }
        whole
    }

    /// Adds to a list what of it was not read yet, under the same number; answers what is kept, which
    /// another reader may have completed first.
    pub(in crate::browser) fn complete(
        &mut self,
        whole: &Whole,
        rest: Vec<serde_json::Value>,
        (total, truncated): (u64, bool),
    ) -> Arc<Whole> {
        let is_it = |kept: &&mut Arc<Whole>| kept.number == whole.number;
        let mut kept = self.wholes.iter_mut().find(is_it);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.unread.is_none()) {
            return Arc::clone(kept);
        }
        let complete = Arc::new(Whole {
            pieces: whole.pieces.iter().cloned().chain(rest).collect(),
            total,
            truncated,
            unread: None,
            ..*whole
        });
        if let Some(kept) = &mut kept {
            **kept = Arc::clone(&complete);
        }
        complete
    }

    /// What a cursor points into, and where; none when it is no cursor, or what it points into is
    /// no longer kept.
    pub(in crate::browser) fn at(&self, kind: Kind, cursor: &str) -> Option<(Arc<Whole>, usize)> {
        let (number, start) = cursor.strip_prefix(kind.letter())?.split_once('.')?;
        let (number, start): (u64, usize) = (number.parse().ok()?, start.parse().ok()?);
        let is_it = |whole: &&Arc<Whole>| whole.kind == kind && whole.number == number;
        let whole = self.wholes.iter().find(is_it)?;
        (start <= whole.pieces.len()).then(|| (Arc::clone(whole), start))
    }

    /// The version of a tab's elements: the same as long as what stands for them is.
    pub(in crate::browser) fn version(&mut self, tab: u32, signs: Vec<u32>) -> u64 {
        if let Some((version, before)) = self.versions.get(&tab)
            && *before == signs
        {
            return *version;
        }
        self.last_version += 1;
        self.versions.insert(tab, (self.last_version, signs));
        self.last_version
    }
}

/// What is known of documents, by their numbers.
#[derive(Debug, Default)]
pub(in crate::browser) struct Documents {
    known: HashMap<u64, Document>,
    order: VecDeque<u64>,
}

/// What is known of one.
#[derive(Debug, Default)]
pub(in crate::browser) struct Document {
    /// Which of its nodes listen, by kind, as our scripts there were told.
    pub(in crate::browser) listening: HashSet<(&'static str, i64)>,
    /// The elements that hold frames, by the frames' ids.
    pub(in crate::browser) holders: HashMap<String, u64>,
}

impl Documents {
    /// What is known of a document.
    pub(in crate::browser) fn of(&mut self, document: u64) -> &mut Document {
        if !self.known.contains_key(&document) {
            self.order.push_back(document);
            while self.order.len() > DOCUMENTS_MAX {
                if let Some(oldest) = self.order.pop_front() {
                    self.known.remove(&oldest);
                }
            }
        }
        self.known.entry(document).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keep(kept: &mut Kept, kind: Kind) -> Arc<Whole> {
        kept.keep(kind, 7, vec![json!(1), json!(2)], (2, false, 1), None)
    }

    #[test]
    fn what_is_kept_is_found_by_its_cursor_and_nothing_else_is() {
        let mut kept = Kept::default();
        let list = keep(&mut kept, Kind::List);
        let cursor = list.cursor(1);
        assert_eq!(kept.at(Kind::List, &cursor).map(|(_, at)| at), Some(1));
        assert!(kept.at(Kind::Text, &cursor).is_none());
        for text in ["", "e", "e1", "e1.x", "e1.9", "e9.0", "e1.-1", "é1.0"] {
            assert!(kept.at(Kind::List, text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_list_is_completed_under_its_cursor() {
        let mut kept = Kept::default();
        let unread = Some(Unread { boxes: true });
        let list = kept.keep(Kind::List, 7, vec![json!(1)], (3, false, 1), unread);
        let cursor = list.cursor(1);
        kept.complete(&list, vec![json!(2), json!(3)], (3, false));
        kept.complete(&list, vec![json!(4)], (4, false));
        let (whole, at) = kept.at(Kind::List, &cursor).expect("it is kept");
        assert_eq!(
            (&whole.pieces[at..], whole.unread),
            (&[json!(2), json!(3)][..], None)
        );
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut kept = Kept::default();
        let first = keep(&mut kept, Kind::Tree).cursor(0);
        for _ in 0..KEPT_MAX {
            keep(&mut kept, Kind::Text);
        }
        assert!(kept.at(Kind::Tree, &first).is_none());
    }

    #[test]
    fn a_version_is_the_same_as_long_as_the_elements_are() {
        let mut kept = Kept::default();
        let first = kept.version(1, vec![1, 2]);
        assert_eq!(kept.version(1, vec![1, 2]), first);
        let other = kept.version(2, vec![1, 2]);
        assert_ne!(other, first, "another tab");
        assert_ne!(kept.version(1, vec![2, 1]), first);
    }

    #[test]
    fn documents_are_forgotten_oldest_first() {
        let mut documents = Documents::default();
        documents.of(1).holders.insert("f".to_owned(), 3);
        for document in 2..=DOCUMENTS_MAX as u64 {
            documents.of(document);
        }
        assert_eq!(documents.of(1).holders.len(), 1);
        documents.of(9_999);
        assert!(documents.of(1).holders.is_empty());
    }
}
