"""What breaks is noticed, said, and survived: browser, LiveKit, callers, and our own end."""

import contextlib
import itertools
import os
import random
import socket
import time

import pytest

from support import essentials, faults, procs
from support.api import assert_envelope, new_room
from support.faults import Fault, Ground
from support.livekit_server import LiveKitServer
from support.service import running_service
from support.subscriber import PythonSubscriber
from support.viewers import WhepViewer
from support.wait import wait_for

LIVEKIT_BACK_S_MAX = 30
# A server that is not there is tried again within this time, at first.
RETRY_S = 6
# Longer than a connection has to live to count as a good one.
DEPARTURE_S = 17
# A page may not take more than this, so that it dies of its own hunger and not the machine's.
HEAP_MB = 64
HUNGRY_S = 60
# The machine's own hiccups, with all of the suite's processes on it, take up to half of this.
GAP_S_MAX = 1.0


@pytest.fixture
def livekit_ghostcast(ghostcast_bin, own_livekit):
    """A service whose LiveKit server the test may stop."""
    with running_service(ghostcast_bin, env=own_livekit.env()) as service:
        yield service


def break_and_expect(service, web, fault, page="/still"):
    """Breaks the browser of a session and checks the whole course until the room works again."""
    api, room = service.api, new_room("broken")
    api.create(room, initial_url=web.url(page))
    ground = Ground(service, None, room)
    with (
        ground.undo,
        api.events(room, types=["browser_error", "action_error", "stream_state"]) as events,
    ):
        start = time.monotonic()
        fault.inject(ground)
        said = events.wait("browser_error", within=fault.within, accept=fault.announces)
        print(f"{fault}: told after {time.monotonic() - start:.2f} s: {said['error']}")
        assert "new session" in said["error"], "it says what to do next"
        record = api.wait_record(room, lambda r: r["state"] == "failed", 2, "the session failed")
        assert record["state_reason"] == said["error"]
        health = api.get("/health").json()
        assert health["status"] == "degraded", health
        assert health["reasons"] == ["sessions whose browser is lost: 1"], health
        kind = "renderer_crashed" if "renderer" in said["error"] else "browser_lost"
        api.fail(room, "click", kind, x=10, y=10)
        events.wait("action_error")
        assert len(events.of("browser_error")) == 1, "one per crash, not per action"
        refusal = assert_envelope(api.request("POST", f"/sessions/{room}/recover"), 503)
        assert "new session" in refusal["hint"], refusal
        visit = web.visit("/still")
        start = time.monotonic()
        api.create(room, initial_url=visit.url)
        visit.wait_note("loaded")
        print(f"{fault}: the room works again {time.monotonic() - start:.2f} s after a start")
        ground.undo.close()
        api.do(room, "scroll", direction="down")
        assert api.get("/health").json()["status"] == "healthy"
        api.close(room)


@pytest.mark.parametrize("fault", faults.BROWSER_FAULTS, ids=str)
def test_broken_browser(own_ghostcast, web, fault):
    """Told within its bound; recover refuses with advice; a start takes the room, unclosed."""
    break_and_expect(own_ghostcast, web, fault)


def test_hung_browser_is_ended(own_ghostcast, web):
    """A browser that does not answer does not stay behind either."""
    api = own_ghostcast.api
    with api.session(initial_url=web.url("/still")) as room, contextlib.ExitStack() as undo:
        stopped = own_ghostcast.browsers()
        faults.stop_browser(Ground(own_ghostcast, None, room, undo=undo))
        wait_for(
            lambda: not any(map(procs.is_alive, stopped)),
            faults.HANG_S + 5,
            "the hung browser has been ended",
        )


def test_page_that_crashes_while_it_loads(own_ghostcast, web):
    """Whoever waits for the page hears so, and of what it was."""
    api = own_ghostcast.api
    web.files["/loads.html"] = b"<title>Loads</title><p>So far<img src=/hang>"
    with api.session(initial_url=web.url("/still")) as room:
        action = api.submit(room, "navigate", url=web.url("/loads.html"))
        wait_for(lambda: api.context(room)["title"] == "Loads", 5, "the page is there, and not whole")
        faults.kill_renderer(Ground(own_ghostcast, None, room))
        result = api.wait_action(room, action["action_id"], "done")["result"]
        assert result["error_kind"] == "renderer_crashed", result


