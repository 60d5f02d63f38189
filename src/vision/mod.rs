//! Questions about a picture, put to any endpoint that speaks the chat completions of OpenAI: a
//! hosted model, or one on this machine. Optional; nothing else needs it.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config;
use crate::error::{Chain, Error};

/// Longest answer read, bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Longest question, characters.
pub const QUESTION_CHARS_MAX: usize = 4_000;

/// What the numbers in a marked picture are.
const ABOUT_MARKS: &str = "The picture is a screenshot of a web page. The coloured boxes with \
    numbers are drawn over it: each number is the index of the element in its box. Name elements \
    by their numbers.";
const ABOUT_PICTURE: &str = "The picture is a screenshot of a web page.";

/// A picture to ask about.
#[derive(Debug, Clone)]
pub struct Picture {
    /// PNG or JPEG.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// Whether numbered boxes are drawn on it.
    pub is_marked: bool,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Analysis {
    /// The model's words.
    pub answer: String,
    /// The model that gave them.
    pub model: String,
    /// How long it took, milliseconds.
    pub took_ms: f64,
}

/// A client of the configured endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    http: Option<reqwest::Client>,
    config: config::Vision,
}

/// The part of an answer that is of interest.
#[derive(Debug, Deserialize)]
struct Completion {
    model: Option<String>,
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Value,
}

impl Client {
    /// A client; without an endpoint it answers that it is not configured.
    pub fn new(config: &config::Vision) -> Self {
        let http = reqwest::Client::builder()
            // The key goes to the endpoint that was configured and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(config.timeout_s))
            .build();
        if let Err(error) = &http {
            tracing::warn!(error = %Chain(error), "no client for the vision endpoint");
        }
        Self {
            http: http.ok(),
            config: config.clone(),
        }
    }

    /// Whether there is somebody to ask; the error says what to set.
    pub fn check(&self, question: &str) -> Result<(), Error> {
        if self.config.url.is_empty() {
            return Err(Error::not_configured("no vision endpoint is configured").hint(
                "Set vision.url and vision.model, and GHOSTCAST_VISION__API_KEY where the endpoint \
                 wants a key.",
            ));
        }
        let length = question.trim().chars().count();
        if length == 0 || length > QUESTION_CHARS_MAX {
            return Err(Error::invalid_input("question is empty or too long")
                .hint(format!("Use 1 to {QUESTION_CHARS_MAX} characters.")));
        }
        Ok(())
    }

    /// Asks about a picture.
    pub async fn ask(&self, question: &str, picture: &Picture) -> Result<Analysis, Error> {
        self.check(question)?;
        let started = Instant::now();
        let http = self
            .http
            .as_ref()
            .ok_or_else(|| Error::internal("the vision endpoint cannot be reached from here"))?;
        let mut request = http.post(endpoint(&self.config.url));
        if !self.config.api_key.is_empty() {
            request = request.bearer_auth(self.config.api_key.reveal());
        }
        let body = body(&self.config, question, picture);
        let answer = request.json(&body).send().await.map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(status.as_u16()));
        }
        let completion = parse(&read(answer).await?)?;
        Ok(Analysis {
            answer: completion.0,
            model: completion.1.unwrap_or_else(|| self.config.model.clone()),
            took_ms: (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        })
    }
}

fn endpoint(url: &str) -> String {
    let base = url.trim_end_matches('/');
    match base.ends_with("/chat/completions") {
        true => base.to_owned(),
        false => format!("{base}/chat/completions"),
    }
}

fn body(config: &config::Vision, question: &str, picture: &Picture) -> Value {
    let data = STANDARD.encode(&picture.bytes);
    let url = format!("data:{};base64,{data}", picture.media_type);
    let about = match picture.is_marked {
        true => ABOUT_MARKS,
        false => ABOUT_PICTURE,
    };
    json!({
        "model": config.model,
        "max_tokens": config.max_tokens,
        "messages": [
            { "role": "system", "content": about },
            { "role": "user", "content": [
                { "type": "text", "text": question },
                { "type": "image_url", "image_url": { "url": url } },
            ]},
        ],
    })
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(senseless());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The words, and the model that an answer names.
fn parse(bytes: &[u8]) -> Result<(String, Option<String>), Error> {
    let completion: Completion =
        serde_json::from_slice(bytes).map_err(|error| senseless().source(error))?;
    let content = completion.choices.into_iter().next();
    let content = content.map(|choice| choice.message.content);
    let words = match content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => {
            let texts = parts
                .iter()
                .filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => return Err(senseless()),
    };
    Ok((words, completion.model))
}

fn failed(error: reqwest::Error) -> Error {
    // The address may hold a key of its own.
    let error = error.without_url();
    match error.is_timeout() {
        true => Error::timeout("the vision endpoint did not answer in time")
            .hint("Try again, or raise vision.timeout_s."),
        false => Error::unavailable("the vision endpoint cannot be reached")
            .hint("Check vision.url and that the endpoint is up."),
    }
    .source(error)
}

fn refused(status: u16) -> Error {
    let hint = match status {
        401 | 403 => "Check GHOSTCAST_VISION__API_KEY.",
        404 => "Check vision.url and vision.model.",
        429 => "Wait, then try again.",
        _ => "Check vision.url, vision.model and vision.max_tokens.",
    };
    Error::unavailable(format!(
        "the vision endpoint refused the question with HTTP {status}"
    ))
    .hint(hint)
}

fn senseless() -> Error {
    Error::unavailable("the vision endpoint's answer makes no sense")
        .hint("vision.url must lead to an endpoint for chat completions as OpenAI's.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_from_its_base() {
        for url in [
            "http://h/v1",
            "http://h/v1/",
            "http://h/v1/chat/completions",
        ] {
            assert_eq!(endpoint(url), "http://h/v1/chat/completions");
        }
    }

    #[test]
    fn answers_are_read_in_both_forms_and_nonsense_is_an_error() {
        let text = br#"{"model": "m", "choices": [{"message": {"content": "Yes."}}]}"#;
        assert_eq!(
            parse(text).unwrap(),
            ("Yes.".to_owned(), Some("m".to_owned()))
        );
        let parts =
            br#"{"choices": [{"message": {"content": [{"type": "text", "text": "No."}]}}]}"#;
        assert_eq!(parse(parts).unwrap(), ("No.".to_owned(), None));
        for text in [
            "",
            "[]",
            "{\"choices\": []}",
            r#"{"choices": [{"message": {"content": null}}]}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_to_ask_is_said_with_what_to_set() {
        let client = Client::new(&config::Vision::default());
        let error = client.check("What is it?").unwrap_err();
        assert!(error.hint.unwrap().contains("vision.url"));
    }
}
