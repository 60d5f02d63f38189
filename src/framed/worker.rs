//! The side that does the work.
//!
//! Each request is done by a task of its own, so that none waits for another one, and what breaks in one is its own
//! error. No more is read while `OPEN_MAX` (256) are under way, and whoever has something to tell waits until it is
//! taken: nothing is lost.

use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::codec::{FramedRead, FramedWrite};
use tokio_util::sync::CancellationToken;

use super::codec::{Arrived, Codec, FRAME_BYTES_MAX};

/// Requests under way at once; whoever has more waits.
const OPEN_MAX: usize = 256;
/// Frames that wait until they are taken.
const OUTBOX: usize = 64;
/// What is called off has ended within this time.
const END_MAX: Duration = Duration::from_secs(5);
/// What is answered then is taken within this time, or by nobody.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// What is told of an action that there is none of.
pub const UNKNOWN_ACTION: &str = "Unknown action";

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// What to do.
    pub action: String,
    /// With what.
    pub data: Value,
    /// Where it is told how far that is.
    pub progress: Progress,
    /// The caller is gone, or the worker ends: what can be called off is.
    pub end: CancellationToken,
}

/// Tells the caller how far a request is.
#[derive(Debug)]
pub struct Progress {
    id: Value,
    outbox: mpsc::Sender<Bytes>,
}

/// The ids of requests under way.
#[derive(Debug, Clone, Default)]
struct Open(Arc<Mutex<HashSet<String>>>);

/// What does the work.
pub trait Deeds: Clone + Send + Sync + 'static {
    /// Does what is asked for; answers what came of it, or in words why nothing did.
    fn perform(&self, asked: Asked) -> impl Future<Output = Result<Value, String>> + Send;
}

/// Why a worker ended otherwise than by its caller's wish.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// What was read ends in the midst of a frame.
    #[error("the input ended within a frame: {0}")]
    Truncated(#[source] io::Error),
    /// There is nothing to read from.
    #[error("the input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// Nobody takes what is told.
    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),
}

impl Open {
    fn with<T>(&self, look: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, id: &Value) {
        self.with(|open| open.insert(id.to_string()));
    }

    fn has(&self, id: &Value) -> bool {
        self.with(|open| open.contains(&id.to_string()))
    }

    fn end(&self, id: &Value) {
        self.with(|open| open.remove(&id.to_string()));
    }
}

impl Progress {
    /// Tells it, once there is room.
    pub async fn tell(&self, progress: Value) {
        let told = frame(&self.id, "progress", progress);
        // Nobody listens any more: the request is called off by that.
        let _ = self.outbox.send(told).await;
    }
}

/// Does what is asked for on `input` until that ends, and what is under way then; or until `end`, which is also set
/// when nobody takes what is told.
pub async fn serve<R, W, D>(
    input: R,
    output: W,
    deeds: D,
    end: CancellationToken,
) -> Result<(), Broken>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    D: Deeds,
{
    let (outbox, waiting) = mpsc::channel(OUTBOX);
    let writing = write(output, waiting, end.clone());
    let reading = read(input, outbox, deeds, end.clone());
    // Whoever reads nothing does not keep it from ending.
    let given_up = async {
        end.cancelled().await;
        tokio::time::sleep(END_MAX + WRITTEN_WITHIN).await;
    };
    let writing = async {
        tokio::select! {
            written = writing => written,
            () = given_up => Ok(()),
        }
    };
    let (written, read) = tokio::join!(writing, reading);
    read.and(written)
}

/// Writes frames until nobody has any more.
async fn write(
    output: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<Bytes>,
    end: CancellationToken,
) -> Result<(), Broken> {
    let mut frames = FramedWrite::new(output, Codec::default());
    while let Some(frame) = waiting.recv().await {
        // Each is written at once: somebody waits for it.
        if let Err(error) = frames.send(frame).await {
            end.cancel();
            return Err(Broken::Output(error));
        }
    }
    Ok(())
}

async fn read(
    input: impl AsyncRead + Unpin,
    outbox: mpsc::Sender<Bytes>,
    deeds: impl Deeds,
    end: CancellationToken,
) -> Result<(), Broken> {
    let mut frames = FramedRead::new(input, Codec::default());
    let (mut tasks, open) = (JoinSet::new(), Open::default());
    let read = loop {
        let arrived = tokio::select! {
            biased;
            () = end.cancelled() => break Ok(()),
            Some(_) = tasks.join_next() => continue,
            arrived = frames.next(), if tasks.len() < OPEN_MAX => arrived,
        };
        let request = match arrived {
            None => break Ok(()),
            Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break Err(Broken::Truncated(error));
            }
            Some(Err(error)) => break Err(Broken::Input(error)),
            Some(Ok(arrived)) => understood(arrived, &open),
        };
        match request {
            Ok((id, action, data)) => {
                let asked = Asked {
                    action,
                    data,
                    progress: Progress {
                        id: id.clone(),
                        outbox: outbox.clone(),
                    },
                    end: end.clone(),
                };
                open.begin(&id);
                tasks.spawn(perform(deeds.clone(), asked, (id, open.clone())));
            }
            Err(told) => drop(end.run_until_cancelled(outbox.send(told)).await),
        }
    };
    drop(outbox);
    let ending = async { while tasks.join_next().await.is_some() {} };
    tokio::pin!(ending);
    if end.run_until_cancelled(&mut ending).await.is_none() {
        let _ = tokio::time::timeout(END_MAX, ending).await;
    }
    read
}

