"""A session's queue: actions while it opens and while it closes, asked for by name, cancelled, and
refused when the page that they were for is gone; and what becomes of sessions that have failed."""

import os
import signal
import threading
import time

import pytest

from support import procs
from support.api import assert_envelope, new_room
from support.service import running_service
from support.wait import holds_for, wait_for

# Whoever asks a session that opens or closes is answered within this.
ANSWER_S_MAX = 1.0
# A failed session is kept for this long here.
KEPT_S = 2.0


@pytest.fixture
def room(lone_api):
    """A session on an empty page."""
    with lone_api.session(new_room("queue")) as name:
        yield name


def open_slowly(api, web, room, path="/hang", **query):
    """Starts a session whose first page does not come; the record of it."""
    record = api.create(room, initial_url=web.url(path, **query))
    assert record["is_opening"], "the first page is on its way"
    return record


def test_navigation_while_the_first_page_is_on_its_way(lone_api, web):
    """A newer navigation takes the place of the first page, which is nobody's failure."""
    visit, room = web.visit("/still"), new_room("opening")
    with lone_api.events(room) as events:
        open_slowly(lone_api, web, room)
        try:
            start = time.monotonic()
            lone_api.do(room, "navigate", url=visit.url)
            took = time.monotonic() - start
            print(f"navigated after {took:.2f} s, beside a first page that never comes")
            assert took < 5
            visit.wait_note("loaded")
            record = lone_api.record(room)
            assert not record["is_opening"] and record["page_error"] is None, record
            assert record["current_url"] == visit.url
            events.wait("action_completed")
            assert not events.of("action_error", "browser_error")
        finally:
            lone_api.close(room)


def test_actions_wait_for_the_first_page(lone_api, web):
    """In order: what is asked for while the first page comes is done on that page."""
    room = new_room("opening")
    open_slowly(lone_api, web, room, "/slow", seconds=7)
    try:
        scroll = lone_api.submit(room, "wait", seconds=0)
        assert (scroll["state"], scroll["position"]) == ("queued", 1)
        record = lone_api.record(room)
        assert record["queued_actions"] == 1
        first = lone_api.action(room, record["running_action"])
        assert first["state"] == "running" and first["action"]["action_type"] == "navigate"
        done = lone_api.wait_action(room, scroll["action_id"], "done")
        assert done["result"]["success"] and "/slow" in done["result"]["url"]
        assert lone_api.action(room, first["action_id"])["result"]["success"]
    finally:
        lone_api.close(room)


def test_close_while_the_first_page_is_on_its_way(lone_api, web):
    """Whatever waits is answered and told, and nothing is left."""
    room = new_room("opening")
    with lone_api.events(room) as events:
        open_slowly(lone_api, web, room)
        waiting = lone_api.submit(room, "scroll", direction="down")
        start = time.monotonic()
        assert lone_api.close(room).json()["state"] == "closed"
        assert time.monotonic() - start < 5
        failed = events.wait("action_error")
        assert failed["action"]["action_type"] == waiting["action"]["action_type"]
        assert_envelope(lone_api.request("GET", f"/sessions/{room}"), 404)


def test_action_while_closing(own_ghostcast, web):
    """A browser that hangs keeps the close waiting, and nobody else: who asks is answered at once."""
    api, room = own_ghostcast.api, new_room("closing")
    session = api.create(room, initial_url=web.url("/still"))["session_id"]
    tree = [pid for root in own_ghostcast.browsers() for pid in (root, *procs.descendants(root))]
    for pid in tree:
        os.kill(pid, signal.SIGSTOP)
    closes = []

    def close():
        start = time.monotonic()
        closes.append((api.close(session).status_code, start, time.monotonic()))

    closers = [threading.Thread(target=close) for _ in range(2)]
    try:
        closers[0].start()
        api.wait_record(room, lambda r: r["state"] == "closing", 2, "it is being closed")
        closers[1].start()
        start = time.monotonic()
        result = api.fail(room, "scroll", "closed", direction="down")
        assert "new session" in result["error"]
        refusal = assert_envelope(api.request("GET", f"/sessions/{room}/context"), 410, "closed")
        assert "closed" in refusal["message"] and "new session" in refusal["hint"]
        assert_envelope(api.request("POST", f"/sessions/{room}/pause"), 410, "closed")
        took = time.monotonic() - start
        assert api.record(room)["state"] == "closing", "that was while it closed"
        print(f"three answers in {took:.2f} s, while it closes")
        assert took < 3 * ANSWER_S_MAX
    finally:
        for pid in tree:
            if procs.is_alive(pid):
                os.kill(pid, signal.SIGCONT)
        for closer in closers:
            closer.join(30)
    assert [code for code, _, _ in closes] == [200, 200], closes
    ends = [end for _, _, end in closes]
    assert max(ends) - min(ends) < ANSWER_S_MAX, "both wait for the same end"
    assert_envelope(api.request("GET", f"/sessions/{room}"), 404)


