//! Pages that are being taken over.

use std::sync::Arc;

use super::Inner;

/// A page that is being taken over, while this lives.
#[derive(Debug)]
pub(super) struct Arrival(pub(super) Arc<Inner>);

impl Arrival {
    pub(super) fn of(inner: &Arc<Inner>) -> Self {
        inner.arriving.send_modify(|count| *count += 1);
        Self(Arc::clone(inner))
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.arriving.send_modify(|count| *count -= 1);
    }
}
