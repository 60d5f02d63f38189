//! [`Bench`]: what one test works with. Everything that a test starts is kept here and put away
//! after it, whether it passed, failed or panicked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::cdp::Tab;
use super::livekit_server::{Coordinates, LiveKitServer};
use super::outcome::{Expect, Outcome, ensure, seconds, until};
use super::pages::Pages;
use super::processes;
use super::report::{Measure, Voice};
use super::socket::Events;
use crate::app::{App, Journal};
use crate::config::Config;
use crate::model::command::ActionRequest;
use crate::model::{ActionResult, RoomName, SessionSpec};
use crate::session::{ContextOptions, Manager, PageContext, SessionHandle};

/// What every test is given.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The operator's settings: which browser, above all.
    pub(super) config: Config,
    /// A LiveKit server of the operator's own.
    pub(super) livekit: Option<Coordinates>,
    /// The operator has seen enough.
    pub(super) stop: CancellationToken,
}

/// What one test works with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bench {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Setup,
    voice: Voice,
    services: Mutex<Vec<App>>,
    work_dirs: Mutex<Vec<PathBuf>>,
    servers: Mutex<Vec<LiveKitServer>>,
    measures: Mutex<Vec<(Measure, Duration)>>,
}

/// A running service with browsers of its own.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) manager: Manager,
    pub(super) address: SocketAddr,
    pub(super) work_dir: PathBuf,
}

/// A session of a service.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) handle: SessionHandle,
    pub(super) service: Service,
    pub(super) room: String,
    bench: Bench,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bench")
    }
}

impl Bench {
    pub(super) fn new(setup: Setup, voice: Voice) -> Self {
        let inner = Inner {
            setup,
            voice,
            services: Mutex::default(),
            work_dirs: Mutex::default(),
            servers: Mutex::default(),
            measures: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Says something about the test while it runs.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        self.inner.voice.say(&format!("    {}", text.as_ref()));
    }

    /// Notes how long something took, for the table at the end.
    pub(super) fn measure(&self, measure: Measure, time: Duration) {
        lock(&self.inner.measures).push((measure, time));
    }

    pub(super) fn measures(&self) -> Vec<(Measure, Duration)> {
        lock(&self.inner.measures).clone()
    }

    pub(super) async fn pages(&self) -> Outcome<Pages> {
        Pages::serve().await
    }

    /// A service without LiveKit, a process for each session, changed as the test needs it.
    pub(super) async fn service(&self, adjust: impl FnOnce(&mut Config)) -> Outcome<Service> {
        let (work_dir, mut config) = self.settings()?;
        adjust(&mut config);
        let app = App::start(config, Journal::default()).await?;
        let service = Service {
            manager: app.manager().clone(),
            address: app.address(),
            work_dir,
        };
        lock(&self.inner.services).push(app);
        Ok(service)
    }

    /// A directory of the test's own, and the settings of a service that works in it.
    pub(super) fn settings(&self) -> Outcome<(PathBuf, Config)> {
        let name = format!("ghostcast-validate-{}", uuid::Uuid::new_v4().simple());
        let work_dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&work_dir)?;
        lock(&self.inner.work_dirs).push(work_dir.clone());
        let mut config = Config::default();
        let theirs = &self.inner.setup.config;
        config.server.listen.set_port(0);
        config.browser.clone_from(&theirs.browser);
        config.browser.work_dir.clone_from(&work_dir);
        config.state.directory = work_dir.join("state");
        // The pages of the validation are on this machine, whatever the operator fences off.
        config.browser.allowed_domains.clear();
        config.browser.block_private_networks = false;
        config.browser.contexts_per_process = 1;
        config.browser.keep_warm = false;
        config.recording.directory = work_dir.join("recordings");
        config.recording.free_bytes_min = 0;
        Ok((work_dir, config))
    }

