//! Connections: a user logs in once, by hand, in a browser of the service's, and the profile keeps it.
//! The service never sees a password.

use serde::Serialize;
use utoipa::ToSchema;

use super::Jobs;
use super::attempt::tell;
use super::lease::Lease;
use super::login;
use super::news::UserEvent;
use super::people::go_to;
use super::site::Site;
use crate::config::Platform;
use crate::error::Error;
use crate::model::ids::{CONNECTION, action_id};
use crate::model::{
    Connection, ConnectionStatus, Job, JobError, JobErrorKind, Queue, Seen, SessionName,
    SessionSpec, UnixTime, VerifyOutcome,
};
use crate::session::SessionHandle;
use crate::store::{KeptConnection, Lookup};

/// Longest name of a user, characters.
const USER_CHARS_MAX: usize = 128;
/// Connections of one user to one platform.
const ALIKE_MAX: usize = 16;

/// A connection that was begun, and the session in which its user logs in.
#[derive(Debug)]
pub struct Started {
    /// The connection.
    pub connection: Connection,
    /// The session, on the platform's page.
    pub handle: SessionHandle,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Verified {
    /// In a word.
    pub outcome: VerifyOutcome,
    /// How the connection stands now.
    pub status: ConnectionStatus,
    /// For the user.
    pub message: String,
}

/// A platform that users can connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlatformName {
    /// As the settings and all calls name it.
    #[schema(example = "youtube")]
    pub name: String,
    /// As people call it.
    #[schema(example = "YouTube")]
    pub label: String,
}

/// The session whose profile holds a login.
pub(super) fn session_name(connection_id: &str) -> Result<SessionName, Error> {
    SessionName::parse(&format!("{CONNECTION}{connection_id}"))
}

/// A user as their programs call them.
pub(super) fn check_user(user_id: &str) -> Result<(), Error> {
    let length = user_id.chars().count();
    match (1..=USER_CHARS_MAX).contains(&length) && !user_id.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(Error::invalid_input("user_id is not valid").hint(format!(
            "Use 1 to {USER_CHARS_MAX} characters without control characters."
        ))),
    }
}

fn no_connection(connection_id: &str) -> Error {
    let shown: String = connection_id.chars().take(64).collect();
    Error::not_found(format!("no connection has the id \"{shown}\""))
        .hint("List them by GET /connections, or make one by POST /connections.")
}

impl Jobs {
    /// Begins a connection: a session of its own opens the platform's page, and waits for its user.
    pub async fn connect(&self, user_id: &str, platform_name: &str) -> Result<Started, Error> {
        check_user(user_id)?;
        let platform = self.platform(platform_name)?;
        let alike = self.connections_of(user_id, platform_name).await?;
        let alike = alike.iter();
        let alike = alike.filter(|one| one.status != ConnectionStatus::Expired);
        if alike.count() >= ALIKE_MAX {
            return Err(Error::exhausted(format!(
                "the user has {ALIKE_MAX} connections to {} already",
                platform.label
            ))
            .hint(
                "Delete one of them, or let the user log in by POST /connections/{id}/takeover.",
            ));
        }
        let (id, now) = (action_id(), UnixTime::now());
        let name = session_name(&id)?;
        let connection = Connection {
            connection_id: id,
            user_id: user_id.to_owned(),
            platform: platform_name.to_owned(),
            browserbase_session_id: Some(name.as_str().to_owned()),
            status: ConnectionStatus::AwaitingAuth,
            last_used_at: now.to_iso8601(),
            verified_at: None,
        };
        let kept = KeptConnection {
            connection: connection.clone(),
            created_at: now,
            last_used_at: now,
            verified_at: None,
            pinged_at: None,
        };
        self.0.registry.put_connection(kept).await?;
        match self.open_for_person(&name, &platform).await {
            Ok(handle) => Ok(Started { connection, handle }),
            Err(error) => {
                // Nobody knows of it yet.
                let _ = self.disconnect(&connection.connection_id).await;
                Err(error)
            }
        }
    }

