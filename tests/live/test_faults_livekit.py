"""A LiveKit server that does not want the browser, and a network that does not carry it."""

import contextlib
import time

import pytest

from support import essentials, faults
from support.api import assert_envelope, new_room
from support.faults import Ground
from support.livekit_server import LiveKitServer
from support.network import Network
from support.service import running_service
from support.subscriber import PythonSubscriber
from support.wait import holds_for, wait_for

UNWANTED = [fault for fault in faults.SERVER_FAULTS if fault.after == "recover"]
# How long a fault of the network lasts, beyond its announcement.
LASTS_S = 3
# The machine's own hiccups, with all of the suite's processes on it, take up to half of this.
GAP_S_MAX = 1.0


@pytest.fixture
def livekit_ghostcast(ghostcast_bin, own_livekit):
    """A service whose LiveKit server is the test's own."""
    with running_service(ghostcast_bin, env=own_livekit.env()) as service:
        yield service


@pytest.fixture
def far_livekit(livekit_server_bin):
    """A LiveKit server in a network that can be broken."""
    network = Network().open()
    server = LiveKitServer(livekit_server_bin, network=network)
    try:
        yield server.start()
    finally:
        server.stop()
        network.close()


@pytest.fixture
def far_ghostcast(ghostcast_bin, far_livekit):
    """A service on the near side of that network."""
    with running_service(ghostcast_bin, env=far_livekit.env()) as service:
        yield service


def assert_back(api, room, server, within=faults.LIVEKIT_BACK_S):
    """The session is whole, and a viewer in the room sees its page live."""
    api.wait_record(room, lambda r: r["livekit"] == "connected", within, "LiveKit is back")
    assert api.record(room)["state"] == "live"
    with PythonSubscriber(server, room) as viewer:
        essentials.sees_clock(viewer)
    assert api.get("/health").json()["status"] == "healthy"


@pytest.mark.parametrize("fault", UNWANTED, ids=str)
def test_unwanted(livekit_ghostcast, own_livekit, web, fault):
    """No fight for the room: the reason is told, and the browser waits until recover is called."""
    api = livekit_ghostcast.api
    with (
        api.session(initial_url=web.url("/clock")) as room,
        api.events(room, types=["stream_state"]) as events,
    ):
        ground = Ground(livekit_ghostcast, own_livekit, room)
        with PythonSubscriber(own_livekit, room) as viewer:
            wait_for(viewer.frame_count, 10, "frames before")
        with ground.undo:
            start = time.monotonic()
            fault.inject(ground)
            said = events.wait("stream_state", within=fault.within, accept=fault.announces)
            print(f"{fault}: told after {time.monotonic() - start:.2f} s: {said['reason']}")
            record = api.record(room)
            assert (record["state"], record["livekit"]) == ("reconnecting", "failed"), record
            context = api.context(room)
            assert context["state_reason"] == said["reason"] and context["livekit"] == "failed"
            count = len(events.of("stream_state"))
            holds_for(lambda: api.record(room)["livekit"] == "failed", LASTS_S, "no fight")
            assert len(events.of("stream_state")) == count
            api.do(room, "scroll", direction="down")
            taken = api.request("POST", "/sessions", json={"room_name": room})
            assert "recover" in assert_envelope(taken, 409, "conflict")["hint"]
            start = time.monotonic()
            api.post(room, "recover")
            print(f"{fault}: recovered in {time.monotonic() - start:.2f} s")
        assert_back(api, room, own_livekit)


def test_expired_token(own_ghostcast, own_livekit, web):
    """A caller's token that has expired is named as the cause; recover takes a new one."""
    api, room = own_ghostcast.api, new_room("expired")
    old = own_livekit.token("mine", room, publish=True, hours=-2)
    api.create(
        room, livekit_url=own_livekit.url, livekit_token=old, initial_url=web.url("/clock")
    )
    record = api.wait_record(room, lambda r: r["livekit"] == "failed", 10, "the refusal is told")
    assert "token" in record["state_reason"] and "expired" in record["state_reason"], record
    refusal = assert_envelope(api.request("POST", f"/sessions/{room}/recover"), 503)
    assert "expired" in refusal["message"] and "livekit_token" in refusal["hint"], refusal
    wrong = api.request("POST", f"/sessions/{room}/recover", json={"livekit_tokn": "x"})
    assert_envelope(wrong, 400, "invalid_input")
    new = own_livekit.token("mine", room, publish=True)
    start = time.monotonic()
    api.post(room, "recover", json={"livekit_token": new})
    print(f"recovered with a new token in {time.monotonic() - start:.2f} s")
    assert_back(api, room, own_livekit)
    # The newest token is kept: the way back after a loss needs no help.
    own_livekit.stop()
    api.wait_record(room, lambda r: r["livekit"] == "reconnecting", 20, "the loss is noticed")
    own_livekit.start()
    assert_back(api, room, own_livekit)
    api.close(room)


