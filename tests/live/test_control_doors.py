"""The calls that programs make most, by gRPC and by the extended tools of MCP: what REST does, they do."""

import time

import pytest

from support.api import new_room
from support.grpc_client import GrpcClient
from support.mcp import McpClient, http_server
from support.wait import wait_for

# A page that tells its server what is done to it.
PAGE = """<!doctype html><title>Doors</title>
<label>Name <input id=name oninput="note('typed', this.value)"></label>
<button id=go onclick="note('pressed', document.getElementById('name').value)">Go on</button>
<div id=plain>Plain</div>
<iframe name=inner srcdoc="<p id=there>inside</p>"></iframe>
<script>
const id = new URLSearchParams(location.search).get('id');
const note = (name, value) => fetch(`/note?id=${id}&name=${name}`,
  {method: 'POST', body: JSON.stringify(value)});
setTimeout(() => { const p = document.createElement('p'); p.id = 'late'; p.textContent = 'Late, but here';
  document.body.append(p); note('late', true) }, 400);
note('loaded', true);
</script>"""


@pytest.fixture(scope="module")
def stub(lone_ghostcast):
    """A gRPC client."""
    with GrpcClient(lone_ghostcast) as client:
        yield client


@pytest.fixture(scope="module")
def tools(lone_ghostcast):
    """A conversation with the extended tools."""
    client = McpClient(http_server(lone_ghostcast, "?extended=true"), "auto")
    yield client
    client.close()


@pytest.fixture
def page(web):
    """The page, to be visited."""
    web.files["/doors.html"] = PAGE.encode()
    return web.visit("/doors.html")


@pytest.fixture
def room(lone_api):
    """A session on an empty page."""
    with lone_api.session() as name:
        yield name


# ---- gRPC --------------------------------------------------------------------------------------


def test_grpc_drives_a_page(lone_api, stub, room, page):
    """Navigate, Wait, Interact and ExecuteScript; the page says what was done to it."""
    went = stub.call("Navigate", room_name=room, url=page.url, wait_until="load")
    assert went["success"] and went["url"] == page.url and lone_api.record(room)["current_url"] == page.url
    page.wait_note("loaded")
    waited = stub.call("Wait", room_name=room, selector="#late", timeout_ms=5000)
    assert page.notes("late") and int(waited["waited_ms"]) < 5000
    filled = stub.call("Interact", room_name=room, action="fill", selector="#name", params={"value": "Ada"})
    assert filled["success"] and filled["effect"]["verified"], filled
    assert page.wait_note("typed", lambda value: value == "Ada")
    pressed = stub.call("Interact", room_name=room, action="click", selector="text=Go on")
    assert pressed["success"] and pressed["target"]["name"] == "Go on"
    assert page.wait_note("pressed") == "Ada"
    index = lone_api.index_of(room, "Go on")
    assert stub.call("Interact", room_name=room, action="click", params={"index": index})["success"]
    wait_for(lambda: len(page.notes("pressed")) == 2, 5, "it is pressed again")


def test_grpc_scripts(stub, room, page):
    """Values of every kind, arguments, frames, and what throws."""
    stub.call("Navigate", room_name=room, url=page.url)
    for script, kind, result in (
        ("document.title", "string", "Doors"),
        ("args.a + args.list[1]", "number", 5),
        ("({a: [1, null, {b: true}]})", "object", {"a": [1, None, {"b": True}]}),
        ("null", "null", None),
        ("10n ** 20n", "bigint", "100000000000000000000n"),
    ):
        fields = {"script": script, "args": {"a": 2, "list": [1, 3]}}
        done = stub.call("ExecuteScript", room_name=room, **fields)
        assert done == {"success": True, "result": result, "type": kind}, done
    inside = stub.call("ExecuteScript", room_name=room, script="there.textContent", frame="inner")
    assert inside["result"] == "inside"
    threw = stub.call("ExecuteScript", room_name=room, script="null.x")
    assert not threw["success"] and threw["result"] is None and "type" not in threw
    assert threw["error"]["name"] == "TypeError" and "TypeError" in threw["error"]["stack"]


