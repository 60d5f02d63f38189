"""The event sockets: exact shapes, one outcome per action, order, replay, and rude subscribers."""

import json
import random
import socket
import struct
import time
from urllib.parse import urlsplit

import pytest

from support.api import SCHEMA_PATH, TYPES_ALL, TYPES_DEFAULT, VALIDATOR, new_room
from support.service import running_service
from support.wait import holds_for, wait_for

# Events are to be heard within this time of what they tell.
DELAY_S_MAX = 0.5
# A page that changes without end says so no more often than this.
DOM_EVENTS_PER_S_MAX = 20
# What a page writes to its console in one go.
FLOOD_LINES = 100_000


@pytest.fixture
def room(lone_api):
    """A fresh session, so that its sequence begins at 1."""
    with lone_api.session(new_room("events")) as name:
        yield name


def click(api, room, name):
    """Clicks the element of that name."""
    return api.do(room, "click", index=api.index_of(room, name))


def test_schema_is_strict():
    """The schema itself refuses what is not exactly an event."""
    good = {"type": "page_load_complete", "url": "http://x/", "timestamp": 1.7e9, "seq": 1}
    assert VALIDATOR.is_valid(good)
    for change in [{"extra": 1}, {"seq": 0}, {"timestamp": "now"}, {"type": "other"}]:
        assert not VALIDATOR.is_valid({**good, **change}), change
    types = json.loads(SCHEMA_PATH.read_text())["properties"]["type"]["enum"]
    assert set(types) == {*TYPES_ALL, "lagged"}


@pytest.mark.alone
def test_every_type_on_the_wire(lone_api, room, web):
    """Each kind of event is provoked, arrives soon, and has its shape (the socket checks it)."""
    form, chatty = web.visit("/form"), web.visit("/chatty")
    with lone_api.events(room, types=TYPES_ALL) as events:
        lone_api.do(room, "navigate", url=form.url)
        assert events.wait("page_navigation")["url"] == form.url
        assert events.wait("page_load_complete")["url"] == form.url
        done = events.wait("action_completed")
        assert done["action"] == {"action_type": "navigate", "params": {"url": form.url}}
        events.wait("action_started")
        click(lone_api, room, "Add one")
        events.wait("dom_change", accept=lambda e: e["change_type"] == "element_added")
        click(lone_api, room, "Remove me")
        events.wait("dom_change", accept=lambda e: e["change_type"] == "element_removed")
        events.wait("settled", accept=lambda e: isinstance(e["settled"], bool))
        lone_api.fail(room, "click", "element_not_found", index=9999)
        failed = events.wait("action_error")
        assert failed["action"] == {"action_type": "click", "params": {"index": 9999}}
        lone_api.do(room, "navigate", url=chatty.url)
        click(lone_api, room, "Say")
        events.wait("console", accept=lambda e: e["text"] == "said aloud")
        click(lone_api, room, "Ask")
        asked = events.wait("dialog", accept=lambda e: e["kind"] == "alert")
        assert asked["message"] == "Mind the gap"
        lone_api.do(room, "handle_dialog", accept=True)
        chatty.wait_note("answered")
        lone_api.post(room, "pause")
        events.wait("stream_state", accept=lambda e: e["state"] == "paused")
        lone_api.post(room, "resume")
        events.wait("stream_state", accept=lambda e: e["state"] == "live")
        sequence = [event["seq"] for event in events.events]
        assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
        delays = events.delays_s
        print(f"{len(delays)} events, slowest heard after {max(delays) * 1000:.0f} ms")
        assert min(delays) >= -0.05 and max(delays) < DELAY_S_MAX