    /// The session in which a user logs in, on the platform's page.
    async fn open_for_person(
        &self,
        name: &SessionName,
        platform: &Platform,
    ) -> Result<SessionHandle, Error> {
        let spec = self.spec(name, platform, "profile")?;
        self.open_at(name, spec, platform.login_url()).await
    }

    /// A session for a person, on a page.
    pub(super) async fn open_at(
        &self,
        name: &SessionName,
        mut spec: SessionSpec,
        url: &str,
    ) -> Result<SessionHandle, Error> {
        let _held = self.0.leases.take_soon(name.as_str()).await?;
        spec.initial_url = Some(url.to_owned());
        let opened = self.0.manager.open(spec).await?;
        if opened.is_reused && !opened.handle.wheel().status().is_humans() {
            // It came back where it was last; whoever comes begins where something is to be done.
            go_to(&opened.handle, url).await;
        }
        Ok(opened.handle)
    }

    /// Opens the session of a connection for its user, to log in again or for the first time.
    pub async fn reconnect(&self, connection_id: &str) -> Result<Started, Error> {
        let kept = self.kept(connection_id).await?;
        let platform = self.platform(&kept.connection.platform)?;
        let name = session_name(connection_id)?;
        let handle = self.open_for_person(&name, &platform).await?;
        self.begin_login(connection_id).await?;
        let connection = kept.connection;
        Ok(Started { connection, handle })
    }

    /// The connection of that id.
    pub async fn connection(&self, connection_id: &str) -> Result<Connection, Error> {
        Ok(self.kept(connection_id).await?.connection)
    }

    pub(super) async fn kept(&self, connection_id: &str) -> Result<KeptConnection, Error> {
        let kept = self.0.registry.connection(connection_id).await?;
        kept.ok_or_else(|| no_connection(connection_id))
    }

    /// Connections, the newest first.
    pub async fn connections(&self, wanted: Lookup) -> Result<Vec<Connection>, Error> {
        let kept = self.0.registry.connections(wanted).await?;
        Ok(kept.into_iter().map(|kept| kept.connection).collect())
    }

    /// The platforms that users can connect, by name.
    pub fn platforms(&self) -> Vec<PlatformName> {
        let config = self.config();
        let named = config.platforms.0.keys().map(|name| PlatformName {
            name: name.clone(),
            label: self.label(name),
        });
        named.collect()
    }

    /// A login that was not used for this long expires, days.
    pub fn expire_after_days(&self) -> f64 {
        self.config().connections.expire_after_days
    }

    async fn connections_of(&self, user: &str, platform: &str) -> Result<Vec<Connection>, Error> {
        self.connections(Lookup {
            user_id: Some(user.to_owned()),
            platform: Some(platform.to_owned()),
            status: None,
        })
        .await
    }

    /// The connection by which a user's work on a platform is done, or why there is none.
    pub(super) async fn lookup(
        &self,
        user_id: &str,
        platform: &Platform,
        name: &str,
    ) -> Result<Connection, JobError> {
        let found = self.connections_of(user_id, name).await?;
        let of = |status| found.iter().find(|it| it.status == status);
        if let Some(active) = of(ConnectionStatus::Active) {
            return Ok(active.clone());
        }
        let label = &platform.label;
        let (kind, message) = if of(ConnectionStatus::LoggedOut).is_some() {
            (
                JobErrorKind::LoggedOut,
                format!("{label} has logged the user out: they have to log in again."),
            )
        } else if of(ConnectionStatus::Expired).is_some() {
            (
                JobErrorKind::SessionExpired,
                format!("The login to {label} has expired: the user has to connect again."),
            )
        } else {
            (
                JobErrorKind::NoActiveConnection,
                format!("{label} is not connected: the user has to log in first."),
            )
        };
        Err(JobError { kind, message })
    }

    /// Notes that a login was used by a job.
    pub(super) async fn note_use(&self, connection_id: &str) {
        let used = self
            .0
            .registry
            .change_connection(connection_id, |kept| kept.last_used_at = UnixTime::now());
        // The registry has told of it, and the next use notes it again.
        let _ = used.await;
    }

