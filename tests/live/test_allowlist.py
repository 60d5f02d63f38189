"""`allowed_domains` holds where requests leave the browser: the blocked server hears nothing."""

import pytest

from support.api import new_room
from support.wait import wait_for

# Chromium resolves every name under `localhost` to loopback, without DNS.
ALLOWED, BLOCKED = "a.allowed.localhost", "blocked.localhost"
PATTERNS = ["*.allowed.localhost", "exact.localhost"]

# How a page, or the automation, may try to get somewhere; and what sets it off.
WAYS = ["script", "frame", "fetch", "image", "beacon", "socket", "worker"]


@pytest.fixture(scope="module")
def fenced(lone_ghostcast):
    """A session that may reach the allowed names only."""
    with lone_ghostcast.api.session(new_room("fenced"), allowed_domains=PATTERNS) as room:
        yield room


@pytest.fixture(scope="module")
def free(lone_ghostcast):
    """A session without a list, which proves that each way works at all."""
    with lone_ghostcast.api.session(new_room("free")) as room:
        yield room


def arrivals(other_web, mark):
    """The requests at the other server that one try has caused."""
    return [request for request in other_web.requests() if request.query.get("mark") == mark]


def try_it(api, room, web, other_web, how, mark):
    """Makes a page of the allowed host try to reach the other server; returns when it has."""
    to = other_web.url("/still", host=BLOCKED, mark=mark)
    visit = web.visit("/attempt", host=ALLOWED, how=how, to=to)
    api.do(room, "navigate", url=visit.url)
    if how == "link":
        api.act(room, "click", index=api.index_of(room, "Follow"))
    elif how == "popup":
        api.act(room, "click", index=api.index_of(room, "Pop up"))
    return visit


@pytest.mark.parametrize("how", ["link", "popup", *WAYS])
def test_no_way_out(lone_api, fenced, free, web, other_web, how):
    """The same page gets through without the list and does not with it."""
    control = f"control-{how}"
    try_it(lone_api, free, web, other_web, how, control)
    wait_for(lambda: arrivals(other_web, control), 5, f"{how} works without a list")
    mark = f"fenced-{how}"
    visit = try_it(lone_api, fenced, web, other_web, how, mark)
    if how not in ("link", "script"):
        visit.wait_note("over")
    # Whatever was still on its way has been sent once a later action is done.
    lone_api.do(fenced, "wait", seconds=0.5)
    home = web.visit("/still", host=ALLOWED)
    lone_api.do(fenced, "navigate", url=home.url)
    home.wait_note("loaded")
    assert not arrivals(other_web, mark), f"{how} reached the blocked host"


def test_action(lone_api, fenced, other_web):
    """A navigation by action is refused at once, with its own kind."""
    url = other_web.url("/still", host=BLOCKED, mark="action")
    result = lone_api.fail(fenced, "navigate", "blocked", url=url)
    assert "blocked.localhost" in result["error"]
    assert result["duration_ms"] < 1000
    assert not arrivals(other_web, "action")


def test_redirect(lone_api, fenced, web, other_web):
    """An allowed host may not lend its name to a blocked one."""
    to = other_web.url("/still", host=BLOCKED, mark="redirect")
    url = web.url("/redirect", host=ALLOWED, to=to)
    lone_api.fail(fenced, "navigate", "blocked", url=url)
    assert web.requests(host=ALLOWED, path="/redirect")
    assert not arrivals(other_web, "redirect")


def test_redirect_of_a_subresource(lone_api, fenced, web, other_web):
    """Nor may it for an image of a page."""
    to = other_web.url("/still", host=BLOCKED, mark="sub")
    visit = web.visit(
        "/attempt", host=ALLOWED, how="image", to=web.url("/redirect", host=ALLOWED, to=to)
    )
    lone_api.do(fenced, "navigate", url=visit.url)
    visit.wait_note("over")
    assert not arrivals(other_web, "sub")


def test_initial_url(lone_api, other_web):
    """The first page is no exception, whichever way the service says so."""
    url = other_web.url("/still", host=BLOCKED, mark="initial")
    room = new_room("fenced")
    body = {"room_name": room, "initial_url": url, "allowed_domains": PATTERNS}
    response = lone_api.request("POST", "/sessions", json=body)
    if response.status_code == 201:
        lone_api.close(room)
    assert not arrivals(other_web, "initial")


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("a.allowed.localhost", True),
        ("A.Allowed.LOCALHOST", True),
        ("b.a.allowed.localhost", True),
        ("exact.localhost", True),
        ("sub.exact.localhost", False),
        ("badallowed.localhost", False),
        ("blocked.localhost", False),
        ("allowed.localhost.evil.localhost", False),
        ("a.allowed.localhost.evil.test", False),
        ("exact.localhost.evil.localhost", False),
        ("notexact.localhost", False),
        ("127.0.0.1", False),
        ("localhost", False),
        ("a.allowed.localhost@blocked.localhost", False),
    ],
)
def test_patterns(lone_api, fenced, web, host, is_allowed):
    """The table of the rule, asked in the browser and answered by the server's log."""
    visit = web.visit("/still", host=host)
    if is_allowed:
        result = lone_api.do(fenced, "navigate", url=visit.url)
        assert result["title"] == "Still"
    else:
        lone_api.fail(fenced, "navigate", "blocked", url=visit.url)
    seen = [request for request in web.requests() if request.query.get("id") == visit.id]
    assert bool(seen) == is_allowed


def test_default_denials_hold_without_a_list(lone_api, free, web):
    """Local files and browser pages are out of reach for actions and for pages."""
    for url in ["file:///etc/passwd", "chrome://settings/", "devtools://devtools/x"]:
        lone_api.fail(free, "navigate", "blocked", url=url)
    visit = web.visit("/attempt", how="script", to="file:///etc/passwd")
    lone_api.do(free, "navigate", url=visit.url)
    lone_api.do(free, "wait", seconds=0.3)
    assert not lone_api.context(free)["url"].startswith("file:")


def test_blocked_tries_are_survived(lone_api, fenced, web):
    """After all of that the session does its work."""
    visit = web.visit("/form", host=ALLOWED)
    lone_api.do(fenced, "navigate", url=visit.url)
    lone_api.do(fenced, "click", index=lone_api.index_of(fenced, "Press me"))
    assert visit.wait_note("click")["target"] == "press"
