//! What origins have stored: put in, and taken out. And what pages have in `localStorage`, kept beside a
//! profile for as long as its browser runs: Chromium has a change on its disk only after some seconds, and a
//! browser that is killed has lost it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chromiumoxide_cdp::cdp::browser_protocol::target::{
    CloseTargetParams, CreateTargetParams, TargetId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::jar;
use super::process::Process;
use super::visit::Visitor;
use crate::disk;
use crate::model::databases::StoredDatabase;
use crate::model::storage_state::{LeftOut, OriginState, STATE_BYTES_MAX, StoredItem};

const OPERATION: &str = "put a page's storage back";
/// An origin that no page shows any more is on Chromium's disk after this time.
const LEFT_FOR: Duration = Duration::from_secs(15);
/// Origins whose storage is kept.
const ORIGINS_MAX: usize = 64;
/// One origin takes what it is given within this time.
const PUT_WITHIN: Duration = Duration::from_secs(20);
/// What all origins have stored is read within this time; databases that take longer are left out.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// Beyond its own time a script is waited for this long.
const LEEWAY: Duration = Duration::from_secs(3);
/// An expression whose value has the functions.
const SCRIPT: &str = include_str!("storage.js");

/// What one origin has stored, by its keys.
pub type Items = Map<String, Value>;

/// Keeps the storage of one browser in a file. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    path: PathBuf,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    /// Whether there is something in it that was put in, and that no page has changed since.
    is_unwritten: Arc<AtomicBool>,
    /// Whether the file is forgotten: whoever is late must not write it again.
    is_over: Arc<tokio::sync::Mutex<bool>>,
    /// Whether the browser has no disk that keeps it: nothing is left out because it is old.
    is_only: bool,
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
            is_unwritten: Arc::default(),
            is_over: Arc::default(),
            is_only: false,
        }
    }

    /// The only place where it is kept: the browser is far away, and forgets.
    pub(super) fn only(path: PathBuf) -> Self {
        Self {
            is_only: true,
            ..Self::new(path)
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
        seen.retain(|origin, seen| {
            self.is_only || open.contains_key(origin) || now - seen.at < LEFT_FOR
        });
        let mut is_news = self.is_unwritten.swap(false, Ordering::Relaxed) || seen.len() != before;
        for (origin, items) in open {
            is_news |= seen.get(&origin).is_none_or(|seen| seen.items != items);
            seen.insert(origin, Seen { at: now, items });
        }
        let left_out = leave_out_oldest(&mut seen);
        is_news |= left_out > 0;
        // Else Chromium's own disk has them.
        if left_out > 0 && self.is_only {
            tracing::warn!(
                left_out,
                "what sites have stored is not kept any more of those that were used longest ago"
            );
        }
        let all: BTreeMap<&String, &Items> = seen
            .iter()
            .map(|(origin, seen)| (origin, &seen.items))
            .collect();
        is_news.then(|| serde_json::to_vec(&all).ok()).flatten()
    }

    /// Begins with what was put in, which is in no file yet.
    pub(super) fn begin(&self, put_in: &BTreeMap<String, Items>) {
        self.remember(put_in);
        self.is_unwritten.store(true, Ordering::Relaxed);
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
        let given = kept.iter().map(|(origin, items)| {
            let given = Given {
                items,
                databases: None,
            };
            (origin.as_str(), given)
        });
        for (origin, _) in put(process, context, &given.collect()).await? {
            tracing::warn!(origin, "what a site has stored could not be put back");
        }
        Ok(())
    }
}

/// Keeps a bounded number of origins, those that were seen last; answers how many are left out.
fn leave_out_oldest(seen: &mut BTreeMap<String, Seen>) -> usize {
    let mut left_out = 0;
    while seen.len() > ORIGINS_MAX {
        let oldest = seen.iter().min_by_key(|(_, seen)| seen.at);
        let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) else {
            break;
        };
        seen.remove(&oldest);
        left_out += 1;
    }
    left_out
}

/// What an origin is to have stored.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Given<'a> {
    pub(super) items: &'a Items,
    /// Its databases; those that it has are left alone where there are none here.
    pub(super) databases: Option<&'a [StoredDatabase]>,
}

/// Gives each origin what it is to have stored, and nothing else; answers those that would not take it, and why.
pub(super) async fn put(
    process: &Process,
    context: &str,
    given: &BTreeMap<&str, Given<'_>>,
) -> Result<Vec<(String, String)>, Error> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let browser = process.browser();
    let target = CreateTargetParams::builder()
        .url("about:blank")
        .browser_context_id(context.to_owned())
        .build()
        .map_err(Error::builder(OPERATION))?;
    let target = browser.execute(OPERATION, target).await?.target_id;
    let left = put_by(process, &target, given).await;
    let closing = async {
        let close = CloseTargetParams::new(target);
        browser.execute(OPERATION, close).await.map(drop)
    };
    match process.display() {
        Some(_) => jar::outlasting_the_last_window(process, context, closing).await?,
        None => closing.await?,
    }
    left
}