    /// Sees whether a connection's login is there, unless a job works with it.
    pub async fn verify(&self, connection_id: &str) -> Result<Verified, Error> {
        let kept = self.kept(connection_id).await?;
        if let Some(verified) = self.verified_by_hand(connection_id).await {
            return Ok(verified);
        }
        let name = session_name(connection_id)?;
        drop(self.0.leases.take_soon(name.as_str()).await?);
        self.look_at(kept).await
    }

    /// Sees whether a connection's login is there, once nobody else works with it.
    pub(super) async fn look_at(&self, kept: KeptConnection) -> Result<Verified, Error> {
        let connection_id = kept.connection.connection_id.as_str();
        let (seen, why) = match self.platform(&kept.connection.platform) {
            Ok(platform) => self.see(&kept, &platform).await,
            // It was taken out of the settings.
            Err(error) => (Seen::Unreachable, Some(JobError::from(error).message)),
        };
        let status = self.learn(connection_id, seen, true).await?;
        let label = self.label(&kept.connection.platform);
        let mut outcome = VerifyOutcome::of(seen);
        // Who was never seen logged in is not logged in, where a platform says nothing else.
        if seen == Seen::Neither && status == ConnectionStatus::AwaitingAuth {
            outcome = VerifyOutcome::NotLoggedIn;
        }
        let message = match outcome {
            VerifyOutcome::LoggedIn => format!("{label} is connected."),
            VerifyOutcome::NotLoggedIn => format!(
                "You are not logged in to {label} yet. Open the link, log in there, and verify once more."
            ),
            VerifyOutcome::SessionExpired => {
                format!("Your login to {label} has expired. Connect {label} again.")
            }
            VerifyOutcome::Error => {
                let why = why.unwrap_or_else(|| {
                    "its page shows neither a login nor that one is asked for".to_owned()
                });
                format!("It could not be found out whether you are logged in to {label}: {why}")
            }
        };
        Ok(Verified {
            outcome,
            status,
            message,
        })
    }

    /// Whether a connection's login is there, and why that is not known.
    async fn see(&self, kept: &KeptConnection, platform: &Platform) -> (Seen, Option<String>) {
        match self.lease_of(&kept.connection, platform, None).await {
            Ok(lease) => {
                let seen = login::visit(&lease.handle, platform).await;
                // Who has still to log in goes on in the session that is there.
                let is_there = kept.connection.status == ConnectionStatus::Active;
                match seen {
                    Ok(Seen::LoggedIn) => lease.put_away().await,
                    Ok(Seen::LoginPage) => lease.leave(),
                    _ if is_there => lease.put_away().await,
                    _ => lease.leave(),
                }
                match seen {
                    Ok(seen) => (seen, None),
                    Err(error) => (Seen::Unreachable, Some(error.message)),
                }
            }
            Err(error) if error.kind == JobErrorKind::SessionExpired => (Seen::Gone, None),
            Err(error) => (Seen::Unreachable, Some(error.message)),
        }
    }

    /// A session on a connection's profile, which has to be there.
    pub(super) async fn lease_of(
        &self,
        connection: &Connection,
        platform: &Platform,
        at: Option<&Site>,
    ) -> Result<Lease, JobError> {
        let name = session_name(&connection.connection_id)?;
        if !self.0.registry.profile(&name).is_dir() {
            return Err(JobError {
                kind: JobErrorKind::SessionExpired,
                message: format!(
                    "The login to {} is gone: the user has to connect again.",
                    platform.label
                ),
            });
        }
        let lease = self.lease(&name, platform, false, at).await?;
        // It may have been deleted while this waited for it.
        let there = self.0.registry.connection(&connection.connection_id).await;
        if matches!(there, Ok(None)) {
            let _ = self.0.manager.close(name.as_str()).await;
            let _ = self.0.manager.delete_profile(&name).await;
            lease.leave();
            return Err(JobError {
                kind: JobErrorKind::SessionNotFound,
                message: "The connection is not there any more.".to_owned(),
            });
        }
        Ok(lease)
    }

