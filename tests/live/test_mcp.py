"""MCP by the official Python SDK: the same tools, answers and events on every transport."""

import base64
import io
import os
import queue
import time

import jsonschema
import pytest
from mcp.shared.exceptions import MCPError
from PIL import Image

from support import procs
from support.api import new_room
from support.mcp import (
    DOORS,
    McpClient,
    conversation,
    heard,
    http_server,
    spoken,
    stdio_server,
)
from support.wait import wait_for

TOOLS = {
    "start_browser_session": {
        "room_name",
        "livekit_url",
        "livekit_token",
        "initial_url",
        "viewport_width",
        "viewport_height",
        "fps",
        "allowed_domains",
        "dialogs",
        "session_name",
        "idle_timeout_s",
        "max_lifetime_s",
        "browser",
    },
    "pause_browser_session": {"room_name"},
    "resume_browser_session": {"room_name"},
    "close_browser_session": {"room_name"},
    "execute_action": {"room_name", "action_type", "params", "expects"},
    "get_browser_context": {"room_name", "text", "find", "boxes", "action_id"},
    "recover_browser_session": {"room_name"},
}
READ_ONLY = {"get_browser_context"}
DESTRUCTIVE = {"close_browser_session", "execute_action"}
ANSWER_S_MAX = 4.3
# Longer than an answer may take: a page that is given up, and one that is waited for, which comes
# before the answer of whoever waits.
GIVEN_UP_S, WAITED_FOR_S = 20, 6


@pytest.fixture(scope="module", params=DOORS)
def door(request):
    """A way into the service."""
    return request.param


@pytest.fixture(scope="module")
def mcp(door, lone_ghostcast, ghostcast_bin):
    """A conversation by that way."""
    with conversation(door, lone_ghostcast, ghostcast_bin) as client:
        yield client


@pytest.fixture
def room(mcp):
    """A session of the conversation's own."""
    name = new_room("mcp")
    mcp.do("start_browser_session", room_name=name)
    yield name
    mcp.call("close_browser_session", room_name=name)


def test_exactly_seven_tools(mcp):
    """The default set, with schemas that describe every argument and every answer."""
    tools = mcp.tools()
    assert list(tools) == list(TOOLS)
    for name, tool in tools.items():
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
        properties = tool.input_schema["properties"]
        assert TOOLS[name] <= set(properties)
        assert all(schema.get("description") for schema in properties.values()), name
        hints = tool.annotations
        assert hints.title and hints.read_only_hint == (name in READ_ONLY)
        if name not in READ_ONLY:
            assert hints.destructive_hint == (name in DESTRUCTIVE), name
    act = tools["execute_action"].input_schema
    assert "navigate" in act["properties"]["action_type"]["enum"] and act["examples"]
    fps = tools["start_browser_session"].input_schema["properties"]["fps"]
    assert (fps["minimum"], fps["maximum"], fps["default"]) == (1, 60, 10)


def test_server_says_who_it_is(mcp):
    """Name, version and how to use it."""
    assert mcp.client.server_info.name == "ghostcast" and mcp.client.server_info.version
    assert "start_browser_session" in mcp.client.instructions


def test_a_whole_session(mcp, lone_api, web):
    """Start, look, act, pause, resume, recover, close: each changes the real thing."""
    name = new_room("mcp")
    visit = web.visit("/form")
    started = mcp.do(
        "start_browser_session",
        room_name=name,
        initial_url=visit.url,
        viewport_width=1024,
        viewport_height=600,
        fps=12,
    )
    assert started["state"] == "live" and started["url"] == visit.url
    assert started["message"] == 'The browser is open and shows "Form & more".'
    assert started["viewport"] == {"width": 1024, "height": 600} and started["fps"] == 12
    with lone_api.events(name) as events:
        look = mcp.do("get_browser_context", room_name=name)
        assert (look["url"], look["title"]) == (visit.url, "Form & more")
        assert look["ready_state"] == "complete"
        index = {e["name"]: e["index"] for e in look["elements"]}["Press me"]
        clicked = mcp.act(name, "click", index=index)
        assert clicked["message"] == 'Clicked the button "Press me".'
        assert visit.wait_note("click")["target"] == "press"
        action = {"action_type": "click", "params": {"index": index}}
        events.wait("action_completed", accept=lambda e: e["action"] == action)
    assert mcp.do("pause_browser_session", room_name=name)["state"] == "paused"
    assert lone_api.record(name)["state"] == "paused"
    assert mcp.do("resume_browser_session", room_name=name)["state"] == "live"
    assert "well" in mcp.do("recover_browser_session", room_name=name)["message"]
    assert mcp.do("close_browser_session", room_name=name)["state"] == "closed"
    assert lone_api.request("GET", f"/sessions/{name}").status_code == 404


