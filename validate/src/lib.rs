//! The validation program: `ghostcast validate`. One runner holds every test of every step; each
//! test starts a service of its own, speaks to it by its doors as any client would, and puts it away
//! again.
//!
//! Steps 1 to 10 are the 34 tests of the source document; 11 to 13 go beyond them: LiveKit, events,
//! recovery. All pages are served on loopback by `pages`, so that no network is needed.

mod answers;
mod audience;
mod bench;
mod cdp;
pub mod film;
mod http;
mod livekit_server;
mod mcp;
mod outcome;
mod pages;
pub mod playback;
mod processes;
mod receiver;
mod report;
mod runner;
mod service;
mod session;
mod socket;
mod step01_engine;
mod step02_actions;
mod step03_allowlist;
mod step04_state;
mod step05_recording;
mod step06_cursor;
mod step07_vision;
mod step08_streaming;
mod step09_correction;
mod step10_mcp;
mod step11_livekit;
mod step12_events;
mod step13_recovery;
mod still;
mod token;
mod viewer;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use self::bench::Setup;
pub use self::livekit_server::Coordinates;
use self::report::Voice;
use self::runner::Runner;

/// The steps that there are.
pub const STEPS: RangeInclusive<u8> = 1..=13;

/// What to validate, and with what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program that is validated: a `ghostcast`.
    pub program: PathBuf,
    /// The version that it has.
    pub version: &'static str,
    /// One step; else all of them.
    pub step: Option<u8>,
    /// Where to write the result for a program.
    pub json: Option<PathBuf>,
    /// Ends the run early, in order.
    pub stop: CancellationToken,
    /// The operator's settings of the browser, by their keys.
    pub browser: Map<String, Value>,
    /// The operator's LiveKit server; without one, a `livekit-server` that is found is started.
    pub livekit: Option<Coordinates>,
}

/// The result could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("the result cannot be written to {}", path.display())]
pub struct Unwritten {
    path: PathBuf,
    source: std::io::Error,
}

/// Runs the tests and says on the standard output what becomes of them. Whether all passed.
pub async fn run(options: Options) -> Result<bool, Unwritten> {
    let voice = Voice::new(std::io::stdout());
    let started = Instant::now();
    let setup = Setup {
        program: options.program,
        version: options.version,
        browser: options.browser,
        livekit: options.livekit,
        stop: options.stop,
    };
    voice.say(&format!(
        "Ghostcast {}: validation. All pages are local ones, served on loopback; \"Example Domain\" \
         stands for example.com.",
        options.version
    ));
    let mut runner = Runner::new(setup, voice.clone());
    for step in STEPS {
        if options.step.is_some_and(|wanted| wanted != step) {
            continue;
        }
        if runner.is_stopped() {
            runner.report.interrupted = true;
            break;
        }
        run_step(step, &mut runner).await;
    }
    let took = started.elapsed();
    voice.say(&runner.report.summary(took));
    if let Some(path) = options.json {
        let text = format!("{:#}\n", runner.report.json(took));
        std::fs::write(&path, text).map_err(|source| Unwritten { path, source })?;
    }
    Ok(runner.report.all_passed())
}

/// Whether all of a step passed. Boxed: the future of one step is as large as its largest test.
async fn run_step(step: u8, runner: &mut Runner) -> bool {
    match step {
        1 => Box::pin(step01_engine::run_step1_tests(runner)).await,
        2 => Box::pin(step02_actions::run_step2_tests(runner)).await,
        3 => Box::pin(step03_allowlist::run_step3_tests(runner)).await,
        4 => Box::pin(step04_state::run_step4_tests(runner)).await,
        5 => Box::pin(step05_recording::run_step5_tests(runner)).await,
        6 => Box::pin(step06_cursor::run_step6_tests(runner)).await,
        7 => Box::pin(step07_vision::run_step7_tests(runner)).await,
        8 => Box::pin(step08_streaming::run_step8_tests(runner)).await,
        9 => Box::pin(step09_correction::run_step9_tests(runner)).await,
        10 => Box::pin(step10_mcp::run_step10_tests(runner)).await,
        11 => Box::pin(step11_livekit::run_step11_tests(runner)).await,
        12 => Box::pin(step12_events::run_step12_tests(runner)).await,
        13 => Box::pin(step13_recovery::run_step13_tests(runner)).await,
        _ => false,
    }
}
