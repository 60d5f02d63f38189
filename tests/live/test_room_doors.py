"""People drive the browser from inside the LiveKit room, by official clients."""

import json
import os
import signal
import statistics
import time

import pytest
from livekit import api as livekit_api

from support.api import assert_envelope, new_room
from support.cdp import Tab
from support.kept import browser_of, start
from support.livekit_server import API_KEY, API_SECRET
from support.participant import CallError, Participant, token
from support.viewers import load_client
from support.wait import holds_for, wait_for

PAGE = b"""<!doctype html><title>form</title><style>body { margin: 0; height: 3000px }
  * { position: absolute; font: 16px sans-serif }</style>
<button id=press style="left:20px;top:20px;width:120px;height:40px">Press</button>
<input id=field style="left:20px;top:80px;width:200px;height:30px">
<p id=said style="left:20px;top:130px"></p>
<script>
  const log = [];
  const say = (what) => { log.push(what); document.getElementById('said').textContent = log.join(' '); };
  document.getElementById('press').onclick = () => say('click');
  document.addEventListener('contextmenu', (event) => { event.preventDefault(); say('menu'); });
  document.addEventListener('mousemove', (event) => { if (event.buttons) say('drag'); });
  addEventListener('scroll', () => say('scroll'), { once: true });
</script>"""
SECOND = b"<!doctype html><title>second</title><p>second</p>"
CALLS = {
    "browser/take": {},
    "browser/release": {},
    "browser/request-focus": {},
    "browser/release-focus": {},
    "browser/navigate": {"url": "about:blank"},
    "browser/go-back": {},
    "browser/go-forward": {},
    "browser/refresh": {},
    "browser/send-input": [],
}
SHIFT, CONTROL = 2, 4


@pytest.fixture
def page(web):
    """A page that says what is done to it."""
    web.files["/room.html"] = PAGE
    web.files["/second.html"] = SECOND
    return web.url("/room.html")


@pytest.fixture
def join(livekit_server):
    """Makes participants of rooms."""
    there = []

    def make(room, identity="ada", **more):
        there.append(Participant(livekit_server, room, identity, **more))
        return there[-1]

    yield make
    for participant in there:
        participant.leave()


def said(api, room):
    """What the page says was done to it."""
    return api.get(f"/sessions/{room}/context", params={"text": "true"}).json()["text"].strip()


def of_page(api, room, script):
    """What a script in the page says, while the agent has the wheel."""
    return api.request("POST", f"/sessions/{room}/execute", json={"script": script}).json()["result"]


def click(x, y):
    """A press of the left button, in our own words."""
    at = {"x": x, "y": y}
    return [{"type": "move", **at}, {"type": "down", **at}, {"type": "up", **at}]


def plugin_click(x, y, button=0):
    """The same in the words of LiveKit's browser plugin."""
    at = {"x": x, "y": y}
    return [
        {"type": "mousemove", **at},
        {"type": "mousedown", **at, "button": button},
        {"type": "mouseup", **at, "button": button},
    ]


def plugin_key(key_code, char_code=None, modifiers=0):
    """A key in the plugin's words."""
    key = {"keyCode": key_code, "modifiers": modifiers}
    char = [{"type": "char", **key, "charCode": char_code}] if char_code else []
    return [{"type": "keydown", **key}, *char, {"type": "keyup", **key}]


def refused(call, code):
    """What a call is refused with."""
    with pytest.raises(CallError) as info:
        call()
    assert info.value.code == code, info.value
    return info.value.message


def lost(events, cause, within):
    """The event that says that the wheel is lost."""
    return events.wait("control", within, accept=lambda event: event["cause"] == cause)


def heard(api, outcome):
    """How many messages from rooms have had this outcome."""
    for line in api.get("/metrics").text.splitlines():
        if line.startswith(f'ghostcast_room_messages_total{{outcome="{outcome}"}}'):
            return float(line.rsplit(" ", 1)[1])
    return 0


