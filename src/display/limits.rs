//! What one client may have of the display, so that none takes the memory of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use smithay::reexports::wayland_server::backend::{
    ClientData, ClientId, DisconnectReason, protocol::ProtocolError,
};
use smithay::reexports::wayland_server::protocol::{wl_buffer, wl_shm, wl_shm_pool};
use smithay::reexports::wayland_server::{
    Client, DataInit, Dispatch, DisplayHandle, GlobalDispatch, New, Resource,
};
use smithay::wayland::compositor::CompositorClientState;
use smithay::wayland::shm::{ShmBufferUserData, ShmPoolUserData, ShmState};

use super::state::State;

/// Clients at a time: a browser is one.
pub(super) const CLIENTS_MAX: usize = 8;

/// Surfaces of a client; a window has one and a few more while menus are open.
pub(super) const SURFACES_MAX: usize = 1024;

/// Pools and buffers of a client; each keeps a descriptor and a mapping of ours. A window has about
/// three.
pub(super) const POOLS_MAX: usize = 512;
pub(super) const BUFFERS_MAX: usize = 1024;

/// Bytes that a client may have us map: address space only, what it has not written is not there.
const POOL_BYTES_MAX: i32 = 256 << 20;

/// The longest side of a surface, px.
pub(super) const SIDE_MAX: u32 = 4096;

/// Pixels that are kept of all surfaces of a client: half a gigabyte.
pub(super) const PIXELS_MAX: u64 = 128 << 20;

/// Callbacks that a client waits for in one window.
pub(super) const CALLBACKS_MAX: usize = 1024;

/// What a client is sent away for, as it is counted.
pub const LIMITS: [&str; 9] = [
    "buffers",
    "callbacks",
    "clients",
    "pixels",
    "pool",
    "pool_bytes",
    "pools",
    "side",
    "surfaces",
];

/// What a client has.
#[derive(Debug, Default)]
pub(super) struct Guest {
    pub(super) compositor: CompositorClientState,
    pub(super) surfaces: AtomicUsize,
    pools: AtomicUsize,
    buffers: AtomicUsize,
    pub(super) pixels: AtomicU64,
    /// Is set once it has left.
    left: Arc<AtomicBool>,
}

impl Guest {
    pub(super) fn new(left: Arc<AtomicBool>) -> Self {
        Self {
            left,
            ..Self::default()
        }
    }
}

impl ClientData for Guest {
    fn initialized(&self, _client: ClientId) {}

    fn disconnected(&self, _client: ClientId, reason: DisconnectReason) {
        if let DisconnectReason::ProtocolError(error) = reason {
            let (code, object) = (error.code, &error.object_interface);
            tracing::warn!(
                code,
                object,
                message = error.message,
                "a client was sent away"
            );
        }
        self.left.store(true, Ordering::Release);
    }
}

/// Sends a client away that wants more than it may have.
pub(super) fn refuse(client: &Client, handle: &DisplayHandle, what: &'static str) {
    metrics::counter!("ghostcast_display_refusals_total", "limit" => what).increment(1);
    let error = ProtocolError {
        // wl_display's own "no memory", on the display itself.
        code: 2,
        object_id: 1,
        object_interface: "wl_display".to_owned(),
        message: format!("too much: {what}"),
    };
    client.kill(handle, error);
}

/// Counts one more, and says whether that is still allowed.
pub(super) fn count(counter: &AtomicUsize, most: usize) -> bool {
    counter.fetch_add(1, Ordering::Relaxed) < most
}

impl GlobalDispatch<wl_shm::WlShm, ()> for State {
    fn bind(
        state: &mut Self,
        handle: &DisplayHandle,
        client: &Client,
        resource: New<wl_shm::WlShm>,
        data: &(),
        init: &mut DataInit<'_, Self>,
    ) {
        <ShmState as GlobalDispatch<wl_shm::WlShm, (), Self>>::bind(
            state, handle, client, resource, data, init,
        );
    }
}

impl Dispatch<wl_shm::WlShm, ()> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        shm: &wl_shm::WlShm,
        request: wl_shm::Request,
        data: &(),
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_shm::Request::CreatePool { size, .. } = &request {
            let guest = client.get_data::<Guest>();
            let may = guest.is_some_and(|guest| count(&guest.pools, POOLS_MAX));
            if !may {
                return refuse(client, handle, "pools");
            }
            if *size > POOL_BYTES_MAX {
                return refuse(client, handle, "pool_bytes");
            }
        }
        <ShmState as Dispatch<wl_shm::WlShm, (), Self>>::request(
            state, client, shm, request, data, handle, init,
        );
    }
}

impl Dispatch<wl_shm_pool::WlShmPool, ShmPoolUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        pool: &wl_shm_pool::WlShmPool,
        request: wl_shm_pool::Request,
        data: &ShmPoolUserData,
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        match &request {
            wl_shm_pool::Request::CreateBuffer { .. } => {
                let guest = client.get_data::<Guest>();
                let may = guest.is_some_and(|guest| count(&guest.buffers, BUFFERS_MAX));
                if !may {
                    return refuse(client, handle, "buffers");
                }
            }
            // The library takes a size of nothing for impossible.
            wl_shm_pool::Request::Resize { size } if *size <= 0 => {
                return pool.post_error(wl_shm::Error::InvalidFd, "a pool cannot have this size");
            }
            wl_shm_pool::Request::Resize { size } if *size > POOL_BYTES_MAX => {
                return refuse(client, handle, "pool_bytes");
            }
            _ => {}
        }
        <ShmState as Dispatch<wl_shm_pool::WlShmPool, ShmPoolUserData, Self>>::request(
            state, client, pool, request, data, handle, init,
        );
    }

    fn destroyed(
        state: &mut Self,
        client: ClientId,
        _pool: &wl_shm_pool::WlShmPool,
        _data: &ShmPoolUserData,
    ) {
        state.with_guest(client, |guest| guest.pools.fetch_sub(1, Ordering::Relaxed));
    }
}

impl Dispatch<wl_buffer::WlBuffer, ShmBufferUserData> for State {
    fn request(
        state: &mut Self,
        client: &Client,
        buffer: &wl_buffer::WlBuffer,
        request: wl_buffer::Request,
        data: &ShmBufferUserData,
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        <ShmState as Dispatch<wl_buffer::WlBuffer, ShmBufferUserData, Self>>::request(
            state, client, buffer, request, data, handle, init,
        );
    }

    fn destroyed(
        state: &mut Self,
        client: ClientId,
        buffer: &wl_buffer::WlBuffer,
        data: &ShmBufferUserData,
    ) {
        state.with_guest(client.clone(), |guest| {
            guest.buffers.fetch_sub(1, Ordering::Relaxed)
        });
        <ShmState as Dispatch<wl_buffer::WlBuffer, ShmBufferUserData, Self>>::destroyed(
            state, client, buffer, data,
        );
    }
}
