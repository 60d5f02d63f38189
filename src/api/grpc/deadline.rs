//! `grpc-timeout`: how long a caller waits, and so how long a call is worked at.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;
use tonic::Status;
use tonic::metadata::MetadataMap;

const HEADER: &str = "grpc-timeout";

/// Most digits that the protocol allows.
const DIGITS_MAX: usize = 8;

/// Ends a call that is not answered within its caller's bound; what it does is cancelled.
pub(super) async fn keep(request: Request, next: Next) -> Response {
    let text = request.headers().get(HEADER);
    match text.and_then(|text| parse(text.to_str().ok()?)) {
        None => next.run(request).await,
        Some(bound) => timeout(bound, next.run(request))
            .await
            .unwrap_or_else(|_| passed().into_http()),
    }
}

/// The bound that a caller sends; `None` without one, or where it is not as the protocol wants it.
pub(super) fn of(metadata: &MetadataMap) -> Option<Duration> {
    parse(metadata.get(HEADER)?.to_str().ok()?)
}

/// What a call ends with whose bound has passed.
pub(super) fn passed() -> Status {
    Status::deadline_exceeded("The deadline has passed. Allow more time, or ask for less.")
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.len() > DIGITS_MAX || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3_600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_in_every_unit() {
        for (text, expected) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("3S", Some(3_000)),
            ("250m", Some(250)),
            ("5000u", Some(5)),
            ("7000000n", Some(7)),
            ("0m", Some(0)),
            ("99999999H", Some(359_999_996_400_000)),
            ("999999999S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1S ", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }
}
