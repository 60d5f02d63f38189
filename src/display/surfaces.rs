//! Surfaces: what a client has drawn is copied, its buffer given back, and the window told.

use std::sync::atomic::Ordering;
use std::time::Instant;

use smithay::reexports::wayland_protocols::wp::presentation_time::server::wp_presentation_feedback::Kind;
use smithay::reexports::wayland_server::protocol::wl_buffer::WlBuffer;
use smithay::reexports::wayland_server::protocol::wl_callback::WlCallback;
use smithay::reexports::wayland_server::protocol::wl_shm::Format;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::reexports::wayland_server::{Client, Resource};
use smithay::utils::{Logical, Point};
use smithay::wayland::buffer::BufferHandler;
use smithay::wayland::compositor::{
    BufferAssignment, CompositorClientState, CompositorHandler, CompositorState, Damage as Damaged,
    SubsurfaceCachedState, SurfaceAttributes, SurfaceData, TraversalAction, with_states,
    with_surface_tree_upward,
};
use smithay::wayland::presentation::{
    PresentationFeedbackCachedState, PresentationFeedbackCallback, Refresh,
};
use smithay::wayland::shm::{BufferData, ShmHandler, ShmState, with_buffer_contents};
use smithay::wayland::viewporter::ViewportCachedState;

use crate::media::screen::{Damage, Rect};
use crate::model::Size;

use super::canvas::{Canvas, Layer, Placed};
use super::image::{Crop, PIXEL, Place};
use super::limits::{self, CALLBACKS_MAX, Guest, PIXELS_MAX, SIDE_MAX, SURFACES_MAX};
use super::state::{Shown, State};

/// Nothing that stands further from its window is in it, CSS px.
const FAR: i32 = 1 << 20;

/// What a commit has brought.
struct Commit {
    buffer: Option<BufferAssignment>,
    damage: Vec<Damaged>,
    callbacks: Vec<WlCallback>,
    feedbacks: Vec<PresentationFeedbackCallback>,
    view: View,
}

/// How a surface shows its buffer.
#[derive(Debug, Clone, Copy)]
struct View {
    buffer_scale: f64,
    viewport: ViewportCachedState,
}

impl CompositorHandler for State {
    fn compositor_state(&mut self) -> &mut CompositorState {
        &mut self.compositor
    }

