//! The rules of the queue, which hold wherever it is kept: the same tests of the registry, of PostgreSQL and of Redis.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, json};

use super::super::{Place, Registry};
use super::JobStore;
use super::servers::Server;
use crate::model::ids::action_id;
use crate::model::{
    BrowserWish, Connection, ConnectionStatus, HumanAsk, Job, JobError, JobErrorKind, JobKind,
    JobProgress, JobState, Note, NoteStatus, Queue, UnixTime,
};
use crate::store::{Begun, Claimed, JobFilter, KeptConnection, NewJob, Run, Stop, Turn};

/// Silent for so long, a service has ended.
const LOST_AFTER: Duration = Duration::from_millis(400);

/// A service's part of a queue, with a registry of its own.
struct Service {
    store: JobStore,
    registry: Registry,
    place: PathBuf,
    url: String,
}

impl Service {
    fn on(url: &str) -> Self {
        let place = std::env::temp_dir().join(format!("queue-{}", action_id()));
        Self::at(place, url)
    }

    fn at(place: PathBuf, url: &str) -> Self {
        let of = Place {
            directory: place.clone(),
            is_usual: false,
        };
        let restore = &|_: &crate::model::SessionSpec| panic!("nothing is stored");
        // The thread of the one before lets the directory go a moment after its end; on a busy machine that is long.
        let until = Instant::now() + Duration::from_secs(10);
        let (registry, _) = loop {
            match Registry::open(&of, None, restore) {
                Err(error) if Instant::now() < until => {
                    assert!(error.to_string().contains("in use"), "{error}");
                    std::thread::sleep(Duration::from_millis(20));
                }
                opened => break opened.unwrap(),
            }
        };
        let store = JobStore::open(registry.clone(), url, LOST_AFTER).unwrap();
        let url = url.to_owned();
        Self {
            store,
            registry,
            place,
            url,
        }
    }

    /// Killed, and started again on what it has left.
    fn again(self) -> Self {
        let (place, url) = (self.place.clone(), self.url.clone());
        drop(self);
        Self::at(place, &url)
    }

    async fn put(&self, new: NewJob) -> (Job, bool) {
        self.store.put_job(new).await.unwrap()
    }

    async fn job(&self, job_id: &str) -> Job {
        self.store.job(job_id).await.unwrap().unwrap()
    }

    async fn turn(&self, turn: Turn) -> Claimed {
        self.store.claim_job(turn).await.unwrap()
    }

    /// The job that begins.
    async fn claim(&self, queue: Queue) -> Option<Run> {
        match self.turn(turn(queue)).await {
            Claimed::Job(run) => Some(*run),
            _ => None,
        }
    }

    async fn stop(&self, run: &Run, stop: Stop) -> Option<(Job, Option<Note>)> {
        let told = |job: &Job| match job.kind {
            JobKind::Notice => Vec::new(),
            _ => vec![order(JobKind::Notice).keyed(&format!("of {}", job.job_id))],
        };
        self.store.stop_job(run, stop, told).await.unwrap()
    }

    async fn turned(&self, job_id: &str, to: JobState) -> bool {
        use JobState::{Cancelled, Failed, PendingAuth, PendingHuman, Queued, Running};
        const ALL: [JobState; 6] = [
            Cancelled,
            Failed,
            PendingAuth,
            PendingHuman,
            Queued,
            Running,
        ];
        let turned = self.store.turn_job(job_id, &ALL, to, UnixTime::now());
        turned.await.unwrap().unwrap().2
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Where it goes on, its files are still open, and made again.
        if !self.place.join("keep").exists() {
            let _ = std::fs::remove_dir_all(&self.place);
        }
    }
}

fn order(kind: JobKind) -> NewJob {
    let now = UnixTime::now();
    NewJob {
        job: Job {
            job_id: action_id(),
            kind,
            queue: kind.queue(),
            state: JobState::Queued,
            args: Map::new(),
            connection_id: None,
            user_id: None,
            platform: None,
            browser: BrowserWish::default(),
            served_by: None,
            batch: None,
            attempts: 0,
            attempts_max: 3,
            run_at: now.to_iso8601(),
            created_at: now.to_iso8601(),
            started_at: None,
            finished_at: None,
            progress: None,
            result: None,
            error: None,
        },
        run_at: now,
        now,
        trace: None,
        unique_key: action_id(),
        unique_since: now.minus(Duration::from_secs(60)),
    }
}

impl NewJob {
    fn keyed(mut self, key: &str) -> Self {
        key.clone_into(&mut self.unique_key);
        self
    }

