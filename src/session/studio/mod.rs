//! The studio: one OS thread per session that turns shots into access units.
//!
//! The thread owns the canvas, the cursor's overlay and the encoder; everybody else reaches it by
//! [`Studio`], whose calls only leave something in the inbox and wake the thread. What it
//! makes goes to the [`Fanout`]; what it needs (capture on or off, a lossless still) it tells by
//! a `watch` channel, so nobody ever waits for it.
//!
//! Loss policy: the latest shot wins and an older undrawn one is counted as dropped; cues are
//! applied in order and never lost.

mod bare;
mod canvas;
mod card;
mod full;
mod inbox;
mod layer;
mod meter;
mod network;
mod next;
mod pace;
mod rise;
mod thread;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use self::inbox::Inbox;
use super::supervise::Supervisor;
use crate::browser::capture::ShotSink;
use crate::config;
use crate::media::cursor::{self, Cue, Cursor, Worn};
use crate::media::panel::Panel;
use crate::media::{Layer, Shot};
use crate::model::Size;
use crate::model::session::VideoStats;
use crate::publish::{Fanout, Feed, FeedId, Feedback, Wants};
use crate::rtc::Carries;

/// What a studio is made for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most pictures a second.
    pub fps: u32,
    /// Width and height of the picture, px; both even.
    pub size: Size,
    /// Target, bits a second.
    pub bitrate_bps: u32,
    /// Pace of heartbeats, stills and keyframes.
    pub video: config::Video,
    /// The ghost cursor.
    pub cursor: cursor::Config,
}

/// What the studio wants and does.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct View {
    /// Whether somebody watches, so that the page shall be captured.
    pub watched: bool,
    /// How often somebody has begun to watch when nobody did.
    pub watches: u64,
    /// Which still is wanted: counts up each time the page has come to rest.
    pub still_wanted: u64,
    /// What the narrowest way to those who watch carries, while that is far too few bits a second.
    pub slow_bps: Option<u64>,
    /// The video over the last second.
    pub stats: VideoStats,
}

/// The handle of a session's studio. The thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Studio {
    shared: Arc<Shared>,
    view: watch::Receiver<View>,
    _thread: Arc<Join>,
}

/// What the handles and the thread share.
#[derive(Debug)]
struct Shared {
    inbox: Inbox,
    fanout: Mutex<Fanout>,
    cursor: Mutex<Cursor>,
}