def test_new_token_for_a_session_without_livekit(lone_api):
    """There is no room to join with it."""
    with lone_api.session() as room:
        answer = lone_api.request(
            "POST", f"/sessions/{room}/recover", json={"livekit_token": "a.b.c"}
        )
        assert_envelope(answer, 400, "invalid_input")
        lone_api.post(room, "recover")


def test_own_token_is_renewed(livekit_ghostcast, own_livekit, web):
    """The service mints a token of its own for each connection."""
    api = livekit_ghostcast.api
    with api.session(initial_url=web.url("/clock")) as room:
        api.wait_record(room, lambda r: r["livekit"] == "connected", 10, "connected")
        for _ in range(2):
            faults.kick(Ground(livekit_ghostcast, own_livekit, room))
            api.wait_record(room, lambda r: r["livekit"] == "failed", 5, "removed")
            api.post(room, "recover")
        assert_back(api, room, own_livekit)


def test_recover_brings_livekit_back(livekit_ghostcast, own_livekit, web):
    """LiveKit lost and the browser alive: recover succeeds once the server is back, with video."""
    api = livekit_ghostcast.api
    with api.session(initial_url=web.url("/clock")) as room:
        api.wait_record(room, lambda r: r["livekit"] == "connected", 10, "connected")
        own_livekit.stop()
        api.wait_record(room, lambda r: r["livekit"] == "reconnecting", 20, "the loss is noticed")
        own_livekit.start()
        start = time.monotonic()
        api.post(room, "recover")
        print(f"recover answered after {time.monotonic() - start:.2f} s")
        assert api.record(room)["livekit"] == "connected"
        assert_back(api, room, own_livekit)


@pytest.mark.alone
@pytest.mark.root
@pytest.mark.parametrize("fault", faults.NETWORK_FAULTS, ids=str)
def test_network(far_ghostcast, far_livekit, web, fault):
    """Told within its bound, healed by itself; actions go on meanwhile."""
    api = far_ghostcast.api
    with (
        contextlib.ExitStack() as viewers,
        api.session(initial_url=web.url("/clock")) as room,
        api.events(room, types=["stream_state"]) as events,
    ):
        ground = Ground(far_ghostcast, far_livekit, room)
        viewer = viewers.enter_context(PythonSubscriber(far_livekit, room))
        wait_for(viewer.frame_count, 10, "frames before", accept=lambda n: n > 10)
        with ground.undo:
            start = time.monotonic()
            fault.inject(ground)
            said = events.wait("stream_state", within=fault.within, accept=fault.announces)
            print(f"{fault}: told after {time.monotonic() - start:.2f} s: {said['reason']}")
            api.do(room, "scroll", direction="down")
            if fault.name != "UDP blocked":
                time.sleep(LASTS_S)
                ground.undo.close()
            start = time.monotonic()
            api.wait_record(
                room,
                lambda r: r["livekit"] == "connected",
                faults.LIVEKIT_BACK_S,
                "LiveKit is back",
            )
            count = viewer.frame_count()
            wait_for(viewer.frame_count, 10, "frames after", accept=lambda n: n > count + 10)
            print(
                f"{fault}: healed {time.monotonic() - start:.2f} s later; "
                f"longest gap {viewer.longest_gap_s():.1f} s"
            )
            if fault.name == "UDP blocked":
                essentials.sees_clock(viewer)
            if fault.name == "signal drop":
                assert viewer.longest_gap_s() < GAP_S_MAX, "media goes on without signalling"
        assert_back(api, room, far_livekit)


@pytest.mark.root
def test_without_udp(far_ghostcast, far_livekit, web):
    """A network that lets no UDP through: the video goes over TCP from the start."""
    far_livekit.network.drop("meta l4proto udp")
    api = far_ghostcast.api
    start = time.monotonic()
    with api.session(initial_url=web.url("/clock")) as room:
        api.wait_record(room, lambda r: r["livekit"] == "connected", 10, "connected over TCP")
        print(f"connected over TCP {time.monotonic() - start:.2f} s after the start")
        with PythonSubscriber(far_livekit, room) as viewer:
            essentials.sees_clock(viewer)
