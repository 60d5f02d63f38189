//! The cookies of a kept profile, as we keep them ourselves: Chromium forgets at its end those without
//! an expiry, and has others on disk only after half a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::network::{Cookie, CookieParam, TimeSinceEpoch};
use chromiumoxide_cdp::cdp::browser_protocol::storage::{
    ClearCookiesParams, GetCookiesParams, SetCookiesParams,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::super::error::Error;
use super::process::Process;
use super::profile::Profile;
use super::storage::{Items, Storage};
use crate::disk;

/// The name of a cookie that tells when cookies have been deleted.
const PASSING: &str = "ghostcast-passing";
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Chromium has deleted them within this time after a last window has been closed, or does not.
const THROUGH_WITHIN: Duration = Duration::from_secs(1);

/// Keeps the cookies of one browser in a file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jar {
    process: Weak<Process>,
    context: String,
    path: PathBuf,
    origins: PathBuf,
    known: Arc<Mutex<BTreeSet<String>>>,
    storage: Storage,
    /// Whether what pages have stored is kept by a context of a remote browser.
    is_kept_there: bool,
    /// What was written last.
    written: Arc<Mutex<Option<u64>>>,
}

impl Jar {
    pub(super) fn new(process: &Arc<Process>, context: &str, profile: &Profile) -> Self {
        Self {
            process: Arc::downgrade(process),
            context: context.to_owned(),
            path: profile.cookies(),
            origins: profile.origins(),
            known: Arc::default(),
            storage: Storage::new(profile.storage()),
            is_kept_there: false,
            written: Arc::default(),
        }
    }

    /// The same of a browser that is far away. Where a context there keeps what pages have stored, it is not
    /// put back.
    pub(super) fn far(
        process: &Arc<Process>,
        context: &str,
        profile: &Profile,
        is_kept_there: bool,
    ) -> Self {
        let storage = match is_kept_there {
            true => Storage::new(profile.storage()),
            false => Storage::only(profile.storage()),
        };
        Self {
            storage,
            is_kept_there,
            ..Self::new(process, context, profile)
        }
    }

    /// Notes what pages have stored that was put in: what a killed browser loses of it is put back.
    pub(super) fn remember(&self, stored: BTreeMap<String, Items>) {
        self.storage.begin(&stored);
    }

    /// The origins that were visited, as they were kept.
    pub async fn origins(&self) -> BTreeSet<String> {
        let kept = tokio::fs::read(&self.origins).await;
        // There is none yet, or one that a disk has broken: they are found again by and by.
        let kept: Option<BTreeSet<String>> = kept
            .ok()
            .and_then(|kept| serde_json::from_slice(&kept).ok());
        let kept = kept.unwrap_or_default();
        self.known.lock().await.clone_from(&kept);
        kept
    }

    /// Writes the origins down that were visited, if they are others than before.
    pub async fn save_origins(&self, origins: BTreeSet<String>) -> Result<(), Error> {
        let mut known = self.known.lock().await;
        if *known == origins {
            return Ok(());
        }
        let json = serde_json::to_vec(&origins).map_err(|error| failed(error.into()))?;
        let path = self.origins.clone();
        let writing = tokio::task::spawn_blocking(move || disk::replace(&path, &json)).await;
        writing
            .map_err(|error| failed(error.into()))?
            .map_err(|error| failed(error.into()))?;
        *known = origins;
        Ok(())
    }

    /// Writes down what open pages have in `localStorage`, by their origins.
    pub async fn save_storage(&self, open: BTreeMap<String, Items>) -> Result<(), Error> {
        match self.is_kept_there {
            true => Ok(()),
            false => self.storage.save(open).await,
        }
    }

    /// Sets aside what could not be put back, so that nothing is written over it.
    pub(super) async fn set_aside(&self) {
        let path = self.path.clone();
        let aside = tokio::task::spawn_blocking(move || disk::set_aside(&path)).await;
        // There may be none.
        if let Ok(Ok(aside)) = aside {
            tracing::warn!(aside = %aside.display(), "the kept cookies are set aside");
        }
    }

    /// The browser has ended in order.
    pub(super) async fn closed_in_order(&self) {
        self.storage.forget().await;
    }

    /// Writes the cookies down as they are, if they are others than before.
    pub async fn save(&self) -> Result<(), Error> {
        let mut written = self.written.lock().await;
        let process = self.process.upgrade().ok_or(Error::Gone)?;
        let cookies = cookies(&process, &self.context).await?;
        let cookies = serde_json::to_vec(&cookies).map_err(|error| failed(error.into()))?;
        let mut hasher = DefaultHasher::new();
        cookies.hash(&mut hasher);
        let print = hasher.finish();
        if *written == Some(print) {
            return Ok(());
        }
        let path = self.path.clone();
        let writing = tokio::task::spawn_blocking(move || disk::replace(&path, &cookies)).await;
        writing
            .map_err(|error| failed(error.into()))?
            .map_err(|error| failed(error.into()))?;
        *written = Some(print);
        Ok(())
    }

