//! The flags that settings have: those of `serve`, by which the other verbs about the service find it too.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::config::{self, Config, Flags, LogFormat};
use crate::error::Error;

/// Where settings come from.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ConfigFile {
    /// The configuration file; see deploy/config.example.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where the service listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Address {
    /// Where to listen; any address that is not loopback needs server.token.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with_all = ["host", "port"])]
    listen: Option<SocketAddr>,
    /// The address to listen on: an IP address, or localhost.
    #[arg(long, value_name = "ADDRESS", value_parser = host)]
    host: Option<IpAddr>,
    /// The port to listen on.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// Every setting that has a flag.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Settings {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    address: Address,
    /// A file of tokens that open the service, one a line: LABEL SCOPE TOKEN.
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    /// Where the registry and the profiles of sessions with a name lie.
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// Where screenshots are saved that are asked for by a file's name.
    #[arg(long, value_name = "DIRECTORY")]
    screenshots_dir: Option<PathBuf>,
    /// A JSON file that shows the registry to other programs.
    #[arg(long, value_name = "FILE")]
    registry_file: Option<PathBuf>,
    /// Where log files lie; in the background they lie in the state directory if nobody says where.
    #[arg(long, value_name = "DIRECTORY")]
    log_dir: Option<PathBuf>,
    /// How a line of the log is written: text or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl ConfigFile {
    /// The file, if one was given.
    pub(super) fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// All settings, where `address` wins over the file and the environment.
    pub(super) fn load(&self, address: &Address) -> Result<Config, Error> {
        self.load_with(&address.flags())
    }

    fn load_with(&self, flags: &Flags) -> Result<Config, Error> {
        config::load(self.config.as_deref(), flags)
    }
}

impl Address {
    /// Whether any of it was given.
    pub(super) fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// The same as arguments of a command line.
    pub(super) fn arguments(&self) -> Vec<String> {
        let listen = self.listen.map(|listen| listen.to_string());
        let host = self.host.map(|host| host.to_string());
        let port = self.port.map(|port| port.to_string());
        [("--listen", listen), ("--host", host), ("--port", port)]
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .flatten()
            .collect()
    }

    fn flags(&self) -> Flags {
        Flags {
            listen: self.listen,
            host: self.host,
            port: self.port,
            ..Flags::default()
        }
    }

    /// These, and where they say nothing, `others`.
    fn or(self, others: Self) -> Self {
        match (self.listen, others.listen) {
            (Some(_), _) => self,
            (None, Some(listen)) => Self {
                listen: Some(SocketAddr::new(
                    self.host.unwrap_or(listen.ip()),
                    self.port.unwrap_or(listen.port()),
                )),
                ..Self::default()
            },
            (None, None) => Self {
                host: self.host.or(others.host),
                port: self.port.or(others.port),
                listen: None,
            },
        }
    }
}

impl Settings {
    /// All settings, where these win over the file and the environment.
    pub(super) fn load(&self) -> Result<Config, Error> {
        self.file.load_with(&Flags {
            tokens_file: self.tokens_file.clone(),
            state_dir: self.state_dir.clone(),
            screenshots_dir: self.screenshots_dir.clone(),
            registry_file: self.registry_file.clone(),
            log_dir: self.log_dir.clone(),
            log_format: self.log_format,
            ..self.address.flags()
        })
    }