    fn of(mut self, user: &str, platform: &str) -> Self {
        self.job.user_id = Some(user.to_owned());
        self.job.platform = Some(platform.to_owned());
        self
    }

    fn given(mut self, name: &str, value: &str) -> Self {
        self.job.args.insert(name.to_owned(), value.into());
        self
    }

    fn later(mut self, by_s: f64) -> Self {
        self.run_at = UnixTime(self.now.0 + by_s);
        self
    }
}

fn turn(queue: Queue) -> Turn {
    Turn {
        queue,
        now: UnixTime::now(),
        rate: None,
        gives_way: false,
        rate_ahead: None,
    }
}

fn stop(state: JobState) -> Stop {
    Stop {
        state,
        run_at: None,
        counts: true,
        result: None,
        error: None,
        served_by: None,
        now: UnixTime::now(),
    }
}

fn failed(state: JobState, kind: JobErrorKind) -> Stop {
    let message = "it does not".to_owned();
    Stop {
        error: Some(JobError { kind, message }),
        ..stop(state)
    }
}

fn note(user: &str) -> Note {
    let note = json!({
        "note_id": action_id(), "user_id": user, "platform": "local", "video_url": "https://local/video",
        "video_id": null, "text": "Test note", "timestamp": 1.0, "confidence": 0.9, "status": "ready", "error": null,
        "posted_at": null, "platform_comment_id": null, "external_permalink": null,
    });
    serde_json::from_value(note).unwrap()
}

fn login(user: &str) -> KeptConnection {
    let (id, now) = (action_id(), UnixTime::now());
    KeptConnection {
        connection: Connection {
            browserbase_session_id: Some(format!("_connection-{id}")),
            connection_id: id,
            user_id: user.to_owned(),
            platform: "local".to_owned(),
            status: ConnectionStatus::Active,
            last_used_at: now.to_iso8601(),
            verified_at: None,
        },
        created_at: now,
        last_used_at: now,
        verified_at: None,
        pinged_at: None,
    }
}

/// All rules, on what is empty.
async fn rules(url: &str) {
    let service = Service::on(url);
    service.store.requeue_jobs().await.unwrap();
    the_same_job_is_there_once(&service).await;
    each_begins_in_its_turn(&service).await;
    starts_are_limited(&service).await;
    a_profile_serves_one_job(&service).await;
    maintenance_gives_way(&service).await;
    attempts_are_counted(&service).await;
    what_is_called_off_ends(&service).await;
    a_person_is_waited_for(&service).await;
    a_login_is_waited_for(&service).await;
    a_note_becomes_what_its_job_is(&service).await;
    old_jobs_are_forgotten(&service).await;
    nothing_is_lost_by_a_kill(service).await;
}

/// Ends what is left, so that each rule begins with an empty queue.
async fn clear(service: &Service) {
    let all = JobFilter {
        limit: 1_000,
        ..JobFilter::default()
    };
    for job in service.store.jobs(all).await.unwrap() {
        if !job.state.is_over() {
            assert!(service.turned(&job.job_id, JobState::Cancelled).await);
        }
    }
}

async fn the_same_job_is_there_once(service: &Service) {
    let first = order(JobKind::Workflow)
        .keyed("own:same")
        .of("ada", "local")
        .given("n", "ü\0'\"");
    let (job, is_new) = service.put(first.clone()).await;
    assert!(is_new);
    assert_eq!(service.job(&job.job_id).await, first.job);
    let (again, is_new) = service
        .put(order(JobKind::Workflow).keyed("own:same"))
        .await;
    assert_eq!(
        (again.job_id.as_str(), is_new),
        (job.job_id.as_str(), false)
    );
    // After its time it is another one.
    let mut late = order(JobKind::Workflow).keyed("own:same");
    late.unique_since = UnixTime(late.now.0 + 1.0);
    assert!(service.put(late).await.1);
    // What was called off is asked for anew.
    clear(service).await;
    let (other, is_new) = service
        .put(order(JobKind::Workflow).keyed("own:same"))
        .await;
    assert!(is_new && other.job_id != job.job_id);
    let of_ada = JobFilter {
        user_id: Some("ada".to_owned()),
        state: Some(JobState::Cancelled),
        limit: 10,
        ..JobFilter::default()
    };
    let found = service.store.jobs(of_ada).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].args["n"], "ü\0'\"");
    assert!(service.store.job("no such").await.unwrap().is_none());
    // Of many who ask for the same at once, one has it made.
    let asking = (0..8).map(|_| service.put(order(JobKind::Workflow).keyed("own:at once")));
    let made = futures::future::join_all(asking).await;
    assert_eq!(made.iter().filter(|(_, is_new)| *is_new).count(), 1);
    clear(service).await;
}

