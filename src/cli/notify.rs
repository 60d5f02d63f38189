//! What the service tells whoever has started it, as systemd hears it (`sd_notify`): that it is ready, that it
//! ends, how it is, and that it lives. Without a socket to tell it to, nothing is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::config::Supervisor;

/// The status is looked at this often.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// A sign of life comes so many times within the time after which it is missed.
const SIGNS: u32 = 3;

/// Tells the supervisor, if there is one.
#[derive(Debug)]
pub(super) struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says.
    pub(super) fn of(supervisor: Option<Supervisor>) -> Self {
        let Some(supervisor) = supervisor else {
            return Self {
                to: None,
                watchdog: None,
            };
        };
        let to = UnixDatagram::unbound().and_then(|socket| {
            // A supervisor that does not read must not hold up the service.
            socket.set_nonblocking(true)?;
            let name = supervisor.socket.as_bytes();
            let address = match name.strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(&supervisor.socket)?,
            };
            Ok((socket, address))
        });
        let to = to.inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET cannot be used"));
        Self {
            to: to.ok(),
            watchdog: supervisor.watchdog,
        }
    }

    /// It answers.
    pub(super) fn ready(&self, app: &App) {
        self.tell(&format!("READY=1\nSTATUS={}", status(app)));
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Ending.");
    }

    /// Tells how the service is, and that it lives, for as long as it is polled. A sign of life takes the runtime
    /// that answers requests and the list of sessions: where one of them is stuck there is none.
    pub(super) async fn live(&self, app: &App) {
        if self.to.is_none() {
            return std::future::pending().await;
        }
        let sign = self.watchdog.map(|within| within / SIGNS);
        let mut ticks = interval(sign.map_or(STATUS_EVERY, |sign| sign.min(STATUS_EVERY)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = status(app);
        loop {
            ticks.tick().await;
            let now = status(app);
            if sign.is_some() {
                self.tell("WATCHDOG=1");
            }
            if told != now {
                self.tell(&format!("STATUS={now}"));
                told = now;
            }
        }
    }

    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            tracing::debug!(%error, what, "the supervisor could not be told");
        }
    }
}

/// How the service is, in one line.
fn status(app: &App) -> String {
    let (address, sessions) = (app.address(), app.manager().records().len());
    let sessions = match sessions {
        1 => "1 session".to_owned(),
        sessions => format!("{sessions} sessions"),
    };
    format!("Serving {sessions} at http://{address}/")
}