    /// Gives the browser the cookies that were kept, and no others: what was taken back shortly before
    /// a crash is on Chromium's disk still.
    pub(super) async fn restore(&self) -> Result<(), Error> {
        let process = self.process.upgrade().ok_or(Error::Gone)?;
        self.restore_cookies().await?;
        if self.is_kept_there {
            return Ok(());
        }
        self.storage.restore(&process, &self.context).await
    }

    async fn restore_cookies(&self) -> Result<(), Error> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let kept = match read.map_err(|error| failed(error.into()))? {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error.into())),
        };
        let cookies: Vec<Cookie> =
            serde_json::from_slice(&kept).map_err(|error| failed(error.into()))?;
        let browser = self.process.upgrade().ok_or(Error::Gone)?.browser();
        let clear = ClearCookiesParams {
            browser_context_id: Some(self.context.clone().into()),
        };
        browser.execute("put cookies back", clear).await?;
        let cookies: Vec<CookieParam> = cookies.into_iter().map(param).collect();
        let mut all = SetCookiesParams::new(cookies.clone());
        all.browser_context_id = Some(self.context.clone().into());
        if browser.execute("put cookies back", all).await.is_ok() {
            return Ok(());
        }
        // One that Chromium refuses takes all others with it.
        for cookie in cookies {
            let name = cookie.name.clone();
            let mut one = SetCookiesParams::new(vec![cookie]);
            one.browser_context_id = Some(self.context.clone().into());
            if browser.execute("put a cookie back", one).await.is_err() {
                tracing::warn!(name, "a cookie could not be put back");
            }
        }
        Ok(())
    }
}

/// The cookies of a context, in one order.
pub(super) async fn cookies(process: &Process, context: &str) -> Result<Vec<Cookie>, Error> {
    let all = GetCookiesParams {
        browser_context_id: Some(context.to_owned().into()),
    };
    let answer = process.browser().execute("read the cookies", all).await?;
    let mut cookies = answer.cookies;
    cookies.sort_by(|a, b| (&a.domain, &a.path, &a.name).cmp(&(&b.domain, &b.path, &b.name)));
    Ok(cookies)
}

/// Closes a window that may be the last one of its context, without a loss: with it Chromium takes the session to be
/// over, and deletes the cookies that are for the session only. Nothing says when it is through with that; a cookie of
/// ours that goes with them tells it sooner than the time does.
pub(super) async fn outlasting_the_last_window(
    process: &Process,
    context: &str,
    closing: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let kept = cookies(process, context).await?;
    if !kept.iter().any(|cookie| cookie.session) {
        return closing.await;
    }
    set(process, context, vec![passing(None)]).await?;
    closing.await?;
    let is_through = async {
        let is_passing = |cookie: &Cookie| cookie.name == PASSING;
        while cookies(process, context).await?.iter().any(is_passing) {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    match timeout(THROUGH_WITHIN, is_through).await {
        Ok(through) => through?,
        // It has deleted none, or ours was not among them.
        Err(_) => {
            set(
                process,
                context,
                vec![passing(Some(TimeSinceEpoch::new(1.0)))],
            )
            .await?
        }
    }
    set(process, context, kept.into_iter().map(param).collect()).await
}

/// A cookie that no site is ever sent.
fn passing(expires: Option<TimeSinceEpoch>) -> CookieParam {
    let mut passing = CookieParam::new(PASSING, "1");
    passing.url = Some("http://passing.invalid/".to_owned());
    passing.expires = expires;
    passing
}

async fn set(process: &Process, context: &str, cookies: Vec<CookieParam>) -> Result<(), Error> {
    let mut all = SetCookiesParams::new(cookies);
    all.browser_context_id = Some(context.to_owned().into());
    let browser = process.browser();
    browser.execute("put cookies back", all).await.map(drop)
}

/// Where a cookie is set that is one host's alone.
pub(super) fn address(is_secure: bool, host: &str, path: &str) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    match host.contains(':') && !host.starts_with('[') {
        true => format!("{scheme}://[{host}]{path}"),
        false => format!("{scheme}://{host}{path}"),
    }
}

/// A cookie as it is set. One of a single host has no domain, but an address.
fn param(cookie: Cookie) -> CookieParam {
    let mut param = CookieParam::new(cookie.name, cookie.value);
    if cookie.domain.starts_with('.') {
        param.domain = Some(cookie.domain);
    } else {
        param.url = Some(address(cookie.secure, &cookie.domain, &cookie.path));
    }
    param.path = Some(cookie.path);
    param.secure = Some(cookie.secure);
    param.http_only = Some(cookie.http_only);
    param.same_site = cookie.same_site;
    param.priority = Some(cookie.priority);
    param.expires = (!cookie.session).then(|| TimeSinceEpoch::new(cookie.expires));
    param.partition_key = cookie.partition_key;
    param
}

fn failed(source: crate::error::BoxError) -> Error {
    Error::Command {
        operation: "keep the cookies",
        source,
    }
}