def test_browser_killed_for_memory(own_ghostcast, web):
    """The process that Linux would take first, whichever that is, counts as a loss."""
    kernel = Fault(
        "out of memory, by the kernel",
        faults.kill_as_the_kernel_would,
        "browser_error",
        "crashed",
        faults.CRASH_S,
        "start",
    )
    break_and_expect(own_ghostcast, web, kernel)


def test_page_that_eats_memory(ghostcast_bin, web):
    """A page that allocates until its renderer dies of it is told like any crash."""
    flags = f"[js-flags=--max-old-space-size={HEAP_MB}]"
    hungry = Fault(
        "out of memory, by the page",
        faults.eat_memory,
        "browser_error",
        "crashed",
        HUNGRY_S,
        "start",
    )
    with running_service(ghostcast_bin, env={"GHOSTCAST_BROWSER__EXTRA_ARGS": flags}) as service:
        break_and_expect(service, web, hungry, page="/hungry")


def test_agent_goes_through_a_browser_failure(own_ghostcast, web):
    """The five steps of an agent: hears of it, tells its user, recovers in vain, starts again."""
    api, room = own_ghostcast.api, new_room("agent")
    with api.events(room) as events:
        api.create(room, initial_url=web.url("/still"))
        with contextlib.ExitStack() as undo:
            faults.kill_browser(Ground(own_ghostcast, None, room, undo=undo))
        # What it hears is a sentence for its user: what happened, and what can be done.
        told = events.wait("browser_error", within=faults.CRASH_S)["error"]
        assert "crashed" in told and "new session" in told, told
        answer = api.request("POST", f"/sessions/{room}/recover")
        refusal = assert_envelope(answer, 503, "unavailable")
        assert "Start a new session" in refusal["hint"]
        visit = web.visit("/still")
        api.create(room, initial_url=visit.url)
        events.wait("page_load_complete", accept=lambda e: e["url"] == visit.url)
        visit.wait_note("loaded")
        assert api.do(room, "scroll", direction="down")["url"] == visit.url
        assert api.record(room)["state"] == "live"
    api.close(room)


def test_recover_of_an_unknown_room(lone_api):
    """There is nothing to recover, and the answer says what to do, in words of every door."""
    answer = lone_api.request("POST", f"/sessions/{new_room()}/recover")
    assert "Start one" in assert_envelope(answer, 404, "not_found")["hint"]


def test_other_rooms_survive_a_bad_start(own_ghostcast, web):
    """A first page that cannot be reached does not cost the service anything."""
    api, room = own_ghostcast.api, new_room("unreachable")
    with api.session(initial_url=web.url("/still")) as neighbour:
        body = {"room_name": room, "initial_url": "http://nonexistent.invalid/"}
        with api.events(room) as events:
            answer = api.request("POST", "/sessions", json=body)
            assert answer.status_code == 201
            assert "could not be found" in answer.json()["page_error"]
            said = events.wait("action_error")
        assert said["action"] == {"action_type": "navigate", "params": {"url": body["initial_url"]}}
        assert said["error"] == answer.json()["page_error"]
        api.do(room, "navigate", url=web.url("/still"))
        assert api.record(room)["page_error"] is None
        api.close(room)
        api.do(neighbour, "wait", seconds=0)


