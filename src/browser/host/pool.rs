//! Browser processes, shared: a session is an isolated context in one of them.
//!
//! A context costs a tenth of a process in time and memory (54 to 91 ms, some 41 MB). The price
//! is shared fate: a crash takes the sessions of one process, so a process holds a bounded
//! number of them and is retired after a while.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::super::error::Error;
use super::super::gate::OwnAddresses;
use super::choice::{Captured, Choice};
use super::command::{self, Home};
use super::files::Files;
use super::jar::Jar;
use super::process::{Loss, Process};
use super::profile::Profile;
use super::remote::Hold;
use super::workdir::{self, Swept, WorkDir};
use crate::config;
use crate::display::Display;
use crate::error::Chain;
use crate::model::session::CaptureMode;

/// Why a browser that is far away is captured as it is.
const FAR_CAPTURE: &str = "a remote browser draws to no display of this machine";
/// A browser that works tells its cookies within this time.
const SAVED_WITHIN: Duration = Duration::from_secs(2);

/// All browser processes of the service.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: config::Browser,
    choice: Choice,
    tracker: TaskTracker,
    work_dir: WorkDir,
    own: OwnAddresses,
    slots: Mutex<Vec<Slot>>,
    /// Held while a process is started, so that ten sessions at once start one and not ten.
    launching: tokio::sync::Mutex<()>,
    /// Why the last process could not be started.
    problem: Mutex<Option<String>>,
    is_shut: AtomicBool,
}

#[derive(Debug)]
struct Slot {
    process: Arc<Process>,
    in_use: usize,
    served: usize,
    /// No page can be made in it: it ends with the last session that it has.
    is_retired: bool,
}

/// One context of one process; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    pool: Pool,
    pub(in crate::browser) process: Arc<Process>,
    pub(in crate::browser) context: String,
    pub(in crate::browser) files: Files,
    captured: Captured,
    pub(super) kept: Option<Kept>,
    /// What it has of a browser that is far away; none of one of this machine.
    pub(super) far: Option<Hold>,
    released: bool,
}

/// Where what pages download goes.
#[derive(Debug, Clone)]
pub(in crate::browser) enum Downloads {
    /// Into a directory of the session's own.
    Here(PathBuf),
    /// To a directory of the machine of a browser that is far away, out of reach.
    There,
    /// Nowhere: a browser that is far away has no place for them.
    Nowhere,
}

/// What a lease holds of a profile that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) jar: Jar,
    _profile: Profile,
}

impl Kept {
    pub(super) fn new(jar: Jar, profile: Profile) -> Self {
        Self {
            jar,
            _profile: profile,
        }
    }
}

impl Pool {
    /// A pool without processes. Clears what dead runs of the service left behind.
    pub fn new(config: config::Browser, tracker: TaskTracker) -> std::io::Result<(Self, Swept)> {
        let swept = workdir::sweep(&config.work_dir);
        let work_dir = WorkDir::create(&config.work_dir)?;
        let own = OwnAddresses::default();
        let inner = Inner {
            choice: Choice::new(&config),
            config,
            tracker,
            work_dir,
            own,
            slots: Mutex::new(Vec::new()),
            launching: tokio::sync::Mutex::new(()),
            problem: Mutex::new(None),
            is_shut: AtomicBool::new(false),
        };
        Ok((
            Self {
                inner: Arc::new(inner),
            },
            swept,
        ))
    }

    /// The service's own addresses, which no page may reach.
    pub fn own_addresses(&self) -> OwnAddresses {
        self.inner.own.clone()
    }

    /// Why no browser can be started, as far as is known: what the last start came to.
    pub fn problem(&self) -> Option<String> {
        let problem = &self.inner.problem;
        let problem = problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.clone()
    }

    fn set_problem(&self, error: Option<&Error>) {
        let problem = error.map(|error| error.outside_words().message.into_owned());
        let kept = &self.inner.problem;
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Finds out whether there is a browser to start at all.
    pub fn check(&self) -> Result<(), Error> {
        let found = command::executable(&self.inner.config.executable).map(drop);
        self.set_problem(found.as_ref().err());
        found
    }

    /// The first processes of the browsers that are shared.
    pub fn pids(&self) -> Vec<u32> {
        let slots = self.slots();
        let alive = slots.iter().filter(|slot| slot.process.is_alive());
        alive.filter_map(|slot| slot.process.pid()).collect()
    }

    /// Starts one process ahead of need.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let (process, _) = self.take_place(CaptureMode::Auto).await?;
        self.give_back(&process);
        Ok(())
    }

