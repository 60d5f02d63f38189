//! `ghostcast doctor`: what the service needs, whether it is there, and how to mend it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Address, ConfigFile, daemon};
use crate::browser::host::command;
use crate::browser::{self, Life, Pool, Remote};
use crate::config::Config;
use crate::error::Error;
use crate::livekit::signal::host_and_port;
use crate::media::Picture;
use crate::media::encode::{self, Encoder};
use crate::model::Size;

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
    let checks = [
        ("Chromium", chromium(&config).await),
        ("sandbox", sandbox(&config)),
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

async fn chromium(config: &Config) -> Finding {
    let path = match command::executable(&config.browser.executable) {
        Ok(path) => path,
        Err(error) => return bad_browser(error),
    };
    let started = Instant::now();
    let launched = async {
        let (pool, _) = Pool::new(config.browser.clone(), TaskTracker::new())
            .map_err(|error| Finding::Bad(error.to_string(), "See browser.work_dir.".to_owned()))?;
        pool.warm_up().await.map_err(bad_browser)?;
        pool.shut_down();
        // The guard of the process removes its profile.
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<(), Finding>(())
    };
    match launched.await {
        Ok(()) => Finding::Good(format!(
            "{} starts in {} ms",
            path.display(),
            started.elapsed().as_millis().saturating_sub(200)
        )),
        Err(finding) => finding,
    }
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
