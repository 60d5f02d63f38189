"""Tabs: what a session shows, acts on and tells of is its current tab, whoever opened it."""

import pytest

from support import essentials, faults
from support.api import new_room
from support.mcp import McpClient, http_server
from support.wait import holds_for, wait_for

RED, GREEN, BLUE = "cc3333", "228844", "2244cc"
TABS_MAX = 32


@pytest.fixture
def room(lone_api, web):
    """A session with one red page."""
    with lone_api.session(new_room("tabs"), initial_url=web.url("/still", colour=RED)) as name:
        yield name


def tabs(api, room):
    """The tabs as the context lists them: (number, URL, whether it is the current one)."""
    return [(tab["tab"], tab["url"], tab["current"]) for tab in api.context(room)["tabs"]]


def keeps_titles(api, room, expected):
    """The titles of the tabs, as the context lists them, are and stay these."""

    def listed():
        return [tab["title"] for tab in api.context(room)["tabs"]]

    holds_for(lambda: listed() == expected, 0.5, f"the tabs are called {expected}")


def current(api, room):
    """The number of the current tab; there is exactly one."""
    found = [number for number, _, is_current in tabs(api, room) if is_current]
    assert len(found) == 1, found
    return found[0]


def test_a_navigation_says_in_which_tab(lone_ghostcast, web):
    """As every action does that a page is given; what is refused beforehand was in none."""
    api = lone_ghostcast.api
    with api.session(new_room("tabs")) as name:
        api.do(name, "new_tab", url=web.url("/still"))
        for action, params in (("navigate", {"url": web.url("/form")}), ("go_back", {}), ("go_forward", {}), ("refresh", {})):
            assert api.do(name, action, **params)["tab"] == 2, action
        failed = api.act(name, "navigate", url="http://127.0.0.1:1/")
        assert not failed["success"] and failed["tab"] == 2, failed
        refused = api.act(name, "click", index=9999)
        assert (refused["delivery"], refused["tab"]) == ("not_sent", None), refused


def test_open_switch_and_close(lone_api, room, web):
    """The context, the record and the events follow the current tab."""
    first = lone_api.record(room)["current_url"]
    visit = web.visit("/form")
    assert tabs(lone_api, room) == [(1, first, True)]
    with lone_api.events(room) as events:
        opened = lone_api.do(room, "new_tab", url=visit.url)
        assert (opened["url"], opened["title"]) == (visit.url, "Form & more")
        assert opened["data"]["tab"] == 2 and isinstance(opened["data"]["settled"], bool)
        assert tabs(lone_api, room) == [(1, first, False), (2, visit.url, True)]
        # Later words of Chromium about tabs in the background do not take their titles away.
        keeps_titles(lone_api, room, ["Still", "Form & more"])
        record = lone_api.record(room)
        assert (record["current_url"], record["page_count"]) == (visit.url, 2)
        assert lone_api.context(room)["title"] == "Form & more"

        back = lone_api.do(room, "switch_tab", tab=1)
        assert (back["url"], back["title"], back["data"]["tab"]) == (first, "Still", 1)
        assert lone_api.record(room)["current_url"] == first
        assert lone_api.context(room)["url"] == first

        keeps_titles(lone_api, room, ["Still", "Form & more"])

        again = lone_api.do(room, "switch_tab", tab=2)
        assert again["url"] == visit.url
        closed = lone_api.do(room, "close_tab")
        assert closed["url"] == first
        assert closed["data"] == {"tab": 1, "closed": 2, "effect": "tab"}
        assert tabs(lone_api, room) == [(1, first, True)]
        assert lone_api.record(room)["page_count"] == 1
        events.wait("action_completed", accept=lambda e: e["action"]["action_type"] == "close_tab")
        told = [event["url"] for event in events.of("page_navigation")]
        assert told == [visit.url, first, visit.url, first]
        loads = [event["url"] for event in events.of("page_load_complete")]
        assert loads == [visit.url]


