"""While a person drives privately nobody else sees the page or is told of it, by any door."""

import json
import os
import signal
import time

import pytest
from websockets.exceptions import ConnectionClosed

from support.api import assert_envelope, new_room
from support.films import Film
from support.grpc_client import GrpcClient
from support.kept import browser_of, start
from support.mcp import McpClient, http_server
from support.participant import CallError, Participant
from support.people import Person, heard
from support.pictures import colour_at, colour_distance
from support.playwright_browser import browser_context
from support.service import running_service
from support.viewers import WhepViewer
from support.wait import wait_for

RED, BLUE = (204, 51, 51), (34, 68, 204)
CARD = (21, 21, 21)
SECRET = "hush"
NEAR = 24
OPEN = b"""<!doctype html><title>open</title><style>body { margin: 0; background: #cc3333 }</style>
  <a href="/hush.html" style="position:absolute;left:20px;top:20px;width:200px;height:60px;background:#fff">On</a>"""
PRIVATE = b"""<!doctype html><title>hush title</title><style>body { margin: 0; background: #2244cc }</style>
  <p>hush text</p><script>
    console.log('hush console');
    setInterval(() => { document.title = 'hush title ' + Date.now(); console.log('hush console'); }, 300);
    setTimeout(() => document.body.append('hush again'), 1000);
  </script>"""
# All that reads by REST, with a body where it takes one.
READS = [
    ("GET", "context", None),
    ("GET", "context?text=true&elements=true&accessibility=true", None),
    ("GET", "context?find=hush", None),
    ("GET", "context?more=x", None),
    ("GET", "context?accessibility_more=x", None),
    ("GET", "context?text_cursor=x", None),
    ("GET", "screenshot", None),
    ("GET", "screenshot?format=jpeg&json=true", None),
    ("GET", "screenshot?full_page=true", None),
    ("GET", "screenshot?marks=true", None),
    ("GET", "screenshot?index=0", None),
    ("GET", "screenshot?x=0&y=0&width=50&height=50", None),
    ("POST", "screenshot", {}),
    ("POST", "screenshot", {"filename": "hush.png"}),
    ("POST", "screenshot", {"selector": "p"}),
    ("POST", "analyze", {"question": "What is there?"}),
    ("POST", "analyze", {"question": "What is there?", "marks": True}),
    ("POST", "execute", {"script": "return document.title"}),
    ("GET", "storage_state", None),
    ("GET", "storage_state?indexed_db=false", None),
    ("GET", "downloads", None),
    ("GET", "downloads/x", None),
]
# What may be read by REST all the same, and has nothing of the page.
OPEN_READS = [
    "/sessions", "/stats", "/metrics", "/recordings", "/rooms/{room}/connections",
    "/sessions/{room}", "/sessions/{room}/recording", "/sessions/{room}/ended",
    "/health", "/jobs", "/connections",
]  # fmt: skip
# By MCP, with what a tool takes beside the room.
MCP_READS = [
    ("get_browser_context", {}),
    ("get_browser_context", {"text": True, "elements": True}),
    ("screenshot", {}),
    ("screenshot", {"marks": True}),
    ("analyze", {"question": "What is there?"}),
    ("tabs", {"operation": "list"}),
    ("wait_for", {"condition": {"text": "hush text"}}),
    ("run_script", {"script": "return document.title"}),
    ("interact", {"action": "click", "selector": "p"}),
    ("execute_action", {"action_type": "wait", "params": {"for": {"text": "hush"}}}),
]
# And by gRPC.
GRPC_READS = [
    ("GetBrowserContext", {}),
    ("GetBrowserContext", {"text": True}),
    ("TakeScreenshot", {}),
    ("Analyze", {"question": "What is there?"}),
    ("ListDownloads", {}),
    ("GetStorageState", {}),
    ("ExecuteScript", {"script": "return document.title"}),
]
# All that acts or waits, which is an action that fails.
ACTS = [
    ("actions", {"action_type": "wait", "params": {"seconds": 0.1}}),
    ("actions", {"action_type": "wait", "params": {"for": {"text": "hush"}}}),
    ("actions", {"action_type": "clipboard_read"}),
    ("actions", {"action_type": "click", "params": {"x": 30, "y": 30}}),
    ("navigate", {"url": "about:blank"}),
    ("wait", {"text": "hush", "timeout_ms": 500}),
    ("wait", {"selector": "p", "timeout_ms": 500}),
    ("interact", {"action": "click", "selector": "p"}),
]
# What the agent may do all the same, but not by asking whether the page is a certain one.
EXPECTING = [
    {"action_type": "request_human", "params": {"reason": "And then?"}, "expects": {"url": "http://h/", "tab": 9}},
    {"action_type": "request_human", "params": {"reason": "And then?"}, "expects": {"tab": 1}},
    {"action_type": "withdraw_request", "expects": {"document": 0}},
]


