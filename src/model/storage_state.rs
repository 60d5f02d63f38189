//! What sites know a browser by, in the JSON form of Playwright's `storageState`: cookies and
//! `localStorage`. Whoever has it is logged in, so nothing here is told by `Debug`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Error;

/// Most cookies that are taken, and most origins.
const ENTRIES_MAX: usize = 5_000;

/// Cookies and `localStorage`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageState {
    /// All cookies.
    #[serde(default)]
    pub cookies: Vec<StoredCookie>,
    /// What pages have stored, by their origins.
    #[serde(default)]
    pub origins: Vec<OriginState>,
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
    /// Databases; what has any is refused, for they are not put in.
    #[serde(default, rename = "indexedDB", skip_serializing)]
    #[schema(ignore)]
    pub indexed_db: Vec<Value>,
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
            if !state.indexed_db.is_empty() {
                return Err(Error::unsupported(format!(
                    "storage_state has IndexedDB of {}, which cannot be put into a browser",
                    state.origin
                ))
                .hint("Leave out indexedDB, or log in by hand in a session with a name: it keeps databases."));
            }
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
            r#"{"origins":[{"origin":"https://example.com","indexedDB":[{}]}]}"#,
        ] {
            assert!(state(wrong).check().is_err(), "{wrong}");
        }
        assert!(state("{}").check().is_ok() && state("{}").is_empty());
    }
}
