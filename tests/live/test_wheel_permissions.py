"""What a page asks permission for is asked the person who drives, and answered by the browser itself."""

import json
import time

import pytest

from support.people import Person
from support.playwright_browser import browser_context, spot
from support.wait import wait_for

PAGE = b"""<!doctype html><title>asks</title><style>body { margin: 0 } button { position: absolute; left: 20px;
  width: 300px; height: 40px }</style>
<button style="top:20px" onclick="place()">Place</button>
<button style="top:80px" onclick="notifications()">Notifications</button>
<button style="top:140px" onclick="camera()">Camera</button>
<button style="top:200px" onclick="watch()">Watch</button>
<script>
const told = { asked: 0 };
const NAMES = ['geolocation', 'notifications', 'camera', 'microphone'];
setInterval(async () => {
  told.states = {};
  for (const name of NAMES) told.states[name] = (await navigator.permissions.query({ name })).state;
  document.title = JSON.stringify(told);
}, 100);
function place() {
  told.place = 'asking';
  navigator.geolocation.getCurrentPosition(() => { told.place = 0 }, ({ code }) => { told.place = code }, { timeout: 500 });
}
async function notifications() { told.notifications = 'asking'; told.notifications = await Notification.requestPermission(); }
async function camera() {
  told.camera = await navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'ok', ({ name }) => name);
}
function watch() {
  told.watched = 'asking';
  const seen = (what) => { told.watched = what };
  told.watch = typeof navigator.geolocation.watchPosition(() => seen(0), ({ code }) => seen(code), { timeout: 500 });
  navigator.geolocation.clearWatch(navigator.geolocation.watchPosition(() => { told.cleared = 'called' }, () => { told.cleared = 'called' }));
}
if (location.search === '?now') place();
if (location.search === '?frame') {
  const frame = document.createElement('iframe');
  frame.src = location.href.replace('127.0.0.1', 'localhost').replace('?frame', '?now');
  frame.style.cssText = 'position:absolute;top:300px';
  frame.allow = 'geolocation';
  document.body.append(frame);
}
</script>"""
PLACE, NOTIFICATIONS, CAMERA, WATCH = (100, 40), (100, 100), (100, 160), (100, 220)
REFUSED, NO_PLACE = 1, (2, 3)


@pytest.fixture
def page(web):
    """A page that asks for all there is, and says what came of it."""
    web.files["/asks.html"] = PAGE
    return web.url("/asks.html")


def said(api, room):
    """What the page says of itself."""
    title = api.record(room)["title"]
    return json.loads(title) if title.startswith("{") else {}


def comes(api, room, within=5, **facts):
    """Waits until the page says so."""
    wait_for(lambda: facts.items() <= said(api, room).items(), within, f"{facts}; it says {said(api, room)}")


def asked(person, permission="geolocation"):
    """Waits for the question."""
    person.hear(lambda: person.state["offer"])
    offer = person.state["offer"]
    assert offer["type"] == "permission" and offer["permissions"] == [permission], offer
    return offer


def answer(person, index):
    """Answers it."""
    person.say("choose", number=person.state["offer"]["number"], index=index)
    person.hear(lambda: not person.state["offer"])


def test_the_person_who_drives_is_asked(api, page, web):
    """Held until it is answered; then the browser itself says so to the page, and asks no more."""
    with api.session(initial_url=page) as room, api.events(room, types=["permission"]) as events:
        ada, bob = Person(api, room), Person(api, room)
        ada.take()
        ada.click(*PLACE)
        offer = asked(ada)
        assert offer["site"] == page.split("/")[2], offer
        time.sleep(1)
        assert said(api, room)["place"] == "asking" and said(api, room)["states"]["geolocation"] == "prompt"
        bob.hear(lambda: bob.state["control"]["owner"] == "human")
        assert bob.state["offer"] is None
        answer(ada, 0)
        wait_for(lambda: said(api, room)["states"]["geolocation"] == "granted", 5, "it is permitted")
        # There is no place to know here; it is not refused any more.
        wait_for(lambda: said(api, room)["place"] in NO_PLACE, 5, "no place")
        # It is asked once.
        ada.click(*WATCH)
        wait_for(lambda: said(api, room).get("watched") in NO_PLACE, 5, "no place")
        assert said(api, room)["watch"] == "number" and "cleared" not in said(api, room)
        ada.click(*NOTIFICATIONS)
        asked(ada, "notifications")
        answer(ada, 1)
        comes(api, room, notifications="denied")
        assert said(api, room)["states"]["notifications"] == "denied"
        ada.click(*NOTIFICATIONS)
        time.sleep(0.7)
        comes(api, room, notifications="denied")
        assert ada.state["offer"] is None
        told = [(one["site"], one["permissions"], one["answer"]) for one in events.events if one["type"] == "permission"]
        site = page.split("/")[2]
        assert told == [(site, ["geolocation"], "granted"), (site, ["notifications"], "denied")], told
        # A browser without a camera asks for none.
        ada.click(*CAMERA)
        comes(api, room, camera="NotFoundError")
        # Given back, it stays answered.
        ada.say("hand_back", done=True)
        ada.hear(lambda: ada.state["control"]["owner"] == "agent")
        query = "(async () => (await navigator.permissions.query({ name: 'geolocation' })).state)()"
        assert api.run(room, query) == "granted"


