"""What the blocking client waits by: the counterpart of `_backend_async`, name for name."""

from __future__ import annotations

import time
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from ._backend_async import MESSAGE_BYTES_MAX

Socket = ClientConnection
now_s = time.monotonic


def sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)


def read_bytes(path: Path) -> bytes:
    """Reads a file."""
    return path.read_bytes()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, and the directories above it where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def open_socket(url: str, headers: dict[str, str], timeout_s: float, proxied: bool) -> Socket:
    """Connects a WebSocket, where it is `proxied` by way of the environment's proxy."""
    connecting = connect(
        url,
        additional_headers=headers,
        open_timeout=timeout_s,
        max_size=MESSAGE_BYTES_MAX,
        proxy=True if proxied else None,
    )
    # What `connect` itself returns depends on the version; what it enters is a connection in all of them.
    return connecting.__enter__()


def receive(socket: Socket, timeout_s: float | None) -> str | bytes:
    """The next message. Raises `TimeoutError` when none comes within `timeout_s` seconds."""
    return socket.recv(timeout_s)
