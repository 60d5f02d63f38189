//! What the program says: banners, verdicts, the table of times, and the same as JSON.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

/// Steps from here on are beyond the 34 tests of the source document's steps 1 to 10.
const EXTRA_STEPS_FROM: u8 = 11;

/// Where the words go; shared by whoever speaks while a test runs.
#[derive(Clone)]
pub(super) struct Voice(Arc<Mutex<Box<dyn Write + Send>>>);

impl Voice {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(out))))
    }

    /// Says one line or several, at once.
    pub(super) fn say(&self, text: &str) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closed the output does not want to hear that either.
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Voice")
    }
}

/// What is measured, with what the source document says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Creation,
    Destruction,
    Navigate,
    Click,
    Type,
    Scroll,
    Wait,
}

impl Measure {
    const ALL: [Self; 7] = [
        Self::Creation,
        Self::Destruction,
        Self::Navigate,
        Self::Click,
        Self::Type,
        Self::Scroll,
        Self::Wait,
    ];

    pub(super) fn of_action(action_type: &str) -> Option<Self> {
        match action_type {
            "navigate" => Some(Self::Navigate),
            "click" => Some(Self::Click),
            "type" => Some(Self::Type),
            "scroll" => Some(Self::Scroll),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Creation => "create a browser",
            Self::Destruction => "destroy a browser",
            Self::Navigate => "navigate",
            Self::Click => "click",
            Self::Type => "type",
            Self::Scroll => "scroll",
            Self::Wait => "wait 0.5 s",
        }
    }

    /// The source document's own figure, seconds, and its words. For creation and destruction it
    /// has a bound only.
    const fn source(self) -> (f64, &'static str) {
        match self {
            Self::Creation | Self::Destruction => (5.0, "< 5 s"),
            Self::Navigate => (0.66, "0.66 s"),
            Self::Click => (0.12, "0.12 s"),
            Self::Type => (0.05, "0.05 s"),
            Self::Scroll => (0.06, "0.06 s"),
            Self::Wait => (0.50, "0.50 s"),
        }
    }
}

/// What a test has measured, kept by all that measure for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Measures(Arc<Mutex<Vec<(Measure, Duration)>>>);

impl Measures {
    /// Notes how long something took, for the table at the end.
    pub(super) fn note(&self, measure: Measure, time: Duration) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push((measure, time));
    }

    /// All that was noted.
    pub(super) fn all(&self) -> Vec<(Measure, Duration)> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.clone()
    }
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) step: u8,
    pub(super) number: usize,
    pub(super) name: &'static str,
    pub(super) passed: bool,
    pub(super) seconds: f64,
    /// Why it failed: a sentence, and its causes.
    pub(super) failure: Vec<String>,
    /// How the logs of its services end, if it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) log: Vec<String>,
}

/// All verdicts of a run, and what was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) measures: Vec<(Measure, Duration)>,
    pub(super) steps: Vec<(u8, &'static str)>,
    /// Whether tests were left out because the operator had seen enough.
    pub(super) interrupted: bool,
}

impl Report {
    /// Whether all that was selected passed; a run of nothing has shown nothing.
    pub(super) fn all_passed(&self) -> bool {
        let is_whole = !self.verdicts.is_empty() && !self.interrupted;
        is_whole && self.verdicts.iter().all(|verdict| verdict.passed)
    }

    /// Passed, and all, of the steps that `which` takes.
    fn count(&self, which: impl Fn(u8) -> bool) -> (usize, usize) {
        let counted = self.verdicts.iter().filter(|verdict| which(verdict.step));
        counted.fold((0, 0), |(passed, all), verdict| {
            (passed + usize::from(verdict.passed), all + 1)
        })
    }

    /// The line at the end of a step.
    pub(super) fn step_line(&self, step: u8) -> String {
        let (passed, all) = self.count(|other| other == step);
        format!("Step {step}: {passed}/{all} tests passed")
    }

    /// The end of the run: the table, the tally of each step, the verdict.
    pub(super) fn summary(&self, took: Duration) -> String {
        let mut lines = vec![String::new(), rule('=')];
        lines.extend(self.table());
        for (step, name) in &self.steps {
            let (passed, all) = self.count(|other| other == *step);
            lines.push(format!("  step {step:>2}  {passed:>2}/{all:<2}  {name}"));
        }
        for (which, (passed, all)) in [
            ("steps 1 to 10", self.count(|step| step < EXTRA_STEPS_FROM)),
            (
                "steps 11 to 13",
                self.count(|step| step >= EXTRA_STEPS_FROM),
            ),
        ] {
            if all > 0 {
                lines.push(format!("  {which}: {passed}/{all} tests passed"));
            }
        }
        for verdict in self.verdicts.iter().filter(|verdict| !verdict.passed) {
            lines.push(format!(
                "  FAILED: Step {} - Test {}: {}: {}",
                verdict.step,
                verdict.number,
                verdict.name,
                verdict.failure.first().map_or("", String::as_str)
            ));
        }
        let (passed, all) = self.count(|_| true);
        let word = if self.all_passed() {
            "ALL TESTS PASSED"
        } else if self.interrupted {
            "INTERRUPTED"
        } else {
            "SOME TESTS FAILED"
        };
        lines.push(format!(
            "{word}: {passed}/{all} in {:.0} s",
            took.as_secs_f64()
        ));
        lines.join("\n")
    }

