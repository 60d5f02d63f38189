//! The service's settings: typed sections, file, then environment, then flags.
//!
//! [`parse`] is pure; [`load`] reads the file and the environment and is the only place that
//! does. Unknown keys are refused with the nearest valid name. Every key is documented in
//! `deploy/config.example.toml`, which a test keeps complete.

mod bridge;
mod browser;
mod files;
mod ice;
mod jobs;
mod live;
mod load;
mod log;
mod notices;
mod outside;
mod remote;
mod state;
mod telemetry;
mod tokens;
mod vision;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::media::cursor;
use crate::model::secrets;
use crate::model::session::limits;
use crate::model::{Network, Secret};

pub use bridge::Bridge;
pub use browser::{Browser, Sandbox};
pub use files::{Recording, Screenshots};
pub use ice::IceServer;
pub use jobs::{Connections, Jobs, Platform, Platforms, REQUEST_HUMAN, Step, Workflow};
pub use live::{Live, Reloaded};
pub use load::{
    Flags, Supervisor, data_directory, home_directory, load, parse, settings_directory, start_url,
    supervisor, warn_of_strays,
};
pub use log::{Log, LogFormat};
pub use notices::Notices;
pub use remote::Remote;
pub use state::{Restore, State};
pub use telemetry::Telemetry;
pub use tokens::{Token, TokenForm};
pub use vision::Vision;

/// A hundred years, in hours.
const AGE_H_MAX: f64 = 876_000.0;

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP side.
    pub server: Server,
    /// The service's own LiveKit server, used by sessions that bring none.
    pub livekit: LiveKit,
    /// Chromium.
    pub browser: Browser,
    /// The remote browser, as a fallback.
    pub remote: Remote,
    /// Defaults and bounds of sessions.
    pub session: Session,
    /// Capture and encoding.
    pub video: Video,
    /// The ghost cursor.
    pub cursor: cursor::Config,
    /// The event stream.
    pub events: Events,
    /// WebRTC sockets.
    pub rtc: Rtc,
    /// The MCP door.
    pub mcp: Mcp,
    /// The model that is asked about pictures.
    pub vision: Vision,
    /// Who is told of what the operator has to know.
    pub notices: Notices,
    /// What programs that watch the service are told.
    pub telemetry: Telemetry,
    /// Values that every session may type by label; from the environment only.
    #[serde(skip)]
    pub secrets: BTreeMap<String, secrets::Entry>,
    /// Recordings.
    pub recording: Recording,
    /// Screenshots that are saved on the service's own disk.
    pub screenshots: Screenshots,
    /// What is kept on disk.
    pub state: State,
    /// The log files.
    pub log: Log,
    /// The queue of jobs.
    pub jobs: Jobs,
    /// A process that does work for jobs.
    pub bridge: Bridge,
    /// Logins that are kept.
    pub connections: Connections,
    /// The platforms that they are for, by name.
    pub platforms: Platforms,
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where to listen. Any address that is not loopback needs `token` or `tokens_file`.
    pub listen: SocketAddr,
    /// The bearer token that opens everything; without it and a file, none is needed (loopback only).
    pub token: Secret,
    /// A file of further tokens, each with its scope; empty for none.
    pub tokens_file: PathBuf,
    /// Origins, besides the service's own, whose pages may call it (`https://app.example.com`).
    pub allowed_origins: Vec<String>,
    /// Largest request body, bytes.
    pub body_bytes_max: usize,
    /// Connections at one time, open WebSockets among them; a further one is closed at once.
    pub connections_max: usize,
    /// A connection that does not send a whole request's head for this long is closed, milliseconds.
    pub header_timeout_ms: u64,
    /// A request's body that has not come whole within this time is refused with 408, milliseconds. A long
    /// one has a second more for each 16 kB that have come.
    pub body_timeout_ms: u64,
    /// Where the service is found outside, behind a proxy; empty where it is found as it listens.
    pub public_url: String,
    /// Proxies whose `Forwarded` and `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
}

/// The service's own LiveKit server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveKit {
    /// `ws://` or `wss://`; empty for none.
    pub url: String,
    /// API key that mints the service's tokens.
    pub api_key: String,
    /// Its secret.
    pub api_secret: Secret,
    /// The identity under which the browser joins.
    pub identity: String,
}

