//! Where a session's browser runs: on this machine, or far away.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::session::SessionSpec;
use crate::error::Error;

/// Which browser is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrowserWish {
    /// This machine's first, and the remote one where that cannot serve.
    #[default]
    Auto,
    /// This machine's, and no other.
    Local,
    /// The remote one, and no other.
    Remote,
}

/// Which browser serves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrowserPlace {
    /// One of this machine.
    #[default]
    Local,
    /// The remote one.
    Remote,
}

impl BrowserPlace {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// What a fence has to be in a remote browser, in whose way to the network nothing of ours can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemoteFence {
    /// What its pages ask for is held until it is judged; what cannot be held passes.
    #[default]
    Intercept,
    /// Nothing may pass: a session with a fence is not given to a remote browser.
    Strict,
}

/// Keys of a vendor's options that are the service's own: whose project pays, and whose logins it gets.
const RESERVED: [&str; 2] = ["/projectId", "/browserSettings/context"];
/// Bytes of a vendor's options as JSON.
const OPTIONS_BYTES_MAX: usize = 16 * 1024;
/// Characters of a user's name.
const USER_CHARS_MAX: usize = 128;

impl SessionSpec {
    /// Takes what another says of where its browser is to run.
    pub(super) fn take_place_of(&mut self, wanted: &Self) {
        self.browser = wanted.browser.or(self.browser);
        if self.remote_fence != Some(RemoteFence::Strict) {
            self.remote_fence = wanted.remote_fence.or(self.remote_fence);
        }
        if !wanted.remote_options.is_empty() {
            self.remote_options.clone_from(&wanted.remote_options);
        }
        if wanted.user_id.is_some() {
            self.user_id.clone_from(&wanted.user_id);
        }
    }

    /// Checks what is asked of a remote browser.
    pub(super) fn check_place(&self) -> Result<(), Error> {
        let options = Value::Object(self.remote_options.clone());
        if let Some(key) = RESERVED.iter().find(|key| options.pointer(key).is_some()) {
            let key = key.trim_start_matches('/').replace('/', ".");
            return Err(Error::invalid_input(format!("remote_options has {key}, which is the service's own"))
                .hint("Leave it out: the operator sets the project, and a kept session has its own context."));
        }
        if options.to_string().len() > OPTIONS_BYTES_MAX {
            return Err(Error::invalid_input("remote_options is too large")
                .hint(format!("Keep it under {OPTIONS_BYTES_MAX} bytes of JSON.")));
        }
        let is_name = |user: &String| {
            (1..=USER_CHARS_MAX).contains(&user.chars().count())
                && !user.chars().any(char::is_control)
        };
        if self.user_id.as_ref().is_some_and(|user| !is_name(user)) {
            return Err(Error::invalid_input("user_id is not a name").hint(format!(
                "Use 1 to {USER_CHARS_MAX} characters, none of them a control."
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(fields: &Value) -> SessionSpec {
        serde_json::from_value(fields.clone()).unwrap()
    }

    #[test]
    fn a_caller_gives_options_and_neither_a_project_nor_a_context() {
        for (options, is_good) in [
            (
                json!({ "proxies": true, "browserSettings": { "advancedStealth": true } }),
                true,
            ),
            (json!({ "projectId": "theirs" }), false),
            (
                json!({ "browserSettings": { "context": { "id": "somebody's" } } }),
                false,
            ),
            (json!({ "x": "y".repeat(OPTIONS_BYTES_MAX) }), false),
        ] {
            let spec = spec(&json!({ "room_name": "a", "remote_options": options }));
            assert_eq!(spec.check().is_ok(), is_good, "{options}");
            let told = serde_json::to_string(&spec).unwrap();
            assert!(!told.contains("remote_options"), "{told}");
        }
        for user in ["", "a\nb"] {
            assert!(
                spec(&json!({ "room_name": "a", "user_id": user }))
                    .check()
                    .is_err()
            );
        }
    }

    #[test]
    fn what_comes_back_goes_where_it_is_sent_and_no_fence_becomes_weaker() {
        let stored =
            spec(&json!({ "session_name": "a", "browser": "remote", "remote_fence": "strict" }));
        let same = stored
            .completed_by(&spec(&json!({ "session_name": "a" })))
            .unwrap();
        assert_eq!(same.browser, Some(BrowserWish::Remote));
        let wanted = spec(&json!({
            "session_name": "a", "browser": "local", "remote_fence": "intercept", "user_id": "u",
        }));
        let other = stored.completed_by(&wanted).unwrap();
        assert_eq!(other.browser, Some(BrowserWish::Local));
        assert_eq!(other.remote_fence, Some(RemoteFence::Strict));
        assert_eq!(other.user_id.as_deref(), Some("u"));
    }
}
