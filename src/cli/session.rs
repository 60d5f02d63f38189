//! `ghostcast session`: sessions with a name, from a shell.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::client::Method;
use super::daemon::name_of;
use super::log;
use crate::config;
use crate::error::{Error, ErrorKind};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

/// The page of a session.
#[derive(Debug, Default, clap::Args)]
struct Start {
    /// The page to open.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A TOML file that describes an application: its start_url is the page to open.
    #[arg(long, value_name = "PROFILE", conflicts_with = "url")]
    app: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a session that is not there yet.
    Create {
        /// The session's name.
        name: String,
        #[command(flatten)]
        start: Start,
        /// The viewport, CSS pixels.
        #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = viewport)]
        viewport: Option<(u32, u32)>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Find a session again, or start it; with a page, go there.
    Open {
        /// The session's name.
        name: String,
        #[command(flatten)]
        start: Start,
        #[command(flatten)]
        asked: Asked,
    },
    /// List sessions, those that are stored among them.
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Tell of a session.
    Show {
        /// The session's name, room or id.
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Close a session and forget it; its profile stays for the next one of that name.
    Delete {
        /// The session's name, room or id.
        name: String,
        /// Delete its profile too: cookies, logins and all that pages have stored.
        #[arg(long)]
        profile: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Run JavaScript in a session's page and print what it returns, as JSON.
    Exec {
        /// The session's name, room or id.
        name: String,
        /// An expression, or the body of a function with `return`.
        script: String,
        /// Longest time the script may take, milliseconds.
        #[arg(long, value_name = "MS")]
        timeout_ms: Option<u64>,
        #[command(flatten)]
        asked: Asked,
    },
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    log::to_stderr("warn");
    match options.verb {
        Verb::Create {
            name,
            start,
            viewport,
            asked,
        } => create(&asked, &name, &start, viewport).await,
        Verb::Open { name, start, asked } => open(&asked, &name, &start).await,
        Verb::List { asked } => list(&asked).await,
        Verb::Show { name, asked } => show(&asked, &name).await,
        Verb::Delete {
            name,
            profile,
            asked,
        } => delete(&asked, &name, profile).await,
        Verb::Exec {
            name,
            script,
            timeout_ms,
            asked,
        } => exec(&asked, &name, &script, timeout_ms).await,
    }
}

impl Start {
    fn url(&self) -> Result<Option<String>, Error> {
        match &self.app {
            Some(profile) => start_url(profile).map(Some),
            None => Ok(self.url.clone()),
        }
    }
}

async fn create(
    asked: &Asked,
    name: &str,
    start: &Start,
    viewport: Option<(u32, u32)>,
) -> Result<ExitCode, Error> {
    let mut spec = spec(name, start.url()?);
    spec.insert("reuse".to_owned(), false.into());
    if let Some((width, height)) = viewport {
        let viewport = json!({ "width": width, "height": height });
        spec.insert("viewport".to_owned(), viewport);
    }
    let made = asked.client()?.post(&["sessions"], &spec.into()).await;
    let record = made.map_err(|error| match error.kind {
        ErrorKind::Conflict => Error::conflict(format!(
            "session \"{name}\" exists already, or its name is taken"
        ))
        .hint(format!(
            "Use it with `ghostcast session open {name}`, or choose another name."
        ))
        .source(error),
        _ => error,
    })?;
    told(asked, &record, "created")
}

async fn open(asked: &Asked, name: &str, start: &Start) -> Result<ExitCode, Error> {
    let (client, url) = (asked.client()?, start.url()?);
    let record = client
        .post(&["sessions"], &spec(name, url.clone()).into())
        .await?;
    let is_reused = record["reused"] == Value::Bool(true);
    let verb = if is_reused { "found" } else { "started" };
    // One that is started goes there by itself.
    let Some(url) = url.filter(|_| is_reused) else {
        return told(asked, &record, verb);
    };
    let path = ["sessions", name, "navigate"];
    let done = client.post(&path, &json!({ "url": url })).await?;
    if done["success"] != Value::Bool(true) {
        let why = done["error"].as_str().unwrap_or("it could not be opened");
        return Err(Error::unavailable(format!("{url}: {why}")).hint(format!(
            "The session goes on; see `ghostcast session show {name}`."
        )));
    }
    let record = client.get(&["sessions", name]).await?;
    told(asked, &record, verb)
}

/// Tells of a session that was started or found; of its page too, if that could not be loaded.
fn told(asked: &Asked, record: &Value, verb: &str) -> Result<ExitCode, Error> {
    if let Some(error) = record["page_error"].as_str() {
        eprintln!("ghostcast: the page could not be loaded: {error}");
    }
    asked.tell(record, || format!("{verb} session {}", line(record)))
}

async fn list(asked: &Asked) -> Result<ExitCode, Error> {
    let answer = asked.client()?.get(&["sessions"]).await?;
    asked.tell(&answer, || {
        let sessions = answer["sessions"].as_array().into_iter().flatten();
        let lines: Vec<String> = sessions.map(line).collect();
        match lines.is_empty() {
            true => "no sessions".to_owned(),
            false => lines.join("\n"),
        }
    })
}

async fn show(asked: &Asked, name: &str) -> Result<ExitCode, Error> {
    let record = asked.client()?.get(&["sessions", name]).await?;
    asked.tell(&record, || {
        let facts = record.as_object().into_iter().flatten();
        let facts = facts.filter(|(_, value)| !is_nothing(value));
        let lines = facts.map(|(key, value)| format!("{key:22} {}", plain(value)));
        lines.collect::<Vec<_>>().join("\n")
    })
}

async fn delete(asked: &Asked, name: &str, with_profile: bool) -> Result<ExitCode, Error> {
    let client = asked.client()?;
    let path = ["sessions", name];
    let answer = match with_profile {
        true => {
            client
                .ask_with(Method::DELETE, &path, ("profile", "delete"))
                .await?
        }
        false => client.ask(Method::DELETE, &path, None).await?,
    };
    let record = answer.success()?;
    let profile = if with_profile {
        ", with its profile"
    } else {
        ""
    };
    asked.tell(&record, || {
        format!("deleted session {}{profile}", name_of(&record))
    })
}

async fn exec(
    asked: &Asked,
    name: &str,
    script: &str,
    timeout_ms: Option<u64>,
) -> Result<ExitCode, Error> {
    let mut body = json!({ "script": script });
    if let Some(timeout_ms) = timeout_ms {
        body["timeout_ms"] = timeout_ms.into();
    }
    let path = ["sessions", name, "execute"];
    let done = asked.client()?.post(&path, &body).await?;
    let is_well = done["success"] == Value::Bool(true);
    if asked.json || is_well {
        asked.tell(&done, || format!("{:#}", done["result"]))?;
    }
    if is_well {
        return Ok(ExitCode::SUCCESS);
    }
    let text = |key: &str| done["error"][key].as_str().unwrap_or("?").to_owned();
    eprintln!("{}: {}", text("name"), text("message"));
    Ok(ExitCode::FAILURE)
}

/// What is asked of a session that is started.
fn spec(name: &str, url: Option<String>) -> Map<String, Value> {
    let url = url.map(|url| ("initial_url".to_owned(), url.into()));
    let name = ("session_name".to_owned(), name.into());
    std::iter::once(name).chain(url).collect()
}

/// A session in one line.
fn line(record: &Value) -> String {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    format!(
        "{:24} {:12} {}",
        name_of(record),
        text("state"),
        text("current_url")
    )
    .trim_end()
    .to_owned()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// The first page of an application, by its profile.
fn start_url(profile: &Path) -> Result<String, Error> {
    let place = profile.display();
    let text = std::fs::read_to_string(profile).map_err(|error| {
        Error::invalid_input(format!("cannot read the profile {place}: {error}"))
            .hint("Check the path after --app.")
            .source(error)
    })?;
    config::start_url(&text).map_err(|mut error| {
        error.message = format!("the profile {place} {}", error.message).into();
        error
    })
}

/// `1280x720`.
fn viewport(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once(['x', 'X']);
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides.ok_or_else(|| "write it as 1280x720".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewport_is_two_numbers() {
        assert_eq!(viewport("1280x720"), Ok((1280, 720)));
        for text in ["", "1280", "x720", "1280x", "1280*720", "-1x1", "1x1x1"] {
            assert!(viewport(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_is_told_in_a_line() {
        let record = json!({
            "session_name": null, "room_name": "walk", "state": "live", "current_url": "https://a.b/",
        });
        let words = line(&record);
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(words, ["walk", "live", "https://a.b/"]);
        assert_eq!(
            line(&json!({ "session_id": "1", "state": "stored" })),
            format!("{:24} stored", "1")
        );
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for value in [Value::Null, json!([]), json!({}), json!("")] {
            assert!(is_nothing(&value), "{value}");
        }
        for value in [json!(false), json!(0), json!("x"), json!([0])] {
            assert!(!is_nothing(&value), "{value}");
        }
    }
}