def test_a_participant_drives(api, page, join, ghostcast):
    """Take, press, type, navigate, back, forward, refresh, release; the agent is refused meanwhile, and told."""
    with api.session(new_room("door"), initial_url=page) as room, api.events(room, types=["all"]) as events:
        ada = join(room, role="controller", name="Ada L.")
        assert ada.call("browser/take") == {"granted": True}
        assert ada.call("browser/take", "") == {"granted": True}, "it is theirs already"
        told = events.wait("control", 5, accept=lambda event: event["cause"] == "taken")
        assert (told["owner"], told["who"]) == ("human", "Ada L. (ada)"), told
        control = api.record(room)["control"]
        assert (control["owner"], control["who"]) == ("human", "Ada L. (ada)"), control
        wait_for(lambda: ada.attributes().get("browser.driver") == "Ada L. (ada)", 5, "the attribute")
        assert ada.attributes()["browser.control"] == "human"
        focus = wait_for(lambda: ada.told("browser-focus"), 5, "the room is told")
        assert focus == [{"identity": "ada", "who": "Ada L. (ada)"}]
        result = api.act(room, "click", x=40, y=40)
        assert result["error_kind"] == "human_in_control" and "Ada L. (ada)" in result["error"], result
        ada.send(click(60, 40), reliable=False)
        wait_for(lambda: "click" in said(api, room), 5, "the press")
        ada.send(click(60, 95))
        for key in "Hi":
            ada.send([{"type": "key", "down": True, "key": key}, {"type": "key", "down": False, "key": key}])
        ada.send({"type": "text", "text": " hunter-two"})
        done = ada.call("browser/send-input", {"type": "wheel", "x": 300, "y": 300, "dy": 300})
        assert done == {"status": "ok", "done": 1}
        wait_for(lambda: "scroll" in said(api, room), 5, "the wheel")

        second = page.replace("room.html", "second.html")
        answer = ada.call("browser/navigate", {"url": second})
        assert answer == {"status": "ok", "url": second}
        assert ada.call("browser/go-back")["url"] == page
        assert ada.call("browser/go-forward")["url"] == second
        assert api.record(room)["current_url"] == second
        wait_for(lambda: {"url": second} in ada.told("browser-url"), 5, "the room is told of the page")
        before = ada.call("browser/refresh")
        assert before["status"] == "ok"
        message = refused(lambda: ada.call("browser/go-forward"), 1500)
        assert "forward" in message.lower() or "history" in message.lower(), message
        message = refused(lambda: ada.call("browser/navigate", {"url": "http://127.0.0.1:1/"}), 1500)
        assert "127.0.0.1:1" in message, message
        refused(lambda: ada.call("browser/navigate", {}), 400)
        refused(lambda: ada.call("browser/navigate", "no json"), 400)
        refused(lambda: ada.call("browser/unknown"), 1400)
        answer = ada.call("browser/navigate", {"url": page}, timeout=200)
        assert answer == {"status": "ok", "url": page}, "one who waits for longer than a page may take"
        assert ada.call("browser/release") == {"released": True}
        assert ada.call("browser/release") == {"released": False}
        assert lost(events, "done", 5)["owner"] == "agent"
        wait_for(lambda: "browser.driver" not in ada.attributes(), 5, "nobody drives")
        assert ada.told("browser-focus")[-1] == {"identity": None, "who": None}
        assert api.act(room, "navigate", url=page)["success"]
        ends = events.of("action_completed") + events.of("action_failed")
        assert "hunter-two" not in json.dumps([ends, api.record(room)])
    assert "hunter-two" not in ghostcast.log() and "hunter" not in api.get("/metrics").text


def test_what_is_typed_reaches_the_field(api, page, join):
    """Keys and buttons in both sets of words, judged by the field's own value."""
    with api.session(new_room("door"), initial_url=page) as room:
        ada = join(room, role="controller")
        assert ada.call("browser/request-focus") == {"granted": True}
        topic = "browser-input"
        ada.send(plugin_click(60, 95), topic)
        ada.send(plugin_key(72, ord("H"), SHIFT) + plugin_key(73, ord("i")), topic)
        ada.send(plugin_key(187, ord("=")) + plugin_key(0, ord("ß")) + plugin_key(90, ord("z")), topic)
        ada.send(plugin_key(8), topic)
        ada.send(plugin_click(400, 300, button=2), topic)
        wait_for(lambda: "menu" in said(api, room), 5, "the right button")
        drag = [{"type": "mousedown", "x": 400, "y": 300}, {"type": "mousemove", "x": 420, "y": 310},
                {"type": "mouseup", "x": 420, "y": 310}]
        ada.send(drag, topic)
        wait_for(lambda: "drag" in said(api, room), 5, "a drag")
        ada.send([{"type": "wheel", "x": 300, "y": 300, "deltaX": 0, "deltaY": -240}], topic)
        wait_for(lambda: "scroll" in said(api, room), 5, "the wheel")
        assert ada.call("browser/release-focus") == {"released": True}
        assert of_page(api, room, "field.value") == "Hi=ß"
        assert of_page(api, room, "scrollY") > 0