def place(web, name, body):
    """A page of the test's web server."""
    web.files[f"/{name}"] = body
    return web.url(f"/{name}")


@pytest.fixture
def pages(web):
    """The page that everybody may see, and the one that a person is by themselves on."""
    return place(web, "open.html", OPEN), place(web, "hush.html", PRIVATE)


def link(api, room, **order):
    """The token of a link to a session."""
    made = api.request("POST", f"/sessions/{room}/takeover", json=order)
    assert made.status_code == 201, made.text
    return made.json()["url"].rsplit("/", 1)[1]


def shows(viewer, colour):
    """Whether what a viewer sees has this colour, away from all words."""
    picture = viewer.picture()
    return picture is not None and colour_distance(colour_at(picture, 1100, 650), colour) < NEAR


def sees(viewer, colour, within=6):
    """Waits until it does."""
    wait_for(lambda: shows(viewer, colour), within, f"{colour} is seen")


def test_the_picture_is_the_drivers_alone(ghostcast_bin, tmp_path, chromium, web, pages):
    """Decoded pictures: a viewer, one who comes late and the film see a card; the driver sees the page."""
    env = {"GHOSTCAST_RECORDING__DIRECTORY": str(tmp_path)}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        with api.session("alone", initial_url=pages[0]) as room:
            other = WhepViewer(chromium, web, api, room)
            sees(other, RED)
            ada = Person(api, room, token=link(api, room, private=True, name="Ada"))
            own = WhepViewer(chromium, web, api, room, seat=ada.state["seat"])
            sees(own, RED)
            started = api.request("POST", f"/sessions/{room}/recording").json()
            time.sleep(1)
            ada.take()
            assert ada.state["control"]["private"]
            sees(other, CARD)
            ada.click(40, 40)
            sees(own, BLUE)
            ada.hear(lambda: ada.state["url"] == pages[1] and SECRET in ada.state["title"])
            late = WhepViewer(chromium, web, api, room)
            sees(late, CARD)
            before = other.frame_count()
            for _ in range(10):
                assert shows(other, CARD) and shows(late, CARD) and shows(own, BLUE)
                time.sleep(0.1)
            # It stands still, and goes on all the same.
            wait_for(lambda: other.frame_count() > before, 6, "another picture of the card")
            guess = WhepViewer(chromium, web, api, room, seat="seat_guess")
            sees(guess, CARD)
            ada.say("hand_back", done=True)
            ada.hear(lambda: ada.state["control"]["owner"] == "agent")
            for viewer in (other, late, own, guess):
                sees(viewer, BLUE)
                viewer.close()
            time.sleep(0.5)
            stopped = api.request("DELETE", f"/sessions/{room}/recording").json()
            assert stopped["state"] == "finished", (started, stopped)
    film = Film(tmp_path / stopped["file"])
    seen = []
    for picture in film.decode(grey=False):
        colour = colour_at(picture, 1100, 650)
        name = min((RED, BLUE, CARD), key=lambda one: colour_distance(one, colour))
        if not seen or seen[-1] != name:
            seen.append(name)
    assert seen == [RED, CARD, BLUE], seen
    titles = [title for _, title in film.chapters()]
    assert "A person is driving privately" in titles, titles
    there = titles.index("A person is driving privately")
    assert not any(SECRET in title for title in titles[: there + 1]) and SECRET in titles[-1], titles