def test_ask_by_action_id(lone_api, room, web):
    """From the queue to the end, and long after it."""
    running = lone_api.submit(room, "wait", seconds=2)
    second = lone_api.submit(room, "navigate", url=web.url("/still"))
    third = lone_api.submit(room, "click", index=9999)
    assert running["state"] == "running"
    assert [a["position"] for a in (second, third)] == [1, 2]
    assert third["action"] == {"action_type": "click", "params": {"index": 9999}}
    with lone_api.events(room, details=True, since=0) as events:
        done = lone_api.wait_action(room, third["action_id"], "done")
        assert not done["result"]["success"]
        assert lone_api.action(room, second["action_id"])["result"]["url"] == web.url("/still")
        told = events.wait("action_completed", accept=lambda e: "url" in e["action"]["params"])
        assert told["action_id"] == second["action_id"]
        failed = events.wait("action_error")
        assert failed["action_id"] == third["action_id"]
    result = lone_api.do(room, "scroll", direction="down")
    assert lone_api.action(room, result["action_id"])["result"] == result
    path = f"/sessions/{room}/actions/no-such-action"
    assert_envelope(lone_api.request("GET", path), 404)
    assert_envelope(lone_api.request("DELETE", path), 404)


def test_typed_text_is_told_to_nobody_who_asks(lone_api, room, web):
    """A password is masked while its action waits, and after it."""
    lone_api.do(room, "navigate", url=web.url("/rich"))
    index = lone_api.index_of(room, "Pass")
    lone_api.submit(room, "wait", seconds=1)
    typed = lone_api.submit(room, "type", index=index, text="correct horse")
    assert "horse" not in str(typed) and "horse" not in str(lone_api.action(room, typed["action_id"]))
    done = lone_api.wait_action(room, typed["action_id"], "done")
    assert done["result"]["success"] and "horse" not in str(done)


def test_cancel_while_queued(lone_api, room, web):
    """What waits and is cancelled never happens; the others do, and it is told once."""
    visit = web.visit("/form")
    lone_api.do(room, "navigate", url=visit.url)
    index = lone_api.index_of(room, "Press me")
    with lone_api.events(room) as events:
        running = lone_api.submit(room, "wait", seconds=2)
        unwanted = lone_api.submit(room, "click", index=index)
        wanted = lone_api.submit(room, "click", index=lone_api.index_of(room, "Paint it"))
        answer = lone_api.cancel_action(room, unwanted["action_id"])
        assert answer.status_code == 200, answer.text
        status = answer.json()
        assert status["state"] == "done" and status["result"]["error_kind"] == "cancelled"
        assert lone_api.action(room, running["action_id"])["state"] == "running", "it ended at once"
        assert lone_api.action(room, wanted["action_id"])["position"] == 1
        again = lone_api.cancel_action(room, unwanted["action_id"])
        assert_envelope(again, 409, "conflict")
        done = lone_api.wait_action(room, wanted["action_id"], "done")
        assert done["result"]["success"], done
        visit.wait_note("click", accept=lambda note: note["target"] == "paint")
        holds_for(
            lambda: all(note["target"] != "press" for note in visit.notes("click")),
            0.5,
            "what was cancelled did not happen",
        )
        outcomes = events.of("action_completed", "action_error")
        assert [e["action"]["action_type"] for e in outcomes] == ["click", "wait", "click"]