async fn put_by(
    process: &Process,
    target: &TargetId,
    given: &BTreeMap<&str, Given<'_>>,
) -> Result<Vec<(String, String)>, Error> {
    let mut visitor = Visitor::new(process, target).await?;
    let mut left = Vec::new();
    for (origin, given) in given {
        let body = call("put", given)?;
        let put = visitor.run(origin, &body, PUT_WITHIN + LEEWAY).await?;
        // Where nothing was to be put in, nothing is missing.
        let is_something =
            !given.items.is_empty() || given.databases.is_some_and(|all| !all.is_empty());
        if let Err(why) = put
            && is_something
        {
            left.push(((*origin).to_owned(), why));
        }
    }
    Ok(left)
}

/// What origins have stored, read from a page that shows nothing else.
pub(in crate::browser) async fn read(
    process: &Process,
    target: &TargetId,
    origins: Vec<String>,
    with_databases: bool,
) -> Result<Vec<OriginState>, Error> {
    let mut visitor = Visitor::new(process, target).await?;
    let until = Instant::now() + READ_WITHIN;
    let mut bytes_left = STATE_BYTES_MAX;
    let mut states = Vec::new();
    for origin in origins {
        let left = until.saturating_duration_since(Instant::now());
        let arguments = json!({
            "withDatabases": with_databases,
            "bytesLeft": bytes_left,
            "msMax": left.as_millis() as u64,
        });
        let body = call("take", &arguments)?;
        let taken = visitor.run(&origin, &body, left + LEEWAY).await?;
        let taken = taken.and_then(|json| {
            let json = json.as_str().unwrap_or_default();
            bytes_left = bytes_left.saturating_sub(json.len());
            serde_json::from_str::<Taken>(json).map_err(|error| error.to_string())
        });
        let taken = taken.unwrap_or_else(Taken::nothing);
        states.extend(taken.of(origin));
    }
    Ok(states)
}

/// What the script in a page answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    local_storage: Vec<StoredItem>,
    #[serde(rename = "indexedDB")]
    indexed_db: Vec<StoredDatabase>,
    left_out: Vec<LeftOut>,
}

impl Taken {
    /// Nothing could be read.
    fn nothing(why: String) -> Self {
        Self {
            local_storage: Vec::new(),
            indexed_db: Vec::new(),
            left_out: vec![LeftOut::all(why)],
        }
    }

    /// What is told of an origin; nothing of one that has stored nothing.
    fn of(self, origin: String) -> Option<OriginState> {
        let is_something = !self.local_storage.is_empty()
            || !self.indexed_db.is_empty()
            || !self.left_out.is_empty();
        is_something.then(|| OriginState {
            origin,
            local_storage: self.local_storage,
            indexed_db: self.indexed_db,
            left_out: self.left_out,
            opfs: Vec::new(),
        })
    }
}

/// The call of one function of the script.
fn call(function: &str, arguments: &impl Serialize) -> Result<String, Error> {
    // As a text: in a literal a key "__proto__" is something else.
    let arguments = serde_json::to_string(arguments).map_err(|error| failed(error.into()))?;
    Ok(format!(
        "const storage = {SCRIPT}; return storage.{function}(JSON.parse({}));",
        Value::from(arguments)
    ))
}

fn failed(source: crate::error::BoxError) -> Error {
    Error::Command {
        operation: "keep what pages have stored",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(value: usize) -> Items {
        Items::from_iter([("k".to_owned(), value.into())])
    }

    fn open(numbers: std::ops::Range<usize>) -> BTreeMap<String, Items> {
        let origin = |number| (format!("https://{number}.test"), items(number));
        numbers.map(origin).collect()
    }

    #[test]
    fn what_was_put_in_is_written_without_a_change() {
        let storage = Storage::only("x".into());
        storage.begin(&open(0..1));
        assert!(storage.note(open(0..1)).is_some());
        assert!(storage.note(open(0..1)).is_none());
    }

    #[test]
    fn a_bounded_number_of_origins_is_kept_and_the_oldest_are_left_out_first() {
        for storage in [Storage::new("x".into()), Storage::only("x".into())] {
            for number in 0..ORIGINS_MAX + 3 {
                assert!(storage.note(open(number..number + 1)).is_some());
            }
            let seen = storage.seen.lock().unwrap();
            assert_eq!(seen.len(), ORIGINS_MAX);
            assert!(!seen.contains_key("https://2.test"));
            assert!(seen.contains_key("https://3.test"));
            drop(seen);
            // However many are open at once.
            storage.note(open(100..100 + 2 * ORIGINS_MAX));
            assert_eq!(storage.seen.lock().unwrap().len(), ORIGINS_MAX);
            // What nobody has changed is no news.
            let open = open(100..101);
            storage.note(open.clone());
            assert!(storage.note(open).is_none());
        }
    }
}
