//! The service's settings: typed sections, file, then environment, then flags.
//!
//! [`parse`] is pure; [`load`] reads the file and the environment and is the only place that
//! does. Unknown keys are refused with the nearest valid name. Every key is documented in
//! `deploy/config.example.toml`, which a test keeps complete.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::media::cursor;
use crate::model::Secret;
use crate::model::session::limits;

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
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where to listen. Any address that is not loopback needs `token`.
    pub listen: SocketAddr,
    /// The bearer token that every request must carry; empty for none (loopback only).
    pub token: Secret,
    /// Origins, besides the service's own, whose pages may call it (`https://app.example.com`).
    pub allowed_origins: Vec<String>,
    /// Largest request body, bytes.
    pub body_bytes_max: usize,
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

/// Chromium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Browser {
    /// The executable; empty to look for chromium-headless-shell, then chromium, then Chrome.
    pub executable: PathBuf,
    /// Chromium's own sandbox: `auto` turns it off for root only, where it cannot work.
    pub sandbox: Sandbox,
    /// Further flags for Chromium, each with or without its leading dashes.
    pub extra_args: Vec<String>,
    /// Sessions that share one browser process.
    pub contexts_per_process: usize,
    /// A process is retired after it served this many sessions.
    pub sessions_per_process: usize,
    /// Keep one process warm, so that the next session starts at once.
    pub keep_warm: bool,
    /// A process must answer its CDP socket within this time of its start, milliseconds.
    pub launch_timeout_ms: u64,
    /// How often a browser is asked whether it answers, milliseconds.
    pub probe_interval_ms: u64,
    /// A browser that does not answer a probe for this long counts as hung, milliseconds.
    pub probe_timeout_ms: u64,
    /// Where profile directories are made; empty for the system's temporary directory.
    pub work_dir: PathBuf,
    /// Refuse cloud metadata addresses (169.254.169.254 and the like).
    pub deny_metadata: bool,
}

/// Chromium's own sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// On, except for root.
    #[default]
    Auto,
    /// Always on.
    On,
    /// Always off.
    Off,
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
}

/// The event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Events kept per room for `?since=`.
    pub replay_max: usize,
    /// Events a subscriber may fall behind before it is told that it lagged.
    pub queue_max: usize,
    /// A ping goes to each socket this often, milliseconds; two unanswered end it.
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
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8765),
            token: Secret::default(),
            allowed_origins: Vec::new(),
            body_bytes_max: 256 * 1024,
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
        }
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            executable: PathBuf::new(),
            sandbox: Sandbox::Auto,
            extra_args: Vec::new(),
            contexts_per_process: 8,
            sessions_per_process: 200,
            keep_warm: true,
            launch_timeout_ms: 15_000,
            probe_interval_ms: 2_000,
            probe_timeout_ms: 5_000,
            work_dir: PathBuf::new(),
            deny_metadata: true,
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

/// Names of environment variables that LiveKit's own tools use, and the keys they set.
const LIVEKIT_ENV: [(&str, &str); 3] = [
    ("LIVEKIT_URL", "livekit.url"),
    ("LIVEKIT_API_KEY", "livekit.api_key"),
    ("LIVEKIT_API_SECRET", "livekit.api_secret"),
];

/// Settings that came as flags; they win over file and environment.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
}

/// Reads the file, if any, and the environment, and applies the flags.
pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Config, Error> {
    let text = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Error::invalid_input(format!("cannot read the config file {}", path.display()))
                .hint("Check the path after --config.")
                .source(error)
        })?,
    };
    let environment = Figment::new()
        .merge(Env::raw().map(livekit_key).only(&[
            "livekit.url",
            "livekit.api_key",
            "livekit.api_secret",
        ]))
        .merge(
            Env::prefixed("GHOSTCAST_")
                .filter(|key| key.as_str().contains("__"))
                .split("__"),
        );
    let environment = VERBATIM
        .iter()
        .fold(environment, |environment, key| match verbatim(key) {
            Some(text) => environment.merge(Serialized::default(key, text)),
            None => environment,
        });
    warn_of_strays();
    let mut config = parse(&text, environment)?;
    if let Some(listen) = flags.listen {
        config.server.listen = listen;
    }
    config.check()?;
    Ok(config)
}

