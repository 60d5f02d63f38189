"""How old a picture is when it is shown, of a page that moves all the time."""

import statistics
import time

import pytest

from support.subscriber import first_sights
from support.wait import wait_for

# What is measured is time.
pytestmark = pytest.mark.alone

FPS, SESSIONS = 30, 3
# By then one that began a slot late has caught up.
BEGUN_S, MEASURED_S = 3, 3


def test_a_page_that_moves_is_shown_in_time(lone_api, web, watch_whep):
    """However a session begins: a picture is shown well before the next one is drawn."""
    visit = web.visit("/clock")
    for _ in range(SESSIONS):
        with lone_api.session(initial_url=visit.url, fps=FPS, capture="display") as room, watch_whep(room) as viewer:
            wait_for(viewer.first_frame_at, 10, "a first frame")
            time.sleep(BEGUN_S)
            since = viewer.frame_count()
            time.sleep(MEASURED_S)
            ages = first_sights(viewer.frames()[since:])
            print(f"{len(ages)} pictures, {statistics.median(ages):.0f} ms old")
            assert statistics.median(ages) < 1000 / FPS
