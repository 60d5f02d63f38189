"""The two layers of a room's track: who asks for which, and who can carry which, gets it."""

import time

import pytest

from support.viewers import ClientJsViewer
from support.wait import holds_for, wait_for

FULL, LOW = (1280, 720), (640, 360)
# The server tells five seconds later of a layer that nobody is subscribed to any more.
TOLD_WITHIN_S = 15
# What a machine that runs the browser, both servers and all viewers on two cores adds.
NOISE = 0.7


@pytest.fixture
def watch(chromium, web, livekit_server):
    """Makes subscribers, behind a narrow way if told so."""
    return lambda room, rate_bps=None: ClientJsViewer(chromium, web, livekit_server, room, rate_bps)


def encoded(api, layer=""):
    """How many pictures of the full layer were encoded, or of the low one."""
    name = f"ghostcast_{layer}frames_encoded_total"
    lines = [line.split() for line in api.request("GET", "/metrics").text.splitlines()]
    return sum(int(line[-1]) for line in lines if line and line[0].split("{")[0] == name)


def pictures_in(seconds, *viewers):
    """How many pictures each of them is shown meanwhile."""
    before = [viewer.frame_count() for viewer in viewers]
    time.sleep(seconds)
    return [viewer.frame_count() - count for viewer, count in zip(viewers, before, strict=True)]


def test_a_subscriber_is_given_the_layer_that_it_asks_for(api, web, watch):
    """Another one, and the other layer, go on; and the same way back."""
    with api.session(initial_url=web.url("/snow")) as room, watch(room) as one, watch(room) as other:
        for viewer in (one, other):
            wait_for(lambda viewer=viewer: viewer.size() == FULL, 10, "it sees the whole picture")
        one.ask_for("LOW")
        wait_for(lambda: one.size() == LOW, 10, "half the size is what it gets")
        few, many = pictures_in(4, one, other)
        assert few > 4 * 8 * NOISE * NOISE and many > few, (few, many)
        assert (one.size(), other.size()) == (LOW, FULL)
        one.ask_for("HIGH")
        wait_for(lambda: one.size() == FULL, 10, "it has the whole picture again")


def test_small_print_that_scrolls_goes_on_in_half_the_size(api, web, watch):
    """It is encoded as video, whose pictures the library makes far too large for so few bits."""
    with api.session(initial_url=web.url("/lines?dense=1")) as room, watch(room) as viewer:
        wait_for(viewer.first_frame_at, 10, "it sees something")
        viewer.ask_for("LOW")
        wait_for(lambda: viewer.size() == LOW, 10, "half the size is what it gets")
        time.sleep(3)
        (few,) = pictures_in(8, viewer)
        assert few > 8 * 8 * NOISE * NOISE, few


def test_a_layer_that_nobody_asks_for_is_not_encoded(api, web, watch):
    """Judged by what is encoded while the subscriber goes on to see pictures."""
    with api.session(initial_url=web.url("/snow")) as room, watch(room) as viewer:
        wait_for(lambda: viewer.size() == FULL, 10, "it sees the whole picture")
        viewer.ask_for("LOW")
        wait_for(lambda: viewer.size() == LOW, 10, "half the size is what it gets")

        def rests():
            before = encoded(api)
            time.sleep(1)
            return encoded(api) - before <= 1

        wait_for(rests, TOLD_WITHIN_S, "the whole picture is not encoded any more")
        before = encoded(api), encoded(api, "low_")
        (shown,) = pictures_in(4, viewer)
        full, low = encoded(api) - before[0], encoded(api, "low_") - before[1]
        assert full <= 2 and low >= shown > 4 * 8 * NOISE * NOISE, (full, low, shown)
        viewer.ask_for("HIGH")
        wait_for(lambda: viewer.size() == FULL, 10, "it has the whole picture again")


def test_a_still_page_costs_no_second_layer(api, web, watch):
    """Beats of it go out, and nothing else."""
    with api.session(initial_url=web.url("/blank")) as room, watch(room) as viewer:
        wait_for(lambda: viewer.size() == FULL, 10, "it sees the whole picture")
        time.sleep(3)
        before = encoded(api, "low_")
        time.sleep(4)
        assert encoded(api, "low_") - before <= 6
        holds_for(lambda: viewer.size() == FULL, 2, "it stays whole")


def test_a_subscriber_behind_a_narrow_way_costs_the_others_nothing(api, web, watch):
    """By a way of 600 kb/s it has a picture soon, and goes on to have some; the other one sees what it saw alone."""
    with api.session(initial_url=web.url("/snow")) as room, watch(room) as wide:
        wait_for(lambda: wide.size() == FULL, 10, "the wide one sees it")
        (alone,) = pictures_in(4, wide)
        with watch(room, 600_000) as narrow:
            wait_for(narrow.first_frame_at, 10, "the narrow one sees something")
            assert narrow.first_frame_at() - narrow.connecting_at() < 3 / NOISE
            wait_for(lambda: narrow.size() == LOW, 10, "half the size is what comes through")
            time.sleep(3)
            few, many = pictures_in(6, narrow, wide)
            assert narrow.size() == LOW and wide.size() == FULL
            assert few > 6 * 8 * NOISE * NOISE, (few, many)
            assert many > alone / 4 * 6 * NOISE * NOISE, (alone, many)


def test_who_is_alone_behind_a_narrow_way_comes_up_to_the_whole_picture(api, web, watch):
    """Text that scrolls takes less than the 600 kb/s of the way; a keyframe of it, as good as can be, does not come through."""
    with api.session(initial_url=web.url("/lines")) as room, watch(room, 600_000) as narrow:
        wait_for(narrow.first_frame_at, 10, "it sees something")

        def smooth():
            (count,) = pictures_in(5, narrow)
            return count if narrow.size() == FULL else 0

        wait_for(smooth, 60, "the whole picture in motion", accept=lambda count: count > 5 * 15)
