//! Browserbase's REST interface, as far as a browser is asked for there and given back.
//!
//! Paths and bodies are those that its documentation has; they were tried against a server of the tests only,
//! so the base URL is a setting and whatever a body lacks can be added by settings.

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::error::{Error, Far};
use super::endpoint;
use super::provider::{Begun, Provider, Wanted};
use crate::model::Secret;

/// The header that has the key.
const KEY: &str = "x-bb-api-key";

/// The service.
#[derive(Debug)]
pub(super) struct Browserbase {
    pub(super) http: Client,
    pub(super) base_url: String,
    pub(super) api_key: Secret,
    pub(super) project: String,
    pub(super) session_body: Map<String, Value>,
    pub(super) context_body: Map<String, Value>,
    pub(super) release_body: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MadeSession {
    id: String,
    connect_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Debugged {
    debugger_url: String,
    ws_url: Option<String>,
}

impl Browserbase {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base_url.trim_end_matches('/'));
        self.http
            .request(method, url)
            .header(KEY, self.api_key.reveal())
    }

    /// The body by which a session is made. What a caller gives comes last.
    fn session(&self, wanted: &Wanted) -> Value {
        let mut settings = json!({
            "viewport": { "width": wanted.viewport.width, "height": wanted.viewport.height },
        });
        if let Some(context) = &wanted.context {
            settings["context"] = json!({ "id": context, "persist": true });
        }
        let mut body = json!({
            "projectId": self.project,
            "keepAlive": true,
            "browserSettings": settings,
        });
        lay_over(&mut body, &self.session_body);
        lay_over(&mut body, &wanted.options);
        body
    }

    fn with(&self, mut body: Value, more: &Map<String, Value>) -> Value {
        lay_over(&mut body, more);
        body
    }

    /// Where a run is spoken to: what its making told, or else what it tells when it is asked.
    async fn socket(&self, made: &MadeSession) -> Result<url::Url, Error> {
        if let Some(connect) = &made.connect_url {
            return endpoint::socket(&self.http, connect).await;
        }
        let asking = self.request(Method::GET, &format!("/sessions/{}/debug", made.id));
        let debugged: Debugged = endpoint::answer(asking, "ask where a remote session is").await?;
        let address = debugged.ws_url.unwrap_or(debugged.debugger_url);
        endpoint::socket(&self.http, &address).await
    }
}

impl Provider for Browserbase {
    fn describe(&self) -> String {
        let host = url::Url::parse(&self.base_url).ok();
        let host = host.and_then(|url| url.host_str().map(str::to_owned));
        format!("Browserbase at {}", host.unwrap_or_default())
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>> {
        let body = self.with(json!({ "projectId": self.project }), &self.context_body);
        let request = self.request(Method::POST, "/contexts").json(&body);
        let making = async {
            let made: Made = endpoint::answer(request, "make a remote context").await?;
            Ok(Some(made.id))
        };
        making.boxed()
    }

    fn begin<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Begun, Error>> {
        let request = self
            .request(Method::POST, "/sessions")
            .json(&self.session(wanted));
        let begin = async move {
            let made: MadeSession = endpoint::answer(request, "make a remote session").await?;
            if !is_plain(&made.id) {
                return Err(Error::far(Far::Senseless, "make a remote session"));
            }
            match self.socket(&made).await {
                Ok(socket) => Ok(Begun {
                    id: Some(made.id),
                    socket,
                }),
                Err(error) => {
                    // Nobody else knows of it.
                    let _ = self.end(&made.id).await;
                    Err(error)
                }
            }
        };
        begin.boxed()
    }

    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        let body = json!({ "projectId": self.project, "status": "REQUEST_RELEASE" });
        let body = self.with(body, &self.release_body);
        let request = self
            .request(Method::POST, &format!("/sessions/{id}"))
            .json(&body);
        async {
            endpoint::sent(request, "give a remote session back")
                .await
                .map(drop)
        }
        .boxed()
    }
}

/// Whether a name can be part of a path as it is.
fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Lays one object over another: objects in both are joined, all else is replaced.
fn lay_over(below: &mut Value, above: &Map<String, Value>) {
    let Value::Object(below) = below else { return };
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(inner @ Value::Object(_)), Value::Object(above)) => lay_over(inner, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Size;

    fn browserbase(session_body: Value) -> Browserbase {
        Browserbase {
            http: Client::new(),
            base_url: "https://api.browserbase.com/v1".to_owned(),
            api_key: "bb-key-4711".to_owned().into(),
            project: "proj".to_owned(),
            session_body: session_body.as_object().cloned().unwrap_or_default(),
            context_body: Map::new(),
            release_body: Map::new(),
        }
    }

    #[test]
    fn the_body_is_the_documented_one_and_what_is_given_is_laid_over() {
        let plain = Wanted {
            viewport: Size::new(1920, 1080),
            options: Map::new(),
            context: None,
        };
        let viewport = json!({ "width": 1920, "height": 1080 });
        assert_eq!(
            browserbase(json!({})).session(&plain),
            json!({ "projectId": "proj", "keepAlive": true, "browserSettings": { "viewport": viewport } })
        );
        let options = json!({ "browserSettings": { "solveCaptchas": false }, "timeout": 60 });
        let full = Wanted {
            options: options.as_object().cloned().unwrap(),
            context: Some("ctx".to_owned()),
            ..plain
        };
        let configured = json!({
            "proxies": true,
            "keepAlive": false,
            "browserSettings": { "solveCaptchas": true, "advancedStealth": true },
        });
        assert_eq!(
            browserbase(configured).session(&full),
            json!({
                "projectId": "proj",
                "keepAlive": false,
                "proxies": true,
                "timeout": 60,
                "browserSettings": {
                    "viewport": viewport,
                    "context": { "id": "ctx", "persist": true },
                    "solveCaptchas": false,
                    "advancedStealth": true,
                },
            })
        );
    }

    #[test]
    fn a_key_is_told_nowhere() {
        let browserbase = browserbase(json!({}));
        let told = format!("{browserbase:?} {}", browserbase.describe());
        assert!(!told.contains("4711"), "{told}");
        assert!(told.contains("Browserbase at api.browserbase.com"));
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none() {
        for id in ["", "../x", "a/b", "a?b", "a b"] {
            assert!(!is_plain(id), "{id}");
        }
        assert!(is_plain("0f4c-1_a"));
    }
}