def test_nothing_is_told_by_any_door(ghostcast_bin, pages):
    """Reading is refused as such; record, events, sockets, results and the log have nothing of the page."""
    # A model that nobody gets to ask.
    model = {"GHOSTCAST_VISION__URL": "http://127.0.0.1:9/v1", "GHOSTCAST_VISION__MODEL": "seer"}
    with running_service(ghostcast_bin, env=model) as service:
        api = service.api
        with api.session("quiet", initial_url=pages[0]) as room, api.events(room, types=["all"]) as events:
            bob = Person(api, room)
            waiting = api.submit(room, "wait", **{"for": {"text": "hush text"}, "timeout_ms": 20000})
            ada = Person(api, room, token=link(api, room, private=True, name="Ada"))
            ada.take()
            told = heard(events, "taken")
            assert told["private"] and told["who"] == "Ada", told
            ada.click(40, 40)
            ada.hear(lambda: ada.state["url"] == pages[1])
            bob.hear(lambda: bob.state["control"]["private"])
            # The page tells of itself by now.
            time.sleep(1.5)
            said = []
            for method, path, body in READS:
                answer = api.request(method, f"/sessions/{room}/{path}", json=body)
                error = assert_envelope(answer, 409, "human_in_control")
                assert "privately" in error["message"] or "has taken the wheel" in error["message"], error
                said.append(answer.text)
            for path, body in ACTS:
                answer = api.request("POST", f"/sessions/{room}/{path}", json=body)
                assert "human_in_control" in answer.text, (path, body, answer.text)
                said.append(answer.text)
            for action in EXPECTING:
                answer = api.request("POST", f"/sessions/{room}/actions", json=action)
                assert answer.json()["error_kind"] == "human_in_control", answer.text
                said.append(answer.text)
            ended = api.wait_action(room, waiting["action_id"], "done")
            assert ended["result"]["error_kind"] == "human_in_control", ended
            record = api.record(room)
            assert record["current_url"] == pages[0] and record["title"] == "open", record
            assert record["control"]["private"] and record["control"]["who"] == "Ada"
            said += [ended, record, bob.state, events.events]
            for path in OPEN_READS:
                answer = api.request("GET", path.format(room=room))
                assert answer.status_code in (200, 404), (path, answer.text)
                said.append(answer.text)
            said.append(api.request("GET", f"/sessions/{room}/actions/{waiting['action_id']}").text)
            mcp = McpClient(http_server(service, "?extended=true"), "auto")
            for tool, arguments in MCP_READS:
                told = str(mcp.fail(tool, room_name=room, **arguments))
                assert "human_in_control" in told or "privately" in told, (tool, told)
                said.append(told)
            mcp.close()
            with GrpcClient(service) as client:
                for method, arguments in GRPC_READS:
                    told = str(client.refusal(method, room_name=room, **arguments))
                    assert "privately" in told or "has taken the wheel" in told, (method, told)
                    said.append(told)
                said += [client.call("GetSession", room_name=room), client.call("ListSessions")]
            with api.events(room, types=["all"], since=0) as replayed:
                replayed.wait("control", accept=lambda event: event["cause"] == "taken")
                said.append(replayed.events)
            # What they ask of the page is in what was asked; what it says is nowhere.
            for words in said:
                text = words if isinstance(words, str) else json.dumps(words)
                for secret in ("hush title", "hush console", "hush again", pages[1]):
                    assert secret not in text, text
            assert pages[1] not in service.log() and "hush title" not in service.log()
            assert api.act(room, "request_human", reason="And then?")["success"]
            assert api.act(room, "withdraw_request")["success"]
            # What they copy is theirs.
            ada.say("key", down=True, key="a", modifiers=2)
            ada.say("key", down=False, key="a", modifiers=2)
            ada.say("copy")
            ada.hear(lambda: ada.errors)
            assert "hush text" in ada.errors.pop()["text"]
            count = len(events.events)
            ada.say("hand_back", done=True)
            events.wait("page_navigation", accept=lambda event: event["url"] == pages[1])
            between = [event["type"] for event in events.events[:count]]
            assert "console" not in between and "dom_change" not in between, between
            assert api.record(room)["current_url"] == pages[1]
            assert api.do(room, "clipboard_read")["data"]["text"] is None
            wait_for(lambda: SECRET in api.record(room)["title"], 3, "the title")
            assert "hush text" in api.get(f"/sessions/{room}/context", params={"text": "true"}).json()["text"]
            assert api.get(f"/sessions/{room}/screenshot").content[:4] == b"\x89PNG"
            events.wait("console")