async fn each_begins_in_its_turn(service: &Service) {
    let mut wanted = Vec::new();
    for (place, at) in [(2, 0.0), (0, -2.0), (3, 0.0), (1, -1.0)] {
        let (job, _) = service.put(order(JobKind::Workflow).later(at)).await;
        wanted.push((place, job.job_id));
    }
    let later = order(JobKind::Workflow).later(100.0);
    service.put(later.clone()).await;
    wanted.sort();
    for (_, job_id) in wanted {
        let run = service.claim(Queue::Automation).await.unwrap();
        assert_eq!(run.job.job_id, job_id);
        assert_eq!(
            (run.job.state, run.job.attempts, run.number),
            (JobState::Running, 1, 1)
        );
        let there = service.job(&job_id).await;
        assert_eq!(
            (there.state, there.started_at),
            (JobState::Running, run.job.started_at.clone())
        );
        service.stop(&run, stop(JobState::Done)).await.unwrap();
    }
    // One has its time yet to come.
    match service.turn(turn(Queue::Automation)).await {
        Claimed::None(Some(at)) => assert_eq!(at, later.run_at),
        other => panic!("{other:?}"),
    }
    clear(service).await;
    assert!(matches!(
        service.turn(turn(Queue::Automation)).await,
        Claimed::None(None)
    ));
}

async fn starts_are_limited(service: &Service) {
    for _ in 0..4 {
        service.put(order(JobKind::Workflow)).await;
    }
    let limited = |since: UnixTime| Turn {
        rate: Some((2, since)),
        ..turn(Queue::Automation)
    };
    let since = UnixTime::now().minus(Duration::from_millis(1));
    let mut runs = Vec::new();
    for _ in 0..2 {
        match service.turn(limited(since)).await {
            Claimed::Job(run) => runs.push(run),
            other => panic!("{other:?}"),
        }
    }
    let begun: Vec<_> = runs
        .iter()
        .map(|run| run.job.started_at.clone().unwrap())
        .collect();
    match service.turn(limited(since)).await {
        Claimed::Rate(first) => assert_eq!(first.to_iso8601(), begun[0]),
        other => panic!("{other:?}"),
    }
    // A start that a person has kept from coming to anything is none.
    let uncounted = Stop {
        counts: false,
        run_at: Some(UnixTime(UnixTime::now().0 + 60.0)),
        ..failed(JobState::Queued, JobErrorKind::HumanInControl)
    };
    service.stop(&runs[0], uncounted).await.unwrap();
    assert!(matches!(
        service.turn(limited(since)).await,
        Claimed::Job(_)
    ));
    assert!(matches!(
        service.turn(limited(since)).await,
        Claimed::Rate(_)
    ));
    // After their time they do not count any more.
    let later = UnixTime::now();
    assert!(matches!(
        service.turn(limited(later)).await,
        Claimed::Job(_)
    ));
    clear(service).await;
}

async fn a_profile_serves_one_job(service: &Service) {
    let mut ids = Vec::new();
    for (user, platform) in [
        ("ada", "local"),
        ("ada", "local"),
        ("ada", "other"),
        ("bob", "local"),
    ] {
        ids.push(
            service
                .put(order(JobKind::Workflow).of(user, platform))
                .await
                .0
                .job_id,
        );
    }
    let mut runs = Vec::new();
    while let Some(run) = service.claim(Queue::Automation).await {
        runs.push(run);
    }
    let begun: Vec<_> = runs.iter().map(|run| run.job.job_id.clone()).collect();
    assert_eq!(begun, [ids[0].clone(), ids[2].clone(), ids[3].clone()]);
    service.stop(&runs[0], stop(JobState::Done)).await.unwrap();
    assert_eq!(
        service.claim(Queue::Automation).await.unwrap().job.job_id,
        ids[1]
    );
    clear(service).await;
}

async fn maintenance_gives_way(service: &Service) {
    service.put(order(JobKind::KeepAlive)).await;
    service.put(order(JobKind::Workflow)).await;
    let modest = Turn {
        gives_way: true,
        ..turn(Queue::Maintenance)
    };
    assert!(matches!(service.turn(modest).await, Claimed::Way));
    // It does not wait for what may not begin either.
    let full = Turn {
        rate_ahead: Some((0, modest.now)),
        ..modest
    };
    assert!(matches!(service.turn(full).await, Claimed::Job(_)));
    service.put(order(JobKind::KeepAlive)).await;
    assert!(service.claim(Queue::Automation).await.is_some());
    let modest = Turn {
        gives_way: true,
        ..turn(Queue::Maintenance)
    };
    assert!(matches!(service.turn(modest).await, Claimed::Job(_)));
    clear(service).await;
}

