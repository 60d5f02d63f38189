//! The queue of a session's actions as a pure core: who may enter, who runs, and how each one ends;
//! no clock and no I/O.
//!
//! The page that the session is opened with is the first entry, so that actions may be asked for
//! while it comes, and a newer navigation takes its place. One entry runs at a time, in the order in
//! which they entered. Each ends once: by [`Queue::finished`], when the shell has performed it, or by
//! a [`Step::End`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::corrections::Failed;

/// An entry that does not end when it is told to is given up after this.
pub const GRACE: Duration = Duration::from_secs(15);

/// The bounds of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries that may wait behind the running one.
    pub waiting_max: usize,
    /// Longest wait.
    pub wait_max: Duration,
    /// How long the opening may keep others waiting.
    pub patience: Duration,
}

/// What is acted on: a tab, and the document that it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The tab.
    pub tab: u32,
    /// The document, as the tab counts them.
    pub document: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The page that the session is opened with.
    Opening,
    /// A navigation that can be followed; the opening is no longer wanted.
    Navigation,
    /// An action whose target is an index, which means an element of the page at that time.
    OfIndex,
    /// It only looks, and so goes on while a person drives.
    Passive,
    /// Any other action.
    Plain,
}

impl Kind {
    /// Whether it goes on when a person takes the wheel, who may want the page to themselves.
    const fn stays(self, is_private: bool) -> bool {
        matches!(self, Self::Opening) || (matches!(self, Self::Passive) && !is_private)
    }
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// The failed action that it tries to put right.
    pub correction_of: Option<String>,
    /// How long it may run.
    pub bound: Duration,
}

/// Why an entry that runs shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Nobody wants it any more.
    Cancelled,
    /// A newer navigation takes its place.
    Superseded,
    /// A person has taken the wheel.
    Taken,
    /// It has run for as long as it may.
    Overdue,
    /// It is the opening, and has kept others waiting for long enough. Its page may go on loading.
    Yield,
}

/// How an entry ended that was not performed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The session's browser is lost.
    Lost,
    /// The process of the session's page is lost.
    Crashed,
    /// The session is closed or about to be.
    Closed,
    /// It corrects no failure of the session.
    NoSuchFailure,
    /// Too many wait already.
    Full,
    /// It has waited for too long.
    WaitedTooLong,
    /// It was cancelled before it began.
    Cancelled,
    /// A person has taken the wheel.
    Taken,
    /// The page that its index was for is no longer there.
    PageChanged,
    /// It did not end when it was told to.
    GivenUp(Interrupt),
}

/// What the shell shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Perform this one, and tell when it has [`Queue::finished`].
    Run {
        /// Which.
        id: String,
    },
    /// Bring the running one to its end.
    Interrupt {
        /// Which.
        id: String,
        /// Why.
        why: Interrupt,
    },
    /// This one has ended; whatever runs of it is dropped.
    End {
        /// Which.
        id: String,
        /// Why.
        why: Why,
    },
}

/// Where an entry was when it was to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It waited, and has ended.
    Waiting,
    /// It runs, and is being brought to its end.
    Running,
    /// It has ended, or never was.
    Nowhere,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    since: Instant,
    /// What was there when it entered.
    place: Place,
}

#[derive(Debug)]
struct Running {
    entry: Entry,
    since: Instant,
    interrupted: Option<(Interrupt, Instant)>,
}

/// A session's actions.
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    running: Option<Running>,
    waiting: VecDeque<Waiting>,
    failed: Failed,
    /// Why nothing enters any more.
    over: Option<Why>,
}