def test_livekit_restart(livekit_ghostcast, own_livekit, web):
    """The SFU dies and comes back: the video too, and meanwhile actions go on."""
    api = livekit_ghostcast.api
    with api.session(initial_url=web.url("/clock")) as room, api.events(room) as events:
        with PythonSubscriber(own_livekit, room) as viewer:
            wait_for(viewer.frame_count, 10, "frames before")
        own_livekit.stop()
        api.wait_record(
            room,
            lambda r: (r["state"], r["livekit"]) == ("reconnecting", "reconnecting"),
            20,
            "the loss is noticed",
        )
        api.do(room, "scroll", direction="down")
        events.wait("action_completed")
        context = api.context(room)
        assert context["session_state"] == "reconnecting" and context["state_reason"]
        assert context["livekit"] == "reconnecting"
        health = api.get("/health").json()
        assert health["reasons"] == ["sessions without LiveKit: 1"], health
        refusal = assert_envelope(api.request("POST", f"/sessions/{room}/recover"), 503)
        assert refusal["hint"], "it says what to do next"
        own_livekit.start()
        start = time.monotonic()
        api.wait_record(
            room, lambda r: r["livekit"] == "connected", LIVEKIT_BACK_S_MAX, "LiveKit is back"
        )
        with PythonSubscriber(own_livekit, room) as viewer:
            essentials.sees_clock(viewer)
        print(f"video back {time.monotonic() - start:.1f} s after LiveKit")
        assert api.record(room)["state"] == "live"


def test_a_room_that_closes_for_want_of_people(ghostcast_bin, web):
    """LiveKit counts no agents: the browser is back at once, and nobody hears of a fault."""
    server = LiveKitServer(os.environ["LIVEKIT_SERVER_BIN"], departure_timeout_s=DEPARTURE_S)
    server.start()
    try:
        with (
            running_service(ghostcast_bin, env=server.env()) as service,
            service.api.session(initial_url=web.url("/clock")) as room,
            service.api.events(room, types=["stream_state"]) as events,
        ):
            with PythonSubscriber(server, room) as viewer:
                wait_for(viewer.frame_count, 10, "frames before")
                server.remove(room, viewer.identity)
            first = server.room_sid(room)
            wait_for(
                lambda: server.room_sid(room),
                DEPARTURE_S + 10,
                "the room has closed and is open again",
                accept=lambda sid: sid not in (None, first),
            )
            with PythonSubscriber(server, room) as viewer:
                essentials.sees_clock(viewer)
            assert service.api.record(room)["livekit"] == "connected"
            assert not [e for e in events.of("stream_state") if e["state"] != "live"]
    finally:
        server.stop()


@pytest.mark.alone
def test_recover_of_a_healthy_session(livekit_ghostcast, own_livekit, web):
    """Nothing to do is a success, and the viewer notices nothing."""
    api = livekit_ghostcast.api
    with (
        api.session(initial_url=web.url("/clock")) as room,
        PythonSubscriber(own_livekit, room) as viewer,
        api.events(room, types=["stream_state"]) as events,
    ):
        wait_for(viewer.frame_count, 10, "frames before", accept=lambda n: n > 30)
        before = viewer.frames()[-1]["seen"]
        api.post(room, "recover")
        api.post(room, "recover", json={})
        count = viewer.frame_count()
        wait_for(viewer.frame_count, 5, "frames after", accept=lambda n: n > count + 30)
        seen = [frame["seen"] for frame in viewer.frames() if frame["seen"] >= before]
        gap = max(b - a for a, b in itertools.pairwise(seen))
        print(f"longest gap between two frames around recover: {gap * 1000:.0f} ms")
        assert gap < GAP_S_MAX
        assert api.record(room)["state"] == "live"
        assert not events.of("stream_state"), "nobody hears of it"


def test_livekit_that_is_not_there(own_ghostcast, web):
    """A LiveKit server that cannot be reached: the record says why, the browser works, it is tried
    again, and after the close no more."""
    api, room = own_ghostcast.api, new_room("no-livekit")
    with socket.socket() as server:
        # Bound but not listening: connections are refused.
        server.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        api.create(room, livekit_url=url, livekit_token="not.a.token")
        record = api.wait_record(
            room, lambda r: r["livekit"] == "reconnecting", 10, "the record says so"
        )
        assert record["state"] == "reconnecting" and "refused" in record["state_reason"], record
        visit = web.visit("/still")
        assert api.do(room, "navigate", url=visit.url)["url"] == visit.url
        server.listen()
        server.settimeout(RETRY_S)
        server.accept()[0].close()
        assert api.close(room).status_code == 200
        assert_envelope(api.request("GET", f"/sessions/{room}"), 404)
        with pytest.raises(TimeoutError):
            while True:
                server.accept()[0].close()
    assert api.get("/health").json()["status"] == "healthy"


