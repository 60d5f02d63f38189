//! The side that has work done: it keeps a worker's process running.
//!
//! Any number of calls is under way at once, each with its own bound on the time; an answer that nobody waits for is
//! passed over. When the process ends, all that it was asked for has failed, and it is started again after a pause
//! that grows while it does not last; what was not asked of it yet waits.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::codec::{FramedRead, FramedWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::codec::{Arrived, Codec, FRAME_BYTES_MAX};
use super::lines::{Lines, Said};

/// Calls that wait until they are written to the process; a further one waits in its caller.
const INBOX: usize = 256;
/// Longest line of what the process says on standard error, bytes; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Pause before a process that did not last is started again; twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest of them.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A process that has run for this long has lasted.
const LASTED: Duration = Duration::from_secs(30);
/// A process whose input has ended ends within this time, or is killed: it may have browsers to put away.
const END_MAX: Duration = Duration::from_millis(2_500);

/// A worker's process, kept running. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bridge {
    inbox: mpsc::Sender<UnderWay>,
    call_max: Duration,
    keeping: TaskTracker,
}

/// What a worker is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What to do.
    pub action: String,
    /// With what.
    pub data: Value,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The worker's own words.
    #[error("{0}")]
    Refused(String),
    /// It was told, and did not answer in time: what it has done is not known.
    #[error("the worker did not answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// Its process ended before it answered: what it has done is not known.
    #[error("the worker's process ended before it answered ({0})")]
    Crashed(String),
    /// The process was not told of it, for none was there that took it.
    #[error("no worker was there for {} s that could be asked", .0.as_secs_f64())]
    Untold(Duration),
    /// The call is longer than a frame.
    #[error("a call has at most {FRAME_BYTES_MAX} bytes")]
    TooLong,
    /// Nobody keeps a process running any more.
    #[error("the service ends")]
    Ended,
}

/// A call under way.
#[derive(Debug)]
struct UnderWay {
    call: Call,
    progress: watch::Sender<Value>,
    answer: oneshot::Sender<Result<Value, Failed>>,
    /// Set before the process is told of it.
    is_told: Arc<AtomicBool>,
}

/// Calls that the process was told of, by their ids.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<HashMap<u64, UnderWay>>>);

/// Keeps the process running.
#[derive(Debug)]
struct Keeper {
    command: Vec<String>,
    inbox: mpsc::Receiver<UnderWay>,
    /// The last id; each is new, over all processes.
    last: u64,
    end: CancellationToken,
}

impl Bridge {
    /// Keeps the process of this command running until `end`; a call to it takes `call_max` at most.
    pub fn keep(command: Vec<String>, call_max: Duration, end: CancellationToken) -> Self {
        let (inbox, orders) = mpsc::channel(INBOX);
        let keeper = Keeper {
            command,
            inbox: orders,
            last: 0,
            end,
        };
        let keeping = TaskTracker::new();
        keeping.spawn(keeper.run());
        keeping.close();
        Self {
            inbox,
            call_max,
            keeping,
        }
    }

    /// Returns when the process has ended for good.
    pub async fn ended(&self) {
        self.keeping.wait().await;
    }

    /// Has something done. How far it is is told by `progress`, of which the newest matters.
    pub async fn call(&self, call: Call, progress: watch::Sender<Value>) -> Result<Value, Failed> {
        let (answer, answered) = oneshot::channel();
        let (is_told, began) = (Arc::<AtomicBool>::default(), Instant::now());
        let order = UnderWay {
            call,
            progress,
            answer,
            is_told: Arc::clone(&is_told),
        };
        let calling = async {
            let sent = self.inbox.send(order).await;
            sent.map_err(|_| Failed::Ended)?;
            answered.await.unwrap_or(Err(Failed::Ended))
        };
        let done = timeout(self.call_max, calling).await;
        let done = done.unwrap_or(Err(Failed::Late(self.call_max)));
        // Whoever would tell it from here on sees that nobody waits.
        let done = match done {
            Err(Failed::Late(_) | Failed::Ended) if !is_told.load(Ordering::SeqCst) => {
                Err(Failed::Untold(began.elapsed()))
            }
            done => done,
        };
        let outcome = match &done {
            Ok(_) => "done",
            Err(Failed::Refused(_) | Failed::TooLong) => "refused",
            Err(Failed::Untold(_)) => "untold",
            Err(Failed::Late(_)) => "late",
            Err(Failed::Crashed(_) | Failed::Ended) => "crashed",
        };
        metrics::counter!("ghostcast_bridge_calls_total", "outcome" => outcome).increment(1);
        done
    }
}

