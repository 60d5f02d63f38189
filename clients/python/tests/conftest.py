"""What the tests share: one service and one site for all, and each client in both of its forms."""

from __future__ import annotations

import inspect
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ghostcast import AsyncBrowserClient, BrowserClient

from .service import LOOK_S, Service
from .website import Site

FORMS = {"async": AsyncBrowserClient, "blocking": BrowserClient}


async def done(value: Any) -> Any:
    """What a call of either form answers: one test reads the same for both."""
    return await value if inspect.isawaitable(value) else value


async def until(look: Callable[[], Any], within_s: float, what: str) -> Any:
    """Looks until it answers something true, and answers that."""
    deadline = time.monotonic() + within_s
    while True:
        seen = await done(look())
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {within_s} s; last seen {seen!r}"
        time.sleep(LOOK_S)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service that most tests use."""
    running = Service(tmp_path_factory.mktemp("service"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def lone_service(tmp_path: Path) -> Iterator[Service]:
    """A service that a test may stop, and whose browsers it may break."""
    running = Service(tmp_path / "lone")
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The site."""
    pages = Site()
    try:
        yield pages
    finally:
        pages.end()


@pytest.fixture(params=sorted(FORMS))
def form(request: pytest.FixtureRequest) -> Any:
    """The class of the client, in each of its two forms."""
    return FORMS[request.param]


@pytest.fixture
async def client(form: Any, service: Service) -> AsyncIterator[Any]:
    """A client of the service; what it leaves there is deleted."""
    made = form(service.url)
    try:
        yield made
        for session in await done(made.list_sessions()):
            await done(session.close(profile=True))
    finally:
        await done(made.close())


@pytest.fixture
def name() -> str:
    """A name that no other session has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def session(client: Any, name: str, site: Site) -> Any:
    """A session on the site's first page; of a room, because such a browser starts the soonest."""
    return await done(client.create_session(room_name=name, url=f"{site.url}/", viewport=(800, 600)))
