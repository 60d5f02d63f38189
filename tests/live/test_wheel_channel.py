"""Driving by the data channel of the picture, and by the socket where there is none."""

import json
import re
import statistics
import time

import pytest

from support.people import Person
from support.playwright_browser import browser_context, spot
from support.viewers import WhepViewer
from support.wait import wait_for

PAGE = b"""<!doctype html><title>channel</title><style>body { margin: 0; height: 3000px; background: #fff }
  body > * { position: absolute; left: 20px; font: 16px sans-serif }</style>
<input id=field style="top:20px;width:600px;height:40px">
<button id=button style="top:100px;width:200px;height:40px" onclick="window.hits = (window.hits || 0) + 1">Press</button>
<script>addEventListener('mousedown', () => {
  document.body.style.background = document.body.style.background === 'black' ? '#fff' : 'black' });
const field = document.getElementById('field');
setInterval(() => { document.title = JSON.stringify({
  hits: window.hits || 0, value: field.value.slice(-60), length: field.value.length, y: scrollY }) }, 50);</script>"""
FIELD, BUTTON = (100, 40), (100, 120)
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1100, "height": 800}}
# Keeps the channels of a person's page, to break them.
KEEP = """const open = RTCPeerConnection.prototype.createDataChannel;
window.channels = [];
RTCPeerConnection.prototype.createDataChannel = function (...how) {
  const channel = open.apply(this, how);
  window.channels.push(channel);
  return channel;
};"""
# No datagram finds a way: as where UDP is closed.
NO_UDP = """const Own = RTCPeerConnection;
window.RTCPeerConnection = function (how) { return new Own({ ...how, iceTransportPolicy: 'relay' }); };"""
BY_CHANNEL = "#screen[data-way=channel]"
BY_SOCKET = "#screen[data-way=socket]"


@pytest.fixture
def page(web):
    """A page that says what was done to it."""
    web.files["/channel.html"] = PAGE
    return web.url("/channel.html")


def said(api, room):
    """What the page says of itself."""
    title = api.record(room)["title"]
    return json.loads(title) if title.startswith("{") else {}


def comes(api, room, within=4, **facts):
    """Waits until the page says so."""
    wait_for(lambda: facts.items() <= said(api, room).items(), within, f"{facts}; it says {said(api, room)}")


def messages(api, way):
    """How many of what people said came by this way, by what became of them."""
    found = re.findall(r"ghostcast_driver_messages_total\{(.*?)\} (\d+)", api.get("/metrics").text)
    labels = [(dict(re.findall(r'(\w+)="(\w+)"', line)), int(count)) for line, count in found]
    return {label["outcome"]: count for label, count in labels if label["way"] == way}


def grown(api, way, before):
    """What came since."""
    return {outcome: count - before[outcome] for outcome, count in messages(api, way).items() if count != before[outcome]}


def open_page(api, room, context, before=KEEP, picture=True):
    """A person's own page, who has the wheel."""
    person = context.new_page()
    person.add_init_script(before)
    person.goto(api.request("POST", f"/sessions/{room}/takeover", json={}).json()["url"])
    if picture:
        person.wait_for_selector("#screen[data-picture=true]", timeout=8000)
    person.click("#take")
    person.wait_for_selector("body[data-yours=true]")
    return person


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_a_person_drives_by_the_channel(lone_api, page, kind):
    """Presses, keys and the wheel come by it, and by the socket when it breaks, each once and in order."""
    api, options = lone_api, PHONE if kind == "phone" else DESKTOP
    with api.session(initial_url=page) as room, browser_context(**options) as context:
        person = open_page(api, room, context)
        person.wait_for_selector(BY_CHANNEL)
        time.sleep(0.5)
        channel, socket = messages(api, "channel"), messages(api, "socket")
        press = person.touchscreen.tap if kind == "phone" else person.mouse.click
        press(*spot(person, *BUTTON))
        comes(api, room, hits=1)
        press(*spot(person, *FIELD))
        person.keyboard.type("by the channel ")
        comes(api, room, value="by the channel ")
        if kind == "desktop":
            person.mouse.move(*spot(person, 600, 400))
            person.mouse.wheel(0, 300)
            wait_for(lambda: said(api, room)["y"] > 0, 3, "the wheel")
            person.mouse.wheel(0, -300)
            comes(api, room, y=0)
        came = grown(api, "channel", channel)
        assert list(came) == ["done"] and came["done"] >= 30, came
        assert grown(api, "socket", socket) == {}
        # It breaks in the middle of a word.
        person.evaluate("void setTimeout(() => channels.at(-1).close(), 150)")
        person.keyboard.type("and the socket, all of it once", delay=10)
        person.wait_for_selector(BY_SOCKET)
        comes(api, room, value="by the channel and the socket, all of it once")
        assert grown(api, "socket", socket)["done"] > 10
        person.click("#done")
        person.wait_for_selector("body[data-yours=false]")
        assert set(grown(api, "socket", socket)) <= {"done", "repeated"}


