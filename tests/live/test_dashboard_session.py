"""The dashboard as a tool: sessions are started, driven and closed in it, on a desktop and on a phone."""

import json

import pytest

from support.api import new_room
from support.dashboard import misfits, person
from support.kept import start
from support.playwright_browser import spot
from support.service import running_service
from support.wait import holds_for, wait_for
from support.web import HALF

PAGE = b"""<!doctype html><title>Asks</title><link rel=icon href=data:,><style>body { margin: 0 }
  button { position: absolute; left: 20px; top: 20px; width: 200px; height: 60px }</style>
<button onclick="setTimeout(() => { document.title = `said ${prompt('Your name?', 'nobody')}` }, 0)">Ask</button>"""

TAKES = b"""<!doctype html><title>Takes</title><link rel=icon href=data:,><body>
<input type=file aria-label="Your paper"><input type=file multiple hidden>
<button onclick="this.previousElementSibling.click()">Choose more</button>
<script>
window.taken = {};
for (const field of document.querySelectorAll('input')) field.onchange = async () => {
  for (const file of field.files) taken[file.name] = [field.ariaLabel ?? 'hidden', await file.text()];
};
</script>"""


@pytest.fixture(params=["desktop", "phone"])
def at(request):
    """Somebody at the dashboard."""
    with person(request.param) as page:
        page.kind = request.param
        yield page


def titled(web, title):
    """The address of a page of that title."""
    path = f"/{title.replace(' ', '-').lower()}-{new_room('titled')}.html"
    web.files[path] = f"<!doctype html><title>{title}</title><link rel=icon href=data:,><p>{title}".encode()
    return web.url(path)


def gone(api, room):
    """Whether there is no such session."""
    return api.request("GET", f"/sessions/{room}").status_code == 404


def is_shown(page):
    """Waits for the picture."""
    page.wait_for_selector("#screen[data-picture=true]", timeout=20000)


def test_a_session_is_started_and_closed(lone_api, web, at):
    """By two forms; the page's own visit and the API say that it was so."""
    room, url = new_room("made"), titled(web, "First page")
    at.goto(lone_api.base)
    at.click("#start-open:visible, #notice-action:visible")
    at.fill("#start-room", "")
    at.click("#start-send")
    at.wait_for_selector("#start-error:has-text('Give a page')")
    at.fill("#start-room", room)
    at.fill("#start-url", url)
    assert not misfits(at) or at.kind == "desktop"
    at.click("#start-send")
    is_shown(at)
    assert lone_api.record(room)["current_url"] == url
    assert room in at.url and at.text_content("#session-state") == "live"
    at.wait_for_selector("#page-title:text-is('First page')")
    at.click("#pause")
    at.wait_for_selector("#pause:text-is('Show video')")
    assert lone_api.record(room)["state"] == "paused"
    at.wait_for_selector("#notice-title:text-is('Video is paused')")
    at.click("#pause")
    is_shown(at)
    at.click("#close")
    at.click("#confirm-no")
    assert not gone(lone_api, room), "no is no"
    at.click("#close")
    at.click("#confirm-yes")
    at.wait_for_selector("#notice-title:has-text('ended')")
    assert gone(lone_api, room)


def test_tabs_are_opened_switched_and_closed(lone_api, web, at):
    """The browser's own list of tabs says which is shown."""
    first, second = titled(web, "One"), titled(web, "Two")

    def tabs():
        return [(tab["title"], tab["current"]) for tab in lone_api.context(room)["tabs"]]

    with lone_api.session(initial_url=first) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        at.wait_for_selector(".tab:has-text('One')")
        assert at.locator(".tab-close:visible").count() == 0, "the only tab stays"
        at.click("#tab-new")
        at.fill("#tab-url", second)
        at.press("#tab-url", "Enter")
        at.wait_for_selector(".tab[data-current=true]:has-text('Two')")
        assert tabs() == [("One", False), ("Two", True)]
        at.click(".tab-show:has-text('One')")
        at.wait_for_selector(".tab[data-current=true]:has-text('One')")
        assert tabs() == [("One", True), ("Two", False)]
        # By somebody else, seen by itself.
        lone_api.do(room, "new_tab")
        at.wait_for_selector(".tab >> nth=2")
        at.click(".tab:has-text('Two') .tab-close")
        at.wait_for_selector(".tab:has-text('Two')", state="detached")
        assert [title for title, _ in tabs()] == ["One", ""]
        assert at.kind == "desktop" or not misfits(at)


