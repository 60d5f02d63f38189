//! The Wayland display that a Chromium of our own draws to: raw pixels with damage, and the clock of
//! its frames in our hand.
//!
//! A [`Display`] is one socket and one thread for one browser process. Each session's window is
//! recognised by a token in its title ([`Display::claim`]) and is a
//! [`Screen`](crate::media::screen::Screen). Nothing here knows of pages or of video.

mod canvas;
mod guard;
mod image;
mod limits;
mod pace;
mod shell;
mod state;
mod surfaces;
mod thread;
mod window;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::model::Size;

pub use limits::LIMITS;
pub use window::{Bell, Lost, Window};

/// What the socket is called in its directory.
const SOCKET: &str = "wayland-0";
/// Longest path of a socket, bytes (unix(7): 108 with its end).
const PATH_BYTES_MAX: usize = 107;
/// As long is the name of a socket that Chromium makes of its own below such a directory, when it is its `TMPDIR`:
/// `/org.chromium.Chromium.XXXXXX/SingletonSocket`, and something over.
const NAME_BYTES_MAX: usize = 60;

/// A display for one browser process. Dropped, its thread ends and its socket is gone.
#[derive(Debug)]
pub struct Display {
    /// Where the socket is; where a path is too long for it, by a shorter name.
    dir: PathBuf,
    /// Keeps that name.
    _opened: File,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Tells how a display is.
#[derive(Debug, Clone)]
pub struct Health(Arc<Shared>);

/// A window that is expected. Dropped, it is no longer.
#[derive(Debug)]
pub struct Claim {
    id: u64,
    shared: Arc<Shared>,
    answer: oneshot::Receiver<Result<Arc<Window>, Error>>,
}

/// What the display's thread shares with everybody else.
#[derive(Debug)]
struct Shared {
    /// Ends the thread's wait. A byte is lost when there are many already, which is as good.
    bell: UnixStream,
    expected: Mutex<Vec<Expected>>,
    is_over: AtomicBool,
    has_failed: AtomicBool,
    next_id: AtomicU64,
}

#[derive(Debug)]
struct Expected {
    id: u64,
    token: String,
    size: Size,
    scale: f64,
    answer: oneshot::Sender<Result<Arc<Window>, Error>>,
}

impl Display {
    /// Opens a display with its socket in `dir`, a private directory that exists.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| {
            Error::unavailable("the display cannot be opened")
                .hint("The log names what the system refused.")
                .source(error)
        };
        let (bell, woken) = UnixStream::pair().map_err(failed)?;
        bell.set_nonblocking(true).map_err(failed)?;
        woken.set_nonblocking(true).map_err(failed)?;
        let opened = File::open(dir).map_err(failed)?;
        let dir = match dir.as_os_str().len() + NAME_BYTES_MAX > PATH_BYTES_MAX {
            // A process of the same user finds the directory there as well.
            true => PathBuf::from(format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                opened.as_raw_fd()
            )),
            false => dir.to_owned(),
        };
        let listener = UnixListener::bind(dir.join(SOCKET)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let shared = Arc::new(Shared {
            bell,
            expected: Mutex::new(Vec::new()),
            is_over: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
        });
        let thread = thread::start(listener, woken, Arc::clone(&shared))?;
        Ok(Self {
            dir,
            _opened: opened,
            shared,
            thread: Some(thread),
        })
    }

    /// Its directory, by a name that is short enough for the path of a socket.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells, also when the display is lent out, whether it has failed: nothing is seen of what is drawn to it.
    pub fn health(&self) -> Health {
        Health(Arc::clone(&self.shared))
    }

    /// What a client finds the display by.
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        [
            ("XDG_RUNTIME_DIR", self.dir.clone().into_os_string()),
            ("WAYLAND_DISPLAY", SOCKET.into()),
        ]
    }

    /// Expects a window whose title holds `token`, of `size` CSS px at `scale` device px each.
    ///
    /// Windows that are made one after the other have their size from the first; one that finds its
    /// title late is made to fit.
    pub fn claim(&self, token: &str, size: Size, scale: f64) -> Claim {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let expected = Expected {
            id,
            token: token.to_owned(),
            size,
            scale,
            answer,
        };
        self.shared.expected().push(expected);
        self.shared.wake();
        Claim {
            id,
            shared: Arc::clone(&self.shared),
            answer: answered,
        }
    }
}

impl Health {
    /// Whether nothing is seen any more of what is drawn to the display.
    pub fn has_failed(&self) -> bool {
        self.0.has_failed.load(Ordering::Acquire)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // It has said why in the log, should it have failed.
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(self.dir.join(SOCKET));
    }
}

impl Claim {
    /// The window, once it has its title and its first full picture.
    pub async fn window(mut self) -> Result<Arc<Window>, Error> {
        let answer = (&mut self.answer).await;
        answer.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let id = self.id;
        self.shared.expected().retain(|expected| expected.id != id);
    }
}

impl Shared {
    /// The lock is held for a moment only, and never while anything else is locked.
    fn expected(&self) -> MutexGuard<'_, Vec<Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let _ = (&self.bell).write(&[1]);
    }
}

fn failed() -> Error {
    Error::unavailable("the browser's display has failed")
        .hint("Try again: another browser is started, and the log says what has failed.")
}

fn gone() -> Error {
    Error::unavailable("the browser has left its display before its window was there")
        .hint("The browser's process has ended; start the session again.")
}
