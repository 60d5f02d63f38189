//! Reads the settings: file, then environment, then flags. The only reader of settings from the
//! environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;

use super::{Config, LogFormat};
use crate::error::Error;
use crate::model::likeness::{likeness, meant, nearest};
use crate::model::secrets::Entry;

/// Keys whose variables are taken as they are, and the names by which others' tools know
/// them. Any other variable is read as TOML, and `0123` as a number.
const VERBATIM: [(&str, Option<&str>); 24] = [
    ("log.level", None),
    ("server.public_url", None),
    ("server.token", None),
    ("server.tokens_file", None),
    ("livekit.url", Some("LIVEKIT_URL")),
    ("livekit.api_key", Some("LIVEKIT_API_KEY")),
    ("livekit.api_secret", Some("LIVEKIT_API_SECRET")),
    ("remote.endpoint", None),
    ("remote.api_key", Some("BROWSERBASE_API_KEY")),
    ("remote.project_id", Some("BROWSERBASE_PROJECT_ID")),
    ("remote.base_url", None),
    ("remote.downloads_dir", None),
    ("notices.webhook_url", None),
    ("notices.webhook_secret", None),
    ("jobs.queue_url", None),
    ("notices.mail_server", None),
    ("notices.mail_from", None),
    (
        "telemetry.otlp_endpoint",
        Some("OTEL_EXPORTER_OTLP_ENDPOINT"),
    ),
    ("telemetry.otlp_headers", Some("OTEL_EXPORTER_OTLP_HEADERS")),
    ("telemetry.sentry_dsn", Some("SENTRY_DSN")),
    ("telemetry.environment", None),
    ("vision.url", None),
    ("vision.model", None),
    ("vision.api_key", None),
];

/// What the rest of a variable's name begins with when it holds a secret to type and no setting.
const SECRET: &str = "SECRET_";

