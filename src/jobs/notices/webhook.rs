//! A notice by a signed request, as the specification "Standard Webhooks" has it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Notice, unsent, unset};
use crate::config::Notices;
use crate::credential::signed;
use crate::model::{JobError, UnixTime};

/// An answer comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Posts a notice. Whoever has it already knows so by `webhook-id`, which is the same for each attempt.
pub(super) async fn send(settings: &Notices, id: &str, notice: &Notice) -> Result<Value, JobError> {
    if !settings.has_webhook() {
        return Err(unset("notices.webhook_url"));
    }
    let body = json!(notice).to_string();
    let at = UnixTime::now().0 as u64;
    let signature = signature(&settings.webhook_key(), id, at, &body);
    let client = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.map_err(|error| unsent(format!("No request can be made: {error}.")))?;
    let request = client
        .post(settings.webhook_url.reveal())
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(body);
    // The address may hold a token.
    let answer = request.send().await.map_err(|error| {
        unsent(format!(
            "The webhook does not answer: {}.",
            error.without_url()
        ))
    })?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(json!({ "http_status": status.as_u16() })),
        false => Err(unsent(format!("The webhook answers {status}."))),
    }
}

/// The signature of a body.
fn signature(key: &[u8], id: &str, at: u64, body: &str) -> String {
    let tag = signed(key, format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_is_signed_as_others_do() {
        let settings = Notices {
            webhook_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into(),
            ..Notices::default()
        };
        let signed = signature(
            &settings.webhook_key(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
