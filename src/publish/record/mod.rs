//! Records a session's access units into an MP4 file, as they are: no second encode.
//!
//! A recorder is a publisher like the others: it holds a [`Feed`] and counts as a watcher. It runs on
//! a thread of its own, so a slow disk stalls nobody: what waits is bounded by its ring, which is
//! deep enough for a disk that hesitates. A recording that misses a picture all the same, or whose
//! disk refuses, fails by itself; what was written stays playable.
//!
//! A fragment goes to the file every half second, so a process that is killed loses no more.

mod shelf;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info, info_span, warn};

use self::shelf::Place;
use super::{Feed, Wants};
use crate::error::{Chain, Error};
use crate::media::AccessUnit;
use crate::media::mux::{self, Chapter, Muxer};
use crate::model::{RecordingId, RecordingState, RecordingStatus, RoomName, UnixTime};
use crate::refusals::{Limit, refused};

pub use shelf::{Options, Shelf};

/// Access units a recorder may lag behind: eight seconds at 30 pictures a second, for disks that
/// hesitate. At 2 Mbit/s that is 2 MB.
pub const RING_UNITS_MAX: usize = 256;
/// A recording that is stopped before its first picture waits for it, for so long.
const FIRST_PICTURE_WITHIN: Duration = Duration::from_millis(700);
/// Why there is no film.
const NO_PICTURE: &str = "no picture came before it ended, so there is no file; a paused session has no \
                          pictures";
/// How often what came is written.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// A keyframe is asked for this often, so that players can seek.
const KEYFRAME_EVERY: Duration = Duration::from_secs(10);
/// Chapters that may wait for the recorder; more are left out.
const CHAPTERS_WAITING_MAX: usize = 256;

/// The way to a running recording. Dropping it ends the recording in order.
#[derive(Debug)]
pub struct Recorder {
    chapters: mpsc::Sender<(Instant, String)>,
    stop: watch::Sender<Option<Stop>>,
    status: watch::Receiver<RecordingStatus>,
}

/// When it shall end, and why where nobody asked for it.
#[derive(Debug, Clone)]
struct Stop {
    at: Instant,
    reason: Option<String>,
}

/// How a recording ends.
enum End {
    /// As it was meant to, or at a bound.
    InOrder(Stop),
    /// With a loss.
    Failed(String),
}

/// Starts a recording of a room's `feed`, on a thread of `tracker`, until it is stopped or the feed
/// ends. Fails when there is no place for the file.
pub async fn start(
    room: RoomName,
    shelf: Shelf,
    feed: Feed,
    tracker: TaskTracker,
) -> Result<Recorder, Error> {
    let broken = |error| Error::internal("the recorder broke").source(error);
    let opening = tracker.spawn_blocking(move || Reel::open(&room, shelf, feed));
    let (reel, recorder) = opening.await.map_err(broken)??;
    let span = info_span!("recording", file = %reel.status.borrow().file);
    // The loop waits for many things at once and then writes: a runtime's future on a thread that
    // may block.
    let runtime = tokio::runtime::Handle::current();
    tracker.spawn_blocking(move || runtime.block_on(Box::pin(reel.run().instrument(span))));
    Ok(recorder)
}

impl Recorder {
    /// Names the place at which something happened. Left out when too many wait.
    pub fn chapter(&self, at: Instant, title: String) {
        if self.chapters.try_send((at, title)).is_err() {
            metrics::counter!("ghostcast_recording_chapters_dropped_total").increment(1);
        }
    }

    /// Ends the recording now; the reason is for whoever did not ask for it. The status tells when
    /// the file is complete.
    pub fn stop(&self, reason: Option<String>) {
        let at = Instant::now();
        self.stop.send_if_modified(|stop| {
            let is_first = stop.is_none();
            stop.get_or_insert(Stop { at, reason });
            is_first
        });
    }

    /// The recording as it is, to wait on.
    pub fn status(&self) -> watch::Receiver<RecordingStatus> {
        self.status.clone()
    }
}

/// The recorder at work.
struct Reel {
    place: Place,
    shelf: Shelf,
    muxer: Muxer,
    feed: Feed,
    chapters: Vec<Chapter>,
    /// What the feed had skipped when the first picture came; more means a hole in the film.
    skipped_before: Option<u64>,
    started: Instant,
    keyframe_due: Instant,
    chapters_heard: mpsc::Receiver<(Instant, String)>,
    stopped: watch::Receiver<Option<Stop>>,
    status: watch::Sender<RecordingStatus>,
}

