"""What an operator does in the dashboard: goes to pages, finds rooms, keeps pictures and films; and what it says meanwhile."""

import struct
from urllib.parse import urlsplit

import pytest

from support import procs
from support.api import new_room
from support.dashboard import misfits, person
from support.kept import start
from support.wait import wait_for

FORM = b"""<!doctype html><title>A form</title><link rel=icon href=data:,>
<button onclick="document.title = 'pressed'">Save</button> <label>Your name <input></label>"""


@pytest.fixture(params=["desktop", "phone"])
def at(request):
    """Somebody at the dashboard."""
    with person(request.param) as page:
        page.kind = request.param
        yield page


def is_shown(page):
    """Waits for the picture."""
    page.wait_for_selector("#screen[data-picture=true]", timeout=20000)


def where(api, room):
    """The address of the page, as the browser has it."""
    return urlsplit(api.run(room, "location.href")).path


def focused(page):
    """What has the focus of the keyboard."""
    return page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")


def test_a_page_alone_is_enough(own_ghostcast, web, at):
    """The room is called as its site is, and by a number where that is taken."""
    api = own_ghostcast.api
    at.goto(api.base)
    for room in ("127.0.0.1", "127.0.0.1-2"):
        at.click("#start-open:visible, #notice-action:visible")
        at.fill("#start-url", web.url("/still"))
        at.press("#start-url", "Enter")
        is_shown(at)
        assert api.record(room)["current_url"] == web.url("/still")
        at.click("#home")


def test_the_page_is_driven_by_its_address(lone_api, web, at):
    """The browser itself says where it is; what cannot be opened is said and not live."""
    web.files["/form.html"] = FORM
    with lone_api.session(initial_url=web.url("/still")) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        wait_for(lambda: at.input_value("#address"), 5, "the address", accept=lambda url: url == web.url("/still"))
        at.fill("#address", web.url("/form.html"))
        at.press("#address", "Enter")
        wait_for(lambda: where(lone_api, room), 5, "there", accept=lambda path: path == "/form.html")
        at.click("#page-back")
        wait_for(lambda: where(lone_api, room), 5, "back", accept=lambda path: path == "/still")
        at.click("#page-forward")
        wait_for(lambda: where(lone_api, room), 5, "forward", accept=lambda path: path == "/form.html")
        lone_api.run(room, "document.title = 'old'")
        at.click("#page-reload")
        wait_for(lambda: lone_api.run(room, "document.title"), 5, "anew", accept=lambda title: title == "A form")
        # What is being typed is nobody else's.
        at.fill("#address", "half of an addr")
        lone_api.do(room, "navigate", url=web.url("/still"))
        at.wait_for_timeout(2500)
        assert at.input_value("#address") == "half of an addr"
        at.press("#address", "Escape")
        assert at.input_value("#address") == web.url("/still")
        at.fill("#address", "http://127.0.0.1:9/")
        at.press("#address", "Enter")
        at.wait_for_selector("#session-error:has-text('port')")
        at.wait_for_selector("#session-state:text-is('page failed')")
        at.fill("#address", web.url("/not-here-at-all"))
        at.press("#address", "Enter")
        at.wait_for_selector("#session-state[data-state=failed]:text-is('HTTP 404')")
        assert lone_api.record(room)["http_status"] == 404
        assert at.kind == "desktop" or not misfits(at)


def test_a_screenshot_is_saved(lone_api, web, at):
    """A PNG of the viewport's size."""
    with lone_api.session(initial_url=web.url("/still"), viewport={"width": 800, "height": 600}) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        with at.expect_download() as saved:
            at.click("#shot")
        with open(saved.value.path(), "rb") as file:
            head = file.read(24)
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) == (800, 600)
        assert saved.value.suggested_filename.startswith(room) and saved.value.suggested_filename.endswith(".png")


def test_the_log_names_what_was_met(lone_api, web, at):
    """By role and name, and by a number only what was not found."""
    web.files["/form.html"] = FORM
    with lone_api.session(initial_url=web.url("/form.html")) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        at.wait_for_selector("#log-state:has-text('connected')")
        lone_api.do(room, "click", index=lone_api.index_of(room, "Save"))
        at.wait_for_selector("#log-list p:text-is('Click button “Save”')")
        lone_api.do(room, "type", index=lone_api.index_of(room, "Your name"), text="Ada")
        at.wait_for_selector("#log-list p:text-is('Type “Ada” into textbox “Your name”')")
        lone_api.act(room, "click", index=999)
        at.wait_for_selector("#log-list p:has-text('Click element 999: No element')")
        lone_api.act(room, "click", button="left")
        assert "undefined" not in at.text_content("#log-list")
        at.click(".chip:has-text('Actions')")
        at.reload()
        at.wait_for_selector(".chip:has-text('Actions')[aria-pressed=false]")