def test_grpc_refuses_as_rest_does(lone_api, stub, room, page):
    """The same kinds and the same words, by each method."""
    stub.call("Navigate", room_name=room, url=page.url)
    failed = stub.call("Navigate", room_name=room, url="http://127.0.0.1:1/", timeout_ms=5000)
    assert not failed["success"] and failed["error_kind"] == "navigation_failed"
    stub.call("Navigate", room_name=room, url=page.url)
    missing = stub.call("Interact", room_name=room, action="click", selector="#no", timeout_ms=300)
    assert missing["error_kind"] == "condition_not_met"
    for method, verb, fields in (
        ("Wait", "wait", {"text": "never said", "timeout_ms": 300}),
        ("Wait", "wait", {"selector": "#go", "state": "detached", "timeout_ms": 300}),
        ("Wait", "wait", {}),
        ("Wait", "wait", {"text": "a", "timeout_ms": 0}),
        ("Wait", "wait", {"function": "if ("}),
        ("ExecuteScript", "execute", {"script": " "}),
        ("ExecuteScript", "execute", {"script": "new Promise(() => {})", "timeout_ms": 200}),
        ("ExecuteScript", "execute", {"script": "1", "frame": "nowhere"}),
        ("Interact", "interact", {"action": "fill", "selector": "#plain", "params": {"text": "x"}}),
        ("Interact", "interact", {"action": "drag", "selector": "#go"}),
    ):
        error = stub.refusal(method, room_name=room, **fields)
        body = {**fields, **fields.get("params", {})}
        body.pop("params", None)
        told = lone_api.request("POST", f"/sessions/{room}/{verb}", json=body).json()["error"]
        metadata = dict(error.trailing_metadata())
        assert metadata["error-kind"] == told["kind"], (method, fields, error.details())
        # How the page was seen last may differ by a moment.
        assert error.details().split(";")[0].split(". ")[0] in told["message"], (error.details(), told)
    for method, fields in (
        ("Navigate", {"url": page.url, "wait_until": "never"}),
        ("Wait", {"selector": "#go", "state": "green"}),
        ("Wait", {"load_state": "never"}),
    ):
        error = stub.refusal(method, room_name=room, **fields)
        assert error.code().name == "INVALID_ARGUMENT" and "Use " in error.details()
    for method in ("Navigate", "ExecuteScript", "Interact", "Wait"):
        error = stub.refusal(method, room_name="nobody", **({"text": "a"} if method == "Wait" else {}))
        assert error.code().name == "NOT_FOUND", (method, error)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Navigate", {"url": "/slow?seconds=20"}),
        ("Interact", {"action": "click", "selector": "#never", "timeout_ms": 60_000}),
        ("Wait", {"text": "never said", "timeout_ms": 60_000}),
        ("ExecuteScript", {"script": "for (;;);", "timeout_ms": 60_000}),
        ("ExecuteScript", {"script": "new Promise(() => {})", "timeout_ms": 60_000}),
    ],
    ids=["navigate", "interact", "wait", "script-busy", "script-waiting"],
)
def test_grpc_deadline_ends_it_in_the_browser(lone_api, stub, room, page, web, method, fields):
    """What its caller no longer waits for keeps nobody else from the page."""
    stub.call("Navigate", room_name=room, url=page.url)
    if "url" in fields:
        fields = {"url": web.url("/slow", seconds=20)}
    request = stub.request(method, room_name=room, **fields)
    call = getattr(stub.stub, method).future(request, timeout=1)
    assert call.exception(timeout=5).code().name == "DEADLINE_EXCEEDED"
    began = time.monotonic()
    went = lone_api.do(room, "navigate", url=page.url)
    assert went["success"] and time.monotonic() - began < 5
    assert stub.call("ExecuteScript", room_name=room, script="1 + 1")["result"] == 2
    assert lone_api.record(room)["queued_actions"] == 0


def test_cleanup_by_grpc_and_by_tool(own_ghostcast):
    """Only old sessions go, none in a dry run, and what is kept is counted; without an age nothing is done."""
    api = own_ghostcast.api
    rooms = [new_room("old") for _ in range(3)]
    for name in rooms:
        api.create(name)

    def names():
        return {record["room_name"] for record in api.get("/sessions").json()["sessions"]}

    tools = McpClient(http_server(own_ghostcast, "?extended=true"), "auto")
    try:
        with GrpcClient(own_ghostcast) as stub:
            error = stub.refusal("CleanUp")
            assert error.code().name == "INVALID_ARGUMENT" and "max_age_hours" in error.details()
            assert stub.refusal("CleanUp", max_age_hours=-1).code().name == "INVALID_ARGUMENT"
            none = stub.call("CleanUp", max_age_hours=1)
            assert none["deleted"] == [] and int(none["kept"]) == 3
            dry = stub.call("CleanUp", max_age_hours=0, dry_run=True)
            assert {one["room_name"] for one in dry["deleted"]} == set(rooms) == names()
            told = tools.do("clean_up", max_age_hours=0, dry_run=True)
            assert told["message"] == "3 browsers would be closed."
            assert {one["room_name"] for one in told["deleted"]} == set(rooms) == names()
            assert tools.do("clean_up", max_age_hours=1)["kept"] == 3
            _, refused = tools.fail("clean_up", max_age_hours=-1)
            assert refused["error_kind"] == "invalid_input"
            api.close(rooms[0])
            gone = stub.call("CleanUp", max_age_hours=0)
            assert {one["room_name"] for one in gone["deleted"]} == set(rooms[1:]) and names() == set()
            reason = api.get(f"/sessions/{rooms[1]}/ended").json()["reason"]
            assert reason == "cleanup"
        api.create(rooms[0], session_name=rooms[0])
        profile = own_ghostcast.home / "state" / "profiles" / rooms[0]
        assert profile.exists()
        told = tools.do("clean_up", max_age_hours=0, profiles=True)
        assert told["deleted"][0]["session_name"] == rooms[0] and names() == set()
        assert not profile.exists()
    finally:
        tools.close()


