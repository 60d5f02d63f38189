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
    /// What was told of where it is spoken to. It may hold a key.
    pub(super) told: Option<Secret>,
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

    /// Who it is, so that nobody else is taken for it: no key in it.
    fn identity(&self) -> String;

    /// Whether all sessions share one browser, each in a context of its own; else each has its own.
    fn is_shared(&self) -> bool;

    /// Makes a context whose logins stay; none from one that keeps nothing.
    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>>;

    /// Whether such a context is there.
    fn has_context<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, Error>>;

    /// Deletes a context, with the logins in it.
    fn drop_context<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Begins a run.
    fn begin<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Begun, Error>>;

    /// Where a run is spoken to. The address may hold a key.
    fn socket<'a>(&'a self, begun: &'a Begun) -> BoxFuture<'a, Result<Url, Error>>;

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

    fn identity(&self) -> String {
        self.describe()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn make_context(&self) -> BoxFuture<'_, Result<Option<String>, Error>> {
        async { Ok(None) }.boxed()
    }

    fn has_context<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        async { Ok(false) }.boxed()
    }

    fn drop_context<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }

    fn begin<'a>(&'a self, _wanted: &'a Wanted) -> BoxFuture<'a, Result<Begun, Error>> {
        let begun = Begun {
            id: None,
            told: None,
        };
        async { Ok(begun) }.boxed()
    }

    fn socket<'a>(&'a self, _begun: &'a Begun) -> BoxFuture<'a, Result<Url, Error>> {
        endpoint::socket(&self.http, self.address.reveal()).boxed()
    }

    fn end<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }
}
