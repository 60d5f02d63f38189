"""What a capture of the page leaves out is in the video: dialogs, lists, file choosers, and why a page is not there."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from support import pictures
from support.api import assert_envelope, new_room
from support.films import Film
from support.service import running_service
from support.wait import holds_for, wait_for
from support.web import closed_port

# What is seen when is timed.
pytestmark = pytest.mark.alone

# Of buttons and of the option that is chosen.
BLUE = (26, 115, 232)
# Of what cannot be loaded.
GROUND = (240, 242, 245)
NEAR = 24
# A button is larger, and so is the line of an option.
BLUE_PIXELS_MIN = 500
# Text on its ground, from two lines on.
INK_PIXELS_MIN = 300
# How long something is there that is shown for a moment, in a film.
MOMENT_S = (0.4, 1.6)
WITHIN_S = 5


def blue(picture, top=0, bottom=None):
    """How many pixels have the colour of a button."""
    part = picture[top:bottom].astype(int)
    return int((np.abs(part - BLUE).max(axis=2) < NEAR).sum())


def shows_box(picture):
    """Whether a button is there."""
    return picture is not None and blue(picture) >= BLUE_PIXELS_MIN


def shows_failure(picture):
    """Whether the page says in dark letters that another one could not be loaded."""
    if picture is None or pictures.colour_distance(pictures.colour_at(picture, 40, 40), GROUND) > 6:
        return False
    return int((picture.max(axis=2) < 110).sum()) >= INK_PIXELS_MIN


def screenshot(api, room, **params):
    """The screenshot as RGB."""
    answer = api.get(f"/sessions/{room}/screenshot", params=params)
    return np.array(Image.open(io.BytesIO(answer.content)).convert("RGB"))


@pytest.fixture
def hands(api, web):
    """A session on the page with one of everything that opens a window. By the display, windows are Chromium's own."""
    visit = web.visit("/hands")
    with api.session(new_room("drawn"), initial_url=visit.url, capture="screencast") as room:
        yield room, visit


def test_dialog_is_seen_until_it_is_answered(api, hands, subscribe):
    """In the video and in screenshots, over the page as it was; and then the page is back to the pixel."""
    room, visit = hands
    tabs = api.context(room)["tabs"]
    with subscribe(room) as viewer:
        wait_for(viewer.first_frame_at, 10, "a first frame")
        assert not shows_box(viewer.picture())
        before = screenshot(api, room)
        asked = api.do(room, "click", index=api.index_of(room, "Ask me"))
        assert asked["data"]["effect"] == "dialog"
        picture = wait_for(viewer.picture, WITHIN_S, "the dialog is in the video", accept=shows_box)
        holds_for(lambda: shows_box(viewer.picture()), 1.5, "it stays there")
        # At the top, and the page is seen around it.
        assert blue(picture, top=300) == 0
        assert np.abs(picture[400:].astype(int) - before[400:]).max() < 80
        shot = screenshot(api, room)
        assert shot.shape == before.shape and shows_box(shot)
        assert shows_box(screenshot(api, room, format="jpeg"))
        refused = api.request("GET", f"/sessions/{room}/screenshot", params={"index": 1})
        assert_envelope(refused, 409)
        api.do(room, "handle_dialog", accept=True)
        assert visit.wait_note("answer") is True
        wait_for(viewer.picture, 2, "the dialog is gone", accept=lambda p: not shows_box(p))
        holds_for(lambda: not shows_box(viewer.picture()), 0.5, "it stays away")
        assert not shows_box(screenshot(api, room))
    # What draws is no tab.
    assert api.context(room)["tabs"] == tabs and api.record(room)["page_count"] == 1


def test_dialog_is_seen_by_who_comes_later(api, hands, subscribe):
    """It is drawn for the first viewer as well, who comes while it is open, and with another tab's it goes."""
    room, _ = hands
    api.do(room, "click", index=api.index_of(room, "Ask me"))
    assert shows_box(screenshot(api, room)), "without a viewer"
    with subscribe(room) as viewer:
        wait_for(viewer.picture, 10, "the dialog is in the video", accept=shows_box)
        api.do(room, "new_tab")
        wait_for(viewer.picture, WITHIN_S, "another tab", accept=lambda p: not shows_box(p))
        api.do(room, "switch_tab", tab=1)
        wait_for(viewer.picture, WITHIN_S, "the dialog again", accept=shows_box)
        api.do(room, "handle_dialog", accept=False)
        wait_for(viewer.picture, 2, "the dialog is gone", accept=lambda p: not shows_box(p))