/// Texts that the environment gives as they are; any other value is read as TOML, and `0123` as a
/// number.
const VERBATIM: [&str; 4] = [
    "server.token",
    "livekit.url",
    "livekit.api_key",
    "livekit.api_secret",
];

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
fn verbatim(key: &str) -> Option<String> {
    let livekit = LIVEKIT_ENV.iter().find(|(_, known)| *known == key);
    let own = std::env::var(variable(key)).ok();
    own.or_else(|| std::env::var(livekit?.0).ok())
}

/// The environment variable of a key.
fn variable(key: &str) -> String {
    format!("GHOSTCAST_{}", key.replace('.', "__").to_uppercase())
}

/// A variable without the double underscore may be meant for somebody else, so it is no error; but
/// whoever sets `GHOSTCAST_TOKEN` must not believe that a token is needed now.
fn warn_of_strays() {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_stray = |rest: &str| !rest.contains("__") && rest != "LOG";
        if let Some(rest) = name
            .strip_prefix("GHOSTCAST_")
            .filter(|rest| is_stray(rest))
        {
            let near = nearest_key(&rest.to_lowercase());
            let near = near.map(|key| variable(&key)).unwrap_or_default();
            tracing::warn!("{name} is not a setting and is ignored; the nearest is {near}");
        }
    }
}

/// The key, with its section, that `name` comes nearest to, whether it names the section or not.
fn nearest_key(name: &str) -> Option<String> {
    let defaults = serde_json::to_value(Config::default()).ok()?;
    let keys = defaults.as_object()?.iter().flat_map(|(section, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, _)| (section, key))
    });
    let score = |(section, key): (&String, &String)| {
        let whole = strsim::jaro_winkler(name, &format!("{section}_{key}"));
        strsim::jaro_winkler(name, key).max(whole)
    };
    keys.max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .map(|(section, key)| format!("{section}.{key}"))
}

fn livekit_key(name: &figment::value::UncasedStr) -> figment::value::Uncased<'_> {
    let known = LIVEKIT_ENV.iter().find(|(variable, _)| name == *variable);
    known.map_or_else(|| name.into(), |(_, key)| (*key).into())
}

/// Lays `environment` over the TOML text over the defaults.
pub fn parse(toml: &str, environment: Figment) -> Result<Config, Error> {
    Figment::from(Serialized::defaults(Config::default()))
        .merge(Toml::string(toml))
        .merge(environment)
        .extract()
        .map_err(explain)
}

fn explain(error: figment::Error) -> Error {
    let Some(first) = error.clone().into_iter().next() else {
        return Error::invalid_input("the configuration is not valid").source(error);
    };
    let place = first.path.join(".");
    let message = match &first.kind {
        Kind::UnknownField(name, _) => {
            format!(
                "unknown configuration key \"{}\"",
                sibling(&first.path, name, name)
            )
        }
        _ if place.is_empty() => format!("the configuration is not valid: {first}"),
        kind => format!("the configuration key \"{place}\" is not valid: {kind}"),
    };
    let failure = Error::invalid_input(message).source(error);
    match &first.kind {
        // A key outside its section.
        Kind::UnknownField(name, valid)
            if first.path.len() <= 1
                && nearest(name, valid).is_none_or(|near| !is_like(name, near)) =>
        {
            match nearest_key(name) {
                Some(near) => failure.hint(format!("Did you mean \"{near}\"?")),
                None => failure.hint("See deploy/config.example.toml for every key."),
            }
        }
        Kind::UnknownField(name, valid) => match nearest(name, valid) {
            Some(near) => failure.hint(format!(
                "Did you mean \"{}\"?",
                sibling(&first.path, name, near)
            )),
            None => failure.hint("See deploy/config.example.toml for every key."),
        },
        _ => failure.hint("See deploy/config.example.toml for every key."),
    }
}

