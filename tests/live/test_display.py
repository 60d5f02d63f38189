"""Sessions whose pages are drawn to our own display: the video has all that a person would see."""

import os
import signal
import time

import numpy as np
import pytest

from support import essentials
from support.api import assert_envelope
from support.pages import page
from support.pictures import colour_at, colour_distance
from support.wait import holds_for, wait_for

WHITE, GREEN = (255, 255, 255), (0, 170, 0)
CHOOSER = page(
    "chooser",
    '<select id="one" style="position:absolute;left:100px;top:100px;width:200px;font-size:20px">'
    "<option>red</option><option>green</option><option>blue</option></select>"
    '<a id="aside" target="_blank" href="/display-aside.html" '
    'style="position:absolute;left:100px;top:400px">aside</a>',
)
ASIDE = page("aside", '<h1 style="position:absolute;left:0;top:0">aside</h1>', style="body{background:#00aa00}")
DATE = page(
    "date",
    '<input id="day" type="date" value="2024-05-06" '
    'style="position:absolute;left:100px;top:100px;width:200px;font-size:20px">',
)
ALERT = page(
    "alert",
    '<button style="position:absolute;left:100px;top:100px" '
    "onclick=\"alert('the page says this')\">alert</button>",
)
MENU = page("menu", "", "addEventListener('contextmenu', () => { document.title = 'asked'; });")
CURSORS = page(
    "cursors",
    "".join(
        f'<div style="position:absolute;left:{left}px;top:200px;width:200px;height:200px;cursor:{cursor}"></div>'
        for left, cursor in ((100, "auto"), (400, "pointer"), (700, "text"))
    ),
)
SMALL = """
const box = document.createElement('div');
box.style = 'position:fixed;left:600px;top:300px;width:10px;height:10px;background:#000';
document.body.append(box);
setInterval(() => { box.style.background = box.style.background === 'black' ? '#fff' : 'black'; }, 100);
"""


@pytest.fixture(scope="module", autouse=True)
def site(web):
    """What the tests look at."""
    web.files["/display-chooser.html"] = CHOOSER.encode()
    web.files["/display-aside.html"] = ASIDE.encode()
    web.files["/display-date.html"] = DATE.encode()
    web.files["/display-alert.html"] = ALERT.encode()
    web.files["/display-menu.html"] = MENU.encode()
    web.files["/display-cursors.html"] = CURSORS.encode()
    web.files["/display-small.html"] = page("small", "", SMALL).encode()


def on_display(api, web, path, **more):
    """A session on the display."""
    return api.session(initial_url=web.url(path), capture="display", **more)


def dark(picture, left, top, width, height):
    """How many pixels of a part are no background."""
    part = picture[top : top + height, left : left + width].astype(int)
    return int((np.abs(part - 255).max(axis=2) > 60).sum())


def button(picture):
    """How many pixels at the top have the colour of a dialog's button."""
    red, green, blue = picture[:300].astype(int).transpose(2, 0, 1)
    return int(((blue - red > 120) & (blue - green > 60)).sum())


