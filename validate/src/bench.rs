//! [`Bench`]: what one test works with. Everything that a test starts is kept here and put away
//! after it, whether it passed, failed or panicked.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::answers::Record;
use super::http::Body;
use super::livekit_server::{Coordinates, LiveKitServer};
use super::outcome::{Expect, Failure, Outcome, ensure, seconds, until};
use super::pages::Pages;
use super::processes;
use super::report::{Measure, Measures, Voice};
use super::service::{self, Running, Service, Settings};
use super::session::Session;

/// A service listens within this time of its start.
const LISTENS_WITHIN: Duration = seconds(20);

/// What every test is given.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The program that is validated.
    pub(super) program: PathBuf,
    /// Its version.
    pub(super) version: &'static str,
    /// The operator's settings of the browser: which one, above all.
    pub(super) browser: Map<String, Value>,
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
    services: Mutex<Vec<Running>>,
    work_dirs: Mutex<Vec<PathBuf>>,
    servers: Mutex<Vec<LiveKitServer>>,
    measures: Measures,
    last_words: Mutex<Vec<String>>,
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
            measures: Measures::default(),
            last_words: Mutex::default(),
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
        self.inner.measures.note(measure, time);
    }

    pub(super) fn measures(&self) -> Vec<(Measure, Duration)> {
        self.inner.measures.all()
    }

    pub(super) async fn pages(&self) -> Outcome<Pages> {
        Pages::serve().await
    }

    /// The program that is validated.
    pub(super) fn program(&self) -> &Path {
        &self.inner.setup.program
    }

    /// The version that it has.
    pub(super) fn version(&self) -> &'static str {
        self.inner.setup.version
    }

    /// A service without LiveKit, a process for each session, with the settings that the test needs
    /// beside: `{section: {key: value}}`.
    pub(super) async fn service(&self, settings: Value) -> Outcome<Service> {
        let work_dir = self.work_dir()?;
        let settings = self.settings(&work_dir).with(settings);
        self.keep(Running::serve(self.program(), &work_dir, &settings)?);
        let listening = until(
            LISTENS_WITHIN,
            "the service listens",
            async || match service::address(&work_dir) {
                Some(address) => Some(Ok(address)),
                None => self.ended(&work_dir).map(Err),
            },
        );
        let address: Result<SocketAddr, ExitStatus> = listening.await?;
        let address = address.map_err(|status| {
            Failure::new(format!("the service ends at its start, with {status}"))
        })?;
        let service = Service { address, work_dir };
        service
            .granted("GET", "/health/live", Body::None)
            .await
            .map_err(|failure| failure.of("the service is alive"))?;
        Ok(service)
    }

    /// Keeps a process from its first moment on, so that it is put away whatever becomes of the test.
    pub(super) fn keep(&self, running: Running) {
        lock(&self.inner.services).push(running);
    }

    /// How the process has ended whose files lie in a directory, if it has.
    pub(super) fn ended(&self, work_dir: &Path) -> Option<ExitStatus> {
        let mut services = lock(&self.inner.services);
        let mut ours = services.iter_mut().filter(|it| it.work_dir() == work_dir);
        ours.find_map(Running::ended)
    }

    /// A directory of the test's own, which nobody else may look into.
    pub(super) fn work_dir(&self) -> Outcome<PathBuf> {
        let name = format!("ghostcast-validate-{}", uuid::Uuid::new_v4().simple());
        let work_dir = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&work_dir)?;
        lock(&self.inner.work_dirs).push(work_dir.clone());
        Ok(work_dir)
    }

    /// The operator's browser for a service that works in a directory.
    pub(super) fn browser(&self, work_dir: &Path, keys: Option<&[&str]>) -> Settings {
        let theirs = self.inner.setup.browser.iter();
        let theirs = theirs.filter(|(key, _)| keys.is_none_or(|keys| keys.contains(&key.as_str())));
        let theirs: Map<String, Value> = theirs.map(|(k, v)| (k.clone(), v.clone())).collect();
        Settings::default()
            .with(json!({ "browser": theirs }))
            .with(json!({
                "browser": { "work_dir": work_dir },
                "state": { "directory": service::state(work_dir) },
            }))
    }

    fn settings(&self, work_dir: &Path) -> Settings {
        self.browser(work_dir, None).with(json!({
            "browser": {
                // The pages of the validation are on this machine, whatever the operator fences off.
                "allowed_domains": [],
                "block_private_networks": false,
                "contexts_per_process": 1,
                "keep_warm": false,
            },
            "recording": { "directory": work_dir.join("recordings"), "free_bytes_min": 0 },
        }))
    }

    /// One service with one session on a page.
    pub(super) async fn session(&self, url: Option<String>) -> Outcome<Session> {
        let service = self.service(json!({})).await?;
        self.session_of(&service, "validate", json!({ "initial_url": url }))
            .await
    }

    /// A session in a room; `fields` are further ones of the order.
    pub(super) async fn session_of(
        &self,
        service: &Service,
        room: &str,
        fields: Value,
    ) -> Outcome<Session> {
        let mut order = json!({ "room_name": room });
        for (field, value) in fields.as_object().into_iter().flatten() {
            order[field] = value.clone();
        }
        let record: Record = service
            .call("POST", "/sessions", Body::Json(&order))
            .await?;
        ensure!(
            record.page_error.is_none() && !record.is_dead(),
            "the session does not start as it should: {}, {:?}",
            record.state,
            record.page_error
        );
        Ok(Session::new(
            service.clone(),
            room,
            self.inner.measures.clone(),
        ))
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
        let mut left = Ok(());
        for running in services {
            let work_dir = running.work_dir().to_owned();
            left = left.and(running.end().await);
            lock(&self.inner.last_words).extend(service::last_lines(&work_dir));
        }
        let work_dirs = std::mem::take(&mut *lock(&self.inner.work_dirs));
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

    /// How the logs end of the services that were put away: what a failure is explained by.
    pub(super) fn last_words(&self) -> Vec<String> {
        lock(&self.inner.last_words).clone()
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
