"""What every kind of viewer must see, whichever way the video reaches it."""

import time

from . import pictures
from .subscriber import percentiles
from .wait import holds_for, wait_for

# A subscriber's first picture: the contract's bar for joining a live room is 1 s; the margin is
# for a machine that runs the tests, the browser and both ends of the video on two cores.
JOIN_S = 2.0
# Frames that are on their way when a pause takes hold.
IN_FLIGHT_S = 1.5
COLOUR_TOLERANCE = 3


def hex_rgb(colour):
    """`cc3333` as numbers."""
    return tuple(bytes.fromhex(colour))


def sees_clock(viewer, frames=30, latency_ms_max=1000):
    """The viewer reads the painted clock, moving and fresh."""
    latencies = wait_for(
        viewer.latencies_ms,
        15,
        f"{frames} different readings of the clock",
        accept=lambda values: len(values) >= frames,
    )
    # The first frames come from the start-up of decoder and connection.
    p50, p95 = percentiles(latencies[5:])
    print(f"painted clock to decoded pixel: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    assert -5 <= p50 <= latency_ms_max, latencies


def sees_load(viewer, visit, within=5):
    """The viewer shows that very load of the page which the visit noted."""
    painted = visit.wait_note("loaded")
    wait_for(
        viewer.newest_clock,
        within,
        f"the viewer shows the page's load {painted}",
        accept=lambda clock: clock == painted,
    )


def sees_colours(viewer):
    """Every flat patch comes out within the tolerance, once the still has replaced the JPEG."""

    def worst():
        picture = viewer.picture()
        return (255, None, None) if picture is None else pictures.worst_patch(picture)

    found = wait_for(
        worst, 8, "patches within tolerance", accept=lambda row: row[0] <= COLOUR_TOLERANCE
    )
    print(f"worst patch: off by {found[0]}, seen {found[1]}, painted {found[2]}")


def sees_block(viewer, colour, within=5, tolerance=12):
    """The page's block of colour is on the picture."""

    def seen():
        picture = viewer.picture()
        return picture is not None and pictures.block_colour(picture)

    return wait_for(
        seen,
        within,
        f"the viewer sees the block {hex_rgb(colour)}",
        accept=lambda rgb: rgb and pictures.colour_distance(rgb, hex_rgb(colour)) <= tolerance,
    )


def sees_cursor(viewer, api, room, point, elsewhere):
    """A click brings the cursor's pixels to the point and to nowhere else; later it is gone."""
    x, y = point
    # A server of rooms may begin with a smaller one.
    wait_for(
        viewer.picture,
        5,
        "a whole picture",
        accept=lambda picture: picture is not None and picture.shape[0] > y + 38 and picture.shape[1] > x + 38,
    )

    before = wait_for(
        viewer.picture,
        10,
        "a picture that is white around the point",
        accept=lambda picture: picture[y - 2 : y + 38, x - 2 : x + 38].min() > 235,
    )

    def changed(at):
        return pictures.changed_pixels(before, viewer.picture(), *at)

    api.do(room, "click", x=x, y=y)
    count = wait_for(
        lambda: changed(point),
        2.5,
        f"cursor pixels at {point}",
        accept=lambda n: n >= pictures.CURSOR_PIXELS_MIN,
    )
    print(f"cursor: {count} pixels at {point}")
    assert changed(elsewhere) == 0, "the picture changed where no cursor is"
    wait_for(lambda: changed(point), 10, "the cursor disappears when idle", accept=lambda n: n == 0)


def paused_and_resumed(viewer, api, room, web):
    """Pausing stops the pictures only; resuming shows the page as it is by then."""
    before = web.visit("/still", colour="2244cc")
    api.do(room, "navigate", url=before.url)
    sees_block(viewer, "2244cc")
    api.post(room, "pause")
    api.wait_record(room, lambda r: r["state"] == "paused", 3, "the session is paused")
    time.sleep(IN_FLIGHT_S)
    count = viewer.frame_count()
    during = web.visit("/still", colour="22aa44")
    api.do(room, "navigate", url=during.url)
    during.wait_note("loaded")
    holds_for(lambda: viewer.frame_count() == count, 2, "no new frames while paused")
    assert api.record(room)["capturing"] is False
    api.post(room, "resume")
    api.wait_record(room, lambda r: r["state"] == "live", 3, "the session is live again")
    sees_block(viewer, "22aa44")
    sees_load(viewer, during)


def joins_late(make_viewer, visit, what):
    """A viewer that joins now sees the still page's load, soon after it began to connect."""
    with make_viewer() as viewer:
        wait_for(viewer.first_frame_at, 10, f"{what}: a first frame")
        took = viewer.first_frame_at() - viewer.connecting_at()
        print(f"{what}: first frame {took:.2f} s after connecting")
        sees_load(viewer, visit, within=2)
        assert took <= JOIN_S, f"{what}: {took:.2f} s"


def rest_until(moment):
    """Waits for the rest of a stillness that began earlier; time is the subject."""
    time.sleep(max(0.0, moment - time.monotonic()))
