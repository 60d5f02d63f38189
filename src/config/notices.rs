//! Who is told of what the operator has to know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Secret;

/// A shorter key can be guessed.
const KEY_BYTES_MIN: usize = 16;

/// Who is told of jobs that have failed and of logins that are good no more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// Notices are posted there; empty for nowhere. It may hold a token.
    pub webhook_url: Secret,
    /// What they are signed with: `whsec_`, and a key as Base64.
    pub webhook_secret: Secret,
    /// A mail server, as `smtps://user:password@host`; empty for none.
    pub mail_server: Secret,
    /// Who mails are from.
    pub mail_from: String,
    /// Whom they are for.
    pub mail_to: Vec<String>,
}

impl Notices {
    /// Whether they are posted.
    pub fn has_webhook(&self) -> bool {
        !self.webhook_url.is_empty()
    }

    /// Whether they are mailed.
    pub fn has_mail(&self) -> bool {
        !self.mail_server.is_empty()
    }

    /// What they are signed with; nothing where the secret is none.
    pub fn webhook_key(&self) -> Vec<u8> {
        let encoded = self.webhook_secret.reveal().strip_prefix("whsec_");
        let key = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        key.unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        // The messages repeat nothing of what may hold a token or a password.
        let scheme_is = |address: &Secret, schemes: [&str; 2]| {
            let url = url::Url::parse(address.reveal());
            url.is_ok_and(|url| schemes.contains(&url.scheme()) && url.host_str().is_some())
        };
        if self.has_webhook() {
            if !scheme_is(&self.webhook_url, ["http", "https"]) {
                return Err(Error::invalid_input("notices.webhook_url is not a URL")
                    .hint("It begins with http:// or https://."));
            }
            if self.webhook_key().len() < KEY_BYTES_MIN {
                return Err(Error::invalid_input(
                    "notices.webhook_secret is missing, or not of the form that it has",
                )
                .hint("Write whsec_ and, behind it, 16 bytes or more as Base64 (openssl rand -base64 32)."));
            }
        }
        if self.has_mail() {
            if !scheme_is(&self.mail_server, ["smtp", "smtps"]) {
                return Err(Error::invalid_input(
                    "notices.mail_server is not the address of a mail server",
                )
                .hint("Write it as smtps://user:password@host, or smtp://host:25."));
            }
            let is_address = |text: &String| text.contains('@');
            if !is_address(&self.mail_from)
                || self.mail_to.is_empty()
                || !self.mail_to.iter().all(is_address)
            {
                return Err(Error::invalid_input(
                    "notices.mail_from or notices.mail_to is no mail address",
                )
                .hint("Mails need one they are from, and one or more they are for."));
            }
        }
        Ok(())
    }
}