# ---- MCP ---------------------------------------------------------------------------------------


def test_tools_drive_a_page(tools, room, page):
    """interact and run_script; the page says what was done to it."""
    tools.act(room, "navigate", url=page.url)
    filled = tools.do(
        "interact", room_name=room, action="fill", selector="#name", params={"text": "Ada"}
    )
    assert filled["success"] and filled["status"] == "done" and "Ada" in filled["message"]
    assert page.wait_note("typed", lambda value: value == "Ada")
    pressed = tools.do("interact", room_name=room, action="click", selector='role=button[name="Go on"]')
    assert pressed["message"].startswith('Clicked the button "Go on".')
    assert page.wait_note("pressed") == "Ada"
    ran = tools.do("run_script", room_name=room, script="return [args.x, document.title]", args={"x": 7})
    assert (ran["result"], ran["type"], ran["thrown"]) == ([7, "Doors"], "array", None)
    assert ran["message"] == "The script returned a list of 2 items."
    one = tools.do("run_script", room_name=room, script="there.textContent", frame="inner")
    assert one["message"] == 'The script returned "inside".'
    nothing = tools.do("run_script", room_name=room, script="void note('ran', 1)")
    assert nothing["message"] == "The script ran and returned nothing." and page.wait_note("ran") == 1


def test_tools_say_what_stands_in_the_way(tools, room, page):
    """An element that does not come, what throws, what is too large, and what never ends; within a call."""
    tools.act(room, "navigate", url=page.url)
    _, missing = tools.fail("interact", room_name=room, action="click", selector="#no", timeout_ms=300)
    assert missing["error_kind"] == "condition_not_met" and missing["action_id"]
    sentence, facts = tools.fail(
        "interact", room_name=room, action="fill", selector="#plain", params={"text": "x"}
    )
    assert facts["error_kind"] == "unprocessable" and "#plain" in sentence
    sentence, threw = tools.fail("run_script", room_name=room, script="null.x")
    assert sentence.startswith("The script threw TypeError: ") and threw["success"] is False
    assert threw["thrown"]["name"] == "TypeError" and threw["error"] == sentence
    _, large = tools.fail("run_script", room_name=room, script="'x'.repeat(40000)")
    assert large["error_kind"] == "unprocessable" and "32768" in large["error"]
    for tool, more in (
        ("run_script", {"script": "1"}),
        ("interact", {"action": "click", "selector": "#go"}),
    ):
        _, refused = tools.fail(tool, room_name=room, timeout_ms=3001, **more)
        assert refused["error_kind"] == "invalid_input" and "3000" in refused["error"]
    for script in ("for (;;);", "new Promise(() => {})"):
        began = time.monotonic()
        _, ended = tools.fail("run_script", room_name=room, script=script)
        assert ended["error_kind"] == "timeout" and time.monotonic() - began < 4.5
        assert tools.do("run_script", room_name=room, script="1 + 1")["result"] == 2
    began = time.monotonic()
    _, late = tools.fail("interact", room_name=room, action="click", selector="#no", timeout_ms=3000)
    assert time.monotonic() - began < 4.5 and page.notes("pressed") == [], late


def test_a_cancelled_tool_ends_its_script(tools, room, page):
    """A model that changes its mind leaves a page that answers."""
    tools.act(room, "navigate", url=page.url)
    call = tools.begin("run_script", {"room_name": room, "script": "for (;;);"})
    time.sleep(0.5)
    call.cancel()
    began = time.monotonic()
    pressed = tools.do("interact", room_name=room, action="click", selector="#go")
    assert pressed["success"] and page.wait_note("pressed") == "" and time.monotonic() - began < 2.4
