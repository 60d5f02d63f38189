//! [`State`]: what the display's thread knows, and what clients are told of the display.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use smithay::input::{Seat, SeatHandler, SeatState};
use smithay::output::{Mode, Output, PhysicalProperties, Scale, Subpixel};
use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::wl_callback::WlCallback;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{DisplayHandle, Resource};
use smithay::wayland::compositor::CompositorState;
use smithay::wayland::fractional_scale::{FractionalScaleHandler, FractionalScaleManagerState};
use smithay::wayland::output::{OutputHandler, OutputManagerState};
use smithay::wayland::presentation::PresentationState;
use smithay::wayland::selection::SelectionHandler;
use smithay::wayland::selection::data_device::{
    ClientDndGrabHandler, DataDeviceHandler, DataDeviceState, ServerDndGrabHandler,
};
use smithay::wayland::shell::xdg::decoration::XdgDecorationState;
use smithay::wayland::shell::xdg::{PopupSurface, ToplevelSurface, XdgShellState};
use smithay::wayland::shm::ShmState;
use smithay::wayland::viewporter::ViewporterState;

use crate::model::Size;

use super::limits::{CLIENTS_MAX, Guest};
use super::pace::{FULL, Pace};
use super::window::{Lost, Watch, Window, Wishes};
use super::{Expected, Shared, failed, gone};

/// What a window has that nobody has claimed, CSS px.
const SIZE_DEFAULT: Size = Size::new(1280, 720);

/// The clock of presentation feedback: CLOCK_MONOTONIC.
const CLOCK: u32 = 1;

/// What the display's thread knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) shared: Arc<Shared>,
    pub(super) handle: DisplayHandle,
    pub(super) compositor: CompositorState,
    pub(super) shm: ShmState,
    pub(super) xdg: XdgShellState,
    seats: SeatState<Self>,
    data: DataDeviceState,
    pub(super) output: Output,
    guests: Vec<(ClientId, Arc<Guest>, Arc<AtomicBool>)>,
    had_guests: bool,
    pub(super) shown: Vec<Shown>,
    /// In the order in which they were opened.
    pub(super) popups: Vec<PopupSurface>,
    /// Nothing of what clients draw is looked at any more.
    pub(super) is_blind: bool,
    /// A moment on both clocks.
    epoch: (Instant, Duration),
}

/// A window as the display's thread holds it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) toplevel: ToplevelSurface,
    pub(super) window: Arc<Window>,
    /// Who waits for its first full picture.
    claim: Option<Expected>,
    /// Whether it is somebody's; its title may later become any other.
    is_given: bool,
    pub(super) size: Size,
    pub(super) scale: f64,
    pub(super) pace: Pace,
    pub(super) callbacks: Vec<WlCallback>,
    pub(super) watch: Option<Watch>,
    hurried: Option<Instant>,
    due: Option<Instant>,
    pub(super) presented: u64,
}

impl State {
    pub(super) fn new(handle: &DisplayHandle, shared: Arc<Shared>) -> Self {
        let mut seats = SeatState::new();
        seats.new_wl_seat(handle, "seat0");
        PresentationState::new::<Self>(handle, CLOCK);
        ViewporterState::new::<Self>(handle);
        XdgDecorationState::new::<Self>(handle);
        FractionalScaleManagerState::new::<Self>(handle);
        OutputManagerState::new_with_xdg_output::<Self>(handle);
        Self {
            shared,
            compositor: CompositorState::new_v6::<Self>(handle),
            shm: ShmState::new::<Self>(handle, []),
            xdg: XdgShellState::new::<Self>(handle),
            seats,
            data: DataDeviceState::new::<Self>(handle),
            output: output(handle),
            handle: handle.clone(),
            guests: Vec::new(),
            had_guests: false,
            shown: Vec::new(),
            popups: Vec::new(),
            is_blind: false,
            epoch: (Instant::now(), monotonic()),
        }
    }

    /// Lets a client in.
    pub(super) fn admit(&mut self, handle: &mut DisplayHandle, stream: UnixStream) {
        if self.guests.len() >= CLIENTS_MAX {
            metrics::counter!("ghostcast_display_refusals_total", "limit" => "clients")
                .increment(1);
            return;
        }
        let left = Arc::new(AtomicBool::new(false));
        let guest = Arc::new(Guest::new(Arc::clone(&left)));
        match handle.insert_client(stream, Arc::clone(&guest) as _) {
            Ok(client) => {
                self.guests.push((client.id(), guest, left));
                self.had_guests = true;
            }
            Err(error) => tracing::warn!(%error, "a client was not let in"),
        }
    }

