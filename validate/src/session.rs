//! [`Session`]: a session of a service, asked over REST.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::{ActionResult, Analysis, PageContext, Record, Recording, Refusal};
use super::cdp::Tab;
use super::http::{Answer, Body};
use super::outcome::{Expect, Outcome, ensure};
use super::report::{Measure, Measures};
use super::service::Service;
use super::socket::Events;

/// A session of a service.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) service: Service,
    pub(super) room: String,
    measures: Measures,
}

impl Session {
    pub(super) fn new(service: Service, room: &str, measures: Measures) -> Self {
        let room = room.to_owned();
        Self {
            service,
            room,
            measures,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/sessions/{}{rest}", self.room)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        rest: &str,
        body: Body<'_>,
    ) -> Outcome<T> {
        self.service.call(method, &self.path(rest), body).await
    }

    /// The session as the service shows it.
    pub(super) async fn record(&self) -> Outcome<Record> {
        self.call("GET", "", Body::None).await
    }

    pub(super) async fn pause(&self) -> Outcome<Record> {
        self.call("POST", "/pause", Body::None).await
    }

    pub(super) async fn resume(&self) -> Outcome<Record> {
        self.call("POST", "/resume", Body::None).await
    }

    pub(super) async fn recover(&self) -> Outcome<Record> {
        self.call("POST", "/recover", Body::None).await
    }

    /// Asks for a recovery that must be refused.
    pub(super) async fn recover_refused(&self) -> Outcome<Refusal> {
        let path = self.path("/recover");
        self.service.refused("POST", &path, Body::None).await
    }

    pub(super) async fn start_recording(&self) -> Outcome<Recording> {
        self.call("POST", "/recording", Body::None).await
    }

    pub(super) async fn stop_recording(&self) -> Outcome<Recording> {
        self.call("DELETE", "/recording", Body::None).await
    }

    /// A picture of what is in view; `query` says of which form.
    pub(super) async fn screenshot(&self, query: &str) -> Outcome<Answer> {
        let path = self.path(&format!("/screenshot?{query}"));
        self.service.granted("GET", &path, Body::None).await
    }

    /// Asks the configured model about the page.
    pub(super) async fn analyze(&self, question: &str) -> Outcome<Analysis> {
        let body = json!({ "question": question });
        self.call("POST", "/analyze", Body::Json(&body)).await
    }

    /// Asks a question that must be refused.
    pub(super) async fn analyze_refused(&self, question: &str) -> Outcome<Refusal> {
        let (path, body) = (self.path("/analyze"), json!({ "question": question }));
        let body = Body::Json(&body);
        self.service.refused("POST", &path, body).await
    }

    /// Performs an action, whatever comes of it.
    pub(super) async fn act(&self, action_type: &str, params: Value) -> Outcome<ActionResult> {
        self.act_on(action_type, params, None).await
    }

    /// Performs an action that corrects a failed one.
    pub(super) async fn act_on(
        &self,
        action_type: &str,
        params: Value,
        correction_of: Option<String>,
    ) -> Outcome<ActionResult> {
        let mut action = json!({ "action_type": action_type, "params": params });
        if let Some(failed) = correction_of {
            action["correction_of"] = failed.into();
        }
        self.call("POST", "/actions", Body::Json(&action)).await
    }

    /// Performs an action that must succeed; answers its result and how long its caller waited.
    pub(super) async fn perform(
        &self,
        action_type: &str,
        params: Value,
    ) -> Outcome<(ActionResult, Duration)> {
        let started = Instant::now();
        let result = self.act(action_type, params.clone()).await?;
        let took = started.elapsed();
        let error = result.error.as_deref().unwrap_or_default();
        ensure!(result.success, "{action_type} {params} fails: {error}");
        if let Some(measure) = Measure::of_action(action_type) {
            self.measures.note(measure, took);
        }
        Ok((result, took))
    }

    pub(super) async fn navigate(&self, url: &str) -> Outcome<Duration> {
        let (_, took) = self.perform("navigate", json!({ "url": url })).await?;
        Ok(took)
    }

    /// Performs an action that must fail, with this kind.
    pub(super) async fn fail(
        &self,
        action_type: &str,
        params: Value,
        kind: &str,
    ) -> Outcome<ActionResult> {
        let result = self.act(action_type, params.clone()).await?;
        ensure!(!result.success, "{action_type} {params} should fail");
        let got = result.error_kind.as_deref();
        let error = result.error.as_deref().unwrap_or_default();
        ensure!(
            got == Some(kind),
            "{action_type} {params} fails as {got:?} and not as {kind}: {error}"
        );
        ensure!(
            error.split_whitespace().count() >= 4,
            "the error of {action_type} {params} is no sentence: {error:?}"
        );
        Ok(result)
    }

    /// The page; `query` says with what beside the least.
    pub(super) async fn context_with(&self, query: &str) -> Outcome<PageContext> {
        let rest = format!("/context?{query}");
        self.call("GET", &rest, Body::None).await
    }

    pub(super) async fn context(&self) -> Outcome<PageContext> {
        self.context_with("").await
    }

    /// The indexed elements of the page.
    pub(super) async fn elements(&self) -> Outcome<Vec<Value>> {
        let context = self.context_with("elements=true&limit=500").await?;
        context.elements.expect_that("the context has elements")
    }

    /// The element with this accessible name.
    pub(super) async fn element(&self, name: &str) -> Outcome<Value> {
        let elements = self.elements().await?;
        let found = elements.into_iter().find(|element| element["name"] == name);
        found.expect_that(&format!("the page has an element \"{name}\""))
    }

    /// The index of the element with this accessible name.
    pub(super) async fn index_of(&self, name: &str) -> Outcome<u64> {
        let index = self.element(name).await?["index"].as_u64();
        index.expect_that("an element has an index")
    }

    /// A DevTools connection of the test's own to the page.
    pub(super) async fn tab(&self) -> Outcome<Tab> {
        Tab::attach(&self.service.work_dir).await
    }

    /// A subscriber of the room's events.
    pub(super) async fn events(&self, query: &str) -> Outcome<Events> {
        Events::listen(self.service.address, &self.room, query).await
    }
}
