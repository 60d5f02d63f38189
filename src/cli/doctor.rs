//! `ghostcast doctor`: what the service needs, whether it is there, and how to mend it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Address, ConfigFile, daemon};
use crate::browser::host::command;
use crate::browser::{self, Captured, Life, Pool, Remote, Tabs};
use crate::config::Config;
use crate::error::Error;
use crate::livekit::signal::host_and_port;
use crate::media::Picture;
use crate::media::encode::{self, Encoder};
use crate::model::outcome::DialogPolicy;
use crate::model::session::CaptureMode;
use crate::model::{Device, Size};

/// A proxy that is none: the page that is opened asks for nothing.
const NOWHERE: &str = "http://127.0.0.1:1";
/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    address: Address,
}

/// What one check found.
enum Finding {
    Good(String),
    /// Works, but somebody may want to know.
    Note(String),
    /// Does not work; the second text says how to mend it.
    Bad(String, String),
}

pub(super) async fn run(options: Options) -> Result<ExitCode, Error> {
    let config = options.file.load(&options.address)?;
    let (chromium, capture) = browser(&config).await;
    let checks = [
        ("Chromium", chromium),
        ("sandbox", sandbox(&config)),
        ("capture", capture),
        ("remote browser", remote(&config)),
        ("codec", codec()),
        ("LiveKit", livekit(&config).await),
        ("HTTP port", http_port(config.server.listen).await),
        ("UDP ports", udp_ports(&config).await),
        ("tokens", tokens(&config)),
    ];
    let mut out = std::io::stdout();
    let mut is_well = true;
    for (name, finding) in checks {
        let line = match finding {
            Finding::Good(text) => format!("ok    {name}: {text}"),
            Finding::Note(text) => format!("note  {name}: {text}"),
            Finding::Bad(text, remedy) => {
                is_well = false;
                format!("FAIL  {name}: {text}\n      {remedy}")
            }
        };
        writeln!(out, "{line}").map_err(|e| Error::internal("cannot write").source(e))?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Who may come in.
fn tokens(config: &Config) -> Finding {
    match config.server.tokens() {
        Ok(tokens) if tokens.is_empty() => {
            Finding::Note("none: every program of this machine may do everything".to_owned())
        }
        Ok(tokens) => {
            let told = tokens
                .iter()
                .map(|token| format!("{} ({})", token.label, token.scope));
            Finding::Good(told.collect::<Vec<_>>().join(", "))
        }
        Err(error) => {
            let hint = error.hint.unwrap_or_default().into_owned();
            Finding::Bad(error.message.into_owned(), hint)
        }
    }
}

/// Whether a browser starts, and how its pages come to the video.
async fn browser(config: &Config) -> (Finding, Finding) {
    let unknown = || Finding::Note("not known, without a browser".to_owned());
    let path = match command::executable(&config.browser.executable) {
        Ok(path) => path,
        Err(error) => return (bad_browser(error), unknown()),
    };
    let tracker = TaskTracker::new();
    let pool = match Pool::new(config.browser.clone(), tracker.clone()) {
        Ok((pool, _)) => pool,
        Err(error) => {
            let remedy = "See browser.work_dir.".to_owned();
            return (Finding::Bad(error.to_string(), remedy), unknown());
        }
    };
    let with_windows = command::executable_with_windows(&config.browser.executable).ok();
    let found = tried(&pool, &tracker, (path, with_windows)).await;
    pool.shut_down();
    // The guard of the process removes its profile.
    tokio::time::sleep(Duration::from_millis(200)).await;
    found
}

/// What comes of a browser and of a page in it.
async fn tried(
    pool: &Pool,
    tracker: &TaskTracker,
    (path, with_windows): (PathBuf, Option<PathBuf>),
) -> (Finding, Finding) {
    let started = Instant::now();
    if let Err(error) = pool.warm_up().await {
        let capture = match pool.captured() {
            Ok(captured) => Finding::Note(format!("by {}", captured.describe())),
            Err(error) => bad_browser(error),
        };
        return (bad_browser(error), capture);
    }
    let took = started.elapsed().as_millis();
    let is_by_display = |captured: &Captured| captured.mode == CaptureMode::Display;
    let path = match pool.captured() {
        Ok(captured) if is_by_display(&captured) => with_windows.unwrap_or(path),
        _ => path,
    };
    let starts = format!("{} starts in {took} ms", path.display());
    let started = Instant::now();
    let opened = match first_page(pool, tracker).await {
        Ok(captured) => captured,
        Err(error) => return (Finding::Good(starts), bad_browser(error)),
    };
    let text = format!(
        "by {}; a page is there in {} ms",
        opened.describe(),
        started.elapsed().as_millis()
    );
    let capture = match opened.why {
        None => Finding::Good(text),
        Some(_) => Finding::Note(text),
    };
    (Finding::Good(starts), capture)
}

/// Opens a page as a session without a word does.
async fn first_page(pool: &Pool, tracker: &TaskTracker) -> Result<Captured, browser::Error> {
    let lease = pool.acquire(NOWHERE, CaptureMode::Auto).await?;
    let device = Device {
        size: Size::new(1280, 720),
        is_mobile: false,
    };
    let (events, _heard) = mpsc::channel(1);
    let opened = Tabs::open_first(&lease, device, DialogPolicy::default(), events, tracker).await;
    let captured = lease.captured().clone();
    lease.release().await;
    opened.map(|_| captured)
}

/// Whether Chromium holds its pages by its own wall too.
fn sandbox(config: &Config) -> Finding {
    match command::unsandboxed(&config.browser) {
        None => Finding::Good("Chromium's own is on".to_owned()),
        Some(why) => Finding::Note(format!(
            "Chromium's own is off: {why}. Run the service as a user of its own, with browser.sandbox = \"auto\""
        )),
    }
}

/// Whether there is a fallback. It is not asked: that may cost money.
fn remote(config: &Config) -> Finding {
    let life = Life {
        tracker: TaskTracker::new(),
        cancel: CancellationToken::new(),
    };
    let remote = Remote::new(&config.remote, config.browser.probe_interval(), None, life);
    let told = remote.describe();
    match remote.is_configured() {
        true => Finding::Good(format!(
            "{told}, which serves where it is asked for or none here can"
        )),
        false => Finding::Note(told),
    }
}

/// Says what the service itself would say, and the cause.
fn bad_browser(error: browser::Error) -> Finding {
    let cause = crate::error::Chain(&error).to_string();
    let words = Error::from(error);
    let hint = words.hint.unwrap_or_default().into_owned();
    let text = if cause == words.message {
        cause
    } else {
        format!("{} ({cause})", words.message)
    };
    Finding::Bad(text, hint)
}

fn codec() -> Finding {
    let encoded = Encoder::new(encode::Config {
        fps: 30,
        bitrate_bps: 1_000_000,
        content: encode::Content::Screen,
    })
    .and_then(|mut encoder| encoder.encode(&Picture::new(Size::new(320, 240)), 0, true));
    match encoded {
        Ok(Some(unit)) if unit.keyframe => Finding::Good("OpenH264 encodes".to_owned()),
        Ok(_) => bad_codec("OpenH264 made no keyframe".to_owned()),
        Err(error) => bad_codec(crate::error::Chain(&error).to_string()),
    }
}

fn bad_codec(text: String) -> Finding {
    Finding::Bad(text, "Build Ghostcast again on this machine.".to_owned())
}

async fn livekit(config: &Config) -> Finding {
    let url = &config.livekit.url;
    if !config.livekit.is_configured() {
        return Finding::Note(
            "not configured: sessions are watched over WHEP only. Set LIVEKIT_URL, \
             LIVEKIT_API_KEY and LIVEKIT_API_SECRET to publish into rooms."
                .to_owned(),
        );
    }
    let remedy =
        || "Start livekit-server, or correct LIVEKIT_URL; a firewall may be in the way.".to_owned();
    let Some((host, port)) = host_and_port(url) else {
        return Finding::Bad(format!("{url} is not a ws:// or wss:// URL"), remedy());
    };
    match timeout(ANSWER_WITHIN, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::Good(format!("{url} is reachable")),
        Ok(Err(error)) => Finding::Bad(format!("{url} cannot be reached: {error}"), remedy()),
        Err(_) => Finding::Bad(format!("{url} does not answer"), remedy()),
    }
}

async fn http_port(listen: SocketAddr) -> Finding {
    if TcpListener::bind(listen).await.is_ok() {
        return Finding::Good(format!("{listen} is free"));
    }
    if daemon::answers(listen).await {
        return Finding::Good(format!("a Ghostcast answers on {listen}"));
    }
    Finding::Bad(
        format!("{listen} is taken by another program, or not ours to use"),
        "Choose another address with --listen or server.listen.".to_owned(),
    )
}

async fn udp_ports(config: &Config) -> Finding {
    let range = match config.rtc.port_range() {
        Err(error) => return Finding::Bad(error.to_string(), "See rtc.udp_ports.".to_owned()),
        Ok(None) => return Finding::Good("any free port is used".to_owned()),
        Ok(Some(range)) => range,
    };
    let total = range.clone().count();
    let mut free = 0;
    for port in range.clone() {
        let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await;
        free += usize::from(bound.is_ok());
    }
    let text = format!(
        "{free} of {total} free in {}-{}",
        range.start(),
        range.end()
    );
    if free > 0 || daemon::answers(config.server.listen).await {
        return Finding::Good(text);
    }
    Finding::Bad(
        text,
        "Widen rtc.udp_ports, or stop what uses them.".to_owned(),
    )
}