def test_rooms_are_found(lone_api, web, at):
    """By room, page and address; two that differ in the last letter are told apart."""
    long = new_room("a-room-of-a-support-call-whose-name-is-longer-than-any-list-is-wide-and-ends-in")
    web.files["/needle.html"] = b"<!doctype html><title>Needle of hay</title>"
    with lone_api.session(f"{long}-0", initial_url=web.url("/still")), lone_api.session(f"{long}-1", initial_url=web.url("/needle.html")):
        at.goto(lone_api.base + "/")
        for words, found in (("needle HAY", f"{long}-1"), (f"{long}-0", f"{long}-0"), ("still support-call", f"{long}-0")):
            at.fill("#rooms-search", words)
            wait_for(lambda: at.locator("#rooms .room-name").all_text_contents(), 5, words, accept=lambda names, found=found: names == [found])
        whole = "node => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight + 1"
        assert at.eval_on_selector("#rooms .room-name", whole)
        at.fill("#rooms-search", "nothing of that kind")
        at.wait_for_selector("#rooms-empty:has-text('No room or page')")
        assert at.kind == "desktop" or not misfits(at)


def test_a_name_leads_to_its_session(lone_api, web, at):
    """One that has a room as well is shown by either."""
    room, name = new_room("both"), new_room("named")
    start(lone_api, name, room_name=room, initial_url=web.url("/still"))
    try:
        at.goto(f"{lone_api.base}/?room={name}")
        is_shown(at)
        at.wait_for_selector(f".room[aria-current=true] .room-alias:text-is('{name}')", state="attached")
    finally:
        lone_api.request("DELETE", f"/sessions/{room}?profile=delete")


def test_films_are_listed_played_and_deleted(guarded_ghostcast, web, at):
    """With a token, which is in no address; what is deleted is gone from the disk's own list."""
    api = guarded_ghostcast.api
    with api.session(initial_url=web.url("/clock")) as room:
        at.goto(f"{api.base}/?room={room}&token={api.token}")
        is_shown(at)
        at.focus("#record")
        at.keyboard.press("Enter")
        at.wait_for_selector("#record[aria-pressed=true]")
        assert focused(at) == "record", "whoever presses keys can end it by the same key"
        assert at.locator(".room:has-text('rec')").count() == 1
        at.wait_for_timeout(2000)
        at.keyboard.press("Enter")
        at.wait_for_selector("#recorded:visible")
        file = api.record(room)["recording"]["file"]
    at.click("#view-recordings")
    at.fill("#recordings-search", room)
    card = at.locator(f"#recordings-list .card:has-text('{file}')")
    card.locator("[data-part=play]").click()
    wait_for(lambda: card.locator("video").evaluate("film => film.currentTime"), 10, "it plays", accept=lambda at: at > 0.5)
    with at.expect_download() as saved:
        card.locator("[data-part=save]").click()
    with open(saved.value.path(), "rb") as got:
        assert got.read() == api.request("GET", f"/recordings/{file}").content
    assert api.token not in saved.value.url
    assert at.kind == "desktop" or not misfits(at)
    card.locator("[data-part=delete]").click()
    at.click("#confirm-yes")
    card.wait_for(state="detached")
    assert api.request("GET", f"/recordings/{file}").status_code == 404
    at.wait_for_selector("#recordings-notice:has-text('No recording')")


def test_an_outage_leaves_what_was_known(own_ghostcast, web, at):
    """Nothing is live of which nobody knows; what has ended stays listed."""
    api = own_ghostcast.api
    with api.session("over", initial_url=web.url("/still")):
        pass
    api.request("POST", "/sessions", json={"room_name": "there", "initial_url": web.url("/still")})
    at.goto(f"{api.base}/?room=there")
    is_shown(at)
    own_ghostcast.process.kill()
    own_ghostcast.process.wait()
    own_ghostcast.forget()
    at.wait_for_selector("#session-state:text-is('was live')", timeout=15000)
    at.wait_for_selector("#health[data-state=failed]:has-text('no answer')", timeout=3000)
    at.evaluate("document.querySelector('.rooms-pane').style.display = 'block'")
    assert at.text_content("#ended-list .room-name") == "over"
    assert at.locator(".room-state[data-state=live]").count() == 0