def mixed_actions(web, count, seed):
    """Good and bad actions in a seeded order."""
    choices = [
        ("navigate", {"url": web.url("/form")}),
        ("navigate", {"url": web.url("/tall")}),
        ("navigate", {"url": "file:///etc/passwd"}),
        ("click", {"x": 400, "y": 500}),
        ("click", {"index": 9999}),
        ("click", {}),
        ("type", {"text": "ab"}),
        ("scroll", {"direction": "down", "amount": 50}),
        ("scroll", {"direction": "nowhere"}),
        ("wait", {"seconds": 0.01}),
        ("go_back", {}),
        ("go_forward", {}),
        ("refresh", {}),
        ("new_tab", {}),
        ("switch_tab", {"tab": 1}),
        ("close_tab", {}),
        ("bogus", {"a": [1, {"b": None}]}),
    ]
    return random.Random(seed).choices(choices, k=count)


def test_one_outcome_per_action(lone_api, room, web):
    """50 mixed actions: each is told exactly once, as it was sent, in order, without a gap."""
    actions = mixed_actions(web, 50, seed=3)
    with lone_api.events(room, types=TYPES_ALL) as events:
        expected = []
        for action_type, params in actions:
            result = lone_api.act(room, action_type, **params)
            outcome = "action_completed" if result["success"] else "action_error"
            expected.append((outcome, {"action_type": action_type, "params": params}))
        wait_for(
            lambda: len(events.of("action_completed", "action_error")),
            5,
            "50 outcomes",
            accept=lambda count: count >= 50,
        )
        holds_for(
            lambda: len(events.of("action_completed", "action_error")) == 50, 1, "no outcome more"
        )
        told = [(e["type"], e["action"]) for e in events.of("action_completed", "action_error")]
        assert told == expected
        outcomes = {outcome for outcome, _ in expected}
        assert outcomes == {"action_completed", "action_error"}, "the mix has both"
        sequence = [event["seq"] for event in events.events]
        assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))


def test_only_asked_types_beyond_the_six(lone_api, room, web):
    """Without `types` a subscriber hears the six of the contract and nothing else."""
    with lone_api.events(room) as plain, lone_api.events(room, types=["action_started"]) as asked:
        lone_api.do(room, "navigate", url=web.url("/chatty"))
        click(lone_api, room, "Say")
        asked.wait("action_started", accept=lambda e: e["action"]["action_type"] == "click")
        plain.wait("action_completed", accept=lambda e: e["action"]["action_type"] == "click")
        assert {event["type"] for event in plain.events} <= set(TYPES_DEFAULT)
        assert not asked.of("console", "settled", "stream_state", "dialog")
        sequence = [event["seq"] for event in plain.events]
        assert sequence == sorted(set(sequence))


def test_order_of_a_navigation(lone_api, room, web):
    """`page_load_complete` comes after its `page_navigation`; pushState is a navigation too."""
    visit = web.visit("/form")
    with lone_api.events(room) as events:
        lone_api.do(room, "navigate", url=visit.url)
        loaded = events.wait("page_load_complete", accept=lambda e: e["url"] == visit.url)
        navigated = events.wait("page_navigation", accept=lambda e: e["url"] == visit.url)
        assert navigated["seq"] < loaded["seq"]
        assert len([e for e in events.of("page_navigation") if e["url"] == visit.url]) == 1
        click(lone_api, room, "Push state")
        events.wait("page_navigation", accept=lambda e: "/pushed" in e["url"])
        assert not [e for e in events.of("page_load_complete") if "/pushed" in e["url"]]


def test_events_without_an_action(lone_api, web):
    """What the page does by itself is told as well."""
    target = web.visit("/still")
    with lone_api.session() as room, lone_api.events(room) as events:
        start = web.url("/attempt", how="script", to=target.url)
        lone_api.do(room, "navigate", url=start)
        events.wait("page_navigation", accept=lambda e: e["url"] == target.url)


@pytest.mark.alone
def test_dom_changes_are_coalesced(lone_api, room, web):
    """3000 insertions in 1.5 s are a handful of events."""
    visit = web.visit("/storm")
    lone_api.do(room, "navigate", url=visit.url)
    with lone_api.events(room) as events:
        start = time.monotonic()
        click(lone_api, room, "Let loose")
        visit.wait_note("stormed", within=20)
        events.wait("dom_change", accept=lambda e: e["change_type"] == "element_added")
        holds_for(lambda: True, 0.5, "late events have their time")
        rate = len(events.of("dom_change")) / (time.monotonic() - start)
        print(f"{len(events.of('dom_change'))} dom_change events, {rate:.1f} a second")
        assert rate <= DOM_EVENTS_PER_S_MAX


