//! The dashboard: hand-written files, embedded in the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::error::Error;

/// Nothing from elsewhere, nothing inline, no framing.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'self'";

const ASSETS: [(&str, &str); 47] = [
    ("address.js", include_str!("../dashboard/address.js")),
    ("api.js", include_str!("../dashboard/api.js")),
    ("app.js", include_str!("../dashboard/app.js")),
    ("asked.js", include_str!("../dashboard/asked.js")),
    ("calls.js", include_str!("../dashboard/calls.js")),
    ("confirm.js", include_str!("../dashboard/confirm.js")),
    (
        "connections.js",
        include_str!("../dashboard/connections.js"),
    ),
    ("demo.css", include_str!("../dashboard/demo.css")),
    ("demo.js", include_str!("../dashboard/demo.js")),
    ("docs.css", include_str!("../dashboard/docs.css")),
    ("docs.js", include_str!("../dashboard/docs.js")),
    ("dom.js", include_str!("../dashboard/dom.js")),
    ("encode.js", include_str!("../dashboard/encode.js")),
    ("enlarge.js", include_str!("../dashboard/enlarge.js")),
    ("ended.js", include_str!("../dashboard/ended.js")),
    ("events.js", include_str!("../dashboard/events.js")),
    ("facts.js", include_str!("../dashboard/facts.js")),
    ("files.js", include_str!("../dashboard/files.js")),
    ("films.js", include_str!("../dashboard/films.js")),
    ("format.js", include_str!("../dashboard/format.js")),
    ("hands.js", include_str!("../dashboard/hands.js")),
    ("icon.svg", include_str!("../dashboard/icon.svg")),
    ("job_words.js", include_str!("../dashboard/job_words.js")),
    ("jobs.js", include_str!("../dashboard/jobs.js")),
    ("log.js", include_str!("../dashboard/log.js")),
    ("login_link.js", include_str!("../dashboard/login_link.js")),
    ("looks.js", include_str!("../dashboard/looks.js")),
    ("manage.js", include_str!("../dashboard/manage.js")),
    ("notices.js", include_str!("../dashboard/notices.js")),
    ("offers.js", include_str!("../dashboard/offers.js")),
    ("pages.css", include_str!("../dashboard/pages.css")),
    ("pinch.js", include_str!("../dashboard/pinch.js")),
    ("poll.js", include_str!("../dashboard/poll.js")),
    ("recording.js", include_str!("../dashboard/recording.js")),
    ("rooms.js", include_str!("../dashboard/rooms.js")),
    ("route.js", include_str!("../dashboard/route.js")),
    ("style.css", include_str!("../dashboard/style.css")),
    ("tabs.js", include_str!("../dashboard/tabs.js")),
    ("viewers.js", include_str!("../dashboard/viewers.js")),
    ("takeover.css", include_str!("../dashboard/takeover.css")),
    ("takeover.js", include_str!("../dashboard/takeover.js")),
    ("theme.js", include_str!("../dashboard/theme.js")),
    ("user_news.js", include_str!("../dashboard/user_news.js")),
    ("wheel.js", include_str!("../dashboard/wheel.js")),
    ("whep.js", include_str!("../dashboard/whep.js")),
    ("way.js", include_str!("../dashboard/way.js")),
    ("zoom.js", include_str!("../dashboard/zoom.js")),
];

/// The dashboard's routes.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/",
            get(|| async { page(include_str!("../dashboard/index.html")) }),
        )
        .route(
            "/demo",
            get(|| async { page(include_str!("../dashboard/demo.html")) }),
        )
        .route(
            "/docs",
            get(|| async { page(include_str!("../dashboard/docs.html")) }),
        )
        // The same page for every link: its script enters by the token in its address.
        .route(
            "/takeover/{token}",
            get(|| async { page(include_str!("../dashboard/takeover.html")) }),
        )
        .route("/assets/{name}", get(asset))
}

/// The demo page's routes alone.
pub(super) fn demo_routes() -> Router {
    Router::new()
        .route(
            "/demo",
            get(|| async { page(include_str!("../dashboard/demo.html")) }),
        )
        .route("/assets/{name}", get(asset))
}

fn page(html: &'static str) -> Response {
    respond("text/html; charset=utf-8", html)
}

async fn asset(Path(name): Path<String>) -> Result<Response, Error> {
    let (name, text) = ASSETS
        .iter()
        .find(|(asset, _)| *asset == name)
        .ok_or_else(|| Error::not_found("there is no such file"))?;
    let media_type = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    Ok(respond(media_type, text))
}

fn respond(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = headers.map(|(name, value)| -> (HeaderName, HeaderValue) {
        (name, HeaderValue::from_static(value))
    });
    (headers, text).into_response()
}