async fn attempts_are_counted(service: &Service) {
    let (job, _) = service.put(order(JobKind::Workflow)).await;
    let run = service.claim(Queue::Automation).await.unwrap();
    let doing = JobProgress {
        step: 1,
        of: 2,
        doing: "click".to_owned(),
    };
    service
        .store
        .note_progress(&run, doing.clone())
        .await
        .unwrap();
    assert!(service.store.note_intent(&run, "about to").await.unwrap());
    assert_eq!(service.job(&job.job_id).await.progress, Some(doing));
    let again = Stop {
        run_at: Some(UnixTime::now()),
        ..failed(JobState::Queued, JobErrorKind::Timeout)
    };
    let (after, _) = service.stop(&run, again).await.unwrap();
    assert_eq!((after.state, after.attempts), (JobState::Queued, 1));
    assert_eq!(after.error.unwrap().kind, JobErrorKind::Timeout);
    let second = service.claim(Queue::Automation).await.unwrap();
    assert_eq!((second.job.attempts, second.number), (2, 2));
    assert_eq!(second.intent.as_deref(), Some("about to"));
    // What the first run still says counts for nothing.
    assert!(!service.store.note_intent(&run, "late").await.unwrap());
    assert!(service.stop(&run, stop(JobState::Done)).await.is_none());
    let uncounted = Stop {
        counts: false,
        run_at: Some(UnixTime::now()),
        ..stop(JobState::Queued)
    };
    let (after, _) = service.stop(&second, uncounted).await.unwrap();
    assert_eq!(after.attempts, 1);
    let third = service.claim(Queue::Automation).await.unwrap();
    let (after, _) = service
        .stop(&third, failed(JobState::Failed, JobErrorKind::Timeout))
        .await
        .unwrap();
    assert!(after.state == JobState::Failed && after.finished_at.is_some());
    // The notice of it is in its queue with it.
    let told = service.claim(Queue::Notices).await.unwrap();
    assert_eq!(told.job.kind, JobKind::Notice);
    let done = Stop {
        result: Some(json!({"told": true})),
        ..stop(JobState::Done)
    };
    let (after, _) = service.stop(&told, done).await.unwrap();
    assert_eq!(after.result, Some(json!({"told": true})));
    assert!(service.claim(Queue::Notices).await.is_none());
    // It is tried anew with all its attempts.
    assert!(service.turned(&job.job_id, JobState::Queued).await);
    let anew = service.claim(Queue::Automation).await.unwrap();
    assert_eq!((anew.job.attempts, anew.number), (1, 4));
    clear(service).await;
}

async fn what_is_called_off_ends(service: &Service) {
    let (job, _) = service.put(order(JobKind::Workflow)).await;
    let run = service.claim(Queue::Automation).await.unwrap();
    assert!(service.turned(&job.job_id, JobState::Cancelled).await);
    assert!(service.stop(&run, stop(JobState::Done)).await.is_none());
    let over = service.job(&job.job_id).await;
    assert!(over.state == JobState::Cancelled && over.finished_at.is_some());
    let turned = service
        .store
        .turn_job("no such", &[], JobState::Queued, UnixTime::now());
    assert!(turned.await.unwrap().is_none());
    let turned = service.store.turn_job(
        &job.job_id,
        &[JobState::Running],
        JobState::Queued,
        UnixTime::now(),
    );
    assert!(!turned.await.unwrap().unwrap().2);
}