    fn table(&self) -> Vec<String> {
        let rows: Vec<String> = self.figures().iter().map(Figure::row).collect();
        if rows.is_empty() {
            return rows;
        }
        let head = format!(
            "  {:<18} {:>10} {:>4} {:>9} {:>9} {:>7}",
            "measured here", "source", "n", "p50", "p95", "ratio"
        );
        let note = "  (the source's figures are of its own machine; ratio: our p50 to its figure)";
        let mut lines = vec![head];
        lines.extend(rows);
        lines.push(note.to_owned());
        lines
    }

    fn figures(&self) -> Vec<Figure> {
        let of = |measure: Measure| {
            let times = self.measures.iter().filter(move |(m, _)| *m == measure);
            let mut times: Vec<f64> = times.map(|(_, time)| time.as_secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            (!times.is_empty()).then_some(Figure { measure, times })
        };
        Measure::ALL.into_iter().filter_map(of).collect()
    }

    /// The whole result for a program.
    pub(super) fn json(&self, took: Duration) -> Value {
        let steps = self.steps.iter().map(|(step, name)| {
            let (passed, all) = self.count(|other| other == *step);
            json!({ "step": step, "name": name, "passed": passed, "total": all })
        });
        let (passed, all) = self.count(|_| true);
        let figures = self.figures();
        json!({
            "all_passed": self.all_passed(),
            "interrupted": self.interrupted,
            "passed": passed,
            "total": all,
            "seconds": took.as_secs_f64(),
            "steps": steps.collect::<Vec<_>>(),
            "tests": self.verdicts,
            "measured": figures.iter().map(Figure::json).collect::<Vec<_>>(),
        })
    }
}

/// One row of the table.
struct Figure {
    measure: Measure,
    /// Seconds, in order; never empty.
    times: Vec<f64>,
}

impl Figure {
    fn at(&self, part: f64) -> f64 {
        let last = self.times.len() - 1;
        self.times[(last as f64 * part).round() as usize]
    }

    fn ratio(&self) -> f64 {
        self.at(0.5) / self.measure.source().0
    }

    fn row(&self) -> String {
        format!(
            "  {:<18} {:>10} {:>4} {:>7.3} s {:>7.3} s {:>7.2}",
            self.measure.name(),
            self.measure.source().1,
            self.times.len(),
            self.at(0.5),
            self.at(0.95),
            self.ratio()
        )
    }

    fn json(&self) -> Value {
        json!({
            "what": self.measure.name(),
            "source": self.measure.source().1,
            "count": self.times.len(),
            "p50_s": self.at(0.5),
            "p95_s": self.at(0.95),
            "ratio": self.ratio(),
        })
    }
}

pub(super) fn rule(sign: char) -> String {
    sign.to_string().repeat(72)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(step: u8, number: usize, passed: bool) -> Verdict {
        Verdict {
            step,
            number,
            name: "A test",
            passed,
            seconds: 0.1,
            failure: match passed {
                true => Vec::new(),
                false => vec!["it is not so".to_owned(), "because".to_owned()],
            },
            log: Vec::new(),
        }
    }

    fn report(verdicts: Vec<Verdict>) -> Report {
        Report {
            verdicts,
            steps: vec![(9, "Nine"), (11, "Eleven")],
            ..Report::default()
        }
    }

    #[test]
    fn one_failure_is_a_failure() {
        let good = vec![
            verdict(9, 1, true),
            verdict(9, 2, true),
            verdict(11, 1, true),
        ];
        let all = report(good.clone());
        assert!(all.all_passed());
        assert_eq!(all.step_line(9), "Step 9: 2/2 tests passed");
        assert!(
            all.summary(Duration::ZERO)
                .contains("ALL TESTS PASSED: 3/3")
        );
        let mut bad = good;
        bad[1] = verdict(9, 2, false);
        let some = report(bad);
        assert!(!some.all_passed());
        assert_eq!(some.step_line(9), "Step 9: 1/2 tests passed");
        let summary = some.summary(Duration::ZERO);
        for line in [
            "SOME TESTS FAILED: 2/3",
            "steps 1 to 10: 1/2 tests passed",
            "steps 11 to 13: 1/1 tests passed",
            "FAILED: Step 9 - Test 2: A test: it is not so",
        ] {
            assert!(summary.contains(line), "{line} is in {summary}");
        }
        let told = some.json(Duration::ZERO);
        assert_eq!((&told["passed"], &told["total"]), (&json!(2), &json!(3)));
        assert_eq!(told["tests"][1]["failure"][1], "because");
    }

    #[test]
    fn nothing_run_is_nothing_passed() {
        assert!(!Report::default().all_passed());
        let report = Report {
            verdicts: vec![verdict(9, 1, true)],
            interrupted: true,
            ..Report::default()
        };
        assert!(!report.all_passed());
        let told = report.json(Duration::ZERO);
        assert_eq!(
            (&told["interrupted"], &told["passed"]),
            (&json!(true), &json!(1))
        );
    }

    #[test]
    fn the_table_has_medians_and_ratios() {
        let mut report = report(vec![verdict(9, 1, true)]);
        for ms in [240, 120, 60] {
            let time = Duration::from_millis(ms);
            report.measures.push((Measure::Click, time));
        }
        let told = report.json(Duration::ZERO);
        assert_eq!(told["measured"][0]["p50_s"], 0.12);
        assert_eq!(told["measured"][0]["ratio"], 1.0);
        assert_eq!(told["measured"][0]["count"], 3);
        assert!(report.summary(Duration::ZERO).contains("0.12 s"));
    }
}
