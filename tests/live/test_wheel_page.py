"""What a person's page does by itself: copies from the page that they drive, and enlarges it or its picture."""

import json

import pytest

from support.people import Person
from support.playwright_browser import browser_context
from support.wait import wait_for

PAGE = b"""<!doctype html><title>copy</title><style>body { margin: 0 } body > * { position: absolute; left: 20px;
  font: 16px sans-serif }</style>
<input id=field value="of the page" style="top:20px;width:200px;height:40px">
<input id=secret type=password value="tiger" style="top:80px;width:200px;height:40px">
<button id=small style="left:1000px;top:600px;width:30px;height:16px" onclick="window.hits = (window.hits || 0) + 1">x</button>"""
FIELD, SECRET, SMALL = (100, 40), (100, 100), (1015, 608)


@pytest.fixture
def page(web):
    """A page with something to copy, and with something small."""
    web.files["/copy.html"] = PAGE
    return web.url("/copy.html")


def open_page(api, room, context):
    """A person's own page, who has the wheel."""
    person = context.new_page()
    person.goto(api.request("POST", f"/sessions/{room}/takeover", json={}).json()["url"])
    person.wait_for_selector("#screen[data-picture=true]", timeout=8000)
    person.click("#take")
    person.wait_for_selector("body[data-yours=true]")
    return person


def spot(person, x, y):
    """Where a place of the page is on the picture, however large that is."""
    box = person.locator("#video").bounding_box()
    scale = min(box["width"] / 1280, box["height"] / 720)
    left = box["x"] + (box["width"] - 1280 * scale) / 2
    top = box["y"] + (box["height"] - 720 * scale) / 2
    return left + x * scale, top + y * scale


def test_permissions_are_refused_at_once(api, page):
    """Where nobody drives who could be asked; and the page may ask again."""
    asks = """(async () => {
      const place = await new Promise((done) => navigator.geolocation.getCurrentPosition(() => done('ok'), ({ code }) => done(code)));
      const media = await navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'ok', ({ name }) => name);
      const state = (await navigator.permissions.query({ name: 'geolocation' })).state;
      return [place, await Notification.requestPermission(), media, state];
    })()"""
    with api.session(initial_url=page) as room:
        place, notifications, media, state = api.run(room, asks)
        assert place == 1 and notifications != "granted" and media != "ok" and state != "granted"


def test_copy(api, page):
    """The selection is told to the driver alone; a password is not copied, and nothing is said to be nothing."""
    with api.session(initial_url=page) as room:
        ada, bob = Person(api, room), Person(api, room)
        bob.say("copy")
        assert bob.refused()["kind"] == "conflict"
        ada.take()

        def copy():
            ada.say("copy")
            ada.hear(lambda: ada.errors)
            return ada.errors.pop()

        assert copy() == {"type": "copied", "text": None}
        for place, text in ((FIELD, "of the page"), (SECRET, None)):
            ada.click(*place)
            ada.say("key", down=True, key="a", modifiers=2)
            ada.say("key", down=False, key="a", modifiers=2)
            assert copy() == {"type": "copied", "text": text}, place


def test_copy_by_the_button(api, page):
    """The person's own clipboard has what is selected in the page."""
    with api.session(initial_url=page) as room, browser_context(viewport={"width": 1100, "height": 800}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        person = open_page(api, room, context)
        person.click("#copy")
        wait_for(lambda: person.text_content("#error"), 4, "it says that nothing is selected")
        assert person.text_content("#error") == "Nothing is selected on the page."
        person.mouse.click(*spot(person, *FIELD))
        person.keyboard.press("Control+a")
        person.click("#copy")
        read = "navigator.clipboard.readText()"
        wait_for(lambda: person.evaluate(read) == "of the page", 4, "it is copied")
        assert person.text_content("#error") == ""


PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def pinch(context, person, x, y, apart=(14, 44, 4)):
    """Two fingers around a place of the person's page."""
    fingers = context.new_cdp_session(person)

    def touch(kind, *points):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    first = apart[0] - apart[2]
    touch("touchStart", (x - first, y))
    touch("touchStart", (x - first, y), (x + first, y))
    for distance in range(*apart):
        touch("touchMove", (x - distance, y), (x + distance, y))
        person.wait_for_timeout(30)
    touch("touchEnd")


def test_two_fingers_enlarge_the_page(api, web):
    """The page itself says so; a tap hits what the picture shows there, and giving back shows all again."""
    web.files["/pinch.html"] = PAGE + b"""<script>setInterval(() => { document.title = JSON.stringify({ hits: window.hits || 0,
      scale: visualViewport.scale, left: visualViewport.offsetLeft, top: visualViewport.offsetTop }) }, 50)</script>"""
    with api.session(initial_url=web.url("/pinch.html")) as room, browser_context(**PHONE) as context:

        def said():
            title = api.record(room)["title"]
            return json.loads(title) if title.startswith("{") else {}

        person = open_page(api, room, context)
        assert person.get_attribute("#enlarge", "aria-pressed") == "false"
        before = person.locator("#video").bounding_box()
        pinch(context, person, *spot(person, *SMALL))
        wait_for(lambda: said()["scale"] > 2, 5, f"it is enlarged; it says {said()}")
        person.wait_for_timeout(500)
        seen = said()
        print("enlarged:", seen)
        assert person.locator("#video").bounding_box() == before, "the picture is as it was"
        on_picture = ((SMALL[0] - seen["left"]) * seen["scale"], (SMALL[1] - seen["top"]) * seen["scale"])
        # What was between the fingers is there still.
        assert abs(on_picture[0] - SMALL[0]) < 40 and abs(on_picture[1] - SMALL[1]) < 40, (on_picture, seen)
        person.touchscreen.tap(*spot(person, *on_picture))
        wait_for(lambda: said()["hits"] == 1, 3, "the tap")
        pinch(context, person, *spot(person, 640, 360), apart=(60, 10, -4))
        wait_for(lambda: said()["scale"] < seen["scale"] / 2, 5, f"it is smaller again; it says {said()}")
        pinch(context, person, *spot(person, *SMALL))
        wait_for(lambda: said()["scale"] > 2, 5, "it is enlarged")
        person.click("#done")
        person.wait_for_selector("body[data-yours=false]")
        wait_for(lambda: said()["scale"] == 1, 3, "all is shown again")
        assert api.act(room, "click", x=SMALL[0], y=SMALL[1])["success"]
        wait_for(lambda: said()["hits"] == 2, 3, "an agent's click")


def test_two_fingers_enlarge_the_picture(api, page):
    """By wish: what was between them stays there, a tap hits what it is on, and giving back shows all again."""
    with api.session(initial_url=page) as room, browser_context(**PHONE) as context:
        person = open_page(api, room, context)
        person.click("#enlarge")
        assert person.get_attribute("#enlarge", "aria-pressed") == "true"
        x, y = spot(person, *SMALL)
        before = person.locator("#video").bounding_box()
        pinch(context, person, x, y)
        box = person.locator("#video").bounding_box()
        assert 3 < box["width"] / before["width"] < 4.5, (before, box)
        near = spot(person, *SMALL)
        assert abs(near[0] - x) < 12 and abs(near[1] - y) < 12, (near, (x, y))
        person.touchscreen.tap(*near)
        person.click("#done")
        person.wait_for_selector("body[data-yours=false]")
        wait_for(lambda: api.run(room, "window.hits") == 1, 3, "the tap")
        assert person.locator("#video").bounding_box()["width"] == before["width"]
