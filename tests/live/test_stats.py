"""What the service says of its cost, against what Linux says."""

import contextlib
import time
from pathlib import Path

import pytest

from support import procs
from support.kept import start
from support.service import running_service
from support.viewers import WhepViewer
from support.wait import wait_for

# What is measured must have the machine to itself.
pytestmark = pytest.mark.alone

BUSY = """<!doctype html><title>busy</title><script>
setInterval(() => { const until = performance.now() + 40; while (performance.now() < until); }, 100);
</script>"""


def group(leader):
    """The processes of a browser: its group."""
    of = lambda pid: (procs.stat_fields(pid) or ["", "", "0"])[2]
    return [pid for pid in procs.pids() if of(pid) == str(leader)]


def pss_bytes(pids):
    """Their memory, where what they share counts once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


def cpu(pids):
    """Their processor time, seconds."""
    fields = [procs.stat_fields(pid) for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields if one) / procs.TICKS_PER_S


def stats(api):
    """What the service says."""
    return api.get("/stats").json()


def one(api, name):
    """What it says of one session."""
    found = [one for one in stats(api)["per_session"] if name in (one["session_name"], one["room_name"])]
    assert len(found) == 1, found
    return found[0]


def test_stats_agree_with_the_system(ghostcast_bin, web):
    """Processors and memory of a session within 10 % of what `/proc` says over the same time."""
    web.files["/busy.html"] = BUSY.encode()
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        start(api, "busy", initial_url=web.url("/busy.html"))
        start(api, "still", initial_url=web.url("/still"))
        leader = one(api, "busy")["browser_pid"]
        assert leader in procs.browsers(ghostcast.pid)
        time.sleep(1)
        before, began = cpu(group(leader)), time.monotonic()
        stats(api)
        time.sleep(4)
        told = stats(api)
        spent = 100 * (cpu(group(leader)) - before) / (time.monotonic() - began)
        busy = next(one for one in told["per_session"] if one["session_name"] == "busy")
        still = next(one for one in told["per_session"] if one["session_name"] == "still")
        assert 3_500 < told["cpu_over_ms"] < 6_000, told["cpu_over_ms"]
        assert 20 < spent and abs(busy["cpu_percent"] - spent) < 0.1 * spent, (busy, spent)
        assert still["cpu_percent"] < 10, still
        memory = pss_bytes(group(leader))
        assert abs(busy["pss_bytes"] - memory) < 0.1 * memory, (busy, memory)
        own = told["service"]
        assert own["pid"] == ghostcast.pid and own["processes"] == 1
        assert abs(own["pss_bytes"] - pss_bytes([ghostcast.pid])) < 0.1 * own["pss_bytes"], own
        assert abs(own["cpu_seconds"] - cpu([ghostcast.pid])) < 0.5, own


def test_stats_move(ghostcast_bin, web):
    """Sessions, actions, requests and bytes are counted; what nobody can tell apart is null."""
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        first = stats(api)
        assert first["sessions"] == {} and first["sessions_total"] == 0, first
        for room in ("one", "two"):
            api.create(room, initial_url=web.url("/still"))
        start(api, "kept")
        told = stats(api)
        assert told["sessions"] == {"live": 3} and told["sessions_active"] == 3, told
        assert told["uptime_s"] > first["uptime_s"]
        one_, two = one(api, "one"), one(api, "two")
        assert one_["browser_pid"] == two["browser_pid"] != one(api, "kept")["browser_pid"]
        # Two sessions share a browser: what each takes of it is not known.
        assert one_["cpu_percent"] is None and one_["pss_bytes"] is None, one_
        browser = next(b for b in told["browsers"] if b["pid"] == one_["browser_pid"])
        assert set(browser["sessions"]) == {one_["session_id"], two["session_id"]}
        api.do("one", "refresh")
        api.fail("one", "click", "missing_parameter")
        assert (one(api, "one")["actions"], one(api, "two")["actions"]) == (3, 1), "the first page counts"
        api.request("GET", "/sessions/nobody")
        api.request("GET", "/no/such/path")
        counted = {(r["method"], r["path"], r["status"]): r["count"] for r in stats(api)["requests"]}
        assert counted["POST", "/sessions", 201] == 3
        assert counted["GET", "/sessions/{room_name}", 404] == 1
        assert counted["GET", "none", 404] == 1
        metrics = api.get("/metrics").text
        line = 'ghostcast_http_requests_total{method="POST",path="/sessions",status="201"} 3'
        assert line in metrics, metrics
        api.request("DELETE", "/sessions/two")
        wait_for(
            lambda: one(api, "one")["pss_bytes"], 5, "one has the browser to itself", accept=bool
        )
        api.request("DELETE", "/sessions/kept")
        assert stats(api)["sessions"] == {"live": 1}


def test_what_is_sent_is_what_a_viewer_has_received(ghostcast_bin, web, chromium):
    """The bytes of a session are those of the browser that watches it; without a viewer there are none."""
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        start(api, "sent", initial_url=web.url("/playing"))
        time.sleep(1)
        assert one(api, "sent")["bytes_sent"] == 0
        viewer = WhepViewer(chromium, web, api, "sent")
        wait_for(lambda: viewer.frame_count() > 10, 15, "the page is seen")
        time.sleep(5)
        sent, received = one(api, "sent")["bytes_sent"], viewer.received()
        assert received > 100_000 and abs(sent - received) < received * 0.15, (sent, received)
        viewer.close()