def test_who_drives_privately(api, pages):
    """By a private link, or for a private request; by another's force too; and no longer than a person drives."""
    with api.session(initial_url=pages[0]) as room, api.events(room, types=["control"]) as events:
        asked = api.act(room, "request_human", reason="Log in.", private=True)
        assert api.record(room)["control"]["request"]["private"]
        assert not api.record(room)["control"]["private"]
        # Whoever comes while it is open: the dashboard's person too.
        bob = Person(api, room)
        bob.take()
        assert bob.state["control"]["private"] and heard(events, "taken")["private"]
        bob.say("hand_back", done=False)
        bob.hear(lambda: bob.state["control"]["owner"] == "agent")
        assert "private" not in heard(events, "declined")
        token = asked["data"]["takeover_url"].rsplit("/", 1)[1]
        assert api.request("POST", "/takeover", json={"token": token}).status_code == 401
        bob.take()
        assert not bob.state["control"]["private"]
        assert api.get(f"/sessions/{room}/context").status_code == 200
        ada = Person(api, room, token=link(api, room, private=True))
        ada.take(force=True)
        assert ada.state["control"]["private"]
        bob.hear(lambda: not bob.state["yours"])
        # What she has typed is in the page still.
        bob.take(force=True)
        assert bob.state["control"]["private"]
        assert_envelope(api.request("GET", f"/sessions/{room}/context"), 409, "human_in_control")
        bob.say("hand_back", done=True)
        bob.hear(lambda: not bob.state["control"]["private"])
        assert api.get(f"/sessions/{room}/context").status_code == 200
        ada.take()
        ada.socket.close()
        wait_for(lambda: api.record(room)["control"]["owner"] == "agent", 15, "she is gone")
        assert not api.record(room)["control"]["private"]


def test_the_room_sees_a_card(api, livekit_server, subscribe, pages):
    """A participant of the LiveKit room sees no page, and its address in no attribute; afterwards both."""
    with (
        api.session(initial_url=pages[0]) as room,
        subscribe(room) as viewer,
        Participant(livekit_server, room, "bob") as bob,
    ):
        sees(viewer, RED, 15)
        ada = Person(api, room, token=link(api, room, private=True))
        ada.take()
        sees(viewer, CARD)
        ada.click(40, 40)
        ada.hear(lambda: ada.state["url"] == pages[1])
        for _ in range(10):
            assert shows(viewer, CARD) and bob.attributes()["browser.url"] == pages[0]
            time.sleep(0.1)
        assert bob.attributes()["browser.control"] == "human"
        ada.say("hand_back", done=True)
        sees(viewer, BLUE)
        wait_for(lambda: bob.attributes()["browser.url"] == pages[1], 5, "the address")
        told = [one["attributes"] for one in bob.of("browser")]
        first = next(one for one in told if one.get("browser.url") == pages[1])
        assert first["browser.control"] == "agent", told


@pytest.mark.parametrize("when", ["meanwhile", "after"])
def test_the_page_is_seen_again_in_another_browser(house, chromium, web, pages, when):
    """The browser is lost while somebody drives privately, and given back while another is started or later."""
    service = house()
    api = service.api
    start(api, "lost", initial_url=pages[0])
    ada = Person(api, "lost", token=link(api, "lost", private=True))
    seat = ada.state["seat"]
    other, own = WhepViewer(chromium, web, api, "lost"), WhepViewer(chromium, web, api, "lost", seat=seat)
    for viewer in (other, own):
        sees(viewer, RED)
    ada.take()
    sees(other, CARD)
    ada.click(40, 40)
    sees(own, BLUE)
    os.kill(browser_of(service, "lost"), signal.SIGKILL)
    if when == "meanwhile":
        ada.say("hand_back", done=True)
    else:
        # Until it is known that the browser is lost, all is as it was.
        with pytest.raises(ConnectionClosed):
            ada.hear(lambda: False, 15)
        api.wait_record("lost", lambda record: record["state"] == "live", 15, "it is back")
        ada = Person(api, "lost", token=ada.token, seat=seat)
        assert ada.state["control"]["private"], ada.state
        wait_for(lambda: ada.hear(lambda: True) and ada.state["yours"], 5, "it is theirs still")
        sees(own, RED)
        assert shows(other, CARD) and api.record("lost")["current_url"] == pages[0]
        ada.say("hand_back", done=True)
    api.wait_record("lost", lambda record: record["control"]["owner"] == "agent", 15, "it is given back")
    api.wait_record("lost", lambda record: record["state"] == "live", 15, "it is back")
    for viewer in (other, own):
        sees(viewer, RED, 10)
        viewer.close()
    late = WhepViewer(chromium, web, api, "lost")
    sees(late, RED)
    late.close()
    assert api.get("/sessions/lost/context").status_code == 200


