"""The certificates that servers are checked by."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def certificates() -> ssl.SSLContext:
    """What httpx checks servers by; read once, because that takes longer than a request does."""
    return httpx.create_ssl_context()
