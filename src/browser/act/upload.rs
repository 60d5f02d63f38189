//! upload: files into a field, or through the button in front of one.

use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::dom::SetFileInputFilesParams;
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    EventFileChooserOpened, SetInterceptFileChooserDialogParams,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::cdp::{Events, Session, Told};
use super::super::hand::files;
use super::super::sight;
use super::super::target::Frame;
use super::aim::in_words;
use super::click;
use super::observe::{self, Before};
use super::offered;
use super::reach::{Reached, reach};
use super::sketch;
use super::{Done, Stage, browser_failed};
use crate::media::cursor::Cue;
use crate::model::command::{ActionError, ActionErrorKind, Upload, UploadFile};
use crate::model::outcome::{Delivery, Effect, EffectKind, Retry};
use crate::refusals::{self, Limit};

/// How long a page may take to say what its field holds in the end.
const HELD_WITHIN: Duration = Duration::from_millis(300);
/// How long after a click a file chooser may open.
const CHOOSER_WITHIN: Duration = Duration::from_millis(500);

/// What `fileField` and `fileFieldOf` answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Answer {
    Gone,
    /// It is no file field; a click on it may open a chooser.
    Other,
    Field(FileField),
}

/// A field that takes files.
#[derive(Debug, Deserialize)]
struct FileField {
    node: u64,
    multiple: bool,
    directory: bool,
    accept: String,
}

/// What `heldFiles` answers.
#[derive(Debug, Deserialize)]
struct HeldFiles {
    /// Nothing when the field is gone.
    now: Option<Vec<Held>>,
    /// What the page heard of last.
    heard: Vec<Held>,
}

/// Whether these are the files that were given.
fn is_same(held: &[Held], given: &[UploadFile]) -> bool {
    held.len() == given.len()
        && held
            .iter()
            .zip(given)
            .all(|(held, file)| held.name == file.name && held.size == file.data.len() as u64)
}

/// A file as the page has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Held {
    name: String,
    #[serde(rename = "type")]
    media_type: String,
    size: u64,
}

pub(super) async fn upload(stage: Stage<'_>, params: &Upload) -> Result<Done, ActionError> {
    let offered;
    let given = match params.paths.is_empty() {
        true => &params.files,
        false => {
            offered = offered::read(stage.uploads_dir, &params.paths).await?;
            &offered
        }
    };
    let reached = reach(stage, params.index).await?;
    stage.show(Cue::MoveTo { at: reached.at }).await;
    let known = &reached.known;
    let frame = known.frame.clone();
    let answer = frame.call::<Answer>("fileField", json!([known.node]));
    match answer.await.map_err(browser_failed)? {
        Answer::Gone => Err(sight::stale(stage.page, known, None).await),
        Answer::Field(field) => {
            let before = observe::before(stage, Some(known)).await;
            give(stage, &reached, &frame, &field, given, before).await
        }
        Answer::Other => through_chooser(stage, &reached, given).await,
    }
}

/// Clicks what opens a file chooser, and gives the files to the field that it is opened for.
async fn through_chooser(
    stage: Stage<'_>,
    reached: &Reached,
    given: &[UploadFile],
) -> Result<Done, ActionError> {
    let own = reached.known.frame.session();
    let mut choosers = vec![own.tap(&["Page.fileChooserOpened"])];
    intercept(own, true).await?;
    let clicked = click::once(stage, reached.known.index).await;
    let opened = match &clicked {
        Ok(_) => timeout(CHOOSER_WITHIN, opened(&mut choosers))
            .await
            .ok()
            .flatten(),
        Err(_) => None,
    };
    // From here on choosers are the browser's again, whatever came of this one.
    let restored = intercept(own, false).await;
    clicked?;
    restored?;
    let field = match &opened {
        Some(opened) => field_of(stage, opened).await?,
        None => None,
    };
    let Some((frame, field)) = field else {
        return Err(no_chooser(reached));
    };
    let before = observe::before(stage, None).await;
    give(stage, reached, &frame, &field, given, before).await
}

async fn intercept(session: &Session, enabled: bool) -> Result<(), ActionError> {
    let params = SetInterceptFileChooserDialogParams::new(enabled);
    let answer = session.execute("watch for file choosers", params).await;
    answer.map(|_| ()).map_err(browser_failed)
}

