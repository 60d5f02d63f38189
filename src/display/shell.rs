//! Windows and popups: where they stand, how large they are, and which is whose.

use smithay::reexports::wayland_protocols::xdg::decoration::zv1::server::zxdg_toplevel_decoration_v1::Mode;
use smithay::reexports::wayland_protocols::xdg::shell::server::xdg_toplevel;
use smithay::reexports::wayland_server::protocol::wl_output::WlOutput;
use smithay::reexports::wayland_server::protocol::wl_seat::WlSeat;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point, Rectangle, Serial, Transform};
use smithay::wayland::compositor::{get_parent, send_surface_state, with_states};
use smithay::wayland::fractional_scale::with_fractional_scale;
use smithay::wayland::shell::xdg::decoration::XdgDecorationHandler;
use smithay::wayland::shell::xdg::{
    PopupSurface, PositionerState, SurfaceCachedState, ToplevelSurface, XdgShellHandler,
    XdgShellState, XdgToplevelSurfaceData,
};

use crate::model::Size;

use super::state::{Shown, State};
use super::surfaces::sum;

/// Popups that open out of each other.
const POPUPS_DEEP_MAX: usize = 16;

/// Popups that are open at a time; a menu has a few.
const POPUPS_MAX: usize = 64;

impl State {
    /// The place of the window that a surface belongs to.
    pub(super) fn window_of(&self, surface: &WlSurface) -> Option<usize> {
        let mut root = root_of(surface);
        for _ in 0..POPUPS_DEEP_MAX {
            let is_its = |shown: &Shown| *shown.toplevel.wl_surface() == root;
            if let Some(at) = self.shown.iter().position(is_its) {
                return Some(at);
            }
            root = root_of(&self.popup(&root)?.get_parent_surface()?);
        }
        None
    }

    /// Device px that a CSS px has for a surface.
    pub(super) fn scale_of(&self, surface: &WlSurface) -> f64 {
        let window = self.window_of(surface);
        window.map_or_else(|| self.size_expected().1, |at| self.shown[at].scale)
    }

    /// Where the content of a window or popup begins in its window.
    pub(super) fn origin_of(&self, surface: &WlSurface) -> Point<i32, Logical> {
        let mut origin = Point::default();
        let mut root = root_of(surface);
        for _ in 0..POPUPS_DEEP_MAX {
            let Some(popup) = self.popup(&root) else {
                break;
            };
            origin = sum(origin, popup.with_pending_state(|state| state.geometry.loc));
            let Some(parent) = popup.get_parent_surface() else {
                break;
            };
            root = root_of(&parent);
        }
        origin
    }

    fn popup(&self, surface: &WlSurface) -> Option<&PopupSurface> {
        let mut popups = self.popups.iter();
        popups.find(|popup| popup.wl_surface() == surface)
    }

    fn at_mut(&mut self, toplevel: &ToplevelSurface) -> Option<&mut Shown> {
        let mut shown = self.shown.iter_mut();
        shown.find(|shown| shown.toplevel == *toplevel)
    }

    /// Puts a popup where it has asked to be, inside of its window.
    fn place(&self, popup: &PopupSurface, positioner: PositionerState) {
        let Some(parent) = popup.get_parent_surface() else {
            return;
        };
        let window = self.window_of(&parent).map(|at| self.shown[at].size);
        let size = window.unwrap_or_else(|| self.size_expected().0);
        // Sides are bounded when windows are asked for.
        let size = (size.width as i32, size.height as i32);
        let origin = self.origin_of(&parent);
        let room = Rectangle::new((-origin.x, -origin.y).into(), size.into());
        popup.with_pending_state(|state| {
            state.geometry = positioner.get_unconstrained_geometry(room);
            state.positioner = positioner;
        });
    }

    fn tell_again(&mut self, toplevel: &ToplevelSurface) {
        if let Some(shown) = self.at_mut(toplevel) {
            configure(&shown.toplevel, shown.size);
        }
    }
}

impl XdgShellHandler for State {
    fn xdg_shell_state(&mut self) -> &mut XdgShellState {
        &mut self.xdg
    }

    fn new_toplevel(&mut self, toplevel: ToplevelSurface) {
        let (size, scale) = self.size_expected();
        self.output.enter(toplevel.wl_surface());
        tell_scale(toplevel.wl_surface(), scale);
        let shared = std::sync::Arc::clone(&self.shared);
        let mut shown = Shown::new(toplevel, shared, size, scale);
        if self.is_blind {
            shown.fail(std::time::Instant::now());
        }
        self.shown.push(shown);
    }