async fn a_person_is_waited_for(service: &Service) {
    let store = &service.store;
    let (job, _) = service.put(order(JobKind::Workflow)).await;
    let run = service.claim(Queue::Automation).await.unwrap();
    let ask = HumanAsk {
        reason: "a captcha".to_owned(),
        session: format!("_job-{}", job.job_id),
        url: "https://local/form".to_owned(),
        step: 2,
        ..HumanAsk::default()
    };
    assert!(store.note_ask(&run, ask.clone()).await.unwrap());
    let held = Stop {
        counts: false,
        ..failed(JobState::PendingHuman, JobErrorKind::HumanRequired)
    };
    service.stop(&run, held).await.unwrap();
    assert!(service.claim(Queue::Automation).await.is_none());
    assert!(
        store
            .asking_sessions()
            .await
            .unwrap()
            .contains(&ask.session)
    );
    let (there, asked) = store.human_ask(&job.job_id).await.unwrap().unwrap();
    assert_eq!(
        (there.state, asked),
        (JobState::PendingHuman, Some(ask.clone()))
    );
    assert!(store.human_ask_in(&ask.session).await.unwrap().is_none());
    store
        .open_ask(&ask.session, Some(&job.job_id))
        .await
        .unwrap();
    let (there, _) = store.human_ask_in(&ask.session).await.unwrap().unwrap();
    assert_eq!(there.job_id, job.job_id);
    store.open_ask(&ask.session, None).await.unwrap();
    assert!(store.human_ask_in(&ask.session).await.unwrap().is_none());
    let (after, _) = store
        .answer_ask(&job.job_id, "https://local/left", UnixTime::now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(after.state, JobState::Queued);
    let answered = store.answer_ask(&job.job_id, "", UnixTime::now());
    assert!(answered.await.unwrap().is_none());
    let run = service.claim(Queue::Automation).await.unwrap();
    let done = run.ask.clone().unwrap();
    assert!(done.is_done && done.left == "https://local/left" && run.job.attempts == 1);
    service.stop(&run, stop(JobState::Done)).await.unwrap();
    assert!(store.asking_sessions().await.unwrap().is_empty());
    clear(service).await;
}

async fn a_login_is_waited_for(service: &Service) {
    let (store, kept) = (&service.store, login("ada"));
    let id = kept.connection.connection_id.clone();
    service.registry.put_connection(kept).await.unwrap();
    let held = Stop {
        counts: false,
        ..failed(JobState::PendingAuth, JobErrorKind::LoggedOut)
    };
    let mut wanting = order(JobKind::Workflow).of("ada", "local");
    wanting.job.connection_id = Some(id.clone());
    let (job, _) = service.put(wanting).await;
    let run = service.claim(Queue::Automation).await.unwrap();
    service.stop(&run, held.clone()).await.unwrap();
    assert_eq!(service.job(&job.job_id).await.state, JobState::PendingAuth);
    let seen = |kept: &mut KeptConnection| kept.verified_at = Some(UnixTime::now());
    let learn = || store.learn_connection(&id, true, UnixTime::now(), seen, |_| Vec::new());
    let (_, _, released) = learn().await.unwrap().unwrap();
    assert_eq!(released.len(), 1);
    // A login that was seen while it ran is there for it.
    let run = service.claim(Queue::Automation).await.unwrap();
    learn().await.unwrap();
    let (after, _) = service.stop(&run, held.clone()).await.unwrap();
    assert_eq!(after.state, JobState::Queued);
    let run = service.claim(Queue::Automation).await.unwrap();
    service.stop(&run, held.clone()).await.unwrap();
    assert_eq!(store.release_jobs(UnixTime::now()).await.unwrap().len(), 1);
    // Nobody came for too long.
    let run = service.claim(Queue::Automation).await.unwrap();
    service.stop(&run, held.clone()).await.unwrap();
    let now = UnixTime::now();
    let before = now.minus(Duration::from_secs(60));
    assert!(
        store
            .fail_held(before, now, |_| Vec::new())
            .await
            .unwrap()
            .is_empty()
    );
    let late = UnixTime(now.0 + 1.0);
    let told = store
        .fail_held(late, now, |_| vec![order(JobKind::Notice)])
        .await
        .unwrap();
    assert_eq!((told.len(), told[0].0.state), (1, JobState::Failed));
    assert!(service.claim(Queue::Notices).await.is_some());
    // The connection is forgotten.
    assert!(service.turned(&job.job_id, JobState::Queued).await);
    let run = service.claim(Queue::Automation).await.unwrap();
    service.stop(&run, held).await.unwrap();
    let why = JobError {
        kind: JobErrorKind::SessionNotFound,
        message: "it was deleted".to_owned(),
    };
    let gone = store.remove_connection(&id, now, why.clone(), |_| Vec::new());
    let gone = gone.await.unwrap();
    assert_eq!((gone.len(), &gone[0].error), (1, &Some(why)));
    clear(service).await;
}

async fn a_note_becomes_what_its_job_is(service: &Service) {
    let (store, registry) = (&service.store, &service.registry);
    let note = note("ada");
    let id = note.note_id.clone();
    let now = UnixTime::now();
    registry.put_note(note, now).await.unwrap();
    let post = || {
        order(JobKind::PostNote)
            .of("ada", "local")
            .given("note_id", &id)
    };
    let (job, is_new) = service.put(post()).await;
    assert!(is_new);
    let (again, is_new) = service.put(post()).await;
    assert!(!is_new && again.job_id == job.job_id);
    let (_, state) = store.remove_note(&id).await.unwrap().unwrap();
    assert_eq!(state, Some(JobState::Queued));
    let run = service.claim(Queue::Automation).await.unwrap();
    assert!(matches!(
        registry.begin_note(&id, &job.job_id).await.unwrap(),
        Begun::Note(_, None)
    ));
    assert!(store.note_intent(&run, "about to").await.unwrap());
    let failing = failed(JobState::Failed, JobErrorKind::EffectNotSeen);
    let (_, told) = service.stop(&run, failing).await.unwrap();
    assert_eq!(told.unwrap().status, NoteStatus::Failed);
    // What the first job was about to do, the second one knows of.
    let (second, is_new) = service.put(post()).await;
    assert!(is_new && second.job_id != job.job_id);
    let run = service.claim(Queue::Automation).await.unwrap();
    let begun = registry.begin_note(&id, &second.job_id).await.unwrap();
    assert!(matches!(begun, Begun::Note(_, Some(intent)) if intent == "about to"));
    let begun = registry.begin_note(&id, &job.job_id).await.unwrap();
    assert!(matches!(begun, Begun::Refused(_)));
    let done = Stop {
        result: Some(json!({"comment_id": "c1", "permalink": "https://local/c1"})),
        ..stop(JobState::Done)
    };
    let (_, told) = service.stop(&run, done).await.unwrap();
    let told = told.unwrap();
    assert_eq!(told.status, NoteStatus::Posted);
    assert_eq!(told.platform_comment_id.as_deref(), Some("c1"));
    assert_eq!(store.remove_note(&id).await.unwrap().unwrap().1, None);
    clear(service).await;
}

async fn old_jobs_are_forgotten(service: &Service) {
    let (kept, _) = service.put(order(JobKind::Workflow)).await;
    let (over, _) = service
        .put(order(JobKind::Workflow).keyed("own:over"))
        .await;
    assert!(service.turned(&over.job_id, JobState::Cancelled).await);
    let soon = UnixTime(UnixTime::now().0 + 1.0);
    assert!(service.store.forget_jobs(soon).await.unwrap() > 0);
    assert!(service.store.job(&over.job_id).await.unwrap().is_none());
    assert_eq!(service.job(&kept.job_id).await.state, JobState::Queued);
    assert_eq!(service.store.forget_jobs(soon).await.unwrap(), 0);
    clear(service).await;
}

async fn nothing_is_lost_by_a_kill(service: Service) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(service.put(order(JobKind::Workflow)).await.0.job_id);
    }
    let run = service.claim(Queue::Automation).await.unwrap();
    assert!(service.store.note_intent(&run, "about to").await.unwrap());
    std::fs::write(service.place.join("keep"), "").unwrap();
    let service = service.again();
    assert_eq!(service.store.requeue_jobs().await.unwrap(), 1);
    std::fs::remove_file(service.place.join("keep")).unwrap();
    for (place, job_id) in ids.iter().enumerate() {
        let run = service.claim(Queue::Automation).await.unwrap();
        assert_eq!(run.job.job_id, *job_id);
        // The one that was cut short has not been tried.
        assert_eq!(run.job.attempts, 1);
        assert_eq!(run.intent.is_some(), place == 0);
    }
    clear(&service).await;
}

