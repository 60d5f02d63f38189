//! The display's thread: it waits for clients, for wishes and for the next frame that is due, and for
//! nothing else.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use smithay::reexports::wayland_server::Display;

use crate::error::Error;

use super::Shared;
use super::state::State;

/// A display that fails over and over again is over at last.
const FAILURES_MAX: u32 = 100;

/// What has failed is left in peace for a moment.
const FAILED_PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(
    listener: UnixListener,
    woken: UnixStream,
    shared: Arc<Shared>,
) -> Result<JoinHandle<()>, Error> {
    let display = Display::new()
        .map_err(|error| Error::internal("the display cannot be made").source(error))?;
    let mut run = Run {
        state: State::new(&display.handle(), shared),
        display,
        listener,
        woken,
    };
    let body = move || run.live();
    let thread = thread::Builder::new().name("display".to_owned());
    thread
        .spawn(body)
        .map_err(|error| Error::unavailable("the display has no thread").source(error))
}

struct Run {
    display: Display<State>,
    state: State,
    listener: UnixListener,
    woken: UnixStream,
}

impl Run {
    /// Drives the display until it is over. Once it has failed it sees nothing any more, and goes on for as long as it
    /// can: its clients end with it.
    fn live(&mut self) {
        for _ in 0..FAILURES_MAX {
            match panic::catch_unwind(AssertUnwindSafe(|| self.drive())) {
                Ok(Ok(())) => break,
                Ok(Err(error)) => self.note_failure(&error.to_string()),
                Err(_) => self.note_failure("what a client sent broke it"),
            }
            thread::sleep(FAILED_PAUSE);
        }
        self.state.leave_all();
    }

    fn note_failure(&mut self, why: &str) {
        metrics::counter!("ghostcast_display_failures_total").increment(1);
        if self.state.is_blind {
            tracing::debug!(why, "a display fails again");
        } else {
            tracing::error!(
                why,
                "a display has failed: nothing is seen of what is drawn to it"
            );
        }
        self.state.go_blind();
    }

    fn drive(&mut self) -> std::io::Result<()> {
        while !self.state.shared.is_over.load(Ordering::Acquire) {
            self.state.call_due(Instant::now());
            self.display.flush_clients()?;
            self.wait()?;
            self.drain();
            self.state.hear_wishes(Instant::now());
            self.accept();
            self.display.dispatch_clients(&mut self.state)?;
            self.state.bury();
        }
        Ok(())
    }

    /// Waits until there is something to do.
    fn wait(&mut self) -> std::io::Result<()> {
        let now = Instant::now();
        let next = self.state.next_call(now);
        let timeout = next.map(|next| TimeSpec::from(next.saturating_duration_since(now)));
        let clients = self.display.backend().poll_fd();
        let mut fds = [clients, self.listener.as_fd(), self.woken.as_fd()]
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match ppoll(&mut fds, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn drain(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.woken.read(&mut bytes), Ok(1..)) {}
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            self.state.admit(&mut self.display.handle(), stream);
        }
    }
}