/// The first chooser that opens.
async fn opened(choosers: &mut [Events]) -> Option<EventFileChooserOpened> {
    let chooser = choosers.first_mut()?;
    loop {
        if let Told::Event(event) = chooser.next().await? {
            return event.parse();
        }
    }
}

/// The field that a chooser was opened for, and its document.
async fn field_of(
    stage: Stage<'_>,
    opened: &EventFileChooserOpened,
) -> Result<Option<(Frame, FileField)>, ActionError> {
    let frames = stage.page.frames();
    let frame = frames
        .into_iter()
        .find(|frame| *frame.id() == opened.frame_id);
    let (Some(frame), Some(node)) = (frame, &opened.backend_node_id) else {
        return Ok(None);
    };
    let node = [*node.inner()];
    let answer = frame.call_on_nodes::<Answer>("fileFieldOf", &node, json!([]));
    match answer.await.map_err(browser_failed)? {
        Answer::Field(field) => Ok(Some((frame, field))),
        Answer::Gone | Answer::Other => Ok(None),
    }
}

fn no_chooser(reached: &Reached) -> ActionError {
    let what = in_words(&reached.struck.role, &reached.struck.name);
    let mut error = ActionError::new(
        ActionErrorKind::ElementNotEditable,
        format!(
            "{what} takes no files: it was clicked and opened no file chooser for a field. Get the \
             context and pick the file field, or the button that opens it."
        ),
    )
    .delivery(Delivery::Sent)
    .retry(Retry::Unsafe);
    error.outcome.target = Some(reached.struck.clone());
    error
}

/// Gives files to a field, and sees that the page has heard of them.
async fn give(
    stage: Stage<'_>,
    reached: &Reached,
    frame: &Frame,
    field: &FileField,
    given: &[UploadFile],
    before: Before,
) -> Result<Done, ActionError> {
    let what = in_words(&reached.struck.role, &reached.struck.name);
    if given.len() > 1 && !field.multiple && !field.directory {
        let count = given.len();
        return Err(ActionError::new(
            ActionErrorKind::ValueNotAccepted,
            format!(
                "{what} takes one file, and {count} were given. Nothing was uploaded: send one."
            ),
        )
        .retry(Retry::Useless));
    }
    let Some(directory) = stage.page.uploads() else {
        return Err(ActionError::new(
            ActionErrorKind::Unsupported,
            "The session's browser is far away (browser: remote), where files of this machine are not found. \
             Nothing was uploaded: use a session with browser \"local\".",
        )
        .retry(Retry::Useless));
    };
    let paths = files::lay(directory, given).await.map_err(not_laid)?;
    let forget = frame.call::<Value>("forgetFiles", json!([]));
    forget.await.map_err(browser_failed)?;
    let object = frame.object("element", json!([field.node]));
    let object = object.await.map_err(browser_failed)?;
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut set = SetFileInputFilesParams::new(paths);
    set.object_id = Some(object);
    let set = frame.session().execute("give files to a field", set);
    set.await.map_err(browser_failed)?;
    sketch::files(stage, reached, given);
    let held = async || {
        let held = frame.call::<HeldFiles>("heldFiles", json!([field.node]));
        held.await.ok()
    };
    let first = held().await;
    let observed = observe::observe(stage, &before, Delivery::Sent).await;
    let later = match observed.can_be_asked() {
        // One that is busy with the files has said what it holds before that.
        true => timeout(HELD_WITHIN, held()).await.ok().flatten(),
        false => None,
    };
    let held = later.or(first);
    let done = observed.done_to(Some(reached.struck.clone()))?;
    judge(reached, field, given, held, done)
}

fn not_laid(error: files::Error) -> ActionError {
    match error {
        files::Error::Full => {
            let message = format!(
                "Nothing was uploaded: this session's pages have been given as much as is kept for one \
                 session, {} MiB or {} files. Start a new session to upload more.",
                files::BYTES_MAX >> 20,
                files::COUNT_MAX
            );
            refusals::note(Limit::Uploads, &message);
            ActionError::new(ActionErrorKind::Exhausted, message)
        }
        files::Error::Disk(error) => {
            tracing::warn!(%error, "files for a page could not be written");
            ActionError::new(
                ActionErrorKind::Internal,
                "The files could not be written to the service's disk. Try again later.",
            )
        }
    }
}