/// What holds among services that share a queue.
async fn shared(url: &str) {
    work_is_shared(url).await;
    what_is_on_a_disk_is_done_there(url).await;
    silence_is_noticed(url).await;
    others_are_heard(url).await;
    what_was_in_the_registry_comes_along(url).await;
    what_a_crash_leaves_is_put_right(url).await;
}

async fn two(url: &str) -> (Service, Service) {
    let (one, other) = (Service::on(url), Service::on(url));
    for service in [&one, &other] {
        service.store.requeue_jobs().await.unwrap();
    }
    (one, other)
}

async fn work_is_shared(url: &str) {
    let (one, other) = two(url).await;
    let since = UnixTime::now();
    let limited = |service: &Service| {
        let store = service.store.clone();
        async move {
            let mut begun = Vec::new();
            loop {
                let turn = Turn {
                    rate: Some((30, since)),
                    ..turn(Queue::Automation)
                };
                match store.claim_job(turn).await.unwrap() {
                    Claimed::Job(run) => begun.push(run.job.job_id),
                    _ => return begun,
                }
            }
        }
    };
    futures::future::join_all((0..40).map(|_| one.put(order(JobKind::Workflow)))).await;
    let (mut first, second) = tokio::join!(limited(&one), limited(&other));
    first.extend(second);
    first.sort();
    first.dedup();
    // None twice, and the rate is that of all together.
    assert_eq!(first.len(), 30);
    clear(&one).await;
}