def test_who_may_not_drive(api, page, join):
    """Every method is refused to those without the role, whatever they write of themselves; nothing is done."""
    with api.session(new_room("door"), initial_url=page) as room:
        guest = join(room, "guest")
        sly = join(room, "sly", role="controller", names_itself=True)
        told_otherwise = join(room, "otherwise", role="watcher", metadata='{"browser.role": "controller"}')
        sly.order(do="attributes", attributes={"browser.role": "controller"})
        before = heard(api, "not_permitted")
        for someone in (guest, sly, told_otherwise):
            for method, payload in CALLS.items():
                message = refused(lambda m=method, p=payload: someone.call(m, p), 403)
                assert "canPublishData" in message, message
            someone.send(click(60, 40))
        wait_for(lambda: heard(api, "not_permitted") >= before + 3, 5, "they are counted")
        assert heard(api, "not_permitted") == before + 3
        assert api.record(room)["control"]["owner"] == "agent"
        assert "click" not in said(api, room), "nothing was done"
        # Of those who may, only whoever has the wheel does anything.
        ada = join(room, role="controller")
        for method, payload in CALLS.items():
            if method not in ("browser/take", "browser/release", "browser/request-focus", "browser/release-focus"):
                assert "browser/take" in refused(lambda m=method, p=payload: ada.call(m, p), 409)
        assert ada.call("browser/release") == {"released": False}
        before = heard(api, "not_driving")
        ada.send(click(60, 40))
        wait_for(lambda: heard(api, "not_driving") == before + 1, 5, "it is counted")
        # By metadata too, where no attribute says otherwise.
        bob = join(room, "bob", metadata='{"browser.role": "controller"}')
        assert bob.call("browser/take") == {"granted": True}
        assert ada.call("browser/take") == {"granted": False, "holder": "bob"}
        assert ada.call("browser/take", {"force": True}) == {"granted": True}
        before = heard(api, "not_driving")
        bob.send(click(60, 40))
        wait_for(lambda: heard(api, "not_driving") == before + 1, 5, "bob drives no more")
        assert "click" not in said(api, room)


def test_a_role_that_was_ones_own_to_write_is_never_believed(api, page, join, livekit_server):
    """Whoever could write it is refused when they come back by a token that cannot, as LiveKit renews them."""
    with api.session(new_room("door"), initial_url=page) as room:
        sly = join(room, "sly", names_itself=True)
        sly.order(do="attributes", attributes={"browser.role": "controller"})
        refused(lambda: sly.call("browser/take"), 403)
        may = livekit_api.ParticipantPermission(can_subscribe=True, can_publish_data=True)
        update(livekit_server, room, "sly", permission=may)
        holds_for(lambda: refused(lambda: sly.call("browser/take"), 403), 4, "it was theirs to write")
        sly.leave()
        sly = join(room, "sly", role="controller")
        refused(lambda: sly.call("browser/take"), 403)
        assert join(room, "ada", role="controller").call("browser/take") == {"granted": True}
        assert api.request("PUT", f"/sessions/{room}/drivers/sly").status_code == 204
        assert sly.call("browser/take", {"force": True}) == {"granted": True}


def test_what_is_done_is_done_in_order(api, page, join):
    """All that a driver has sent is done before what they call next, the wheel's return included."""
    with api.session(new_room("door"), initial_url=page) as room:
        ada = join(room, role="controller")
        ada.call("browser/take")
        ada.send(click(60, 95))
        typed = "".join(chr(ord("a") + i % 26) for i in range(120))
        for key in typed:
            ada.send([{"type": "key", "down": True, "key": key}, {"type": "key", "down": False, "key": key}])
        assert ada.call("browser/release") == {"released": True}
        assert of_page(api, room, "field.value") == typed