impl Queue {
    /// A queue of a session that lives.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            running: None,
            waiting: VecDeque::new(),
            failed: Failed::default(),
            over: None,
        }
    }

    /// The entry that runs.
    pub fn running(&self) -> Option<&str> {
        self.running.as_ref().map(|running| &*running.entry.id)
    }

    /// Whether one runs that acts on the page, other than the opening.
    pub fn acts(&self, is_private: bool) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| !running.entry.kind.stays(is_private))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Notes an entry that was refused before it entered: it may be corrected as any other.
    pub fn note_refused(&mut self, id: &str) {
        self.failed.note(id);
    }

    /// Whether this failure is known; none named is as good.
    pub fn knows(&self, correction_of: Option<&str>) -> bool {
        self.failed.holds(correction_of)
    }

    /// Takes an entry in, or ends it at once. `place` is what is acted on at this moment.
    pub fn admit(&mut self, now: Instant, entry: Entry, place: Place) -> Vec<Step> {
        let refusal = if let Some(over) = self.over {
            Some(over)
        } else if !self.knows(entry.correction_of.as_deref()) {
            Some(Why::NoSuchFailure)
        } else {
            let is_full = self.running.is_some() && self.waiting.len() >= self.limits.waiting_max;
            is_full.then_some(Why::Full)
        };
        let mut steps = Vec::new();
        if let Some(why) = refusal {
            self.end_one(entry.id, why, &mut steps);
            return steps;
        }
        if entry.kind == Kind::Navigation {
            self.supersede(now, &mut steps);
        }
        self.waiting.push_back(Waiting {
            entry,
            since: now,
            place,
        });
        self.go_on(now, place, &mut steps);
        steps
    }

    /// Ends an entry that nobody wants any more.
    pub fn cancel(&mut self, now: Instant, id: &str) -> (Found, Vec<Step>) {
        let mut steps = Vec::new();
        if let Some(at) = self.waiting.iter().position(|one| one.entry.id == id) {
            self.waiting.remove(at);
            self.end_one(id.to_owned(), Why::Cancelled, &mut steps);
            return (Found::Waiting, steps);
        }
        match &mut self.running {
            Some(running) if running.entry.id == id => {
                running.interrupt(now, Interrupt::Cancelled, &mut steps);
                (Found::Running, steps)
            }
            _ => (Found::Nowhere, steps),
        }
    }

    /// Hears that the running entry has been performed, whatever came of it. An entry that has ended
    /// already is not heard of: answers whether this one had not.
    pub fn finished(
        &mut self,
        now: Instant,
        id: &str,
        is_success: bool,
        place: Place,
    ) -> (bool, Vec<Step>) {
        let mut steps = Vec::new();
        if self.running() != Some(id) {
            return (false, steps);
        }
        self.running = None;
        if !is_success {
            self.failed.note(id);
        }
        self.go_on(now, place, &mut steps);
        (true, steps)
    }

    /// Ends everything: nothing enters any more.
    pub fn end(&mut self, why: Why) -> Vec<Step> {
        let mut steps = Vec::new();
        self.over = Some(why);
        let running = self.running.take().map(|running| running.entry);
        let waiting = std::mem::take(&mut self.waiting);
        let waiting = waiting.into_iter().map(|waiting| waiting.entry);
        for entry in running.into_iter().chain(waiting) {
            self.end_one(entry.id, why, &mut steps);
        }
        steps
    }

    /// A person has taken the wheel: what acts on the page ends. The opening goes on, and so does what only
    /// looks.
    pub fn give_way(&mut self, now: Instant, place: Place, is_private: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(running) = &mut self.running
            && !running.entry.kind.stays(is_private)
        {
            running.interrupt(now, Interrupt::Taken, &mut steps);
        }
        let (left, ended) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.entry.kind.stays(is_private));
        self.waiting = left;
        let ended: VecDeque<Waiting> = ended;
        for waiting in ended {
            self.end_one(waiting.entry.id, Why::Taken, &mut steps);
        }
        self.go_on(now, place, &mut steps);
        steps
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref().map(|running| self.due(running));
        let waiting = self.waiting.front();
        let waiting = waiting.map(|waiting| waiting.since + self.limits.wait_max);
        running.into_iter().chain(waiting).min()
    }

    /// Ends what is due.
    pub fn tick(&mut self, now: Instant, place: Place) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(first) = self.waiting.front()
            && first.since + self.limits.wait_max <= now
            && let Some(late) = self.waiting.pop_front()
        {
            self.end_one(late.entry.id, Why::WaitedTooLong, &mut steps);
        }
        let is_due = self.running.as_ref().is_some_and(|r| self.due(r) <= now);
        let is_wanted = !self.waiting.is_empty();
        if is_due && let Some(mut running) = self.running.take() {
            if let Some((why, _)) = running.interrupted {
                self.end_one(running.entry.id, Why::GivenUp(why), &mut steps);
                self.go_on(now, place, &mut steps);
            } else {
                let ran = now.saturating_duration_since(running.since);
                let why = match running.entry.kind {
                    Kind::Opening if is_wanted && ran < running.entry.bound => Interrupt::Yield,
                    _ => Interrupt::Overdue,
                };
                running.interrupt(now, why, &mut steps);
                self.running = Some(running);
            }
        }
        steps
    }

    fn due(&self, running: &Running) -> Instant {
        if let Some((_, at)) = running.interrupted {
            return at + GRACE;
        }
        let is_opening = running.entry.kind == Kind::Opening;
        let bound = match is_opening && !self.waiting.is_empty() {
            true => running.entry.bound.min(self.limits.patience),
            false => running.entry.bound,
        };
        running.since + bound
    }

    fn supersede(&mut self, now: Instant, steps: &mut Vec<Step>) {
        if let Some(running) = &mut self.running
            && running.entry.kind == Kind::Opening
        {
            running.interrupt(now, Interrupt::Superseded, steps);
        }
    }

    /// Runs the next one, if none runs.
    fn go_on(&mut self, now: Instant, place: Place, steps: &mut Vec<Step>) {
        while self.running.is_none() {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            if next.entry.kind == Kind::OfIndex && next.place != place {
                self.end_one(next.entry.id, Why::PageChanged, steps);
                continue;
            }
            let id = next.entry.id.clone();
            self.running = Some(Running {
                entry: next.entry,
                since: now,
                interrupted: None,
            });
            steps.push(Step::Run { id });
        }
    }

    fn end_one(&mut self, id: String, why: Why, steps: &mut Vec<Step>) {
        self.failed.note(&id);
        steps.push(Step::End { id, why });
    }
}