def test_actions_and_their_sentences(mcp, lone_api, room, web):
    """Every action, told so that it can be spoken."""
    visit, tall = web.visit("/form"), web.visit("/tall")
    told = [
        mcp.act(room, "navigate", url=visit.url)["message"],
        mcp.act(room, "click", x=5, y=5)["message"],
        mcp.act(room, "type", text="hello", index=lone_api.index_of(room, "Field"))["message"],
        mcp.act(room, "navigate", url=tall.url)["message"],
        mcp.act(room, "scroll", direction="down")["message"],
        mcp.act(room, "go_back")["message"],
        mcp.act(room, "go_forward")["message"],
        mcp.act(room, "refresh")["message"],
        mcp.act(room, "wait", seconds=0.1)["message"],
    ]
    assert told[0] == 'Opened "Form & more".'
    assert told[5] == 'Went back to "Form & more".'
    assert all(message.endswith(".") and len(message) < 120 for message in told), told


# By the newest protocol over HTTP each request is on its own.
CONVERSATIONS = [door for door in DOORS if door != "http"]


def just_started(result):
    """The room of the session that a call has made, which its first words tell."""
    facts = result.structured_content
    room = facts["room_name"]
    assert facts["just_started"] and room.startswith("default-"), facts
    told = spoken(result)
    assert told.startswith(f'A browser was just started for you in the room "{room}"'), told
    return room


@pytest.mark.parametrize("door", CONVERSATIONS)
def test_automatic_session(door, lone_ghostcast, ghostcast_bin, web):
    """Without a room a session starts by itself once, is told first, and ends with its client."""
    api, visit = lone_ghostcast.api, web.visit("/form")
    navigate = {"action_type": "navigate", "params": {"url": visit.url}}
    with conversation(door, lone_ghostcast, ghostcast_bin) as client:
        room = just_started(client.call("execute_action", **navigate))
        assert api.record(room)["current_url"] == visit.url
        look = client.do("get_browser_context")
        assert (look["url"], look["room_name"]) == (visit.url, room)
        assert "just_started" not in look
    wait_for(
        lambda: api.request("GET", f"/sessions/{room}").status_code, 10, "the session's end",
        accept=lambda status: status == 404,
    )


def test_requests_on_their_own(lone_ghostcast, ghostcast_bin):
    """Where no conversation is kept, an action says where it was done, and looking needs a room."""
    with conversation("http", lone_ghostcast, ghostcast_bin) as client:
        assert client.client.protocol_version >= "2026"
        room = just_started(client.call("execute_action", action_type="refresh"))
        try:
            sentence, _ = client.fail("get_browser_context")
            assert "room_name" in sentence
            assert client.do("get_browser_context", room_name=room)["url"] == "about:blank"
        finally:
            lone_ghostcast.api.close(room)


@pytest.mark.parametrize("door", CONVERSATIONS)
def test_automatic_sessions_are_never_shared(door, lone_ghostcast, ghostcast_bin):
    """Two clients that name no room have two sessions."""
    with (
        conversation(door, lone_ghostcast, ghostcast_bin) as one,
        conversation(door, lone_ghostcast, ghostcast_bin) as other,
    ):
        rooms = {just_started(client.call("get_browser_context")) for client in (one, other)}
        assert len(rooms) == 2