def test_what_a_page_asks_is_answered_elsewhere(api, page, join):
    """Answers to dialogs and lists are refused from the room, in a call and as data."""
    with api.session(new_room("door"), initial_url=page) as room:
        ada = join(room, role="controller")
        ada.call("browser/take")
        for answer in ({"type": "dialog", "number": 1, "accept": True}, {"type": "choose", "number": 1, "index": 0}):
            assert "takeover" in refused(lambda what=answer: ada.call("browser/send-input", what), 403)
            before = heard(api, "not_permitted")
            ada.send([answer])
            wait_for(lambda seen=before: heard(api, "not_permitted") == seen + 1, 5, "it is counted")


def test_what_one_driver_holds_is_not_the_next_ones(api, page, join):
    """Shift and a button that are held are let go of before the next driver's first key, and the page says so."""
    with api.session(new_room("door"), initial_url=page) as room:
        of_page(api, room, """(window.keys = [], ['keydown', 'keyup', 'mousedown', 'mouseup'].forEach((kind) =>
            addEventListener(kind, (event) => keys.push(kind + ' ' + (event.key ?? event.button)), true)), 0)""")
        ada, bob = join(room, role="controller"), join(room, "bob", role="controller")
        for _ in range(5):
            ada.call("browser/take", {"force": True})
            ada.call("browser/send-input", [
                {"type": "key", "down": True, "key": "Shift"},
                {"type": "down", "x": 400, "y": 300},
            ])
            bob.call("browser/take", {"force": True})
            bob.call("browser/send-input", [{"type": "key", "down": down, "key": "b"} for down in (True, False)])
        assert bob.call("browser/release") == {"released": True}
        once = ["keydown Shift", "mousedown 0", "keyup Shift", "mouseup 0", "keydown b", "keyup b"]
        assert of_page(api, room, "keys") == once * 5


def test_one_without_the_right_to_send_is_not_heard(api, page, join):
    """Whoever was let drive by name needs canPublishData all the same: the server hands on nothing of theirs."""
    with api.session(new_room("door"), initial_url=page) as room:
        mute = join(room, "mute", role="controller", sends=False)
        assert api.request("PUT", f"/sessions/{room}/drivers/mute").status_code == 204
        call = mute.begin("browser/take")
        holds_for(lambda: api.record(room)["control"]["owner"] == "agent", 3, "the agent drives")
        with pytest.raises((CallError, AssertionError)):
            call(within=8)


def test_let_drive_by_name(api, page, join):
    """An application lets a participant drive and takes it back: the wheel is lost at once."""
    with api.session(new_room("door"), initial_url=page) as room, api.events(room, types=["all"]) as events:
        guest = join(room, "guest/1")
        refused(lambda: guest.call("browser/take"), 403)
        path = f"/sessions/{room}/drivers/guest%2F1"
        assert_envelope(api.request("DELETE", path), 404, "not_found")
        for _ in range(2):
            assert api.request("PUT", path).status_code == 204
        assert guest.call("browser/take") == {"granted": True}
        guest.send(click(60, 40))
        wait_for(lambda: "click" in said(api, room), 5, "the press")
        assert api.request("DELETE", path).status_code == 204
        assert lost(events, "gone", 2)["who"] == "guest/1"
        refused(lambda: guest.call("browser/take"), 403)
        refused(lambda: guest.call("browser/navigate", {"url": page}), 403)
        too_long = "x" * 257
        assert_envelope(api.request("PUT", f"/sessions/{room}/drivers/{too_long}"), 400, "invalid_input")


def test_there_is_nobody_to_let_in_without_a_room(lone_api, page):
    """A session that is in no LiveKit room says so, and by which way people come to it."""
    with lone_api.session(new_room("door"), initial_url=page) as room:
        answer = lone_api.request("PUT", f"/sessions/{room}/drivers/ada")
        assert_envelope(answer, 409, "conflict")
        assert "takeover" in answer.text


