"""What is refused because a limit is reached: in the log, in the metrics, in the health."""

import contextlib
import os
import re
import resource
import signal
import socket
import time

import pytest
from websockets.sync.client import connect

from support.api import assert_envelope, new_room
from support.service import running_service
from support.wait import holds_for, wait_for

# A refusal is news for a minute, and so is a lost browser.
NEWS_S = 60


def sample(api, name, **labels):
    """One sample of the metrics; 0 where there is none."""
    wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
    start = f"{name}{{{wanted}}} " if labels else f"{name} "
    for line in api.get("/metrics").text.splitlines():
        if line.startswith(start):
            return float(line.removeprefix(start))
    return 0


def refusals(api, limit):
    """How often that limit refused."""
    return sample(api, "ghostcast_refusals_total", limit=limit)


def told(service, limit):
    """The lines of the log about that limit."""
    lines = service.log(100_000).splitlines()
    return [line for line in lines if "refused at a limit" in line and f'limit="{limit}"' in line]


def health(api):
    """How the service is."""
    return api.get("/health").json()


def test_a_full_house_is_told_and_is_no_illness(ghostcast_bin):
    """Twenty callers are refused: twenty are counted, the log hears once, and the service is healthy."""
    env = {"GHOSTCAST_SESSION__COUNT_MAX": "1"}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        assert health(api)["reasons"] == []
        first = new_room()
        api.create(first)
        for _ in range(20):
            answer = api.request("POST", "/sessions", json={"room_name": new_room()})
            assert_envelope(answer, 429, "exhausted")
        assert refusals(api, "sessions") == 20
        assert sample(api, "ghostcast_session_starts_total", outcome="refused") == 20
        assert sample(api, "ghostcast_session_starts_total", outcome="started") == 1
        lines = told(service, "sessions")
        assert len(lines) == 1 and "WARN" in lines[0] and "count=1" in lines[0], lines
        how = health(api)
        assert how["status"] == "healthy", how
        assert how["reasons"] == [
            "refused in the last minute (sessions): 1 sessions run already"
        ], how
        assert api.get("/health/ready").json()["ready"] is True
        # Nothing follows, and the log hears of the others all the same.
        counts = wait_for(
            lambda: [int(re.search(r"count=(\d+)", line)[1]) for line in told(service, "sessions")],
            20,
            "the log hears of them",
            accept=lambda counts: len(counts) > 1,
        )
        assert counts == [1, 19], counts


def test_a_machine_that_lacks_room_is_an_illness(ghostcast_bin, tmp_path):
    """Room for recordings: a bound that was set is told, a full disk degrades."""
    film = {"GHOSTCAST_RECORDING__DIRECTORY": str(tmp_path)}
    cases = [
        ("recordings", {"GHOSTCAST_RECORDING__TOTAL_BYTES_MAX": "0"}, "healthy"),
        ("disk", {"GHOSTCAST_RECORDING__FREE_BYTES_MIN": str(1 << 60)}, "degraded"),
    ]
    for limit, env, status in cases:
        with running_service(ghostcast_bin, env={**film, **env}) as service:
            api = service.api
            with api.session() as room:
                answer = api.request("POST", f"/sessions/{room}/recording")
                refusal = assert_envelope(answer, 429, "exhausted")
                assert refusals(api, limit) == 1 and len(told(service, limit)) == 1
                how = health(api)
                reason = f"refused in the last minute ({limit}): {refusal['message']}"
                assert (how["status"], how["reasons"]) == (status, [reason]), how