impl Reel {
    fn open(room: &RoomName, shelf: Shelf, feed: Feed) -> Result<(Self, Recorder), Error> {
        let recording_id = RecordingId::new();
        let place = shelf.open(room, recording_id)?;
        let now = UnixTime::now();
        let status = RecordingStatus {
            recording_id,
            state: RecordingState::Recording,
            started_at: now.to_iso8601(),
            duration_s: 0.0,
            bytes: 0,
            frames: 0,
            file: place.name.clone(),
            path: place.path.display().to_string(),
            reason: None,
        };
        let begun = Muxer::new(now.0 as u64)
            .map_err(|error| Error::internal("no file can be begun").source(error));
        let (muxer, start) = begun?;
        if let Err(error) = place.file.write_all_at(&start, 0) {
            let _ = fs::remove_file(&place.path);
            let message = format!("cannot record: {}", refusal(&error));
            let full = Error::exhausted(message)
                .hint("Free space, or choose another place with recording.directory.")
                .source(error);
            return Err(refused(Limit::Disk, full));
        }
        shelf.add(start.len() as u64);
        feed.set_wants(Wants::Full);
        let (chapters, chapters_heard) = mpsc::channel(CHAPTERS_WAITING_MAX);
        let (stop, stopped) = watch::channel(None);
        let (status, status_seen) = watch::channel(status);
        let started = Instant::now();
        let reel = Self {
            place,
            shelf,
            muxer,
            feed,
            chapters: Vec::new(),
            skipped_before: None,
            started,
            keyframe_due: started + KEYFRAME_EVERY,
            chapters_heard,
            stopped,
            status,
        };
        let recorder = Recorder {
            chapters,
            stop,
            status: status_seen,
        };
        Ok((reel, recorder))
    }