    /// How a session is captured that does not say.
    pub fn captured(&self) -> Result<Captured, Error> {
        self.inner.choice.of(CaptureMode::Auto)
    }

    /// Makes an isolated context whose traffic goes by `proxy_url`, in a browser that is captured as wanted.
    pub async fn acquire(&self, proxy_url: &str, capture: CaptureMode) -> Result<Lease, Error> {
        let (process, captured) = self.take_place(capture).await?;
        let mut lease = match self.files() {
            Ok(files) => Lease {
                pool: self.clone(),
                process,
                context: String::new(),
                files,
                captured,
                kept: None,
                far: None,
                released: false,
            },
            Err(error) => {
                self.give_back(&process);
                return Err(error);
            }
        };
        let downloads = lease.files.downloads();
        match lease.process.create_context(proxy_url, &downloads).await {
            Ok(context) => lease.context = context,
            Err(error) => {
                lease.retire();
                return Err(error);
            }
        }
        Ok(lease)
    }

    /// Starts a process of its own on a profile that is kept, whose traffic goes by `proxy_url`; its
    /// cookies are as they were last. A profile that Chromium refuses is set aside and begun anew.
    pub async fn acquire_kept(
        &self,
        profile: Profile,
        proxy_url: &str,
        capture: CaptureMode,
    ) -> Result<Lease, Error> {
        let launch = |has_display| self.launch_kept(&profile, proxy_url, has_display).boxed();
        let launched = self.by_choice(capture, launch).await;
        self.set_problem(launched.as_ref().err());
        let (process, captured) = launched?;
        let files = self.files()?;
        let context = process.take_default_context(&files.downloads()).await?;
        let jar = Jar::new(&process, &context, &profile);
        if let Err(error) = jar.restore().await {
            tracing::warn!(error = %Chain(&error), "the kept cookies could not be put back");
            jar.set_aside().await;
        }
        Ok(Lease {
            pool: self.clone(),
            process,
            context,
            files,
            captured,
            kept: Some(Kept::new(jar, profile)),
            far: None,
            released: false,
        })
    }

    async fn launch_kept(
        &self,
        profile: &Profile,
        proxy_url: &str,
        has_display: bool,
    ) -> Result<Arc<Process>, Error> {
        match self.launch_on(profile, proxy_url, has_display).await {
            Err(refused @ Error::Ended { .. }) => {
                let aside = profile.set_aside().map_err(no_directory)?;
                let anew = self.launch_on(profile, proxy_url, has_display).await;
                match &anew {
                    Ok(_) => tracing::warn!(
                        error = %Chain(&refused), aside = %aside.display(),
                        "Chromium refuses a profile; it is set aside and begun anew, with its cookies"
                    ),
                    // It was not for the profile.
                    Err(_) => profile.take_back(&aside).map_err(no_directory)?,
                }
                anew
            }
            launched => launched,
        }
    }

