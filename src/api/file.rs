//! Files, whole or in parts: ranges and conditions by RFC 9110.
//!
//! The library reads the file, dates it and answers one range. What it would refuse though the standard
//! does not, is put here into a form that it takes, or left out.

use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use tower_http::services::ServeFile;

use crate::error::Error;

/// A date is exact to the second: a file that changed later than this may change unnoticed.
const DATE_IS_EXACT_AFTER: Duration = Duration::from_secs(1);

/// Answers a request by a file. `unreadable` is what to say where the disk refuses it.
pub(super) async fn serve(
    path: &Path,
    mut request: Request,
    unreadable: impl Fn() -> Error,
) -> Result<Response, Error> {
    if let Some(range) = request.headers().get(header::RANGE) {
        let is_one = request.headers().get_all(header::RANGE).iter().count() == 1;
        let range = range.to_str().ok().filter(|_| is_one).map(str::to_owned);
        let told = match range.filter(|_| request.method() == Method::GET) {
            Some(range) => told(path, request.headers(), &range, &unreadable).await?,
            // Of no other method a range is defined.
            None => None,
        };
        match told {
            Some(range) => request.headers_mut().insert(header::RANGE, range),
            None => request.headers_mut().remove(header::RANGE),
        };
    }
    let served = ServeFile::new(path).try_call(request).await;
    let served = served.map_err(|error| unreadable().source(error))?;
    Ok(served.map(Body::new))
}

/// The range as the library takes it; `None` for the whole file.
async fn told(
    path: &Path,
    headers: &HeaderMap,
    range: &str,
    unreadable: &impl Fn() -> Error,
) -> Result<Option<HeaderValue>, Error> {
    let found = tokio::fs::metadata(path).await;
    let found = found.map_err(|error| unreadable().source(error))?;
    if let Some(condition) = headers.get(header::IF_RANGE) {
        // What the file is known by is the library's to say.
        let mut asking = Request::new(Body::empty());
        *asking.method_mut() = Method::HEAD;
        let known = ServeFile::new(path).try_call(asking).await;
        let known = known.map_err(|error| unreadable().source(error))?;
        let changed = found.modified().ok();
        let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
        if !is_same(condition, known.headers(), age) {
            return Ok(None);
        }
    }
    let size = found.len();
    Ok(match Wanted::of(range, size) {
        Wanted::Whole => None,
        Wanted::Part { first, last } => {
            HeaderValue::from_str(&format!("bytes={first}-{last}")).ok()
        }
        // The library refuses it then, with the size.
        Wanted::Nothing => HeaderValue::from_str(&format!("bytes={size}-")).ok(),
    })
}

/// Whether the part that the client has is of the file as it is: `If-Range`, RFC 9110, 13.1.5.
fn is_same(condition: &HeaderValue, known: &HeaderMap, age: Option<Duration>) -> bool {
    if condition.as_bytes().starts_with(b"\"") {
        return known.get(header::ETAG) == Some(condition);
    }
    let is_exact = age.is_some_and(|age| age >= DATE_IS_EXACT_AFTER);
    is_exact && known.get(header::LAST_MODIFIED) == Some(condition)
}

/// What a range asks for, of a file of a known size.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// All of it: the range makes no sense, or is one of several, which are not served apart.
    Whole,
    /// From a byte to another one, both included.
    Part { first: u64, last: u64 },
    /// Nothing that is there.
    Nothing,
}

impl Wanted {
    /// RFC 9110, 14.1 and 14.2.
    fn of(range: &str, size: u64) -> Self {
        let Some((unit, set)) = range.split_once('=') else {
            return Self::Whole;
        };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        let specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t']));
        let specs = specs.filter(|spec| !spec.is_empty());
        let parts: Option<Vec<Self>> = specs.map(|spec| Self::of_one(spec, size)).collect();
        let mut parts = parts.unwrap_or_default();
        let is_there = |part: &Self| *part != Self::Nothing;
        match parts.len() {
            0 => Self::Whole,
            1 => parts.remove(0),
            _ if parts.iter().any(is_there) => Self::Whole,
            _ => Self::Nothing,
        }
    }

    /// One of the set; `None` where it is not as the standard has it.
    fn of_one(spec: &str, size: u64) -> Option<Self> {
        let (first, last) = spec.split_once('-')?;
        Some(match (first, last) {
            ("", suffix) => match number(suffix)? {
                0 => Self::Nothing,
                // An empty part cannot be told of.
                _ if size == 0 => Self::Whole,
                suffix => Self::Part {
                    first: size.saturating_sub(suffix),
                    last: size - 1,
                },
            },
            (first, last) => {
                let first = number(first)?;
                let last = match last {
                    "" => u64::MAX,
                    last => number(last)?,
                };
                match () {
                    () if last < first => return None,
                    () if first >= size => Self::Nothing,
                    () => Self::Part {
                        first,
                        last: last.min(size - 1),
                    },
                }
            }
        })
    }
}

/// A number of any length; what is too large is larger than any file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_the_standard_says() {
        let part = |first, last| Wanted::Part { first, last };
        for (range, size, wanted) in [
            ("bytes=0-4", 10, part(0, 4)),
            ("bytes=5-", 10, part(5, 9)),
            ("bytes=5-99", 10, part(5, 9)),
            ("bytes=00005-007", 10, part(5, 7)),
            ("Bytes= 5-7 ,", 10, part(5, 7)),
            ("bytes=0-99999999999999999999999", 10, part(0, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-10", 10, part(0, 9)),
            ("bytes=-99", 10, part(0, 9)),
            ("bytes=-99999999999999999999999", 10, part(0, 9)),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=10-20,30-", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-5", 0, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("bytes=0-1,30-40", 10, Wanted::Whole),
            ("bytes=0-1,x", 10, Wanted::Whole),
            ("bytes=4-3", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=1", 10, Wanted::Whole),
            ("bytes=--1", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes 0-4", 10, Wanted::Whole),
            ("lines=0-4", 10, Wanted::Whole),
        ] {
            assert_eq!(Wanted::of(range, size), wanted, "{range} of {size}");
        }
    }

    #[test]
    fn a_part_is_added_to_the_same_file_only() {
        let mut known = HeaderMap::new();
        known.insert(header::ETAG, HeaderValue::from_static("\"a\""));
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        known.insert(header::LAST_MODIFIED, date.clone());
        let old = Some(Duration::from_secs(60));
        let is =
            |condition: &'static str| is_same(&HeaderValue::from_static(condition), &known, old);
        assert!(is("\"a\"") && !is("\"b\"") && !is("W/\"a\""));
        assert!(is("Sun, 06 Nov 1994 08:49:37 GMT") && !is("Sun, 06 Nov 1994 08:49:38 GMT"));
        assert!(!is_same(&date, &known, Some(Duration::from_millis(500))));
        assert!(!is_same(&date, &known, None));
    }
}