@pytest.mark.parametrize("door", CONVERSATIONS)
def test_the_one_session_is_meant(door, lone_ghostcast, ghostcast_bin):
    """A conversation means the one that it started; of several, and in place of a lost one, none."""
    with conversation(door, lone_ghostcast, ghostcast_bin) as client:
        rooms = [new_room("mcp"), new_room("mcp")]
        client.do("start_browser_session", room_name=rooms[0])
        look = client.do("get_browser_context")
        assert look["room_name"] == rooms[0] and "just_started" not in look
        client.do("start_browser_session", room_name=rooms[1])
        for tool in ({"action_type": "refresh"}, None):
            name = "execute_action" if tool else "get_browser_context"
            sentence, facts = client.fail(name, **(tool or {}))
            assert all(room in sentence for room in rooms), sentence
            assert facts["error_kind"] == "invalid_input"
        client.do("close_browser_session", room_name=rooms[1])
        assert client.do("get_browser_context")["room_name"] == rooms[0]
        # Somebody else ends it: it is lost to this client, and none is made in its place.
        count = len(lone_ghostcast.api.get("/sessions").json()["sessions"])
        lone_ghostcast.api.close(rooms[0])
        sentence, facts = client.fail("execute_action", action_type="refresh")
        assert rooms[0] in sentence and facts["error_kind"] == "unavailable"
        assert len(lone_ghostcast.api.get("/sessions").json()["sessions"]) == count - 1
        client.do("start_browser_session", room_name=rooms[0])
        assert client.do("get_browser_context")["room_name"] == rooms[0]
        client.do("close_browser_session", room_name=rooms[0])
        sentence, _ = client.fail("get_browser_context")
        assert "start_browser_session" in sentence


def test_errors_are_told_and_the_server_goes_on(mcp, room):
    """Unknown room, missing parameter, bad action, unknown argument: a tool error each."""
    sentence, facts = mcp.fail("pause_browser_session", room_name="no-such-room")
    assert "start_browser_session" in sentence and facts["error_kind"] == "not_found"
    sentence, _ = mcp.fail("pause_browser_session")
    assert "room_name" in sentence
    sentence, facts = mcp.fail("execute_action", room_name=room, action_type="bogus")
    assert "navigate" in sentence and facts["error_kind"] == "unknown_action"
    _, facts = mcp.fail("execute_action", room_name=room, action_type="click", params={})
    assert facts["error_kind"] == "missing_parameter"
    _, facts = mcp.fail("execute_action", room_name=room, action_type="click", params={"index": 99})
    assert facts["error_kind"] == "element_not_found" and facts["context"]["action"]
    sentence, _ = mcp.fail("start_browser_session", room_name=room)
    assert "already" in sentence
    sentence, _ = mcp.fail("start_browser_session", room_name="a", viewport_width=1)
    assert "viewport_width" in sentence
    with pytest.raises(MCPError, match="Unknown tool"):
        mcp.call("no_such_tool")
    assert mcp.do("get_browser_context", room_name=room)["url"] == "about:blank"


def test_slow_page_is_announced_and_answered_in_time(mcp, lone_api, room, web):
    """A word at once, an answer within four seconds, the end by events."""
    progress = queue.Queue()
    url = web.url("/slow", seconds=6)
    with lone_api.events(room) as events:
        began = time.monotonic()
        call = mcp.begin(
            "execute_action",
            {"room_name": room, "action_type": "navigate", "params": {"url": url}},
            progress,
        )
        spoken_at, message = progress.get(timeout=2)
        assert spoken_at - began < 1 and "127.0.0.1" in message, message
        result = call.result(10)
        assert time.monotonic() - began < ANSWER_S_MAX
        facts = result.structured_content
        assert facts["status"] == "running" and facts["success"] is None and not result.is_error
        look = mcp.do("get_browser_context", room_name=room)
        assert look["is_loading"], "the page can be looked at meanwhile"
        events.wait("page_load_complete", within=10, accept=lambda e: e["url"] == url)
        events.wait("action_completed", within=10)
    assert mcp.do("get_browser_context", room_name=room)["url"] == url


def test_slow_first_page(mcp, lone_api, web):
    """A start answers in time too."""
    name, progress = new_room("mcp"), queue.Queue()
    began = time.monotonic()
    arguments = {"room_name": name, "initial_url": web.url("/slow", seconds=6)}
    result = mcp.begin("start_browser_session", arguments, progress).result(10)
    try:
        assert time.monotonic() - began < ANSWER_S_MAX
        assert result.structured_content["is_opening"] and "still loading" in spoken(result)
        assert heard(progress), "a start is announced"
    finally:
        mcp.call("close_browser_session", room_name=name)


