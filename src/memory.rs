//! Memory that the allocator keeps though nobody uses it any more.

/// Gives it back to the system, as far as whole pages are free. Takes milliseconds, in which others that need
/// memory may wait.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is the C library's")]
pub(crate) fn give_back() {
    // SAFETY: it takes a number, may be called by any thread at any time, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives it back to the system; other allocators do so by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
