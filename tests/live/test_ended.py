"""What is known of a session after its end: why it ended, where it was, and what was done in it."""

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from support.api import assert_envelope, new_room
from support.cdp import Tab
from support.kept import services, start
from support.service import running_service
from support.viewers import WhepViewer
from support.wait import holds_for, wait_for

RECORDINGS_ENV = "GHOSTCAST_RECORDING__DIRECTORY"
KEPT_ENV = "GHOSTCAST_SESSION__ENDED_KEPT_H"
# Where a session is, is written down this often for the case of a kill.
NOTED_WITHIN_S = 12
KNOWN_MAX = 1000
FIELDS = {
    "session_id",
    "session_name",
    "room_name",
    "created_at",
    "ended_at",
    "reason",
    "detail",
    "current_url",
    "title",
    "last_activity",
    "viewers",
    "actions",
    "actions_failed",
    "recordings",
    "last_events",
    "state",
}


@pytest.fixture
def house(ghostcast_bin, tmp_path):
    """Makes services that share their directories, that of films too, one after the other."""
    with services(ghostcast_bin, tmp_path, **{RECORDINGS_ENV: str(tmp_path / "films")}) as house:
        yield house


def ended(api):
    """All that have ended, newest first."""
    told = api.get("/sessions", params={"ended": "true"}).json()
    assert set(told) == {"ended"}, told
    for one in told["ended"]:
        assert set(one) == FIELDS and one["last_events"] is None, one
    ends = [one["ended_at"] for one in told["ended"]]
    assert ends == sorted(ends, reverse=True), ends
    return told["ended"]


def end_of(api, key):
    """How a session ended."""
    one = api.get(f"/sessions/{key}/ended").json()
    assert set(one) == FIELDS, one
    return one


def test_a_closed_session_is_known_by_what_was_done_in_it(house, web, chromium):
    """Reason, last page, viewers, actions, films and events; secrets are on no disk."""
    service = house()
    api, room, secret = service.api, new_room(), "correct-horse-battery"
    page = web.visit("/still", title="last page")
    begun = api.create(room, initial_url=web.url("/still"), secrets={"word": secret})
    assert_envelope(api.request("GET", f"/sessions/{room}/ended"), 404, "not_found")
    with WhepViewer(chromium, web, api, room) as viewer:
        wait_for(viewer.frame_count, 10, "frames")
        film = api.request("POST", f"/sessions/{room}/recording").json()
        api.do(room, "navigate", url=page.url)
        api.fail(room, "click", "element_not_found", index=9999)
        api.do(room, "navigate", url=web.url(f"/still?word={secret}"))
        api.do(room, "navigate", url=page.url)
        before = api.record(room)
    assert api.close(room).status_code == 200
    one = end_of(api, room)
    assert one == end_of(api, begun["session_id"])
    assert (one["reason"], one["detail"], one["state"]) == ("closed", "closed by request", "closed")
    for field in ("session_id", "session_name", "room_name", "created_at", "current_url", "title"):
        assert one[field] == before[field], field
    assert one["current_url"] == page.url
    assert one["viewers"] == {"whep": 1, "livekit": False}
    # The first page counts as an action.
    assert (one["actions"], one["actions_failed"]) == (5, 1)
    films = [{"recording_id": film["recording_id"], "file": film["file"]}]
    assert one["recordings"] == films and Path(film["path"]).exists()
    types = [event["type"] for event in one["last_events"]]
    assert {"action_completed", "action_error", "page_navigation", "recording"} <= set(types), types
    last = one["last_events"][-1]
    assert (last["type"], last["state"], last["reason"]) == ("stream_state", "closed", "closed")
    assert [event["seq"] for event in one["last_events"]] == sorted(
        event["seq"] for event in one["last_events"]
    )
    assert all(event["session_id"] == begun["session_id"] for event in one["last_events"])
    listed = ended(api)
    assert [one["session_id"] for one in listed] == [begun["session_id"]]
    assert not api.get("/sessions").json()["sessions"], "the plain list is of those that there are"
    for path in service.state.glob("ghostcast.db*"):
        assert secret.encode() not in path.read_bytes(), path
    # A film that is deleted is not named any more.
    assert api.request("DELETE", f"/recordings/{film['file']}").status_code == 200
    assert end_of(api, room)["recordings"] == []
    assert not service.stop()


