//! Scripts that run at an origin where no page of the site does: in an empty page, that comes from nowhere
//! but here.

use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::fetch::{
    EnableParams, EventRequestPaused, FulfillRequestParams, HeaderEntry,
};
use chromiumoxide_cdp::cdp::browser_protocol::network::SetBypassServiceWorkerParams;
use chromiumoxide_cdp::cdp::browser_protocol::page::NavigateParams;
use chromiumoxide_cdp::cdp::browser_protocol::target::{AttachToTargetParams, TargetId};
use chromiumoxide_cdp::cdp::js_protocol::runtime::{EvaluateParams, ExceptionDetails};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::cdp::{Events, Session, Told};
use super::super::error::Error;
use super::process::Process;

const OPERATION: &str = "visit an origin";
/// An empty page of an origin is there within this time.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// A page that shows nothing, at one origin after the other.
pub(super) struct Visitor {
    page: Session,
    paused: Events,
}

impl Visitor {
    /// Visits origins in this page.
    pub(super) async fn new(process: &Process, target: &TargetId) -> Result<Self, Error> {
        let browser = process.browser();
        let attach = AttachToTargetParams::builder()
            .target_id(target.clone())
            .flatten(true)
            .build()
            .map_err(Error::builder(OPERATION))?;
        let attached = browser.execute(OPERATION, attach).await?;
        let page = browser.beside(attached.session_id.inner());
        let paused = page.tap(&["Fetch.requestPaused"]);
        page.execute(OPERATION, SetBypassServiceWorkerParams::new(true))
            .await?;
        page.execute(OPERATION, EnableParams::default()).await?;
        Ok(Self { page, paused })
    }

    /// Runs the body of an async function at an origin; answers what it returned, or why it did not.
    pub(super) async fn run(
        &mut self,
        origin: &str,
        body: &str,
        within: Duration,
    ) -> Result<Result<Value, String>, Error> {
        if !self.go(origin).await {
            return Ok(Err("no page of it could be made".to_owned()));
        }
        // An origin may be shown as another one, and then has nothing stored.
        let expression = format!(
            "(async () => {{ if (location.origin !== {}) \
             throw new Error('the browser shows another origin in its place'); {body} }})()",
            json!(origin)
        );
        let mut script = EvaluateParams::new(expression);
        script.return_by_value = Some(true);
        script.await_promise = Some(true);
        let running = self.page.execute_unbounded(OPERATION, script);
        let answer = match timeout(within, running).await {
            Err(_) => return Ok(Err("it was not done in time".to_owned())),
            Ok(Err(Error::Gone)) => return Err(Error::Gone),
            // What an origin has stored may be more than its process holds.
            Ok(Err(_)) => return Ok(Err("the browser gave it up".to_owned())),
            Ok(Ok(answer)) => answer,
        };
        Ok(match answer.exception_details {
            None => Ok(answer.result.value.unwrap_or_default()),
            Some(thrown) => Err(first_line(thrown)),
        })
    }

    /// Whether there is an empty page of that origin now.
    async fn go(&mut self, origin: &str) -> bool {
        let going = self
            .page
            .execute(OPERATION, NavigateParams::new(format!("{origin}/")));
        let page = &self.page;
        let paused = &mut self.paused;
        let serving = async {
            while let Some(told) = paused.next().await {
                let Told::Event(event) = told else { continue };
                let Some(event) = event.parse::<EventRequestPaused>() else {
                    continue;
                };
                let mut empty = FulfillRequestParams::new(event.request_id, 200);
                empty.response_headers = Some(vec![HeaderEntry::new("content-type", "text/html")]);
                page.execute(OPERATION, empty).await?;
            }
            Err::<(), Error>(Error::Gone)
        };
        let there = timeout(PAGE_WITHIN, async {
            tokio::select! {
                went = going => went.map(drop),
                served = serving => served,
            }
        });
        matches!(there.await, Ok(Ok(())))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        if let Some(id) = self.page.id() {
            self.page.forget(id);
        }
    }
}

/// What was thrown, without where.
fn first_line(thrown: ExceptionDetails) -> String {
    let description = thrown.exception.and_then(|it| it.description);
    let description = description.unwrap_or(thrown.text);
    let line = description.lines().next().unwrap_or_default();
    line.strip_prefix("Error: ").unwrap_or(line).to_owned()
}