    /// Takes what was seen of a login: the connection stands as it does then, its user is told, and what has
    /// waited for it goes on. Answers how it stands.
    pub(super) async fn learn(
        &self,
        connection_id: &str,
        seen: Seen,
        is_verification: bool,
    ) -> Result<ConnectionStatus, Error> {
        let now = UnixTime::now();
        let is_there = seen == Seen::LoggedIn;
        let change = move |kept: &mut KeptConnection| {
            kept.connection.status = kept.connection.status.after(seen);
            if is_verification && is_there {
                kept.verified_at = Some(now);
                kept.last_used_at = now;
            }
        };
        let queue = &self.0.queue;
        let teller = self.teller(now);
        let notices = move |connection: &Connection| teller.lost(connection);
        let learned = queue.learn_connection(connection_id, is_there, now, change, notices);
        let Some((before, after, released)) = learned.await? else {
            return Err(no_connection(connection_id));
        };
        self.go_on(&released);
        let (was, is) = (before.connection.status, after.connection.status);
        if was != is {
            tracing::info!(
                connection_id,
                platform = after.connection.platform,
                was = was.as_str(),
                is = is.as_str(),
                "connection"
            );
            self.tell_of(&after.connection);
            self.wake(Queue::Notices);
        }
        Ok(is)
    }

    fn tell_of(&self, connection: &Connection) {
        let reason = match connection.status {
            ConnectionStatus::Active => {
                let event = UserEvent::ConnectionActive {
                    connection_id: connection.connection_id.clone(),
                    platform: connection.platform.clone(),
                };
                return self.0.news.user(&connection.user_id, event);
            }
            ConnectionStatus::AwaitingAuth => return,
            ConnectionStatus::Expired => "the login has expired: connect again",
            ConnectionStatus::LoggedOut => "the platform has logged out: log in again",
        };
        self.lost(connection, reason);
    }

    /// Tells a user that a login of theirs is good no more.
    fn lost(&self, connection: &Connection, reason: &str) {
        let event = UserEvent::ConnectionLost {
            connection_id: connection.connection_id.clone(),
            platform: connection.platform.clone(),
            reason: reason.to_owned(),
        };
        self.0.news.user(&connection.user_id, event);
    }

    /// Tells of what has waited for a login and goes on.
    pub(super) fn go_on(&self, released: &[Job]) {
        for job in released {
            self.0.news.job(job);
        }
        if !released.is_empty() {
            tracing::info!(count = released.len(), "jobs go on that waited for a login");
            self.wake(Queue::Automation);
        }
    }

    /// Forgets a connection, and deletes its profile; not while a job works with it.
    pub async fn disconnect(&self, connection_id: &str) -> Result<Connection, Error> {
        let kept = self.kept(connection_id).await?;
        let name = session_name(connection_id)?;
        let held = self.0.leases.take_soon(name.as_str()).await?;
        let jobs = self.clone();
        // By a task of its own: what has begun to be deleted is deleted.
        let deleting = self.0.tracker.spawn(async move {
            jobs.delete(&kept.connection, &name).await?;
            drop(held);
            Ok(kept.connection)
        });
        deleting.await.unwrap_or_else(|error| {
            Err(Error::internal("the connection's deletion broke").source(error))
        })
    }

    async fn delete(&self, connection: &Connection, name: &SessionName) -> Result<(), Error> {
        // One that is not there is closed.
        if let Err(error) = self.0.manager.close(name.as_str()).await
            && error.kind != crate::error::ErrorKind::NotFound
        {
            return Err(error);
        }
        self.0.manager.delete_profile(name).await?;
        let why = JobError {
            kind: JobErrorKind::SessionNotFound,
            message: "The job's connection was deleted.".to_owned(),
        };
        let id = &connection.connection_id;
        let queue = &self.0.queue;
        let now = UnixTime::now();
        let teller = self.teller(now);
        let notices = move |job: &Job| teller.failed(job);
        let failed = queue
            .remove_connection(id, now, why.clone(), notices)
            .await?;
        for job in &failed {
            tell(job, "failed", &why);
            self.0.news.job(job);
        }
        self.wake(Queue::Notices);
        self.lost(connection, "it was deleted");
        Ok(())
    }
}