    fn client_compositor_state<'a>(&self, client: &'a Client) -> &'a CompositorClientState {
        let guest = client.get_data::<Guest>();
        &guest.expect("every client is let in as a guest").compositor
    }

    fn new_surface(&mut self, surface: &WlSurface) {
        let Some(client) = surface.client() else {
            return;
        };
        let guest = client.get_data::<Guest>();
        if !guest.is_some_and(|guest| limits::count(&guest.surfaces, SURFACES_MAX)) {
            limits::refuse(&client, &self.handle, "surfaces");
        }
    }

    fn commit(&mut self, surface: &WlSurface) {
        if self.introduce(surface) {
            return;
        }
        let commit = Commit::take(surface);
        let Some(at) = self.window_of(surface) else {
            if let Some(BufferAssignment::NewBuffer(buffer)) = commit.buffer {
                buffer.release();
            }
            return;
        };
        self.accept_commit(at, surface, commit, Instant::now());
    }

    fn destroyed(&mut self, surface: &WlSurface) {
        let layer = surface.id().protocol_id();
        let window = self.window_of(surface);
        if let Some(at) = window {
            let gone = self.shown[at].window.canvas().remove(layer);
            self.shown[at].ring(Instant::now());
            self.give_back(surface, gone);
        }
        self.with_guest_of(surface, |guest| {
            guest.surfaces.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl BufferHandler for State {
    fn buffer_destroyed(&mut self, _buffer: &WlBuffer) {}
}

impl ShmHandler for State {
    fn shm_state(&self) -> &ShmState {
        &self.shm
    }
}

impl State {
    /// Tells a new window or popup what it is; says whether it was one.
    fn introduce(&self, surface: &WlSurface) -> bool {
        if let Some(shown) = self
            .shown
            .iter()
            .find(|shown| shown.toplevel.wl_surface() == surface)
            && !shown.toplevel.is_initial_configure_sent()
        {
            super::shell::configure(&shown.toplevel, shown.size);
            return true;
        }
        let popup = self
            .popups
            .iter()
            .find(|popup| popup.wl_surface() == surface);
        match popup {
            Some(popup) if !popup.is_initial_configure_sent() => {
                // It is the first one, which is always allowed.
                let _ = popup.send_configure();
                true
            }
            _ => false,
        }
    }

    fn accept_commit(&mut self, at: usize, surface: &WlSurface, commit: Commit, now: Instant) {
        metrics::counter!("ghostcast_display_commits_total").increment(1);
        self.present(at, commit.feedbacks, now);
        let shown = &mut self.shown[at];
        if !commit.callbacks.is_empty() {
            shown.callbacks.extend(commit.callbacks);
            shown.pace.ask();
        }
        if shown.callbacks.len() > CALLBACKS_MAX
            && let Some(client) = surface.client()
        {
            return limits::refuse(&client, &self.handle, "callbacks");
        }
        let layer = surface.id().protocol_id();
        if self.is_blind {
            if let Some(BufferAssignment::NewBuffer(buffer)) = commit.buffer {
                buffer.release();
            }
            return;
        }
        match commit.buffer {
            Some(BufferAssignment::NewBuffer(buffer)) => {
                let read = self.read(at, surface, &buffer, &commit.damage, commit.view);
                buffer.release();
                if let Err(what) = read {
                    if let Some(client) = surface.client() {
                        limits::refuse(&client, &self.handle, what);
                    }
                    return;
                }
            }
            Some(BufferAssignment::Removed) => {
                let gone = self.shown[at].window.canvas().remove(layer);
                self.give_back(surface, gone);
            }
            None => {}
        }
        self.arrange(at);
    }

    /// Says that what was committed is on the screen.
    fn present(&mut self, at: usize, feedbacks: Vec<PresentationFeedbackCallback>, now: Instant) {
        let time = self.monotonic(self.shown[at].pace.slot(now));
        let shown = &mut self.shown[at];
        if !feedbacks.is_empty() {
            shown.pace.commit(now);
        }
        let refresh = Refresh::fixed(shown.pace.told(now));
        for feedback in feedbacks {
            shown.presented += 1;
            feedback.presented(&self.output, time, refresh, shown.presented, Kind::Vsync);
        }
    }

    /// Copies what is new of a buffer.
    fn read(
        &self,
        at: usize,
        surface: &WlSurface,
        buffer: &WlBuffer,
        damage: &[Damaged],
        view: View,
    ) -> Result<(), &'static str> {
        let layer = surface.id().protocol_id();
        let mut canvas = self.shown[at].window.canvas();
        let before = canvas
            .image_size(layer)
            .map_or(0, |size| Rect::of(size).area());
        let client = surface.client();
        let guest = client
            .as_ref()
            .and_then(|client| client.get_data::<Guest>());
        let held = guest.map_or(0, |guest| guest.pixels.load(Ordering::Relaxed));
        let read = with_buffer_contents(buffer, |start, length, data| {
            let memory = Memory { start, length };
            let size = checked(data, length)?;
            if held.saturating_sub(before) + Rect::of(size).area() > PIXELS_MAX {
                return Err("pixels");
            }
            memory.copy(&mut canvas, layer, data, &view.damaged(damage, size));
            Ok(Rect::of(size).area())
        });
        match read {
            Ok(Ok(after)) => {
                if let Some(guest) = guest {
                    let held = held.saturating_sub(before) + after;
                    guest.pixels.store(held, Ordering::Relaxed);
                }
                Ok(())
            }
            Ok(Err(what)) => Err(what),
            // The client was told what is wrong with it, and is gone.
            Err(error) => {
                tracing::debug!(%error, "a buffer cannot be read");
                Ok(())
            }
        }
    }

    fn give_back(&self, surface: &WlSurface, pixels: u64) {
        self.with_guest_of(surface, |guest| {
            let held = guest.pixels.load(Ordering::Relaxed);
            guest
                .pixels
                .store(held.saturating_sub(pixels), Ordering::Relaxed);
        });
    }

    fn with_guest_of(&self, surface: &WlSurface, with: impl FnOnce(&Guest)) {
        if let Some(client) = surface.client() {
            client.get_data::<Guest>().map(with);
        }
    }

    /// Finds out anew where all surfaces of the window stand that this one belongs to.
    pub(super) fn rearrange(&mut self, surface: &WlSurface) {
        if let Some(at) = self.window_of(surface) {
            self.arrange(at);
        }
    }

    /// Finds out where all surfaces of a window stand, and tells whoever watches of what is new.
    pub(super) fn arrange(&mut self, at: usize) {
        if self.is_blind {
            return;
        }
        let mut placed = Vec::new();
        let shown = &self.shown[at];
        let root = shown.toplevel.wl_surface();
        let popups = self.popups.iter().map(|popup| popup.wl_surface());
        let mut canvas = shown.window.canvas();
        let its_popups = popups.filter(|popup| self.window_of(popup) == Some(at));
        for surface in std::iter::once(root).chain(its_popups) {
            let margin = super::shell::margin(surface);
            let start = sum(self.origin_of(surface), (-margin.x, -margin.y).into());
            place_tree(surface, start, shown.scale, &canvas, &mut placed);
        }
        canvas.arrange(placed.into_iter());
        drop(canvas);
        let shown = &mut self.shown[at];
        shown.settle();
        shown.ring(Instant::now());
    }
}

impl Shown {
    /// Tells whoever watches that something is new, if it is.
    fn ring(&self, now: Instant) {
        let is_new = self.window.canvas().take_news();
        if let Some(watch) = self.watch.as_ref().filter(|_| is_new) {
            watch.bell.damaged(now);
        }
    }
}

impl Commit {
    fn take(surface: &WlSurface) -> Self {
        with_states(surface, |states| {
            let view = View::of(states);
            let mut cached = states.cached_state.get::<PresentationFeedbackCachedState>();
            let feedbacks = std::mem::take(&mut cached.current().callbacks);
            drop(cached);
            let mut cached = states.cached_state.get::<SurfaceAttributes>();
            let current = cached.current();
            Self {
                buffer: current.buffer.take(),
                damage: std::mem::take(&mut current.damage),
                callbacks: std::mem::take(&mut current.frame_callbacks),
                feedbacks,
                view,
            }
        })
    }
}

impl View {
    fn of(states: &SurfaceData) -> Self {
        let viewport = *states.cached_state.get::<ViewportCachedState>().current();
        let mut cached = states.cached_state.get::<SurfaceAttributes>();
        Self {
            buffer_scale: f64::from(cached.current().buffer_scale.max(1)),
            viewport,
        }
    }

    /// The part of the image that is shown.
    fn crop(self, image: Size) -> Crop {
        let Some(src) = self.viewport.src else {
            return Crop::of(image);
        };
        let scale = self.buffer_scale;
        let x = (src.loc.x * scale).clamp(0.0, f64::from(image.width));
        let y = (src.loc.y * scale).clamp(0.0, f64::from(image.height));
        Crop {
            x,
            y,
            width: (src.size.w * scale).clamp(0.0, f64::from(image.width) - x),
            height: (src.size.h * scale).clamp(0.0, f64::from(image.height) - y),
        }
    }

    /// How large it is shown, CSS px.
    fn size(self, image: Size) -> (f64, f64) {
        let crop = self.crop(image);
        let own = (
            crop.width / self.buffer_scale,
            crop.height / self.buffer_scale,
        );
        let wanted = self.viewport.dst;
        wanted.map_or(own, |size| (f64::from(size.w), f64::from(size.h)))
    }

    fn place(self, at: Point<i32, Logical>, scale: f64, image: Size) -> Place {
        let (width, height) = self.size(image);
        let edge = |at: i32, length: f64| {
            let start = (f64::from(at) * scale).round();
            let end = ((f64::from(at) + length) * scale).round();
            // Casts of numbers with a fraction end at the type's ends.
            (start as i32, (end - start) as u32)
        };
        let ((x, width), (y, height)) = (edge(at.x, width), edge(at.y, height));
        Place {
            x,
            y,
            width,
            height,
        }
    }

    /// What a client says is new, px of its buffer.
    fn damaged(self, damage: &[Damaged], image: Size) -> Damage {
        let crop = self.crop(image);
        let (width, height) = self.size(image);
        let (across, down) = (crop.width / width.max(1.0), crop.height / height.max(1.0));
        let mut all = Damage::default();
        for one in damage {
            let (x, y, right, bottom) = match one {
                Damaged::Buffer(rect) => {
                    let (x, y) = (f64::from(rect.loc.x), f64::from(rect.loc.y));
                    let size = (f64::from(rect.size.w), f64::from(rect.size.h));
                    (x, y, x + size.0, y + size.1)
                }
                Damaged::Surface(rect) => {
                    let x = f64::from(rect.loc.x) * across + crop.x;
                    let y = f64::from(rect.loc.y) * down + crop.y;
                    let size = (f64::from(rect.size.w), f64::from(rect.size.h));
                    (x, y, x + size.0 * across, y + size.1 * down)
                }
            };
            // Casts of numbers with a fraction end at the type's ends, 0 for what is below.
            let (x, y) = (x.floor() as u32, y.floor() as u32);
            let rect = Rect {
                x,
                y,
                width: (right.ceil() as u32).saturating_sub(x),
                height: (bottom.ceil() as u32).saturating_sub(y),
            };
            all.add(rect.intersection(Rect::of(image)));
        }
        all
    }
}

/// Where the surfaces of a tree stand, from the lowest to the topmost.
fn place_tree(
    surface: &WlSurface,
    start: Point<i32, Logical>,
    scale: f64,
    canvas: &Canvas,
    placed: &mut Vec<Placed>,
) {
    let offset = |states: &SurfaceData, at: &Point<i32, Logical>| {
        let is_part = states.role == Some(smithay::wayland::compositor::SUBSURFACE_ROLE);
        let mut cached = states.cached_state.get::<SubsurfaceCachedState>();
        let own = cached.current().location;
        sum(*at, if is_part { own } else { Point::default() })
    };
    let is_shown = |surface: &WlSurface| {
        let size = canvas.image_size(surface.id().protocol_id());
        size.filter(|size| size.width > 0)
    };
    with_surface_tree_upward(
        surface,
        start,
        |surface, states, at| match is_shown(surface) {
            Some(_) => TraversalAction::DoChildren(offset(states, at)),
            None => TraversalAction::SkipChildren,
        },
        |surface, states, at| {
            if let Some(size) = is_shown(surface) {
                let view = View::of(states);
                placed.push(Placed {
                    layer: surface.id().protocol_id(),
                    crop: view.crop(size),
                    place: view.place(offset(states, at), scale, size),
                });
            }
        },
        |_, _, _| true,
    );
}

/// Both together; a client may have named any number.
pub(super) fn sum(one: Point<i32, Logical>, other: Point<i32, Logical>) -> Point<i32, Logical> {
    let far = |side: i32| side.clamp(-FAR, FAR);
    (far(one.x) + far(other.x), far(one.y) + far(other.y)).into()
}

/// The size of a buffer, if all of it lies in its pool.
fn checked(data: BufferData, length: usize) -> Result<Size, &'static str> {
    let side = |value: i32| {
        let value = u32::try_from(value).ok();
        value.filter(|side| (1..=SIDE_MAX).contains(side))
    };
    let (Some(width), Some(height)) = (side(data.width), side(data.height)) else {
        return Err("side");
    };
    let offset = usize::try_from(data.offset).map_err(|_| "pool")?;
    let stride = usize::try_from(data.stride).map_err(|_| "pool")?;
    let row = width as usize * PIXEL;
    let end = offset + (height as usize - 1) * stride + row;
    let fits = stride >= row && end <= length;
    fits.then(|| Size::new(width, height)).ok_or("pool")
}

/// A client's memory, which it may change or take away at any time.
struct Memory {
    start: *const u8,
    length: usize,
}

impl Memory {
    /// Copies the damaged rows of a buffer that lies within.
    fn copy(&self, canvas: &mut Canvas, layer: Layer, data: BufferData, damage: &Damage) {
        let size = Size::new(data.width as u32, data.height as u32);
        let image = canvas.image(layer);
        let all;
        let damage = if image.shape(size, data.format == Format::Xrgb8888) {
            all = Damage::all(size);
            &all
        } else {
            damage
        };
        for rect in damage.rects() {
            for y in rect.y..rect.bottom() {
                let row = y as usize * data.stride as usize + rect.x as usize * PIXEL;
                if let Some(target) = image.row_mut(rect.x, y, rect.width) {
                    self.copy_row(data.offset as usize + row, target);
                }
            }
        }
        for rect in damage.rects() {
            canvas.touch(layer, *rect);
        }
    }

    #[expect(unsafe_code, reason = "memory of another process cannot be borrowed")]
    fn copy_row(&self, from: usize, target: &mut [u8]) {
        if from
            .checked_add(target.len())
            .is_none_or(|end| end > self.length)
        {
            return;
        }
        // SAFETY: the row lies within the mapping, which stands while this is called from
        // `with_buffer_contents`; `target` is ours. Where the file behind it has been cut off, the
        // library's handler puts zeros in its place.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.add(from), target.as_mut_ptr(), target.len());
        }
    }
}
