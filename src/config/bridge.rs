//! A process of the operator's that does work for jobs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Config, Flags};
use crate::error::Error;

/// A framed worker that is kept running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bridge {
    /// Its program and what that is given; empty for none.
    pub command: Vec<String>,
    /// A call takes this long at most, milliseconds.
    pub timeout_ms: u64,
}

impl Default for Bridge {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            timeout_ms: 60_000,
        }
    }
}

impl Bridge {
    /// How long a call takes at most.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Whether the command is a `ghostcast worker` that has its work done by the service whose settings are these: that
    /// would wait for itself. What is behind a shell or another program cannot be known.
    pub(super) fn is_of(&self, config: &Config) -> bool {
        let Some((program, arguments)) = self.command.split_first() else {
            return false;
        };
        let file_name = |path: &Path| path.file_name().map(ToOwned::to_owned);
        let own = std::env::current_exe().ok();
        let own = own.as_deref().and_then(file_name);
        let is_ours = own.is_some() && file_name(Path::new(program)) == own;
        if !is_ours || !arguments.iter().any(|it| it == "worker") {
            return false;
        }
        if let Some(url) = option(arguments, "--service") {
            return leads_to(url, config.server.listen);
        }
        let read = |file: Option<&Path>| super::load(file, &Flags::default());
        let state = match (
            option(arguments, "--state-dir"),
            option(arguments, "--config"),
        ) {
            (Some(directory), _) => PathBuf::from(directory),
            // What it cannot read it says itself.
            (None, file) => match read(file.map(Path::new)) {
                Ok(read) => read.state.place(),
                Err(_) => return false,
            },
        };
        let spelled = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        spelled(&state) == spelled(&config.state.place())
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.command.first().is_some_and(String::is_empty) {
            return Err(Error::invalid_input("bridge.command names no program")
                .hint("Write it as [\"program\", \"argument\"], or leave it empty."));
        }
        match (100..=600_000).contains(&self.timeout_ms) {
            true => Ok(()),
            false => Err(Error::invalid_input("bridge.timeout_ms is out of range")
                .hint("Use 100 to 600000 milliseconds.")),
        }
    }
}

impl Config {
    /// The process that does work for jobs does not have it done by jobs of this service.
    pub fn must_not_wait_for_itself(&self) -> Result<(), Error> {
        match self.bridge.is_of(self) {
            false => Ok(()),
            true => Err(Error::invalid_input(
                "bridge.command is a worker that has its work done by this very service: it would wait for itself",
            )
            .hint(
                "Name another service to it, with --state-dir or --service, or leave bridge.command empty: jobs do \
                 such work by themselves.",
            )),
        }
    }
}

/// The value of an option on a command line.
fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix(name) {
            Some("") => return rest.next().map(String::as_str),
            Some(value) if value.starts_with('=') => return Some(&value[1..]),
            _ => (),
        }
    }
    None
}

/// Whether a URL is that of the service that listens there, as far as that can be seen.
fn leads_to(url: &str, listen: SocketAddr) -> bool {
    let Ok(url) = url::Url::parse(url) else {
        return false;
    };
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || listen.ip() == ip,
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || listen.ip() == ip,
        None => false,
    };
    is_here && url.port_or_known_default() == Some(listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_the_same_service_is_known() {
        let own = std::env::current_exe().unwrap();
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 8765));
        config.state.directory = "/srv/ghostcast".into();
        let is_of = |program: &Path, arguments: &[&str]| {
            let program = program.display().to_string();
            let arguments = arguments.iter().map(|it| (*it).to_owned());
            let command = std::iter::once(program).chain(arguments).collect();
            let bridge = Bridge {
                command,
                ..Bridge::default()
            };
            bridge.is_of(&config)
        };
        for (arguments, is_same) in [
            (&["worker", "--state-dir", "/srv/ghostcast"][..], true),
            (&["worker", "--state-dir=/srv/ghostcast"], true),
            (&["worker", "--state-dir", "/srv/other"], false),
            (&["worker", "--service", "http://127.0.0.1:8765"], true),
            (&["worker", "--service=http://localhost:8765/"], true),
            (&["worker", "--service", "http://127.0.0.1:9000"], false),
            (&["worker", "--service", "https://other.example"], false),
            (&["worker", "--config", "/nowhere/ghostcast.toml"], false),
            (&["serve"], false),
        ] {
            assert_eq!(is_of(&own, arguments), is_same, "{arguments:?}");
        }
        let other = Path::new("/usr/bin/python3");
        assert!(!is_of(other, &["worker", "--state-dir", "/srv/ghostcast"]));
    }
}
