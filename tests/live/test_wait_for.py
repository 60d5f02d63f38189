"""wait until something is so: an element, a text, a URL, rest."""

import time

import pytest

from support.wait import wait_for


@pytest.fixture
def late(lone_api, room, web):
    """A page on which things come late; opened anew."""
    visit = web.visit("/late", after=700)
    lone_api.do(room, "navigate", url=visit.url)
    return visit


@pytest.mark.parametrize(
    "what",
    [
        {"selector": "#late button"},
        {"selector": ".in-shadow"},
        {"text": "ready  NOW"},
        {"text": "shadow text"},
        {"url": "*/late-done?id=*"},
    ],
)
def test_what_comes_late_is_waited_for(lone_api, room, late, what):
    """The action returns when it is there, and neither before nor long after."""
    started = time.monotonic()
    result = lone_api.do(room, "wait", **{"for": what})
    took = time.monotonic() - started
    assert result["data"]["waited_ms"] <= took * 1000 and took < 3, result
    assert late.notes("late"), "it had come"
    assert lone_api.do(room, "wait", **{"for": what})["data"]["waited_ms"] < 500


def test_what_is_hidden_is_not_there(lone_api, room, late):
    """A match that nobody can see does not count, but is told."""
    failed = lone_api.fail(
        room, "wait", "condition_not_met", **{"for": {"selector": "#hidden"}, "timeout_ms": 400}
    )
    assert failed["context"]["seen"] == {"hidden_matches": 1}
    assert failed["context"]["waited_for"] == {"selector": "#hidden"}


@pytest.mark.parametrize(
    ("what", "key", "part"),
    [
        ({"text": "never there"}, "text", "Ready now"),
        ({"url": "*/nowhere"}, "url", "/late"),
        ({"selector": "video"}, "hidden_matches", "0"),
    ],
)
def test_a_timeout_says_what_was_there_instead(lone_api, room, late, what, key, part):
    """The bound holds, and the context has what was seen."""
    wait_for(lambda: late.notes("late"), 5, "the page's last change")
    started = time.monotonic()
    failed = lone_api.fail(room, "wait", "condition_not_met", **{"for": what, "timeout_ms": 600})
    assert 0.6 <= time.monotonic() - started < 2.5
    assert part in str(failed["context"]["seen"][key]), failed["context"]
    assert late.url.split("?")[0] in failed["context"]["url"]


def test_rest_is_waited_for(lone_api, room, web, late):
    """Until nothing loads or changes; a page that never rests meets the bound."""
    late_result = lone_api.do(room, "wait", **{"for": {"idle": True}})
    assert late.notes("late"), late_result
    lone_api.do(room, "navigate", url=web.url("/ticking"))
    failed = lone_api.fail(
        room, "wait", "condition_not_met", **{"for": {"idle": True}, "timeout_ms": 1500}
    )
    assert failed["context"]["seen"]["is_changing"]


def test_a_wait_survives_a_navigation(lone_api, room, web):
    """The page that is waited on may be replaced meanwhile."""
    visit = web.visit("/late", after=500, then="/form")
    lone_api.do(room, "navigate", url=visit.url)
    result = lone_api.do(room, "wait", **{"for": {"selector": "#press"}})
    assert result["data"]["found"]["name"] == "Press me" and "/form" in result["url"]


@pytest.mark.parametrize(
    "params",
    [
        {"for": {"selector": "::::"}},
        {"for": {"selector": "a", "text": "b"}},
        {"for": {"idle": False}},
        {"for": {}},
        {"for": {"text": "a"}, "seconds": 1},
        {"for": {"text": "a"}, "timeout_ms": 120001},
        {"for": "text"},
    ],
)
def test_nonsense_is_refused(lone_api, room, late, params):
    """Exactly one thing is waited for, and within bounds."""
    lone_api.fail(room, "wait", "invalid_parameter", **params)