def test_several_sockets_and_their_count(lone_api, room):
    """All sockets of a room hear the same; the endpoint and the record count them."""
    assert lone_api.connections(room) == 0
    with lone_api.events(room) as a, lone_api.events(room) as b, lone_api.events(room) as c:
        assert lone_api.connections(room) == 3
        assert lone_api.record(room)["connections"] == 3
        lone_api.do(room, "wait", seconds=0)
        heard = [socket.wait("action_completed") for socket in (a, b, c)]
        assert heard[0] == heard[1] == heard[2]
    wait_for(lambda: lone_api.connections(room) == 0, 5, "the count is back at 0")


def test_replay(lone_api, room, web):
    """A subscriber that comes back hears exactly what it missed, and then the present."""
    with lone_api.events(room, types=TYPES_ALL) as events:
        for _ in range(3):
            lone_api.do(room, "wait", seconds=0)
        wait_for(lambda: len(events.of("action_completed")) == 3, 5, "three outcomes")
        heard = list(events.events)
    lone_api.do(room, "navigate", url=web.url("/still"))
    since = heard[-1]["seq"]
    with lone_api.events(room, types=TYPES_ALL, since=since) as events:
        events.wait("action_completed", accept=lambda e: e["action"]["action_type"] == "navigate")
        lone_api.do(room, "scroll", direction="down")
        events.wait("action_completed", accept=lambda e: e["action"]["action_type"] == "scroll")
        sequence = [event["seq"] for event in events.events]
        assert sequence == list(range(since + 1, since + 1 + len(sequence)))
    with lone_api.events(room, types=TYPES_ALL, since=heard[0]["seq"]) as events:
        wait_for(lambda: len(events.events) >= len(heard) - 1, 5, "the replay")
        assert events.events[: len(heard) - 1] == heard[1:]


@pytest.mark.alone
def test_console_flood_takes_nothing_from_the_six(lone_api, room, web):
    """100,000 lines beside the actions: each outcome is heard at once, by who hears the lines as well,
    and kept for who comes later."""
    visit = web.visit("/flood", lines=FLOOD_LINES)
    lone_api.do(room, "navigate", url=visit.url)
    types = ["console", *TYPES_DEFAULT]
    with (
        lone_api.events(room, since=0) as calm,
        lone_api.events(room, types=types, since=0) as all_ears,
    ):
        click(lone_api, room, "Let loose")
        acted = 0
        while not visit.notes("flooded"):
            lone_api.do(room, "wait", seconds=0.05)
            acted += 1
        assert acted > 3, "the flood lasted for a while"
        expected = ["navigate", "click", *["wait"] * acted]
        for socket in (calm, all_ears):
            wait_for(
                lambda socket=socket: len(socket.of("action_completed")),
                # Who asked for the lines as well reads them all.
                10 if socket is calm else 45,
                "every outcome",
                accept=lambda count: count == len(expected),
            )
            done = [e["action"]["action_type"] for e in socket.of("action_completed")]
            assert done == expected
        assert not calm.of("lagged"), "nothing that it listens to was lost"
        assert len(all_ears.of("console")) > 1000
        with lone_api.events(room, since=0) as late:
            wait_for(
                lambda: len(late.of("action_completed")),
                5,
                "the replay",
                accept=lambda count: count == len(expected),
            )
            assert late.events[0]["type"] == "page_navigation" and not late.of("lagged")
        with lone_api.events(room, types=["console"], since=0) as deep:
            told = deep.wait("lagged")
            lost = wait_for(
                lambda: sum(e["missed"] for e in deep.of("lagged")) + len(deep.of("console")),
                10,
                "each line is heard or counted",
                accept=lambda count: count >= FLOOD_LINES,
            )
            print(f"{acted} actions; of {lost} lines {told['missed']} are no longer kept")