def test_new_tab_that_leads_nowhere(lone_api, room):
    """The action fails as a navigation does; the tab is there and told, and says why it is empty."""
    with lone_api.events(room) as events:
        failed = lone_api.fail(room, "new_tab", "dns_failed", url="http://no-such-host.invalid/")
        assert failed["context"]["net_error"]
        events.wait("page_navigation", accept=lambda e: e["url"] == "about:blank")
    assert current(lone_api, room) == 2
    record = lone_api.record(room)
    assert record["current_url"] == lone_api.context(room)["url"] == "http://no-such-host.invalid/"
    assert record["page_error"] == failed["error"]


def test_closing_goes_to_the_tab_shown_before(lone_api, room):
    """Not to the neighbour; and a tab that is closed behind the current one changes nothing."""
    for _ in range(3):
        lone_api.do(room, "new_tab")
    lone_api.do(room, "switch_tab", tab=2)
    lone_api.do(room, "close_tab")
    assert current(lone_api, room) == 4
    lone_api.do(room, "close_tab", tab=1)
    assert current(lone_api, room) == 4
    # Numbers are not used again.
    assert lone_api.do(room, "new_tab")["data"]["tab"] == 5


def test_what_cannot_be(lone_api, room):
    """Refused in a sentence that says what to do."""
    refused = lone_api.fail(room, "close_tab", "only_tab")
    assert "only tab" in refused["error"] and "new_tab" in refused["error"]
    for action_type in ("switch_tab", "close_tab"):
        refused = lone_api.fail(room, action_type, "tab_not_found", tab=9)
        assert "no tab 9" in refused["error"]
        assert [tab["tab"] for tab in refused["context"]["tabs"]] == [1]
    lone_api.fail(room, "switch_tab", "missing_parameter")
    lone_api.fail(room, "new_tab", "invalid_parameter", url="")
    assert current(lone_api, room) == 1


def test_input_and_screenshots_follow(lone_api, room, web):
    """Clicks and keys reach the current tab, and none of the others."""
    one, two = web.visit("/form"), web.visit("/form")
    lone_api.do(room, "navigate", url=one.url)
    lone_api.do(room, "new_tab", url=two.url)
    lone_api.do(room, "click", index=lone_api.index_of(room, "Press me"))
    assert two.wait_note("click")["target"] == "press"
    lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="second")
    two.wait_note("field", lambda value: value == "second")
    before = lone_api.get(f"/sessions/{room}/screenshot").content
    lone_api.do(room, "switch_tab", tab=1)
    assert lone_api.get(f"/sessions/{room}/screenshot").content != before
    lone_api.do(room, "type", index=lone_api.index_of(room, "Field"), text="first")
    one.wait_note("field", lambda value: value == "first")
    assert not one.notes("click") or one.notes("click")[-1]["target"] != "press"


def test_index_of_another_tab_is_refused(lone_api, room, web):
    """An index means an element of its tab, whatever was seen since, and nothing in another one."""
    own = web.visit("/form")
    lone_api.do(room, "navigate", url=own.url)
    other = web.visit("/form")
    lone_api.do(room, "new_tab", url=other.url)
    lone_api.do(room, "switch_tab", tab=1)
    index = lone_api.index_of(room, "Press me")
    lone_api.do(room, "switch_tab", tab=2)
    refused = lone_api.fail(room, "click", "stale_element", index=index)
    assert refused["context"]["candidates"], refused
    assert not other.notes("click")
    # The candidates are of this tab; and in its own tab the index means what it meant.
    lone_api.do(room, "click", index=refused["context"]["candidates"][0]["index"])
    assert other.wait_note("click")["target"] == "press"
    lone_api.do(room, "switch_tab", tab=1)
    assert not own.notes("click")
    lone_api.do(room, "click", index=index)
    assert own.wait_note("click")["target"] == "press"


