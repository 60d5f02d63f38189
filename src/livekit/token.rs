//! Mints access tokens, with the least that publishing a browser needs.

use std::collections::HashMap;
use std::time::Duration;

use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};

use super::conventions;
use crate::model::{RoomName, Secret};

/// A token could not be minted.
#[derive(Debug, thiserror::Error)]
#[error("cannot mint a LiveKit token")]
pub struct Error {
    #[from]
    source: AccessTokenError,
}

/// Mints tokens for one participant of one room, from the service's own key.
#[derive(Debug, Clone)]
pub struct Minter {
    /// The key's name.
    pub api_key: String,
    /// The key.
    pub api_secret: Secret,
    /// The room.
    pub room: RoomName,
    /// The participant's identity.
    pub identity: String,
    /// The participant's display name.
    pub name: String,
}

impl Minter {
    /// A new token, good to join with for ten minutes.
    pub fn mint(&self) -> Result<Secret, Error> {
        let grants = VideoGrants {
            room_join: true,
            room: self.room.as_str().to_owned(),
            can_publish: Some(true),
            can_publish_sources: conventions::SOURCES.map(str::to_owned).to_vec(),
            can_publish_data: Some(true),
            can_subscribe: Some(false),
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        };
        let attributes = HashMap::from(
            [
                (conventions::PUBLISH_ON_BEHALF, self.identity.as_str()),
                (conventions::AGENT_NAME_SERVER, conventions::AGENT_NAME),
                (conventions::AGENT_NAME_FRAMEWORK, conventions::AGENT_NAME),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let token = AccessToken::with_api_key(&self.api_key, self.api_secret.reveal())
            .with_ttl(VALIDITY)
            .with_identity(&self.identity)
            .with_name(&self.name)
            .with_kind(conventions::KIND)
            .with_attributes(&attributes)
            .with_grants(grants)
            .to_jwt()?;
        Ok(Secret::from(token))
    }
}

/// How long a token can be used to join. The server refreshes it while connected, and each full
/// reconnect mints another.
const VALIDITY: Duration = Duration::from_secs(600);

/// A token that lets a person watch a room.
pub fn mint_viewer(
    api_key: &str,
    api_secret: &Secret,
    room: &RoomName,
    identity: &str,
) -> Result<Secret, Error> {
    let grants = VideoGrants {
        room_join: true,
        room: room.as_str().to_owned(),
        ..VideoGrants::default()
    };
    let token = AccessToken::with_api_key(api_key, api_secret.reveal())
        .with_identity(identity)
        .with_name(identity)
        .with_grants(grants)
        .to_jwt()?;
    Ok(Secret::from(token))
}

#[cfg(test)]
mod tests {
    use livekit_api::access_token::Claims;

    use super::*;

    fn minter() -> Minter {
        Minter {
            api_key: "devkey".to_owned(),
            api_secret: Secret::from("a-secret-of-some-length-for-tests".to_owned()),
            room: RoomName::parse("demo").unwrap(),
            identity: "browser-1".to_owned(),
            name: "Browser".to_owned(),
        }
    }

    #[test]
    fn a_token_grants_the_least_and_follows_the_conventions() {
        let token = minter().mint().unwrap();
        let claims = Claims::from_unverified(token.reveal()).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.kind.as_str()),
            ("browser-1", "agent")
        );
        assert_eq!(claims.video.room, "demo");
        assert_eq!(
            claims.video.can_publish_sources,
            ["screen_share", "screen_share_audio"]
        );
        assert_eq!(claims.video.can_subscribe, Some(false));
        assert!(!claims.video.room_admin && !claims.video.room_create);
        assert_eq!(claims.attributes["lk.publish_on_behalf"], "browser-1");
        assert_eq!(claims.attributes["lk.agent.name"], "ghostcast");
        assert_eq!(claims.attributes["lk.agent_name"], "ghostcast");
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?} {:?}", minter(), minter().mint().unwrap());
        assert!(!shown.contains("some-length") && !shown.contains("eyJ"));
    }
}
