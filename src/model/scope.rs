//! [`Scope`]: how far a token reaches.

use std::fmt;
use std::str::FromStr;

use super::RoomName;

/// What stands for every session.
const ALL: &str = "*";

/// What is done to a session; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To look: state, video, events, pictures, files.
    Watch,
    /// To act, start and close.
    Control,
    /// All else, such as its logins.
    Admin,
}

impl Right {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }
}

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of them.
    All,
    /// The one with this name, room or id.
    One(String),
}

/// What a token permits: `admin`, `control:KEY` or `watch:KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The most that may be done.
    pub right: Right,
    /// To which sessions.
    pub reach: Reach,
}

impl Scope {
    /// Everything.
    pub const ADMIN: Self = Self {
        right: Right::Admin,
        reach: Reach::All,
    };

    /// To watch one session.
    pub fn watch(key: impl Into<String>) -> Self {
        Self {
            right: Right::Watch,
            reach: Reach::One(key.into()),
        }
    }

    /// The one session that it reaches.
    pub fn key(&self) -> Option<&str> {
        match &self.reach {
            Reach::All => None,
            Reach::One(key) => Some(key),
        }
    }

    /// Whether it permits this on a session that is known by these names.
    pub fn permits<'a>(&self, right: Right, names: impl IntoIterator<Item = &'a str>) -> bool {
        let reaches = match &self.reach {
            Reach::All => true,
            Reach::One(key) => names.into_iter().any(|name| name == key),
        };
        self.right >= right && reaches
    }

    /// Whether it permits this on every session.
    pub fn permits_all(&self, right: Right) -> bool {
        self.right >= right && self.reach == Reach::All
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.right, &self.reach) {
            (Right::Admin, _) => f.write_str("admin"),
            (right, Reach::All) => write!(f, "{}:{ALL}", right.as_str()),
            (right, Reach::One(key)) => write!(f, "{}:{key}", right.as_str()),
        }
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str = "a scope is admin, control:KEY or watch:KEY, where KEY is a session's \
                             name or room, or * for all";
        let (right, key) = match text.split_once(':') {
            None if text == "admin" => return Ok(Self::ADMIN),
            Some(("control", key)) => (Right::Control, key),
            Some(("watch", key)) => (Right::Watch, key),
            _ => return Err(FORMS),
        };
        let reach = match key {
            ALL => Reach::All,
            // A session's name is a room's name as well.
            key if RoomName::parse(key).is_ok() => Reach::One(key.to_owned()),
            _ => return Err(FORMS),
        };
        Ok(Self { right, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_it_is_written() {
        for text in [
            "admin",
            "control:a room",
            "watch:shop",
            "watch:*",
            "control:a:b",
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "Admin",
            "admin:*",
            "admin:a",
            "watch",
            "watch:",
            "control:a/b",
            "see:a",
        ] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_in_the_scope_is_not_permitted() {
        let permits = |scope: &str, right, names: &[&str]| {
            let scope: Scope = scope.parse().unwrap();
            scope.permits(right, names.iter().copied())
        };
        assert!(permits("admin", Right::Admin, &[]));
        assert!(permits("control:a", Right::Control, &["id", "a"]));
        assert!(permits("control:a", Right::Watch, &["a"]));
        assert!(!permits("control:a", Right::Admin, &["a"]));
        assert!(!permits("control:a", Right::Watch, &["id", "b", "aa", ""]));
        assert!(!permits("watch:a", Right::Control, &["a"]));
        assert!(permits("watch:*", Right::Watch, &["any"]));
        assert!(!permits("control:*", Right::Admin, &["any"]));
        let all = |scope: &str| {
            let scope: Scope = scope.parse().unwrap();
            scope.permits_all(Right::Watch)
        };
        assert!(all("admin") && all("watch:*") && !all("control:a"));
    }
}