def test_viewer_sees_the_current_tab(lone_api, room, web, watch_whep):
    """The same connection shows each tab, from a keyframe, and the one before when it closes."""
    with watch_whep(room) as viewer:
        essentials.sees_block(viewer, RED)
        keyframes = lone_api.record(room)["video"]["keyframes"]
        green = web.visit("/still", colour=GREEN)
        lone_api.do(room, "new_tab", url=green.url)
        essentials.sees_block(viewer, GREEN)
        essentials.sees_load(viewer, green)
        lone_api.do(room, "switch_tab", tab=1)
        essentials.sees_block(viewer, RED, within=2)
        for tab in (2, 1, 2, 1, 2):
            lone_api.do(room, "switch_tab", tab=tab)
        essentials.sees_block(viewer, GREEN, within=2)
        lone_api.do(room, "close_tab")
        essentials.sees_block(viewer, RED, within=2)
        lone_api.wait_record(
            room, lambda r: r["video"]["keyframes"] >= keyframes + 3, 3, "keyframes of the tabs"
        )
        # The page that is shown goes on to be filmed, and no other.
        moving = web.visit("/clock", colour=BLUE)
        lone_api.do(room, "navigate", url=moving.url)
        essentials.sees_block(viewer, BLUE)
        lone_api.do(room, "new_tab")
        wait_for(viewer.newest_clock, 3, "the clock is gone", accept=lambda clock: clock is None)
        count = viewer.frame_count()
        holds_for(lambda: viewer.frame_count() <= count + 12, 2, "nothing moves on an empty tab")


@pytest.mark.parametrize("name", ["Open by script", "Open by link"])
def test_popup_by_click_is_shown(lone_api, room, web, watch_whep, name):
    """What a click opens is the current tab when the click is done; its end goes back."""
    target = web.visit("/opener", colour=GREEN)
    opener = web.visit("/opener", colour=BLUE, to=target.url)
    lone_api.do(room, "navigate", url=opener.url)
    with watch_whep(room) as viewer, lone_api.events(room) as events:
        essentials.sees_block(viewer, BLUE)
        clicked = lone_api.do(room, "click", index=lone_api.index_of(room, name))
        assert clicked["url"] == target.url and clicked["data"]["tab"] == 2, clicked
        assert current(lone_api, room) == 2
        essentials.sees_block(viewer, GREEN)
        for event_type in ("page_navigation", "page_load_complete"):
            events.wait(event_type, accept=lambda e: e["url"] == target.url)
            told = [e for e in events.of(event_type) if e["url"] == target.url]
            assert len(told) == 1, told
        assert lone_api.context(room)["viewport"]["width"] == 1280
        closed = lone_api.do(room, "close_tab")
        assert closed["url"] == opener.url
        essentials.sees_block(viewer, BLUE)


def test_popup_that_closes_itself(lone_api, room, web):
    """The click that closes it succeeds, and the opener is current again."""
    target = web.visit("/opener")
    opener = web.visit("/opener", to=target.url)
    lone_api.do(room, "navigate", url=opener.url)
    lone_api.do(room, "click", index=lone_api.index_of(room, "Open by script"))
    with lone_api.events(room) as events:
        clicked = lone_api.do(room, "click", index=lone_api.index_of(room, "Close me"))
        assert clicked["url"] == opener.url and clicked["data"]["tab"] == 1, clicked
        events.wait("page_navigation", accept=lambda e: e["url"] == opener.url)
    assert [number for number, _, _ in tabs(lone_api, room)] == [1]
    lone_api.do(room, "click", index=lone_api.index_of(room, "Open empty"))
    assert lone_api.context(room)["title"] == "Written"


def test_popup_in_the_background(lone_api, room, web):
    """The middle button opens a tab behind the current one."""
    target = web.visit("/still")
    lone_api.do(room, "navigate", url=web.visit("/opener", to=target.url).url)
    index = lone_api.index_of(room, "Open by link")
    lone_api.do(room, "click", index=index, button="middle")
    target.wait_note("loaded")
    wait_for(lambda: len(tabs(lone_api, room)) == 2, 3, "the tab is there")
    assert current(lone_api, room) == 1
    assert lone_api.do(room, "switch_tab", tab=2)["url"] == target.url


