//! A plain HTTP client, for the doors of the service and for LiveKit's room service.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::outcome::{Expect, Outcome};

const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Outcome<Value> {
        let what = format!("the answer is JSON: {}", self.body);
        serde_json::from_str(&self.body).expect_that(&what)
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
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER_WITHIN)
        .build()?;
    let method = Method::from_bytes(method.as_bytes())?;
    let mut request = client.request(method, url);
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
        body: answer.text().await?,
    })
}