def test_what_one_caller_fills_is_counted_and_its_own(ghostcast_bin, web):
    """Sockets of a room, actions of a session: the log and the metrics know; the service is well."""
    env = {
        "GHOSTCAST_EVENTS__SOCKETS_PER_ROOM_MAX": "1",
        "GHOSTCAST_SESSION__ACTION_QUEUE_MAX": "1",
        "GHOSTCAST_SERVER__CONNECTIONS_MAX": "12",
    }
    with running_service(ghostcast_bin, env=env) as service, service.api.session() as room:
        api = service.api
        with api.events(room):
            url = api.events_url(room)
            with pytest.raises(Exception, match="429"), connect(url):
                pass
        ids = [api.submit(room, "wait", seconds=1) for _ in range(3)]
        assert refusals(api, "event_sockets") == 1 and refusals(api, "actions") == 1, ids
        assert len(told(service, "event_sockets")) == 1 and len(told(service, "actions")) == 1
        assert health(api)["reasons"] == []
        with contextlib.ExitStack() as sockets:
            for _ in range(14):
                sockets.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            time.sleep(0.5)
        wait_for(
            lambda: refusals(api, "connections") >= 2,
            5,
            "the connections are counted",
            tolerate=AssertionError,
        )
        how = health(api)
        assert how["status"] == "healthy" and "(connections)" in how["reasons"][0], how


def test_a_service_without_a_file_to_open_says_so(ghostcast_bin):
    """Nobody can be let in: known once somebody can, and no caller is needed for that to be logged."""
    with running_service(ghostcast_bin) as service:
        api = service.api
        before = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        files = len(os.listdir(f"/proc/{service.pid}/fd"))
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (files + 3, before[1]))
        with contextlib.ExitStack() as sockets:
            for _ in range(6):
                sockets.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            wait_for(lambda: told(service, "files"), 5, "the log says so")
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, before)
        wait_for(lambda: refusals(api, "files") >= 1, 5, "it is counted")
        how = health(api)
        # A browser that was just being kept warm may have been refused as well.
        assert how["status"] == "degraded" and any("(files)" in reason for reason in how["reasons"]), how


def test_metrics_know_sessions_browsers_and_memory(ghostcast_bin):
    """By state, by what ended them, what was lost; and the process as the system sees it."""
    with running_service(ghostcast_bin) as service:
        api, lost, closed = service.api, new_room(), new_room()
        api.create(closed)
        api.close(closed)
        api.create(lost)
        assert sample(api, "ghostcast_sessions_by_state", state="live") == 1
        for pid in service.browsers():
            os.kill(pid, signal.SIGKILL)
        api.wait_record(lost, lambda record: record["state"] == "failed", 10, "it is lost")
        assert sample(api, "ghostcast_sessions_by_state", state="failed") == 1
        assert sample(api, "ghostcast_sessions_by_state", state="live") == 0
        assert sample(api, "ghostcast_browsers_lost_total", reason="browser_lost") == 1
        for reason in ("closed", "browser_lost"):
            wait_for(
                lambda reason=reason: sample(api, "ghostcast_sessions_ended_total", reason=reason),
                5,
                f"an end by {reason} is counted",
                accept=lambda count: count == 1,
            )
        with open(f"/proc/{service.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        resident = int(line.split()[1]) * 1024
        assert abs(sample(api, "process_resident_memory_bytes") / resident - 1) < 0.2
        files = len(os.listdir(f"/proc/{service.pid}/fd"))
        assert abs(sample(api, "process_open_fds") - files) <= 5


@pytest.mark.long
def test_what_happened_once_does_not_last(ghostcast_bin):
    """A lost browser and a refusal degrade nothing for ever, though the session is still there."""
    env = {"GHOSTCAST_RECORDING__FREE_BYTES_MIN": str(1 << 60)}
    with running_service(ghostcast_bin, env=env) as service:
        api, lost = service.api, new_room()
        api.create(lost)
        answer = api.request("POST", f"/sessions/{lost}/recording")
        assert_envelope(answer, 429, "exhausted")
        for pid in service.browsers():
            os.kill(pid, signal.SIGKILL)
        api.wait_record(lost, lambda record: record["state"] == "failed", 10, "it is lost")
        assert len(health(api)["reasons"]) == 2
        still = lambda: health(api)["status"] == "degraded"  # noqa: E731
        assert holds_for(still, NEWS_S - 20, "it is news for a minute") is None
        wait_for(lambda: health(api)["status"] == "healthy", 40, "it is none any more")
        assert health(api)["reasons"] == []
        assert api.record(lost)["state"] == "failed" and health(api)["sessions"] == {"failed": 1}
