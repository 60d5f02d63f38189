//! What the extended tools do: pictures, questions about them, tabs, recordings, and waiting.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::super::picture::{PictureOptions, take};
use super::answer;
use super::arguments::{self, Analyze, Record, RecordOperation, Screenshot, Tabs, WaitFor};
use super::calls::{Call, cancelled};
use super::pace::{Expected, Paced};
use crate::browser::screenshot::Format;
use crate::error::Error;
use crate::model::RecordingStatus;
use crate::session::ContextOptions;

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
        } = arguments::parse(arguments)?;
        let handle = self.meant(room_name.as_deref()).await?;
        let wanted = PictureOptions {
            format: Format::Jpeg,
            quality: Some(JPEG_QUALITY),
            full_page,
            marks,
        };
        let taking = take(&handle, wanted);
        let (picture, list) = self.timely("Taking a picture.", taking).await?;
        let message = match &list {
            Some(list) => format!(
                "Here is the page; {} things on it are numbered.",
                list.elements.len()
            ),
            None => "Here is the page.".to_owned(),
        };
        let record = handle.record();
        let facts = answer::into_map(json!({
            "room_name": record.room_name, "url": record.current_url, "title": record.title,
            "media_type": Format::Jpeg.media_type(), "marked": list.is_some(),
        }));
        let mut result = answer::answer(&message, facts);
        let image = ContentBlock::image(STANDARD.encode(picture), Format::Jpeg.media_type());
        result.content.push(image);
        Ok(result)
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
        let handle = self.meant(room_name.as_deref()).await?;
        let asking = handle.analyze(&question, marks);
        let analysis = match self.pace.wait(Expected::Slow, "Let me look.", asking).await {
            Paced::Done(analysis) => analysis?,
            Paced::Late => {
                return Err(Error::timeout("the model has not answered yet")
                    .hint("Ask again, or ask for less."));
            }
            Paced::Cancelled => return Err(cancelled()),
        };
        let mut facts = answer::into_map(serde_json::to_value(&analysis).unwrap_or_default());
        facts.insert(
            "room_name".to_owned(),
            handle.record().room_name.as_str().into(),
        );
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
        let handle = self.meant(room_name.as_deref()).await?;
        let (status, message) = match operation {
            RecordOperation::Start => {
                let starting = handle.start_recording();
                let status = self.timely("Starting the recording.", starting).await?;
                (status, "The browser is being recorded.".to_owned())
            }
            RecordOperation::Stop => {
                let stopping = handle.stop_recording();
                let status = self.timely("Ending the recording.", stopping).await?;
                let message = stopped(&status);
                (status, message)
            }
            RecordOperation::Status => {
                let status = handle.record().recording.ok_or_else(|| {
                    Error::invalid_input("this session was never recorded")
                        .hint("Call it with operation start.")
                })?;
                let message = format!("The recording is {}.", state(&status));
                (status, message)
            }
        };
        let mut facts = answer::into_map(serde_json::to_value(&status).unwrap_or_default());
        facts.insert(
            "room_name".to_owned(),
            handle.record().room_name.as_str().into(),
        );
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
        let handle = self.meant(room_name.as_deref()).await?;
        let room = handle.record().room_name;
        let mut message = None;
        if let Some(action_type) = operation.action_type() {
            let mut params = Map::new();
            params.extend(tab.map(|tab| ("tab".to_owned(), tab.into())));
            params.extend(url.map(|url| ("url".to_owned(), url.into())));
            let action = Map::from_iter([
                ("room_name".to_owned(), room.as_str().into()),
                ("action_type".to_owned(), action_type.into()),
                ("params".to_owned(), Value::Object(params)),
            ]);
            let acted = self.act(action).await?;
            if acted.is_error == Some(true) {
                return Ok(acted);
            }
            message = answer::spoken(&acted);
        }
        let looking = handle.context(ContextOptions::default());
        let page = self.timely("Looking at the tabs.", looking).await?;
        let message = message.unwrap_or_else(|| match page.tabs.len() {
            1 => "There is one tab.".to_owned(),
            count => format!("There are {count} tabs."),
        });
        let facts = json!({ "room_name": room, "tabs": page.tabs });
        Ok(answer::answer(&message, answer::into_map(facts)))
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
        let mut params = Map::from_iter([("for".to_owned(), Value::Object(condition))]);
        if let Some(timeout_ms) = timeout_ms {
            params.insert("timeout_ms".to_owned(), timeout_ms.into());
        }
        let mut action = Map::from_iter([
            ("action_type".to_owned(), "wait".into()),
            ("params".to_owned(), Value::Object(params)),
        ]);
        if let Some(room) = room_name {
            action.insert("room_name".to_owned(), room.into());
        }
        self.act(action).await
    }

    /// Waits for something that is quick as a rule.
    async fn timely<T>(
        &self,
        message: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self.pace.wait(Expected::Quick, message, work).await {
            Paced::Done(done) => done,
            Paced::Late => Err(Error::timeout("it takes too long").hint("Try again in a moment.")),
            Paced::Cancelled => Err(cancelled()),
        }
    }
}

fn state(status: &RecordingStatus) -> String {
    let state = serde_json::to_value(status.state).unwrap_or_default();
    state.as_str().unwrap_or_default().to_owned()
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
