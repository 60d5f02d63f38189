//! Work in a session that whoever asks for it names by `session_id`: that of a
//! connection, or another one that is kept, in which somebody has logged in.
//!
//! A session of the caller's is used as it is: it is started when it does not run, and put to rest again then.

use serde_json::{Value, json};

use super::Jobs;
use super::lease::Lease;
use super::login;
use super::notes::check_url;
use super::order::JobOrder;
use crate::config::Platform;
use crate::error::Error;
use crate::model::command::ActionRequest;
use crate::model::ids::{CONNECTION, is_services};
use crate::model::{Job, JobError, JobErrorKind, JobKind, Seen, SessionName};

/// The name of the session among a job's arguments.
pub(super) const SESSION: &str = "session_id";

/// The session of its caller's that a job works in.
pub(super) fn session_of(job: &Job) -> Option<&str> {
    match job.kind.takes_login() && job.connection_id.is_none() {
        true => job.args.get(SESSION)?.as_str(),
        false => None,
    }
}

impl Jobs {
    /// What an order means by its session: a connection, or a session on a platform, which is that of the address it
    /// is for where it names none.
    pub(super) async fn placed(&self, mut order: JobOrder) -> Result<JobOrder, Error> {
        if !order.kind.takes_login() || !order.args.contains_key(SESSION) {
            return Ok(order);
        }
        let session = order.must_have(SESSION)?;
        if order.connection.is_some() {
            return Err(Error::invalid_input(
                "a job has a connection or a session_id, and not both",
            )
            .hint("Leave session_id out: it is the connection's."));
        }
        let address = order.text("video_url").or_else(|| order.text("url"));
        let id = session.strip_prefix(CONNECTION).unwrap_or(&session);
        if let Some(kept) = self.0.registry.connection(id).await? {
            if let Some(address) = address {
                check_url(&address, &self.platform(&kept.connection.platform)?)?;
            }
            order.connection = Some(kept.connection.connection_id);
            return Ok(order);
        }
        if is_services(&session) {
            return Err(Error::not_found("no connection has that session")
                .hint("List them by GET /connections."));
        }
        let is_given = order.args.contains_key("platform") || order.kind == JobKind::KeepAlive;
        let is_told = order.kind == JobKind::CheckLogin && order.args.contains_key("selector");
        if !is_given && !is_told {
            let platform = self.platform_of(address.as_deref().unwrap_or_default())?;
            order.args.insert("platform".to_owned(), platform.into());
        }
        Ok(order)
    }

    /// The platform of an address.
    fn platform_of(&self, address: &str) -> Result<String, Error> {
        let config = self.config();
        let mut all = config.platforms.0.iter();
        let found = all.find(|(_, platform)| check_url(address, platform).is_ok());
        found.map(|(name, _)| name.clone()).ok_or_else(|| {
            let shown: String = address.chars().take(128).collect();
            let known: Vec<&str> = config.platforms.0.keys().map(String::as_str).collect();
            Error::not_found(format!(
                "\"{shown}\" is an address of no platform that is set"
            ))
            .hint(format!(
                "There are {}. Further ones are set as [platforms.NAME].",
                known.join(", ")
            ))
        })
    }

    /// The session that a job names.
    pub(super) async fn lease_within(&self, job: &Job) -> Result<Lease, JobError> {
        let missing = || JobError {
            kind: JobErrorKind::SessionNotFound,
            message: format!(
                "No session is kept by the name \"{}\".",
                session_of(job).unwrap_or_default()
            ),
        };
        let name = session_of(job).and_then(|name| SessionName::parse(name).ok());
        let name = name.ok_or_else(missing)?;
        let record = self.0.manager.record(name.as_str());
        let is_kept = record.is_ok_and(|record| record.session_name.as_ref() == Some(&name));
        match is_kept {
            true => self.lease_named(&name).await,
            false => Err(missing()),
        }
    }

    /// Visits a page in the session that a job names: whether somebody is logged in there, or that it lives.
    pub(super) async fn visit_within(&self, job: &Job) -> Result<Value, JobError> {
        let lease = self.lease_within(job).await?;
        let seen = match job.kind {
            JobKind::CheckLogin => self.seen_within(job, &lease).await,
            _ => touched(&lease).await,
        };
        lease.put_away().await;
        seen
    }

    async fn seen_within(&self, job: &Job, lease: &Lease) -> Result<Value, JobError> {
        let text = |name: &str| job.args.get(name).and_then(Value::as_str);
        let mut platform = match &job.platform {
            Some(name) => self.platform(name)?,
            None => Platform::default(),
        };
        let url = text("url").unwrap_or(&platform.url).to_owned();
        if url.is_empty() {
            return Err(JobError {
                kind: JobErrorKind::InvalidInput,
                message: "The job's args lack \"url\": where it is looked.".to_owned(),
            });
        }
        platform.url = url;
        if let Some(selector) = text("selector") {
            selector.clone_into(&mut platform.logged_in);
        }
        let seen = login::visit(&lease.handle, &platform).await?;
        Ok(json!({
            "logged_in": seen == Seen::LoggedIn,
            "outcome": match seen {
                Seen::LoggedIn => "logged_in",
                _ => "not_logged_in",
            },
        }))
    }
}

/// Goes to the page that a session shows, anew.
async fn touched(lease: &Lease) -> Result<Value, JobError> {
    let url = lease.handle.record().current_url;
    if url.starts_with("http") {
        let params = json!({"url": url, "wait_until": "load"});
        let params = params.as_object().cloned().unwrap_or_default();
        login::act(&lease.handle, ActionRequest::new("navigate", params)).await?;
    }
    Ok(json!({"alive": true}))
}