    /// One service with one session on a page.
    pub(super) async fn session(&self, url: Option<String>) -> Outcome<Session> {
        let service = self.service(|_| ()).await?;
        self.session_of(&service, "validate", |spec| spec.initial_url = url)
            .await
    }

    pub(super) async fn session_of(
        &self,
        service: &Service,
        room: &str,
        adjust: impl FnOnce(&mut SessionSpec),
    ) -> Outcome<Session> {
        let mut spec = SessionSpec::of(RoomName::parse(room)?);
        adjust(&mut spec);
        let handle = service.manager.start(spec).await?;
        let record = handle.opened().await;
        ensure!(
            record.page_error.is_none() && !record.state.is_dead(),
            "the session does not start as it should: {:?}, {:?}",
            record.state,
            record.page_error
        );
        Ok(Session {
            handle,
            service: service.clone(),
            room: room.to_owned(),
            bench: self.clone(),
        })
    }

    /// The LiveKit server that the operator names, or one of the test's own.
    pub(super) async fn livekit(&self) -> Outcome<Coordinates> {
        match &self.inner.setup.livekit {
            Some(theirs) => Ok(theirs.clone()),
            None => self.own_livekit().await,
        }
    }

    /// A LiveKit server that the test may stop by [`Self::take_livekit`].
    pub(super) async fn own_livekit(&self) -> Outcome<Coordinates> {
        let server = LiveKitServer::start().await?;
        let coordinates = server.coordinates();
        lock(&self.inner.servers).push(server);
        Ok(coordinates)
    }

    /// Takes the test's own server out, to do something to it; give it back by
    /// [`Self::keep_livekit`].
    pub(super) fn take_livekit(&self) -> Outcome<LiveKitServer> {
        let taken = lock(&self.inner.servers).pop();
        taken.expect_that("the test has a LiveKit server of its own")
    }

    pub(super) fn keep_livekit(&self, server: LiveKitServer) {
        lock(&self.inner.servers).push(server);
    }

    /// Ends everything that the test started, and checks that nothing is left of it.
    pub(super) async fn put_away(&self) -> Outcome {
        let services = std::mem::take(&mut *lock(&self.inner.services));
        for app in services {
            app.shut_down().await;
        }
        let work_dirs = std::mem::take(&mut *lock(&self.inner.work_dirs));
        let mut left = Ok(());
        for work_dir in work_dirs {
            let ended = until(seconds(5), "the test's browsers have ended", async || {
                processes::browsers(&work_dir).is_empty().then_some(())
            });
            left = left.and(ended.await);
            processes::kill(&processes::trees(&processes::browsers(&work_dir)));
            // The test may have removed it; what keeps it from being removed is no result.
            let _ = std::fs::remove_dir_all(&work_dir);
        }
        lock(&self.inner.servers).clear();
        left
    }
}

impl Session {
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
        let action = ActionRequest {
            action_type: action_type.to_owned(),
            params: params.as_object().cloned().unwrap_or_default(),
            correction_of,
            expects: None,
        };
        Ok(self.handle.act(action).await?)
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
            self.bench.measure(measure, took);
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
        let got = result.error_kind.map(|kind| kind.as_str());
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

    pub(super) async fn context(&self) -> Outcome<PageContext> {
        Ok(self.handle.context(ContextOptions::default()).await?)
    }

    /// The indexed elements of the page.
    pub(super) async fn elements(&self) -> Outcome<Vec<Value>> {
        let options = ContextOptions {
            elements: true,
            limit: Some(500),
            boxes: true,
            ..ContextOptions::default()
        };
        let list = self.handle.context(options).await?.elements;
        Ok(list.expect_that("the context has elements")?.elements)
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

/// The directories of profiles below a service's directory.
pub(super) fn profiles(work_dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(work_dir) else {
        return 0;
    };
    let runs = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("ghostcast-")
    });
    let inside = runs.filter_map(|run| std::fs::read_dir(run.path()).ok());
    let directories = inside.flatten().flatten();
    directories.filter(|entry| entry.path().is_dir()).count()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
