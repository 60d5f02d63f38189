"""Sessions that nobody uses end by themselves, and nobody who uses one loses it."""

import time

import pytest

from support.api import new_room
from support.kept import start
from support.service import running_service
from support.subscriber import PythonSubscriber
from support.wait import wait_for

TYPES = ["stream_state", "session_ending"]


def state(api, key):
    """Where a session is in its life; none for one that is gone."""
    answer = api.request("GET", f"/sessions/{key}")
    return answer.json()["state"] if answer.status_code == 200 else None


def gone(api, key, within, to=None):
    """How long it takes until the session is in that state."""
    began = time.monotonic()
    wait_for(lambda: [state(api, key)], within, f"{key} is {to}", accept=lambda seen: seen == [to])
    return time.monotonic() - began


def test_a_room_that_nobody_uses_is_closed(lone_api, web):
    """It is warned of, once, and says why it has ended."""
    url = web.url("/still")
    room = new_room()
    lone_api.create(room, initial_url=url, idle_timeout_s=2)
    record = lone_api.record(room)
    assert (record["idle_timeout_s"], record["max_lifetime_s"]) == (2, 0)
    assert 1.5 < gone(lone_api, room, 6) < 4
    # What was told is told to whoever comes after.
    with lone_api.events(room, types=TYPES, since=0) as events:
        events.wait("stream_state", accept=lambda event: event["state"] == "closed")
        warnings = [e for e in events.events if e["type"] == "session_ending"]
        assert len(warnings) == 1 and warnings[0]["reason"] == "idle", warnings
        assert warnings[0]["in_s"] == 1
        closing = next(e for e in events.events if e.get("state") == "closing")
        assert closing["reason"] == "nobody used it for 2 s", closing


def test_use_keeps_a_session(lone_api, web):
    """Calls, actions and event subscribers count; a page that moves by itself does not."""
    web.files["/restless.html"] = (
        b"<!doctype html><title>restless</title><script>setTimeout(() => location.reload(), 300)"
        b"</script>"
    )
    room = new_room()
    lone_api.create(room, initial_url=web.url("/restless.html"), idle_timeout_s=2)
    for _ in range(5):
        time.sleep(1)
        lone_api.context(room)
    lone_api.do(room, "wait", seconds=4)
    with lone_api.events(room):
        time.sleep(4)
        assert state(lone_api, room) == "live"
    assert gone(lone_api, room, 6) > 1


def test_a_life_is_over_whoever_uses_it(lone_api, web):
    """`max_lifetime_s` counts from the start."""
    room = new_room()
    lone_api.create(room, initial_url=web.url("/still"), idle_timeout_s=0, max_lifetime_s=3)
    with lone_api.events(room, types=TYPES) as events:
        assert gone(lone_api, room, 6) > 1
        warning = next(e for e in events.events if e["type"] == "session_ending")
        assert warning["reason"] == "lifetime"


def test_a_room_that_only_agents_are_left_in_is_closed(api, livekit_server, watch_js, web):
    """People who watch keep a session; an agent that watches, and a program that listens, do not."""
    room = new_room()
    api.create(room, initial_url=web.url("/clock"), idle_timeout_s=3)
    agents = PythonSubscriber(livekit_server, room, kind="agent")
    with agents as agent, api.events(room):
        person = watch_js(room)
        wait_for(person.newest_clock, 10, "a person sees the page")
        wait_for(agent.newest_clock, 10, "and so does the agent")
        time.sleep(5)
        assert state(api, room) == "live"
        person.close()
        count = agent.frame_count()
        assert 2 < gone(api, room, 8) < 7
        assert agent.frame_count() > count, "the agent has watched to the end"
    with api.events(room, types=TYPES, since=0) as events:
        closing = events.wait("stream_state", accept=lambda event: event["state"] == "closing")
    assert closing["reason"] == "nobody used it for 3 s", closing


@pytest.mark.alone
def test_a_kept_one_is_stored_and_comes_back(ghostcast_bin, web):
    """It is put away with its page, says why, and the next call has it again."""
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        url = web.url("/still")
        start(api, "idle", initial_url=url, idle_timeout_s=2)
        gone(api, "idle", 8, to="stored")
        record = api.record("idle")
        assert record["state_reason"] == "nobody used it for 2 s" and not record["active"]
        wait_for(lambda: not api.get("/stats").json()["per_session"][0]["browser_pid"], 5, "it is off")
        assert api.context("idle")["url"] == url
        assert state(api, "idle") == "live"


def test_the_operator_has_the_last_word(ghostcast_bin, web):
    """A request for longer, or for ever, gets what the operator permits."""
    env = {
        "GHOSTCAST_SESSION__IDLE_TIMEOUT_S": "7",
        "GHOSTCAST_SESSION__IDLE_TIMEOUT_S_MAX": "9",
        "GHOSTCAST_SESSION__MAX_LIFETIME_S": "60",
    }
    with running_service(ghostcast_bin, env=env) as ghostcast:
        api = ghostcast.api
        for room, wanted, idle, life in (
            ("usual", {}, 7, 60),
            ("never", {"idle_timeout_s": 0, "max_lifetime_s": 0}, 9, 60),
            ("long", {"idle_timeout_s": 100, "max_lifetime_s": 100}, 9, 60),
            ("short", {"idle_timeout_s": 3, "max_lifetime_s": 30}, 3, 30),
        ):
            record = api.create(room, **wanted)
            assert (record["idle_timeout_s"], record["max_lifetime_s"]) == (idle, life), room
