"""The badge in the video that says who drives: decoded pictures, at a viewer."""

import io

import numpy as np
import pytest
from PIL import Image

from support.people import Person
from support.service import running_service
from support.viewers import WhepViewer
from support.wait import wait_for

PAGE = b"<!doctype html><title>plain</title><style>body { margin: 0; background: #2244cc }</style>"
# Where the badge may be, and the colour of its dot.
CORNER = (slice(680, 716), slice(4, 270))
DOT = np.array((240, 136, 62))
PLAIN = np.array((34, 68, 204))


@pytest.fixture
def page(web):
    """A page of one colour."""
    web.files["/plain.html"] = PAGE
    return web.url("/plain.html")


def is_marked(picture):
    """Whether there is the dot of a badge in the corner; elsewhere the page is as it is."""
    far = np.abs(picture.astype(int)[100:600, 300:1200] - PLAIN).max(axis=2)
    assert np.percentile(far, 99) < 24, "the page is as it is elsewhere"
    corner = np.abs(picture.astype(int)[CORNER] - DOT).sum(axis=2)
    return bool((corner < 90).sum() > 20)


def width(picture):
    """How wide the badge is, px."""
    corner = np.abs(picture.astype(int)[CORNER] - PLAIN).max(axis=2) > 60
    return int(corner.any(axis=0).sum())


def sees(viewer, is_there, within=6):
    """Waits until a viewer sees a badge, or none."""
    wait_for(lambda: viewer.picture() is not None and is_marked(viewer.picture()) == is_there, within, f"a badge: {is_there}")


def test_it_says_who_drives(api, chromium, web, page):
    """It comes and goes with the driver, is of their name, and is in no screenshot."""
    with api.session(initial_url=page) as room:
        viewer = WhepViewer(chromium, web, api, room)
        sees(viewer, False)
        made = api.request("POST", f"/sessions/{room}/takeover", json={"name": "Ada"}).json()["url"]
        ada = Person(api, room, token=made.rsplit("/", 1)[1])
        ada.take()
        sees(viewer, True)
        short = width(viewer.picture())
        shot = api.get(f"/sessions/{room}/screenshot").content
        assert not is_marked(np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")))
        # A late viewer, and another page.
        late = WhepViewer(chromium, web, api, room)
        sees(late, True)
        ada.say("reload")
        sees(late, True)
        made = api.request("POST", f"/sessions/{room}/takeover", json={"name": "Grace Brewster Murray"}).json()["url"]
        grace = Person(api, room, token=made.rsplit("/", 1)[1])
        grace.take(force=True)
        wait_for(lambda: width(viewer.picture()) > short + 40, 6, "the longer name")
        grace.say("hand_back", done=True)
        sees(viewer, False)
        sees(late, False)
        # Nothing of it is left.
        corner = np.abs(viewer.picture().astype(int)[CORNER] - PLAIN).max(axis=2)
        wait_for(lambda: np.abs(viewer.picture().astype(int)[CORNER] - PLAIN).max() < 24, 6, f"clean: {corner.max()}")
        for one in (viewer, late):
            one.close()


def test_who_drives_privately_has_none(api, chromium, web, page):
    """Neither in their picture nor on the card of the others."""
    with api.session(initial_url=page) as room:
        made = api.request("POST", f"/sessions/{room}/takeover", json={"name": "Ada", "private": True}).json()["url"]
        ada = Person(api, room, token=made.rsplit("/", 1)[1])
        own = WhepViewer(chromium, web, api, room, seat=ada.state["seat"])
        other = WhepViewer(chromium, web, api, room)
        sees(own, False)
        sees(other, False)
        ada.take()
        for _ in range(15):
            picture = other.picture()
            corner = np.abs(picture.astype(int)[CORNER] - DOT).sum(axis=2)
            assert not (corner < 90).any() and not is_marked(own.picture())
            own.tab.evaluate("new Promise((done) => setTimeout(done, 150))")
        for one in (own, other):
            one.close()


@pytest.mark.parametrize("how", ["session", "service"])
def test_it_is_off_by_option(ghostcast_bin, chromium, web, page, how):
    """The session says so, or the service does and the session does not say otherwise."""
    env = {"GHOSTCAST_VIDEO__DRIVER_BADGE": "false"} if how == "service" else {}
    option = {"driver_badge": False} if how == "session" else {}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        with api.session("off", initial_url=page, **option) as room:
            viewer = WhepViewer(chromium, web, api, room)
            sees(viewer, False)
            Person(api, room).take()
            for _ in range(15):
                assert not is_marked(viewer.picture())
                viewer.tab.evaluate("new Promise((done) => setTimeout(done, 150))")
            viewer.close()
        if how == "service":
            with api.session("on", initial_url=page, driver_badge=True) as room:
                viewer = WhepViewer(chromium, web, api, room)
                sees(viewer, False)
                Person(api, room).take()
                sees(viewer, True)
                viewer.close()
