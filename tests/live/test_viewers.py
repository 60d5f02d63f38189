"""What is told of each way by which a session's video goes out, beside what those at its end see."""

import time

import pytest

from support.kept import start
from support.viewers import WhepViewer
from support.wait import holds_for, wait_for

# A machine that runs the browser, the server and all viewers on two cores.
NEAR = 0.35


def viewers(api, key, kind=None):
    """What is told, of one kind if asked for."""
    answer = api.request("GET", f"/sessions/{key}/viewers")
    assert answer.status_code == 200, answer.text
    return [viewer for viewer in answer.json()["viewers"] if kind in (None, viewer["kind"])]


def test_nobody_watches(lone_api, web):
    with lone_api.session(initial_url=web.url("/clock")) as room:
        assert viewers(lone_api, room) == []
    assert lone_api.request("GET", f"/sessions/{room}/viewers").status_code == 404


def test_who_looks_uses_nothing_and_brings_nothing_back(own_ghostcast):
    """A session that nobody uses is put away though somebody looks again and again, and stays so."""
    api = own_ghostcast.api
    start(api, "looked-at", idle_timeout_s=2)

    def stored():
        assert viewers(api, "looked-at") == []
        return api.record("looked-at")["state"] == "stored"

    wait_for(stored, 15, "it is put away")
    holds_for(stored, 3, "it stays away")


def test_a_whep_viewer(lone_api, web, watch_whep):
    """Its port is one that its browser says, and pictures are counted as it decodes them."""
    with lone_api.session(initial_url=web.url("/clock"), fps=20) as room, watch_whep(room) as viewer:
        wait_for(viewer.first_frame_at, 10, "a first picture")
        (first,) = viewers(lone_api, room)
        began, before = time.monotonic(), viewer.frame_count()
        time.sleep(4)
        seen = (viewer.frame_count() - before) / (time.monotonic() - began)
        (now,) = viewers(lone_api, room)
        assert now["viewer_id"] == viewer.location.rsplit("/", 1)[-1]
        assert now["kind"] == "whep" and now["connected"] and now["route"] == "udp"
        assert now["remote"].rsplit(":", 1)[-1] in own_ports(viewer)
        (full,) = now["layers"]
        assert full["layer"] == "full" and full["fps"] == pytest.approx(seen, rel=NEAR)
        sent = full["pictures_sent"] - first["layers"][0]["pictures_sent"]
        assert sent == pytest.approx(viewer.frame_count() - before, rel=NEAR)
        assert 0 <= now["rtt_ms"] < 100 and now["loss"] < 0.05 and now["estimate_bps"] > 100_000
        measured = {name: value for name, value in measurements(lone_api) if now["viewer_id"] in name}
        assert all('kind="whep"' in name for name in measured)
        assert [name for name in measured if name.startswith("ghostcast_viewer_route{") and 'route="udp"' in name]
        (fps,) = (value for name, value in measured.items() if name.startswith("ghostcast_viewer_fps{"))
        (rtt,) = (value for name, value in measured.items() if name.startswith("ghostcast_viewer_rtt_seconds{"))
        assert fps == pytest.approx(seen, rel=NEAR) and 0 <= rtt < 0.1
        viewer.delete()
        wait_for(lambda: viewers(lone_api, room) == [], 5, "it is not listed any more")
        assert not [name for name, _ in measurements(lone_api) if now["viewer_id"] in name]


def measurements(api):
    """What Prometheus would read: the name with its labels, and the value."""
    lines = api.get("/metrics").text.splitlines()
    return [(name, float(value)) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] not in ("", "#"))]


def test_the_server_of_a_room(api, web, subscribe, livekit_server):
    """Listed while the browser is in the room, whoever subscribes; pictures only while somebody does."""
    with api.session(initial_url=web.url("/clock")) as room:
        (alone,) = wait_for(
            lambda: [one for one in viewers(api, room) if one["connected"]], 10, "the browser is in the room"
        )
        assert alone["kind"] == "livekit" and alone["viewer_id"] is None
        with subscribe(room) as viewer:
            wait_for(viewer.frame_count, 10, "pictures", accept=lambda count: count > 20)
            (watched,) = viewers(api, room, "livekit")
            assert watched["layers"][0]["fps"] > 5 and watched["connected"]
            assert watched["remote"].endswith(f":{livekit_server.udp_port}"), watched
        gone = time.monotonic()
        wait_for(
            lambda: all(layer["fps"] == 0 for layer in viewers(api, room)[0]["layers"]), 30, "nobody subscribes"
        )
        print(f"told {time.monotonic() - gone:.1f} s after the subscriber was gone")


def own_ports(viewer):
    """The ports that a viewer's browser sends from."""
    said = viewer.tab.evaluate(
        """(async () => {
          const stats = [...(await viewer.peer.getStats()).values()];
          return stats.filter((one) => one.type === 'local-candidate').map((one) => String(one.port));
        })()"""
    )
    assert said
    return said


def test_a_slow_network_is_told_and_its_end(lone_api, chromium, web):
    """An agent can speak of a picture that suffers, and of one that does no more."""
    address = web.url("/snow")
    with lone_api.session(initial_url=address, fps=30) as room, lone_api.events(room, types=["stream_state"]) as events:
        with WhepViewer(chromium, web, lone_api, room, rate_bps=300_000) as narrow:
            wait_for(narrow.first_frame_at, 10, "a picture")
            told = events.wait("stream_state", 20, lambda event: event.get("quality") == "degraded")
            assert told["state"] == "live" and "network" in told["reason"], told
            (one,) = viewers(lone_api, room)
            assert one["path_full"] and one["estimate_bps"] < 500_000, one
        events.wait("stream_state", 20, lambda event: event.get("quality") == "recovered")