    fn new_popup(&mut self, popup: PopupSurface, positioner: PositionerState) {
        if self.popups.len() >= POPUPS_MAX {
            return popup.send_popup_done();
        }
        tell_scale(popup.wl_surface(), self.scale_of(popup.wl_surface()));
        self.output.enter(popup.wl_surface());
        self.place(&popup, positioner);
        self.popups.push(popup);
    }

    fn grab(&mut self, _popup: PopupSurface, _seat: WlSeat, _serial: Serial) {}

    fn reposition_request(&mut self, popup: PopupSurface, positioner: PositionerState, token: u32) {
        self.place(&popup, positioner);
        popup.send_repositioned(token);
        self.rearrange(popup.wl_surface());
    }

    fn fullscreen_request(&mut self, toplevel: ToplevelSurface, _output: Option<WlOutput>) {
        self.tell_again(&toplevel);
    }

    fn unfullscreen_request(&mut self, toplevel: ToplevelSurface) {
        self.tell_again(&toplevel);
    }

    fn maximize_request(&mut self, toplevel: ToplevelSurface) {
        self.tell_again(&toplevel);
    }

    fn unmaximize_request(&mut self, toplevel: ToplevelSurface) {
        self.tell_again(&toplevel);
    }

    fn title_changed(&mut self, _toplevel: ToplevelSurface) {
        self.match_titles();
    }

    fn toplevel_destroyed(&mut self, toplevel: ToplevelSurface) {
        if let Some(at) = self
            .shown
            .iter()
            .position(|shown| shown.toplevel == toplevel)
        {
            self.shown.remove(at).leave();
        }
    }

    fn popup_destroyed(&mut self, popup: PopupSurface) {
        let window = self.window_of(popup.wl_surface());
        self.popups.retain(|other| *other != popup);
        if let Some(at) = window {
            self.arrange(at);
        }
    }
}

impl XdgDecorationHandler for State {
    fn new_decoration(&mut self, toplevel: ToplevelSurface) {
        decorate(&toplevel);
    }

    fn request_mode(&mut self, toplevel: ToplevelSurface, _mode: Mode) {
        decorate(&toplevel);
    }

    fn unset_mode(&mut self, toplevel: ToplevelSurface) {
        decorate(&toplevel);
    }
}

/// Frames are ours to draw, and we draw none.
fn decorate(toplevel: &ToplevelSurface) {
    toplevel.with_pending_state(|state| state.decoration_mode = Some(Mode::ServerSide));
    if toplevel.is_initial_configure_sent() {
        toplevel.send_configure();
    }
}

/// Tells a window to fill a screen of that size.
pub(super) fn configure(toplevel: &ToplevelSurface, size: Size) {
    toplevel.with_pending_state(|state| {
        // Sides are bounded when windows are asked for.
        state.size = Some((size.width as i32, size.height as i32).into());
        state.states.set(xdg_toplevel::State::Fullscreen);
        // There is no keyboard whose focus only one could have.
        state.states.set(xdg_toplevel::State::Activated);
    });
    toplevel.send_configure();
}

/// Tells a surface how many device px a CSS px has.
pub(super) fn tell_scale(surface: &WlSurface, scale: f64) {
    with_states(surface, |states| {
        send_surface_state(surface, states, scale.ceil() as i32, Transform::Normal);
        with_fractional_scale(states, |fraction| fraction.set_preferred_scale(scale));
    });
}

pub(super) fn title(toplevel: &ToplevelSurface) -> String {
    with_states(toplevel.wl_surface(), |states| {
        let data = states.data_map.get::<XdgToplevelSurfaceData>()?;
        data.lock().ok()?.title.clone()
    })
    .unwrap_or_default()
}

/// Where the content of a surface begins in it; shadows lie outside.
pub(super) fn margin(surface: &WlSurface) -> Point<i32, Logical> {
    with_states(surface, |states| {
        let mut cached = states.cached_state.get::<SurfaceCachedState>();
        let geometry = cached.current().geometry;
        let loc = geometry.map_or_else(Point::default, |geometry| geometry.loc);
        sum(Point::default(), loc)
    })
}

/// The surface that this one is a part of.
fn root_of(surface: &WlSurface) -> WlSurface {
    let mut root = surface.clone();
    while let Some(parent) = get_parent(&root) {
        root = parent;
    }
    root
}