def test_every_way_to_end_has_its_word(house):
    """Idle, lifetime, a killed browser, a cleanup: each by the word that a program branches on."""
    service = house()
    api = service.api
    idle, old, lost, cleaned = (new_room(name) for name in ("idle", "old", "lost", "cleaned"))
    api.create(idle, idle_timeout_s=1)
    api.create(old, max_lifetime_s=2)
    wait_for(lambda: len(ended(api)) == 2, 20, "two have ended by themselves")
    assert end_of(api, idle)["reason"] == "idle" and "1 s" in end_of(api, idle)["detail"]
    assert end_of(api, old)["reason"] == "lifetime" and "2 s" in end_of(api, old)["detail"]
    api.create(cleaned)
    answer = api.request("POST", "/sessions/cleanup", json={"max_age_hours": 0})
    assert answer.status_code == 200, answer.text
    assert end_of(api, cleaned)["reason"] == "cleanup"
    api.create(lost)
    for pid in service.browsers():
        os.kill(pid, signal.SIGKILL)
    api.wait_record(lost, lambda record: record["state"] == "failed", 10, "its browser is lost")
    one = wait_for(
        lambda: api.request("GET", f"/sessions/{lost}/ended").json(),
        5,
        "the loss is written down while the session stays to be looked at",
        accept=lambda one: "reason" in one,
    )
    assert (one["reason"], one["state"]) == ("browser_lost", "failed") and "crashed" in one["detail"]
    # What came first is why, whoever closes it then.
    api.close(lost)
    again = end_of(api, lost)
    assert again["ended_at"] == one["ended_at"] and again["reason"] == "browser_lost"
    assert again["state"] == "closed"
    assert not service.stop()


def test_a_service_that_ends_knows_it_in_its_next_life(house, web):
    """In order, or killed: rooms and kept sessions alike, with the last page that was known."""
    service = house()
    room, page = new_room(), web.visit("/still")
    first = service.api.create(room, initial_url=page.url)
    kept = start(service.api, "shop", initial_url=page.url)
    assert not service.stop()
    service = house()
    api = service.api
    for key, record, state in ((room, first, "closed"), ("shop", kept, "stored")):
        one = end_of(api, key)
        assert one["session_id"] == record["session_id"] and one["current_url"] == page.url
        assert (one["reason"], one["state"]) == ("service_stopped", state), one
    assert api.record("shop")["state_reason"] == "service stopping", "so does the stored one itself"
    other, next_page = new_room(), web.visit("/still")
    api.create(other)
    api.do(other, "navigate", url=next_page.url)
    assert_envelope(api.request("GET", f"/sessions/{other}/ended"), 404, "not_found")
    time.sleep(NOTED_WITHIN_S)
    service.process.kill()
    service.process.wait()
    service.forget()
    service = house()
    one = end_of(service.api, other)
    assert one["reason"] == "service_lost" and one["current_url"] == next_page.url
    assert {one["room_name"] for one in ended(service.api)} == {room, other, None}
    # A stored one that is closed is known by its last end's facts.
    assert service.api.close("shop").status_code == 200
    one = end_of(service.api, kept["session_id"])
    assert (one["reason"], one["state"]) == ("closed", "closed") and one["last_events"]
    assert not service.stop()


