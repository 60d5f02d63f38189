//! REST: jobs, and what they work with: connections, notes, and what users are told.

mod connections;
mod notes;
mod users;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::Stream;
use futures::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Doors;
use super::access::Caller;
use super::body::{JsonBody, Params};
use super::status::ErrorBody;
use crate::error::Error;
use crate::jobs::{JobFilter, JobOrder, Jobs, UserEvent};
use crate::model::{Job, JobState};

/// Jobs that are listed where nobody says how many.
const LISTED: u32 = 100;
/// At most.
const LISTED_MAX: u32 = 10_000;
/// A stream says that it is still there this often.
const STILL_HERE: Duration = Duration::from_secs(15);

/// The calls of this module.
pub(super) fn routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(enqueue_job, list_jobs))
        .routes(routes!(show_job))
        .routes(routes!(cancel_job))
        .routes(routes!(retry_job))
        .routes(routes!(take_over_job))
        .routes(routes!(watch_job))
        .merge(connections::routes())
        .merge(notes::routes())
        .merge(users::routes())
}

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct JobsQuery {
    /// In this state.
    #[param(inline)]
    state: Option<JobState>,
    /// Of this user.
    user_id: Option<String>,
    /// With this connection.
    connection: Option<String>,
    /// So many at most; 100 without it.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
}

/// Jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobList {
    /// The newest first.
    jobs: Vec<Job>,
}

/// A job that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Enqueued {
    /// Whether the same job was there already: it is this one.
    reused: bool,
    #[serde(flatten)]
    #[schema(inline)]
    job: Job,
}

/// Where a person does what a job waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobTakeover {
    /// The job.
    job_id: String,
    /// The page to open. Whoever has it is let in.
    takeover_url: String,
    /// Until when it is good, ISO 8601, UTC.
    expires_at: String,
    /// For the person.
    message: String,
}

/// Ask for a job. It is on the disk when this is answered, and done whatever becomes of its caller and of the
/// service. The same one is not taken twice within `jobs.unique_s`.
#[utoipa::path(post, path = "/jobs", tag = "jobs", request_body = JobOrder, responses(
    (status = 201, description = "It waits for its turn", body = Enqueued),
    (status = 200, description = "The same was there already", body = Enqueued),
    (status = 400, description = "The body is no job", body = ErrorBody),
    (status = 404, description = "No such connection, note, platform or workflow", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn enqueue_job(
    State(doors): State<Doors>,
    JsonBody(order): JsonBody<JobOrder>,
) -> Result<Response, Error> {
    let put = doors.jobs.enqueue(order).await?;
    let code = match put.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let location = format!("/jobs/{}", put.job.job_id);
    let body = Json(Enqueued {
        reused: !put.is_new,
        job: put.job,
    });
    Ok((code, [(header::LOCATION, location)], body).into_response())
}

/// List jobs, the newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobsQuery), responses(
    (status = 200, description = "Jobs", body = JobList),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn list_jobs(
    State(doors): State<Doors>,
    Params(query): Params<JobsQuery>,
) -> Result<Json<JobList>, Error> {
    let limit = query.limit.unwrap_or(LISTED);
    if !(1..=LISTED_MAX).contains(&limit) {
        return Err(
            Error::invalid_input("limit is out of range").hint(format!("Use 1 to {LISTED_MAX}."))
        );
    }
    let filter = JobFilter {
        state: query.state,
        user_id: query.user_id,
        connection_id: query.connection,
        limit,
    };
    let jobs = doors.jobs.list(filter).await?;
    Ok(Json(JobList { jobs }))
}

/// How far a job is, and what it came to.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "The job", body = Job),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn show_job(
    State(doors): State<Doors>,
    Path(job_id): Path<String>,
) -> Result<Json<Job>, Error> {
    doors.jobs.job(&job_id).await.map(Json)
}

/// Call a job off. What it has done until then stays done.
#[utoipa::path(post, path = "/jobs/{job_id}/cancel", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "It is called off", body = Job),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn cancel_job(
    State(doors): State<Doors>,
    Path(job_id): Path<String>,
) -> Result<Json<Job>, Error> {
    doors.jobs.call_off(&job_id).await.map(Json)
}

