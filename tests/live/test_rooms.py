"""Rooms side by side and one after another: nothing mixes, nothing is left behind."""

import concurrent.futures
import time
import uuid

import pytest

from support import essentials, procs
from support.api import assert_envelope, new_room
from support.wait import holds_for, wait_for

# Chromium's own helpers come and go by one or two (a spare renderer, a utility process).
PROCESSES_SLACK = 2
FILES_SLACK = 4
OPEN_S_MAX = 5
RECORD_FIELDS = {
    "session_id",
    "room_name",
    "state",
    "current_url",
    "created_at",
    "last_activity",
    "page_count",
    "capture",
    "viewers",
    "metadata",
}


def test_two_rooms_do_not_mix(api, web, subscribe):
    """Video, actions and events of one room are not those of the other."""
    one, two = web.visit("/still", colour="cc3333"), web.visit("/still", colour="3333cc")
    with (
        api.session(initial_url=one.url) as left,
        api.session(initial_url=two.url) as right,
        subscribe(left) as left_viewer,
        subscribe(right) as right_viewer,
        api.events(left) as left_events,
        api.events(right) as right_events,
    ):
        essentials.sees_load(left_viewer, one)
        essentials.sees_load(right_viewer, two)
        essentials.sees_block(left_viewer, "cc3333")
        essentials.sees_block(right_viewer, "3333cc")
        third = web.visit("/still", colour="33aa33")
        api.do(left, "navigate", url=third.url)
        left_events.wait("action_completed")
        essentials.sees_block(left_viewer, "33aa33")
        essentials.sees_block(right_viewer, "3333cc")
        assert api.context(right)["url"] == two.url
        assert api.context(left)["url"] == third.url
        said = [event for event in right_events.events if third.id in str(event)]
        assert not said, said
        api.fail(right, "click", "element_not_found", index=9999)
        right_events.wait("action_error")
        assert not left_events.of("action_error")


def test_cookies_and_storage_do_not_mix(api, web):
    """Each room is a browser of its own to every site."""
    first, second = web.visit("/cookie", mark="one"), web.visit("/storage", mark="two")
    with api.session(initial_url=first.url) as left:
        first.wait_note("found")
        with api.session(initial_url=second.url) as right:
            found = second.wait_note("found")
            assert found == {"cookie": "", "local": None, "session": None}
            again = web.visit("/storage", mark="one")
            api.do(left, "navigate", url=again.url)
            found = again.wait_note("found")
            assert found["cookie"] == "mark=one" and found["local"] == "one"
            back = web.visit("/storage", mark="two")
            api.do(right, "navigate", url=back.url)
            assert back.wait_note("found")["local"] == "two"
            sent = [r.headers.get("cookie") for r in web.requests(path="/storage")]
            assert sent.count("mark=one") == 1, sent
    after = web.visit("/storage", mark="three")
    with api.session(left, initial_url=after.url):
        found = after.wait_note("found")
        assert found == {"cookie": "", "local": None, "session": None}, "left by the session before"


def test_record_and_list(api, web):
    """The record says what was asked for, under the name and under the id."""
    metadata = {"customer": "München", "nested": {"n": 1}}
    spec = {"initial_url": web.url("/still"), "metadata": metadata, "fps": 12}
    with api.session("a room with spaces & ümlauts", **spec) as room:
        record = api.record(room)
        assert set(record) >= RECORD_FIELDS
        assert record["room_name"] == room and record["metadata"] == metadata
        assert uuid.UUID(record["session_id"]).version == 4
        assert (record["fps"], record["bitrate_bps"]) == (12, 2_000_000)
        assert record["viewport"] == {"width": 1280, "height": 720}
        assert record["page_count"] == 1 and record["current_url"] == spec["initial_url"]
        listed = api.get("/sessions").json()["sessions"]
        assert [r["room_name"] for r in listed].count(room) == 1


