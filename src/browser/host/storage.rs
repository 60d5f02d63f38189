//! What pages have in `localStorage`, kept beside a profile for as long as its browser runs: Chromium has
//! a change on its disk only after some seconds, and a browser that is killed has lost it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chromiumoxide_cdp::cdp::browser_protocol::fetch::{
    EnableParams, EventRequestPaused, FulfillRequestParams, HeaderEntry,
};
use chromiumoxide_cdp::cdp::browser_protocol::network::SetBypassServiceWorkerParams;
use chromiumoxide_cdp::cdp::browser_protocol::page::NavigateParams;
use chromiumoxide_cdp::cdp::browser_protocol::target::{
    AttachToTargetParams, CloseTargetParams, CreateTargetParams, TargetId,
};
use chromiumoxide_cdp::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::super::cdp::Told;
use super::super::error::Error;
use super::process::Process;
use crate::disk;

const OPERATION: &str = "put a page's storage back";
/// An origin that no page shows any more is on Chromium's disk after this time.
const LEFT_FOR: Duration = Duration::from_secs(15);
/// An empty page of an origin is there within this time.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// What one origin has stored, by its keys.
pub type Items = Map<String, Value>;

/// Keeps the storage of one browser in a file. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    path: PathBuf,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    /// Whether the file is forgotten: whoever is late must not write it again.
    is_over: Arc<tokio::sync::Mutex<bool>>,
}

#[derive(Debug)]
struct Seen {
    at: Instant,
    items: Items,
}

impl Storage {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            seen: Arc::default(),
            is_over: Arc::default(),
        }
    }

    /// Writes down what the pages that are open have stored, if that is something else than before.
    pub(super) async fn save(&self, open: BTreeMap<String, Items>) -> Result<(), Error> {
        let is_over = self.is_over.lock().await;
        let Some(json) = self.note(open).filter(|_| !*is_over) else {
            return Ok(());
        };
        let path = self.path.clone();
        let writing = tokio::task::spawn_blocking(move || disk::replace(&path, &json)).await;
        writing
            .map_err(|error| failed(error.into()))?
            .map_err(|error| failed(error.into()))
    }

    /// The file's new content; none where nothing has changed.
    fn note(&self, open: BTreeMap<String, Items>) -> Option<Vec<u8>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let before = seen.len();
        seen.retain(|origin, seen| open.contains_key(origin) || now - seen.at < LEFT_FOR);
        let mut is_news = seen.len() != before;
        for (origin, items) in open {
            is_news |= seen.get(&origin).is_none_or(|seen| seen.items != items);
            seen.insert(origin, Seen { at: now, items });
        }
        let all: BTreeMap<&String, &Items> = seen
            .iter()
            .map(|(origin, seen)| (origin, &seen.items))
            .collect();
        is_news.then(|| serde_json::to_vec(&all).ok()).flatten()
    }

    /// Begins with what was kept: what no page shows at once is kept on for a while.
    fn remember(&self, kept: &BTreeMap<String, Items>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (origin, items) in kept {
            let seen_now = Seen {
                at: Instant::now(),
                items: items.clone(),
            };
            seen.insert(origin.clone(), seen_now);
        }
    }

    /// The browser has ended in order, and has written all itself.
    pub(super) async fn forget(&self) {
        let mut is_over = self.is_over.lock().await;
        *is_over = true;
        // There may be none.
        let _ = tokio::fs::remove_file(&self.path).await;
    }

    /// Gives the pages back what a browser that was killed may have lost.
    pub(super) async fn restore(&self, process: &Process, context: &str) -> Result<(), Error> {
        let kept = match tokio::fs::read(&self.path).await {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error.into())),
        };
        let kept: BTreeMap<String, Items> =
            serde_json::from_slice(&kept).map_err(|error| failed(error.into()))?;
        if kept.is_empty() {
            return Ok(());
        }
        self.remember(&kept);
        for origin in put(process, context, &kept).await? {
            tracing::warn!(origin, "what a site has stored could not be put back");
        }
        Ok(())
    }
}

/// Gives each origin what it had stored, and nothing else; answers those that would not take it.
pub(super) async fn put(
    process: &Process,
    context: &str,
    stored: &BTreeMap<String, Items>,
) -> Result<Vec<String>, Error> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let browser = process.browser();
    let target = CreateTargetParams::builder()
        .url("about:blank")
        .browser_context_id(context.to_owned())
        .build()
        .map_err(Error::builder(OPERATION))?;
    let target = browser.execute(OPERATION, target).await?.target_id;
    let visits = stored.iter().map(|(origin, items)| {
        let items = json!(items);
        let fill = format!(
            "localStorage.clear(); for (const [key, value] of Object.entries({items})) \
             localStorage.setItem(key, value);"
        );
        (origin.clone(), fill)
    });
    let visited = visit(process, &target, visits).await;
    browser
        .execute(OPERATION, CloseTargetParams::new(target))
        .await?;
    let visited = visited?;
    let is_left = |origin: &&String| !visited.contains_key(*origin);
    Ok(stored.keys().filter(is_left).cloned().collect())
}

/// What origins have stored, read from a page that shows nothing else.
pub(in crate::browser) async fn read(
    process: &Process,
    target: &TargetId,
    origins: &[String],
) -> Result<BTreeMap<String, Items>, Error> {
    let visits = origins
        .iter()
        .map(|origin| (origin.clone(), "return { ...localStorage };".to_owned()));
    let visited = visit(process, target, visits).await?;
    let items = visited
        .into_iter()
        .filter_map(|(origin, value)| match value {
            Value::Object(items) if !items.is_empty() => Some((origin, items)),
            _ => None,
        });
    Ok(items.collect())
}

/// Runs a script at each origin, in an empty page of it that comes from nowhere but here; answers what each
/// returned, and leaves out where it did not run.
async fn visit(
    process: &Process,
    target: &TargetId,
    visits: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, Value>, Error> {
    let browser = process.browser();
    let attach = AttachToTargetParams::builder()
        .target_id(target.clone())
        .flatten(true)
        .build()
        .map_err(Error::builder(OPERATION))?;
    let attached = browser.execute(OPERATION, attach).await?;
    let page = browser.beside(attached.session_id.inner());
    let mut paused = page.tap(&["Fetch.requestPaused"]);
    page.execute(OPERATION, SetBypassServiceWorkerParams::new(true))
        .await?;
    page.execute(OPERATION, EnableParams::default()).await?;
    let mut told = BTreeMap::new();
    for (origin, script) in visits {
        let going = page.execute(OPERATION, NavigateParams::new(format!("{origin}/")));
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
        if !matches!(there.await, Ok(Ok(()))) {
            continue;
        }
        // Only where the page is what was asked for: an origin may refuse storage.
        let expression = format!(
            "(() => {{ if (location.origin !== {}) throw 0; {script} }})()",
            json!(origin)
        );
        let mut script = EvaluateParams::new(expression);
        script.return_by_value = Some(true);
        let answer = page.execute(OPERATION, script).await?;
        if answer.exception_details.is_none() {
            told.insert(origin, answer.result.value.unwrap_or_default());
        }
    }
    Ok(told)
}

fn failed(source: crate::error::BoxError) -> Error {
    Error::Command {
        operation: "keep what pages have stored",
        source,
    }
}