def test_the_keyboard_is_not_lost(lone_api, web):
    """Where a control goes away, whoever presses keys goes on beside it."""
    with person("desktop") as page, lone_api.session(initial_url=web.url("/still")) as room:
        page.goto(f"{lone_api.base}/?room={room}")
        is_shown(page)
        lone_api.do(room, "new_tab")
        page.wait_for_selector(".tab >> nth=1")
        page.focus(".tab[data-current=true] .tab-close")
        page.keyboard.press("Enter")
        page.wait_for_selector(".tab >> nth=1", state="detached")
        wait_for(lambda: focused(page), 3, "the tab that is left", accept=lambda there: "tab-show" in there)
        page.focus("#close")
        page.keyboard.press("Enter")
        assert focused(page) == "confirm-no"
        page.focus("#confirm-yes")
        page.keyboard.press("Enter")
        page.wait_for_selector("#notice-title:has-text('ended')")
        wait_for(lambda: focused(page), 3, "what can be done now", accept=lambda there: there == "notice-action")


def touch(devtools, kind, *points):
    """Fingers on the screen."""
    at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


@pytest.mark.parametrize("screen", ["phone", "landscape"])
def test_the_picture_is_enlarged_by_fingers(lone_api, web, screen):
    """The picture and not the page round it; it fits the screen, and does again by one press."""
    with person(screen) as page, lone_api.session(initial_url=web.url("/clock")) as room:
        page.goto(f"{lone_api.base}/?room={room}")
        is_shown(page)
        page.wait_for_selector(".tab", state="attached")
        box = page.locator("#video").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"] + 1, "seen whole without scrolling"
        assert box["height"] > page.viewport_size["height"] * (0.8 if screen == "landscape" else 0.2)
        devtools = page.context.new_cdp_session(page)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch(devtools, "touchStart", (x - 30, y), (x + 30, y))
        for apart in range(35, 95, 10):
            touch(devtools, "touchMove", (x - apart, y), (x + apart, y))
        touch(devtools, "touchEnd")
        page.wait_for_selector("#fit:visible")
        scale = "getComputedStyle(document.querySelector('#video')).transform"
        assert page.evaluate(f"new DOMMatrix({scale}).a") > 2 and page.evaluate("visualViewport.scale") == 1
        before = page.evaluate(f"new DOMMatrix({scale}).e")
        touch(devtools, "touchStart", (x, y))
        for by in range(10, 70, 10):
            touch(devtools, "touchMove", (x - by, y))
        touch(devtools, "touchEnd")
        assert page.evaluate(f"new DOMMatrix({scale}).e") < before - 30
        assert not misfits(page)
        page.click("#fit")
        assert page.evaluate(f"new DOMMatrix({scale}).isIdentity")


def test_what_came_back_is_shown_as_it_is(own_ghostcast, web, at):
    """Its earlier end, which the log tells again, is not taken for its end now: one picture, and its tabs."""
    api = own_ghostcast.api
    start(api, "again", initial_url=web.url("/clock"))
    browsers = [pid for pid in procs.descendants(own_ghostcast.pid) if procs.mentions(pid, "profiles/again")]
    assert browsers
    with api.events("again", types=["stream_state"]) as events:
        procs.kill_all(browsers)
        events.wait("stream_state", within=20, accept=lambda event: event["state"] not in ("live", "paused", "reconnecting"))
        start(api, "again", status=200)
        api.wait_record("again", lambda record: record["state"] == "live", 20, "it is back")
    # The service's clock is told in whole seconds.
    at.wait_for_timeout(2000)
    asked = []
    at.on("request", lambda request: asked.append(request.method) if "/whep/" in request.url else None)
    at.goto(f"{api.base}/?room=again")
    is_shown(at)
    at.wait_for_selector(".tab")
    assert at.locator(".row:has-text('stream_state')").count() > 1, "the log tells of the earlier end"
    at.wait_for_timeout(1000)
    assert asked == ["POST"]