    async fn run(mut self) {
        metrics::gauge!("ghostcast_recordings").increment(1.0);
        info!("recording");
        let mut ticks = interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let went = tokio::select! {
                biased;
                stop = asked_to_stop(&mut self.stopped) => Err(End::InOrder(stop)),
                Some((at, title)) = self.chapters_heard.recv() => {
                    self.note(at, title);
                    Ok(())
                }
                _ = ticks.tick() => self.tick(),
                unit = self.feed.next() => match unit {
                    Some(unit) => self.take(&unit),
                    None => Err(End::in_order("the session ended")),
                },
            };
            if let Err(end) = went {
                break end;
            }
        };
        if let End::InOrder(_) = end {
            self.await_picture().await;
        }
        self.end(end);
        metrics::gauge!("ghostcast_recordings").decrement(1.0);
    }

    /// A film that is stopped at once is given its first picture, if one comes.
    async fn await_picture(&mut self) {
        if self.muxer.frames() > 0 {
            return;
        }
        if let Ok(Some(unit)) = timeout(FIRST_PICTURE_WITHIN, self.feed.next()).await {
            // What this one lacks is told at the end.
            let _ = self.take(&unit);
        }
    }

    fn take(&mut self, unit: &AccessUnit) -> Result<(), End> {
        let skipped = self.feed.dropped();
        // Until the first keyframe pictures are skipped; from then on each is needed by the next.
        if skipped > *self.skipped_before.get_or_insert(skipped) {
            metrics::counter!("ghostcast_frames_dropped_total", "reason" => "slow_recorder")
                .increment(1);
            return Err(End::Failed(
                "the disk is too slow: pictures came faster than they could be written".to_owned(),
            ));
        }
        let now = Instant::now();
        if unit.keyframe {
            self.keyframe_due = now + KEYFRAME_EVERY;
        } else if now >= self.keyframe_due {
            self.keyframe_due = now + KEYFRAME_EVERY;
            self.feed.request_keyframe(None);
        }
        let at = self.since_start(unit.made_at);
        self.muxer.push(unit, at).map_err(|error| match error {
            mux::Error::Full => End::in_order("the file holds as many pictures as one file may"),
            error => End::Failed(error.to_string()),
        })
    }

    fn note(&mut self, at: Instant, title: String) {
        if self.chapters.len() < mux::CHAPTERS_MAX {
            let at = self.since_start(at);
            self.chapters.push(Chapter { at, title });
        }
    }

    /// Writes what came, and looks whether there is room for more.
    fn tick(&mut self) -> Result<(), End> {
        self.write(Instant::now())?;
        let is_gone = self
            .place
            .file
            .metadata()
            .is_ok_and(|file| file.nlink() == 0);
        if is_gone {
            return Err(End::Failed("the file was deleted".to_owned()));
        }
        let bytes = self.muxer.bytes() + self.muxer.tail_bytes(&self.chapters);
        self.shelf
            .has_room(&self.place.file, bytes)
            .map_err(|full| End::in_order(full.message))?;
        self.tell(RecordingState::Recording, self.started.elapsed(), None);
        Ok(())
    }

    /// Appends a fragment, if anything waits.
    fn write(&mut self, until: Instant) -> Result<(), End> {
        if !self.muxer.has_pending() {
            return Ok(());
        }
        let until = self.since_start(until);
        let fragment = self.muxer.fragment(until);
        let fragment = fragment.map_err(|error| End::Failed(error.to_string()))?;
        let at = self.muxer.committed();
        let file = &self.place.file;
        let written = file
            .write_all_at(&fragment.head, at)
            .and_then(|()| file.write_all_at(&fragment.body, at + fragment.head.len() as u64));
        if let Err(error) = written {
            self.forget_rest();
            return Err(End::Failed(refusal(&error)));
        }
        self.muxer.commit(&fragment);
        self.shelf.add(self.muxer.committed() - at);
        metrics::counter!("ghostcast_recording_bytes_total").increment(self.muxer.committed() - at);
        Ok(())
    }

    /// Cuts off what is no whole fragment.
    fn forget_rest(&self) {
        if let Err(error) = self.place.file.set_len(self.muxer.committed()) {
            warn!(%error, "the end of the file could not be cut off");
        }
    }

    fn end(mut self, end: End) {
        let (at, mut failure, reason) = match end {
            End::InOrder(Stop { at, reason }) => (at, None, reason),
            End::Failed(failure) => (Instant::now(), Some(failure), None),
        };
        // What came before the end belongs to it.
        while let Ok((at, title)) = self.chapters_heard.try_recv() {
            self.note(at, title);
        }
        while failure.is_none()
            && let Some(unit) = self.feed.try_next()
        {
            if let Err(End::Failed(error)) = self.take(&unit) {
                failure = Some(error);
            }
        }
        // What came before a failure belongs to it as well.
        if let Err(End::Failed(error)) = self.write(at) {
            failure.get_or_insert(error);
        }
        let last = self.muxer.last_at().unwrap_or_default();
        let duration = self.since_start(at).max(last);
        let is_empty = self.muxer.frames() == 0 && failure.is_none();
        if self.muxer.committed_frames() == 0 {
            // Nobody can play it.
            let _ = fs::remove_file(&self.place.path);
        } else if let Err(error) = self.complete(duration) {
            self.forget_rest();
            failure.get_or_insert(error);
        }
        let state = match failure {
            None if is_empty => RecordingState::Empty,
            None => RecordingState::Finished,
            Some(_) => RecordingState::Failed,
        };
        let reason = match is_empty {
            true => Some(NO_PICTURE.to_owned()),
            false => reason,
        };
        if let Some(failure) = &failure {
            warn!(failure, "the recording failed");
        }
        metrics::counter!("ghostcast_recordings_total", "outcome" => state.as_str()).increment(1);
        self.tell(state, duration, failure.or(reason));
        info!(
            seconds = duration.as_secs_f64(),
            state = state.as_str(),
            "recorded"
        );
    }

    /// Appends the complete head and puts it in force.
    fn complete(&self, duration: Duration) -> Result<(), String> {
        let finish = self.muxer.finish(duration, &self.chapters);
        let mux::Finish { tail, patch } = finish.map_err(|error| error.to_string())?;
        let (patch_at, patch) = patch;
        let file = &self.place.file;
        // The head is on the disk before anything points to it.
        file.write_all_at(&tail, self.muxer.committed())
            .and_then(|()| file.sync_data())
            .and_then(|()| file.write_all_at(&patch, patch_at))
            .map_err(|error| refusal(&error))?;
        self.shelf.add(tail.len() as u64);
        Ok(())
    }

    fn tell(&self, state: RecordingState, duration: Duration, reason: Option<String>) {
        let bytes = self.place.file.metadata().map_or(0, |file| file.len());
        let (bytes, frames) = match state {
            RecordingState::Recording => (bytes, self.muxer.frames()),
            // Without a picture there is no file.
            _ if self.muxer.committed_frames() == 0 => (0, 0),
            _ => (bytes, self.muxer.committed_frames()),
        };
        self.status.send_modify(|status| {
            status.state = state;
            status.duration_s = (duration.as_secs_f64() * 1e3).round() / 1e3;
            status.bytes = bytes;
            status.frames = frames as u64;
            status.reason = reason;
        });
    }

    fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }
}

impl End {
    fn in_order(reason: impl Into<String>) -> Self {
        Self::InOrder(Stop {
            at: Instant::now(),
            reason: Some(reason.into()),
        })
    }
}

/// Waits until the recording shall end; whoever lets go of it ends it too.
async fn asked_to_stop(stopped: &mut watch::Receiver<Option<Stop>>) -> Stop {
    let asked = stopped.wait_for(Option::is_some).await;
    asked.ok().and_then(|stop| stop.clone()).unwrap_or(Stop {
        at: Instant::now(),
        reason: Some("the session ended".to_owned()),
    })
}

