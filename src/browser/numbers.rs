//! The session's numbers: which index means which element.
//!
//! A number is given once and never again, in whatever document or tab. An element keeps its own
//! as long as it is the same thing: the same node of the same document, which says the same. Pure.

use std::collections::{HashMap, VecDeque};

use serde::Deserialize;

/// Meanings that are remembered; of older numbers it is only known that they were given.
const REMEMBERED_MAX: usize = 100_000;

/// What an element is to whoever reads the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub(in crate::browser) struct Print {
    /// Its role.
    pub(in crate::browser) role: String,
    /// What it is called, without a clock that ticks in it.
    pub(in crate::browser) name: String,
    /// What the row around it says, without its own words.
    #[serde(default)]
    pub(in crate::browser) row: Option<String>,
    /// Where a link leads.
    #[serde(default)]
    pub(in crate::browser) href: Option<String>,
}

impl Print {
    /// As a person would say it: the button "Edit" in the row "Ana".
    pub(in crate::browser) fn words(&self) -> String {
        let role = match self.role.as_str() {
            "generic" | "" => "element",
            role => role,
        };
        let name = match self.name.as_str() {
            "" => format!("the {role} without a name"),
            name => format!("the {role} {name:?}"),
        };
        match &self.row {
            Some(row) => format!("{name} in the row {row:?}"),
            None => name,
        }
    }
}

/// What a number means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::browser) struct Meaning {
    /// The tab that it was listed in.
    pub(in crate::browser) tab: u32,
    /// The number of the document.
    pub(in crate::browser) document: u64,
    /// The node's number in that document.
    pub(in crate::browser) node: u64,
    /// What it was when it was listed.
    pub(in crate::browser) print: Print,
    /// Whether the node has said something else since.
    pub(in crate::browser) is_stale: bool,
}

/// What is known of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::browser) enum Lookup {
    /// It means this, as far as we know.
    Means(Meaning),
    /// It was given, so long ago that what it meant is forgotten.
    Forgotten,
    /// It never was given.
    NeverGiven,
}

/// The numbers of one session.
#[derive(Debug, Default)]
pub(in crate::browser) struct Numbers {
    /// The last number that was given.
    last: u32,
    /// The present number of each node.
    present: HashMap<(u64, u64), u32>,
    meanings: HashMap<u32, Meaning>,
    /// What is remembered, oldest first.
    order: VecDeque<u32>,
}

impl Numbers {
    /// The number of a node that says this now: its own, or a new one where it says something else
    /// than when it was listed.
    pub(in crate::browser) fn number(
        &mut self,
        tab: u32,
        (document, node): (u64, u64),
        print: Print,
    ) -> u32 {
        if let Some(index) = self.present.get(&(document, node))
            && let Some(meaning) = self.meanings.get_mut(index)
        {
            if meaning.print == print {
                meaning.tab = tab;
                return *index;
            }
            meaning.is_stale = true;
        }
        self.last += 1;
        let meaning = Meaning {
            tab,
            document,
            node,
            print,
            is_stale: false,
        };
        self.present.insert((document, node), self.last);
        self.meanings.insert(self.last, meaning);
        self.order.push_back(self.last);
        while self.order.len() > REMEMBERED_MAX {
            self.forget_oldest();
        }
        self.last
    }

    fn forget_oldest(&mut self) {
        let Some(index) = self.order.pop_front() else {
            return;
        };
        if let Some(meaning) = self.meanings.remove(&index) {
            let place = (meaning.document, meaning.node);
            if self.present.get(&place) == Some(&index) {
                self.present.remove(&place);
            }
        }
    }

    /// What a number means.
    pub(in crate::browser) fn look_up(&self, index: u32) -> Lookup {
        match self.meanings.get(&index) {
            Some(meaning) => Lookup::Means(meaning.clone()),
            None if (1..=self.last).contains(&index) => Lookup::Forgotten,
            None => Lookup::NeverGiven,
        }
    }

    /// The present number of a node, if it was listed.
    pub(in crate::browser) fn of(&self, document: u64, node: u64) -> Option<u32> {
        self.present.get(&(document, node)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(name: &str) -> Print {
        Print {
            role: "button".to_owned(),
            name: name.to_owned(),
            ..Print::default()
        }
    }

    #[test]
    fn an_element_keeps_its_number_while_it_says_the_same() {
        let mut numbers = Numbers::default();
        let first = numbers.number(1, (1, 1), print("Mute"));
        assert_eq!(first, 1, "numbers start at 1");
        assert_eq!(numbers.number(1, (1, 1), print("Mute")), first);
        assert_ne!(
            numbers.number(1, (2, 1), print("Mute")),
            first,
            "another document"
        );
    }

    #[test]
    fn a_node_that_says_something_else_has_another_number_for_ever() {
        let mut numbers = Numbers::default();
        let mute = numbers.number(1, (1, 1), print("Mute"));
        let unmute = numbers.number(1, (1, 1), print("Unmute"));
        let again = numbers.number(1, (1, 1), print("Mute"));
        assert!(mute < unmute && unmute < again);
        let Lookup::Means(was) = numbers.look_up(mute) else {
            panic!("it is remembered");
        };
        assert!(was.is_stale && was.print == print("Mute"));
        assert_eq!(numbers.of(1, 1), Some(again));
    }

    #[test]
    fn a_number_that_was_never_given_is_told_from_a_forgotten_one() {
        let mut numbers = Numbers::default();
        for node in 0..=REMEMBERED_MAX as u64 {
            numbers.number(1, (1, node), print("x"));
        }
        assert_eq!(numbers.look_up(1), Lookup::Forgotten);
        assert_eq!(numbers.of(1, 0), None);
        assert_eq!(numbers.look_up(0), Lookup::NeverGiven);
        let next = REMEMBERED_MAX as u32 + 2;
        assert_eq!(numbers.look_up(next), Lookup::NeverGiven);
    }

    #[test]
    fn elements_are_named_as_a_person_would() {
        let mut edit = print("Edit");
        edit.row = Some("Ana".to_owned());
        assert_eq!(edit.words(), "the button \"Edit\" in the row \"Ana\"");
        assert_eq!(Print::default().words(), "the element without a name");
    }

    proptest! {
        /// Whatever is listed in whatever order, a number means one thing for ever, and the number
        /// of a node means what it says now.
        #[test]
        fn a_number_never_means_two_things(
            steps in proptest::collection::vec((0u64..3, 0u64..4, 0u8..3), 1..200)
        ) {
            let mut numbers = Numbers::default();
            let mut meant: HashMap<u32, (u64, u64, Print)> = HashMap::new();
            for (document, node, says) in steps {
                let print = print(&says.to_string());
                let index = numbers.number(1, (document, node), print.clone());
                let now = (document, node, print);
                let before = meant.entry(index).or_insert_with(|| now.clone());
                prop_assert_eq!(&*before, &now);
                prop_assert_eq!(numbers.of(document, node), Some(index));
                match numbers.look_up(index) {
                    Lookup::Means(meaning) => prop_assert!(!meaning.is_stale),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
