"""A kept session whose browser is lost while people watch: the picture stands still, and goes on."""

import os
import signal
import time

import pytest
from livekit import api as livekit_api

from support.api import new_room
from support.kept import browser_of, start
from support.subscriber import PythonSubscriber
from support.viewers import WhepViewer
from support.wait import wait_for

# A browser of its own is started and killed: what others time beside it would suffer.
pytestmark = pytest.mark.alone

BACK_WITHIN_S = 15
TYPES = ("stream_state", "browser_error")


def publisher(server, room):
    """The ids of the publishing participant and of its track, as the LiveKit server has them."""

    async def ask(service):
        asked = livekit_api.ListParticipantsRequest(room=room)
        return await service.list_participants(asked)

    found = [one for one in server.administer(ask).participants if one.tracks]
    assert len(found) == 1, found
    return found[0].sid, found[0].tracks[0].sid


def watched(api, web, server, chromium, house):
    """A kept session in a room, and one viewer by each way."""
    room, name = new_room("kept-room"), "watched"
    start(
        api,
        name,
        room_name=room,
        initial_url=web.url("/clock"),
        viewport={"width": 1280, "height": 720},
    )
    viewers = [PythonSubscriber(server, room), WhepViewer(chromium, web, api, name)]
    for viewer in viewers:
        wait_for(viewer.newest_clock, 15, "the page is seen")
    return room, name, viewers


def test_viewers_stay_while_the_browser_is_started_again(house, web, livekit_server, chromium):
    """Nobody joins again: the same participant, the same track, the same connections."""
    service = house(**livekit_server.env())
    api = service.api
    room, name, viewers = watched(api, web, livekit_server, chromium, house)
    before = publisher(livekit_server, room)
    with api.events(name, TYPES) as events:
        killed = time.time()
        os.kill(browser_of(service, name), signal.SIGKILL)
        events.wait("browser_error", 5)
        api.wait_record(name, lambda record: record["state"] == "live", BACK_WITHIN_S, "it is back")
        told = [event["state"] for event in events.of("stream_state")]
    assert told == ["failed", "live"], told
    # The clock of a page that was painted after the kill.
    for viewer in viewers:
        wait_for(
            lambda viewer=viewer: [
                frame
                for frame in viewer.frames()[-30:]
                if frame["seen"] > killed + 1 and frame["clock"]
            ],
            BACK_WITHIN_S,
            f"{type(viewer).__name__} sees the page again",
        )
        seen = viewer.newest_clock()
        wait_for(
            viewer.newest_clock, 5, "and it moves", accept=lambda clock, seen=seen: clock != seen
        )
    assert publisher(livekit_server, room) == before
    record = api.record(name)
    assert record["viewers"] == {"whep": 1, "livekit": True}, record["viewers"]
    assert record["livekit"] == "connected"
    # A viewer of the session before is one of this one: it can be ended by its address.
    assert viewers[1].delete().status_code in (200, 204)
    wait_for(lambda: api.record(name)["viewers"]["whep"] == 0, 5, "it is ended")
    # What was paused stays paused, and goes on when it is told to.
    api.post(name, "pause")
    os.kill(browser_of(service, name), signal.SIGKILL)
    api.wait_record(
        name, lambda record: record["state"] == "paused", BACK_WITHIN_S, "it is paused again"
    )
    assert publisher(livekit_server, room) == before
    api.post(name, "resume")
    count = viewers[0].frame_count()
    wait_for(lambda: viewers[0].frame_count() > count + 5, 10, "and goes on")
    viewers[0].close()
    viewers[1].tab.close()
    assert not service.stop()


def test_viewers_are_let_go_when_it_is_not_started_again(house, web, livekit_server, chromium):
    """After the third time in ten minutes it is failed: told with the reason, and the room is left."""
    service = house(**livekit_server.env())
    api = service.api
    room, name, viewers = watched(api, web, livekit_server, chromium, house)
    with api.events(name, TYPES) as events:
        for _ in range(3):
            os.kill(browser_of(service, name), signal.SIGKILL)
            time.sleep(0.3)
            api.wait_record(
                name, lambda record: record["state"] == "live", BACK_WITHIN_S, "it is back"
            )
        os.kill(browser_of(service, name), signal.SIGKILL)
        last = events.wait("stream_state", 10, lambda event: "4 times" in event["reason"])
    assert last["state"] == "failed"
    wait_for(
        lambda: not any(one.startswith("ghostcast") for one in livekit_server.identities(room)),
        10,
        "the room is left",
    )
    assert api.record(name)["viewers"] == {"whep": 0, "livekit": False}
    for viewer in viewers:
        viewer.close() if isinstance(viewer, PythonSubscriber) else viewer.tab.close()
    assert not service.stop()
