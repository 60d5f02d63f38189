"""What costs nothing when nobody looks, and little when nothing moves."""

import time

import pytest

from support import essentials, procs
from support.wait import wait_for

pytestmark = pytest.mark.alone

# Share of one core of the service's own process.
UNWATCHED_PERCENT_MAX = 1.0
STILL_PERCENT_MAX = 6.0
MEASURE_S = 5
START_S = 4
HEARTBEAT_PER_S_MIN = 0.8
FIRST_PICTURE_S_MAX, FIRST_VIEWERS = 1.0, 3


@pytest.fixture(scope="module")
def busy(ghostcast, web):
    """A page that repaints at every frame."""
    visit = web.visit("/clock")
    with ghostcast.api.session(initial_url=visit.url) as room:
        visit.wait_note("loaded")
        yield room


def test_unwatched_page_is_not_captured(ghostcast, api, busy):
    """The page repaints at 60 Hz and our process sleeps."""
    api.wait_record(busy, lambda r: not r["capturing"], 5, "nothing is captured")
    # Starting and connecting is not the subject.
    time.sleep(START_S)
    encoded = api.record(busy)["video"]["frames_encoded"]
    percent = procs.cpu_percent(ghostcast.pid, MEASURE_S)
    print(f"nobody watches a repainting page: {percent:.1f} % of a core in our process")
    assert percent <= UNWATCHED_PERCENT_MAX
    record = api.record(busy)
    assert record["capturing"] is False and record["video"]["frames_encoded"] == encoded


def test_first_viewer_gets_a_picture_at_once(api, busy, subscribe):
    """Capture starts with the first subscriber, and stops after the last one.

    Whoever comes alone is the first: a machine that stands still for a moment spoils one of several.
    """
    took = []
    for _ in range(FIRST_VIEWERS):
        with subscribe(busy) as viewer:
            wait_for(viewer.first_frame_at, 10, "a first frame")
            took.append(viewer.first_frame_at() - viewer.connecting_at())
            print(f"first decoded frame {took[-1]:.2f} s after connecting")
            essentials.sees_clock(viewer)
            api.wait_record(
                busy, lambda r: r["capturing"] and r["viewers"]["livekit"], 5, "capture is on"
            )
            video = api.record(busy)["video"]
            assert video["fps"] > 5 and video["bitrate_bps"] > 0, video
        api.wait_record(busy, lambda r: not r["capturing"], 30, "capture is off again")
        if took[-1] <= FIRST_PICTURE_S_MAX:
            return
    raise AssertionError(f"no first viewer has a picture within {FIRST_PICTURE_S_MAX} s: {took}")


def test_still_page_with_a_viewer(ghostcast, api, web, subscribe):
    """A heartbeat keeps the stream alive, and costs next to nothing."""
    visit = web.visit("/still")
    with api.session(initial_url=visit.url) as room, subscribe(room) as viewer:
        essentials.sees_load(viewer, visit)
        # Let the still replace the JPEG first, and the first keyframes be asked for.
        time.sleep(2)
        count, start = viewer.frame_count(), time.monotonic()
        percent = procs.cpu_percent(ghostcast.pid, MEASURE_S)
        rate = (viewer.frame_count() - count) / (time.monotonic() - start)
        print(f"still page, one viewer: {percent:.1f} % of a core, {rate:.2f} frames a second")
        assert percent <= STILL_PERCENT_MAX
        assert HEARTBEAT_PER_S_MIN <= rate <= 3
