//! Who has a remote browser to give: an endpoint, or a vendor's service.

use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Client;
use serde_json::{Map, Value};
use url::Url;

use super::super::super::error::Error;
use super::endpoint;
use crate::model::{Secret, Size};

/// What a run is to be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) viewport: Size,
    /// The vendor's own options, as a caller gave them.
    pub(super) options: Map<String, Value>,
    /// The context whose logins it has and keeps.
    pub(super) context: Option<String>,
}

/// One run of a remote browser.
pub(super) struct Begun {
    /// The vendor's name of it, by which it is given back.
    pub(super) id: Option<String>,
    /// Where it is spoken to. It may hold a key.
    pub(super) socket: Url,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Gives browsers that run elsewhere. The durable thing is a context, which has the logins; a session is one
/// run on it.
pub(super) trait Provider: fmt::Debug + Send + Sync {
    /// Who it is, for people: no key in it.
    fn describe(&self) -> String;

    /// Whether all sessions share one browser, each in a context of its own; else each has its own.
    fn is_shared(&self) -> bool;

    /// Makes a context whose logins stay; none from one that keeps nothing.
    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>>;

    /// Begins a run.
    fn begin<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Begun, Error>>;

    /// Ends a run.
    fn end<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;
}

/// A browser that is there, at one address.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) http: Client,
    pub(super) address: Secret,
}

impl Provider for Endpoint {
    fn describe(&self) -> String {
        let url = Url::parse(self.address.reveal());
        let host = url.ok().and_then(|url| {
            let (host, port) = (url.host_str()?, url.port_or_known_default()?);
            Some(format!("the endpoint at {}://{host}:{port}", url.scheme()))
        });
        host.unwrap_or_else(|| "an endpoint".to_owned())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>> {
        async { Ok(None) }.boxed()
    }

    fn begin<'a>(&'a self, _wanted: &'a Wanted) -> BoxFuture<'a, Result<Begun, Error>> {
        let begin = async {
            Ok(Begun {
                id: None,
                socket: endpoint::socket(&self.http, self.address.reveal()).await?,
            })
        };
        begin.boxed()
    }

    fn end<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }
}