def test_sigterm_leaves_nothing(own_ghostcast, web, chromium):
    """Stopped in the midst of life: sessions, a viewer, a running action, event sockets."""
    api = own_ghostcast.api
    rooms = [api.create(new_room(), initial_url=web.url("/clock"))["room_name"] for _ in range(2)]
    with api.events(rooms[0]):
        viewer = WhepViewer(chromium, web, api, rooms[0])
        wait_for(viewer.frame_count, 10, "frames")
        start = time.monotonic()
        problems = own_ghostcast.stop()
        print(f"ended within {time.monotonic() - start:.2f} s of SIGTERM")
        viewer.tab.close()
    assert not problems, f"{problems}\n{own_ghostcast.log()}"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe\x00", "application/json"),
        (b'{"room_name": 5, "action_type": 5}', "application/json"),
        (b'{"unknown": true}', "application/json"),
        (b'{"action_type": "wait", "params": []}', "application/json"),
        (b'{"room_name": "r"} trailing', "text/plain"),
        (b"[" * 100_000, "application/json"),
        (b'{"room_name": "' + b"x" * 5_000_000 + b'"}', "application/json"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_malformed_bodies(lone_api, body, content_type):
    """Refused as the caller's mistake, in the service's error form; the session lives on."""
    headers = {"Content-Type": content_type}
    with lone_api.session() as room:
        for path in ("/sessions", f"/sessions/{room}/actions"):
            answer = lone_api.request("POST", path, content=body, headers=headers)
            assert answer.status_code < 500, f"{path}: {answer.status_code} {answer.text[:200]}"
            assert_envelope(answer)
        lone_api.do(room, "wait", seconds=0)


def random_value(dice):
    """Any JSON value, sensible or not."""
    return dice.choice(
        [
            *[None, True, -1, 0, 3, 9999, 2**40, 1.5, -0.5, 1e308],
            *["", "x", "down", "left", "0", "ü🙂\u0000", "x" * 5000],
            *[[], [1], {}, {"a": 1}],
        ]
    )


def random_command(dice):
    """An action as a confused or hostile caller may send it."""
    types = ["click", "type", "scroll", "wait", "go_back", "go_forward", "refresh", "navigate"]
    names = ["index", "x", "y", "button", "count", "text", "clear", "submit", "direction"]
    names += ["amount", "url", "timeout_ms", "nonsense"]
    params = {name: random_value(dice) for name in dice.sample(names, dice.randint(0, 3))}
    if dice.random() < 0.3:
        params |= {"x": dice.uniform(-10, 1500), "y": dice.uniform(-10, 900)}
    if dice.random() < 0.1:
        return {"action_type": random_value(dice), "params": random_value(dice)}
    return {"action_type": dice.choice(types), "params": params}


def test_random_commands(lone_api, web):
    """200 seeded commands of any kind: an answer to each in time, and then a good one works."""
    dice = random.Random(20)
    kinds = {}
    with lone_api.session(initial_url=web.url("/form")) as room:
        for number in range(200):
            command = random_command(dice)
            start = time.monotonic()
            answer = lone_api.send_action(room, command)
            assert answer.status_code < 500, (number, command, answer.text)
            assert time.monotonic() - start < 20, (number, command)
            body = answer.json()
            kind = body["error"]["kind"] if "success" not in body else body["error_kind"]
            assert kind != "internal", (number, command, body)
            kinds[kind] = kinds.get(kind, 0) + 1
        print(f"outcomes of 200 random commands: {kinds}")
        visit = web.visit("/form")
        lone_api.do(room, "navigate", url=visit.url)
        lone_api.do(room, "click", index=lone_api.index_of(room, "Press me"))
        assert visit.wait_note("click")["target"] == "press"