/// Defaults and bounds of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Most sessions at once; a further one is refused as `exhausted`.
    pub count_max: usize,
    /// Pictures a second where the request names none.
    pub fps: u32,
    /// Bits a second where the request names none.
    pub bitrate_bps: u32,
    /// Bound on a navigation where the action names none, milliseconds.
    pub navigate_timeout_ms: u64,
    /// Longest wait for a page to come to rest after a click, typing or scrolling, milliseconds.
    pub settle_ms_max: u64,
    /// Actions that may wait behind the running one.
    pub action_queue_max: usize,
    /// A session of a room that nobody uses ends after this time, where the request names none, seconds;
    /// 0 for never.
    pub idle_timeout_s: u32,
    /// A session with a name that nobody uses is stored after this time, likewise.
    pub kept_idle_timeout_s: u32,
    /// Most that a request can name for either; 0 for no bound.
    pub idle_timeout_s_max: u32,
    /// A session lives this long at most, seconds; 0 for no bound.
    pub max_lifetime_s: u32,
    /// A session that has failed is kept for this long, so that it can be seen why, milliseconds.
    pub failed_kept_ms: u64,
    /// How a session ended is known for this long after its end, hours; 0 for not at all.
    pub ended_kept_h: f64,
    /// A stored session that nothing has happened in for this long is removed with its profile, hours; 0
    /// for never.
    pub stored_max_age_h: f64,
}

/// Capture and encoding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Video {
    /// Quality of the screencast's JPEGs, 1 to 100.
    pub jpeg_quality: u8,
    /// Rest after which one lossless still replaces the JPEG picture, milliseconds; 0 for never.
    pub still_after_ms: u64,
    /// A still page is sent again this often, milliseconds.
    pub heartbeat_ms: u64,
    /// Least time between two keyframes made on request, milliseconds.
    pub keyframe_interval_ms_min: u64,
    /// Whether viewers whose way carries far less than others' get a smaller picture of their own.
    pub low_layer: bool,
    /// Whether a LiveKit room is given both layers side by side.
    pub room_layers: bool,
    /// Whether the video says who drives while a person does, where a session does not say otherwise.
    pub driver_badge: bool,
}

/// The event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Events kept per room for `?since=`.
    pub replay_max: usize,
    /// Events a subscriber may fall behind before it is told that it lagged.
    pub queue_max: usize,
    /// A ping goes to each socket this often, milliseconds; two unanswered end it, and twelve one that is
    /// behind with reading.
    pub heartbeat_ms: u64,
    /// Event sockets of one room.
    pub sockets_per_room_max: usize,
}

/// WebRTC sockets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtc {
    /// UDP ports to bind, as `first-last`; empty for any.
    pub udp_ports: String,
    /// Addresses told to WHEP viewers; empty for those that reach this machine.
    pub hosts: Vec<IpAddr>,
    /// WHEP viewers of one session.
    pub viewers_max: usize,
    /// STUN and TURN servers that WHEP viewers are told of.
    pub ice_servers: Vec<IceServer>,
}

/// The MCP door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mcp {
    /// Offer the extended tools besides the default seven.
    pub extended: bool,
    /// What the rooms' names begin with of sessions that start by themselves, for conversations
    /// that never had one and name none.
    pub default_room: String,
    /// Conversations over streamable HTTP that are kept at one time.
    pub sessions_max: usize,
    /// One that has been silent for this long has to begin anew, seconds.
    pub session_idle_s: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8765),
            token: Secret::default(),
            tokens_file: PathBuf::new(),
            allowed_origins: Vec::new(),
            body_bytes_max: 256 * 1024,
            connections_max: 1_024,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            public_url: String::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for LiveKit {
    fn default() -> Self {
        Self {
            url: String::new(),
            api_key: String::new(),
            api_secret: Secret::default(),
            identity: "ghostcast".to_owned(),
        }
    }
}

impl Default for Rtc {
    fn default() -> Self {
        Self {
            udp_ports: String::new(),
            hosts: Vec::new(),
            viewers_max: 32,
            ice_servers: Vec::new(),
        }
    }
}

impl Default for Mcp {
    fn default() -> Self {
        Self {
            extended: false,
            default_room: "default".to_owned(),
            sessions_max: 256,
            session_idle_s: 3_600,
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            count_max: 20,
            fps: 30,
            bitrate_bps: 2_000_000,
            navigate_timeout_ms: 15_000,
            settle_ms_max: 800,
            action_queue_max: 32,
            idle_timeout_s: 1_800,
            kept_idle_timeout_s: 3_600,
            idle_timeout_s_max: 0,
            max_lifetime_s: 0,
            failed_kept_ms: 600_000,
            ended_kept_h: 24.0,
            stored_max_age_h: 0.0,
        }
    }
}

