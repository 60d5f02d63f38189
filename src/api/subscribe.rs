//! Which events a subscriber wants, whichever door it came through.

use std::collections::HashSet;

use crate::error::Error;
use crate::events::Types;
use crate::model::event::{EVENT_TYPES_DEFAULT, EVENT_TYPES_OPTIONAL};
use crate::model::{Event, EventBody, UnixTime};

/// The event types that a subscriber wants; `None` for all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted(Types);

impl Wanted {
    /// Parses a list of names; an empty one means the six default types.
    pub(super) fn parse<'a>(types: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let names: Vec<&str> = types
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        if names.contains(&"all") {
            return Ok(Self(None));
        }
        let mut wanted = HashSet::new();
        for name in &names {
            let known = EVENT_TYPES_DEFAULT.iter().chain(&EVENT_TYPES_OPTIONAL);
            let known = known.copied().find(|known| known == name);
            // `lagged` is sent whether asked for or not.
            match known {
                Some(known) => drop(wanted.insert(known)),
                None if *name == "lagged" => (),
                None => return Err(unknown_type(name)),
            }
        }
        if !EVENT_TYPES_DEFAULT
            .iter()
            .any(|default| wanted.contains(default))
        {
            wanted.extend(EVENT_TYPES_DEFAULT);
        }
        Ok(Self(Some(wanted)))
    }

    /// The types, as the bus takes them.
    pub(super) fn types(self) -> Types {
        self.0
    }
}

fn unknown_type(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    let all: Vec<&str> = EVENT_TYPES_DEFAULT
        .iter()
        .chain(&EVENT_TYPES_OPTIONAL)
        .copied()
        .collect();
    Error::invalid_input(format!("there is no event type \"{shown}\""))
        .hint(format!("The types are {}, and all.", all.join(", ")))
}

/// Tells how many events were missed, the last of them numbered `seq`, as JSON. `epoch` is the room's,
/// where it is to be told.
pub(super) fn lagged(missed: u64, seq: u64, epoch: Option<&str>) -> String {
    let epoch = epoch.map(str::to_owned);
    let event = Event {
        body: EventBody::Lagged { missed, epoch },
        timestamp: UnixTime::now(),
        seq,
    };
    // An event of numbers and a text always serialises.
    serde_json::to_string(&event).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_types_are_wanted() {
        let parse = |types: &str| Wanted::parse(types.split(','));
        let has = |types: &str, name: &str| {
            let types = parse(types).unwrap().types();
            types.is_none_or(|types| types.contains(name))
        };
        assert!(has("", "dom_change") && !has("", "console"));
        assert!(has("console", "dom_change") && has("console", "console"));
        let exact = "dom_change,settled";
        assert!(has(exact, "settled") && !has(exact, "page_navigation"));
        assert!(has("all", "dialog"));
        assert!(parse("bogus").is_err());
    }
}