def test_who_drives_privately_is_asked_alone(api, page):
    """No event tells of it, then or later."""
    with api.session(initial_url=page) as room, api.events(room, types=["permission"]) as events:
        made = api.request("POST", f"/sessions/{room}/takeover", json={"private": True}).json()["url"]
        ada = Person(api, room, token=made.rsplit("/", 1)[1])
        ada.take()
        ada.click(*PLACE)
        asked(ada)
        answer(ada, 0)
        ada.click(*NOTIFICATIONS)
        asked(ada, "notifications")
        ada.say("hand_back", done=True)
        ada.hear(lambda: ada.state["control"]["owner"] == "agent")
        comes(api, room, notifications="default")
        wait_for(lambda: said(api, room)["states"]["geolocation"] == "granted", 5, "it is permitted")
        assert [one for one in events.events if one["type"] == "permission"] == []


def test_what_is_left_open_is_refused(api, page):
    """Cancelled, left for too long, or without a driver any more: refused as ever, and not decided."""
    with api.session(initial_url=page) as room, api.events(room, types=["permission"]) as events:
        ada = Person(api, room)
        ada.take()

        def ask():
            ada.click(*PLACE)
            asked(ada)
            comes(api, room, place="asking")

        def refused(within=5):
            comes(api, room, within, place=REFUSED)
            assert said(api, room)["states"]["geolocation"] == "prompt"

        ask()
        answer(ada, None)
        refused()
        # Two at once come one after the other.
        ask()
        ada.click(*NOTIFICATIONS)
        comes(api, room, notifications="asking")
        answer(ada, None)
        refused()
        asked(ada, "notifications")
        answer(ada, None)
        comes(api, room, notifications="default")
        # A page that has gone asks no more.
        ask()
        ada.say("reload")
        ada.hear(lambda: not ada.state["offer"])
        wait_for(lambda: said(api, room) and "place" not in said(api, room), 5, "it is loaded again")
        ask()
        began = time.monotonic()
        ada.hear(lambda: not ada.state["offer"], 35)
        assert 25 < time.monotonic() - began < 33
        refused()
        ask()
        ada.say("hand_back", done=True)
        refused()
        answers = [one["answer"] for one in events.events if one["type"] == "permission"]
        assert answers == ["left"] * 6, answers


def test_what_a_page_asks_as_it_loads(api, page):
    """Its first script is heard; a frame of another site is not."""
    with api.session(initial_url="about:blank") as room:
        api.do(room, "navigate", url=page + "?now")
        comes(api, room, place=REFUSED)
        ada = Person(api, room)
        ada.take()
        ada.say("reload")
        asked(ada)
        comes(api, room, place="asking")
        answer(ada, None)
        comes(api, room, place=REFUSED)
        ada.say("hand_back", done=True)
        ada.hear(lambda: ada.state["control"]["owner"] == "agent")
        api.do(room, "navigate", url=page + "?frame")
        ada.take()
        ada.say("reload")
        time.sleep(2)
        ada.hear(lambda: True)
        assert ada.state["offer"] is None


def test_what_the_page_has_of_it_is_the_browsers(api, page):
    """Its functions look as they are, and wrong calls throw as they do."""
    looks = """(() => {
      const throws = (call) => { try { call(); return 'nothing'; } catch ({ name }) { return name; } };
      const place = navigator.geolocation.getCurrentPosition;
      return [place.name, place.length, String(place).includes('[native code]'), throws(() => navigator.geolocation.getCurrentPosition()),
        throws(() => place.call({}, () => {})), typeof Notification.requestPermission, navigator.geolocation.clearWatch(7) === undefined];
    })()"""
    with api.session(initial_url=page) as room:
        assert api.run(room, looks) == ["getCurrentPosition", 1, True, "TypeError", "TypeError", "function", True]


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_on_the_page_of_a_person(api, page, kind):
    """A question with two answers, in words."""
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    options = phone if kind == "phone" else {"viewport": {"width": 1100, "height": 800}}
    with api.session(initial_url=page) as room, browser_context(**options) as context:
        person = context.new_page()
        person.goto(api.request("POST", f"/sessions/{room}/takeover", json={}).json()["url"])
        person.wait_for_selector("#screen[data-picture=true]", timeout=8000)
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")
        press = person.touchscreen.tap if kind == "phone" else person.mouse.click
        for place, words, button, name, state in (
            (PLACE, "know your location", "#permission-allow", "geolocation", "granted"),
            (NOTIFICATIONS, "show notifications", "#permission-block", "notifications", "denied"),
        ):
            press(*spot(person, *place))
            person.wait_for_selector("#permission[open]")
            assert person.text_content("#permission-text") == f"{page.split('/')[2]} wants to {words}."
            person.click(button)
            person.wait_for_selector("#permission", state="hidden")
            wait_for(lambda: said(api, room)["states"][name] == state, 5, f"{name} is {state}")  # noqa: B023
