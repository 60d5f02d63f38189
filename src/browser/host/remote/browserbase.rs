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

    fn context(&self, method: Method, id: &str) -> Result<RequestBuilder, Error> {
        match is_plain(id) {
            true => Ok(self.request(method, &format!("/contexts/{id}"))),
            false => Err(Error::far(Far::Senseless, "name a remote context")),
        }
    }
}

impl Provider for Browserbase {
    fn describe(&self) -> String {
        let host = url::Url::parse(&self.base_url).ok();
        let host = host.and_then(|url| url.host_str().map(str::to_owned));
        format!("Browserbase at {}", host.unwrap_or_default())
    }

    fn identity(&self) -> String {
        format!("{} {}", self.base_url.trim_end_matches('/'), self.project)
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>> {
        const OPERATION: &str = "make a remote context";
        let body = self.with(json!({ "projectId": self.project }), &self.context_body);
        let request = self.request(Method::POST, "/contexts").json(&body);
        let making = async {
            let made: Made = endpoint::answer(request, OPERATION).await?;
            match is_plain(&made.id) {
                true => Ok(Some(made.id)),
                false => Err(Error::far(Far::Senseless, OPERATION)),
            }
        };
        making.boxed()
    }

    fn has_context<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        let asking = async move {
            let asking = self.context(Method::GET, id)?;
            match endpoint::sent(asking, "look for a remote context").await {
                Ok(_) => Ok(true),
                Err(error) if error.is_far(Far::Missing) => Ok(false),
                Err(error) => Err(error),
            }
        };
        asking.boxed()
    }

    fn drop_context<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        let dropping = async move {
            let request = self.context(Method::DELETE, id)?;
            let sent = endpoint::sent(request, "delete a remote context").await;
            sent.map(drop)
        };
        dropping.boxed()
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
            Ok(Begun {
                id: Some(made.id),
                told: made.connect_url.map(Secret::from),
            })
        };
        begin.boxed()
    }

    /// What its making told, or else what it tells when it is asked.
    fn socket<'a>(&'a self, begun: &'a Begun) -> BoxFuture<'a, Result<url::Url, Error>> {
        let asking = async move {
            if let Some(told) = &begun.told {
                return endpoint::socket(&self.http, told.reveal()).await;
            }
            let id = begun.id.as_deref().unwrap_or_default();
            let asking = self.request(Method::GET, &format!("/sessions/{id}/debug"));
            let debugged: Debugged =
                endpoint::answer(asking, "ask where a remote session is").await?;
            let address = debugged.ws_url.unwrap_or(debugged.debugger_url);
            endpoint::socket(&self.http, &address).await
        };
        asking.boxed()
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