async fn what_is_on_a_disk_is_done_there(url: &str) {
    let (one, other) = two(url).await;
    let within = order(JobKind::Workflow)
        .given("session_id", "mine")
        .keyed("like:it");
    let (bound, _) = one.put(within.clone()).await;
    // Of the same name another session is elsewhere.
    let (theirs, is_new) = other
        .put(
            order(JobKind::Workflow)
                .given("session_id", "mine")
                .keyed("like:it"),
        )
        .await;
    assert!(is_new);
    let (free, _) = one.put(order(JobKind::Workflow)).await;
    let first = other.claim(Queue::Automation).await.unwrap();
    let second = other.claim(Queue::Automation).await.unwrap();
    assert_eq!(
        [&first.job.job_id, &second.job.job_id],
        [&theirs.job_id, &free.job_id]
    );
    assert!(other.claim(Queue::Automation).await.is_none());
    assert_eq!(
        one.claim(Queue::Automation).await.unwrap().job.job_id,
        bound.job_id
    );
    // One that has asked for a person is held where its page is.
    let ask = HumanAsk {
        session: "_job-x".to_owned(),
        ..HumanAsk::default()
    };
    assert!(other.store.note_ask(&second, ask).await.unwrap());
    let held = Stop {
        counts: false,
        ..failed(JobState::PendingHuman, JobErrorKind::HumanRequired)
    };
    other.stop(&second, held).await.unwrap();
    assert!(one.store.human_ask(&free.job_id).await.is_err());
    assert!(one.store.asking_sessions().await.unwrap().is_empty());
    let answered = other.store.answer_ask(&free.job_id, "", UnixTime::now());
    answered.await.unwrap().unwrap();
    assert!(one.claim(Queue::Automation).await.is_none());
    assert!(other.claim(Queue::Automation).await.is_some());
    clear(&one).await;
}

async fn silence_is_noticed(url: &str) {
    let (one, other) = two(url).await;
    let (free, _) = one.put(order(JobKind::Workflow)).await;
    let (bound, _) = one
        .put(order(JobKind::Workflow).given("session_id", "mine"))
        .await;
    let runs = [
        one.claim(Queue::Automation).await.unwrap(),
        one.claim(Queue::Automation).await.unwrap(),
    ];
    one.store.beat().await.unwrap();
    assert!(other.store.beat().await.unwrap().returned.is_empty());
    assert!(one.store.adrift().is_empty());
    tokio::time::sleep(LOST_AFTER + Duration::from_millis(100)).await;
    // It leaves what another one may take up.
    assert_eq!(one.store.adrift(), [(free.job_id.clone(), 1)]);
    let returned = other.store.beat().await.unwrap().returned;
    let returned: Vec<_> = returned.iter().map(|job| job.job_id.clone()).collect();
    assert_eq!(returned, std::slice::from_ref(&free.job_id));
    assert_eq!(
        other.claim(Queue::Automation).await.unwrap().job.job_id,
        free.job_id
    );
    // It lives after all: what it runs still is not the job's run any more.
    let pulse = one.store.beat().await.unwrap();
    assert_eq!(pulse.stray, [(free.job_id.clone(), 1)]);
    assert!(one.stop(&runs[0], stop(JobState::Done)).await.is_none());
    one.stop(&runs[1], stop(JobState::Done)).await.unwrap();
    assert_eq!(one.job(&bound.job_id).await.state, JobState::Done);
    // What it has let go of it gives back.
    let (left, _) = one.put(order(JobKind::Workflow)).await;
    let run = one.claim(Queue::Automation).await.unwrap();
    one.store.let_go(&run);
    let returned = one.store.beat().await.unwrap().returned;
    assert_eq!(returned[0].job_id, left.job_id);
    // Nobody else goes by its name.
    std::fs::write(one.place.join("keep"), "").unwrap();
    let copy = JobStore::open(one.registry.clone(), url, LOST_AFTER).unwrap();
    copy.requeue_jobs().await.unwrap();
    one.store.beat().await.unwrap();
    assert!(one.store.problem().unwrap().contains("copy"));
    assert!(one.claim(Queue::Automation).await.is_none());
    assert!(matches!(
        copy.claim_job(turn(Queue::Automation)).await.unwrap(),
        Claimed::Job(_)
    ));
    std::fs::remove_file(one.place.join("keep")).unwrap();
    clear(&other).await;
}