def test_what_ended_is_forgotten_in_time_and_in_number(house):
    """Seconds in place of hours, and the oldest beyond a thousand."""
    service = house(**{KEPT_ENV: "0.001"})
    api, room = service.api, new_room()
    api.create(room)
    api.close(room)
    assert end_of(api, room)["reason"] == "closed"
    time.sleep(3.6)
    assert ended(api) == []
    assert_envelope(api.request("GET", f"/sessions/{room}/ended"), 404, "not_found")
    assert not service.stop()
    with sqlite3.connect(service.state / "ghostcast.db") as database:
        row = database.execute("SELECT * FROM ended").fetchone()
        columns = [column[1] for column in database.execute("PRAGMA table_info(ended)")]
        for number in range(KNOWN_MAX + 5):
            values = dict(zip(columns, row, strict=True))
            values["session_id"] = f"00000000-0000-4000-8000-{number:012d}"
            stamp = time.gmtime(time.time() - 7200 + number)
            values["ended_at"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", stamp)
            told = json.loads(values["session"]) | {"session_id": values["session_id"]}
            values["session"] = json.dumps(told)
            marks = ", ".join("?" * len(columns))
            database.execute(f"INSERT INTO ended VALUES ({marks})", tuple(values.values()))
    service = house()
    api = service.api
    api.create(room)
    api.close(room)
    known = ended(api)
    assert len(known) == KNOWN_MAX and known[0]["room_name"] == room
    with sqlite3.connect(service.state / "ghostcast.db") as database:
        (count,) = database.execute("SELECT count(*) FROM ended").fetchone()
    assert count == KNOWN_MAX
    assert not service.stop()


def test_the_dashboard_shows_what_ended(house, web, chromium):
    """With reason, last page and film; a room whose session has ended says so."""
    service = house()
    api, room, page = service.api, new_room("gone"), web.visit("/still", title="Last page")
    api.create(room, initial_url=page.url)
    page.wait_note("loaded")
    film = api.request("POST", f"/sessions/{room}/recording").json()["file"]
    with Tab(chromium, f"{api.base}/?room={room}") as tab:
        def shown(script):
            return tab.evaluate(f"(() => {{ {script} }})()")

        row = "const row = document.querySelector('#ended-list li'); return row && "
        wait_for(lambda: shown("return document.getElementById('video').videoWidth"), 10, "video")
        assert shown("return document.getElementById('ended').hidden")
        api.close(room)
        wait_for(lambda: shown(f"{row} row.innerText"), 10, "the ended session is listed")
        said = shown(f"{row} row.innerText")
        assert room in said and "closed" in said and page.url.removeprefix("http://") in said, said
        notice = shown("return document.getElementById('notice').innerText")
        assert "ended" in notice and "Closed by request." in notice, notice
        shown(f"{row} (row.querySelector('details').open = true)")
        assert "1 viewer" in shown(f"{row} row.innerText")
        link = shown(f"{row} row.querySelector('a').href")
        assert link == f"{api.base}/recordings/{film}"
        # One that lives is not listed as ended, and one that came back is not any more.
        start(api, "shop", idle_timeout_s=1)
        api.wait_record("shop", lambda record: record["state"] == "stored", 20, "it is stored")
        assert end_of(api, "shop")["reason"] == "idle"
        tab.evaluate("location.reload()")
        wait_for(lambda: shown(f"{row} true"), 10, "the list is there again")
        assert shown("return document.querySelectorAll('#ended-list > li').length") == 1
    assert not service.stop()


def test_nothing_is_kept_where_nothing_shall_be(ghostcast_bin):
    """With 0 hours nothing is written at all."""
    with running_service(ghostcast_bin, env={KEPT_ENV: "0"}) as service:
        room = new_room()
        service.api.create(room)
        service.api.close(room)
        assert ended(service.api) == []
        with sqlite3.connect(service.home / "state" / "ghostcast.db") as database:
            assert holds_for(
                lambda: database.execute("SELECT count(*) FROM ended").fetchone() == (0,),
                1,
                "nothing is written",
            ) is None