    /// Makes a browser as it is asked for. Where that is left to us and the display fails, by the screencast, if
    /// that works.
    async fn by_choice<'a>(
        &self,
        asked: CaptureMode,
        make: impl Fn(bool) -> BoxFuture<'a, Result<Arc<Process>, Error>>,
    ) -> Result<(Arc<Process>, Captured), Error> {
        let choice = &self.inner.choice;
        let captured = choice.of(asked).inspect_err(|error| {
            // What one session asks for says nothing of the others.
            if asked == CaptureMode::Auto {
                self.set_problem(Some(error));
            }
        })?;
        let failed = match make(captured.has_display()).await {
            Ok(made) => return Ok((made, captured)),
            // A service that ends starts no other one.
            Err(error) if captured.has_display() && choice.is_free(asked) && !self.is_shut() => {
                error
            }
            Err(error) => return Err(error),
        };
        let made = make(false).await?;
        let why = choice.note_failure(&failed);
        Ok((made, Captured::by_screencast(Some(why))))
    }

    async fn launch_on(
        &self,
        profile: &Profile,
        proxy_url: &str,
        has_display: bool,
    ) -> Result<Arc<Process>, Error> {
        let scratch = self.inner.work_dir.subdirectory().map_err(no_directory)?;
        let home = Home {
            display: self.open_display(has_display, &scratch)?,
            profile: profile.user_data(),
            scratch,
            proxy: Some(proxy_url.to_owned()),
        };
        let inner = &self.inner;
        Process::launch(&inner.config, home, &inner.own, &inner.tracker).await
    }

    pub(super) fn files(&self) -> Result<Files, Error> {
        let files = self.inner.work_dir.subdirectory().and_then(Files::create);
        files.map_err(no_directory)
    }

    /// Ends every process.
    pub fn shut_down(&self) {
        self.inner.is_shut.store(true, Ordering::SeqCst);
        for slot in self.slots().drain(..) {
            slot.process.stop();
        }
    }

    /// A place in a process that has one, which is started if need be.
    async fn take_place(&self, asked: CaptureMode) -> Result<(Arc<Process>, Captured), Error> {
        let take = |has_display| self.take_place_in(has_display).boxed();
        self.by_choice(asked, take).await
    }

    async fn take_place_in(&self, has_display: bool) -> Result<Arc<Process>, Error> {
        if let Some(process) = self.take_free(has_display) {
            return Ok(process);
        }
        let _launching = self.inner.launching.lock().await;
        // Whoever held the lock before may have started one with room for all.
        if let Some(process) = self.take_free(has_display) {
            return Ok(process);
        }
        let inner = &self.inner;
        let launched = match inner.work_dir.subdirectory() {
            Err(error) => Err(no_directory(error)),
            Ok(directory) => {
                let home = Home {
                    display: self.open_display(has_display, &directory)?,
                    profile: directory.clone(),
                    scratch: directory,
                    proxy: None,
                };
                Process::launch(&inner.config, home, &inner.own, &inner.tracker).await
            }
        };
        self.set_problem(launched.as_ref().err());
        let process = launched?;
        let mut slots = self.slots();
        if self.is_shut() {
            process.stop();
            return Err(Error::Gone);
        }
        slots.push(Slot {
            process: Arc::clone(&process),
            in_use: 1,
            served: 1,
            is_retired: false,
        });
        drop(slots);
        Ok(process)
    }

    fn open_display(&self, has_one: bool, directory: &Path) -> Result<Option<Display>, Error> {
        let opened = has_one.then(|| Display::open(directory)).transpose();
        opened.map_err(|error| Error::Command {
            operation: "open a display for a browser",
            source: error.into(),
        })
    }

    fn take_free(&self, has_display: bool) -> Option<Arc<Process>> {
        let config = &self.inner.config;
        let mut slots = self.slots();
        slots.retain(|slot| slot.process.is_alive());
        let slot = slots.iter_mut().find(|slot| {
            !slot.is_retired
                && !slot.process.has_failed_display()
                && slot.process.display().is_some() == has_display
                && slot.in_use < config.contexts_per_process
                && slot.served < config.sessions_per_process
        })?;
        slot.in_use += 1;
        slot.served += 1;
        Some(Arc::clone(&slot.process))
    }

    /// Gives a process no further session.
    fn retire(&self, process: &Arc<Process>) {
        let mut slots = self.slots();
        let slot = slots
            .iter_mut()
            .find(|slot| Arc::ptr_eq(&slot.process, process));
        if let Some(slot) = slot {
            slot.is_retired = true;
            metrics::counter!("ghostcast_browsers_retired_total").increment(1);
            tracing::warn!(
                "no page can be made in a browser process; it takes no session any more"
            );
        }
    }

    fn give_back(&self, process: &Arc<Process>) {
        let mut slots = self.slots();
        let Some(index) = slots
            .iter()
            .position(|slot| Arc::ptr_eq(&slot.process, process))
        else {
            return;
        };
        slots[index].in_use -= 1;
        let config = &self.inner.config;
        let slot = &slots[index];
        let retired = slot.is_retired
            || slot.served >= config.sessions_per_process
            || slot.process.has_failed_display();
        // What is kept warm is what the next session takes that does not say what it wants.
        let has_display = slots[index].process.display().is_some();
        let is_usual = self
            .captured()
            .is_ok_and(|usual| usual.has_display() == has_display);
        let alike = |slot: &&Slot| slot.process.display().is_some() == has_display;
        let spare = !is_usual || !config.keep_warm || slots.iter().filter(alike).count() > 1;
        if slots[index].in_use == 0 && (retired || spare) {
            slots.remove(index).process.stop();
        }
    }

    fn is_shut(&self) -> bool {
        self.inner.is_shut.load(Ordering::SeqCst)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        // Every change is whole when the lock is let go, whoever panicked.
        self.inner
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_directory(error: std::io::Error) -> Error {
    Error::Command {
        operation: "make a directory for the session's files",
        source: error.into(),
    }
}

impl Lease {
    /// A context in a browser that is far away.
    pub(super) fn far(
        pool: &Pool,
        files: Files,
        process: Arc<Process>,
        context: String,
        far: Hold,
    ) -> Self {
        Self {
            pool: pool.clone(),
            process,
            context,
            files,
            captured: Captured::by_screencast(Some(FAR_CAPTURE.to_owned())),
            kept: None,
            far: Some(far),
            released: false,
        }
    }

    /// As a context of this machine has it, as far as a browser that is far away permits: pages may copy, and
    /// their downloads go where they may, or nowhere.
    pub(super) async fn furnish_far(&self, downloads: &str) {
        let to = Some(Path::new(downloads)).filter(|_| !downloads.is_empty());
        let (kept, copied) = tokio::join!(
            self.process.keep_downloads(&self.context, to),
            self.process.let_copy(&self.context)
        );
        for refused in [kept, copied].into_iter().filter_map(Result::err) {
            tracing::debug!(error = %Chain(&refused), "a remote browser does without");
        }
    }

    /// Where what its pages download goes.
    pub(in crate::browser) fn downloads(&self) -> Downloads {
        match &self.far {
            None => Downloads::Here(self.files.downloads()),
            Some(far) if far.takes_downloads() => Downloads::There,
            Some(_) => Downloads::Nowhere,
        }
    }

    /// Where files for its pages lie; none where its browser would not find them.
    pub(in crate::browser) fn uploads(&self) -> Option<PathBuf> {
        self.far.is_none().then(|| self.files.uploads())
    }

    /// Closes the pages that a browser began with, now that the session has its own.
    pub fn close_first_pages(&mut self) {
        if let Some(far) = &mut self.far {
            far.close_first(&self.process);
        }
    }

    /// Tells, now or later, how the process was lost.
    pub fn loss(&self) -> watch::Receiver<Option<Loss>> {
        self.process.loss()
    }

    /// How its pages are captured.
    pub const fn captured(&self) -> &Captured {
        &self.captured
    }

    /// The browser's first process.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Notes that no page can be made in the process: it takes no further session.
    pub fn retire(&self) {
        self.pool.retire(&self.process);
    }

    /// Notes that its display is of no use.
    pub fn distrust_display(&self, why: &str) {
        self.pool.inner.choice.distrust(why.to_owned());
    }

    /// Keeps the profile's cookies; none for a session without one.
    pub fn jar(&self) -> Option<Jar> {
        self.kept.as_ref().map(|kept| kept.jar.clone())
    }

    /// Closes the context with all its pages and gives the place back; a browser with a profile of its
    /// own ends, once it has written what it keeps.
    pub async fn release(mut self) {
        self.released = true;
        if let Some(far) = self.far.take() {
            return self.leave_far(far).await;
        }
        if let Some(kept) = &self.kept {
            let saved = timeout(SAVED_WITHIN, kept.jar.save()).await;
            match saved {
                Ok(Ok(())) => {
                    if self.process.leave().await {
                        kept.jar.closed_in_order().await;
                    }
                }
                // One that does not answer writes nothing down by itself.
                Ok(Err(_)) | Err(_) => self.process.end().await,
            }
            return;
        }
        if !self.context.is_empty() {
            self.process.dispose_context(&self.context).await;
        }
        self.pool.give_back(&self.process);
    }

    /// Leaves a browser that is far away as it is, but for what is the session's own.
    async fn leave_far(&self, far: Hold) {
        if let Some(kept) = &self.kept {
            // One that does not answer has told its cookies before.
            let _ = timeout(SAVED_WITHIN, kept.jar.save()).await;
        }
        match far.is_alone() {
            true => self.process.stop(),
            // The connection ends with its last session.
            false => self.process.dispose_context(&self.context).await,
        }
        far.give_back().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let is_own = match &self.far {
            Some(far) => far.is_alone(),
            None => self.kept.is_some(),
        };
        if is_own {
            self.process.stop();
            return;
        }
        let (pool, process) = (self.pool.clone(), Arc::clone(&self.process));
        let context = std::mem::take(&mut self.context);
        self.pool.inner.tracker.spawn(async move {
            if !context.is_empty() {
                process.dispose_context(&context).await;
            }
            pool.give_back(&process);
        });
    }
}