/// Whether the page has the files that it was given.
fn judge(
    reached: &Reached,
    field: &FileField,
    given: &[UploadFile],
    held: Option<HeldFiles>,
    mut done: Done,
) -> Result<Done, ActionError> {
    let what = in_words(&reached.struck.role, &reached.struck.name);
    match held.as_ref().map(|held| held.taken(given)) {
        Some(Some(taken)) => {
            if done.effect.kind < EffectKind::Navigation {
                let names: Vec<&str> = taken.iter().map(|file| file.name.as_str()).collect();
                done.effect = Effect {
                    kind: EffectKind::Value,
                    // A page that has heard of them and empties the field has taken them, or thrown them
                    // away.
                    verified: held.as_ref().and_then(|held| held.is_kept(given)),
                    before: None,
                    after: Some(json!(names)),
                };
            }
            let files: Vec<Value> = given
                .iter()
                .zip(taken)
                .map(|(file, held)| told(file, held))
                .collect();
            let done = done.with("files", files);
            Ok(match field.accept.is_empty() {
                true => done,
                false => done.with("accept", field.accept.as_str()),
            })
        }
        // The document went with the files: what it made of them cannot be asked any more.
        None => Ok(done.with("files", Value::Null)),
        Some(None) => {
            let now = held.and_then(|held| held.now).unwrap_or_default();
            let names: Vec<String> = now.into_iter().map(|file| file.name).collect();
            Err(ActionError::new(
                ActionErrorKind::ValueNotAccepted,
                format!("The files were not accepted by {what}. Look at what the page says of it."),
            )
            .context(json!({ "value": names }))
            .outcome(done)
            .retry(Retry::Useless))
        }
    }
}

impl HeldFiles {
    /// The files as the page has them, when they are those that were given: in the field, or heard
    /// of by the page before it emptied the field.
    fn taken(&self, given: &[UploadFile]) -> Option<&[Held]> {
        let those = |held: &&[Held]| is_same(held, given);
        let now = self.now.as_deref().filter(those);
        now.or(Some(self.heard.as_slice()).filter(those))
    }

    /// True when the field still holds them; unknown when it is empty, gone or holds others.
    fn is_kept(&self, given: &[UploadFile]) -> Option<bool> {
        let now = self.now.as_deref()?;
        is_same(now, given).then_some(true)
    }
}

/// A file as the page has it. Chromium takes the media type from the name; one that was asked for and
/// is another is told.
fn told(file: &UploadFile, held: &Held) -> Value {
    let mut told = json!({ "name": held.name, "type": held.media_type, "bytes": held.size });
    let asked = file.mime_type.as_deref();
    if let Some(asked) = asked.filter(|asked| *asked != held.media_type)
        && let Some(told) = told.as_object_mut()
    {
        told.insert("mime_type_not_kept".to_owned(), json!(asked));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, mime_type: Option<&str>) -> UploadFile {
        UploadFile {
            name: name.to_owned(),
            mime_type: mime_type.map(str::to_owned),
            data: vec![1, 2],
        }
    }

    fn held(name: &str, size: u64) -> Held {
        Held {
            name: name.to_owned(),
            media_type: "text/plain".to_owned(),
            size,
        }
    }

    #[test]
    fn files_count_as_taken_when_the_field_or_the_page_has_them() {
        let given = [file("a.txt", None)];
        let taken = |now: Option<Vec<Held>>, heard: Vec<Held>| {
            HeldFiles { now, heard }.taken(&given).map(<[Held]>::len)
        };
        assert_eq!(taken(Some(vec![held("a.txt", 2)]), vec![]), Some(1));
        assert_eq!(taken(Some(vec![]), vec![held("a.txt", 2)]), Some(1));
        assert_eq!(taken(None, vec![held("a.txt", 2)]), Some(1));
        assert_eq!(taken(Some(vec![held("old.txt", 2)]), vec![]), None);
        assert_eq!(taken(Some(vec![held("a.txt", 3)]), vec![]), None);
    }

    #[test]
    fn a_media_type_that_was_not_kept_is_told() {
        let kept = told(&file("a.txt", Some("text/plain")), &held("a.txt", 2));
        assert_eq!(
            kept,
            json!({ "name": "a.txt", "type": "text/plain", "bytes": 2 })
        );
        let other = told(&file("a.txt", Some("image/png")), &held("a.txt", 2));
        assert_eq!(other["mime_type_not_kept"], "image/png");
    }
}