def counted(api, name):
    """A counter of /metrics, all its labels together."""
    lines = api.request("GET", "/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_a_session_says_how_it_is_captured(lone_api, web):
    """What was asked for is what is; without a word it is what the service is set to."""
    with on_display(lone_api, web, "/still") as room:
        assert lone_api.record(room)["capture"] == "display"
    with lone_api.session(initial_url=web.url("/still"), capture="screencast") as room:
        assert lone_api.record(room)["capture"] == "screencast"
    with lone_api.session(initial_url=web.url("/still")) as room:
        record = lone_api.record(room)
        usual = os.environ.get("CAPTURE") or "display"
        assert (record["capture"], record["capture_reason"]) == (usual, None)


def test_the_video_is_the_page(lone_api, web, watch_whep):
    """The clock runs, and colours are the page's, by no JPEG."""
    with on_display(lone_api, web, "/clock") as room, watch_whep(room) as viewer:
        essentials.sees_clock(viewer)
        assert viewer.size() == (1280, 720)
    before = counted(lone_api, 'ghostcast_stage_seconds_count{stage="decode"}')
    with on_display(lone_api, web, "/patches") as room, watch_whep(room) as viewer:
        essentials.sees_colours(viewer)
    assert counted(lone_api, 'ghostcast_stage_seconds_count{stage="decode"}') == before


def test_a_list_of_choices_is_in_the_video(lone_api, web, watch_whep):
    """An open native list is seen at its place, and nothing of it stays."""
    with on_display(lone_api, web, "/display-chooser.html") as room, watch_whep(room) as viewer:
        box = (100, 140, 200, 60)
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")
        wait_for(lambda: dark(viewer.picture(), *box) == 0, 10, "nothing is below the field")
        lone_api.do(room, "click", x=200, y=112)
        wait_for(lambda: dark(viewer.picture(), *box) > 300, 5, "the open list")
        lone_api.do(room, "press", keys="Escape")
        lone_api.do(room, "hover", x=900, y=600)
        wait_for(lambda: dark(viewer.picture(), *box) == 0, 5, "nothing of the list")
        assert lone_api.run(room, "document.querySelector('#one').value") == "red"


def test_a_date_picker_is_in_the_video(lone_api, web, watch_whep):
    """It is seen below its field, a day of it can be chosen, and nothing of it stays."""
    with on_display(lone_api, web, "/display-date.html") as room, watch_whep(room) as viewer:
        box = (100, 140, 200, 240)
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")
        wait_for(lambda: dark(viewer.picture(), *box) == 0, 10, "nothing is below the field")
        lone_api.do(room, "click", x=288, y=115)
        wait_for(lambda: dark(viewer.picture(), *box) > 1000, 5, "the open picker")
        lone_api.do(room, "press", keys="ArrowRight")
        lone_api.do(room, "press", keys="Enter")
        lone_api.do(room, "hover", x=900, y=600)
        wait_for(lambda: dark(viewer.picture(), *box) == 0, 5, "nothing of the picker")
        assert lone_api.run(room, "document.querySelector('#day').value") == "2024-05-07"


def test_the_right_button_is_the_pages_alone(lone_api, web, watch_whep):
    """The page hears of it, and no menu of the browser's own lies over it, which nobody could close."""
    with on_display(lone_api, web, "/display-menu.html") as room, watch_whep(room) as viewer:
        # Beside the cursor.
        box = (640, 340, 300, 360)
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")
        lone_api.do(room, "click", x=600, y=300, button="right")
        wait_for(lambda: lone_api.run(room, "document.title") == "asked", 5, "the page is told")
        holds_for(lambda: dark(viewer.picture(), *box) == 0, 2, "nothing lies over the page")


def test_an_alert_is_in_the_video(lone_api, web, watch_whep, capture):
    """Its text is seen until it is answered, and nothing of it stays."""
    with (
        lone_api.session(initial_url=web.url("/display-alert.html"), capture=capture) as room,
        watch_whep(room) as viewer,
    ):
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")
        assert button(viewer.picture()) == 0
        lone_api.do(room, "click", x=130, y=112)
        wait_for(lambda: button(viewer.picture()) > 300, 5, "the dialog with its button")
        lone_api.do(room, "handle_dialog", accept=True)
        wait_for(lambda: button(viewer.picture()) == 0, 5, "nothing of the dialog")
        lone_api.do(room, "hover", x=1000, y=600)
        wait_for(lambda: dark(viewer.picture(), 440, 0, 400, 500) == 0, 5, "the page as it was")


def test_the_cursor_looks_as_the_page_asks(lone_api, web, watch_whep, capture):
    """A hand over what can be pressed, a beam over text, an arrow over all else."""
    with (
        lone_api.session(initial_url=web.url("/display-cursors.html"), capture=capture) as room,
        watch_whep(room) as viewer,
    ):
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")

        def ink(x):
            """The columns and rows around a point that are dark, once the cursor rests there."""
            lone_api.do(room, "hover", x=x, y=300)
            part = lambda: viewer.picture()[260:340, x - 40 : x + 40].max(axis=2) < 90
            seen = wait_for(part, 3, "the cursor", accept=lambda part: part.sum() > 25)
            holds_for(lambda: part().sum() > 25, 0.3, "it rests")
            seen = part()
            return np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))

        columns, rows = ink(200)
        assert columns.min() >= 38 and rows.min() >= 38, "an arrow lies right of and below its tip"
        columns, rows = ink(500)
        assert columns.min() < 36 and rows.min() >= 36, "a hand lies below its fingertip, on both sides"
        columns, rows = ink(800)
        assert rows.min() < 34 and rows.max() > 44, "a beam lies around its middle"
        assert abs(columns.mean() - 40) < 3


def test_what_a_page_opens_is_seen_and_left_again(lone_api, web, watch_whep):
    """A tab that a page has opened is shown, and the page before it when that is turned to."""
    with on_display(lone_api, web, "/display-chooser.html") as room, watch_whep(room) as viewer:
        wait_for(lambda: viewer.picture() is not None, 10, "a picture")
        lone_api.do(room, "click", x=115, y=408)
        shows = lambda colour: colour_distance(colour_at(viewer.picture(), 900, 600), colour) < 12
        wait_for(lambda: shows(GREEN), 10, "the tab that was opened")
        lone_api.do(room, "switch_tab", tab=1)
        wait_for(lambda: shows(WHITE), 10, "the page before")
        lone_api.do(room, "switch_tab", tab=2)
        wait_for(lambda: shows(GREEN), 10, "the tab again")
        lone_api.do(room, "close_tab", tab=2)
        wait_for(lambda: shows(WHITE), 10, "the page again")
        lone_api.do(room, "new_tab", url=web.url("/display-aside.html"))
        wait_for(lambda: shows(GREEN), 10, "a tab of ours")


