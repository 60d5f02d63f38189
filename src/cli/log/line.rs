//! One line for each event: the same facts as text or as a JSON object.
//!
//! A text line is `TIME LEVEL PART: MESSAGE`, where the message is followed by the event's fields and then
//! by the spans that it happened in. Whatever an event holds, it stays one line.

use std::fmt::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use crate::model::UnixTime;

/// The field that holds an event's words.
const MESSAGE: &str = "message";

/// Makes a line of each event and hands it on.
pub(super) struct Lines<W> {
    format: LogFormat,
    write: W,
}

impl<W: Fn(&[u8]) + Send + Sync + 'static> Lines<W> {
    pub(super) fn new(format: LogFormat, write: W) -> Self {
        Self { format, write }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + Send + Sync + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            // Another layer of this kind has the same to say.
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove(MESSAGE).map(|words| plain(&words));
        let scope = context.event_scope(event).into_iter();
        let spans = scope.flat_map(tracing_subscriber::registry::Scope::from_root);
        let spans = spans.map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<Fields>().cloned();
            (span.name(), fields.unwrap_or_default().0)
        });
        let line = Line {
            time: UnixTime::now(),
            level: *event.metadata().level(),
            part: event.metadata().target(),
            message: message.unwrap_or_default(),
            fields: fields.0,
            spans: spans.collect(),
        };
        (self.write)(line.write(self.format).as_bytes());
    }
}

/// What happened.
struct Line<'a> {
    time: UnixTime,
    level: Level,
    /// The module that tells it.
    part: &'a str,
    message: String,
    fields: Map<String, Value>,
    /// What it happened in, the outermost first.
    spans: Vec<(&'static str, Map<String, Value>)>,
}

impl Line<'_> {
    /// The line with its end.
    fn write(&self, format: LogFormat) -> String {
        let mut line = match format {
            LogFormat::Text => one_line(&self.text()),
            LogFormat::Json => self.json(),
        };
        line.push('\n');
        line
    }

    fn text(&self) -> String {
        let (time, level, part) = (self.time.to_iso8601(), self.level, self.part);
        let mut text = format!("{time} {level:5} {part}: {}", self.message);
        put(&mut text, &self.fields);
        for (name, fields) in &self.spans {
            // Writing to a text cannot fail.
            let _ = write!(text, " in={name}");
            put(&mut text, fields);
        }
        text
    }

    fn json(&self) -> String {
        let spans = self.spans.iter().map(|(name, fields)| {
            let mut span = fields.clone();
            span.insert("name".to_owned(), Value::from(*name));
            span
        });
        let object = Object {
            time: self.time.to_iso8601(),
            level: self.level.as_str(),
            part: self.part,
            message: &self.message,
            fields: &self.fields,
            spans: spans.collect(),
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&object).unwrap_or_default()
    }
}

/// A line as an object, in the order of a text line.
#[derive(Serialize)]
struct Object<'a> {
    time: String,
    level: &'static str,
    part: &'a str,
    message: &'a str,
    fields: &'a Map<String, Value>,
    spans: Vec<Map<String, Value>>,
}

/// Adds fields as ` name=value`.
fn put(text: &mut String, fields: &Map<String, Value>) {
    for (name, value) in fields {
        let _ = write!(text, " {name}={}", quoted(value));
    }
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A value in one word: a text that is none, or that could be taken for more, has quotes.
fn quoted(value: &Value) -> String {
    let is_word = |text: &str| !text.is_empty() && !text.contains([' ', '"', '=']);
    match value {
        Value::String(text) if is_word(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A text without what would begin a new line or steer a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\u{2028}' | '\u{2029}' => line.extend(sign.escape_unicode()),
            sign if sign.is_control() => line.extend(sign.escape_default()),
            sign => line.push(sign),
        }
    }
    line
}

/// The fields of an event or a span.
#[derive(Debug, Clone, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is written of `tell`.
    fn written(format: LogFormat, tell: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&written);
        let lines = Lines::new(format, move |line: &[u8]| {
            kept.lock()
                .unwrap()
                .push_str(std::str::from_utf8(line).unwrap());
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), tell);
        written.lock().unwrap().clone()
    }

    fn tell() {
        let span = tracing::info_span!("session", room = "demo", viewers = tracing::field::Empty);
        span.record("viewers", 2);
        let _in = span.enter();
        tracing::warn!(
            count = 3,
            is_well = false,
            error = %"no\nsuch\u{1b}[31m page",
            "it {} work", "does not"
        );
    }

    #[test]
    fn a_text_line_is_one_line_of_one_form() {
        let text = written(LogFormat::Text, tell);
        let (time, rest) = text.split_at(24);
        assert!(time.ends_with('Z') && time.contains('T'), "{time}");
        assert_eq!(
            rest,
            " WARN  ghostcast::cli::log::line::tests: it does not work count=3 \
             error=\"no\\nsuch\\u001b[31m page\" is_well=false in=session room=demo viewers=2\n"
        );
    }

    #[test]
    fn a_json_line_has_the_same_facts() {
        let text = written(LogFormat::Json, tell);
        assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["part"], "ghostcast::cli::log::line::tests");
        assert_eq!(line["message"], "it does not work");
        assert_eq!(line["fields"]["count"], 3);
        assert_eq!(line["fields"]["error"], "no\nsuch\u{1b}[31m page");
        assert_eq!(
            line["spans"],
            serde_json::json!([{ "name": "session", "room": "demo", "viewers": 2 }])
        );
    }

    #[test]
    fn whatever_it_holds_it_stays_one_line() {
        for text in [
            "a\nb",
            "a\r\nb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\0b",
            "a\u{1b}[2Jb",
        ] {
            let line = one_line(text);
            assert!(!line.contains(char::is_control), "{line:?}");
            assert_eq!(line.lines().count(), 1);
            assert!(line.starts_with('a') && line.ends_with('b'));
        }
        assert_eq!(one_line("grün 😀"), "grün 😀");
    }
}