def test_the_ways_to_those_who_watch_are_listed(lone_api, web, at):
    """The dashboard's own picture is one of them; asked for only while somebody looks."""
    with lone_api.session(initial_url=web.url("/clock"), fps=20) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        asked = []
        at.on("request", lambda request: asked.append(request.url) if request.url.endswith("/viewers") else None)
        at.wait_for_timeout(2500)
        assert not asked
        at.click("#viewers summary")
        at.wait_for_selector(".viewer:has-text('Viewer') :text('good')")
        (told,) = lone_api.request("GET", f"/sessions/{room}/viewers").json()["viewers"]
        row = at.text_content(".viewer")
        assert told["remote"] in row and "UDP" in row and "full" in row and "carries" in row, row
        assert at.kind == "desktop" or not misfits(at)


def test_an_open_list_brings_no_session_back(own_ghostcast, at):
    """One whose time is over stays put away, however long somebody looks."""
    api = own_ghostcast.api
    start(api, "timed", max_lifetime_s=6)
    at.goto(f"{api.base}/?room=timed")
    is_shown(at)
    at.click("#viewers summary")
    at.wait_for_selector(".viewer")
    api.wait_record("timed", lambda record: record["state"] == "stored", 20, "it is put away")
    at.wait_for_selector("#viewers", state="hidden")
    holds_for(lambda: api.record("timed")["state"] == "stored", 5, "it stays away")


def test_a_dialog_is_answered(lone_api, web, at):
    """What the page was told is in its own title."""
    web.files["/asks.html"] = PAGE
    with lone_api.session(initial_url=web.url("/asks.html")) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        assert not at.is_visible("#asked")
        lone_api.act(room, "click", x=60, y=40)
        at.wait_for_selector("#asked:has-text('Your name?')")
        assert at.input_value("#asked-field") == "nobody"
        assert at.kind == "desktop" or not misfits(at)
        at.fill("#asked-field", "Ada")
        at.click("#asked-yes")
        at.wait_for_selector("#asked", state="hidden")
        wait_for(lambda: lone_api.context(room)["title"] == "said Ada", 5, "the answer")
        lone_api.act(room, "click", x=60, y=40)
        at.click("#asked-no")
        wait_for(lambda: lone_api.context(room)["title"] == "said null", 5, "no answer")


def test_the_wheel_is_taken_and_taken_back(lone_api, web, at):
    """On the page of the wheel; from here whoever drives by a link is sent away."""
    web.files["/asks.html"] = PAGE
    with lone_api.session(initial_url=web.url("/asks.html")) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        assert not at.is_visible("#take-back") and not at.is_visible("#wheel-request")
        lone_api.do(room, "request_human", reason="a name is wanted")
        at.wait_for_selector("#wheel-request:has-text('a name is wanted')")
        with at.expect_popup() as opened:
            at.click("#take-wheel")
        own = opened.value
        own.click("#take")
        own.wait_for_selector("body[data-yours=true]")
        own.wait_for_selector("#screen[data-picture=true]")
        press = own.mouse.click if at.kind == "desktop" else own.touchscreen.tap
        press(*spot(own, 60, 40))
        own.wait_for_selector("#dialog[open]")
        own.fill("#dialog-field", "Eve")
        own.click("#dialog-form [type=submit]")
        wait_for(lambda: lone_api.context(room)["title"] == "said Eve", 5, "what they did")
        at.click("#take-back")
        at.click("#confirm-yes")
        own.wait_for_selector("#notice-title:text-is('You were sent away')")
        at.wait_for_selector("#take-back", state="hidden")
        assert lone_api.record(room)["control"]["owner"] != "human"


def test_files_are_given_to_the_page(lone_api, web, at):
    """Into a field and through a chooser; the page's own reading of them is what was sent."""
    web.files["/takes.html"] = TAKES
    with lone_api.session(initial_url=web.url("/takes.html")) as room:
        at.goto(f"{lone_api.base}/?room={room}")
        is_shown(at)
        at.click("#upload summary")
        at.wait_for_selector("#upload-to optgroup[label='Fields for files'] option:text-is('Your paper')", state="attached")
        at.click("#upload-send")
        at.wait_for_selector("#upload-said:has-text('Choose a file')")
        for where, name in (("Your paper", "paper.txt"), ("Choose more", "more.txt")):
            at.select_option("#upload-to", label=where)
            body = f"{name} für Ghostcast".encode()
            at.set_input_files("#upload-files", {"name": name, "mimeType": "text/plain", "buffer": body})
            at.click("#upload-send")
            at.wait_for_selector(f"#upload-said[data-tone=good]:has-text('{name}')")
        taken = wait_for(lambda: lone_api.run(room, "window.taken"), 5, "both", accept=lambda got: len(got) == 2)
        assert taken == {
            "paper.txt": ["Your paper", "paper.txt für Ghostcast"],
            "more.txt": ["hidden", "more.txt für Ghostcast"],
        }
        assert at.kind == "desktop" or not misfits(at)


