//! What the extended tools do: pictures, questions about them, tabs, recordings, waiting, and links.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::super::ended::{Ended, EndedList};
use super::super::picture::{AreaParams, PictureOptions, take};
use super::super::screenshots::Named;
use super::super::sessions::{self, CleanedUp, Cleanup};
use super::super::share;
use super::super::stats::Stats;
use super::answer;
use super::arguments::{
    self, Analyze, CleanUp, Drain, DrainOperation, EndedSessions, Nothing, Record, RecordOperation,
    Screenshot, Share, Tabs, WaitFor,
};
use super::calls::Call;
use super::meant::Want;
use super::pace::Expected;
use crate::browser::capture::screenshot::Format;
use crate::error::{Error, ErrorKind};
use crate::model::RecordingStatus;
use crate::model::command::ActionRequest;
use crate::session::{ContextOptions, SessionHandle};

/// Quality of the JPEGs that go to a model: text stays legible at a third of the size of a PNG.
const JPEG_QUALITY: u32 = 80;

impl Call<'_> {
    pub(super) async fn screenshot(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Screenshot {
            room_name,
            marks,
            full_page,
            index,
            x,
            y,
            width,
            height,
            filename,
        } = arguments::parse(arguments)?;
        let name = filename.as_deref();
        let name = name.map(|name| Named::parse(name, None)).transpose()?;
        let area = AreaParams {
            full_page,
            index,
            x,
            y,
            width,
            height,
        };
        let area = area.area()?;
        let handle = self.meant(room_name.as_deref(), Want::Read).await?;
        if name.is_some() {
            let id = handle.record().session_id.to_string();
            self.caller.may_save(&self.server.doors.manager, &id)?;
        }
        // What a model sees is kept small; a file is as good as its format.
        let (format, quality) = match &name {
            Some(name) => (name.format, None),
            None => (Format::Jpeg, Some(JPEG_QUALITY)),
        };
        let wanted = PictureOptions {
            format,
            quality,
            area,
            marks,
        };
        let taking = take(&handle, wanted);
        let (picture, list) = self.soon("Taking a picture.", Box::pin(taking)).await?;
        if let Some(name) = name {
            return self.saved(&handle, name, picture, list.is_some()).await;
        }
        let message = match &list {
            Some(list) => match list.elements.len() {
                0 => "Here is the page; nothing on it can be used.".to_owned(),
                1 => "Here is the page; one thing on it is numbered.".to_owned(),
                count => format!("Here is the page; {count} things on it are numbered."),
            },
            None => "Here is the page.".to_owned(),
        };
        let record = handle.record();
        let facts = answer::into_map(json!({
            "room_name": record.channel(), "url": record.current_url, "title": record.title,
            "media_type": Format::Jpeg.media_type(), "marked": list.is_some(),
        }));
        let mut result = answer::answer(&message, facts);
        let image = ContentBlock::image(STANDARD.encode(picture), Format::Jpeg.media_type());
        result.content.push(image);
        Ok(result)
    }

    /// Saves a picture, and tells where it is.
    async fn saved(
        &self,
        handle: &SessionHandle,
        name: Named,
        picture: Vec<u8>,
        is_marked: bool,
    ) -> Result<CallToolResult, Error> {
        let media_type = name.format.media_type();
        let saving = name.save(&self.server.doors.manager, picture);
        let saved = self.soon("Saving the picture.", saving).await?;
        let message = format!(
            "The picture is saved on the service's machine: {} by {} pixels, {}.",
            saved.width, saved.height, saved.path
        );
        let record = handle.record();
        let mut facts = answer::of_room(&record.channel(), &saved);
        facts.extend(answer::into_map(json!({
            "url": record.current_url, "title": record.title,
            "media_type": media_type, "marked": is_marked,
        })));
        Ok(answer::answer(&message, facts))
    }

    pub(super) async fn ended(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let EndedSessions { room_name } = arguments::parse(arguments)?;
        let manager = &self.server.doors.manager;
        let (message, ended) = match room_name {
            Some(key) => {
                let one = Ended::of(manager, &self.caller, &key).await?;
                let message = format!("It has ended: {}.", one.session.detail);
                (message, EndedList { ended: vec![one] })
            }
            None => {
                let all = EndedList::of(manager, &self.caller, false).await?;
                let message = match all.ended.len() {
                    0 => "No browser has ended lately.".to_owned(),
                    1 => "One browser has ended lately.".to_owned(),
                    count => format!("{count} browsers have ended lately."),
                };
                (message, all)
            }
        };
        let facts = serde_json::to_value(&ended).unwrap_or_default();
        Ok(answer::answer(&message, answer::into_map(facts)))
    }

    pub(super) async fn stats(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Nothing {} = arguments::parse(arguments)?;
        let measuring = Stats::of(&self.server.doors);
        let stats = self.soon("Measuring.", measuring).await?;
        let message = match stats.sessions_active {
            1 => "One browser runs.".to_owned(),
            count => format!("{count} browsers run."),
        };
        Ok(answer::answer(
            &message,
            answer::into_map(json!({ "stats": stats })),
        ))
    }

    pub(super) fn drain(&self, arguments: Map<String, Value>) -> Result<CallToolResult, Error> {
        let Drain {
            operation,
            timeout_s,
        } = arguments::parse(arguments)?;
        if timeout_s.is_some() && operation != DrainOperation::Start {
            return Err(Error::invalid_input("timeout_s came without a start")
                .hint("It is the bound of operation start."));
        }
        let doors = &self.server.doors;
        let draining = match operation {
            DrainOperation::Start => doors.start_drain(timeout_s)?,
            DrainOperation::Undo => doors.stop_drain(),
            DrainOperation::Status => doors.draining(),
        };
        let message = match (draining.draining, draining.sessions) {
            (false, _) => "New browsers are taken.".to_owned(),
            (true, 1) => "No new browsers are taken; one is left.".to_owned(),
            (true, count) => format!("No new browsers are taken; {count} are left."),
        };
        let facts = serde_json::to_value(&draining).unwrap_or_default();
        Ok(answer::answer(&message, answer::into_map(facts)))
    }

    /// Closes what nobody has used for long.
    pub(super) async fn clean_up(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let CleanUp {
            max_age_hours,
            dry_run,
            profiles,
        } = arguments::parse(arguments)?;
        let wanted = Cleanup {
            max_age_hours,
            dry_run,
            profiles,
        };
        let manager = self.server.doors.manager.clone();
        // Seen through whatever becomes of the caller.
        let cleaning = tokio::spawn(async move { sessions::clean(&manager, wanted).await });
        let broken = |error| Error::internal("the cleanup broke").source(error);
        let cleaning = async { cleaning.await.map_err(broken)? };
        let late = || {
            Error::timeout("the cleanup is not through, and goes on")
                .hint("ended_sessions tells what it has closed.")
        };
        let closing = self.timely(Expected::Quick, "Closing old browsers.", cleaning, late);
        let CleanedUp { deleted, kept } = closing.await?;
        let (count, are) = match deleted.len() {
            0 => ("No browser".to_owned(), "is"),
            1 => ("One browser".to_owned(), "is"),
            count => (format!("{count} browsers"), "are"),
        };
        let message = match dry_run {
            true => format!("{count} would be closed."),
            false => format!("{count} {are} closed."),
        };
        let short = deleted.iter().map(|record| {
            json!({
                "session_id": record.session_id, "session_name": record.session_name,
                "room_name": record.room_name, "last_activity": record.last_activity,
            })
        });
        let facts = json!({ "deleted": short.collect::<Vec<_>>(), "kept": kept });
        Ok(answer::answer(&message, answer::into_map(facts)))
    }

    pub(super) async fn analyze(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Analyze {
            room_name,
            question,
            marks,
        } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref(), Want::Read).await?;
        let late =
            || Error::timeout("the model has not answered yet").hint("Ask again, or ask for less.");
        let asking = handle.analyze(&question, marks);
        let analysis = self.timely(Expected::Slow, "Let me look.", asking, late);
        let analysis = analysis.await?;
        let facts = answer::of_room(&handle.record().channel(), &analysis);
        Ok(answer::answer(&analysis.answer, facts))
    }

    pub(super) async fn record(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Record {
            room_name,
            operation,
        } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref(), Want::Exists).await?;
        let (status, message) = match operation {
            RecordOperation::Start => {
                let starting = handle.start_recording();
                let status = self.soon("Starting the recording.", starting).await?;
                (status, "The browser is being recorded.".to_owned())
            }
            RecordOperation::Stop => {
                let stopping = handle.stop_recording();
                let status = self.soon("Ending the recording.", stopping).await;
                let status = status.map_err(|error| match error.kind {
                    ErrorKind::NotFound => unrecorded("this session is not being recorded"),
                    _ => error,
                })?;
                let message = stopped(&status);
                (status, message)
            }
            RecordOperation::Status => {
                let status = handle.record().recording;
                let status = status.ok_or_else(|| unrecorded("this session was never recorded"))?;
                let message = format!("The recording is {}.", status.state.as_str());
                (status, message)
            }
        };
        let facts = answer::of_room(&handle.record().channel(), &status);
        Ok(answer::answer(&message, facts))
    }

    pub(super) async fn tabs(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Tabs {
            room_name,
            operation,
            tab,
            url,
        } = arguments::parse(arguments)?;
        let want = match operation.action_type() {
            Some(_) => Want::Act,
            None => Want::Read,
        };
        let handle = self.meant(room_name.as_deref(), want).await?;
        let mut message = None;
        let mut facts = Map::new();
        if let Some(action_type) = operation.action_type() {
            let mut params = Map::new();
            params.extend(tab.map(|tab| ("tab".to_owned(), tab.into())));
            params.extend(url.map(|url| ("url".to_owned(), url.into())));
            let acted = self
                .perform(&handle, ActionRequest::new(action_type, params))
                .await?;
            if acted.is_error == Some(true) {
                return Ok(acted);
            }
            message = answer::spoken(&acted);
            if let Some(Value::Object(acted)) = acted.structured_content {
                let names = ["status", "action_id"];
                facts.extend(
                    acted
                        .into_iter()
                        .filter(|(key, _)| names.contains(&key.as_str())),
                );
            }
        }
        let looking = Box::pin(handle.context(ContextOptions::default()));
        let message = match (self.soon("Looking at the tabs.", looking).await, message) {
            (Ok(page), message) => {
                let count = match page.tabs.len() {
                    1 => "There is one tab.".to_owned(),
                    count => format!("There are {count} tabs."),
                };
                facts.insert("tabs".to_owned(), json!(page.tabs));
                message.unwrap_or(count)
            }
            // What was asked for is done or under way, and must not be asked for again.
            (Err(error), Some(message)) if error.kind != ErrorKind::Cancelled => message,
            (Err(error), _) => return Err(error),
        };
        let facts = answer::of_room(&handle.record().channel(), &facts);
        Ok(answer::answer(&message, facts))
    }

    /// An action like any other, under a name that models find.
    pub(super) async fn wait_for(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let WaitFor {
            room_name,
            condition,
            timeout_ms,
        } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref(), Want::Read).await?;
        let mut params = Map::from_iter([("for".to_owned(), Value::Object(condition))]);
        params.extend(timeout_ms.map(|timeout_ms| ("timeout_ms".to_owned(), timeout_ms.into())));
        self.perform(&handle, ActionRequest::new("wait", params))
            .await
    }

    /// A link for a person who is to see what happens.
    pub(super) async fn share(
        &self,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, Error> {
        let Share { room_name, ttl_s } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref(), Want::Exists).await?;
        let record = handle.record();
        let share = share::make(&self.server.doors, &self.caller, &record, ttl_s).await?;
        let facts = answer::of_room(&record.channel(), &share);
        let message =
            "Here is a link by which people can watch the browser; they can do nothing else.";
        Ok(answer::answer(message, facts))
    }

    /// Waits for something that is quick as a rule.
    async fn soon<T>(
        &self,
        message: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = || Error::timeout("it takes too long").hint("Try again in a moment.");
        self.timely(Expected::Quick, message, work, late).await
    }
}

/// There is a session, but no recording of it.
fn unrecorded(message: &'static str) -> Error {
    Error::conflict(message).hint("Call recording with operation start first.")
}

fn stopped(status: &RecordingStatus) -> String {
    match &status.reason {
        Some(reason) => format!("The recording has ended: {reason}."),
        None => format!(
            "The recording has ended; it is {} seconds long.",
            status.duration_s.round()
        ),
    }
}
