//! `ghostcast job`: jobs, from a shell.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::client::{Client, Method};
use super::daemon::say;
use super::log;
use crate::error::{Error, ErrorKind};

/// The job has failed.
const FAILED: u8 = 3;
/// The job was called off.
const CANCELLED: u8 = 4;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

/// A job that is asked for.
#[derive(Debug, clap::Args)]
struct JobFlags {
    /// What it does: workflow, post_note, check_login, keep_alive or bridge.
    kind: String,
    /// Something that it is given; a value that is JSON is that, any other is a text.
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = argument)]
    arguments: Vec<(String, Value)>,
    /// All that it is given, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    args: Option<Map<String, Value>>,
    /// The connection to work with.
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Which browser serves it: auto, local or remote.
    #[arg(long, value_name = "PLACE")]
    browser: Option<String>,
    /// When it may begin, seconds since the Unix epoch.
    #[arg(long, value_name = "SECONDS")]
    run_at: Option<f64>,
    /// Whatever has the same key is the same job.
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Attempts at most.
    #[arg(long, value_name = "COUNT")]
    attempts_max: Option<u32>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ask for a job and print its id; with --wait, watch it.
    Run {
        #[command(flatten)]
        order: Box<JobFlags>,
        /// Watch it until it is over; the exit code is as of `watch`.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        asked: Box<Asked>,
    },
    /// List jobs, the newest first.
    List {
        /// In this state: queued, running, pending_auth, pending_human, done, failed or cancelled.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Tell of a job.
    Show {
        /// The job's id.
        job: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Watch a job until it is over, and print what came of it; exit code 0 when it is done, 3 when it has failed, 4
    /// when it was called off.
    Watch {
        /// The job's id.
        job: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Call a job off.
    Cancel {
        /// The job's id.
        job: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Print the link by which a person does what a job waits for as pending_human.
    Takeover {
        /// The job's id.
        job: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Try a job anew that has failed, was called off or waits for a login or a person.
    Retry {
        /// The job's id.
        job: String,
        #[command(flatten)]
        asked: Asked,
    },
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    log::to_stderr("warn");
    match options.verb {
        Verb::Run { order, wait, asked } => enqueue(&asked, *order, wait).await,
        Verb::List { state, asked } => list(&asked, state.as_deref()).await,
        Verb::Show { job, asked } => show(&asked, &job).await,
        Verb::Watch { job, asked } => watch(&asked, &asked.client()?, &job).await,
        Verb::Cancel { job, asked } => turn(&asked, &job, "cancel").await,
        Verb::Retry { job, asked } => turn(&asked, &job, "retry").await,
        Verb::Takeover { job, asked } => takeover(&asked, &job).await,
    }
}

impl JobFlags {
    fn body(self) -> Value {
        let mut args = self.args.unwrap_or_default();
        args.extend(self.arguments);
        let mut body = json!({ "kind": self.kind, "args": args });
        let given = [
            ("connection", self.connection.map(Value::from)),
            ("browser", self.browser.map(Value::from)),
            ("run_at", self.run_at.map(Value::from)),
            ("unique_key", self.unique_key.map(Value::from)),
            ("attempts_max", self.attempts_max.map(Value::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}

async fn enqueue(asked: &Asked, order: JobFlags, is_awaited: bool) -> Result<ExitCode, Error> {
    let client = asked.client()?;
    let job = client.post(&["jobs"], &order.body()).await?;
    let id = job["job_id"].as_str().unwrap_or_default();
    if job["reused"] == Value::Bool(true) {
        eprintln!("ghostcast: the same job was asked for already: it is {id}");
    }
    if is_awaited {
        return watch(asked, &client, id).await;
    }
    asked.tell(&job, || id.to_owned())
}

async fn list(asked: &Asked, state: Option<&str>) -> Result<ExitCode, Error> {
    let client = asked.client()?;
    let answer = match state {
        Some(state) => {
            let query = ("state", state);
            client
                .ask_with(Method::GET, &["jobs"], query)
                .await?
                .success()?
        }
        None => client.get(&["jobs"]).await?,
    };
    asked.tell(&answer, || {
        let jobs = answer["jobs"].as_array().into_iter().flatten();
        let lines: Vec<String> = jobs.map(line).collect();
        match lines.is_empty() {
            true => "no jobs".to_owned(),
            false => lines.join("\n"),
        }
    })
}

async fn show(asked: &Asked, id: &str) -> Result<ExitCode, Error> {
    let job = asked.client()?.get(&["jobs", id]).await?;
    asked.tell(&job, || {
        let facts = job.as_object().into_iter().flatten();
        let facts = facts.filter(|(_, value)| !value.is_null());
        let lines = facts.map(|(key, value)| match value.as_str() {
            Some(text) => format!("{key:16} {text}"),
            None => format!("{key:16} {value}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

async fn turn(asked: &Asked, id: &str, how: &str) -> Result<ExitCode, Error> {
    let path = ["jobs", id, how];
    let answer = asked.client()?.ask(Method::POST, &path, None).await?;
    let job = answer.success()?;
    asked.tell(&job, || line(&job))
}

async fn takeover(asked: &Asked, id: &str) -> Result<ExitCode, Error> {
    let path = ["jobs", id, "takeover"];
    let answer = asked.client()?.ask(Method::POST, &path, None).await?;
    let lent = answer.success()?;
    asked.tell(&lent, || {
        lent["takeover_url"].as_str().unwrap_or_default().to_owned()
    })
}

/// Watches a job to its end: how far it is is told on standard error, and what came of it is printed.
async fn watch(asked: &Asked, client: &Client, id: &str) -> Result<ExitCode, Error> {
    let mut watch = client.watch(&["jobs", id, "events"]).await?;
    let mut last = String::new();
    let mut job = Value::Null;
    while let Some(now) = watch.next().await {
        let line = progress(&now);
        if line != last {
            eprintln!("{line}");
            last = line;
        }
        job = now;
    }
    let state = job["state"].as_str().unwrap_or_default();
    let code = match state {
        "done" => ExitCode::SUCCESS,
        "failed" => ExitCode::from(FAILED),
        "cancelled" => ExitCode::from(CANCELLED),
        _ => {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the service ended before the job did",
            )
            .hint(format!(
                "The job goes on when it is started again: `ghostcast job watch {id}`."
            )));
        }
    };
    match (asked.json, state) {
        (true, _) => say(format!("{job:#}"))?,
        (false, "done") => say(job["result"].to_string())?,
        (false, _) => (),
    }
    Ok(code)
}

/// How far a job is, in a line.
fn progress(job: &Value) -> String {
    let state = job["state"].as_str().unwrap_or_default();
    let how = &job["progress"];
    let why = job["error"]["message"].as_str();
    match (state, why) {
        ("running", _) if how.is_object() => {
            let doing = how["doing"].as_str().unwrap_or_default();
            format!("running {}/{}: {doing}", how["step"], how["of"])
        }
        (_, Some(why)) => format!("{state}: {why}"),
        _ => state.to_owned(),
    }
}

/// A job in a line.
fn line(job: &Value) -> String {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let why = job["error"]["message"].as_str().unwrap_or_default();
    let (id, kind, state) = (text("job_id"), text("kind"), text("state"));
    let line = format!("{id:14} {kind:12} {state:13} {} {why}", text("created_at"));
    line.trim_end().to_owned()
}

/// `name=value`.
fn argument(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    if name.is_empty() {
        return Err("write it as name=value".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_is_given_is_json_or_text() {
        for (text, value) in [
            ("a=1", json!(1)),
            ("a=45.2", json!(45.2)),
            ("a=tea", json!("tea")),
            ("a=\"1\"", json!("1")),
            ("a={\"b\": []}", json!({"b": []})),
            ("a=b=c", json!("b=c")),
            ("a=", json!("")),
        ] {
            assert_eq!(argument(text), Ok(("a".to_owned(), value)), "{text}");
        }
        assert!(argument("a").is_err() && argument("=1").is_err());
        assert!(object("[]").is_err());
    }

    #[test]
    fn how_far_it_is_is_told_in_a_line() {
        let job = json!({"state": "running", "error": null,
            "progress": {"step": 1, "of": 3, "doing": "fill #text"}});
        assert_eq!(progress(&job), "running 1/3: fill #text");
        let job =
            json!({"state": "pending_auth", "progress": null, "error": {"message": "Log in."}});
        assert_eq!(progress(&job), "pending_auth: Log in.");
        assert_eq!(progress(&json!({"state": "queued"})), "queued");
    }
}