def test_downloads_are_had(guarded_ghostcast, web, at):
    """Byte for byte, with a token, which is in no address; what broke off says so and is no link."""
    api = guarded_ghostcast.api
    page = f"<title>Files</title><a href='{web.url('/file', pause=0.1)}'>Save</a> <a href='{web.url('/file', pause=0.1, cut='yes')}'>Half</a>"
    web.files["/two.html"] = page.encode()
    with api.session(initial_url=web.url("/two.html")) as room:
        at.goto(f"{api.base}/?room={room}&token={api.token}")
        at.wait_for_selector("#downloads-empty")
        for name in ("Save", "Half"):
            api.do(room, "click", index=api.index_of(room, name))
        with at.expect_download() as saved:
            at.click(".download-name:visible")
        with open(saved.value.path(), "rb") as file:
            assert file.read() == HALF + HALF
        assert saved.value.suggested_filename == "halves.bin" and api.token not in saved.value.url
        broken = at.locator(".download:has-text('broke off')")
        broken.wait_for()
        assert broken.locator("a:visible").count() == 0
        assert at.kind == "desktop" or not misfits(at)


def test_a_page_that_failed_is_not_live(lone_api, web, at):
    """The browser runs, and shows nothing of what was asked for."""
    with lone_api.session(initial_url="http://127.0.0.1:9/") as room:
        at.goto(f"{lone_api.base}/?room={room}")
        at.wait_for_selector("#session-state[data-state=failed]:text-is('page failed')")
        assert lone_api.record(room)["state"] == "live"
        lone_api.do(room, "navigate", url=titled(web, "There"))
        at.wait_for_selector("#session-state[data-state=live]:text-is('live')")


def test_a_service_that_is_down_is_said_to_be(own_ghostcast, at):
    """On each view, with what was known; and it comes back by itself."""
    at.goto(own_ghostcast.api.base)
    for view in ("sessions", "connections", "jobs"):
        at.click(f"#view-{view}")
        at.wait_for_selector(f"#{view}:visible")
    at.wait_for_selector("#jobs-notice:has-text('No job yet')")
    assert not at.is_visible("#banner")
    own_ghostcast.process.kill()
    own_ghostcast.process.wait()
    own_ghostcast.forget()
    at.wait_for_selector("#banner:has-text('does not answer')", timeout=15000)
    assert at.get_attribute("#jobs-as-of", "data-stale") == "true"
    at.click("#view-connections")
    at.wait_for_selector("#connections-notice[data-tone=bad]:has-text('does not answer')", timeout=15000)
    at.wait_for_selector("#health[data-state=failed]:has-text('no answer')", timeout=20000)


def test_what_a_token_does_not_permit_is_said(ghostcast_bin, web, tmp_path, at):
    """With the scope that it takes; never an empty list, never a button that does nothing."""
    tokens = tmp_path / "tokens"
    tokens.write_text("ops admin admin-of-the-dashboard\neye watch:* watcher-of-the-dashboard\n")
    tokens.chmod(0o600)
    with running_service(ghostcast_bin, args=("--tokens-file", str(tokens)), token="admin-of-the-dashboard") as service:
        with service.api.session(initial_url=web.url("/clock")) as room:
            at.goto(f"{service.api.base}/?token=watcher-of-the-dashboard#connections")
            for view in ("connections", "jobs"):
                at.click(f"#view-{view}")
                at.wait_for_selector(f"#{view}-notice[data-tone=bad]:has-text('scope admin')")
                assert at.locator(f"#{view} .card:visible").count() == 0
            at.goto(f"{service.api.base}/?room={room}")
            is_shown(at)
            at.click("#close")
            at.click("#confirm-yes")
            at.wait_for_selector(f"#session-error:has-text('control:{room}')")
            assert service.api.record(room)["state"] == "live"
            assert "watcher-of-the-dashboard" not in json.dumps(at.evaluate("location.href"))


@pytest.mark.parametrize("screen", ["phone", "landscape", "tablet"])
def test_everything_fits_a_phone(lone_api, web, screen):
    """Upright and on its side: what is pressed is as large as a finger, and nothing is cut or too wide."""
    with lone_api.session(new_room("a-room-with-a-very-long-name-indeed"), initial_url=web.url("/clock")) as room:
        with person(screen) as page:
            page.goto(f"{lone_api.base}/?room={room}")
            is_shown(page)
            page.wait_for_selector(".tab")
            assert misfits(page) == []
            page.click("#close")
            assert misfits(page) == []
            page.keyboard.press("Escape")
            for view in ("sessions", "recordings", "connections", "jobs"):
                page.click(f"#view-{view}")
                assert misfits(page) == [], view
            page.click("#view-sessions")
            page.click("#home")
            page.wait_for_selector(".room")
            assert misfits(page) == []