/// What a disk that refuses means.
fn refusal(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    warn!(error = %Chain(error), "the disk refuses");
    match error.kind() {
        StorageFull => {
            "the disk is full; free space or record elsewhere (recording.directory)".into()
        }
        QuotaExceeded => "the disk quota is used up; free space or raise the quota".into(),
        _ => format!("the file cannot be written: {}", shelf::words(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::encode::{Config, Content, Encoder};
    use crate::media::{Layer, Picture};
    use crate::model::{FileState, Size};
    use crate::publish::{Fanout, FeedId, Feedback};
    use crate::rtc::Carries;

    #[derive(Debug)]
    struct Ignore;

    impl Feedback for Ignore {
        fn request_keyframe(&self, _: FeedId, _: Option<Layer>) {}
        fn set_bandwidth(&self, _: FeedId, _: Carries) {}
        fn set_wants(&self, _: FeedId, _: Wants) {}
        fn remove(&self, _: FeedId) {}
    }

    /// A keyframe and a picture after it.
    fn units() -> [Arc<AccessUnit>; 2] {
        let config = Config {
            fps: 30,
            bitrate_bps: 1_000_000,
            content: Content::Screen,
        };
        let mut encoder = Encoder::new(config).unwrap();
        let picture = Picture::new(Size::new(64, 48));
        [0, 33].map(|ms| {
            let made = encoder.encode(&picture, ms, ms == 0).unwrap().unwrap();
            Arc::new(AccessUnit {
                data: made.data.into(),
                keyframe: made.keyframe,
                layer: Layer::Full,
                made_at: Instant::now(),
            })
        })
    }

    fn shelf() -> Shelf {
        Shelf::new(Options {
            directory: std::env::temp_dir().join(format!("record-{}", uuid::Uuid::new_v4())),
            bytes_max: 1 << 20,
            total_bytes_max: 1 << 20,
            free_bytes_min: 0,
        })
    }

    #[tokio::test]
    async fn all_that_waits_at_the_end_is_recorded() {
        // More than a task of tokio's takes in one turn.
        const WAITING: u64 = 200;
        let (shelf, mut fanout) = (shelf(), Fanout::default());
        let feed = fanout.subscribe_deep(Arc::new(Ignore), RING_UNITS_MAX);
        let room = RoomName::parse("demo").unwrap();
        let (reel, recorder) = Reel::open(&room, shelf, feed).unwrap();
        let [key, delta] = units();
        fanout.send(&key);
        for _ in 1..WAITING {
            fanout.send(&delta);
        }
        reel.end(End::in_order("the test is over"));
        let status = recorder.status().borrow().clone();
        assert_eq!(
            (status.state, status.frames),
            (RecordingState::Finished, WAITING)
        );
    }

    #[tokio::test]
    async fn a_recorder_that_falls_behind_fails_and_its_film_plays() {
        let (shelf, mut fanout) = (shelf(), Fanout::default());
        let feed = fanout.subscribe_deep(Arc::new(Ignore), RING_UNITS_MAX);
        let room = RoomName::parse("demo").unwrap();
        let (mut reel, recorder) = Reel::open(&room, shelf.clone(), feed).unwrap();
        let [key, delta] = units();
        fanout.send(&delta);
        fanout.send(&key);
        let first = reel.feed.next().await.unwrap();
        assert!(reel.take(&first).is_ok(), "what came before it is no loss");
        for _ in 0..=RING_UNITS_MAX {
            fanout.send(&delta);
        }
        assert!(reel.tick().is_ok());
        let next = reel.feed.next().await.unwrap();
        let Err(end) = reel.take(&next) else {
            panic!("a picture is missing")
        };
        reel.end(end);
        let status = recorder.status().borrow().clone();
        assert_eq!((status.state, status.frames), (RecordingState::Failed, 1));
        assert!(status.reason.unwrap().contains("too slow"));
        let files = shelf.list().unwrap();
        assert_eq!((files.len(), files[0].state), (1, FileState::Finished));
        assert_eq!(files[0].bytes, status.bytes);
        let folder = std::path::Path::new(&status.path).parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_recorder_that_is_let_go_of_finishes() {
        let (shelf, mut fanout) = (shelf(), Fanout::default());
        let feed = fanout.subscribe_deep(Arc::new(Ignore), RING_UNITS_MAX);
        let room = RoomName::parse("demo").unwrap();
        let tracker = TaskTracker::new();
        let recorder = start(room, shelf, feed, tracker.clone()).await.unwrap();
        let [key, delta] = units();
        fanout.send(&key);
        fanout.send(&delta);
        recorder.chapter(Instant::now(), "wait 1 s".to_owned());
        let mut seen = recorder.status();
        drop(recorder);
        let ended = seen.wait_for(|status| status.state != RecordingState::Recording);
        let status = ended.await.unwrap().clone();
        assert_eq!((status.state, status.frames), (RecordingState::Finished, 2));
        let folder = std::path::Path::new(&status.path).parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
