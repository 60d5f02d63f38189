"""A room's events as a stream that reconnects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType

from typing_extensions import Self
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from .. import _backend_async as backend
from .._wire import backoffs, events_url, service_error
from ..errors import ConnectionFailed, ServiceError, Unavailable
from ..events import Event, Lagged, parse_event
from .transport import AsyncTransport

RECONNECT_S = 60.0
"""How long a service may be away: longer than it takes to start again."""


class AsyncEventStream:
    """The events of one room, in order, for as long as they are wanted.

    It connects when it is entered by `async with`, or else before its first event. A connection that
    is lost is made again, from the event after the last one that came; where some are no longer
    kept, or the service has begun another counting, a `Lagged` says so. A stream that had no
    `since` and no event yet goes on with what happens after it is connected again.

    Attributes:
        seq: The number of the last event that came; for `since`.
        epoch: The counting that `seq` is of; for `epoch`.

    """

    def __init__(
        self,
        transport: AsyncTransport,
        room: str,
        *,
        since: int | None,
        epoch: str | None,
        types: Sequence[str] | None,
        details: bool,
        reconnect_s: float,
    ) -> None:
        self.seq = since
        self.epoch = epoch
        self._transport = transport
        self._room = room
        self._types = types
        self._details = details
        self._reconnect_s = reconnect_s
        self._socket: backend.Socket | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.next()
        except ConnectionFailed:
            if self._is_closed:
                raise StopAsyncIteration from None
            raise

    async def connect(self) -> None:
        """Connects now, once, so that nothing is missed from here on.

        Raises `ConnectionFailed`, and a `ServiceError` where the service refuses.
        """
        self._is_closed = False
        if self._socket is None:
            await self._connect()

    async def next(self, timeout_s: float | None = None) -> Event:
        """The next event.

        Raises `TimeoutError` when none comes within `timeout_s` seconds, `ConnectionFailed` when the
        service stays away for longer than `reconnect_s` or the stream is closed, and a `ServiceError`
        where the service refuses.
        """
        deadline_s = None if timeout_s is None else backend.now_s() + timeout_s
        while True:
            if self._is_closed:
                raise ConnectionFailed("the stream is closed")
            if self._socket is None:
                await self._reconnect(deadline_s)
            left_s = None if deadline_s is None else max(deadline_s - backend.now_s(), 0)
            event = await self._receive(left_s)
            if event is not None:
                return event

    async def close(self) -> None:
        """Ends the stream; who iterates over it comes to the end."""
        self._is_closed = True
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _connect(self) -> None:
        socket = await self._open(self.seq, self.epoch)
        epoch = socket.response.headers.get("X-Events-Epoch") if socket.response else None
        if self.seq is None and self.epoch not in {None, epoch}:
            # Another counting has begun since we were connected, and all of it is news to us.
            await socket.close()
            socket = await self._open(0, epoch)
        if self._is_closed:
            # Somebody has closed the stream while it connected.
            return await socket.close()
        if self.seq is None or self.epoch is None:
            self.epoch = epoch
        self._socket = socket
        return None

    async def _receive(self, timeout_s: float | None) -> Event | None:
        if self._socket is None:
            return None
        try:
            text = await backend.receive(self._socket, timeout_s)
        except ConnectionClosed:
            self._socket = None
            return None
        event = parse_event(json.loads(text))
        self.seq = event.seq
        if isinstance(event, Lagged) and event.epoch is not None:
            self.epoch = event.epoch
        return event

    async def _reconnect(self, deadline_s: float | None) -> None:
        give_up_s = backend.now_s() + self._reconnect_s
        for pause_s in backoffs():
            if self._is_closed:
                break
            try:
                return await self._connect()
            except (ConnectionFailed, Unavailable):
                if backend.now_s() + pause_s >= give_up_s:
                    raise
            if deadline_s is not None and backend.now_s() + pause_s >= deadline_s:
                raise TimeoutError
            await backend.sleep(pause_s)
        return None

    async def _open(self, since: int | None, epoch: str | None) -> backend.Socket:
        transport = self._transport
        url = events_url(
            transport.base_url,
            self._room,
            types=self._types,
            since=since,
            epoch=epoch,
            details=self._details,
        )
        try:
            return await backend.open_socket(url, transport.headers, transport.timeout_s, transport.proxied)
        except InvalidStatus as refused:
            raise _refusal(refused) from refused
        except (InvalidHandshake, OSError, EOFError) as error:
            message = f"no events from {transport.base_url}: {error}"
            raise ConnectionFailed(message) from error


def _refusal(refused: InvalidStatus) -> ServiceError:
    answer = refused.response
    request_id = answer.headers.get("X-Request-Id")
    return service_error(answer.status_code, bytes(answer.body or b""), request_id)
