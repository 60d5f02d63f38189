"""WHEP viewers and the dashboard in a real Chromium, with no LiveKit server configured."""

import time

import pytest

from support import essentials
from support.api import assert_envelope
from support.cdp import Tab
from support.wait import holds_for, wait_for

STILLNESS_S = 30
SDP = {"Content-Type": "application/sdp"}
# A well-formed offer that has no video to send.
OFFER_AUDIO_ONLY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
    "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:actpass\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
)


@pytest.fixture(scope="module", autouse=True)
def rested(lone_ghostcast, web):
    """A still page that is left alone from the module's beginning: (room, visit, since)."""
    visit = web.visit("/still", colour="228877")
    with lone_ghostcast.api.session(initial_url=visit.url) as room:
        visit.wait_note("loaded")
        yield room, visit, time.monotonic()


def whep_viewers(api, room):
    """How many WHEP viewers the record counts."""
    return api.record(room)["viewers"]["whep"]


def test_plays_and_is_counted(lone_api, web, watch_whep):
    """The clock is read, the codec is H.264, and DELETE ends it as it should."""
    with lone_api.session(initial_url=web.url("/clock")) as room:
        assert whep_viewers(lone_api, room) == 0
        with watch_whep(room) as viewer:
            essentials.sees_clock(viewer)
            assert viewer.size() == (1280, 720)
            assert wait_for(viewer.codec, 5, "a codec").lower() == "video/h264"
            record = lone_api.record(room)
            assert record["viewers"] == {"whep": 1, "livekit": False}
            assert record["livekit"] == "none" and record["capturing"] is True
            with watch_whep(room) as second:
                essentials.sees_clock(second)
                assert whep_viewers(lone_api, room) == 2
            wait_for(lambda: whep_viewers(lone_api, room) == 1, 5, "one viewer is left")
            assert viewer.delete().status_code in (200, 204)
            wait_for(lambda: whep_viewers(lone_api, room) == 0, 5, "no viewer is left")
            assert_envelope(viewer.delete(), 404, "not_found")
            count = viewer.frame_count()
            holds_for(lambda: viewer.frame_count() <= count + 2, 1, "no frames after DELETE")
        lone_api.wait_record(room, lambda r: not r["capturing"], 5, "capture has stopped")


def test_vanished_viewer_is_forgotten(lone_api, web, watch_whep):
    """A viewer who closes the window without a word does not keep the capture going."""
    with lone_api.session(initial_url=web.url("/clock")) as room:
        viewer = watch_whep(room)
        wait_for(viewer.frame_count, 10, "frames")
        viewer.tab.close()
        wait_for(lambda: whep_viewers(lone_api, room) == 0, 45, "the viewer is forgotten")


def test_colours(lone_api, web, watch_whep, capture):
    """Colours by the VUI, as Chromium's video element shows them."""
    with lone_api.session(capture=capture, initial_url=web.url("/patches")) as room, watch_whep(room) as viewer:
        essentials.sees_colours(viewer)


def test_cursor(lone_api, web, watch_whep, capture):
    """The cursor is in the picture at the clicked point."""
    with lone_api.session(capture=capture, initial_url=web.url("/still")) as room, watch_whep(room) as viewer:
        essentials.sees_cursor(viewer, lone_api, room, (700, 450), elsewhere=(1000, 200))


def test_pause_and_resume(lone_api, web, watch_whep):
    """The same connection stops and goes on with the current page."""
    with lone_api.session() as room, watch_whep(room) as viewer:
        essentials.paused_and_resumed(viewer, lone_api, room, web)


def test_late_joiner(lone_api, web, watch_whep, capture):
    """A still page is there for a viewer who comes late."""
    visit = web.visit("/still")
    with lone_api.session(capture=capture, initial_url=visit.url) as room, watch_whep(room) as early:
        essentials.sees_load(early, visit)
        essentials.joins_late(lambda: watch_whep(room), visit, "late joiner")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", SDP),
        (b"hello", SDP),
        (b"v=0\r\n", SDP),
        (b"\xff\xfe\x00" * 100, SDP),
        (OFFER_AUDIO_ONLY.encode(), SDP),
        (b"{}", {"Content-Type": "application/json"}),
        (b"v=0\r\n" * 200_000, SDP),
    ],
    ids=["empty", "words", "torso", "bytes", "no video", "not SDP", "huge"],
)
def test_malformed_offers(lone_api, rested, body, headers):
    """Each gets the service's error form, and no viewer comes of it."""
    room, _, _ = rested
    response = lone_api.request("POST", f"/whep/{room}", content=body, headers=headers)
    error = assert_envelope(response)
    assert response.status_code < 500, error
    assert whep_viewers(lone_api, room) == 0


def test_unknown_room(lone_api):
    """There is nothing to watch in a room without a session."""
    offer = {"content": OFFER_AUDIO_ONLY, "headers": SDP}
    assert_envelope(lone_api.request("POST", "/whep/nowhere", **offer), 404, "not_found")
    assert_envelope(lone_api.request("DELETE", "/whep/nowhere/nobody"), 404, "not_found")


def test_close_ends_the_viewers(lone_api, web, watch_whep):
    """A viewer of a closed session is told, not left to wait."""
    room = lone_api.create("watched-and-closed", initial_url=web.url("/clock"))["room_name"]
    viewer = watch_whep(room)
    wait_for(viewer.frame_count, 10, "frames")
    lone_api.close(room)
    count = wait_for(viewer.frame_count, 2, "a count")
    holds_for(lambda: viewer.frame_count() <= count + 2, 1, "no frames after the close")
    viewer.tab.close()


def test_dashboard_plays_and_shows_events(lone_ghostcast, web, chromium):
    """What `deploy/run.sh` points people to: the room's page with video and events."""
    api = lone_ghostcast.api
    with api.session(initial_url=web.url("/clock")) as room:
        with Tab(chromium, f"{api.base}/?room={room}") as tab:
            find = "document.querySelector('video')"
            wait_for(
                lambda: tab.evaluate(f"{find}?.videoWidth"),
                15,
                "the video has a width",
                accept=lambda width: width == 1280,
            )
            start = tab.evaluate(f"{find}.currentTime")
            wait_for(
                lambda: tab.evaluate(f"{find}.currentTime"),
                10,
                "the video advances",
                accept=lambda now: now > start + 0.5,
            )
            visit = web.visit("/form")
            api.do(room, "navigate", url=visit.url)
            for word in ("page_navigation", "action_completed", visit.id):
                wait_for(
                    lambda word=word: word in tab.evaluate("document.body.textContent"),
                    5,
                    f"the dashboard shows {word}",
                )
        wait_for(lambda: whep_viewers(api, room) == 0, 45, "the dashboard stopped watching")


def test_dashboard_lists_rooms(lone_api, rested, chromium):
    """The front page names every room."""
    room, _, _ = rested
    with Tab(chromium, f"{lone_api.base}/") as tab:
        wait_for(lambda: room in tab.evaluate("document.body.textContent"), 5, f"{room} is listed")


def test_joiner_after_thirty_seconds_of_stillness(rested, watch_whep):
    """Stands last: the page has rested since the module began."""
    room, visit, since = rested
    with watch_whep(room) as watching_the_rest:
        essentials.sees_load(watching_the_rest, visit)
        essentials.rest_until(since + STILLNESS_S)
        essentials.joins_late(lambda: watch_whep(room), visit, "after 30 s of stillness")
