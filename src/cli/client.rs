//! A client of a service's REST interface, for the verbs that ask one.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio_util::codec::Decoder;
use url::Url;

use crate::error::{BoxError, Error, ErrorKind};
use crate::framed::{Lines, Said};
use crate::model::Secret;

pub(super) use reqwest::Method;

/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for an answer: a session starts, a page loads or a script runs meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(150);
/// Longest time that something is watched by one request.
const WATCH_MAX: Duration = Duration::from_secs(7 * 86_400);
/// A service that is watched says that it is still there within this time.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest answer read, bytes. A script may return 1 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A client of one service.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    token: Secret,
    http: reqwest::Client,
}

/// What a service tells for as long as it is watched.
#[derive(Debug)]
pub(super) struct Watch {
    answer: Response,
    lines: Lines,
    unread: BytesMut,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Client {
    /// A client of the service at that URL.
    pub(super) fn new(url: &str, token: Secret) -> Result<Self, Error> {
        let base = Url::parse(url).ok();
        let base = base.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(|| {
            Error::invalid_input(format!("\"{url}\" is not the URL of a service"))
                .hint("Write it as http://127.0.0.1:8765.")
        })?;
        let http = reqwest::Client::builder()
            .no_proxy()
            // The token goes to the service and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| Error::internal("no HTTP client can be made").source(error))?;
        Ok(Self { base, token, http })
    }

    /// The service's URL.
    pub(super) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks; `path` is each of its segments, which may hold anything.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        self.ask_at(method, self.at(path)?, body).await
    }

    /// As [`Self::ask`], with a query.
    pub(super) async fn ask_with(
        &self,
        method: Method,
        path: &[&str],
        query: (&str, &str),
    ) -> Result<Answer, Error> {
        let mut url = self.at(path)?;
        url.query_pairs_mut().append_pair(query.0, query.1);
        self.ask_at(method, url, None).await
    }

    /// As [`Self::ask`]; what is no success is an error in the service's own words.
    pub(super) async fn get(&self, path: &[&str]) -> Result<Value, Error> {
        self.ask(Method::GET, path, None).await?.success()
    }

    /// As [`Self::get`], with a body.
    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.ask(Method::POST, path, Some(body)).await?.success()
    }

    /// Watches what the service tells by server-sent events, each an object.
    pub(super) async fn watch(&self, path: &[&str]) -> Result<Watch, Error> {
        let request = self.request(Method::GET, self.at(path)?).timeout(WATCH_MAX);
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        if answer.status() != StatusCode::OK {
            let told = self.read(answer).await?;
            return Err(refusal(told.status, &told.body));
        }
        Ok(Watch {
            answer,
            lines: Lines::new(ANSWER_BYTES_MAX),
            unread: BytesMut::new(),
        })
    }

    fn at(&self, path: &[&str]) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut();
        segments
            .map_err(|()| Error::internal("the URL has no path"))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn ask_at(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let mut request = self.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        self.read(answer).await
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match self.token.is_empty() {
            true => request,
            false => request.bearer_auth(self.token.reveal()),
        }
    }

    async fn read(&self, mut answer: Response) -> Result<Answer, Error> {
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.senseless("its answer is too long"));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).map_err(|error| self.senseless(error))?,
        };
        let status = status.as_u16();
        Ok(Answer { status, body })
    }

    fn failed(&self, error: reqwest::Error) -> Error {
        let url = self.url();
        let failure = match (error.is_connect(), error.is_timeout()) {
            (true, _) => Error::unavailable(format!("no service answers at {url}"))
                .hint("Start one with `ghostcast start`, or say where it is with --url."),
            (_, true) => Error::timeout(format!("the service at {url} did not answer in time"))
                .hint("See `ghostcast status` and `ghostcast logs`."),
            _ => Error::unavailable(format!("the service at {url} hung up"))
                .hint("See `ghostcast status` and `ghostcast logs`."),
        };
        failure.source(error.without_url())
    }

    fn senseless(&self, why: impl Into<BoxError>) -> Error {
        Error::unavailable(format!("what answers at {} is no Ghostcast", self.url()))
            .hint("Check the address.")
            .source(why)
    }
}

impl Watch {
    /// What is told next; none once it is over, or the service is gone.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(said) = self.lines.decode(&mut self.unread).ok()? {
                let line = match said {
                    Said::Line(line) => line,
                    Said::TooLong => return None,
                    Said::Noise => continue,
                };
                let data = line.strip_prefix("data:");
                if let Some(told) = data.and_then(|data| serde_json::from_str(data).ok()) {
                    return Some(told);
                }
            }
            // It says that it is still there more often than that.
            let chunk = tokio::time::timeout(SILENCE_MAX, self.answer.chunk()).await;
            self.unread.extend_from_slice(&chunk.ok()?.ok()??);
        }
    }
}

impl Answer {
    /// The body of a success, else what the service says.
    pub(super) fn success(self) -> Result<Value, Error> {
        match self.status {
            200..=299 => Ok(self.body),
            status => Err(refusal(status, &self.body)),
        }
    }
}

/// What the service says is wrong.
fn refusal(status: u16, body: &Value) -> Error {
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    let code = StatusCode::from_u16(status).ok();
    let name = code
        .and_then(|code| code.canonical_reason())
        .unwrap_or("no success");
    let message =
        text("message").unwrap_or_else(|| format!("the service answers {status}, {name}"));
    let kind = match status {
        400 | 422 => ErrorKind::InvalidInput,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::Exhausted,
        504 => ErrorKind::Timeout,
        _ => ErrorKind::Unavailable,
    };
    let error = Error::new(kind, message);
    match (kind, text("hint")) {
        (ErrorKind::Unauthenticated, _) => error.hint(
            "Give this the service's token: GHOSTCAST_SERVER__TOKEN, or --config with its file.",
        ),
        (_, Some(hint)) => error.hint(hint),
        (_, None) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<Client, Error> {
        Client::new(url, Secret::default())
    }

    #[test]
    fn names_may_hold_anything() {
        for (base, url) in [
            (
                "http://127.0.0.1:1",
                "http://127.0.0.1:1/sessions/a%20%3F%2Fb",
            ),
            (
                "http://127.0.0.1:1/",
                "http://127.0.0.1:1/sessions/a%20%3F%2Fb",
            ),
            ("https://h/under/", "https://h/under/sessions/a%20%3F%2Fb"),
        ] {
            let client = client(base).unwrap();
            assert_eq!(client.at(&["sessions", "a ?/b"]).unwrap().as_str(), url);
        }
        for url in ["", "127.0.0.1:8765", "ftp://h", "http://"] {
            assert!(client(url).unwrap_err().hint.is_some(), "{url}");
        }
    }

    #[test]
    fn the_service_says_what_is_wrong() {
        let body = serde_json::json!({ "error": {
            "kind": "conflict", "message": "it is there", "hint": "Take another name."
        }});
        let error = refusal(409, &body);
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(error.message, "it is there");
        assert_eq!(error.hint.as_deref(), Some("Take another name."));
        assert!(
            refusal(401, &body)
                .hint
                .unwrap()
                .contains("GHOSTCAST_SERVER__TOKEN")
        );
        assert!(
            refusal(502, &Value::Null)
                .message
                .contains("502, Bad Gateway")
        );
    }
}
