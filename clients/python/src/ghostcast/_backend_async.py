"""What the asynchronous client waits by. Its counterpart has the same names and blocks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Largest event: a page may write a long text to its console."""

Socket = ClientConnection
now_s = time.monotonic


async def sleep(seconds: float) -> None:
    """Waits."""
    await asyncio.sleep(seconds)


async def read_bytes(path: Path) -> bytes:
    """Reads a file."""
    return await asyncio.to_thread(path.read_bytes)


async def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, and the directories above it where they are missing."""

    def write() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    await asyncio.to_thread(write)


async def open_socket(url: str, headers: dict[str, str], timeout_s: float, proxied: bool) -> Socket:
    """Connects a WebSocket, where it is `proxied` by way of the environment's proxy."""
    return await connect(
        url,
        additional_headers=headers,
        open_timeout=timeout_s,
        max_size=MESSAGE_BYTES_MAX,
        proxy=True if proxied else None,
    )


async def receive(socket: Socket, timeout_s: float | None) -> str | bytes:
    """The next message. Raises `TimeoutError` when none comes within `timeout_s` seconds."""
    try:
        return await asyncio.wait_for(socket.recv(), timeout_s)
    except asyncio.TimeoutError:
        # Before Python 3.11 these are two classes.
        raise TimeoutError from None
