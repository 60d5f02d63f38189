//! The display's thread: it waits for clients, for wishes and for the next frame that is due, and for
//! nothing else.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use smithay::reexports::wayland_server::Display;

use crate::error::Error;

use super::Shared;
use super::state::State;

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
    let body = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| run.drive()));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a display has failed"),
            Err(_) => tracing::error!("a display has failed on what a client sent"),
        }
        run.state.leave_all();
    };
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
