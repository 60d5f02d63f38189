//! A Ghostcast that runs already, as other verbs find it; and the verbs that start it in the background,
//! end it and tell of it.

mod cleanup;
mod drain;
mod logs;
pub(super) mod pidfile;
mod processes;
mod resources;
mod start;
mod status;
mod stop;
mod tail;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::pidfile::Found;
use super::client::Client;
use super::settings::absolute;
use super::{Settings, log};
use crate::config::Config;
use crate::error::Error;

pub(super) use self::cleanup::Options as Cleanup;
pub(super) use self::drain::Options as Drain;
pub(super) use self::logs::Options as Logs;
pub(super) use self::start::{Restart, Start};
pub(super) use self::status::Options as Status;
pub(super) use self::stop::Options as Stop;
pub(super) use self::{
    cleanup::name_of, cleanup::run as clean_up, drain::run as drain, logs::run as print_logs,
    start::restart, start::run as start, status::run as tell, stop::run as stop,
};

/// Longest wait for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Where to reach what listens there: nobody can connect to "any address".
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether what listens there answers `/health` as Ghostcast does.
pub(super) async fn answers(listen: SocketAddr) -> bool {
    let ask = async {
        let mut socket = TcpStream::connect(reachable(listen)).await?;
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.take(16 * 1024).read_to_string(&mut answer).await?;
        Ok::<String, io::Error>(answer)
    };
    matches!(timeout(ANSWER_WITHIN, ask).await, Ok(Ok(answer)) if answer.contains("\"version\""))
}

/// The service that the flags of a verb mean.
pub(super) struct Place {
    config: Config,
    /// The state directory.
    state: PathBuf,
    /// Where its log files lie.
    logs: PathBuf,
    /// Whether the flags say where it listens.
    is_addressed: bool,
    found: Found,
}

impl Place {
    /// Reads the settings and looks who serves.
    pub(super) fn of(settings: &Settings) -> Result<Self, Error> {
        let config = settings.load()?;
        let state = absolute(&config.state.place());
        let found = look(&state)?;
        // Those of a service that was started with a place of its own for them.
        let told = match &found {
            Found::Running(note) => note.log_dir.clone(),
            Found::Stale(stale) => stale.note.as_ref().and_then(|note| note.log_dir.clone()),
            Found::Nobody | Found::Elsewhere => None,
        };
        let logs = match told {
            Some(told) if !config.log.is_placed() => told,
            _ => absolute(&config.log.place(&config.state)),
        };
        Ok(Self {
            config,
            state,
            logs,
            is_addressed: settings.address().is_given(),
            found,
        })
    }

    /// Where the service listens, or shall.
    fn address(&self) -> SocketAddr {
        match &self.found {
            Found::Running(note) if !self.is_addressed => note.address,
            _ => None,
        }
        .unwrap_or(self.config.server.listen)
    }

    /// Whether a service runs on the state directory.
    pub(super) const fn is_served(&self) -> bool {
        matches!(self.found, Found::Running(_))
    }

    /// The settings, and the state directory.
    pub(super) fn into_settings(self) -> (Config, PathBuf) {
        (self.config, self.state)
    }

    /// A client of the service, or of the one at `url`.
    pub(super) fn client(&self, url: Option<&str>) -> Result<Client, Error> {
        let token = self.config.server.own_token();
        match url {
            Some(url) => Client::new(url, token),
            None => Client::new(&url_of(self.address()), token),
        }
    }

    /// Notes what a verb does; one that is not what the verb is for may go without.
    fn note(&self) -> Result<log::Logging, Error> {
        log::of_verb(&self.config, &self.logs)
    }
}

/// Looks who serves a state directory.
fn look(state: &std::path::Path) -> Result<Found, Error> {
    pidfile::look(state).map_err(|error| {
        let path = pidfile::path(state);
        Error::unavailable(format!("cannot read {}: {error}", path.display()))
            .hint("Are you the user whom the service runs as?")
            .source(error)
    })
}

/// The URL by which what listens there is reached.
fn url_of(listen: SocketAddr) -> String {
    format!("http://{}", reachable(listen))
}

/// Prints a line. Whoever has read enough has hung up, which is no error.
pub(super) fn say(text: impl AsRef<str>) -> Result<(), Error> {
    print(text.as_ref()).map(drop)
}

/// Prints a line; answers whether somebody reads.
fn print(text: &str) -> Result<bool, Error> {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::internal("cannot write").source(error)),
    }
}