/// Settings that came as flags; they win over file and environment.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--host`: the address of `listen` without its port.
    pub host: Option<IpAddr>,
    /// `--port`: the port of `listen`.
    pub port: Option<u16>,
    /// `--tokens-file`.
    pub tokens_file: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--registry-file`.
    pub registry_file: Option<PathBuf>,
    /// `--screenshots-dir`.
    pub screenshots_dir: Option<PathBuf>,
    /// `--log-dir`.
    pub log_dir: Option<PathBuf>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// Reads the file, if any, and the environment, and applies the flags.
pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Config, Error> {
    let file = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Error::invalid_input(format!("cannot read the config file {}", path.display()))
                .hint("Check the path after --config.")
                .source(error)
        })?,
    };
    let mut environment = Figment::new().merge(
        Env::prefixed("GHOSTCAST_")
            .filter(|key| key.as_str().contains("__") && !key.starts_with(SECRET))
            .split("__"),
    );
    for (key, livekit) in VERBATIM {
        if let Some(given) = text(&variable(key)).or_else(|| text(livekit?)) {
            environment = environment.merge(Serialized::default(key, given));
        }
    }
    let mut config = parse(&file, environment)?;
    if let Some(listen) = flags.listen {
        config.server.listen = listen;
    }
    if let Some(host) = flags.host {
        config.server.listen.set_ip(host);
    }
    if let Some(port) = flags.port {
        config.server.listen.set_port(port);
    }
    if let Some(file) = &flags.tokens_file {
        config.server.tokens_file.clone_from(file);
    }
    if let Some(directory) = &flags.state_dir {
        config.state.directory.clone_from(directory);
    }
    if let Some(directory) = &flags.screenshots_dir {
        config.screenshots.directory.clone_from(directory);
    }
    if let Some(file) = &flags.registry_file {
        config.state.registry_file.clone_from(file);
    }
    if let Some(directory) = &flags.log_dir {
        config.log.directory.clone_from(directory);
    }
    if let Some(format) = flags.log_format {
        config.log.format = format;
    }
    config.secrets = secrets()?;
    config.check()?;
    Ok(config)
}

/// The text of a variable, whatever the case of its name.
fn text(name: &str) -> Option<String> {
    let (_, text) = std::env::vars_os().find(|(given, _)| given.eq_ignore_ascii_case(name))?;
    text.into_string().ok()
}

/// The secrets of the environment, by their labels.
fn secrets() -> Result<BTreeMap<String, Entry>, Error> {
    let prefix = format!("GHOSTCAST_{SECRET}");
    let given = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let label = name.strip_prefix(&prefix)?.to_lowercase();
        let value = value.into_string().ok().filter(|value| !value.is_empty())?;
        let entry = Entry::of_variable(value).map_err(|mut error| {
            error.message = format!("the variable {name} is not valid: {}", error.message).into();
            error
        });
        Some(entry.map(|entry| (label, entry)))
    });
    given.collect()
}

/// Where the user keeps what programs save (XDG Base Directory); the temporary directory for a user
/// without a home.
pub fn data_directory() -> PathBuf {
    user_directory("XDG_DATA_HOME", ".local/share")
}

/// Where the user's programs keep their state (XDG Base Directory), as [`data_directory`].
pub(super) fn state_directory() -> PathBuf {
    user_directory("XDG_STATE_HOME", ".local/state")
}

fn user_directory(variable: &str, in_home: &str) -> PathBuf {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = absolute(variable)
        .or_else(|| Some(absolute("HOME")?.join(in_home)))
        .unwrap_or_else(std::env::temp_dir);
    base.join("ghostcast")
}

/// The user's own directory, if they have one.
pub fn home_directory() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    home.is_absolute().then_some(home)
}

/// Where the user's programs have their settings (XDG Base Directory).
pub fn settings_directory() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let given = given.filter(|given| given.is_absolute());
    given.or_else(|| Some(home_directory()?.join(".config")))
}

/// Who has started the process and wants to be told how it is, as systemd says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// The socket that hears it: a path, or an abstract name after `@`.
    pub socket: OsString,
    /// A sign of life is missed after this time.
    pub watchdog: Option<Duration>,
}

/// The supervisor, if there is one.
pub fn supervisor() -> Option<Supervisor> {
    let socket = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())?;
    // Without a process it is meant for whoever reads it.
    let pid = text("WATCHDOG_PID");
    let is_meant = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let within = text("WATCHDOG_USEC").and_then(|within| within.parse().ok());
    let within = within.filter(|within| is_meant && *within > 0);
    Some(Supervisor {
        socket,
        watchdog: within.map(Duration::from_micros),
    })
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("GHOSTCAST_{}", key.replace('.', "__").to_uppercase())
}

/// Tells of variables that look like settings and are none. One without the double underscore may be meant
/// for somebody else, so it is no error; but whoever sets `GHOSTCAST_TOKEN` must not believe that a token is
/// needed now. Apart from [`load`], since the settings say where it is told.
pub fn warn_of_strays() {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_stray =
            |rest: &str| !rest.contains("__") && rest != "LOG" && !rest.starts_with(SECRET);
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
        let whole = likeness(name, &format!("{section}_{key}"));
        likeness(name, key).max(whole)
    };
    keys.max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .map(|(section, key)| format!("{section}.{key}"))
}

/// Lays `environment` over the TOML text over the defaults.
pub fn parse(toml: &str, environment: Figment) -> Result<Config, Error> {
    Figment::from(Serialized::defaults(Config::default()))
        .merge(Toml::string(toml))
        .merge(environment)
        .extract()
        .map_err(explain)
}

/// The first page of an application, as its profile has it: a TOML file with a `start_url`, at its top or in
/// `[app]`. Whatever else is there is for others. The error's message goes on after the profile's name.
pub fn start_url(profile: &str) -> Result<String, Error> {
    let hint = "It needs a line such as start_url = \"https://shop.example.com/\".";
    let profile = Figment::from(Toml::string(profile));
    // A file that is no TOML has no value at all.
    profile
        .extract::<BTreeMap<String, Value>>()
        .map_err(|error| {
            Error::invalid_input("is not a TOML file")
                .hint(hint)
                .source(error)
        })?;
    ["start_url", "app.start_url"]
        .into_iter()
        .find_map(|key| profile.extract_inner::<String>(key).ok())
        .filter(|url| !url.is_empty())
        .ok_or_else(|| Error::invalid_input("has no start_url").hint(hint))
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
            if first.path.len() <= 1 && meant(name, valid).is_none() =>
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
    fn a_profile_says_where_an_application_starts() {
        for text in [
            "start_url = \"https://a.b/\"\nname = 3",
            "[app]\nstart_url = \"https://a.b/\"\n[other]\nx = [1]",
            "start_url = \"https://a.b/\"\n[app]\nstart_url = \"https://c.d/\"",
        ] {
            assert_eq!(start_url(text).unwrap(), "https://a.b/", "{text}");
        }
        for (text, word) in [
            ("", "no start_url"),
            ("start_url = 3", "no start_url"),
            ("[app]\nurl = \"x\"", "no start_url"),
            ("start_url =", "not a TOML file"),
        ] {
            let error = start_url(text).unwrap_err();
            assert!(error.message.contains(word), "{text}: {error}");
            assert!(error.hint.is_some());
        }
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
}
