"""Viewers on links of their own: who carries little gets half the size, and costs the others nothing."""

import statistics
import time

import pytest

from support.viewers import WhepViewer
from support.wait import holds_for, wait_for

FULL, LOW = (1280, 720), (640, 360)
WINDOW_S = 6
# What a machine that runs the browser, the service and all viewers on two cores adds.
NOISE = 0.85


@pytest.fixture
def watch(chromium, web, lone_api):
    """Makes WHEP viewers, behind a narrow way if told so."""
    return lambda room, rate_bps=None: WhepViewer(chromium, web, lone_api, room, rate_bps=rate_bps)


def seen(viewer, since, until):
    """Pictures a second that were new, their median latency in ms, and the longest gap in s."""
    shown = {}
    for frame in viewer.frames():
        if frame["clock"] is not None and since <= frame["seen"] < until:
            shown.setdefault(frame["clock"], frame["seen"])
    latencies = [(at * 1000 - clock) % 2**32 for clock, at in shown.items()]
    times = [since, *sorted(shown.values()), until]
    gap = max(after - before for before, after in zip(times, times[1:], strict=False))
    p50 = statistics.median(latencies) if latencies else None
    frames = [f for f in viewer.frames() if since <= f["seen"] < until]
    print(f"{len(frames)} frames, {sum(f['clock'] is None for f in frames)} unread, {viewer.way and viewer.way.dropped} dropped")
    print(f"{len(shown) / (until - since):.1f} a second, p50 {p50} ms, longest gap {gap:.2f} s")
    return len(shown) / (until - since), p50, gap


def watched_for(seconds, *viewers):
    """Lets so much time pass; gives what each of the viewers saw of it."""
    since = time.time()
    time.sleep(seconds)
    return [seen(viewer, since, since + seconds) for viewer in viewers]


def test_one_narrow_viewer_costs_the_others_nothing(lone_api, web, watch):
    """600 kb/s: a picture within 3 s, half the size, 8 a second; the other one sees what it saw alone; and
    when the way is wide again it is given the whole picture."""
    with lone_api.session(initial_url=web.url("/prose")) as room, watch(room) as wide:
        wait_for(lambda: wide.size() == FULL, 10, "the wide one sees it")
        time.sleep(2)
        ((fps, p50, _),) = watched_for(WINDOW_S, wide)
        with watch(room, 600_000) as narrow:
            wait_for(narrow.first_frame_at, 10, "the narrow one sees something")
            assert narrow.first_frame_at() - narrow.connecting_at() < 3
            wait_for(lambda: narrow.size() == LOW, 6, "the narrow one sees half the size")
            wait_for(
                lambda: lone_api.record(room)["video"].get("low_viewers", 1) == 1, 3, "the record tells of it"
            )
            time.sleep(1)
            (wide_fps, wide_p50, _), (narrow_fps, _, gap) = watched_for(WINDOW_S, wide, narrow)
            assert narrow.size() == LOW and wide.size() == FULL
            assert narrow_fps >= 8 * NOISE and gap < 1.5
            assert wide_fps >= fps * NOISE and wide_p50 <= p50 / NOISE + 30
            narrow.way.rate_bps = 0
            wait_for(lambda: narrow.size() == FULL, 25, "it sees the whole picture again")
            assert lone_api.record(room)["video"].get("low_viewers", 0) == 0


def test_who_is_alone_on_a_narrow_way_keeps_the_whole_picture(lone_api, web, watch):
    """Nobody else would gain by its leaving: few bits are spent on the full size."""
    with lone_api.session(initial_url=web.url("/prose")) as room, watch(room, 600_000) as viewer:
        wait_for(lambda: viewer.size() == FULL, 10, "it sees it")
        holds_for(lambda: viewer.size() == FULL, 5, "the whole picture stays")
        ((fps, _, _),) = watched_for(3, viewer)
        assert fps >= 10