def update(server, room, identity, **facts):
    """Changes a participant, as an application's back end does."""

    async def change(service):
        await service.update_participant(
            livekit_api.UpdateParticipantRequest(room=room, identity=identity, **facts)
        )

    server.administer(change)


@pytest.mark.parametrize("what", ["role", "right"])
def test_a_right_that_is_taken_away(api, page, join, livekit_server, what):
    """A driver whose role or permission is taken away loses the wheel."""
    with api.session(new_room("door"), initial_url=page) as room, api.events(room, types=["all"]) as events:
        ada = join(room, role="controller")
        assert ada.call("browser/take") == {"granted": True}
        if what == "role":
            update(livekit_server, room, "ada", attributes={"browser.role": "watcher"})
        else:
            may = livekit_api.ParticipantPermission(can_subscribe=True, can_publish_data=False)
            update(livekit_server, room, "ada", permission=may)
        # A server tells of those who publish nothing every three seconds.
        lost(events, "gone", 15)
        assert api.record(room)["control"]["owner"] == "agent"


def test_whoever_leaves_loses_the_wheel(api, page, join):
    """Whoever leaves has ten seconds to come back, and finds the wheel theirs; then it is the agent's."""
    with api.session(new_room("door"), initial_url=page) as room, api.events(room, types=["all"]) as events:
        ada = join(room, role="controller")
        assert ada.call("browser/take") == {"granted": True}
        ada.leave()
        again = join(room, role="controller")
        assert again.call("browser/send-input", click(60, 40))["done"] == 3
        wait_for(lambda: "click" in said(api, room), 5, "the press")
        again.leave()
        told = lost(events, "gone", 20)
        assert (told["owner"], told["who"]) == ("agent", "ada"), told
        assert api.act(room, "click", x=60, y=40)["success"]
        bob = join(room, "bob")
        assert "browser.driver" not in bob.attributes()


@pytest.mark.alone
def test_the_driver_of_a_kept_session_outlives_its_browser(house, web, page, livekit_server, join):
    """The browser is killed under the driver: the next one is driven by them, and nothing is taken again."""
    service = house(**livekit_server.env())
    room, name = new_room("kept-door"), "driven"
    start(service.api, name, room_name=room, initial_url=page)
    ada = join(room, role="controller")
    assert ada.call("browser/take") == {"granted": True}
    os.kill(browser_of(service, name), signal.SIGKILL)
    wait_for(lambda: service.api.record(name)["state"] != "live", 5, "it is lost")
    wait_for(lambda: "Press" in said(service.api, name), 15, "it is back", tolerate=KeyError)
    assert service.api.record(name)["control"]["who"] == "ada"

    def pressed():
        ada.call("browser/send-input", click(60, 40))
        return "click" in said(service.api, name)

    wait_for(pressed, 5, "it is driven", tolerate=CallError)
    assert ada.call("browser/release") == {"released": True}
    ada.leave()
    assert not service.stop()


def test_calls_are_answered_at_once(api, page, join):
    """An answer is there within a few milliseconds of work; the bound is generous to a busy machine."""
    with api.session(new_room("door"), initial_url=page) as room:
        ada = join(room, role="controller")
        ada.call("browser/take")
        took = []
        for _ in range(30):
            began = time.monotonic()
            ada.call("browser/send-input", [{"type": "move", "x": 5, "y": 5}])
            took.append(time.monotonic() - began)
        print(f"p50 {statistics.median(took) * 1000:.0f} ms, max {max(took) * 1000:.0f} ms")
        # The client itself is asked for its answer every 50 ms.
        assert statistics.median(took) < 0.15, took


def test_the_fence_holds(api, page, join, other_web):
    """The session's allowlist is for those in the room too, and says so."""
    spec = {"initial_url": page, "allowed_domains": ["127.0.0.1", "localhost"]}
    with api.session(new_room("door"), **spec) as room:
        ada = join(room, role="controller")
        ada.call("browser/take")
        message = refused(lambda: ada.call("browser/navigate", {"url": "https://example.com/"}), 403)
        assert "example.com" in message, message
        refused(lambda: ada.call("browser/navigate", {"url": "file:///etc/passwd"}), 403)
        assert api.record(room)["current_url"] == page


