//! [`Service`]: the service as a process of its own, started for one test and spoken to by its doors,
//! as any client speaks to it; and [`Running`], that process.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::answers::{ErrorBody, Refusal};
use super::http::{self, Answer, Body};
use super::outcome::{Expect, Failure, Outcome, ensure, seconds};

/// A service ends in order within its own bound, which is less.
const ENDED_WITHIN: Duration = seconds(8);
/// Where the words of a service are kept, in its directory.
const LOG: &str = "service.log";
/// So much of a log explains a failure.
const LAST_LINES: usize = 12;

/// Whatever the operator has set for their own service, or for others' tools that the service takes for
/// settings, is not for those of the tests: those have their settings from a file.
const OPERATORS: [&str; 7] = [
    "GHOSTCAST_",
    "LIVEKIT_",
    "BROWSERBASE_",
    "OTEL_",
    "SENTRY_",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
];

/// A running service with browsers of its own.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) address: SocketAddr,
    pub(super) work_dir: PathBuf,
}

impl Service {
    /// Makes a request; what it answers is for the caller to judge.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Body<'_>) -> Outcome<Answer> {
        let url = format!("http://{}{path}", self.address);
        let asked = http::ask(method, &url, None, body).await;
        asked.map_err(|failure| failure.of(&format!("{method} {path} is answered")))
    }

    /// Makes a request that must succeed.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
    ) -> Outcome<T> {
        let answer = self.granted(method, path, body).await?;
        serde_json::from_slice(&answer.body)
            .expect_that(&format!("{method} {path} answers as documented"))
    }

    /// Makes a request that must succeed; answers the body as it came.
    pub(super) async fn granted(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
    ) -> Outcome<Answer> {
        let answer = self.ask(method, path, body).await?;
        if answer.is_good() {
            return Ok(answer);
        }
        let status = answer.status;
        let why = match refusal_of(&answer) {
            Ok(refusal) => refusal.sentence(),
            Err(_) => answer.text().into_owned(),
        };
        Err(Failure::new(format!(
            "{method} {path} answers {status}: {why}"
        )))
    }

    /// Makes a request that must be refused.
    pub(super) async fn refused(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
    ) -> Outcome<Refusal> {
        let answer = self.ask(method, path, body).await?;
        ensure!(
            !answer.is_good(),
            "{method} {path} should be refused, and answers {}",
            answer.status
        );
        refusal_of(&answer)
    }

    /// Closes the session of a room.
    pub(super) async fn close(&self, room: &str) -> Outcome {
        let path = format!("/sessions/{room}");
        let _: Value = self.call("DELETE", &path, Body::None).await?;
        Ok(())
    }
}

fn refusal_of(answer: &Answer) -> Outcome<Refusal> {
    let what = format!("an error has its form: {} {}", answer.status, answer.text());
    let body: ErrorBody = serde_json::from_slice(&answer.body).expect_that(&what)?;
    Ok(body.error)
}

/// The process of a service. It ends with its bench, and is killed when dropped before.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pid: Option<Pid>,
    /// Where its settings, its state and its browsers lie.
    work_dir: PathBuf,
}

impl Running {
    /// Starts the program as a service on a free port of loopback.
    pub(super) fn serve(program: &Path, work_dir: &Path, settings: &Settings) -> Outcome<Self> {
        let log = log(work_dir)?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(settings.write(work_dir)?)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Self::spawn(command, work_dir)
    }

    /// Starts a program whose files lie in a directory.
    pub(super) fn spawn(mut command: Command, work_dir: &Path) -> Outcome<Self> {
        without_settings(&mut command);
        // Ctrl-C is for the validation alone, which then ends what it has started, in order.
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn();
        let name = command.as_std().get_program().display();
        let child = child.expect_that(&format!("{name} starts"))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Ok(Self {
            child,
            pid: pid.map(Pid::from_raw),
            work_dir: work_dir.to_owned(),
        })
    }

    /// What it hears and what it says, if it was started with pipes for them.
    pub(super) fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?))
    }

    /// Where its files lie.
    pub(super) fn work_dir(&self) -> &Path {
        &self.work_dir
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it in order; one that does not end is killed, and that is a failure.
    pub(super) async fn end(mut self) -> Outcome {
        if let (None, Some(pid)) = (self.ended(), self.pid) {
            // One that has ended meanwhile is what is wanted.
            let _ = kill(pid, Signal::SIGTERM);
        }
        if let Ok(status) = tokio::time::timeout(ENDED_WITHIN, self.child.wait()).await {
            let status = status?;
            ensure!(status.success(), "the service ends with {status}");
            return Ok(());
        }
        if let Some(pid) = self.pid {
            // It leads a group, in which nobody is but what it has started.
            let _ = killpg(pid, Signal::SIGKILL);
        }
        self.child.kill().await?;
        let bound = ENDED_WITHIN.as_secs();
        Err(Failure::new(format!(
            "the service has not ended within {bound} s of SIGTERM"
        )))
    }
}

