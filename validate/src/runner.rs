//! [`Runner`]: one test after the other, each on a bench of its own; whatever becomes of one, the
//! next one runs.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::bench::{Bench, Setup};
use super::outcome::{Failure, Outcome};
use super::report::{Report, Verdict, Voice, rule};

/// No test may take longer: a hang is a failure like another.
const TEST_MAX: Duration = Duration::from_secs(90);

/// Runs tests and keeps what became of them.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) report: Report,
    setup: Setup,
    voice: Voice,
    step: u8,
    number: usize,
}

impl Runner {
    pub(super) fn new(setup: Setup, voice: Voice) -> Self {
        Self {
            report: Report::default(),
            setup,
            voice,
            step: 0,
            number: 0,
        }
    }

    /// Begins a step.
    pub(super) fn begin(&mut self, step: u8, name: &'static str) {
        (self.step, self.number) = (step, 0);
        self.report.steps.push((step, name));
        let line = rule('=');
        self.voice
            .say(&format!("\n{line}\nSTEP {step}: {name}\n{line}"));
    }

    /// Runs one test; whether it passed.
    pub(super) async fn test<F, Running>(&mut self, name: &'static str, test: F) -> bool
    where
        F: FnOnce(Bench) -> Running,
        Running: Future<Output = Outcome>,
    {
        if self.is_stopped() {
            self.report.interrupted = true;
            return false;
        }
        self.number += 1;
        let title = format!("Step {} - Test {}: {name}", self.step, self.number);
        self.voice.say(&format!("\n{title}"));
        let started = Instant::now();
        let bench = Bench::new(self.setup.clone(), self.voice.clone());
        let running = AssertUnwindSafe(Box::pin(test(bench.clone()))).catch_unwind();
        let bounded = tokio::time::timeout(TEST_MAX, running);
        let outcome = match self.setup.stop.run_until_cancelled(bounded).await {
            Some(Ok(Ok(outcome))) => outcome,
            Some(Ok(Err(said))) => Err(panicked(said.as_ref())),
            Some(Err(_)) => {
                let bound = TEST_MAX.as_secs();
                Err(Failure::new(format!("it has not ended within {bound} s")))
            }
            None => Err(Failure::new("it was interrupted")),
        };
        // On either way; what it cannot put away is a failure of its own.
        let put_away = bench.put_away().await;
        let outcome = outcome.and(put_away);
        let took = started.elapsed();
        self.report.measures.extend(bench.measures());
        let passed = outcome.is_ok();
        let failure = outcome.err().map(|failure| failure.chain);
        let failure = failure.unwrap_or_default();
        let word = if passed { "PASSED" } else { "FAILED" };
        self.voice
            .say(&format!("{word}: {title} ({:.1} s)", took.as_secs_f64()));
        for (cause, depth) in failure.iter().zip(1usize..) {
            let because = if depth == 1 { "" } else { "because: " };
            self.voice
                .say(&format!("{}{because}{cause}", "  ".repeat(depth)));
        }
        let log = if passed {
            Vec::new()
        } else {
            bench.last_words()
        };
        for line in &log {
            self.voice.say(&format!("    log: {line}"));
        }
        self.report.verdicts.push(Verdict {
            step: self.step,
            number: self.number,
            name,
            passed,
            seconds: took.as_secs_f64(),
            failure,
            log,
        });
        passed
    }

    /// Whether the operator has seen enough: then nothing more is begun.
    pub(super) fn is_stopped(&self) -> bool {
        self.setup.stop.is_cancelled()
    }

    /// Ends a step: prints its tally; whether all of it passed.
    pub(super) fn tally(&self, passed: &[bool]) -> bool {
        let line = self.report.step_line(self.step);
        self.voice.say(&format!("\n{line}"));
        passed.iter().all(|passed| *passed)
    }
}

/// What a test that panicked said; where, the panic itself has written to the standard error.
fn panicked(said: &(dyn Any + Send)) -> Failure {
    let text = said.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| said.downcast_ref::<&str>().copied());
    Failure::new(format!("it panicked: {}", text.unwrap_or("without words")))
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn runner() -> Runner {
        let setup = Setup {
            program: "/no/such/program".into(),
            version: "0",
            browser: serde_json::Map::new(),
            livekit: None,
            stop: CancellationToken::new(),
        };
        Runner::new(setup, Voice::new(std::io::sink()))
    }

    #[tokio::test]
    async fn an_interruption_ends_the_run() {
        let mut runner = runner();
        runner.begin(4, "Four");
        let stop = runner.setup.stop.clone();
        let hanging = |_| async move {
            stop.cancel();
            std::future::pending().await
        };
        assert!(!runner.test("hanging", hanging).await);
        assert!(!runner.test("never begun", |_| async { Ok(()) }).await);
        let verdicts = &runner.report.verdicts;
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].failure, ["it was interrupted"]);
    }

    #[tokio::test]
    async fn a_failure_stops_nothing() {
        let mut runner = runner();
        runner.begin(3, "Three");
        let mut passed = Vec::new();
        let failing = |_| async { Err(std::io::Error::other("no").into()) };
        passed.push(runner.test("error", failing).await);
        passed.push(runner.test("panic", |_| async { panic!("at {}", 7) }).await);
        passed.push(runner.test("good", |_| async { Ok(()) }).await);
        assert_eq!(passed, [false, false, true]);
        assert!(!runner.tally(&passed));
        assert!(runner.tally(&[true, true]));
        let verdicts = &runner.report.verdicts;
        assert_eq!(verdicts[0].failure, ["no"]);
        assert_eq!(verdicts[1].failure, ["it panicked: at 7"]);
        assert_eq!((verdicts[2].step, verdicts[2].number), (3, 3));
    }
}