impl Pending {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<u64, UnderWay>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in a frame of the process; answers whether it was for somebody.
    fn heard(&self, bytes: &[u8]) -> bool {
        let Ok(Value::Object(mut told)) = serde_json::from_slice(bytes) else {
            tracing::warn!("the worker wrote a frame that holds no JSON object");
            return false;
        };
        let id = told.get("id").and_then(Value::as_u64);
        let progress = told.remove("progress").filter(|told| !told.is_null());
        if let Some(progress) = progress {
            return self.with(|open| match id.and_then(|id| open.get(&id)) {
                Some(order) => order.progress.send(progress).is_ok(),
                None => false,
            });
        }
        let Some(order) = id.and_then(|id| self.with(|open| open.remove(&id))) else {
            // It came too late, or to nothing that was asked.
            tracing::debug!(?told, "the worker answers what nobody waits for");
            return false;
        };
        let answer = match (told.remove("error"), told.remove("result")) {
            (Some(Value::String(error)), _) => Err(Failed::Refused(error)),
            (Some(error), _) if !error.is_null() => Err(Failed::Refused(error.to_string())),
            (_, result) => Ok(result.unwrap_or_default()),
        };
        // Whoever called may have gone.
        order.answer.send(answer).is_ok()
    }

    /// All that is under way has failed.
    fn fail(&self, why: &Failed) {
        for (_, order) in self.with(std::mem::take) {
            let _ = order.answer.send(Err(why.clone()));
        }
    }
}

impl Keeper {
    async fn run(mut self) {
        let mut crashes = 0;
        loop {
            let began = Instant::now();
            let (why, has_answered) = self.run_once().await;
            if self.end.is_cancelled() {
                return;
            }
            if has_answered || began.elapsed() >= LASTED {
                crashes = 0;
            }
            let pause = pause(crashes);
            crashes += 1;
            tracing::error!(
                command = self.command.first(),
                why,
                "the worker of the bridge is not there; it is started again in {} ms",
                pause.as_millis()
            );
            metrics::counter!("ghostcast_bridge_crashes_total").increment(1);
            let end = self.end.clone();
            if end.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// One process, until it ends. Answers how, and whether it has answered anything.
    async fn run_once(&mut self) -> (String, bool) {
        let mut child = match start(&self.command) {
            Ok(child) => child,
            Err(error) => return (format!("it cannot be started: {error}"), false),
        };
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, child.stderr.take()) else {
            return ("it has no pipes".to_owned(), false);
        };
        let (pid, pending, end) = (child.id(), Pending::default(), self.end.clone());
        tracing::info!(pid, "the worker of the bridge is started");
        let mut has_answered = false;
        tokio::select! {
            biased;
            () = end.cancelled() => (),
            () = hear(stdout, &pending, &mut has_answered) => (),
            // By the end of its input it hears that it is to end.
            () = self.tell(stdin, &pending) => (),
            () = log(stderr) => (),
        }
        let how = put_down(child, pid).await;
        match end.is_cancelled() {
            true => pending.fail(&Failed::Ended),
            false => pending.fail(&Failed::Crashed(how.clone())),
        }
        (how, has_answered)
    }

    /// Tells the process of calls until it takes no more.
    async fn tell(&mut self, stdin: ChildStdin, pending: &Pending) {
        let mut frames = FramedWrite::new(stdin, Codec::default());
        while let Some(order) = self.inbox.recv().await {
            order.is_told.store(true, Ordering::SeqCst);
            // Whoever called has gone meanwhile.
            if order.answer.is_closed() {
                continue;
            }
            self.last += 1;
            let id = self.last;
            let Call { action, data } = &order.call;
            let told = json!({"id": id, "action": action, "data": data}).to_string();
            if told.len() > FRAME_BYTES_MAX {
                let _ = order.answer.send(Err(Failed::TooLong));
                continue;
            }
            pending.with(|open| {
                // Of those who have gone, the answers are passed over.
                open.retain(|_, order| !order.answer.is_closed());
                open.insert(id, order);
            });
            if frames.send(Bytes::from(told)).await.is_err() {
                return;
            }
        }
    }
}

/// Hears the process until it says no more.
async fn hear(stdout: ChildStdout, pending: &Pending, has_answered: &mut bool) {
    let mut frames = FramedRead::new(stdout, Codec::default());
    while let Some(arrived) = frames.next().await {
        match arrived {
            Ok(Arrived::Frame(bytes)) => *has_answered |= pending.heard(&bytes),
            Ok(Arrived::TooLong(bytes)) => {
                tracing::warn!(bytes, "the worker wrote a frame that is too long");
            }
            Err(error) => {
                tracing::warn!(%error, "what the worker writes cannot be read");
                return;
            }
        }
    }
}

/// Passes on what the process says beside its answers; never ends before that does.
async fn log(stderr: ChildStderr) {
    let mut lines = FramedRead::new(stderr, Lines::new(LINE_BYTES_MAX));
    loop {
        match lines.next().await {
            Some(Ok(Said::Line(line))) => tracing::info!(line, "worker of the bridge"),
            Some(Ok(Said::TooLong | Said::Noise)) => {
                tracing::info!("worker of the bridge: a line that is too long, or no text");
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "what the worker says beside its answers cannot be read");
            }
            // Whether it ends is seen by its answers.
            None => return std::future::pending().await,
        }
    }
}