def test_windows_of_one_browser_do_not_mix(lone_api, web, chromium, watch_whep):
    """Each of four sessions shows its own page, started at the same time."""
    colours = ["aa0000", "00aa00", "0000aa", "aaaa00"]
    rooms = [on_display(lone_api, web, f"/still?colour={colour}") for colour in colours]
    entered = [room.__enter__() for room in rooms]
    try:
        for room, colour in zip(entered, colours, strict=True):
            with watch_whep(room) as viewer:
                essentials.sees_block(viewer, colour)
    finally:
        for room in rooms:
            room.__exit__(None, None, None)


def test_nobody_watches_and_all_works(lone_api, web):
    """Unwatched, actions and screenshots take no longer than frames, and nothing is drawn."""
    with on_display(lone_api, web, "/display-small.html") as room:
        drawn = counted(lone_api, "ghostcast_frames_drawn_total")
        captured = counted(lone_api, "ghostcast_frames_captured_total")
        began = time.monotonic()
        for _ in range(5):
            lone_api.do(room, "click", x=900, y=600)
            assert lone_api.request("GET", f"/sessions/{room}/screenshot").status_code == 200
        took = (time.monotonic() - began) / 5
        print(f"a click and a screenshot: {took * 1000:.0f} ms")
        assert took < 2
        assert counted(lone_api, "ghostcast_frames_drawn_total") == drawn
        assert counted(lone_api, "ghostcast_frames_captured_total") == captured
        assert lone_api.record(room)["capturing"] is False


FRAMES = "(window.n = 0, function f() { n++; requestAnimationFrame(f) }(), 0)"


def test_a_page_that_nobody_watches_rests(lone_api, web, watch_whep):
    """Its own frames come once a second, and it has the focus; while somebody watches they come at the rate."""
    with on_display(lone_api, web, "/playing") as room, on_display(lone_api, web, "/playing") as other:

        def frames(room, seconds):
            before = lone_api.run(room, "n")
            # What is done to a page is drawn at full rate for a moment.
            time.sleep(seconds)
            return lone_api.run(room, "n") - before

        for each in (room, other):
            lone_api.run(each, FRAMES)
        assert frames(room, 5) < 15
        with watch_whep(room) as viewer:
            wait_for(lambda: viewer.frame_count() > 10, 10, "it is seen")
            assert frames(room, 3) > 30
        assert frames(other, 5) < 15
        wait_for(lambda: frames(room, 3) < 12, 20, "it rests again")
        focused = [lone_api.run(each, "document.hasFocus()") for each in (room, other)]
        assert focused == [True, True]


def test_a_lost_browser_is_told_and_a_new_one_starts(own_ghostcast, web):
    """kill -9 of the browser: the session fails with words, and the room can be started again."""
    api = own_ghostcast.api
    with on_display(api, web, "/still") as room:
        for pid in own_ghostcast.browsers():
            os.kill(pid, signal.SIGKILL)
        api.wait_record(room, lambda r: r["state"] == "failed", 5, "it has failed")
    with on_display(api, web, "/still") as room:
        assert api.record(room)["capture"] == "display"
        holds_for(lambda: api.record(room)["state"] == "live", 1, "it lives")


def test_without_windows_it_is_refused(ghostcast_bin, web):
    """A Chromium without windows cannot draw to a display, which is said."""
    from support.service import Ghostcast

    shell = "/usr/lib/chromium/chromium-headless-shell"
    assert os.path.exists(shell), "apt-get install chromium-headless-shell"
    service = Ghostcast(ghostcast_bin, env={"GHOSTCAST_BROWSER__EXECUTABLE": shell})
    service.env.pop("GHOSTCAST_BROWSER__CAPTURE", None)
    service.start()
    try:
        spec = {"room_name": "none", "capture": "display"}
        answer = service.api.request("POST", "/sessions", json=spec)
        assert_envelope(answer, 503, "unavailable")
        assert "chromium" in answer.json()["error"]["hint"]
        spec = {"room_name": "none", "capture": "auto"}
        record = service.api.request("POST", "/sessions", json=spec).json()
        assert record["capture"] == "screencast" and "no windows" in record["capture_reason"], record
    finally:
        service.stop()


def test_wherever_temporary_files_lie(ghostcast_bin, web, tmp_path):
    """In the system's usual place and deep below one: Chromium binds sockets there, whose paths are short."""
    from support.service import Ghostcast

    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    for place in ("/tmp", str(deep)):
        service = Ghostcast(ghostcast_bin, env={"TMPDIR": place})
        service.start()
        try:
            with on_display(service.api, web, "/still") as room:
                assert service.api.record(room)["capture"] == "display"
        finally:
            service.stop()