impl Default for Video {
    fn default() -> Self {
        Self {
            jpeg_quality: 70,
            still_after_ms: 300,
            heartbeat_ms: 1_000,
            keyframe_interval_ms_min: 250,
            low_layer: true,
            room_layers: true,
            driver_badge: true,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            replay_max: 1_024,
            queue_max: 256,
            heartbeat_ms: 10_000,
            sockets_per_room_max: 64,
        }
    }
}

impl Config {
    /// Checks what types cannot say.
    fn check(&self) -> Result<(), Error> {
        let is_guarded = !self.server.token.is_empty() || self.server.has_tokens_file();
        if !self.server.listen.ip().is_loopback() && !is_guarded {
            return Err(Error::invalid_input(format!(
                "refusing to listen on {} without a token",
                self.server.listen
            ))
            .hint(
                "Set server.token (GHOSTCAST_SERVER__TOKEN) to a long random text, name a file of tokens \
                 in server.tokens_file, or listen on 127.0.0.1.",
            ));
        }
        let livekit = &self.livekit;
        let set = [&livekit.url, &livekit.api_key].map(|text| !text.is_empty());
        if set != [!livekit.api_secret.is_empty(); 2] {
            return Err(Error::invalid_input("the LiveKit settings are incomplete").hint(
                "Set all of LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or none of them.",
            ));
        }
        let is_websocket = |url: &str| url.starts_with("ws://") || url.starts_with("wss://");
        if livekit.is_configured() && !is_websocket(&livekit.url) {
            return Err(Error::invalid_input("livekit.url is not a LiveKit URL")
                .hint("It begins with ws:// or wss://, for instance ws://127.0.0.1:7880."));
        }
        self.jobs.check()?;
        self.bridge.check()?;
        self.connections.check()?;
        for (name, platform) in &self.platforms.0 {
            platform.check(name)?;
        }
        let ranges = [
            (
                "video.jpeg_quality",
                u32::from(self.video.jpeg_quality),
                1..=100,
            ),
            ("session.fps", self.session.fps, limits::FPS),
            (
                "session.bitrate_bps",
                self.session.bitrate_bps,
                limits::BITRATE_BPS,
            ),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                return Err(Error::invalid_input(format!(
                    "{key} must be from {} to {}",
                    range.start(),
                    range.end()
                ))
                .hint(format!(
                    "Correct it in the config file, or in {} if that is set.",
                    load::variable(key)
                )));
            }
        }
        if self.events.heartbeat_ms == 0 {
            return Err(Error::invalid_input(
                "events.heartbeat_ms must be at least 1",
            ));
        }
        self.check_sections()?;
        self.check_ages()?;
        secrets::check(&self.secrets)?;
        self.rtc.port_range().map(drop)
    }

    /// What each section says of itself.
    fn check_sections(&self) -> Result<(), Error> {
        self.server.check()?;
        self.rtc.ice_servers.iter().try_for_each(IceServer::check)?;
        self.browser.check()?;
        self.remote.check()?;
        self.vision.check()?;
        self.notices.check()?;
        self.telemetry.check()?;
        self.log.check()
    }
}

impl Config {
    /// Ages are of hours, and an age before any is none.
    fn check_ages(&self) -> Result<(), Error> {
        let ages = [
            ("session.ended_kept_h", self.session.ended_kept_h),
            ("session.stored_max_age_h", self.session.stored_max_age_h),
            ("recording.max_age_h", self.recording.max_age_h),
            ("screenshots.max_age_h", self.screenshots.max_age_h),
            ("state.profile_max_age_h", self.state.profile_max_age_h),
            ("state.set_aside_max_age_h", self.state.set_aside_max_age_h),
            ("log.max_age_h", self.log.max_age_h),
        ];
        for (key, age) in ages {
            if !(0.0..=AGE_H_MAX).contains(&age) {
                return Err(Error::invalid_input(format!("{key} is out of range"))
                    .hint(format!("Use 0 to {AGE_H_MAX} hours; 0 is for none.")));
            }
        }
        if self.state.sweep_every_s == 0 {
            return Err(Error::invalid_input(
                "state.sweep_every_s must be at least 1",
            ));
        }
        Ok(())
    }
}

/// An age in hours as a duration; none where it is 0.
pub fn age(hours: f64) -> Option<Duration> {
    let age = Duration::try_from_secs_f64(hours * 3_600.0).ok();
    age.filter(|age| !age.is_zero())
}

