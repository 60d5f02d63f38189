"""Networks that lead to the LiveKit server by a TURN server alone."""

import contextlib
import re
import time

import pytest

from support import essentials
from support.livekit_server import LiveKitServer
from support.network import Network
from support.service import running_service
from support.subscriber import PythonSubscriber
from support.turn import TurnServer
from support.wait import wait_for

pytestmark = pytest.mark.root

WAYS = ("udp", "tcp", "tls")
# The machine's own hiccups, with all of the suite's processes on it.
NOISE = 0.7


@contextlib.contextmanager
def walled(livekit_server_bin, ways):
    """A LiveKit server that takes no media from the near side, and a TURN server beside it: both."""
    network = Network().open()
    turn = TurnServer(network)
    server = LiveKitServer(livekit_server_bin, network=network)
    try:
        turn.start()
        server.rtc = {"turn_servers": [turn.named(way) for way in ways]}
        server.start()
        if "udp" in ways:
            network.drop(f"udp dport {server.udp_port}")
        else:
            network.drop("meta l4proto udp")
        network.drop(f"tcp dport {server.tcp_port}")
        yield server, turn
    finally:
        server.stop()
        turn.stop()
        network.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_relay_is_the_last_way(ghostcast_bin, livekit_server_bin, web, way):
    """The picture is there within 5 s and moves; the relay is given back with the session."""
    with walled(livekit_server_bin, [way]) as (server, turn):
        env = server.env() | {"SSL_CERT_FILE": str(turn.certificate)}
        with running_service(ghostcast_bin, env=env) as service:
            api = service.api
            start = time.monotonic()
            with api.session(initial_url=web.url("/clock")) as room:
                with PythonSubscriber(server, room) as viewer:
                    wait_for(viewer.frame_count, 15, "pictures by the relay")
                    took = time.monotonic() - start
                    print(f"{way}: the first picture after {took:.2f} s")
                    assert took < 5 / NOISE
                    essentials.sees_clock(viewer)
                    before, began = viewer.frame_count(), time.monotonic()
                    time.sleep(5)
                    fps = (viewer.frame_count() - before) / (time.monotonic() - began)
                    print(f"{way}: {fps:.1f} pictures a second")
                    assert fps > 24 * NOISE
                    (sent,) = api.get(f"/sessions/{room}/viewers").json()["viewers"]
                    assert sent["route"] == "relay" and sent["remote"] == f"{server.host}:{server.udp_port}"
            wait_for(turn.log, 5, "the relay is given back", accept=given_back(server.network.near))


def given_back(near):
    """Whether the server's log says that who comes from there has asked for an end to its relay."""

    def accept(log):
        ours = {session for session, rest in lines(log) if f"remote {near}:" in rest}
        return bool(ours) and all(
            any(session == one and "lifetime=0" in rest for one, rest in lines(log)) for session in ours
        )

    return accept


def lines(log):
    """What is said of each session: (its number, the rest)."""
    return re.findall(r"session (\d+): (.*)", log)


def test_a_relay_that_is_lost_is_asked_for_again(ghostcast_bin, livekit_server_bin, web):
    """The server that relays is killed and comes again: the subscriber sees pictures again of the track that it had."""
    with walled(livekit_server_bin, ["tcp"]) as (server, turn), running_service(ghostcast_bin, env=server.env()) as service:
        with service.api.session(initial_url=web.url("/clock")) as room, PythonSubscriber(server, room) as viewer:
            essentials.sees_clock(viewer)
            turn.kill()
            time.sleep(1)
            turn.run()
            began, before = time.monotonic(), viewer.frame_count()
            wait_for(lambda: viewer.frame_count() > before + 30, 30, "pictures again")
            print(f"pictures again {time.monotonic() - began:.1f} s after the server has come back")
            service.api.wait_record(room, lambda r: r["livekit"] == "connected", 10, "it is told")


def test_a_relay_that_cannot_prove_its_name_is_not_used(ghostcast_bin, livekit_server_bin, web):
    """Its certificate is of no authority that is known: it is not even asked, and the record says that nothing leads there."""
    with walled(livekit_server_bin, ["tls"]) as (server, turn):
        with running_service(ghostcast_bin, env=server.env()) as service:
            with service.api.session(initial_url=web.url("/clock")) as room:
                service.api.wait_record(room, lambda r: r["livekit"] == "reconnecting", 25, "no way is told")
        assert "incoming packet ALLOCATE" not in turn.log()


def test_without_a_relay_the_session_goes_on(ghostcast_bin, livekit_server_bin, web):
    """The server that is to relay is not there: the record says that nothing reaches the room, and the browser works."""
    with walled(livekit_server_bin, ["tcp"]) as (server, turn):
        turn.stop()
        with running_service(ghostcast_bin, env=server.env()) as service:
            with service.api.session(initial_url=web.url("/clock")) as room:
                service.api.wait_record(room, lambda r: r["livekit"] == "reconnecting", 25, "no way is told")
                visit = web.visit("/form")
                result = service.api.act(room, "navigate", url=visit.url)
                assert result["success"], result
                visit.wait_note("loaded")