/// The dotted path of `name` as a sibling of the unknown key that `path` ends in.
fn sibling(path: &[String], unknown: &str, name: &str) -> String {
    let parents = path
        .iter()
        .map(String::as_str)
        .take_while(|part| *part != unknown);
    parents.chain([name]).collect::<Vec<_>>().join(".")
}

/// Whether one may be a slip of the pen for the other.
fn is_like(name: &str, other: &str) -> bool {
    strsim::jaro_winkler(name, other) > 0.8
}

fn nearest<'a>(name: &str, valid: &[&'a str]) -> Option<&'a str> {
    let score = |candidate: &str| strsim::jaro_winkler(name, candidate);
    valid
        .iter()
        .copied()
        .max_by(|a, b| score(a).total_cmp(&score(b)))
}

impl Config {
    /// Checks what types cannot say.
    fn check(&self) -> Result<(), Error> {
        if !self.server.listen.ip().is_loopback() && self.server.token.is_empty() {
            return Err(Error::invalid_input(format!(
                "refusing to listen on {} without a token",
                self.server.listen
            ))
            .hint(
                "Set server.token (GHOSTCAST_SERVER__TOKEN) to a long random text, or listen on \
                 127.0.0.1.",
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
                    variable(key)
                )));
            }
        }
        if self.events.heartbeat_ms == 0 {
            return Err(Error::invalid_input(
                "events.heartbeat_ms must be at least 1",
            ));
        }
        if self
            .server
            .allowed_origins
            .iter()
            .any(|origin| origin == "*")
        {
            return Err(Error::invalid_input(
                "server.allowed_origins takes whole origins, not \"*\"",
            )
            .hint("List each one, such as \"https://app.example.com\"."));
        }
        self.rtc.port_range().map(drop)
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
    Browser {
        /// See [`Browser::launch_timeout_ms`].
        launch_timeout = launch_timeout_ms;
        /// See [`Browser::probe_interval_ms`].
        probe_interval = probe_interval_ms;
        /// See [`Browser::probe_timeout_ms`].
        probe_timeout = probe_timeout_ms;
    }
    Session {
        /// See [`Session::navigate_timeout_ms`].
        navigate_timeout = navigate_timeout_ms;
        /// See [`Session::settle_ms_max`].
        settle_max = settle_ms_max;
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
    fn unknown_keys_name_the_nearest() {
        let error = parse("[server]\nlistn = \"127.0.0.1:1\"", Figment::new()).unwrap_err();
        assert!(error.message.contains("server.listn"), "{error}");
        assert_eq!(
            error.hint.as_deref(),
            Some("Did you mean \"server.listen\"?")
        );
        let error = parse("[sever]\n", Figment::new()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("Did you mean \"server\"?"));
        let error = parse("fps = 10\n", Figment::new()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("Did you mean \"session.fps\"?"));
    }

    #[test]
    fn variables_are_told_from_their_nearest() {
        for (given, key) in [("token", "server.token"), ("session_fps", "session.fps")] {
            assert_eq!(nearest_key(given).as_deref(), Some(key));
        }
        assert_eq!(variable("server.token"), "GHOSTCAST_SERVER__TOKEN");
    }

    #[test]
    fn a_mistyped_value_names_its_key() {
        let error = parse("[session]\nfps = \"fast\"", Figment::new()).unwrap_err();
        assert!(error.message.contains("session.fps"), "{error}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let over = Figment::new().merge(Serialized::default("session.fps", 12));
        assert_eq!(parse("[session]\nfps = 9", over).unwrap().session.fps, 12);
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