@pytest.mark.alone
def test_crash_in_the_background(own_ghostcast, web):
    """It costs that tab and nothing else; the crash of the current one is a lost browser."""
    api = own_ghostcast.api
    with api.session(initial_url=web.url("/still")) as room, api.events(room) as events:
        first = api.record(room)["current_url"]
        behind = web.url("/still", host="behind.localhost")
        api.do(room, "new_tab", url=behind)
        api.do(room, "switch_tab", tab=1)
        faults.crash_url(own_ghostcast, behind)
        wait_for(lambda: len(tabs(api, room)) == 1, 5, "the crashed tab is closed")
        assert api.record(room)["state"] == "live"
        assert api.do(room, "refresh")["url"] == first
        assert not events.of("browser_error")
        faults.crash_url(own_ghostcast, first)
        events.wait("browser_error")


def test_last_tab_that_goes_is_replaced(lone_api, room, web):
    """A popup whose opener was closed may close itself: an empty tab takes its place."""
    opener = web.visit("/opener", to=web.visit("/opener").url)
    lone_api.do(room, "navigate", url=opener.url)
    lone_api.do(room, "click", index=lone_api.index_of(room, "Open by script"))
    lone_api.do(room, "close_tab", tab=1)
    lone_api.act(room, "click", index=lone_api.index_of(room, "Close me"))
    wait_for(lambda: tabs(lone_api, room) == [(3, "about:blank", True)], 5, "an empty tab")
    visit = web.visit("/still")
    assert lone_api.do(room, "navigate", url=visit.url)["url"] == visit.url


@pytest.mark.alone
def test_bound(lone_ghostcast, room, web):
    """Tabs beyond the bound are refused to callers, closed to pages, and noted."""
    api = lone_ghostcast.api
    opener = web.visit("/opener", to="about:blank")
    api.do(room, "navigate", url=opener.url)
    api.act(room, "click", index=api.index_of(room, "Open many"))
    opener.wait_note("opened")
    wait_for(lambda: api.record(room)["page_count"] == TABS_MAX, 15, f"{TABS_MAX} tabs")
    refused = api.fail(room, "new_tab", "exhausted")
    assert "close_tab" in refused["error"]
    holds_for(lambda: api.record(room)["page_count"] <= TABS_MAX, 1, "no more tabs than that")
    wait_for(lambda: "one tab too many" in lone_ghostcast.log(), 3, "the log says so")
    assert len(api.context(room)["tabs"]) == TABS_MAX
    api.do(room, "close_tab", tab=api.context(room)["tabs"][-1]["tab"])
    assert api.do(room, "new_tab")["data"]["tab"] > TABS_MAX


def test_allowlist(lone_api, web, other_web):
    """The gate holds in every tab, and a tab for a refused host is not even opened."""
    with lone_api.session(allowed_domains=["a.allowed.localhost"]) as room:
        url = other_web.url("/still", host="blocked.localhost", mark="tab")
        lone_api.fail(room, "new_tab", "blocked", url=url)
        assert len(tabs(lone_api, room)) == 1
        allowed = web.visit(
            "/attempt",
            host="a.allowed.localhost",
            how="image",
            to=url,
        )
        lone_api.do(room, "new_tab", url=allowed.url)
        allowed.wait_note("over")
        to = web.url("/redirect", host="a.allowed.localhost", to=url)
        lone_api.fail(room, "new_tab", "blocked", url=to)
        assert not [r for r in other_web.requests() if r.query.get("mark") == "tab"]


def test_spoken(lone_ghostcast, room, web):
    """MCP says what became of the tabs."""
    mcp = McpClient(http_server(lone_ghostcast), "auto")
    try:
        visit = web.visit("/form")
        said = [
            mcp.act(room, "new_tab", url=visit.url)["message"],
            mcp.act(room, "switch_tab", tab=1)["message"],
            mcp.do("get_browser_context", room_name=room)["message"],
            mcp.act(room, "close_tab", tab=2)["message"],
        ]
    finally:
        mcp.close()
    assert said[:2] == [
        'Opened a new tab with "Form & more".',
        'Switched to the tab with "Still".',
    ]
    assert said[2].endswith("There are 2 tabs.")
    assert said[3] == 'Closed the tab. The current one shows "Still".'
