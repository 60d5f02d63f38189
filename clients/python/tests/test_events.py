"""Events: typed, in order, replayed, and back after the service was away."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ghostcast import ConnectionFailed, Event, InvalidInput
from ghostcast.events import (
    _TYPES,
    ActionCompleted,
    ActionError,
    ActionStarted,
    Console,
    Lagged,
    PageLoadComplete,
    PageNavigation,
    parse_event,
)

from .conftest import done
from .service import Service, free_port
from .website import Site


async def entered(stream: Any) -> Any:
    """Enters a stream of either form."""
    return await done(stream.__aenter__() if hasattr(stream, "__aenter__") else stream.__enter__())


async def next_of(stream: Any, kind: type[Event], like: Callable[[Any], bool] = lambda _: True) -> Any:
    """The next event of a type; events before it are passed over."""
    while True:
        event = await done(stream.next(timeout_s=10))
        if isinstance(event, kind) and like(event):
            return event


async def test_events_come_in_order_and_typed(session: Any, site: Site) -> None:
    stream = await entered(session.events(types=["all"], details=True))
    await done(session.navigate(f"{site.url}/other"))
    await done(session.act("click", index=4_000, check=False))
    started = await next_of(stream, ActionStarted)
    assert started.action.action_type == "navigate" and started.session_id == session.session_id
    assert started.epoch == stream.epoch and started.action_id
    navigated = await next_of(stream, PageNavigation)
    loaded = await next_of(stream, PageLoadComplete)
    completed = await next_of(stream, ActionCompleted)
    failed = await next_of(stream, ActionError)
    assert navigated.url == loaded.url == f"{site.url}/other" and navigated.tab == 1
    assert started.seq < navigated.seq < loaded.seq < completed.seq < failed.seq == stream.seq
    assert completed.action.params["url"] == f"{site.url}/other"
    assert failed.error and failed.action.action_type == "click"
    assert abs(failed.timestamp - time.time()) < 30
    await done(stream.close())


async def test_what_is_kept_is_replayed(session: Any, site: Site) -> None:
    await done(session.navigate(f"{site.url}/other"))
    all_of_it = session.events(since=0, types=["page_navigation"])
    first = await done(all_of_it.next(timeout_s=5))
    second = await done(all_of_it.next(timeout_s=5))
    assert [first.url, second.url] == [f"{site.url}/", f"{site.url}/other"]
    rest = session.events(since=first.seq, epoch=all_of_it.epoch, types=["page_navigation"])
    assert (await done(rest.next(timeout_s=5))).seq == second.seq
    await done(all_of_it.close())
    await done(rest.close())


async def test_only_what_is_new_without_since(session: Any) -> None:
    stream = await entered(session.events(types=["console", "page_navigation"]))
    with pytest.raises(TimeoutError):
        await done(stream.next(timeout_s=0.2))
    await done(session.execute_js("console.log('now')"))
    event = await done(stream.next(timeout_s=5))
    assert isinstance(event, Console) and event.text == "now" and event.level == "log"
    await done(stream.close())


async def test_iteration_ends_when_the_stream_is_closed(session: Any) -> None:
    seen = []
    stream = session.events(since=0, types=["page_navigation"])
    if hasattr(stream, "__aiter__"):
        async for event in stream:
            seen.append(event)
            await stream.close()
    else:
        for event in stream:
            seen.append(event)
            stream.close()
    assert [event.type for event in seen] == ["page_navigation"]


async def test_a_stream_that_is_closed_while_it_waits(session: Any) -> None:
    stream = await entered(session.events())
    if hasattr(stream, "__aiter__"):
        asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(stream.close()))
        assert [event async for event in stream] == []
    else:
        threading.Timer(0.2, stream.close).start()
        assert list(stream) == []
    with pytest.raises(ConnectionFailed, match="closed"):
        await done(stream.next())
    await done(stream.connect())
    await done(session.act("refresh"))
    assert (await done(stream.next(timeout_s=5))).seq
    await done(stream.close())


async def test_streams_as_context_managers(session: Any) -> None:
    stream = session.events()
    if hasattr(stream, "__aenter__"):
        async with stream as inner:
            assert inner.epoch
    else:
        with stream as inner:
            assert inner.epoch
    assert (await done(session.refresh())).session_id == session.session_id


async def test_what_the_service_refuses_is_raised(session: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        await done(session.events(types=["no_such_type"]).connect())
    assert "no_such_type" in refused.value.message and refused.value.status == 400


async def test_events_go_on_after_the_service_was_away(
    form: Any, lone_service: Service, site: Site, name: str
) -> None:
    client = form(lone_service.url)
    session = await done(client.create_session(name, url=f"{site.url}/"))
    stream = await entered(session.events(since=0, types=["page_navigation"]))
    before = await next_of(stream, PageNavigation)
    epoch = stream.epoch
    lone_service.stop()
    with pytest.raises(TimeoutError):
        await done(stream.next(timeout_s=0.3))
    restarting = threading.Timer(0.5, lone_service.start)
    restarting.start()
    lagged = await done(stream.next(timeout_s=20))
    assert isinstance(lagged, Lagged) and lagged.epoch == stream.epoch != epoch
    restarting.join()
    await done(session.navigate(f"{site.url}/other"))
    after = await next_of(stream, PageNavigation, lambda event: event.url.endswith("/other"))
    assert after.url != before.url
    await done(stream.close())
    await done(client.close())


async def test_nothing_of_a_new_counting_is_missed_by_a_stream_without_events(
    form: Any, lone_service: Service, site: Site, name: str
) -> None:
    client = form(lone_service.url)
    session = await done(client.create_session(name, url=f"{site.url}/"))
    stream = await entered(session.events(types=["page_navigation"]))
    lone_service.stop()
    lone_service.start()
    # The stream has not noticed yet; what happens meanwhile is replayed to it.
    await done(session.navigate(f"{site.url}/other"))
    event = await next_of(stream, PageNavigation, lambda event: event.url.endswith("/other"))
    assert event.seq == stream.seq
    await done(stream.close())
    await done(client.close())


async def test_a_service_that_stays_away_is_given_up(form: Any, session: Any) -> None:
    client = form(f"http://127.0.0.1:{free_port()}")
    stream = type(session)(client._transport, session.record).events(reconnect_s=0.5)
    began = time.monotonic()
    with pytest.raises(ConnectionFailed):
        await done(stream.next())
    assert time.monotonic() - began < 5
    await done(client.close())


def test_every_type_of_the_service_has_its_class() -> None:
    source = (Path(__file__).parents[3] / "src" / "model" / "event.rs").read_text()
    listed = re.findall(r"pub const EVENT_TYPES_\w+: \[&str; \d+\] = \[(.*?)\];", source, re.DOTALL)
    names = {name for part in listed for name in re.findall(r'"(\w+)"', part)}
    assert names | {"lagged"} == _TYPES.keys() and len(names) > 6


def test_an_event_of_an_unknown_type_is_an_event() -> None:
    event = parse_event({"type": "news", "timestamp": 1.5, "seq": 3, "headline": "new"})
    assert type(event) is Event and event.seq == 3 and event.model_extra == {"headline": "new"}