    /// Forgets the clients that have left, and answers whoever waits for one of them.
    pub(super) fn bury(&mut self) {
        self.guests
            .retain(|(_, _, left)| !left.load(Ordering::Acquire));
        if self.had_guests && self.guests.is_empty() {
            let expected = std::mem::take(&mut *self.shared.expected());
            for expected in expected {
                // Nobody may wait any more.
                let _ = expected.answer.send(Err(gone()));
            }
        }
    }

    /// Has failed, and looks at nothing any more. Clients are answered as before: a browser whose display hangs up
    /// ends, and one that is not told to draw shows its pages to nobody.
    pub(super) fn go_blind(&mut self) {
        self.is_blind = true;
        self.shared.has_failed.store(true, Ordering::Release);
        let now = Instant::now();
        for shown in &mut self.shown {
            shown.fail(now);
        }
        self.match_titles();
    }

    /// Tells everybody that the display is over.
    pub(super) fn leave_all(&mut self) {
        for mut shown in self.shown.drain(..) {
            shown.leave();
        }
        self.guests.clear();
        self.had_guests = true;
        self.bury();
    }

    pub(super) fn with_guest(&self, client: ClientId, with: impl FnOnce(&Guest) -> usize) {
        if let Some((_, guest, _)) = self.guests.iter().find(|(id, ..)| *id == client) {
            with(guest);
        }
    }

    /// Takes over what has been asked of windows.
    pub(super) fn hear_wishes(&mut self, now: Instant) {
        for shown in &mut self.shown {
            if let Some(wishes) = shown.window.take_wishes()
                && !self.is_blind
            {
                shown.hear(wishes, now);
            }
        }
        self.match_titles();
    }

    /// When the next frame is to be drawn by any window.
    pub(super) fn next_call(&self, now: Instant) -> Option<Instant> {
        let calls = self.shown.iter().filter_map(|shown| shown.pace.next(now));
        calls.min()
    }

    /// Has the windows draw that are to draw now.
    pub(super) fn call_due(&mut self, now: Instant) {
        let time = self.time_ms(now);
        for shown in &mut self.shown {
            if shown.pace.next(now).is_some_and(|next| next <= now) {
                shown.pace.call(now);
                for callback in shown.callbacks.drain(..) {
                    callback.done(time);
                }
            }
        }
    }

    /// A moment on the clock that clients know.
    pub(super) fn monotonic(&self, at: Instant) -> Duration {
        let (epoch, monotonic) = self.epoch;
        monotonic + at.saturating_duration_since(epoch)
    }

    fn time_ms(&self, now: Instant) -> u32 {
        // It begins anew after 49 days, as the protocol says.
        self.monotonic(now).as_millis() as u32
    }

    /// Gives windows to whoever expects their title.
    pub(super) fn match_titles(&mut self) {
        let mut expected = self.shared.expected();
        if expected.is_empty() {
            return;
        }
        if self.is_blind {
            for expected in expected.drain(..) {
                // Nobody may wait any more.
                let _ = expected.answer.send(Err(failed()));
            }
            return;
        }
        for shown in self.shown.iter_mut().filter(|shown| !shown.is_given) {
            let title = super::shell::title(&shown.toplevel);
            let at = expected
                .iter()
                .position(|expected| title.contains(&expected.token));
            if let Some(at) = at {
                shown.claimed(expected.remove(at));
            }
        }
    }

    /// The size of a window that has no title yet: that of the one which is expected.
    pub(super) fn size_expected(&self) -> (Size, f64) {
        let expected = self.shared.expected();
        let first = expected.first();
        first.map_or((SIZE_DEFAULT, 1.0), |first| (first.size, first.scale))
    }
}

impl Shown {
    pub(super) fn new(
        toplevel: ToplevelSurface,
        shared: Arc<Shared>,
        size: Size,
        scale: f64,
    ) -> Self {
        Self {
            toplevel,
            window: Arc::new(Window::new(shared, size, device(size, scale))),
            claim: None,
            is_given: false,
            size,
            scale,
            pace: Pace::new(Instant::now()),
            callbacks: Vec::new(),
            watch: None,
            hurried: None,
            due: None,
            presented: 0,
        }
    }

    fn claimed(&mut self, expected: Expected) {
        self.window.set_size(expected.size);
        let is_other = self.scale != expected.scale;
        self.scale = expected.scale;
        let size = expected.size;
        self.claim = Some(expected);
        self.is_given = true;
        if is_other {
            super::shell::tell_scale(self.toplevel.wl_surface(), self.scale);
        }
        self.resize(size);
        self.settle();
    }