impl Running {
    /// Once: whoever comes later has nothing to add.
    fn interrupt(&mut self, now: Instant, why: Interrupt, steps: &mut Vec<Step>) {
        if self.interrupted.is_none() {
            self.interrupted = Some((why, now));
            let id = self.entry.id.clone();
            steps.push(Step::Interrupt { id, why });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place {
        tab: 1,
        document: 1,
    };
    const ELSEWHERE: Place = Place {
        tab: 1,
        document: 2,
    };
    const LIMITS: Limits = Limits {
        waiting_max: 3,
        wait_max: Duration::from_secs(100),
        patience: Duration::from_secs(15),
    };

    fn entry(id: &str, kind: Kind) -> Entry {
        Entry {
            id: id.to_owned(),
            kind,
            correction_of: None,
            bound: Duration::from_secs(60),
        }
    }

    fn run(id: &str) -> Step {
        Step::Run { id: id.to_owned() }
    }

    fn end(id: &str, why: Why) -> Step {
        let id = id.to_owned();
        Step::End { id, why }
    }

    fn interrupt(id: &str, why: Interrupt) -> Step {
        let id = id.to_owned();
        Step::Interrupt { id, why }
    }

    #[test]
    fn actions_wait_for_the_opening_and_a_navigation_takes_its_place() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        let opening = queue.admit(now, entry("open", Kind::Opening), PLACE);
        assert_eq!(opening, [run("open")]);
        assert_eq!(queue.admit(now, entry("scroll", Kind::Plain), PLACE), []);
        let newer = queue.admit(now, entry("go", Kind::Navigation), PLACE);
        assert_eq!(newer, [interrupt("open", Interrupt::Superseded)]);
        let again = queue.admit(now, entry("go on", Kind::Navigation), PLACE);
        assert_eq!(again, [], "it is told once");
        let (_, next) = queue.finished(now, "open", false, PLACE);
        assert_eq!(next, [run("scroll")], "in order");
        assert_eq!(queue.finished(now, "scroll", true, PLACE).1, [run("go")]);
        let last = queue.admit(now, entry("last", Kind::Navigation), PLACE);
        assert_eq!(last, [], "only the opening makes way");
    }

    #[test]
    fn an_opening_that_is_slow_makes_way_for_who_waits() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("open", Kind::Opening), PLACE);
        assert_eq!(queue.deadline(), Some(now + Duration::from_secs(60)));
        let later = now + Duration::from_secs(20);
        assert_eq!(queue.tick(later, PLACE), [], "nobody waits");
        queue.admit(later, entry("scroll", Kind::Plain), PLACE);
        let steps = queue.tick(later, PLACE);
        assert_eq!(steps, [interrupt("open", Interrupt::Yield)]);
        let given_up = queue.tick(later + GRACE, PLACE);
        let ended = end("open", Why::GivenUp(Interrupt::Yield));
        assert_eq!(given_up, [ended, run("scroll")]);
        assert!(
            !queue.finished(later, "open", true, PLACE).0,
            "it has ended"
        );
    }

    #[test]
    fn an_index_is_for_the_page_that_it_was_asked_for() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("go", Kind::Navigation), PLACE);
        queue.admit(now, entry("click", Kind::OfIndex), PLACE);
        queue.admit(now, entry("scroll", Kind::Plain), PLACE);
        let (_, steps) = queue.finished(now, "go", true, ELSEWHERE);
        assert_eq!(steps, [end("click", Why::PageChanged), run("scroll")]);
        queue.admit(now, entry("same", Kind::OfIndex), ELSEWHERE);
        let (_, steps) = queue.finished(now, "scroll", true, ELSEWHERE);
        assert_eq!(steps, [run("same")], "the page is the same");
    }

    #[test]
    fn whoever_waits_is_cancelled_at_once_and_who_runs_is_told() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("a", Kind::Plain), PLACE);
        queue.admit(now, entry("b", Kind::Plain), PLACE);
        let cancelled = queue.cancel(now, "b");
        assert_eq!(cancelled, (Found::Waiting, vec![end("b", Why::Cancelled)]));
        let cancelled = queue.cancel(now, "a");
        let told = vec![interrupt("a", Interrupt::Cancelled)];
        assert_eq!(cancelled, (Found::Running, told));
        assert_eq!(queue.cancel(now, "a"), (Found::Running, vec![]));
        assert_eq!(queue.cancel(now, "b"), (Found::Nowhere, vec![]));
    }

    #[test]
    fn nobody_waits_or_runs_for_ever() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("a", Kind::Plain), PLACE);
        queue.admit(now, entry("b", Kind::Plain), PLACE);
        let minute = now + Duration::from_secs(60);
        let steps = queue.tick(minute, PLACE);
        assert_eq!(steps, [interrupt("a", Interrupt::Overdue)]);
        let steps = queue.tick(minute + GRACE, PLACE);
        let given_up = end("a", Why::GivenUp(Interrupt::Overdue));
        assert_eq!(steps, [given_up, run("b")]);
        queue.admit(minute, entry("c", Kind::Plain), PLACE);
        let steps = queue.tick(minute + LIMITS.wait_max, PLACE);
        let overdue = interrupt("b", Interrupt::Overdue);
        assert_eq!(steps, [end("c", Why::WaitedTooLong), overdue]);
    }

    #[test]
    fn what_is_over_takes_nothing() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("a", Kind::Plain), PLACE);
        queue.admit(now, entry("b", Kind::Plain), PLACE);
        assert_eq!(
            queue.end(Why::Lost),
            [end("a", Why::Lost), end("b", Why::Lost)]
        );
        assert_eq!(queue.end(Why::Closed), []);
        let late = queue.admit(now, entry("c", Kind::Opening), PLACE);
        assert_eq!(late, [end("c", Why::Closed)]);
        assert_eq!(queue.deadline(), None);
    }

    #[test]
    fn a_correction_names_a_failure() {
        let now = Instant::now();
        let mut queue = Queue::new(LIMITS);
        queue.admit(now, entry("a", Kind::Plain), PLACE);
        let correcting = Entry {
            correction_of: Some("a".to_owned()),
            ..entry("b", Kind::Plain)
        };
        let early = queue.admit(now, correcting.clone(), PLACE);
        assert_eq!(early, [end("b", Why::NoSuchFailure)]);
        queue.finished(now, "a", false, PLACE);
        assert_eq!(queue.admit(now, correcting, PLACE), [run("b")]);
    }

    #[derive(Debug, Clone)]
    enum Act {
        Admit(Kind),
        Cancel(usize),
        Finish(bool),
        /// The running one's end is heard of a second time.
        FinishAgain,
        Move,
        Wait(u64),
        End(Why),
    }

    fn any_act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => prop_oneof![
                Just(Kind::Opening),
                Just(Kind::Navigation),
                Just(Kind::OfIndex),
                Just(Kind::Plain)
            ]
            .prop_map(Act::Admit),
            2 => (0_usize..60).prop_map(Act::Cancel),
            4 => any::<bool>().prop_map(Act::Finish),
            1 => Just(Act::FinishAgain),
            1 => Just(Act::Move),
            3 => (0_u64..80).prop_map(Act::Wait),
            1 => prop_oneof![Just(Why::Lost), Just(Why::Crashed), Just(Why::Closed)].prop_map(Act::End),
        ]
    }

    /// What a shell knows of all entries.
    #[derive(Default)]
    struct Shell {
        /// How often each has ended.
        ends: HashMap<String, u32>,
        /// Which has run, in order.
        runs: Vec<usize>,
        running: Option<String>,
        last: String,
    }

    impl Shell {
        fn take(&mut self, steps: Vec<Step>) -> Result<(), TestCaseError> {
            for step in steps {
                match step {
                    Step::Run { id } => {
                        prop_assert_eq!(&self.running, &None, "one at a time");
                        prop_assert_eq!(self.ends[&id], 0, "what has ended does not run");
                        self.runs.push(id.parse().expect("a number"));
                        self.running = Some(id);
                    }
                    Step::Interrupt { id, .. } => {
                        prop_assert_eq!(self.running.as_deref(), Some(&*id));
                    }
                    Step::End { id, .. } => {
                        if self.running.as_deref() == Some(&*id) {
                            self.running = None;
                        }
                        self.ended(&id);
                    }
                }
            }
            Ok(())
        }

        fn ended(&mut self, id: &str) {
            *self.ends.entry(id.to_owned()).or_default() += 1;
        }
    }

    proptest! {
        /// Whatever happens: each entry ends in exactly one way, they run in the order in which they
        /// entered and one at a time, no more wait than may, and a session that is over takes none.
        #[test]
        fn each_entry_ends_once(acts in proptest::collection::vec(any_act(), 0..60)) {
            let mut now = Instant::now();
            let (mut queue, mut shell, mut place) = (Queue::new(LIMITS), Shell::default(), PLACE);
            let (mut count, mut is_over) = (0, false);
            for act in acts {
                match act {
                    Act::Admit(kind) => {
                        let id = count.to_string();
                        count += 1;
                        shell.ends.insert(id.clone(), 0);
                        let steps = queue.admit(now, entry(&id, kind), place);
                        shell.take(steps)?;
                        prop_assert!(!is_over || shell.ends[&id] == 1);
                    }
                    Act::Cancel(number) => {
                        let id = number.to_string();
                        let (found, steps) = queue.cancel(now, &id);
                        let known = shell.ends.get(&id).copied();
                        prop_assert_eq!(found == Found::Nowhere, known != Some(0));
                        shell.take(steps)?;
                    }
                    Act::Finish(is_success) => {
                        if let Some(id) = shell.running.take() {
                            shell.ended(&id);
                            let (is_first, steps) = queue.finished(now, &id, is_success, place);
                            prop_assert!(is_first);
                            shell.take(steps)?;
                            shell.last = id;
                        }
                    }
                    Act::FinishAgain => {
                        let last = shell.last.clone();
                        let (is_first, steps) = queue.finished(now, &last, true, place);
                        prop_assert!(!is_first && steps.is_empty());
                    }
                    Act::Move => place.document += 1,
                    Act::Wait(seconds) => {
                        now += Duration::from_secs(seconds);
                        let steps = queue.tick(now, place);
                        shell.take(steps)?;
                    }
                    Act::End(why) => {
                        is_over = true;
                        let steps = queue.end(why);
                        shell.take(steps)?;
                        prop_assert_eq!(queue.deadline(), None);
                    }
                }
                prop_assert_eq!(queue.running(), shell.running.as_deref());
                prop_assert!(queue.waiting() <= LIMITS.waiting_max);
                prop_assert!(queue.running().is_some() || queue.waiting() == 0, "none is left");
                let open = shell.ends.values().filter(|ends| **ends == 0).count();
                prop_assert_eq!(open, queue.waiting() + usize::from(queue.running().is_some()));
                prop_assert!(shell.ends.values().all(|ends| *ends <= 1));
                prop_assert!(shell.runs.is_sorted());
            }
            // Time alone ends them all.
            while let Some(deadline) = queue.deadline() {
                now = now.max(deadline);
                let steps = queue.tick(now, place);
                prop_assert!(!steps.is_empty(), "a deadline is no idle alarm");
                shell.take(steps)?;
            }
            prop_assert!(shell.ends.values().all(|ends| *ends == 1));
        }
    }
}