def test_details_by_wish(lone_api, room, web):
    """Session, tab, epoch and action come beside the fields of the contract, and only on request."""
    session = lone_api.record(room)["session_id"]
    with lone_api.events(room, types=TYPES_ALL, details=True) as events, lone_api.events(room) as plain:
        result = lone_api.do(room, "navigate", url=web.url("/still"))
        done = events.wait("action_completed")
        assert done["action_id"] == result["action_id"]
        lone_api.do(room, "new_tab", url=web.url("/form"))
        shown = events.wait("page_load_complete", accept=lambda e: "/form" in e["url"])
        assert (done["tab"], shown["tab"]) == (1, 2)
        assert {event["session_id"] for event in events.events} == {session}
        assert {event["epoch"] for event in events.events} == {events.epoch}
        heard = plain.wait("action_completed")
        assert set(heard) == {"type", "timestamp", "seq", "action"}


def test_number_of_another_run(ghostcast_bin, web):
    """After a restart, a number of the run before is answered with a lagged and all there is."""
    room = new_room("epoch")
    with running_service(ghostcast_bin) as service:
        with service.api.session(room), service.api.events(room, since=0) as events:
            service.api.do(room, "navigate", url=web.url("/still"))
            events.wait("action_completed")
            epoch, since = events.epoch, events.events[0]["seq"]
    with running_service(ghostcast_bin) as service, service.api.session(room):
        for _ in range(since + 3):
            service.api.do(room, "wait", seconds=0)
        with service.api.events(room, types=TYPES_ALL, since=since, epoch=epoch) as back:
            wait_for(lambda: len(back.of("action_completed")) == since + 3, 5, "all there is")
            first, second = back.events[:2]
            assert first["type"] == "lagged" and first["epoch"] == back.epoch != epoch
            assert second["seq"] == 1
        with service.api.events(room, types=TYPES_ALL, since=1, epoch=back.epoch) as same:
            wait_for(lambda: len(same.of("action_completed")) == since + 3, 5, "the rest")
            assert same.events[0]["seq"] == 2 and not same.of("lagged")


def raw_socket(api, room):
    """A WebSocket after its handshake, as a bare TCP connection with a tiny receive buffer."""
    parts = urlsplit(api.events_url(room))
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    plain.connect((parts.hostname, parts.port))
    lines = [
        f"GET {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    ]
    plain.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b" 101 " in plain.recv(64)
    return plain


def test_dead_socket_is_removed(lone_api, room):
    """A connection that is reset disturbs nobody and is not counted for long."""
    with lone_api.events(room) as healthy:
        dead = raw_socket(lone_api, room)
        wait_for(lambda: lone_api.connections(room) == 2, 5, "both are counted")
        dead.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        dead.close()
        lone_api.do(room, "wait", seconds=0)
        healthy.wait("action_completed")
        wait_for(lambda: lone_api.connections(room) == 1, 25, "the dead one is not counted")


@pytest.mark.alone
def test_stalled_socket_disturbs_nobody(lone_api, room):
    """Megabytes of events wait for a socket that never reads; the other one hears all in time."""
    stalled = raw_socket(lone_api, room)
    try:
        with lone_api.events(room) as healthy:
            slowest = 0.0
            for number in range(60):
                params = {"seconds": 0, "filler": f"{number}:" + "x" * 100_000}
                start = time.monotonic()
                lone_api.fail(room, "wait", "invalid_parameter", **params)
                slowest = max(slowest, time.monotonic() - start)
            wait_for(
                lambda: len(healthy.of("action_error")), 5, "60 events", accept=lambda n: n == 60
            )
            delays = healthy.delays_s
            print(f"slowest action {slowest * 1000:.0f} ms, event {max(delays) * 1000:.0f} ms")
            assert max(delays) < DELAY_S_MAX and slowest < 1
            assert not healthy.of("lagged")
    finally:
        stalled.close()
    wait_for(lambda: lone_api.connections(room) == 0, 30, "the stalled one is not counted")