fn start(command: &[String]) -> std::io::Result<Child> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| std::io::Error::other("the command is empty"))?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: what it has started ends with it, and no key of our terminal ends it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Lets a process end whose input has ended, and all that it has started. Answers how it ended.
async fn put_down(mut child: Child, pid: Option<u32>) -> String {
    let ended = timeout(END_MAX, child.wait()).await;
    if let Some(group) = pid.and_then(|pid| i32::try_from(pid).ok()) {
        // Nobody is left, in most cases.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let how = match ended {
        Ok(how) => how,
        Err(_) => child.wait().await,
    };
    how.map_or_else(|error| error.to_string(), |how| how.to_string())
}

/// How long to wait after so many processes in a row that did not last.
fn pause(crashes: u32) -> Duration {
    let twice = 2_u32.saturating_pow(crashes);
    PAUSE_MIN.saturating_mul(twice).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let seconds = [0, 1, 2, 6, 7, 100].map(|crashes| pause(crashes).as_secs_f64());
        assert_eq!(seconds, [0.25, 0.5, 1.0, 16.0, 30.0, 30.0]);
    }

    fn order() -> (
        UnderWay,
        oneshot::Receiver<Result<Value, Failed>>,
        watch::Receiver<Value>,
    ) {
        let (answer, answered) = oneshot::channel();
        let (progress, told) = watch::channel(Value::Null);
        let call = Call {
            action: "x".to_owned(),
            data: Value::Null,
        };
        let order = UnderWay {
            call,
            progress,
            answer,
            is_told: Arc::default(),
        };
        (order, answered, told)
    }

    #[test]
    fn answers_go_to_whom_they_are_for_and_others_to_nobody() {
        let pending = Pending::default();
        let (one, mut first, told) = order();
        let (other, mut second, _told) = order();
        pending.with(|open| {
            open.insert(1, one);
            open.insert(2, other);
        });
        for nobody in [
            &b"{\"id\": 3, \"result\": 1}"[..],
            b"{\"id\": null, \"error\": \"x\"}",
            b"{\"id\": \"1\", \"result\": 1}",
            b"[]",
            b"{",
        ] {
            assert!(!pending.heard(nobody));
        }
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        assert!(pending.heard(b"{\"id\": 1, \"progress\": {\"step\": 1}}"));
        assert_eq!(*told.borrow(), json!({"step": 1}));
        assert!(pending.heard(b"{\"id\": 2, \"error\": \"no\"}"));
        assert_eq!(
            second.try_recv().unwrap(),
            Err(Failed::Refused("no".to_owned()))
        );
        pending.fail(&Failed::Crashed("exit status: 1".to_owned()));
        assert!(matches!(first.try_recv().unwrap(), Err(Failed::Crashed(_))));
        assert!(!pending.heard(b"{\"id\": 1, \"result\": 1}"));
    }
}