    /// Where the caller says that the service listens.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// These, and where they say nothing, `others`.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            file: ConfigFile {
                config: self.file.config.or(others.file.config),
            },
            address: self.address.or(others.address),
            tokens_file: self.tokens_file.or(others.tokens_file),
            state_dir: self.state_dir.or(others.state_dir),
            screenshots_dir: self.screenshots_dir.or(others.screenshots_dir),
            registry_file: self.registry_file.or(others.registry_file),
            log_dir: self.log_dir.or(others.log_dir),
            log_format: self.log_format.or(others.log_format),
        }
    }

    /// The same as arguments of a command line that means the same wherever it is given.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let paths = [
            ("--config", &self.file.config),
            ("--tokens-file", &self.tokens_file),
            ("--state-dir", &self.state_dir),
            ("--screenshots-dir", &self.screenshots_dir),
            ("--registry-file", &self.registry_file),
            ("--log-dir", &self.log_dir),
        ];
        let format = self
            .log_format
            .map(|format| ["--log-format", format.as_str()]);
        let paths = paths.into_iter().filter_map(|(flag, path)| {
            let path = path.as_deref()?;
            Some((flag, absolute(path).into_os_string()))
        });
        let paths = paths.flat_map(|(flag, value)| [OsString::from(flag), value]);
        let format = format.into_iter().flatten().map(OsString::from);
        let address = self.address.arguments().into_iter().map(OsString::from);
        paths.chain(address).chain(format).collect()
    }
}

/// The path as it is called from everywhere; as it came where that cannot be known.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// An address to listen on. Other names than localhost may stand for several.
fn host(text: &str) -> Result<IpAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match bare.unwrap_or(text) {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text
            .parse()
            .map_err(|_| "write an IP address, such as 127.0.0.1 or ::1, or localhost".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(words: &[&str]) -> Settings {
        let line = Line::try_parse_from(["x"].iter().chain(words));
        line.expect("it is a command line").settings
    }

    fn listens(settings: &Settings) -> String {
        let mut config = Config::default();
        let flags = settings.address.flags();
        config.server.listen = flags.listen.unwrap_or(config.server.listen);
        flags
            .host
            .into_iter()
            .for_each(|ip| config.server.listen.set_ip(ip));
        flags
            .port
            .into_iter()
            .for_each(|port| config.server.listen.set_port(port));
        config.server.listen.to_string()
    }

    #[test]
    fn an_address_is_given_whole_or_in_parts() {
        for (words, address) in [
            (&[][..], "127.0.0.1:8765"),
            (&["--port", "9000"], "127.0.0.1:9000"),
            (&["--host", "localhost"], "127.0.0.1:8765"),
            (&["--host", "::1", "--port", "1"], "[::1]:1"),
            (&["--host", "[::1]"], "[::1]:8765"),
            (&["--listen", "127.0.0.2:2"], "127.0.0.2:2"),
        ] {
            assert_eq!(listens(&parse(words)), address, "{words:?}");
        }
        for words in [
            &["--host", "example.com"][..],
            &["--port", "99999"],
            &["--listen", "127.0.0.1:1", "--port", "2"],
            &["--log-format", "xml"],
        ] {
            let line = Line::try_parse_from(["x"].iter().chain(words));
            assert!(line.is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_is_given_now_wins_over_what_was_given_then() {
        let then = || {
            parse(&[
                "--listen",
                "127.0.0.2:2",
                "--state-dir",
                "/a",
                "--log-dir",
                "/b",
            ])
        };
        let now = parse(&["--port", "3", "--log-dir", "/c"]).or(then());
        assert_eq!(listens(&now), "127.0.0.2:3");
        assert_eq!(now.state_dir.as_deref(), Some(Path::new("/a")));
        assert_eq!(now.log_dir.as_deref(), Some(Path::new("/c")));
        let now = parse(&["--listen", "127.0.0.1:4"]).or(then());
        assert_eq!(listens(&now), "127.0.0.1:4");
        let now = parse(&["--host", "127.0.0.3"]).or(parse(&["--port", "5"]));
        assert_eq!(listens(&now), "127.0.0.3:5");
    }

    #[test]
    fn arguments_mean_the_same_everywhere() {
        let words =
            parse(&["--state-dir", "here", "--port", "5", "--log-format", "json"]).arguments();
        let here = absolute(Path::new("here"));
        assert!(here.is_absolute());
        assert_eq!(
            words,
            [
                "--state-dir".into(),
                here.into_os_string(),
                "--port".into(),
                "5".into(),
                "--log-format".into(),
                OsString::from("json")
            ]
        );
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(parse(&words).arguments().len(), words.len());
    }
}