/// Ends and joins the thread when the last handle goes.
#[derive(Debug)]
struct Join {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Join {
    fn drop(&mut self) {
        self.shared.inbox.leave(|state| state.stop = true);
        if let Some(thread) = self.thread.take() {
            // The thread looks at `stop` after each picture, so this takes milliseconds.
            let _ = thread.join();
        }
    }
}

impl Studio {
    /// Starts the thread, whose panic the supervisor hears of: it begins anew, with an empty canvas and as if those who
    /// watch had just come, so that the page is captured again.
    pub fn start(name: &str, options: Options, supervisor: &Supervisor) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            fanout: Mutex::new(Fanout::default()),
            cursor: Mutex::new(Cursor::new(options.cursor.clone())),
        });
        let (view_sender, view) = watch::channel(View::default());
        let begun = Arc::clone(&shared);
        let body = move || {
            thread::Thread::new(Arc::clone(&begun), options.clone(), view_sender.clone()).run();
        };
        // Linux keeps 15 bytes of a thread's name.
        let thread_name: String = format!("studio {name}").chars().take(15).collect();
        let thread = supervisor.thread(thread_name, "studio", body)?;
        let join = Join {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok(Self {
            shared,
            view,
            _thread: Arc::new(join),
        })
    }

    /// What the studio wants and does, to wait on.
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Adds a publisher to viewers.
    pub fn subscribe(&self) -> Feed {
        let feedback: Arc<dyn Feedback> = Arc::clone(&self.shared) as Arc<dyn Feedback>;
        lock(&self.shared.fanout).subscribe(feedback)
    }

    /// Adds a publisher that may lag `units_max` access units behind.
    pub fn subscribe_deep(&self, units_max: usize) -> Feed {
        let feedback: Arc<dyn Feedback> = Arc::clone(&self.shared) as Arc<dyn Feedback>;
        lock(&self.shared.fanout).subscribe_deep(feedback, units_max)
    }

    /// Where a capture of the current page puts its shots, until another page is turned to.
    pub fn sink(&self) -> Arc<dyn ShotSink> {
        Arc::new(Sink {
            turns: self.shared.inbox.peek(|state| state.turns),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Hands in the still that was `wanted`; ignored when the page moved meanwhile.
    pub fn put_still(&self, wanted: u64, shot: Shot) {
        self.shared
            .inbox
            .leave(|state| state.still = Some((wanted, shot)));
    }

    /// Shows a cue with the ghost cursor. Returns when the cursor will have arrived.
    pub fn cue(&self, now: Instant, cue: Cue) -> Instant {
        let arrival = lock(&self.shared.cursor).cue(now, cue);
        // The thread looks at the cursor whenever it is woken.
        self.shared.inbox.leave(|_| ());
        arrival
    }

    /// Has the ghost cursor look as the page asks for, from then on.
    pub fn wear(&self, from: Instant, worn: Worn) {
        lock(&self.shared.cursor).wear(from, worn);
        self.shared.inbox.leave(|_| ());
    }

    /// Shows a panel over the page in place of the one before, until then or until it is taken off.
    /// Answers its number. It goes with the page.
    pub fn hang(&self, panel: Arc<Panel>, until: Option<Instant>) -> u64 {
        self.shared.inbox.leave(|state| state.hang(panel, until))
    }

    /// Takes off the panel of this number, if it is still there.
    pub fn take_off(&self, number: u64) {
        self.shared.inbox.leave(|state| state.take_off(number));
    }

    /// Pins a badge onto the picture, whatever page it shows, in place of the one before; or takes it off.
    pub fn pin(&self, badge: Option<Arc<Panel>>) {
        self.shared.inbox.leave(|state| state.pin(badge));
    }

    /// Where the cursor is or is about to arrive, CSS px.
    pub fn cursor_target(&self) -> Option<crate::model::Point> {
        lock(&self.shared.cursor).target()
    }

    /// Whether somebody watches by this feed.
    pub fn is_watched_by(&self, feed: FeedId) -> bool {
        self.shared.inbox.peek(|state| state.is_watched_by(feed))
    }

    /// Says that shots are of another page from now on: the next one is a keyframe, and what was
    /// left of the page before is not drawn, nor what comes by a sink of before.
    pub fn turn(&self) {
        self.shared.inbox.leave(inbox::State::turn);
    }

    /// Shows the page to whoever watches by these feeds alone, and a still card to all others. What is drawn from
    /// now on goes to nobody else.
    pub fn veil(&self, own: HashSet<FeedId>) {
        self.shared.inbox.leave(|state| {
            lock(&self.shared.fanout).veil(Some(own.clone()));
            state.veil(own);
        });
    }

    /// Shows the page to everybody again, as it is from now on.
    pub fn lift_veil(&self) {
        // The thread tells the fan-out, when nothing of before is left on the canvas.
        self.shared.inbox.leave(inbox::State::lift_veil);
    }

    /// So many people are in the room that the picture is published to.
    pub fn set_people(&self, people: usize) {
        self.shared.inbox.leave(|state| state.set_people(people));
    }

    /// Stops or resumes the video. A paused studio counts as not watched.
    pub fn set_paused(&self, paused: bool) {
        self.shared.inbox.leave(|state| state.paused = paused);
    }
}

impl Studio {
    /// Ends the thread for good, handles or not.
    pub fn end(&self) {
        self.shared.inbox.leave(|state| state.stop = true);
    }
}

/// Where shots of one page are put.
#[derive(Debug)]
struct Sink {
    shared: Arc<Shared>,
    turns: u64,
}

impl ShotSink for Sink {
    fn put(&self, shot: Shot) {
        self.shared.inbox.leave(|state| {
            if state.turns != self.turns {
                metrics::counter!("ghostcast_frames_dropped_total", "reason" => "page_left")
                    .increment(1);
                return;
            }
            if state.shot.replace(shot).is_some() {
                metrics::counter!("ghostcast_frames_dropped_total", "reason" => "newer_shot")
                    .increment(1);
            }
        });
    }
}

impl Feedback for Shared {
    fn request_keyframe(&self, feed: FeedId, layer: Option<Layer>) {
        metrics::counter!("ghostcast_keyframe_requests_total").increment(1);
        self.inbox
            .leave(|state| state.request_keyframe(feed, layer));
    }

    fn set_bandwidth(&self, feed: FeedId, carries: Carries) {
        self.inbox.leave(|state| state.set_bandwidth(feed, carries));
    }

    fn set_wants(&self, feed: FeedId, wants: Wants) {
        self.inbox.leave(|state| state.set_wants(feed, wants));
    }

    fn remove(&self, feed: FeedId) {
        lock(&self.fanout).unsubscribe(feed);
        self.inbox.leave(|state| {
            state.forget(feed);
        });
    }
}

/// Locks a mutex whose data stays valid whoever panicked while holding it: each critical section
/// is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use ghostcast_validate::playback::Player;
    use tokio::time::timeout;

    use super::*;
    use crate::media::screen::{Bgra, Damage, Screen};
    use crate::media::{AccessUnit, Pixels};
    use crate::publish::Wants;

    const SIZE: Size = Size::new(64, 64);
    const SOON: Duration = Duration::from_secs(10);

    /// A page of one colour, which breaks whoever looks at it at first.
    #[derive(Debug, Default)]
    struct Trap(AtomicUsize);

    impl Screen for Trap {
        fn look(&self, see: &mut dyn FnMut(Bgra<'_>, &Damage)) {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "a defect");
            let pixels = [90; 4 * 64 * 64];
            let bgra = Bgra::new(SIZE, 4 * 64, &pixels).unwrap();
            see(bgra, &Damage::all(SIZE));
        }

        fn taken(&self, _: Instant, _: Instant) {}
    }

    fn options() -> Options {
        Options {
            fps: 30,
            size: SIZE,
            bitrate_bps: 1_000_000,
            video: config::Video::default(),
            cursor: cursor::Config::default(),
        }
    }

    fn shown(unit: &AccessUnit) -> [u8; 3] {
        let picture = Player::new().unwrap().show(&unit.data).unwrap();
        picture.expect("a whole picture").rgb_at(32, 32)
    }

    #[tokio::test]
    async fn a_room_is_shown_an_empty_window_once_and_others_wait_for_the_page() {
        let (supervisor, _reports) = Supervisor::new();
        let studio = Studio::start("test", options(), &supervisor).unwrap();
        let [mut room, mut viewer] = [(); 2].map(|()| studio.subscribe());
        viewer.set_wants(Wants::Either);
        room.set_wants(Wants::Unsaid);
        for feed in [&mut viewer, &mut room] {
            let nothing = timeout(Duration::from_millis(200), feed.next()).await;
            assert!(nothing.is_err(), "somebody else waits for the page");
        }
        viewer.set_wants(Wants::Nothing);
        let unit = timeout(SOON, room.next()).await.unwrap().unwrap();
        let seen = shown(&unit);
        assert!(
            unit.keyframe && seen.iter().all(|part| *part > 245),
            "{seen:?}"
        );
        assert_eq!(unit.layer, Layer::Full);
        let low = timeout(SOON, room.next()).await.unwrap().unwrap();
        assert_eq!((low.layer, low.keyframe), (Layer::Low, true));
        let more = timeout(Duration::from_millis(200), room.next()).await;
        assert!(more.is_err(), "once");
        room.request_keyframe(Some(Layer::Full));
        let unit = timeout(SOON, room.next()).await.unwrap().unwrap();
        assert!(unit.keyframe, "whoever comes now sees it too");
        let page: Arc<dyn Screen> = Arc::new(Trap(AtomicUsize::new(1)));
        studio.sink().put(Shot {
            pixels: Pixels::Screen(page),
            viewport: SIZE,
            captured_at: Instant::now(),
        });
        let unit = timeout(SOON, room.next()).await.unwrap().unwrap();
        assert_eq!(unit.layer, Layer::Full);
    }

    #[tokio::test]
    async fn a_thread_that_breaks_begins_anew_and_asks_for_the_page() {
        let (supervisor, mut reports) = Supervisor::new();
        let studio = Studio::start("test", options(), &supervisor).unwrap();
        let mut view = studio.view();
        let mut feed = studio.subscribe();
        feed.set_wants(Wants::Full);
        view.wait_for(|view| view.watches == 1).await.unwrap();
        let trap: Arc<dyn Screen> = Arc::new(Trap::default());
        let put = || {
            studio.sink().put(Shot {
                pixels: Pixels::Screen(Arc::clone(&trap)),
                viewport: SIZE,
                captured_at: Instant::now(),
            });
        };
        put();
        let heard = timeout(SOON, reports.recv()).await.unwrap().unwrap();
        assert!(heard.goes_on && heard.part == "studio", "{heard:?}");
        let anew = timeout(SOON, view.wait_for(|view| view.watches == 2)).await;
        assert!(anew.unwrap().unwrap().watched);
        put();
        let unit = timeout(SOON, feed.next()).await.unwrap().unwrap();
        assert!(unit.keyframe);
    }
}
