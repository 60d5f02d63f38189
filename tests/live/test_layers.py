"""Viewers on links of their own: who carries little gets half the size, and costs the others nothing."""

import statistics
import time

import pytest

from support.viewers import WhepViewer
from support.wait import holds_for, wait_for

FULL, LOW = (1280, 720), (640, 360)
WINDOW_S = 5
CLOCK_PERIOD_MS = 2**32
# What a machine that runs the browser, the service and all viewers on two cores adds.
NOISE = 0.7


@pytest.fixture
def watch(chromium, web, lone_api):
    """Makes WHEP viewers, behind a narrow way if told so."""
    return lambda room, rate_bps=None: WhepViewer(chromium, web, lone_api, room, rate_bps=rate_bps)


def seen(viewer, since, until):
    """Pictures a second that were new, and their median latency in ms."""
    shown = {}
    for frame in viewer.frames():
        if frame["clock"] is not None and since <= frame["seen"] < until:
            shown.setdefault(frame["clock"], frame["seen"])
    latencies = [(at * 1000 - clock) % CLOCK_PERIOD_MS for clock, at in shown.items()]
    fps, p50 = len(shown) / (until - since), statistics.median(latencies) if latencies else None
    print(f"{fps:.1f} a second, p50 {p50} ms")
    return fps, p50


def watched_for(seconds, *viewers):
    """Lets so much time pass; gives what each of the viewers saw of it."""
    since = time.time()
    time.sleep(seconds)
    return [seen(viewer, since, since + seconds) for viewer in viewers]


def low_viewers(api, room):
    """How many the record says are given the low layer."""
    return api.record(room)["video"]["low_viewers"]


def low_pictures(api):
    """How many pictures of the low layer were encoded."""
    lines = api.request("GET", "/metrics").text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("ghostcast_low_frames_encoded_total"))


def test_one_narrow_viewer_costs_the_others_nothing(lone_api, web, watch):
    """Half the size by a way of 300 kb/s, about as many pictures as there are and ten at most; the other one sees
    what it saw alone."""
    with lone_api.session(initial_url=web.url("/snow")) as room, watch(room) as wide:
        wait_for(lambda: wide.size() == FULL, 10, "the wide one sees it")
        ((alone, _),) = watched_for(WINDOW_S, wide)
        assert low_pictures(lone_api) == 0, "nobody needs it"
        with watch(room, 300_000) as narrow:
            wait_for(lambda: narrow.size() == LOW, 10, "the narrow one sees half the size")
            wait_for(lambda: low_viewers(lone_api, room) == 1, 3, "the record tells of it")
            (beside, p50), (fps, late) = watched_for(WINDOW_S, wide, narrow)
            assert narrow.size() == LOW and wide.size() == FULL
            assert beside >= alone * NOISE * NOISE
            assert fps >= min(8, beside) * NOISE and late <= p50 + 600
        wait_for(lambda: low_viewers(lone_api, room) == 0, 5, "nobody needs it any more")


def test_who_is_alone_on_a_narrow_way_keeps_the_whole_picture(lone_api, web, watch):
    """Nobody else would gain by its leaving: few bits are spent on the full size."""
    with lone_api.session(initial_url=web.url("/snow")) as room, watch(room, 400_000) as viewer:
        wait_for(lambda: viewer.size() == FULL, 10, "it sees it")
        count = viewer.frame_count()
        holds_for(lambda: viewer.size() == FULL, 4, "the whole picture stays")
        assert viewer.frame_count() > count + 4