impl Server {
    fn check(&self) -> Result<(), Error> {
        if self.allowed_origins.iter().any(|origin| origin == "*") {
            return Err(Error::invalid_input(
                "server.allowed_origins takes whole origins, not \"*\"",
            )
            .hint("List each one, such as \"https://app.example.com\"."));
        }
        let bounds = [self.header_timeout_ms, self.body_timeout_ms];
        if self.connections_max == 0 || bounds.contains(&0) {
            return Err(Error::invalid_input(
                "server.connections_max, server.header_timeout_ms and server.body_timeout_ms must be at \
                 least 1",
            ));
        }
        let is_plain = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        let public = url::Url::parse(&self.public_url);
        if !self.public_url.is_empty() && !public.as_ref().is_ok_and(is_plain) {
            return Err(
                Error::invalid_input("server.public_url is not a URL of a service")
                    .hint("Write it as \"https://browser.example.com\"."),
            );
        }
        Ok(())
    }
}

impl LiveKit {
    /// Whether the service has a LiveKit server of its own.
    pub fn is_configured(&self) -> bool {
        !self.url.is_empty()
    }
}

impl Rtc {
    /// The UDP ports to bind, or `None` for any.
    pub fn port_range(&self) -> Result<Option<std::ops::RangeInclusive<u16>>, Error> {
        if self.udp_ports.is_empty() {
            return Ok(None);
        }
        let bounds = self.udp_ports.split_once('-').and_then(|(first, last)| {
            Some((
                first.trim().parse::<u16>().ok()?,
                last.trim().parse::<u16>().ok()?,
            ))
        });
        match bounds {
            Some((first, last)) if first > 0 && first <= last => Ok(Some(first..=last)),
            _ => Err(Error::invalid_input("rtc.udp_ports is not a port range")
                .hint("Write it as \"50000-50100\", or leave it empty for any port.")),
        }
    }
}

macro_rules! durations {
    ($($section:ident { $($(#[$doc:meta])* $name:ident = $field:ident;)* })*) => {
        $(impl $section {
            $($(#[$doc])* pub fn $name(&self) -> Duration { Duration::from_millis(self.$field) })*
        })*
    };
}

durations! {
    Server {
        /// See [`Server::header_timeout_ms`].
        header_timeout = header_timeout_ms;
        /// See [`Server::body_timeout_ms`].
        body_timeout = body_timeout_ms;
    }
    Browser {
        /// See [`Browser::launch_timeout_ms`].
        launch_timeout = launch_timeout_ms;
        /// See [`Browser::probe_interval_ms`].
        probe_interval = probe_interval_ms;
        /// See [`Browser::probe_timeout_ms`].
        probe_timeout = probe_timeout_ms;
    }
    Remote {
        /// See [`Remote::connect_timeout_ms`].
        connect_timeout = connect_timeout_ms;
        /// See [`Remote::command_timeout_ms`].
        command_timeout = command_timeout_ms;
    }
    Session {
        /// See [`Session::navigate_timeout_ms`].
        navigate_timeout = navigate_timeout_ms;
        /// See [`Session::settle_ms_max`].
        settle_max = settle_ms_max;
        /// See [`Session::failed_kept_ms`].
        failed_kept = failed_kept_ms;
    }
    Video {
        /// See [`Video::still_after_ms`].
        still_after = still_after_ms;
        /// See [`Video::heartbeat_ms`].
        heartbeat = heartbeat_ms;
        /// See [`Video::keyframe_interval_ms_min`].
        keyframe_interval_min = keyframe_interval_ms_min;
    }
    Events {
        /// See [`Events::heartbeat_ms`].
        heartbeat = heartbeat_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_uploads_come_from_a_whole_path() {
        let mut config = Config::default();
        config.browser.uploads_dir = "uploads".into();
        let error = config.check().unwrap_err();
        assert!(error.message.contains("browser.uploads_dir") && error.hint.is_some());
        config.browser.uploads_dir = "/srv/uploads".into();
        assert!(config.check().is_ok());
    }

    #[test]
    fn a_public_address_needs_a_token() {
        let mut config = Config::default();
        config.server.listen = "0.0.0.0:8765".parse().unwrap();
        assert!(
            config
                .check()
                .unwrap_err()
                .hint
                .unwrap()
                .contains("GHOSTCAST_SERVER__TOKEN")
        );
        config.server.token = Secret::from("long random text".to_owned());
        assert!(config.check().is_ok());
        assert!(!format!("{config:?}").contains("long random"));
    }
}