/// Try a job anew that has failed, was called off, or waits for a login or a person. It has all its attempts again.
#[utoipa::path(post, path = "/jobs/{job_id}/retry", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "It waits for its turn", body = Job),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn retry_job(
    State(doors): State<Doors>,
    Path(job_id): Path<String>,
) -> Result<Json<Job>, Error> {
    doors.jobs.try_anew(&job_id).await.map(Json)
}

/// Let a person do what a job waits for as `pending_human`: its session is opened where it asked, and whoever has the
/// link may drive it. Their Done lets the job go on.
#[utoipa::path(post, path = "/jobs/{job_id}/takeover", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 201, description = "Where the person comes", body = JobTakeover),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 409, description = "The job asks for nobody, or another one works with its login",
        body = ErrorBody),
    (status = 503, description = "No browser can be started, or nothing can be kept on disk",
        body = ErrorBody),
    (status = 504, description = "The browser did not start in time", body = ErrorBody),
))]
pub(super) async fn take_over_job(
    State(doors): State<Doors>,
    Path(job_id): Path<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Error> {
    caller.must_last()?;
    let asked = doors.jobs.take_over(&job_id).await?;
    let name = asked.job.user_id.clone();
    let link = (name, asked.is_private);
    let invitation = connections::invite(&doors, &caller, &asked.handle, link).await?;
    if let Some(user) = &asked.job.user_id {
        let event = UserEvent::OpenUrl {
            url: invitation.url.clone(),
            connection_id: None,
            job_id: Some(job_id.clone()),
        };
        doors.jobs.tell_user(user, event);
    }
    let takeover = JobTakeover {
        job_id,
        takeover_url: invitation.url,
        expires_at: invitation.expires_at,
        message: format!("{}. Press Done on the page when that is so.", asked.reason),
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(takeover)).into_response())
}

/// Watch a job as server-sent events, each `job` with the whole of it: how it is now, then at each change and each
/// step of its work. The stream ends when the job is over.
#[utoipa::path(get, path = "/jobs/{job_id}/events", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "Events named `job`, whose data is the job as JSON",
        body = String, content_type = "text/event-stream"),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 503, description = "Nothing can be kept on disk", body = ErrorBody),
))]
pub(super) async fn watch_job(
    State(doors): State<Doors>,
    Path(job_id): Path<String>,
) -> Result<Response, Error> {
    // Before it is looked at, so that nothing is missed between.
    let news = doors.jobs.news().of_jobs();
    let job = doors.jobs.job(&job_id).await?;
    let watched = Watched {
        jobs: doors.jobs.clone(),
        news,
        job_id,
        first: Some(job),
        is_over: false,
    };
    let end = doors.life.cancel.clone();
    let stream = futures::StreamExt::take_until(told(watched), end.cancelled_owned());
    let stream = Sse::new(stream).keep_alive(KeepAlive::new().interval(STILL_HERE));
    Ok(stream.into_response())
}

/// A job that somebody watches.
struct Watched {
    jobs: Jobs,
    news: broadcast::Receiver<Job>,
    job_id: String,
    first: Option<Job>,
    is_over: bool,
}

impl Watched {
    /// The job at its next change; none after its last.
    async fn next(&mut self) -> Option<Job> {
        if self.is_over {
            return None;
        }
        let job = match self.first.take() {
            Some(job) => job,
            None => loop {
                match self.news.recv().await {
                    Ok(job) if job.job_id == self.job_id => break job,
                    Ok(_) => (),
                    // Whoever is behind sees how it is now.
                    Err(RecvError::Lagged(_)) => break self.jobs.job(&self.job_id).await.ok()?,
                    Err(RecvError::Closed) => return None,
                }
            },
        };
        self.is_over = job.state.is_over();
        Some(job)
    }
}

fn told(watched: Watched) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(watched, |mut watched| async move {
        let job = watched.next().await?;
        let event = Event::default().event("job");
        // A job is JSON at every door.
        let event = event.json_data(&job).unwrap_or_default();
        Some((Ok(event), watched))
    })
}
