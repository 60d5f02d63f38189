//! How a test ends: [`Outcome`], and the words of a [`Failure`].

use std::time::Duration;

use serde_json::Value;

/// What a test comes to.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Why a test failed: what was expected, and its causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The sentence, and then its causes.
    pub(super) chain: Vec<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        let chain = vec![message.into()];
        Self { chain }
    }

    /// The same, as the cause of what `message` expected.
    pub(super) fn of(mut self, message: &str) -> Self {
        self.chain.insert(0, message.to_owned());
        self
    }
}

// Any error of a step is a failure, so that `?` does in tests what it does elsewhere.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut chain = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(inner) = cause {
            chain.push(inner.to_string());
            cause = inner.source();
        }
        Self { chain }
    }
}

/// Fails the test with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err($crate::outcome::Failure::new(format!($($message)+)));
        }
    };
}
pub(super) use ensure;

/// Says what was missing.
pub(super) trait Expect<T> {
    fn expect_that(self, message: &str) -> Outcome<T>;
}

impl<T> Expect<T> for Option<T> {
    fn expect_that(self, message: &str) -> Outcome<T> {
        self.ok_or_else(|| Failure::new(message))
    }
}

impl<T, E: std::error::Error> Expect<T> for Result<T, E> {
    fn expect_that(self, message: &str) -> Outcome<T> {
        self.map_err(|error| Failure::from(error).of(message))
    }
}

/// The result of a call by JSON-RPC, unless it is refused.
pub(super) fn result_of(method: &str, mut answer: Value) -> Outcome<Value> {
    match answer.get("error") {
        None => Ok(answer["result"].take()),
        Some(error) => Err(Failure::new(format!("{method} is refused: {error}"))),
    }
}

/// How often something awaited is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, `within` a bound.
pub(super) async fn until<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Outcome<T> {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(within, waiting).await;
    waited.map_err(|_| Failure::new(format!("not within {} ms: {what}", within.as_millis())))
}

/// Shorthand for bounds.
pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