def test_cancel_while_running(lone_api, room, web):
    """What runs is brought to its end in the browser too."""
    hanging = lone_api.submit(room, "navigate", url=web.url("/hang"))
    lone_api.wait_action(room, hanging["action_id"], "running")
    answer = lone_api.cancel_action(room, hanging["action_id"])
    assert answer.status_code == 202, answer.text
    done = lone_api.wait_action(room, hanging["action_id"], "done", within=5)
    assert done["result"]["error_kind"] == "cancelled"
    assert not lone_api.context(room)["is_loading"]


def test_index_of_a_page_that_is_gone_is_refused(lone_api, room, web):
    """A click that waited behind a navigation is not made on the page that came."""
    first, second = web.visit("/form"), web.visit("/form")
    lone_api.do(room, "navigate", url=first.url)
    index = lone_api.index_of(room, "Press me")
    lone_api.submit(room, "navigate", url=second.url)
    queued = lone_api.submit(room, "click", index=index)
    assert queued["state"] == "queued"
    done = lone_api.wait_action(room, queued["action_id"], "done")
    assert done["result"]["error_kind"] == "page_changed", done
    assert done["result"]["delivery"] == "not_sent"
    assert "page has changed" in done["result"]["error"]
    holds_for(lambda: not second.notes("click"), 0.5, "nothing was pressed")
    assert not first.notes("click")


def test_ended_actions_are_kept_in_a_bound(lone_api, room):
    """The oldest are forgotten, the newest never."""
    first = lone_api.do(room, "wait", seconds=0)["action_id"]
    for _ in range(256):
        last = lone_api.do(room, "wait", seconds=0)["action_id"]
    path = f"/sessions/{room}/actions/{first}"
    assert_envelope(lone_api.request("GET", path), 404)
    assert lone_api.action(room, last)["state"] == "done"


def test_failed_sessions_are_swept(ghostcast_bin, web):
    """A failed session can be read for a while, and then it is gone, with what its room kept."""
    env = {"GHOSTCAST_SESSION__FAILED_KEPT_MS": str(int(KEPT_S * 1000))}
    with running_service(ghostcast_bin, env=env) as service:
        api, rooms = service.api, [new_room("call") for _ in range(3)]
        for room in rooms:
            api.create(room, initial_url=web.url("/still"))
        with api.events(rooms[0]) as events:
            epoch, start = events.epoch, time.monotonic()
            procs.kill_all(service.browsers())
            events.wait("browser_error")
        for room in rooms:
            record = api.wait_record(room, lambda r: r["state"] == "failed", 2, "it has failed")
            assert record["state_reason"]
        with api.session(new_room("healthy"), initial_url=web.url("/still")) as healthy:
            wait_for(
                lambda: [s["room_name"] for s in api.get("/sessions").json()["sessions"]],
                KEPT_S + 3,
                "only the healthy one is left",
                accept=lambda names: names == [healthy],
            )
            assert time.monotonic() - start >= KEPT_S * 0.9, "they could be read until then"
            assert api.get("/health").json()["status"] == "healthy"
            assert_envelope(api.request("GET", f"/sessions/{rooms[0]}"), 404)
        with api.events(rooms[0], since=0) as events:
            assert events.epoch != epoch, "the room counts anew"
            holds_for(lambda: not events.events, 0.5, "nothing of it is replayed")


def test_failed_session_that_is_replaced_is_not_swept(ghostcast_bin, web):
    """The room's next session has nothing to do with the end of the one before."""
    env = {"GHOSTCAST_SESSION__FAILED_KEPT_MS": str(int(KEPT_S * 1000))}
    with running_service(ghostcast_bin, env=env) as service:
        api, room = service.api, new_room("call")
        api.create(room)
        procs.kill_all(service.browsers())
        api.wait_record(room, lambda r: r["state"] == "failed", 3, "it has failed")
        api.create(room, initial_url=web.url("/still"))
        holds_for(lambda: api.record(room)["state"] == "live", KEPT_S + 1, "it lives on")
        api.do(room, "scroll", direction="down")
        api.close(room)