def test_copying_is_driving(api, pages):
    """Who copies does not idle, and what comes after the wheel is lost is told to nobody."""
    with api.session(initial_url=pages[1]) as room:
        ada, bob = Person(api, room, token=link(api, room, private=True)), Person(api, room)
        bob.say("copy")
        assert bob.refused()["kind"] == "conflict"
        ada.take()
        # Nothing is selected, so it takes its time; the wheel is taken meanwhile.
        ada.say("copy")
        time.sleep(0.2)
        bob.take(force=True)
        ada.hear(lambda: ada.errors)
        answer = ada.errors.pop(0)
        assert answer["type"] == "error" and answer["kind"] == "conflict", answer


def test_nobody_drives_privately_from_the_room(api, livekit_server, pages):
    """While a person drives privately, or is asked to, the room takes no wheel and is told nothing of the page."""
    with api.session(new_room("quiet"), initial_url=pages[0]) as room:
        bob = Participant(livekit_server, room, "bob", role="controller")

        def refused(method, payload=None, code=403):
            with pytest.raises(CallError) as info:
                bob.call(method, payload)
            assert info.value.code == code, info.value
            return info.value.message

        assert api.act(room, "request_human", reason="Log in.", private=True)["success"]
        message = refused("browser/take")
        assert message == "this is driven privately, and the room sees no page. Open the link.", message
        assert api.record(room)["control"]["owner"] == "nobody"
        assert api.act(room, "withdraw_request")["success"]
        ada = Person(api, room, token=link(api, room, private=True, name="Ada"))
        # Who drives already is sent away, and does not come back.
        assert bob.call("browser/take") == {"granted": True}
        ada.take(force=True)
        ada.click(40, 40)
        ada.hear(lambda: ada.state["url"] == pages[1])
        for payload in ({}, {"force": True}):
            assert refused("browser/take", payload) == message
        for method, payload in (("navigate", {"url": pages[1]}), ("refresh", {}), ("send-input", [])):
            refused(f"browser/{method}", payload, 409)
        assert api.record(room)["control"]["who"] == "Ada"
        wait_for(lambda: bob.attributes().get("browser.driver") == "Ada", 5, "the attribute")
        seen = json.dumps(bob.lines)
        assert SECRET not in seen and pages[1] not in seen, seen
        ada.say("hand_back", done=True)
        ada.hear(lambda: ada.state["control"]["owner"] == "agent")
        assert bob.call("browser/take") == {"granted": True}
        answer = bob.call("browser/navigate", {"url": pages[0]})
        assert answer == {"status": "ok", "url": pages[0]}
        bob.leave()


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_the_page_of_who_drives_privately(api, pages, kind):
    """It says so, and has the page's picture, where a watcher's has the card."""
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    options = phone if kind == "phone" else {"viewport": {"width": 1100, "height": 800}}
    middle = """() => {
      const canvas = document.createElement('canvas');
      const video = document.getElementById('video');
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      const ink = canvas.getContext('2d');
      ink.drawImage(video, 0, 0);
      return [...ink.getImageData(1100, 650, 1, 1).data].slice(0, 3);
    }"""

    def has(person, colour):
        return wait_for(
            lambda: colour_distance(person.evaluate(middle), colour) < NEAR, 8, f"{colour} is seen")  # fmt: skip

    with api.session(initial_url=pages[0]) as room, browser_context(**options) as context:
        own, other = context.new_page(), context.new_page()
        own.goto(api.act(room, "request_human", reason="Log in.", private=True)["data"]["takeover_url"])
        other.goto(f"{api.base}/takeover/{link(api, room, role='watch')}")
        for person in (own, other):
            person.bring_to_front()
            person.wait_for_selector("#screen[data-picture=true]", timeout=8000)
            has(person, RED)
        own.bring_to_front()
        own.click("#take")
        own.wait_for_selector("#who:text-is('You drive privately')")
        has(own, RED)
        other.bring_to_front()
        other.wait_for_selector("#who:text-is('somebody drives privately')")
        has(other, CARD)
        own.bring_to_front()
        own.click("#done")
        other.bring_to_front()
        has(other, RED)
