"""Sessions whose browser or service was lost, and how they come back."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ghostcast import AsyncBrowserClient, Conflict, Unavailable

from .conftest import done, until
from .service import Service, send
from .website import Site

SET_COOKIE = "document.cookie = 'kept=1; max-age=3600'"
# What pages store is written down a moment after an action.
KEPT_WITHIN_S = 1.5


@pytest.fixture
async def lone_client(form: Any, lone_service: Service) -> AsyncIterator[Any]:
    """A client of the service that a test may break."""
    made = form(lone_service.url)
    try:
        yield made
    finally:
        await done(made.close())


async def recovered(client: Any, name: str, **options: Any) -> Any:
    """The session of that name; when it is missing or not active, it is made again."""
    session = await done(client.get_session_by_name(name))
    if session is None or not session.is_active:
        session = await done(client.create_session(name, **options))
    return session


async def test_the_recover_idiom_after_a_crash_of_everything(
    lone_client: Any, lone_service: Service, name: str, site: Site
) -> None:
    made = await recovered(lone_client, name, url=f"{site.url}/")
    await done(made.execute_js(SET_COOKIE))
    other = await done(lone_client.create_session(f"{name}-other", url=f"{site.url}/other"))
    assert (await recovered(lone_client, name)).session_id == made.session_id
    lone_service.stop()
    lone_service.start()
    found = await done(lone_client.get_session_by_name(name))
    assert not found.is_active and found.record.state == "stored"
    again = await recovered(lone_client, name, url=f"{site.url}/")
    assert again.is_active and again.reused
    assert await done(again.execute_js("document.cookie")) == "kept=1"
    with pytest.raises(Conflict):
        await done(lone_client.create_session(name))
    ensured = await done(lone_client.ensure_session(f"{name}-other", viewport=(800, 600)))
    assert ensured.is_active and ensured.session_id == other.session_id
    assert ensured.record.current_url == f"{site.url}/other", "it comes back on its page"


async def test_the_recover_idiom_after_a_crash_of_the_browser(
    lone_service: Service, name: str, site: Site
) -> None:
    async with AsyncBrowserClient(lone_service.url) as client:
        made = await client.create_session(name, url=f"{site.url}/")
        await made.execute_js(SET_COOKIE)
        await made.act("refresh")
        await asyncio.sleep(KEPT_WITHIN_S)
        for pid in lone_service.browsers():
            send(pid, signal.SIGKILL)

        async def is_back() -> bool:
            session = await recovered(client, name)
            try:
                return bool(await session.execute_js("document.cookie") == "kept=1")
            except Unavailable:
                # The browser's end is noticed a moment after it.
                return False

        await until(is_back, 15, "the session is there again, with its cookie")


async def test_a_session_that_is_stuck_can_be_deleted_and_made_again(
    lone_service: Service, name: str
) -> None:
    async with AsyncBrowserClient(lone_service.url) as client:
        stuck = await client.create_session(name)
        for pid in lone_service.browsers():
            send(pid, signal.SIGSTOP)
        began = time.monotonic()
        await client.delete_session(stuck.session_id)
        assert time.monotonic() - began < 20
        again = await client.create_session(name)
        assert again.session_id != stuck.session_id
        assert await again.execute_js("1 + 1") == 2