/// Does one request and answers it.
async fn perform(deeds: impl Deeds, asked: Asked, (id, open): (Value, Open)) {
    let outbox = asked.progress.outbox.clone();
    let done = AssertUnwindSafe(deeds.perform(asked)).catch_unwind().await;
    let done = done.unwrap_or_else(|panic| Err(broken(panic.as_ref())));
    let told = match done {
        Ok(result) => frame(&id, "result", result),
        Err(error) => frame(&id, "error", error.into()),
    };
    // Whoever has the answer may use the id again.
    open.end(&id);
    // Whoever has hung up is not waiting.
    let _ = outbox.send(told).await;
}

/// What is told of a defect.
fn broken(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it says no more");
    tracing::error!(panic = text, "a defect ended a request");
    format!("a defect of the worker ended the request: {text}")
}

/// The request in a frame, or what its caller is told.
fn understood(arrived: Arrived, open: &Open) -> Result<(Value, String, Value), Bytes> {
    let nameless = |why: String| {
        tracing::warn!(why, "a frame is no request");
        Err(frame(&Value::Null, "error", why.into()))
    };
    let bytes = match arrived {
        Arrived::Frame(bytes) => bytes,
        Arrived::TooLong(length) => {
            return nameless(format!(
                "a frame has {length} bytes, and at most {FRAME_BYTES_MAX} are taken: they are passed over"
            ));
        }
    };
    let mut request = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(request)) => request,
        Ok(_) => return nameless("a frame holds JSON and no object".to_owned()),
        Err(error) => return nameless(format!("a frame holds no JSON: {error}")),
    };
    let id = request.remove("id").unwrap_or_default();
    if !id.is_string() && !id.is_number() {
        return nameless(
            "a frame lacks \"id\", a text or a number that no other request has".to_owned(),
        );
    }
    if open.has(&id) {
        return nameless(format!("a request with the id {id} is under way already"));
    }
    match request.remove("action") {
        Some(Value::String(action)) => {
            let data = request.remove("data").unwrap_or_default();
            Ok((id, action, data))
        }
        _ => Err(frame(
            &id,
            "error",
            "the request lacks \"action\", a text".into(),
        )),
    }
}