def test_a_long_text_keeps_its_place(lone_api, page):
    """One that no message of the channel holds goes by the socket, and what follows comes after it."""
    api = lone_api
    with api.session(initial_url=page) as room, browser_context(**DESKTOP) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        person = open_page(api, room, context)
        person.wait_for_selector(BY_CHANNEL)
        person.mouse.click(*spot(person, *FIELD))
        long = "long " * 8000
        person.evaluate("text => navigator.clipboard.writeText(text)", long)
        person.keyboard.type("before ")
        person.click("#paste")
        person.wait_for_timeout(50)
        person.keyboard.type("after")
        comes(api, room, length=len(long) + 12, value=("before " + long)[-55:] + "after")
        person.wait_for_selector(BY_CHANNEL)
        # A page that is loaded again goes on where it was.
        person.reload()
        person.wait_for_selector("body[data-yours=true]", timeout=8000)
        person.wait_for_selector(BY_CHANNEL, timeout=8000)
        channel = messages(api, "channel")
        person.mouse.click(*spot(person, *BUTTON))
        comes(api, room, hits=1)
        assert set(grown(api, "channel", channel)) == {"done"}


def test_without_udp(lone_api, page):
    """Where no datagram passes there is no picture, but the socket carries what is done."""
    api = lone_api
    with api.session(initial_url=page) as room, browser_context(**DESKTOP) as context:
        person = open_page(api, room, context, NO_UDP, picture=False)
        channel = messages(api, "channel")
        person.mouse.click(*spot(person, *FIELD))
        person.keyboard.type("no udp")
        comes(api, room, value="no udp")
        assert grown(api, "channel", channel) == {}


def test_a_channel_that_goes_silent(lone_api, page):
    """A channel that takes everything and brings nothing is left for the socket."""
    api = lone_api
    with api.session(initial_url=page) as room, browser_context(**DESKTOP) as context:
        person = open_page(api, room, context)
        person.wait_for_selector(BY_CHANNEL)
        person.mouse.click(*spot(person, *FIELD))
        person.evaluate("channels.at(-1).send = () => {}")
        person.keyboard.type("said into nothing")
        person.wait_for_selector(BY_SOCKET, timeout=4000)
        comes(api, room, value="said into nothing")