def test_newer_navigation_takes_over(mcp, lone_api, door, room, web):
    """Whoever moves on does not wait for a page that was given up.

    Requests of the newest protocol are on their own: there it waits its turn.
    """
    slow_s = WAITED_FOR_S if door == "http" else GIVEN_UP_S
    slow = web.url("/slow", seconds=slow_s)
    slow_action = {"action_type": "navigate", "params": {"url": slow}}
    visit = web.visit("/form")
    with lone_api.events(room, types=["action_completed", "action_error"]) as events:
        began = time.monotonic()
        late = mcp.call("execute_action", room_name=room, **slow_action)
        assert late.structured_content["status"] == "running"
        facts = mcp.act(room, "navigate", url=visit.url)
        took = time.monotonic() - began
        assert facts["status"] == "done" and facts["url"] == visit.url
        end = "action_completed" if door == "http" else "action_error"
        said = events.wait(end, accept=lambda e: e["action"] == slow_action)
    if door == "http":
        assert took >= slow_s, f"both pages came within {took:.1f} s"
    else:
        assert took < slow_s and "cancelled" in said["error"], (took, said)


def test_cancelled_call_is_cancelled_in_the_browser(mcp, lone_api, room, web):
    """Barge-in: the navigation stops, is told as an error, and the next action runs at once."""
    hang = web.url("/slow", seconds=20)
    with lone_api.events(room, types=["action_started", "action_error"]) as events:
        call = mcp.begin(
            "execute_action",
            {"room_name": room, "action_type": "navigate", "params": {"url": hang}},
        )
        events.wait("action_started")
        call.cancel()
        error = events.wait("action_error")
        assert "cancelled" in error["error"], error
    visit = web.visit("/form")
    began = time.monotonic()
    assert mcp.act(room, "navigate", url=visit.url)["url"] == visit.url
    assert time.monotonic() - began < 2


def test_lost_browser_is_a_tool_error(mcp, own_ghostcast, ghostcast_bin, door):
    """A dead browser says so, and what to call next; the room can be started again."""
    with conversation(door, own_ghostcast, ghostcast_bin) as client:
        client.do("start_browser_session", room_name="lost")
        procs.kill_all(own_ghostcast.browsers())
        wait_for(
            lambda: own_ghostcast.api.record("lost")["state"], 10, "the loss is noticed",
            accept=lambda state: state == "failed",
        )
        sentence, facts = client.fail(
            "execute_action", room_name="lost", action_type="refresh", params={}
        )
        assert facts["error_kind"] == "browser_lost" and "new session" in sentence
        sentence, _ = client.fail("recover_browser_session", room_name="lost")
        assert "start" in sentence.lower()
        assert client.do("start_browser_session", room_name="lost")["state"] == "live"


@pytest.fixture(scope="module")
def extended(lone_ghostcast):
    """A conversation that asked for the extended tools."""
    client = McpClient(http_server(lone_ghostcast, "?extended=true"), "auto")
    yield client
    client.close()


def test_extended_tools_by_option(extended, lone_ghostcast, ghostcast_bin):
    """The seven and more, by the query and by the flag."""
    more = ["screenshot", "analyze", "tabs", "recording", "wait_for"]
    more += ["ended_sessions", "stats", "drain", "share", "interact", "run_script", "clean_up"]
    assert list(extended.tools()) == [*TOOLS, *more]
    server = stdio_server(ghostcast_bin, lone_ghostcast, args=["--extended"])
    client = McpClient(server, "auto")
    try:
        assert set(more) < set(client.tools())
    finally:
        client.close()