def test_session_id_is_a_path(api, web):
    """Wherever a path takes the room's name it takes the session's id."""
    visit = web.visit("/still")
    room = new_room()
    name = api.create(room)["session_id"]
    assert api.record(name)["room_name"] == room
    api.do(name, "navigate", url=visit.url)
    assert api.context(name)["url"] == visit.url
    assert api.get(f"/sessions/{name}/screenshot").headers["content-type"] == "image/png"
    api.post(name, "pause")
    api.post(name, "resume")
    api.post(name, "recover")
    with api.events(name) as events:
        assert api.connections(name) == 1
        api.do(name, "wait", seconds=0)
        events.wait("action_completed")
    assert api.close(name).status_code in (200, 204)
    assert_envelope(api.request("GET", f"/sessions/{room}"), 404, "not_found")


def test_live_room_is_refused_and_goes_on(api, web):
    """A second start on a live room is a conflict, and does not disturb the first."""
    with api.session(initial_url=web.url("/still")) as room:
        before = api.record(room)
        answer = api.request("POST", "/sessions", json={"room_name": room})
        assert_envelope(answer, 409, "conflict")
        assert api.record(room)["session_id"] == before["session_id"]
        api.do(room, "wait", seconds=0)


def test_dead_room_is_replaced(own_ghostcast, web):
    """After its browser died a room can be started again without a close."""
    api, room = own_ghostcast.api, new_room()
    first = api.create(room, initial_url=web.url("/still"))
    procs.kill_all(own_ghostcast.browsers())
    api.wait_record(room, lambda r: r["state"] == "failed", 5, "the session has failed")
    visit = web.visit("/still")
    second = api.create(room, initial_url=visit.url)
    assert second["session_id"] != first["session_id"]
    visit.wait_note("loaded")
    assert api.close(room).status_code in (200, 204)


def test_unknown_rooms(api):
    """Every route that names a room says 404 in the service's error form."""
    routes = [
        ("GET", "/sessions/nowhere"),
        ("DELETE", "/sessions/nowhere"),
        ("POST", "/sessions/nowhere/pause"),
        ("POST", "/sessions/nowhere/resume"),
        ("POST", "/sessions/nowhere/recover"),
        ("GET", "/sessions/nowhere/context"),
        ("GET", "/sessions/nowhere/screenshot"),
        ("GET", f"/sessions/{uuid.uuid4()}"),
        ("GET", "/no/such/path"),
    ]
    for method, path in routes:
        assert_envelope(api.request(method, path), 404, "not_found")
    answer = api.send_action("nowhere", {"action_type": "wait", "params": {"seconds": 0}})
    assert_envelope(answer, 404, "not_found")


def test_default_page_and_wrong_specs(api):
    """Without a URL the page is blank; a spec that makes no sense is refused by field."""
    with api.session() as room:
        assert api.record(room)["current_url"] == "about:blank"
    for field, value in [
        ("viewport_width", 3),
        ("viewport_height", 100_000),
        ("fps", 0),
        ("fps", 61),
        ("bitrate_bps", 1),
        ("initial_url", 7),
        ("allowed_domains", "example.com"),
        ("livekit_url", "http://not-a-websocket"),
        ("viewport", 5),
    ]:
        body = {"room_name": new_room(), field: value}
        error = assert_envelope(api.request("POST", "/sessions", json=body))
        assert error["kind"] == "invalid_input", (field, error)
        assert field in error["message"] + error.get("hint", ""), (field, error)
    for name in ["", "a/b", " padded ", "x" * 257, "bell\u0007"]:
        answer = api.request("POST", "/sessions", json={"room_name": name})
        assert_envelope(answer, kind="invalid_input")


def test_titles_of_pages(api, web):
    """The first page's title, and that of a page that came without an action."""
    second = web.url("/form")
    with api.session() as room:
        assert api.do(room, "navigate", url=web.url("/late", after=300, then=second))["success"]
        api.wait_record(room, lambda r: r["current_url"] == second, 5, "the second page")
        api.wait_record(room, lambda r: r["title"] == "Form & more", 2, "its title")
    with api.session(initial_url=second) as room:
        assert api.record(room)["title"] == "Form & more"


