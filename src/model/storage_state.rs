//! What sites know a browser by, in the JSON form of Playwright's `storageState`: cookies, `localStorage` and
//! IndexedDB. Whoever has it is logged in, so nothing here is told by `Debug`.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::databases::StoredDatabase;
use crate::error::Error;

/// Most cookies that are taken, and most origins.
const ENTRIES_MAX: usize = 5_000;
/// What all origins have stored is taken out up to so many bytes of JSON: a state is put in whole.
pub const STATE_BYTES_MAX: usize = 12 << 20;

/// Cookies and what pages have stored.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageState {
    /// All cookies.
    #[serde(default)]
    pub cookies: Vec<StoredCookie>,
    /// What pages have stored, by their origins.
    #[serde(default)]
    pub origins: Vec<OriginState>,
    /// Passkeys; what has any is refused, for they are not put in.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub credentials: Vec<IgnoredAny>,
}

/// One cookie.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that it is for, with a leading dot where it is for those below it too.
    #[schema(example = "shop.example.com")]
    pub domain: String,
    /// The path that it is for.
    #[serde(default = "root")]
    pub path: String,
    /// Unix seconds; -1 for the browser's session.
    #[serde(default = "never")]
    pub expires: f64,
    /// Whether scripts of pages cannot read it.
    #[serde(default)]
    pub http_only: bool,
    /// Whether it goes by TLS alone.
    #[serde(default)]
    pub secure: bool,
    /// `Strict`, `Lax` or `None`.
    #[serde(default)]
    pub same_site: SameSite,
}

/// Which requests of other sites a cookie goes with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that lead there.
    #[default]
    Lax,
    /// All.
    None,
}

/// What the pages of one origin have stored.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OriginState {
    /// The origin.
    #[schema(example = "https://shop.example.com")]
    pub origin: String,
    /// `localStorage`.
    #[serde(default)]
    pub local_storage: Vec<StoredItem>,
    /// The databases of IndexedDB.
    #[serde(default, rename = "indexedDB", skip_serializing_if = "Vec::is_empty")]
    pub indexed_db: Vec<StoredDatabase>,
    /// What the origin has stored beyond this, and why it is not here; not read. Playwright does not know it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", skip_deserializing)]
    pub left_out: Vec<LeftOut>,
    /// Files of the origin's own file system; what has any is refused, for they are not put in.
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub opfs: Vec<IgnoredAny>,
}

/// What is not in a state.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// A database; without `store` all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// One of its object stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// How many of the store's records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The key of an item of `localStorage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Why.
    #[schema(example = "it has a Blob, which JSON cannot hold")]
    pub why: String,
}

impl LeftOut {
    /// All of an origin.
    pub const fn all(why: String) -> Self {
        Self {
            database: None,
            store: None,
            records: None,
            item: None,
            why,
        }
    }
}

/// One item of `localStorage`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredItem {
    /// Its key.
    pub name: String,
    /// Its value.
    pub value: String,
}

fn root() -> String {
    "/".to_owned()
}

const fn never() -> f64 {
    -1.0
}

impl fmt::Debug for StorageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cookies, origins) = (self.cookies.len(), self.origins.len());
        write!(f, "StorageState({cookies} cookies, {origins} origins)")
    }
}

impl fmt::Debug for StoredCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredCookie({} of {})", self.name, self.domain)
    }
}

impl fmt::Debug for OriginState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginState({})", self.origin)
    }
}

impl fmt::Debug for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeftOut({})", self.why)
    }
}

impl fmt::Debug for StoredItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredItem({})", self.name)
    }
}

impl StorageState {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty() && self.origins.is_empty()
    }

    /// Checks what a browser would refuse, or would not be given.
    pub fn check(&self) -> Result<(), Error> {
        let hint = "Send what GET /sessions/{room_name}/storage_state, or Playwright's storageState, answers.";
        if self.cookies.len() > ENTRIES_MAX || self.origins.len() > ENTRIES_MAX {
            return Err(
                Error::invalid_input("storage_state is too large").hint(format!(
                    "Use at most {ENTRIES_MAX} cookies and as many origins."
                )),
            );
        }
        let is_whole = |cookie: &StoredCookie| {
            !cookie.domain.trim_matches('.').is_empty() && cookie.path.starts_with('/')
        };
        if let Some(cookie) = self.cookies.iter().find(|cookie| !is_whole(cookie)) {
            let name: String = cookie.name.chars().take(64).collect();
            return Err(Error::invalid_input(format!(
                "the cookie \"{name}\" of storage_state has no domain or path"
            ))
            .hint(hint));
        }
        let mut origins = BTreeSet::new();
        for state in &self.origins {
            let origin = url::Url::parse(&state.origin);
            let is_origin = origin.is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == state.origin
            });
            if !is_origin {
                let shown: String = state.origin.chars().take(128).collect();
                return Err(Error::invalid_input(format!(
                    "\"{shown}\" of storage_state is not an origin"
                ))
                .hint(hint));
            }
            if !state.opfs.is_empty() {
                return Err(Error::unsupported(format!(
                    "storage_state has files (opfs) of {}, which are not put into a browser",
                    state.origin
                ))
                .hint(
                    "Leave out opfs, or log in by hand in a session with a name: it keeps files.",
                ));
            }
            if !origins.insert(&state.origin) {
                return Err(Error::invalid_input(format!(
                    "storage_state has {} twice",
                    state.origin
                ))
                .hint(hint));
            }
            let mut names = BTreeSet::new();
            for database in &state.indexed_db {
                if !names.insert(&database.name) {
                    return Err(Error::invalid_input(format!(
                        "storage_state has two databases of one name for {}",
                        state.origin
                    ))
                    .hint(hint));
                }
                database
                    .check(&state.origin)
                    .map_err(|error| error.hint(hint))?;
            }
        }
        if !self.credentials.is_empty() {
            return Err(Error::unsupported(
                "storage_state has passkeys (credentials), which are not put into a browser",
            )
            .hint("Leave out credentials."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(json: &str) -> StorageState {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn playwrights_own_form_is_taken_and_given() {
        let json = r#"{"cookies":[{"name":"a","value":"b","domain":"example.com","path":"/","expires":-1.0,"httpOnly":true,"secure":false,"sameSite":"Lax"}],"origins":[{"origin":"https://example.com","localStorage":[{"name":"k","value":"v"}]}]}"#;
        let read = state(json);
        assert!(read.check().is_ok());
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        assert_eq!(format!("{read:?}"), "StorageState(1 cookies, 1 origins)");
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for wrong in [
            r#"{"cookies":[{"name":"a","value":"b","domain":""}]}"#,
            r#"{"cookies":[{"name":"a","value":"b","domain":"h","path":"x"}]}"#,
            r#"{"origins":[{"origin":"example.com"}]}"#,
            r#"{"origins":[{"origin":"https://example.com/"}]}"#,
            r#"{"origins":[{"origin":"file:///"}]}"#,
            r#"{"origins":[{"origin":"https://example.com","opfs":[{"path":"a","type":"directory"}]}]}"#,
            r#"{"credentials":[{}]}"#,
            r#"{"origins":[{"origin":"https://a.test"},{"origin":"https://a.test"}]}"#,
            r#"{"origins":[{"origin":"https://a.test","indexedDB":[{"name":"d","version":1},{"name":"d","version":1}]}]}"#,
        ] {
            assert!(state(wrong).check().is_err(), "{wrong}");
        }
        assert!(state("{}").check().is_ok() && state("{}").is_empty());
    }
}