/// A frame for the caller.
fn frame(id: &Value, what: &str, value: Value) -> Bytes {
    let bytes = json!({ "id": id, what: value }).to_string();
    if bytes.len() <= FRAME_BYTES_MAX {
        return bytes.into();
    }
    let why = format!(
        "what there is to tell has {} bytes, and a frame at most {FRAME_BYTES_MAX}",
        bytes.len()
    );
    json!({ "id": id, "error": why }).to_string().into()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Notify;

    use super::*;

    /// Does as it is told.
    #[derive(Debug, Clone, Default)]
    struct Puppet(Arc<Notify>);

    impl Deeds for Puppet {
        async fn perform(&self, asked: Asked) -> Result<Value, String> {
            match asked.action.as_str() {
                "echo" => Ok(asked.data),
                "tell" => {
                    asked.progress.tell(json!({"step": 1})).await;
                    Ok(Value::Null)
                }
                "wait" => {
                    self.0.notified().await;
                    Ok("waited".into())
                }
                "go" => {
                    self.0.notify_one();
                    Ok("gone".into())
                }
                "panic" => panic!("out of paper"),
                "until_end" => {
                    asked.end.cancelled().await;
                    Err("called off".to_owned())
                }
                "much" => Ok("x".repeat(FRAME_BYTES_MAX).into()),
                _ => Err(UNKNOWN_ACTION.to_owned()),
            }
        }
    }

    /// What a worker says to these bytes until it ends by itself.
    async fn says(bytes: &[u8]) -> (Vec<Value>, Result<(), Broken>) {
        let (mut ours, input) = duplex(64 * 1024);
        let (output, mut theirs) = duplex(64 * 1024);
        let serving = async {
            let end = CancellationToken::new();
            serve(input, output, Puppet::default(), end).await
        };
        let writing = async {
            ours.write_all(bytes).await.unwrap();
            drop(ours);
        };
        let mut told = Vec::new();
        let (served, (), _) = tokio::join!(serving, writing, theirs.read_to_end(&mut told));
        (frames(&told), served)
    }

    fn frames(mut bytes: &[u8]) -> Vec<Value> {
        let mut found = Vec::new();
        while let Some((head, rest)) = bytes.split_first_chunk::<4>() {
            let (body, rest) = rest.split_at(u32::from_be_bytes(*head) as usize);
            found.push(serde_json::from_slice(body).unwrap());
            bytes = rest;
        }
        found
    }

    fn framed(body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        [&(body.len() as u32).to_be_bytes()[..], body].concat()
    }

    fn asks(id: u32, action: &str) -> Vec<u8> {
        framed(json!({"id": id, "action": action, "data": {"n": id}}).to_string())
    }

    #[tokio::test]
    async fn a_request_is_answered_by_its_id() {
        let (told, served) = says(&[asks(1, "echo"), asks(2, "tell")].concat()).await;
        served.unwrap();
        assert_eq!(told.len(), 3);
        assert!(told.contains(&json!({"id": 1, "result": {"n": 1}})));
        assert_eq!(
            told.iter().filter(|one| one["id"] == 2).collect::<Vec<_>>(),
            [
                &json!({"id": 2, "progress": {"step": 1}}),
                &json!({"id": 2, "result": null}),
            ]
        );
    }

    #[tokio::test]
    async fn answers_come_as_they_are_there() {
        let (told, served) = says(&[asks(1, "wait"), asks(2, "go")].concat()).await;
        served.unwrap();
        assert_eq!(
            told,
            [
                json!({"id": 2, "result": "gone"}),
                json!({"id": 1, "result": "waited"})
            ]
        );
    }

    #[tokio::test]
    async fn what_breaks_and_what_is_unknown_is_an_error_and_the_worker_lives() {
        for (action, text) in [
            (
                "panic",
                "a defect of the worker ended the request: out of paper",
            ),
            ("dance", UNKNOWN_ACTION),
        ] {
            let (told, served) = says(&[asks(1, action), asks(2, "echo")].concat()).await;
            served.unwrap();
            assert_eq!(told.len(), 2);
            assert!(told.contains(&json!({"id": 1, "error": text})), "{told:?}");
            assert!(told.contains(&json!({"id": 2, "result": {"n": 2}})));
        }
        let (told, served) = says(&asks(1, "much")).await;
        served.unwrap();
        assert!(
            told[0]["error"].as_str().unwrap().contains("at most"),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn what_is_no_request_is_told_and_passed_over() {
        let long = vec![b'{'; FRAME_BYTES_MAX + 1];
        for (body, word) in [
            (&b"{\"id\": "[..], "no JSON"),
            (b"", "no JSON"),
            (b"\xff\xfe", "no JSON"),
            (b"[1]", "no object"),
            (b"{\"action\": \"echo\"}", "\"id\""),
            (b"{\"id\": null, \"action\": \"echo\"}", "\"id\""),
            (b"{\"id\": [1], \"action\": \"echo\"}", "\"id\""),
            (&long, "16777217"),
        ] {
            let (told, served) = says(&[framed(body), asks(2, "echo")].concat()).await;
            served.unwrap();
            assert_eq!(told.len(), 2, "{told:?}");
            assert_eq!(told[0]["id"], Value::Null);
            assert!(
                told[0]["error"].as_str().unwrap().contains(word),
                "{told:?}"
            );
            assert_eq!(told[1], json!({"id": 2, "result": {"n": 2}}));
        }
        let (told, _) = says(&framed(b"{\"id\": 7}")).await;
        assert_eq!(told[0]["id"], 7);
        let (told, _) = says(&[asks(1, "wait"), asks(1, "echo"), asks(2, "go")].concat()).await;
        assert_eq!(told[0]["id"], Value::Null, "{told:?}");
        assert_eq!(told.len(), 3);
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_off_is_told_after_what_was_whole() {
        let (told, served) = says(&[asks(1, "echo"), b"\0\0\0\x09{".to_vec()].concat()).await;
        assert_eq!(told.len(), 1);
        assert!(matches!(served, Err(Broken::Truncated(_))));
    }

    #[tokio::test]
    async fn a_caller_that_is_gone_calls_off_what_it_asked_for() {
        let (mut ours, input) = duplex(64 * 1024);
        let (output, theirs): (DuplexStream, DuplexStream) = duplex(64 * 1024);
        let serving = tokio::spawn(async {
            serve(input, output, Puppet::default(), CancellationToken::new()).await
        });
        ours.write_all(&asks(1, "until_end")).await.unwrap();
        drop(theirs);
        // The next word to it is the one that finds nobody.
        ours.write_all(&asks(2, "echo")).await.unwrap();
        let served = tokio::time::timeout(END_MAX, serving).await.unwrap();
        assert!(matches!(served.unwrap(), Err(Broken::Output(_))));
    }
}