def test_extended_tools_at_work(extended, web):
    """A picture with numbers, a wait, a recording, and a model that nobody configured."""
    room, visit = new_room("mcp"), web.visit("/form")
    extended.do("start_browser_session", room_name=room, initial_url=visit.url)
    try:
        result = extended.call("screenshot", room_name=room, marks=True)
        assert not result.is_error and result.structured_content["marked"]
        image = next(block for block in result.content if block.type == "image")
        picture = Image.open(io.BytesIO(base64.b64decode(image.data)))
        assert picture.size == (1280, 720) and picture.format == "JPEG"
        found = extended.do("wait_for", room_name=room, condition={"text": "A link"})
        assert found["success"] and found["message"] == "It is there."
        _, facts = extended.fail(
            "wait_for", room_name=room, condition={"text": "Never"}, timeout_ms=300
        )
        assert facts["error_kind"] == "condition_not_met"
        other = web.visit("/blank", title="Other").url
        opened = extended.do("tabs", room_name=room, operation="new", url=other)
        assert [tab["current"] for tab in opened["tabs"]] == [False, True]
        first = opened["tabs"][0]["tab"]
        extended.do("tabs", room_name=room, operation="switch", tab=first)
        assert extended.do("get_browser_context", room_name=room)["url"] == visit.url
        assert len(extended.do("tabs", room_name=room, operation="list")["tabs"]) == 2
        started = extended.do("recording", room_name=room, operation="start")
        assert started["state"] == "recording"
        time.sleep(1)
        stopped = extended.do("recording", room_name=room, operation="stop")
        assert stopped["state"] == "finished" and stopped["duration_s"] >= 1
        sentence, facts = extended.fail("analyze", room_name=room, question="What is there?")
        assert facts["error_kind"] == "not_configured" and "vision.url" in sentence
    finally:
        extended.call("close_browser_session", room_name=room)


def test_what_concerns_the_service_by_tools(extended, lone_ghostcast, lone_api):
    """A kept session by its name, its bounds, a picture in a file, what ended, numbers, and a drain."""
    name = new_room("kept")
    begun = extended.do(
        "start_browser_session", session_name=name, idle_timeout_s=900, max_lifetime_s=800
    )
    assert begun["session_name"] == name and begun["room_name"] == name
    record = lone_api.record(name)
    assert (record["room_name"], record["session_name"]) == (None, name)
    assert (record["idle_timeout_s"], record["max_lifetime_s"]) == (900, 800)
    saved = extended.call("screenshot", room_name=name, filename=f"{name}.webp")
    facts = saved.structured_content
    assert not any(block.type == "image" for block in saved.content)
    with Image.open(facts["path"]) as picture:
        assert picture.format == "WEBP" and picture.size == (facts["width"], facts["height"])
    os.unlink(facts["path"])
    _, refused = extended.fail("screenshot", room_name=name, filename="../x.png")
    assert refused["error_kind"] == "unprocessable"
    stats = extended.do("stats")["stats"]
    assert stats["service"]["pid"] == lone_ghostcast.pid
    assert name in [one["session_name"] for one in stats["per_session"]]
    assert extended.do("drain", operation="status")["draining"] is False
    left = extended.do("drain", operation="start", timeout_s=600)
    assert left["draining"] is True and left["sessions"] >= 1
    assert lone_api.request("GET", "/health/ready").status_code == 503
    assert extended.do("drain", operation="undo")["draining"] is False
    assert lone_api.get("/health/ready").json()["ready"] is True
    extended.do("close_browser_session", room_name=name)
    one = extended.do("ended_sessions", room_name=name)["ended"][0]
    assert one["reason"] == "closed" and one["session_name"] == name and one["last_events"]
    assert name in [one["session_name"] for one in extended.do("ended_sessions")["ended"]]
    # A secret does not belong into a model's context.
    assert not any("storage_state" in str(tool) for tool in extended.tools().values())


def test_action_that_failed_late_can_be_corrected(mcp, lone_api, room, web):
    """An answer that comes before the end names the action as its failure will be named."""
    mcp.act(room, "navigate", url=web.visit("/form").url)
    wait = {"for": {"text": "never"}, "timeout_ms": 5000}
    with lone_api.events(room) as events:
        late = mcp.call("execute_action", room_name=room, action_type="wait", params=wait)
        facts = late.structured_content
        assert facts["status"] == "running"
        events.wait("action_error", within=10)
    index = lone_api.index_of(room, "Press me")
    click = {"room_name": room, "action_type": "click", "params": {"index": index}}
    right = mcp.do("execute_action", **click, correction_of=facts["action_id"])
    assert right["correction_of"] == facts["action_id"]


def test_failed_action_can_be_corrected(mcp, room, web):
    """The failure names itself, the retry names the failure."""
    mcp.act(room, "navigate", url=web.visit("/form").url)
    click = {"room_name": room, "action_type": "click"}
    _, failed = mcp.fail("execute_action", **click, params={"index": 99})
    candidate = failed["context"]["candidates"][0]["index"]
    right = mcp.do(
        "execute_action",
        **click,
        params={"index": candidate},
        correction_of=failed["action_id"],
    )
    assert right["correction_of"] == failed["action_id"]
