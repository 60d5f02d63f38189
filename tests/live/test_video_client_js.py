"""The official livekit-client in a real Chromium page watches: the same essentials."""

import time

import pytest

from support import essentials

STILLNESS_S = 30
# ParticipantInfo.Kind of LiveKit's protocol.
KIND_AGENT = 4


@pytest.fixture(scope="module", autouse=True)
def rested(ghostcast, web):
    """A still page that is left alone from the module's beginning: (room, visit, since)."""
    visit = web.visit("/still", colour="aa7722")
    with ghostcast.api.session(initial_url=visit.url) as room:
        visit.wait_note("loaded")
        yield room, visit, time.monotonic()


def test_track_facts(api, web, watch_js):
    """livekit-client shows the track as a screen share of an agent."""
    with api.session(initial_url=web.url("/clock")) as room, watch_js(room) as viewer:
        facts = viewer.facts()
        assert facts["source"] == "screen_share"
        assert facts["mime_type"].lower() == "video/h264"
        assert facts["participant_kind"] == KIND_AGENT and facts["is_agent"] is True
        assert facts["attributes"]["lk.publish_on_behalf"] == facts["identity"]


@pytest.mark.alone
def test_clock(api, web, watch_js):
    """Frames drawn to a canvas show the painted clock."""
    with api.session(initial_url=web.url("/clock")) as room, watch_js(room) as viewer:
        essentials.sees_clock(viewer)
        assert viewer.size() == (1280, 720)


def test_colours(api, web, watch_js):
    """Chromium goes by the VUI where the SDK does not; both must come out right."""
    with api.session(initial_url=web.url("/patches")) as room, watch_js(room) as viewer:
        essentials.sees_colours(viewer)


def test_cursor(api, web, watch_js):
    """The cursor is in the picture at the clicked point."""
    with api.session(initial_url=web.url("/still")) as room, watch_js(room) as viewer:
        essentials.sees_cursor(viewer, api, room, (640, 500), elsewhere=(1000, 200))


def test_pause_and_resume(api, web, watch_js):
    """The video stops and comes back with the current page."""
    with api.session() as room, watch_js(room) as viewer:
        essentials.paused_and_resumed(viewer, api, room, web)


def test_late_joiner(api, web, watch_js):
    """A still page is there for a viewer who comes late."""
    visit = web.visit("/still")
    with api.session(initial_url=visit.url) as room, watch_js(room) as early:
        essentials.sees_load(early, visit)
        essentials.joins_late(lambda: watch_js(room), visit, "late joiner")


def test_joiner_after_thirty_seconds_of_stillness(rested, watch_js):
    """Stands last: the page has rested since the module began, with nobody watching."""
    room, visit, since = rested
    essentials.rest_until(since + STILLNESS_S)
    essentials.joins_late(lambda: watch_js(room), visit, "after 30 s of stillness")
