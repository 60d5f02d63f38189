//! What the library takes for impossible and a client can say all the same: it is left out, and the
//! rest passed on.

use smithay::reexports::wayland_server::backend::ClientId;
use smithay::reexports::wayland_server::protocol::{
    wl_callback, wl_compositor, wl_region, wl_subcompositor, wl_subsurface, wl_surface,
};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, delegate_dispatch, delegate_global_dispatch,
};
use smithay::wayland::compositor::{
    CompositorState, RegionUserData, SubsurfaceUserData, SurfaceUserData,
};

use super::state::State;

delegate_global_dispatch!(State: [wl_compositor::WlCompositor: ()] => CompositorState);
delegate_global_dispatch!(State: [wl_subcompositor::WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(State: [wl_compositor::WlCompositor: ()] => CompositorState);
delegate_dispatch!(State: [wl_callback::WlCallback: ()] => CompositorState);
delegate_dispatch!(State: [wl_subcompositor::WlSubcompositor: ()] => CompositorState);
delegate_dispatch!(State: [wl_subsurface::WlSubsurface: SubsurfaceUserData] => CompositorState);

impl Dispatch<wl_surface::WlSurface, SurfaceUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        surface: &wl_surface::WlSurface,
        request: wl_surface::Request,
        data: &SurfaceUserData,
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_surface::Request::Damage { width, height, .. } = request
            && (width < 0 || height < 0)
        {
            return;
        }
        <CompositorState as Dispatch<wl_surface::WlSurface, SurfaceUserData, Self>>::request(
            state, client, surface, request, data, handle, init,
        );
    }

    fn destroyed(
        state: &mut Self,
        client: ClientId,
        surface: &wl_surface::WlSurface,
        data: &SurfaceUserData,
    ) {
        <CompositorState as Dispatch<wl_surface::WlSurface, SurfaceUserData, Self>>::destroyed(
            state, client, surface, data,
        );
    }
}

impl Dispatch<wl_region::WlRegion, RegionUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        region: &wl_region::WlRegion,
        request: wl_region::Request,
        data: &RegionUserData,
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        match request {
            // Nothing is asked of regions, which a client could otherwise make endless.
            wl_region::Request::Add { .. } | wl_region::Request::Subtract { .. } => {}
            request => {
                <CompositorState as Dispatch<wl_region::WlRegion, RegionUserData, Self>>::request(
                    state, client, region, request, data, handle, init,
                );
            }
        }
    }
}