/// Where a service listens, as it wrote into its state directory.
pub(super) fn address(work_dir: &Path) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(state(work_dir).join("ghostcast.pid")).ok()?;
    let (_pid, note) = text.split_once('\n')?;
    let note: Value = serde_json::from_str(note).ok()?;
    note["address"].as_str()?.parse().ok()
}

/// Where a service of the directory logs to.
pub(super) fn log(work_dir: &Path) -> Outcome<File> {
    Ok(File::create(work_dir.join(LOG))?)
}

/// The end of a service's log.
pub(super) fn last_lines(work_dir: &Path) -> Vec<String> {
    let bytes = std::fs::read(work_dir.join(LOG)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LAST_LINES));
    last.map(|line| (*line).to_owned()).collect()
}

/// The state directory of a service.
pub(super) fn state(work_dir: &Path) -> PathBuf {
    work_dir.join("state")
}

/// Keeps what is set for others from a child.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if OPERATORS.iter().any(|theirs| upper.starts_with(theirs)) {
            command.env_remove(name);
        }
    }
}

/// Settings by section and key. What is not among them is as it is by default.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings(Map<String, Value>);

impl Settings {
    /// With these too, in the form `{section: {key: value}}`; they win.
    pub(super) fn with(mut self, more: Value) -> Self {
        let Value::Object(sections) = more else {
            return self;
        };
        for (section, keys) in sections {
            let known = self.0.entry(section).or_insert_with(|| Map::new().into());
            if let (Value::Object(known), Value::Object(keys)) = (known, keys) {
                known.extend(keys);
            }
        }
        self
    }

    /// The configuration file.
    fn text(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.0 {
            text.push_str(&format!("[{section}]\n"));
            let keys = keys.as_object().into_iter().flatten();
            for (key, value) in keys.filter(|(_, value)| !value.is_null()) {
                // Texts, numbers and lists are written in TOML as they are in JSON.
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }

    /// Writes the configuration file, which nobody else may read; answers where it is.
    pub(super) fn write(&self, work_dir: &Path) -> Outcome<PathBuf> {
        let path = work_dir.join("ghostcast.toml");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&path)?.write_all(self.text().as_bytes())?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::super::outcome::until;
    use super::*;

    #[test]
    fn settings_become_a_file() {
        let settings = Settings::default()
            .with(
                json!({ "browser": { "extra_args": ["a b"], "keep_warm": true, "nothing": null } }),
            )
            .with(json!({ "browser": { "keep_warm": false }, "livekit": { "url": "ws://\"x" } }));
        let expected = "[browser]\nextra_args = [\"a b\"]\nkeep_warm = false\n\
                        [livekit]\nurl = \"ws://\\\"x\"\n";
        assert_eq!(settings.text(), expected);
    }

    #[test]
    fn an_error_is_read_by_its_form() {
        let answer = |status, body: &'static str| Answer {
            status,
            body: body.into(),
        };
        let body = r#"{"error": {"kind": "not_found", "message": "m", "request_id": "r"}}"#;
        let refusal = refusal_of(&answer(404, body)).unwrap();
        assert_eq!((refusal.kind.as_str(), refusal.hint), ("not_found", None));
        assert!(refusal_of(&answer(502, "nginx")).is_err());
    }

    /// A process in the place of a service, once it has said that it is ready.
    async fn started(script: &str) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::spawn(command, Path::new("")).unwrap();
        let (_hears, says) = running.pipes().unwrap();
        let mut ready = String::new();
        BufReader::new(says).read_line(&mut ready).await.unwrap();
        running
    }

    #[tokio::test]
    async fn a_process_ends_in_order_or_that_is_a_failure() {
        let in_order = "trap 'kill $!; exit 0' TERM; sleep 60 & echo ready; wait";
        started(in_order).await.end().await.unwrap();
        let otherwise = "trap 'kill $!; exit 3' TERM; sleep 60 & echo ready; wait";
        let failure = started(otherwise).await.end().await.unwrap_err();
        assert!(failure.chain[0].contains("exit status: 3"), "{failure:?}");
        let mut gone = started("exit 4").await;
        let ended = until(seconds(5), "it has ended", async || gone.ended());
        assert_eq!(ended.await.unwrap().code(), Some(4));
        assert!(gone.end().await.is_err());
    }
}