    fn resize(&mut self, size: Size) {
        if self.size != size {
            self.size = size;
            super::shell::configure(&self.toplevel, size);
        }
        self.window.canvas().resize(device(size, self.scale));
    }

    /// Answers the claim once the window shows a full picture of its size.
    pub(super) fn settle(&mut self) {
        let is_full = {
            let canvas = self.window.canvas();
            canvas.is_full(self.layer())
        };
        if is_full && let Some(claim) = self.claim.take() {
            // Whoever waited may have given up; the window then rests.
            let _ = claim.answer.send(Ok(Arc::clone(&self.window)));
        }
    }

    /// The number of its own surface.
    pub(super) fn layer(&self) -> u32 {
        self.toplevel.wl_surface().id().protocol_id()
    }

    fn hear(&mut self, wishes: Wishes, now: Instant) {
        let is_news = match (&self.watch, &wishes.watch) {
            (Some(old), Some(new)) => !Arc::ptr_eq(&old.bell, &new.bell),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        self.watch = wishes.watch;
        let interval = self.watch.as_ref().map(|watch| watch.interval);
        self.pace.set(interval, now);
        if wishes.hurried != self.hurried {
            self.hurried = wishes.hurried;
            self.pace.hurry(now);
        }
        if let Some(due) = wishes.due.filter(|due| self.due != Some(*due)) {
            self.pace.due(due, now);
            self.due = Some(due);
        }
        self.resize(wishes.size);
        if let Some(watch) = self.watch.as_ref().filter(|_| is_news) {
            watch.bell.damaged(now);
        }
    }

    /// Says that the window is gone.
    pub(super) fn leave(&mut self) {
        self.window.lose(Lost::Left);
        self.watch = None;
        if let Some(claim) = self.claim.take() {
            let _ = claim.answer.send(Err(gone()));
        }
    }

    /// Says that nothing is seen of the window any more. It is drawn at full rate: whoever takes its pictures by
    /// another way has them from the same clock.
    pub(super) fn fail(&mut self, now: Instant) {
        self.window.lose(Lost::Failed);
        self.watch = None;
        self.pace = Pace::new(now);
        self.pace.set(Some(FULL), now);
        if !self.callbacks.is_empty() {
            self.pace.ask();
        }
        if let Some(claim) = self.claim.take() {
            let _ = claim.answer.send(Err(failed()));
        }
    }
}

/// CSS px as px of the device.
pub(super) fn device(size: Size, scale: f64) -> Size {
    let scaled = |side: u32| (f64::from(side) * scale).round() as u32;
    Size::new(scaled(size.width), scaled(size.height))
}

fn output(handle: &DisplayHandle) -> Output {
    let physical = PhysicalProperties {
        size: (0, 0).into(),
        subpixel: Subpixel::None,
        make: "Ghostcast".to_owned(),
        model: "Display".to_owned(),
    };
    let output = Output::new("ghostcast".to_owned(), physical);
    let mode = Mode {
        size: (1920, 1080).into(),
        refresh: 60_000,
    };
    output.change_current_state(
        Some(mode),
        None,
        Some(Scale::Integer(1)),
        Some((0, 0).into()),
    );
    output.set_preferred(mode);
    output.create_global::<State>(handle);
    output
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    now.map_or(Duration::ZERO, Duration::from)
}

impl SeatHandler for State {
    type KeyboardFocus = WlSurface;
    type PointerFocus = WlSurface;
    type TouchFocus = WlSurface;

    fn seat_state(&mut self) -> &mut SeatState<Self> {
        &mut self.seats
    }

    fn focus_changed(&mut self, _seat: &Seat<Self>, _focused: Option<&WlSurface>) {}
}

impl SelectionHandler for State {
    type SelectionUserData = ();
}

impl DataDeviceHandler for State {
    fn data_device_state(&self) -> &DataDeviceState {
        &self.data
    }
}

impl ClientDndGrabHandler for State {}
impl ServerDndGrabHandler for State {}
impl OutputHandler for State {}

impl FractionalScaleHandler for State {
    fn new_fractional_scale(&mut self, surface: WlSurface) {
        let scale = self.scale_of(&surface);
        super::shell::tell_scale(&surface, scale);
    }
}

smithay::delegate_data_device!(State);
smithay::delegate_fractional_scale!(State);
smithay::delegate_output!(State);
smithay::delegate_presentation!(State);
smithay::delegate_seat!(State);
smithay::delegate_viewporter!(State);
smithay::delegate_xdg_decoration!(State);
smithay::delegate_xdg_shell!(State);
