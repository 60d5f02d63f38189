//! How telemetry is sent: by one HTTP client, on the service's runtime, whichever thread asks.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use crate::error::Error;

/// An answer comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Posts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Poster {
    client: reqwest::Client,
    runtime: Handle,
}

/// Why nothing arrived, without the address: that may hold a key.
pub(super) type Unsent = reqwest::Error;

impl Poster {
    /// A client on the runtime that this is called in.
    pub(super) fn new() -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(Policy::none())
            .build()
            .map_err(|error| Error::internal("no telemetry can be sent").source(error))?;
        Ok(Self {
            client,
            runtime: Handle::current(),
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Posts a body, and waits for its answer; one that is no success is an error.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<(), Unsent> {
        let mut request = self.client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(Unsent::without_url)?;
        answer
            .error_for_status()
            .map(drop)
            .map_err(Unsent::without_url)
    }
}

#[async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        // The exporter's own thread has no runtime.
        let answer = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let status = answer.status();
            Ok::<_, Unsent>((status, answer.bytes().await?))
        });
        let (status, body) = answer.await?.map_err(Unsent::without_url)?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}