def test_markup_in_a_dialog_is_text(api, web):
    """What a page says is drawn, and neither run nor loaded."""
    visit = web.visit("/blank")
    with api.session(new_room("drawn"), initial_url=visit.url) as room:
        script = f"prompt('<img src={web.url('/trap')}><b>Bold</b>' + ' word'.repeat(900), '</div><i>x</i>')"
        html = f"<button onclick=\"{script.replace(chr(34), '&quot;')}\">Ask</button>"
        api.do(room, "navigate", url=f"data:text/html,{html}")
        api.do(room, "click", index=api.index_of(room, "Ask"))
        shot = screenshot(api, room)
        assert shows_box(shot)
        height = shot.shape[0]
        assert blue(shot, top=height * 3 // 4) == 0, "a long text is cut"
        api.do(room, "handle_dialog", accept=False)
    assert not web.requests(path="/trap")


def test_failed_page_says_which_and_why(api, web, subscribe):
    """The record, the context, the video and the screenshot; and history goes on over it."""
    start = web.visit("/still", colour="cc3333")
    with (
        closed_port() as port,
        api.session(new_room("drawn"), initial_url=start.url) as room,
        subscribe(room) as viewer,
    ):
        wait_for(viewer.first_frame_at, 10, "a first frame")
        for host, kind in ((f"127.0.0.1:{port}", "connection_failed"), ("no-such-host.invalid", "dns_failed")):
            url = f"http://{host}/page?x=1"
            failed = api.fail(room, "navigate", kind, url=url.replace("//", "//me:hidden@"))
            record, context = api.record(room), api.context(room)
            assert record["current_url"] == context["url"] == failed["url"] == url
            assert record["page_error"] == context["page_error"] == failed["error"]
            wait_for(viewer.picture, WITHIN_S, "the video says so", accept=shows_failure)
            assert shows_failure(screenshot(api, room))
            text = api.get(f"/sessions/{room}/context", params={"text": "true"}).json()["text"]
            assert url in text and failed["error"] in text and "hidden" not in text
        api.fail(room, "refresh", "dns_failed")
        wait_for(viewer.picture, WITHIN_S, "the video says so again", accept=shows_failure)
        # Each has its place in the history.
        assert str(port) in api.fail(room, "go_back", "connection_failed")["url"]
        wait_for(viewer.picture, WITHIN_S, "the one before says so", accept=shows_failure)
        assert api.do(room, "go_back")["url"] == start.url
        assert api.record(room)["page_error"] is None and api.context(room)["page_error"] is None
        wait_for(viewer.picture, WITHIN_S, "the page", accept=lambda p: not shows_failure(p))


def test_page_that_fails_by_itself_says_so_too(api, web):
    """Nobody asked for it; and it is told for its own tab only."""
    with closed_port() as port:
        url = f"http://127.0.0.1:{port}/later"
        first = web.visit("/late", after=300, then=url)
        with api.session(new_room("drawn"), initial_url=first.url) as room:
            record = api.wait_record(room, lambda r: r["page_error"], 10, "the page's error")
            assert record["current_url"] == url
            wait_for(lambda: shows_failure(screenshot(api, room)), WITHIN_S, "it is drawn")
            api.do(room, "new_tab", url=web.url("/still"))
            assert api.record(room)["page_error"] is None
            api.do(room, "switch_tab", tab=1)
            assert api.record(room)["page_error"] == record["page_error"]


@pytest.fixture
def filming(ghostcast_bin, tmp_path):
    """A service that records, and a way to film what an action does: the pictures by their times."""
    env = {"GHOSTCAST_RECORDING__DIRECTORY": str(tmp_path)}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api

        def film(room, action_type, **params):
            answer = api.request("POST", f"/sessions/{room}/recording")
            assert answer.status_code == 201, answer.text
            holds_for(lambda: True, 1, "the page is in the film")
            result = api.do(room, action_type, **params)
            holds_for(lambda: True, 2.5, "the moment is over")
            status = api.request("DELETE", f"/sessions/{room}/recording").json()
            film = Film(tmp_path / status["file"])
            times = [at for at, _ in film.packets()]
            return result, list(zip(times, film.decode(grey=False), strict=True))

        yield api, film


def assert_moment(shown, top, bottom, goes=True):
    """Something blue came, was beside the element for a moment, and went."""
    seen = [at for at, picture in shown if blue(picture, top, bottom) >= BLUE_PIXELS_MIN]
    assert seen, f"nothing was drawn in {len(shown)} pictures"
    assert blue(shown[0][1]) < BLUE_PIXELS_MIN
    if not goes:
        return
    gone = [at for at, _ in shown if at > seen[-1]]
    assert gone, "it is still there at the end"
    assert MOMENT_S[0] <= gone[0] - seen[0] <= MOMENT_S[1], (seen[0], gone[0])


def box_of(api, room, name):
    """The box of an element: left, top, width and height."""
    query = {"elements": "true", "boxes": "true"}
    elements = api.get(f"/sessions/{room}/context", params=query).json()["elements"]
    box = next(element["box"] for element in elements if element["name"] == name)
    return [box[key] for key in ("x", "y", "width", "height")] if isinstance(box, dict) else box


def test_lists_and_choosers_are_seen_for_a_moment(filming, web):
    """A select element by `select` and by a click, and the files of an upload; no action waits for it."""
    api, film = filming
    visit = web.visit("/hands")
    with api.session(new_room("drawn"), initial_url=visit.url) as room:
        for action_type, name, params in (
            ("select", "Size", {"label": "Large"}),
            ("click", "Size", {}),
            ("upload", "File", {"files": [{"name": "letter.txt", "data_base64": base64.b64encode(b"x").decode()}]}),
        ):
            _, top, _, height = box_of(api, room, name)
            index = api.index_of(room, name)
            result, shown = film(room, action_type, index=index, **params)
            assert result["duration_ms"] < 800, action_type
            # A list that a click opened stays open, and some captures have it.
            is_open = action_type == "click"
            assert_moment(shown, int(top + height) - 4, int(top + height) + 260, goes=not is_open)
            if is_open:
                api.do(room, "press", keys="Escape")
        assert visit.wait_note("size") == "l"
        assert api.record(room)["page_count"] == 1
