"""The service's sessions."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from .. import _backend_async as backend
from .._version import mismatch
from .._wire import DEFAULT_URL, TIMEOUT_S, Secret, given, session_path, session_spec
from ..errors import Conflict, GhostcastError, NotFound, VersionMismatch
from ..models import CleanedUp, EndedSession, Health, SessionRecord, Stats
from .session import AsyncSession
from .transport import AsyncTransport

RETRIES = 2
"""How often a GET is sent again: enough for a connection that was let go of, and over within a second."""


class AsyncBrowserClient:
    """A client of the service; closing it ends no session.

    Every call raises `ConnectionFailed` when the service cannot be reached, and a `ServiceError`
    when it refuses. Only GET requests are sent again by themselves, after errors of the connection
    and after 503, with growing pauses. When the first session is heard of from a service of another
    version than this package, a `VersionMismatch` warns of it.

    Args:
        base_url: Where the service is.
        token: Its `server.token`, where it has one.
        timeout_s: Bound on each request, seconds; calls that take a bound of their own may last longer.
        retries: How often a GET is sent again.

    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        self._transport = AsyncTransport(base_url, token, timeout_s, retries)
        self._is_compared = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return self._transport.base_url

    async def close(self) -> None:
        """Closes the client's connections; the sessions go on."""
        await self._transport.close()

    async def create_session(
        self,
        session_name: str | None = None,
        *,
        room_name: str | None = None,
        url: str | None = None,
        headless: bool = True,
        viewport: Mapping[str, int] | tuple[int, int] | None = None,
        browser_type: str = "chromium",
        reuse: bool = False,
        storage: str | None = None,
        storage_state: Mapping[str, Any] | str | Path | None = None,
        metadata: Mapping[str, Any] | None = None,
        dialogs: str | None = None,
        allowed_domains: Sequence[str] | None = None,
        block_private_networks: bool | None = None,
        secrets: Mapping[str, Secret] | None = None,
        idle_timeout_s: int | None = None,
        max_lifetime_s: int | None = None,
        livekit_url: str | None = None,
        livekit_token: str | None = None,
        fps: int | None = None,
        bitrate_bps: int | None = None,
        capture: str | None = None,
        **fields: Any,
    ) -> AsyncSession:
        """Starts a session; one with a name is kept, and comes back with its logins and its page.

        Args:
            session_name: 1 to 128 of `A-Z a-z 0-9 . _ -`. This or `room_name` is needed.
            room_name: The LiveKit room.
            url: The first page; an empty one without it.
            headless: Whether the browser is without a window.
            viewport: Width and height, CSS px.
            browser_type: `chromium`.
            reuse: Whether a session of that name that has a browser is returned. Without it, that is
                a `Conflict`. One that has none, stored or lost, is started again either way.
            storage: `profile`, or `none` for a browser that forgets.
            storage_state: Cookies, `localStorage` and IndexedDB to begin with, or a JSON file of them.
            metadata: Anything of the caller's, up to 16 KiB as JSON.
            dialogs: `ask`, `accept` or `dismiss`.
            allowed_domains: Host patterns that the page may reach.
            block_private_networks: Refuses this machine and private networks to the page.
            secrets: Values to type by their labels: a text, or `value` with `origins`.
            idle_timeout_s: Ends the session when nobody has used it for so long, seconds; one with a
                name is stored. 0 for never, 1800 without it, and 3600 with a name.
            max_lifetime_s: Ends the session so long after its start, used or not, seconds.
            livekit_url: Another LiveKit server than the service's own.
            livekit_token: A token to join it by.
            fps: Most pictures a second of the video, 1 to 60.
            bitrate_bps: Bit rate of the video, bits a second.
            capture: `auto` or `screencast`.
            fields: Whatever else the service takes.

        Raises `Conflict` (see `reuse`), `InvalidInput`, `Unprocessable` or `Unsupported` for a wrong
        field, `Exhausted` when there are too many sessions, and `Unavailable` when no browser starts.

        """
        state = storage_state
        if isinstance(state, str | Path):
            state = json.loads(await backend.read_bytes(Path(state)))
        body = session_spec(
            url=url,
            viewport=viewport,
            storage_state=state,
            fields={
                "session_name": session_name,
                "room_name": room_name,
                "headless": headless,
                "browser_type": browser_type,
                "reuse": reuse,
                "storage": storage,
                "metadata": metadata,
                "dialogs": dialogs,
                "allowed_domains": allowed_domains,
                "block_private_networks": block_private_networks,
                "secrets": secrets,
                "idle_timeout_s": idle_timeout_s,
                "max_lifetime_s": max_lifetime_s,
                "livekit_url": livekit_url,
                "livekit_token": livekit_token,
                "fps": fps,
                "bitrate_bps": bitrate_bps,
                "capture": capture,
                **fields,
            },
        )
        try:
            return await self._start(body)
        except Conflict:
            # The service counts a name as taken as long as it is kept; here a browser takes it.
            kept = await self.get_session_by_name(session_name) if session_name else None
            if reuse or kept is None or kept.record.state not in {"stored", "failed"}:
                raise
            return await self._start({**body, "reuse": True})

    async def ensure_session(self, session_name: str, **options: Any) -> AsyncSession:
        """The session of that name: as it lives, or else started, on its profile where it has one.

        Takes what `create_session` takes, for a session that has to be started. The handle's `reused`
        tells which. Raises `Conflict` when the session lives without a fence or a secret that came.
        """
        return await self.create_session(session_name, **{**options, "reuse": True})

    async def get_session_by_name(self, session_name: str) -> AsyncSession | None:
        """The session of that name, or None when there is none."""
        try:
            session = await self.get_session(session_name)
        except NotFound:
            return None
        # Ids and rooms are found in the same place, and are no names.
        return session if session.session_name == session_name else None

    async def get_session(self, key: str) -> AsyncSession:
        """The session of that id, name or room; `NotFound` when there is none."""
        answer = await self._transport.json("GET", session_path(key))
        await self._compare()
        return AsyncSession(self._transport, SessionRecord.model_validate(answer), reused=True)

    async def list_sessions(self) -> list[AsyncSession]:
        """All sessions, alive or stored, oldest first."""
        answer = await self._transport.json("GET", "/sessions")
        return [
            AsyncSession(self._transport, SessionRecord.model_validate(record), reused=True)
            for record in answer["sessions"]
        ]

    async def delete_session(self, session_id_or_name: str, *, profile: bool = False) -> SessionRecord:
        """Ends a session, also one whose browser does not answer, and returns its last record.

        Args:
            session_id_or_name: Its id, name or room.
            profile: Deletes the profile of a session with a name too, with all logins in it.

        Raises `NotFound` when there is none.

        """
        params = {"profile": "delete"} if profile else None
        answer = await self._transport.json("DELETE", session_path(session_id_or_name), params=params)
        return SessionRecord.model_validate(answer)

    async def cleanup_sessions(
        self, max_age_hours: float = 24, *, dry_run: bool = False, profiles: bool = False
    ) -> CleanedUp:
        """Ends the sessions, alive or stored, in which nothing happened for so long.

        Args:
            max_age_hours: Hours since the last activity, 0 or more.
            dry_run: Only says which they are.
            profiles: Deletes the profiles of those with a name too.

        """
        body = given(max_age_hours=max_age_hours, dry_run=dry_run or None, profiles=profiles or None)
        answer = await self._transport.json("POST", "/sessions/cleanup", json=body)
        return CleanedUp.model_validate(answer)

    async def ended(self) -> list[EndedSession]:
        """The sessions that have ended within the last day, the newest first, without their events.

        With a token of one session, that one. How long they are known is the service's
        `session.ended_kept_h`. Raises `Unavailable` when nothing can be read of them.
        """
        answer = await self._transport.json("GET", "/sessions", params={"ended": "true"})
        return [EndedSession.model_validate(record) for record in answer["ended"]]

    async def ended_session(self, key: str) -> EndedSession:
        """How a session has ended: why, where it was, what was done in it, and its last events.

        Args:
            key: Its id; or a name or a room, for the last one of those.

        Raises `NotFound` when no such session is known to have ended.

        """
        return EndedSession.model_validate(await self._transport.json("GET", session_path(key, "ended")))

    async def server_health(self) -> Health:
        """How the service is: `status` is `healthy`, or `degraded` for `reasons`.

        Raises `ConnectionFailed` when it does not run.
        """
        return Health.model_validate(await self._transport.json("GET", "/health"))

    async def stats(self) -> Stats:
        """What the service, its browsers and its sessions do and cost.

        Takes half a second where nobody has asked within the last minute.
        """
        return Stats.model_validate(await self._transport.json("GET", "/stats"))

    async def _start(self, body: dict[str, Any]) -> AsyncSession:
        answer = await self._transport.json("POST", "/sessions", json=body)
        await self._compare()
        is_reused = answer.pop("reused", False)
        record = SessionRecord.model_validate(answer)
        return AsyncSession(self._transport, record, reused=is_reused)

    async def _compare(self) -> None:
        """Says once when the service is of another version."""
        if self._is_compared:
            return
        self._is_compared = True
        try:
            health = await self.server_health()
        except GhostcastError:
            return
        told = mismatch(health.version, self.base_url)
        if told:
            warnings.warn(told, VersionMismatch, stacklevel=4)