def test_titles_that_scripts_change(api, web):
    """The record has them within a moment, in the order in which they came; a frame's is none of the page's."""
    web.files["/frame.html"] = b"<title>frame</title><script>document.title = 'framed'</script>"
    web.files["/news.html"] = b"""<!doctype html><title>news</title><iframe src="/frame.html"></iframe>
        <script>addEventListener('message', ({ data }) => {
          for (const title of data) document.title = title;
        });</script>"""
    with api.session(initial_url=web.url("/news.html")) as room:
        for titles in (["(1) news"], ["(2) news", "(3) news"], ["news"]):
            api.run(room, f"postMessage({titles!r})")
            api.wait_record(room, lambda r, last=titles[-1]: r["title"] == last, 2, "the last title")
        assert api.context(room)["title"] == "news"


def footprint(service):
    """What the service holds: processes below it, temporary entries, open files of its own."""
    return (
        len([p for p in procs.descendants(service.pid) if procs.is_alive(p)]),
        len(service.temp_entries()),
        procs.open_files(service.pid),
    )


def assert_back_at(service, baseline):
    """The footprint is what it was, give or take Chromium's own helpers; no zombies."""
    slack = (PROCESSES_SLACK, 0, FILES_SLACK)
    limits = [was + more for was, more in zip(baseline, slack, strict=True)]
    wait_for(
        lambda: footprint(service),
        10,
        f"processes, temporary entries and open files at most {limits}",
        accept=lambda now: all(n <= most for n, most in zip(now, limits, strict=True)),
    )
    # One of Chromium's own may be seen between its end and its burial by Chromium.
    wait_for(
        lambda: [p for p in procs.descendants(service.pid) if procs.is_zombie(p)],
        5,
        "no zombies",
        accept=lambda zombies: not zombies,
    )


def open_and_close(api, web, number):
    """One session opened, used and closed: (seconds to open, seconds to close)."""
    room, start = new_room(f"many-{number}"), time.monotonic()
    api.create(room, initial_url=web.url("/still"))
    opened = time.monotonic()
    assert api.close(room).status_code in (200, 204)
    return opened - start, time.monotonic() - opened


def report(title, times):
    """Prints a line of the table of opening and closing times."""
    for what, values in zip(("open", "close"), zip(*times, strict=True), strict=True):
        low, mean, high = min(values), sum(values) / len(values), max(values)
        print(f"{title}: {what} min {low:.3f} mean {mean:.3f} max {high:.3f} s")


@pytest.mark.alone
def test_ten_in_a_row(ghostcast, web):
    """Sessions leave nothing behind, however many there were."""
    open_and_close(ghostcast.api, web, "warm")
    baseline = footprint(ghostcast)
    times = [open_and_close(ghostcast.api, web, number) for number in range(10)]
    report("ten in a row", times)
    assert max(opened + closed for opened, closed in times) < OPEN_S_MAX
    assert_back_at(ghostcast, baseline)


@pytest.mark.alone
def test_ten_at_once(ghostcast, web):
    """Ten sessions live at the same time, all usable, and then all gone."""
    api, rooms = ghostcast.api, [new_room(f"crowd-{n}") for n in range(10)]
    open_and_close(api, web, "warm")
    baseline = footprint(ghostcast)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        visits = [web.visit("/still") for _ in rooms]
        start = time.monotonic()
        list(pool.map(lambda r, v: api.create(r, initial_url=v.url), rooms, visits))
        opened = time.monotonic()
        results = list(pool.map(lambda r: api.do(r, "scroll", direction="down"), rooms))
        assert [r["url"] for r in results] == [v.url for v in visits]
        acted = time.monotonic()
        closed = list(pool.map(api.close, rooms))
        done = time.monotonic()
    assert all(answer.status_code in (200, 204) for answer in closed)
    print(
        f"ten at once: open {opened - start:.2f} s, act {acted - opened:.2f} s, "
        f"close {done - acted:.2f} s"
    )
    assert_back_at(ghostcast, baseline)
    holds_for(lambda: not api.get("/sessions").json()["sessions"], 0.2, "no session is left")


def test_whoever_is_closed_has_left_the_room(api, livekit_server):
    """A leave is not lost to what the server says at the same moment."""
    for round_ in range(40):
        room = api.create(new_room("leaving"))["room_name"]
        api.wait_record(room, lambda record: record["livekit"] == "connected", 10, "it is there")
        time.sleep(round_ % 5 * 0.01)
        api.close(room)
        wait_for(lambda room=room: not livekit_server.identities(room), 1, f"{round_}: it has left")
