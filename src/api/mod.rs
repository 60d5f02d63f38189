//! The front doors: REST, WebSocket events, WHEP, metrics, OpenAPI and the dashboard.
//!
//! Thin: each handler parses, asks [`Manager`], and answers. Wire formats and status codes live
//! here and nowhere else.

mod auth;
mod body;
mod dashboard;
mod health;
mod metrics;
mod openapi;
mod recordings;
mod sessions;
mod status;
mod watch;
mod ws;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Config;
use crate::session::Manager;

pub use metrics::Metrics;

/// What every handler can reach.
#[derive(Debug, Clone)]
struct Doors {
    manager: Manager,
    config: Arc<Config>,
    metrics: Metrics,
}

/// All routes of the service.
pub fn router(manager: Manager, config: Arc<Config>, metrics: Metrics) -> Router {
    let body_bytes_max = config.server.body_bytes_max;
    let cors = cors(&config.server.allowed_origins);
    let doors = Doors {
        manager,
        config,
        metrics,
    };
    Router::new()
        .route("/sessions", post(sessions::start).get(sessions::list))
        .route(
            "/sessions/{room_name}",
            get(sessions::show).delete(sessions::close),
        )
        .route("/sessions/{room_name}/pause", post(sessions::pause))
        .route("/sessions/{room_name}/resume", post(sessions::resume))
        .route("/sessions/{room_name}/recover", post(sessions::recover))
        .route("/sessions/{room_name}/actions", post(sessions::act))
        .route("/sessions/{room_name}/context", get(sessions::context))
        .route(
            "/sessions/{room_name}/screenshot",
            get(sessions::screenshot),
        )
        .route(
            "/sessions/{room_name}/recording",
            post(recordings::start)
                .delete(recordings::stop)
                .get(recordings::show),
        )
        .route("/recordings", get(recordings::list))
        .route(
            "/recordings/{file}",
            get(recordings::fetch).delete(recordings::remove),
        )
        .route("/rooms/{room_name}/connections", get(ws::connections))
        .route("/mcp/events/{room_name}", get(ws::events))
        .route("/whep/{room_name}", post(watch::offer))
        .route(
            "/whep/{room_name}/{viewer_id}",
            delete(watch::end).patch(watch::trickle),
        )
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .merge(dashboard::routes())
        .fallback(status::no_route)
        .method_not_allowed_fallback(status::no_method)
        .layer(middleware::from_fn_with_state(doors.clone(), auth::guard))
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(CatchPanicLayer::custom(status::panicked))
        .layer(cors)
        .layer(middleware::from_fn(status::request_id))
        .with_state(doors)
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
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::LOCATION, HeaderName::from_static("x-request-id")])
}
