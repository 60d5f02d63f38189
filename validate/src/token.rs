//! Tokens of LiveKit for the validation's own viewers, and for its look into a room from outside.

use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};

use super::outcome::Outcome;

/// Longer than any test.
const VALIDITY: Duration = Duration::from_secs(600);

/// A key of a server, by which tokens are made.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) secret: &'a str,
}

/// Lets somebody into a room, to watch.
pub(super) fn mint_viewer(key: Key<'_>, room: &str, identity: &str) -> Outcome<String> {
    let grants = VideoGrants {
        room_join: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    };
    let token = AccessToken::with_api_key(key.name, key.secret);
    let token = token.with_ttl(VALIDITY).with_grants(grants);
    let token = token.with_identity(identity).with_name(identity);
    Ok(token.to_jwt()?)
}

/// Looks at a room from outside: for LiveKit's room service.
pub(super) fn mint_admin(key: Key<'_>, room: &str) -> Outcome<String> {
    let grants = VideoGrants {
        room_admin: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    };
    let token = AccessToken::with_api_key(key.name, key.secret);
    Ok(token.with_ttl(VALIDITY).with_grants(grants).to_jwt()?)
}
