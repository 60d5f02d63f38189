"""One browser session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import _backend_async as backend
from .._wire import given, session_path
from ..errors import NotFound
from ..models import ActionResult, Download, SessionRecord, Share, Tab
from .events import RECONNECT_S, AsyncEventStream
from .page import AsyncPage
from .transport import AsyncTransport


class AsyncSession(AsyncPage):
    """A browser session of the service; the handle may be dropped and the session goes on.

    Every call raises `ConnectionFailed` when the service cannot be reached, `NotFound` when the
    session is gone, and another `ServiceError` when it refuses. Calls that act on the page raise
    `ActionFailed` when the action did not succeed; the session lives on then. A *target* is a CSS
    selector, which is waited for, an index of the list of `context(elements=True)`, or a point
    `(x, y)` in CSS px. Bounds named `timeout_ms` are milliseconds, at most 120,000.
    """

    def __init__(self, transport: AsyncTransport, record: SessionRecord, *, reused: bool = False) -> None:
        super().__init__(transport, record)
        self._reused = reused

    def __repr__(self) -> str:
        name = self.session_name or self.room_name
        return f"<{type(self).__name__} {name!r} {self.session_id} {self._record.state}>"

    # What is known of it.

    @property
    def session_name(self) -> str | None:
        """The name under which it is kept; None for a session of a room alone."""
        return self._record.session_name

    @property
    def room_name(self) -> str | None:
        """The LiveKit room; None for a session without one."""
        return self._record.room_name

    @property
    def reused(self) -> bool:
        """Whether the call that made this handle found the session, alive or stored."""
        return self._reused

    @property
    def is_active(self) -> bool:
        """Whether it had a browser that works when it was last heard of.

        Fresh right after the handle was made and after `refresh`; this property itself asks nobody.
        """
        return self._record.active

    async def refresh(self) -> SessionRecord:
        """Asks for the session's record, and with it for `is_active`.

        Raises `NotFound` when the session is gone; `is_active` is False then.
        """
        try:
            answer = await self._transport.json("GET", session_path(self.session_id))
        except NotFound:
            self._record = self._record.model_copy(update={"active": False, "state": "closed"})
            raise
        return self._heard(answer)

    async def storage_state(self, indexed_db: bool = True) -> dict[str, Any]:
        """What sites know the browser by, for `create_session(storage_state=...)`: cookies and storage.

        What the form cannot hold is named in `leftOut` of its origin.

        Args:
            indexed_db: Whether the databases of IndexedDB come with it.

        """
        path = session_path(self.session_id, "storage_state")
        params = {"indexed_db": str(indexed_db).lower()}
        state: dict[str, Any] = await self._transport.json("GET", path, params=params)
        return state

    # People who watch.

    async def share(self, ttl_s: int | None = None) -> Share:
        """Makes a link by which people watch the session without a token, and can do nothing else.

        Whoever has it can watch, until its time is over, the session is closed, or `revoke_shares`.

        Args:
            ttl_s: How long it is good, seconds, at most a day; an hour without it.

        """
        path = session_path(self.session_id, "share")
        return Share.model_validate(await self._transport.json("POST", path, json=given(ttl_s=ttl_s)))

    async def revoke_shares(self) -> int:
        """Ends all such links, and sends away whoever watches by one; returns how many there were."""
        answer = await self._transport.json("DELETE", session_path(self.session_id, "share"))
        return int(answer["revoked"])

    async def takeover(
        self,
        role: str = "control",
        ttl_s: int | None = None,
        one_time: bool = False,
        name: str | None = None,
        private: bool = False,
    ) -> Share:
        """Makes a link by which a person takes the wheel, on a page for desktops and phones.

        Args:
            role: `control`, or `watch` to look and to ask for the wheel.
            ttl_s: How long it is good, seconds, at most a week; an hour without it.
            one_time: Whether it is good for the first only who opens it.
            name: What the person is called.
            private: Whether nobody else sees the page, or is told of it, while they drive.

        """
        path = session_path(self.session_id, "takeover")
        order = given(role=role, ttl_s=ttl_s, one_time=one_time, name=name, private=private)
        return Share.model_validate(await self._transport.json("POST", path, json=order))

    async def revoke_takeovers(self) -> int:
        """Ends all such links, and sends away whoever drives by one; returns how many there were."""
        answer = await self._transport.json("DELETE", session_path(self.session_id, "takeover"))
        return int(answer["revoked"])

    async def request_human(self, reason: str, wait_s: int | None = None, private: bool = False) -> str:
        """Asks for a person, and returns the link by which one takes the wheel.

        An event `control` says when somebody has come, and when they are through.

        Args:
            reason: What the person is to do, as they are to read it.
            wait_s: How long to wait for somebody, seconds; an hour without it.
            private: Whether nobody else sees the page, or is told of it, while they drive.

        """
        order = given(reason=reason, wait_s=wait_s, private=private)
        asked = await self.act("request_human", order)
        return str(asked.data["takeover_url"])

    # Tabs.

    async def tabs(self) -> list[Tab]:
        """The tabs, in the order in which they were opened."""
        return (await self.context()).tabs

    async def new_tab(self, url: str | None = None) -> int:
        """Opens a tab, which becomes the current one, and returns its number."""
        return int((await self.act("new_tab", given(url=url))).data["tab"])

    async def switch_tab(self, tab: int) -> ActionResult:
        """Makes a tab the current one."""
        return await self.act("switch_tab", tab=tab)

    async def close_tab(self, tab: int | None = None) -> ActionResult:
        """Closes a tab, or the current one; the only tab cannot be closed."""
        return await self.act("close_tab", given(tab=tab))

    # Downloads.

    async def downloads(self) -> list[Download]:
        """The files that pages gave, oldest first."""
        answer = await self._transport.json("GET", session_path(self.session_id, "downloads"))
        return [Download.model_validate(download) for download in answer["downloads"]]

    async def download(self, download_id: str, path: str | Path | None = None) -> bytes:
        """The content of a download, written to `path` on this machine where one is given.

        Raises `Conflict` while it is not whole.
        """
        where = session_path(self.session_id, "downloads", download_id)
        content = (await self._transport.request("GET", where)).content
        if path is not None:
            await backend.write_bytes(Path(path), content)
        return content

    # Its life.

    async def pause(self) -> SessionRecord:
        """Stops the video; the browser, its actions and its events go on."""
        return self._heard(await self._transport.json("POST", session_path(self.session_id, "pause")))

    async def resume(self) -> SessionRecord:
        """Shows the video again."""
        return self._heard(await self._transport.json("POST", session_path(self.session_id, "resume")))

    async def close(self, profile: bool = False) -> SessionRecord:
        """Ends the session and returns its last record.

        Args:
            profile: Deletes the profile of a session with a name too, with all logins in it.

        """
        params = {"profile": "delete"} if profile else None
        return self._heard(await self._transport.json("DELETE", session_path(self.session_id), params=params))

    def events(
        self,
        since: int | None = None,
        *,
        epoch: str | None = None,
        types: Sequence[str] | None = None,
        details: bool = False,
        reconnect_s: float = RECONNECT_S,
    ) -> AsyncEventStream:
        """The session's events, to iterate over; entered by `async with` it connects at once.

        Args:
            since: Replays what is kept after this number first; 0 for all. Only new events without.
            epoch: The counting that `since` is of.
            types: Which; `["all"]` for all, the six that are sent to everybody without it.
            details: Each event also has its `epoch`, and where they apply `session_id`, `tab`,
                `action_id` and `element`.
            reconnect_s: How long the service may be away, seconds.

        """
        return AsyncEventStream(
            self._transport,
            self.room_name or self.session_name or self.session_id,
            since=since,
            epoch=epoch,
            types=types,
            details=details,
            reconnect_s=reconnect_s,
        )

    def _heard(self, answer: Any) -> SessionRecord:
        self._record = SessionRecord.model_validate(answer)
        return self._record
