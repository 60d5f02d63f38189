//! The front doors: MCP, REST, gRPC, WebSocket events, WHEP, metrics, OpenAPI and the dashboard.
//!
//! Thin: each handler parses, asks [`Manager`], and answers. Wire formats and status codes live
//! here and nowhere else.

mod access;
mod actions;
mod asker;
mod auth;
mod body;
mod control;
mod dashboard;
mod downloads;
mod drain;
mod drive;
mod ended;
mod events;
mod farewell;
mod file;
mod grpc;
mod health;
mod jobs;
mod mcp;
mod metrics;
mod openapi;
mod picture;
mod place;
mod recordings;
mod request_id;
mod screenshots;
mod serve;
mod sessions;
mod share;
mod stats;
mod status;
mod subscribe;
mod takeover;
mod tickets;
mod traced;
mod viewer_metrics;
mod viewers;
mod whep;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::{Extension, Router};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::access::Access;
use crate::config::{self, Config};
use crate::error::Error;
use crate::jobs::Jobs;
use crate::model::KeptLink;
use crate::refusals;
use crate::session::Manager;

pub use metrics::Metrics;
pub use serve::serve;

/// What every door leads to.
#[derive(Debug, Clone)]
pub struct Doors {
    manager: Manager,
    jobs: Jobs,
    config: Arc<Config>,
    metrics: Metrics,
    life: Life,
    access: Access,
    asked: stats::Asked,
}

/// How long the service lives: what ends with it, and what it waits for.
#[derive(Debug, Clone)]
pub struct Life {
    /// The service waits for what is tracked here.
    pub tracker: TaskTracker,
    /// The end; streams that stay open say goodbye then.
    pub cancel: CancellationToken,
    /// Cancelled when a caller wants the end, and nothing is left that waits for it.
    pub ended: CancellationToken,
}

impl Doors {
    /// What `/metrics` tells now.
    pub fn measurements(&self) -> String {
        metrics::rendered(self)
    }

    /// Doors to the sessions of `manager`; `tokens` open them.
    pub fn new(
        manager: Manager,
        jobs: Jobs,
        config: Arc<Config>,
        tokens: Vec<config::Token>,
        metrics: Metrics,
        life: Life,
    ) -> Self {
        Self {
            manager,
            jobs,
            config,
            metrics,
            life,
            access: Access::new(tokens),
            asked: stats::Asked::default(),
        }
    }

    /// Takes other tokens. What was opened by one that is gone ends; sessions go on. Answers how many
    /// there are, and how many are gone.
    pub fn replace_tokens(&self, tokens: Vec<config::Token>) -> (usize, usize) {
        let counts = self.access.replace(tokens);
        self.manager.tidy_links();
        counts
    }

    /// Takes up the links that an earlier run has kept.
    pub async fn recall_links(&self) {
        let holder = |link: &KeptLink| self.access.holder(link);
        self.manager.recall_links(holder).await;
    }

    /// Ends what is good no more; to be called every few seconds.
    pub fn upkeep(&self) {
        self.metrics.upkeep();
        self.access.upkeep(&self.manager);
        refusals::upkeep();
    }

    /// Serves MCP to the one client that this service is carried for, on a stream of lines, each one
    /// JSON-RPC message, until it hangs up. `extended` offers the tools beyond the default seven.
    pub async fn serve_mcp<S>(self, stream: S, extended: bool)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        mcp::serve(mcp::Server::carried(self, extended), stream).await;
    }
}

/// All routes of the service. Streams that stay open end with its life.
pub fn router(doors: Doors) -> Result<Router, Error> {
    let cors = cors(&doors.config.server.allowed_origins);
    let grpc = grpc::routes(&doors)?;
    let (router, document) = openapi::begun()
        .merge(session_routes())
        .merge(control::routes())
        .merge(pass_routes())
        .merge(recording_routes())
        .merge(jobs::routes())
        .merge(stream_routes())
        .merge(mcp::routes(&doors))
        .merge(service_routes())
        .split_for_parts();
    let document = openapi::Document::of(document)?;
    Ok(router
        .merge(grpc)
        .merge(dashboard::routes())
        .fallback(status::no_route)
        .method_not_allowed_fallback(status::no_method)
        .layer(Extension(document))
        .layer(middleware::from_fn_with_state(doors.clone(), asker::known))
        .layer(middleware::from_fn_with_state(
            doors.clone(),
            body::gathered,
        ))
        .layer(middleware::from_fn_with_state(doors.clone(), access::guard))
        // Each body has its bound when it is gathered.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(status::panicked))
        .layer(middleware::from_fn(status::enveloped))
        .layer(cors)
        .layer(middleware::from_fn(whep::options))
        .layer(middleware::from_fn_with_state(doors.clone(), stats::count))
        .layer(middleware::from_fn(traced::traced))
        .layer(middleware::from_fn(request_id::named))
        .with_state(doors))
}

/// Sessions, what is done in them, and what their pages show.
fn session_routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(sessions::start, ended::list))
        .routes(routes!(sessions::clean_up))
        .routes(routes!(sessions::show, sessions::close))
        .routes(routes!(ended::show))
        .routes(routes!(sessions::pause))
        .routes(routes!(sessions::resume))
        .routes(routes!(sessions::recover))
        .routes(routes!(actions::act))
        .routes(routes!(actions::show, actions::cancel))
        .routes(routes!(downloads::list))
        .routes(routes!(downloads::fetch))
        .routes(routes!(sessions::storage_state))
        .routes(routes!(sessions::context))
        .routes(routes!(
            screenshots::screenshot,
            screenshots::take_screenshot
        ))
        .routes(routes!(sessions::analyze))
}

/// What is made from a token: tickets, and links to watch by.
fn pass_routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(tickets::issue))
        .routes(routes!(share::share, share::revoke))
        .routes(routes!(takeover::takeover, takeover::end_takeovers))
        .routes(routes!(takeover::permit_driver, takeover::forbid_driver))
        .routes(routes!(drive::drive))
        .routes(routes!(drive::hand_files))
        .routes(routes!(takeover::enter_by_link))
}

/// Recordings, of one session and of all.
fn recording_routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(
            recordings::start,
            recordings::stop,
            recordings::show
        ))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::fetch, recordings::remove))
}

/// What goes on after its request: events, and video.
fn stream_routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(events::connections))
        .routes(routes!(events::events))
        .routes(routes!(viewers::list))
        .routes(routes!(whep::offer))
        .routes(routes!(whep::trickle, whep::end))
}

/// What there is to ask of the service itself.
fn service_routes() -> OpenApiRouter<Doors> {
    OpenApiRouter::default()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(drain::drain, drain::undo))
        .routes(routes!(stats::stats))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
}

/// The static page that the demo drives, to be served apart from the service's own address.
pub fn demo_page() -> Router {
    dashboard::demo_routes()
}

/// Lets pages of the configured origins call the service.
fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            // What MCP's streamable HTTP asks of its clients.
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("mcp-method"),
            HeaderName::from_static("mcp-name"),
            HeaderName::from_static("mcp-protocol-version"),
            HeaderName::from_static("mcp-session-id"),
            request_id::REQUEST_ID,
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            HeaderName::from_static("mcp-session-id"),
            HeaderName::from_static("x-elements-version"),
            events::EVENTS_EPOCH,
            request_id::REQUEST_ID,
        ])
}
