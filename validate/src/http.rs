//! A plain HTTP client, for the doors of the service and for LiveKit's room service.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Method};
use serde_json::Value;

use super::outcome::{Expect, Outcome};

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// One for all: what it reads of certificates takes longer than a request does. Each request has a
/// connection of its own, since what it is made to may have been started again meanwhile.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let builder = Client::builder().no_proxy().timeout(ANSWER_WITHIN);
    let client = builder.pool_max_idle_per_host(0).build();
    client.expect("a client is made of constants only")
});

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, for people.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    pub(super) fn json(&self) -> Outcome<Value> {
        let what = format!("the answer is JSON: {}", self.text());
        serde_json::from_slice(&self.body).expect_that(&what)
    }
}

/// What is sent.
pub(super) enum Body<'a> {
    None,
    Json(&'a Value),
    Sdp(String),
}

/// Sends a request; what it answers is for the caller to judge.
pub(super) async fn ask(
    method: &str,
    url: &str,
    token: Option<&str>,
    body: Body<'_>,
) -> Outcome<Answer> {
    let method = Method::from_bytes(method.as_bytes())?;
    let mut request = CLIENT.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let request = match body {
        Body::None => request,
        Body::Json(value) => request.json(value),
        Body::Sdp(sdp) => request.header("content-type", "application/sdp").body(sdp),
    };
    let answer = request.send().await?;
    Ok(Answer {
        status: answer.status().as_u16(),
        body: answer.bytes().await?,
    })
}