async fn others_are_heard(url: &str) {
    let (one, other) = two(url).await;
    other.store.changes(UnixTime::now()).await.unwrap();
    let (job, _) = one.put(order(JobKind::Workflow)).await;
    let heard = other.store.changes(UnixTime::now()).await.unwrap();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].is_turned && heard[0].job == job);
    assert!(
        other
            .store
            .changes(UnixTime::now())
            .await
            .unwrap()
            .is_empty()
    );
    let run = one.claim(Queue::Automation).await.unwrap();
    one.store
        .note_progress(&run, JobProgress::default())
        .await
        .unwrap();
    let heard = other.store.changes(UnixTime::now()).await.unwrap();
    assert_eq!((heard.len(), heard[0].job.state), (1, JobState::Running));
    // Called off elsewhere.
    assert!(other.turned(&job.job_id, JobState::Cancelled).await);
    assert_eq!(
        one.store.beat().await.unwrap().stray,
        [(job.job_id.clone(), 1)]
    );
    let heard = one.store.changes(UnixTime::now()).await.unwrap();
    assert_eq!(heard.last().unwrap().job.state, JobState::Cancelled);
}

async fn what_was_in_the_registry_comes_along(url: &str) {
    let alone = Service::on("");
    let registry = &alone.registry;
    let note = note("ada");
    let id = note.note_id.clone();
    registry.put_note(note, UnixTime::now()).await.unwrap();
    let mut ids = vec![alone.put(order(JobKind::Workflow)).await.0.job_id];
    let post = order(JobKind::PostNote)
        .of("ada", "local")
        .given("note_id", &id);
    ids.push(alone.put(post).await.0.job_id);
    alone.claim(Queue::Automation).await.unwrap();
    let joined = JobStore::open(registry.clone(), url, LOST_AFTER).unwrap();
    joined.requeue_jobs().await.unwrap();
    assert!(registry.jobs_left().await.unwrap().is_empty());
    for job_id in &ids {
        match joined.claim_job(turn(Queue::Automation)).await.unwrap() {
            Claimed::Job(run) => {
                assert_eq!(run.job.job_id, *job_id);
                joined
                    .stop_job(&run, stop(JobState::Done), |_| Vec::new())
                    .await
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    let posted = registry.note(&id).await.unwrap().unwrap();
    assert_eq!(posted.status, NoteStatus::Posted);
}

async fn what_a_crash_leaves_is_put_right(url: &str) {
    let (one, other) = two(url).await;
    let note = note("ada");
    let id = note.note_id.clone();
    one.registry.put_note(note, UnixTime::now()).await.unwrap();
    let post = order(JobKind::PostNote)
        .of("ada", "local")
        .given("note_id", &id);
    let (job, _) = one.put(post).await;
    let run = one.claim(Queue::Automation).await.unwrap();
    one.registry.begin_note(&id, &job.job_id).await.unwrap();
    // Its end was written by one that has not the note: as if the service had died in between.
    let done = stop(JobState::Done);
    let told = other
        .store
        .stop_job(&run, done, |_| Vec::new())
        .await
        .unwrap()
        .unwrap();
    assert!(told.1.is_none());
    let posting = one.registry.note(&id).await.unwrap().unwrap();
    assert_eq!(posting.status, NoteStatus::Posting);
    let settled = one.store.reconcile(UnixTime::now()).await.unwrap();
    assert_eq!(settled.notes.len(), 1);
    assert_eq!(
        (settled.notes[0].0, settled.notes[0].1.status),
        (JobState::Done, NoteStatus::Posted)
    );
    assert!(
        one.store
            .reconcile(UnixTime::now())
            .await
            .unwrap()
            .notes
            .is_empty()
    );
}

fn run(rules: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(rules);
}

#[test]
fn the_registry_keeps_the_rules() {
    run(rules(""));
}

#[test]
fn postgres_keeps_the_rules() {
    let server = Server::postgres();
    run(async {
        rules(server.url()).await;
        shared(server.url()).await;
    });
}

#[test]
fn redis_keeps_the_rules() {
    let server = Server::redis();
    run(async {
        rules(server.url()).await;
        shared(server.url()).await;
    });
}

#[test]
fn a_password_is_never_told() {
    run(async {
        for url in [
            "postgres://ghost:hunter%232@127.0.0.1:1/jobs",
            "redis://:hunter%232@127.0.0.1:1/0",
        ] {
            let service = Service::on(url);
            let error = service.store.job("x").await.unwrap_err();
            assert_eq!(error.kind, crate::error::ErrorKind::Unavailable);
            let told = format!("{error:?} {} {:?}", error.in_full(), service.store);
            assert!(!told.contains("hunter"), "{told}");
            assert!(service.store.problem().is_some());
        }
        let registry = Service::on("").registry.clone();
        for url in [
            "postgres://u:hunter2@h:notaport/x",
            "redis://:hunter2@h/none",
            "http://:hunter2@h",
        ] {
            let error = JobStore::open(registry.clone(), url, LOST_AFTER).unwrap_err();
            assert!(!error.in_full().contains("hunter2"), "{}", error.in_full());
        }
    });
}