def test_too_much_is_not_heard(api, page, join):
    """What is too large, too fast, or no message at all is counted, and the rest goes on."""
    with api.session(new_room("door"), initial_url=page) as room:
        ada = join(room, role="controller")
        ada.call("browser/take")
        counts = {outcome: heard(api, outcome) for outcome in ("too_large", "malformed", "too_fast")}
        ada.send("x" * 20_000)
        ada.send("no json")
        ada.send([{"type": "move", "x": -1, "y": 0}])
        ada.send([{"type": "back"}] * 65)
        wait_for(lambda: heard(api, "too_large") == counts["too_large"] + 1, 10, "too large")
        wait_for(lambda: heard(api, "malformed") == counts["malformed"] + 3, 10, "malformed")

        # However slowly a busy machine brings them: what is sent in the meantime adds to it.
        def is_too_fast():
            ada.send([{"type": "move", "x": 1, "y": 1}], times=900)
            time.sleep(1)
            return heard(api, "too_fast") > counts["too_fast"]

        wait_for(is_too_fast, 20, "too fast")
        ada.send(click(60, 40), topic="something.else")
        wait_for(lambda: ada.call("browser/send-input", click(60, 40)), 10, "goes on", tolerate=CallError)
        wait_for(lambda: said(api, room).count("click") == 1, 5, "one press")


JS_DRIVE = """
(async () => {
  const room = window.room = new LivekitClient.Room();
  window.told = [];
  room.on('dataReceived', (data, _from, _kind, topic) =>
    window.told.push([topic, JSON.parse(new TextDecoder().decode(data))]));
  await room.connect(%s, %s);
  const browser = [...room.remoteParticipants.values()].find((it) => it.attributes['lk.publish_on_behalf']);
  window.call = (method, payload) => room.localParticipant.performRpc(
    {destinationIdentity: browser.identity, method, payload: JSON.stringify(payload ?? {})})
    .then(JSON.parse, (error) => ({code: error.code, message: error.message}));
  window.send = (events) => room.localParticipant.publishData(
    new TextEncoder().encode(JSON.stringify(events)), {topic: 'browser.input', reliable: true});
})()
"""


def test_livekit_client_drives(api, page, chromium, web, livekit_server):
    """The official client for browsers does the same in a real Chromium."""
    with api.session(new_room("door"), initial_url=page) as room:
        way_in = token(room, "jane", attributes={"browser.role": "controller"})
        with Tab(chromium, web.url("/blank")) as tab:
            load_client(tab, web)
            tab.evaluate(JS_DRIVE % (json.dumps(livekit_server.url), json.dumps(way_in)))
            assert tab.evaluate("call('browser/take')") == {"granted": True}
            tab.evaluate(f"send({json.dumps(click(60, 40))})")
            wait_for(lambda: "click" in said(api, room), 5, "the press")
            second = page.replace("room.html", "second.html")
            answer = tab.evaluate(f"call('browser/navigate', {json.dumps({'url': second})})")
            assert answer == {"status": "ok", "url": second}
            wait_for(lambda: ["browser-url", {"url": second}] in tab.evaluate("told"), 5, "the room is told")
            assert tab.evaluate("call('browser/nothing')")["code"] == 1400
            assert tab.evaluate("call('browser/release')") == {"released": True}
            assert tab.evaluate("call('browser/refresh')")["code"] == 409


def test_a_callers_own_token(api, page, join, livekit_server):
    """A session that was started with a caller's token, which may subscribe, hears its room as well."""
    room = new_room("own")
    grants = livekit_api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    access = livekit_api.AccessToken(API_KEY, API_SECRET).with_identity("their-browser").with_kind("agent")
    access = access.with_attributes({"lk.publish_on_behalf": "their-browser"})
    spec = {"livekit_url": livekit_server.url, "livekit_token": access.with_grants(grants).to_jwt()}
    with api.session(room, initial_url=page, **spec):
        ada = join(room, role="controller")
        assert ada.browser == "their-browser"
        assert ada.call("browser/take") == {"granted": True}
        ada.send(click(60, 40))
        wait_for(lambda: "click" in said(api, room), 5, "the press")