def test_a_channel_is_heard_at_its_seat_alone(lone_api, chromium, web, page):
    """A watcher's is not, nor one of who does not drive; nonsense and floods are counted, and all goes on."""
    api = lone_api
    with api.session(initial_url=page) as room:
        ada, bob = Person(api, room), Person(api, room)
        ada.take()

        def viewer(**sits):
            viewer = WhepViewer(chromium, web, api, room, channel="browser.input", **sits)
            wait_for(lambda: viewer.tab.evaluate("viewer.channel.readyState") == "open", 8, "the channel")
            return viewer

        def say(viewer, *deeds):
            viewer.tab.evaluate(f"for (const deed of {json.dumps(deeds)}) viewer.channel.send(JSON.stringify(deed))")

        press = [{"type": kind, "x": BUTTON[0], "y": BUTTON[1]} for kind in ("move", "down", "up")]

        def counted(viewer, outcome, count):
            before = messages(api, "channel")
            yield viewer
            wait_for(lambda: grown(api, "channel", before).get(outcome, 0) >= count, 5, outcome)
            assert set(grown(api, "channel", before)) == {outcome}, grown(api, "channel", before)

        def each(viewer, outcome, *deeds):
            for one in counted(viewer, outcome, len(deeds)):
                say(one, *deeds)

        own, others = viewer(seat=ada.state["seat"]), viewer(seat=bob.state["seat"])
        watcher, guess = viewer(), viewer(seat="seat_guess")
        each(watcher, "no_seat", *press)
        each(guess, "no_seat", *press)
        each(others, "not_driving", *press)
        assert bob.refused()["kind"] == "conflict"
        comes(api, room, hits=0)
        each(own, "done", *press)
        comes(api, room, hits=1)
        # Whose the wheel is is said by the socket.
        each(own, "malformed", {"type": "hand_back", "done": True}, {"type": "jump"}, [], {"type": "move", "x": -1, "y": 0})
        each(own, "repeated", *({"type": "text", "text": "x", "n": n} for n in (0, 0)))
        for one in counted(own, "malformed", 2):
            one.tab.evaluate("viewer.channel.send('secret'); viewer.channel.send(new Uint8Array([255, 0, 1]))")
        assert all(error["kind"] != "internal" and "secret" not in error["message"] for error in ada.errors)
        for one in counted(own, "too_large", 1):
            one.tab.evaluate("viewer.channel.send('x'.repeat(100000))")
        # As fast as it can: what finds no room is counted, what finds some is done.
        before = messages(api, "channel")
        flood = "for (let i = 0; i < 20000; i++) viewer.channel.send('{\"type\":\"move\",\"x\":1,\"y\":1}')"
        own.tab.evaluate(flood)
        wait_for(lambda: sum(grown(api, "channel", before).values()) >= 20000, 30, "all of them")
        came = grown(api, "channel", before)
        print("a flood:", came)
        assert set(came) <= {"done", "overflow"}, came
        each(own, "done", *press)
        comes(api, room, hits=2)
        ada.say("hand_back", done=True)
        ada.hear(lambda: not ada.state["yours"])
        each(own, "not_driving", *press)
        ada.take()
        # Without the connection of the seat its channel is nobody's.
        ada.socket.close()
        before = messages(api, "channel")

        def silent():
            say(own, *press)
            return grown(api, "channel", before).get("no_seat", 0) > 0

        wait_for(silent, 5, "nobody hears")
        assert api.record(room)["state"] == "live"
        for one in (own, others, watcher, guess):
            one.close()


@pytest.mark.alone
def test_how_fast_a_press_is_seen(lone_api, page):
    """From the press to its picture at the driver, by both ways; printed, and not far apart."""
    api = lone_api
    measure = """async () => {
      const video = document.getElementById('video');
      const ink = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const dark = () => { ink.drawImage(video, 0, 0, 1, 1); return ink.getImageData(0, 0, 1, 1).data[0] < 128; };
      const box = video.getBoundingClientRect();
      const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, pointerId: 1, pointerType: 'mouse',
        bubbles: true, button: 0 };
      const screen = document.getElementById('screen');
      screen.setPointerCapture = () => {};
      const taken = [];
      for (let i = 0; i < 25; i++) {
        const before = dark();
        const begun = performance.now();
        screen.dispatchEvent(new PointerEvent('pointerdown', { ...at, buttons: 1 }));
        screen.dispatchEvent(new PointerEvent('pointerup', { ...at, buttons: 0 }));
        while (dark() === before && performance.now() - begun < 3000)
          await new Promise((done) => video.requestVideoFrameCallback(done));
        taken.push(performance.now() - begun);
        await new Promise((done) => setTimeout(done, 300));
      }
      return taken;
    }"""
    with api.session(initial_url=page) as room, browser_context(**DESKTOP) as context:
        person = open_page(api, room, context)
        person.wait_for_selector(BY_CHANNEL)
        person.wait_for_timeout(1000)
        taken = {"channel": person.evaluate(measure)}
        person.evaluate("channels.at(-1).close()")
        person.wait_for_selector(BY_SOCKET)
        taken["socket"] = person.evaluate(measure)
        middle = {way: statistics.median(of) for way, of in taken.items()}
        print("from the press to its picture, ms:", {way: f"{ms:.0f}" for way, ms in middle.items()})
        assert middle["channel"] < 1.5 * middle["socket"] and max(middle.values()) < 1500, taken
