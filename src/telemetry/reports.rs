//! Reports of errors, to whatever speaks Sentry's protocol: what the log has as an error, and
//! jobs that have failed. Without users, hosts and what may be secret: of an address, only its site is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sentry::integrations::tracing::ErrorLayer;
use sentry::protocol::{Context, Event};
use sentry::{
    ClientInitGuard, ClientOptions, Envelope, Transport, TransportFactory, TransportOptions,
};
use serde_json::Value;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use url::Url;

use super::Boxed;
use super::post::Poster;
use crate::config;
use crate::error::Error;
use crate::model::FAILED_JOBS;

/// Reports on their way at one time; what comes beyond is lost, and counted.
const UNDER_WAY_MAX: usize = 32;

/// Reports on their way.
pub(super) struct Reports(ClientInitGuard);

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reports")
    }
}

impl Reports {
    pub(super) fn begin(
        config: &config::Telemetry,
        poster: Poster,
    ) -> Result<(Self, Boxed), Error> {
        let dsn = config.sentry_dsn.reveal().parse().map_err(|_| {
            Error::invalid_input("telemetry.sentry_dsn is not a DSN")
                .hint("Copy it from the project's settings: https://KEY@HOST/PROJECT.")
        })?;
        let environment = Some(config.environment.clone()).filter(|name| !name.is_empty());
        let mut options = ClientOptions::new()
            .release(concat!("ghostcast@", env!("CARGO_PKG_VERSION")))
            .default_integrations(false)
            .max_breadcrumbs(0)
            .before_send(|mut event: Event<'static>| {
                scrub(&mut event);
                Some(event)
            })
            .transport(Lines(poster));
        options.dsn = Some(dsn);
        options.environment = environment.map(Into::into);
        let reports = ErrorLayer::new()
            .with_filter(filter_fn(|metadata| {
                metadata.is_event()
                    && (*metadata.level() == Level::ERROR || metadata.target() == FAILED_JOBS)
            }))
            .boxed();
        Ok((Self(sentry::init(options)), reports))
    }

    /// Sends what is still to be sent.
    pub(super) fn end(self, patience: Duration) {
        self.0.close(Some(patience));
    }
}

/// Makes what sends.
#[derive(Clone)]
struct Lines(Poster);

impl TransportFactory for Lines {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        Arc::new(Line {
            poster: self.0.clone(),
            url: options.dsn.envelope_api_url().to_string(),
            auth: options.dsn.to_auth(Some(&options.user_agent)).to_string(),
            under_way: Arc::default(),
        })
    }
}

/// Sends, one request a report.
struct Line {
    poster: Poster,
    url: String,
    auth: String,
    under_way: Arc<AtomicUsize>,
}

/// One report on its way.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lost() {
    metrics::counter!("ghostcast_error_reports_lost_total").increment(1);
}

impl Transport for Line {
    fn send_envelope(&self, envelope: Envelope) {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(Arc::clone(&self.under_way));
        let mut body = Vec::new();
        if before >= UNDER_WAY_MAX || envelope.to_writer(&mut body).is_err() {
            return lost();
        }
        let (poster, url) = (self.poster.clone(), self.url.clone());
        let headers = [("x-sentry-auth".to_owned(), self.auth.clone())];
        self.poster.runtime().spawn(async move {
            if let Err(error) = poster.post(&url, &headers, body).await {
                lost();
                // Not as an error: that would be reported too.
                tracing::warn!(%error, "an error was not reported");
            }
            drop(under_way);
        });
    }

    fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while self.under_way.load(Ordering::Relaxed) > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

/// Takes out of a report what is nobody else's.
fn scrub(event: &mut Event<'static>) {
    event.server_name = None;
    event.user = None;
    event.request = None;
    event.breadcrumbs.values.clear();
    if let Some(message) = &mut event.message {
        *message = without_addresses(message);
    }
    if let Some(entry) = &mut event.logentry {
        entry.message = without_addresses(&entry.message);
    }
    for exception in &mut event.exception.values {
        exception.value = exception.value.as_deref().map(without_addresses);
    }
    event.extra.values_mut().for_each(scrub_value);
    event
        .tags
        .values_mut()
        .for_each(|text| *text = without_addresses(text));
    for context in event.contexts.values_mut() {
        if let Context::Other(fields) = context {
            fields.values_mut().for_each(scrub_value);
        }
    }
}

fn scrub_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_addresses(text),
        Value::Array(items) => items.iter_mut().for_each(scrub_value),
        Value::Object(fields) => fields.values_mut().for_each(scrub_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

/// A text, its addresses with no more than their sites: in the rest there may be names and keys. All that follows
/// an address without a space or a quote is taken for a part of it.
fn without_addresses(text: &str) -> String {
    let Some(at) = text.find("://") else {
        return text.to_owned();
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let before = text[..at].trim_end_matches(is_scheme);
    let rest = &text[before.len()..];
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
    let whole = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    // What closes a sentence or a bracket around it is not of it.
    let address = whole.trim_end_matches([')', ']', '}', '\'', ',', '.', ';', ':']);
    let after = &rest[address.len()..];
    format!("{before}{}{}", site(address), without_addresses(after))
}

fn site(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization() + "/…",
        Ok(_) | Err(_) => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_its_site_is_told() {
        for (text, clean) in [
            ("no address", "no address"),
            (
                "went to https://ada:pw@shop.example/a?token=x and (http://h:81/x), then",
                "went to https://shop.example/… and (http://h:81/…), then",
            ),
            ("url=\"https://h/p?q\"", "url=\"https://h/…\""),
            ("ws://h/x\nnext", "ws://h/…\nnext"),
            ("https://", "…"),
            ("at https://h/p?a=1,token=hush, and", "at https://h/…, and"),
            ("https://ada:p,w@h/", "https://h/…"),
            (
                "{\"a\":\"https://x/\",\"b\":\"https://y/p?key=hush\"}",
                "{\"a\":\"https://x/…\",\"b\":\"https://y/…\"}",
            ),
        ] {
            assert_eq!(without_addresses(text), clean, "{text}");
        }
    }
}
