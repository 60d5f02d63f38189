"""Kept sessions over and over: logged in whatever was killed, nothing lost, nothing left. Run by
`deploy/test.sh long`."""

import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import threading
import time

import httpx
import pytest

from support import procs
from support.kept import KEPT_WITHIN_S, browser_of, file_of, known_as, rows, start, whole
from support.wait import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 * 60)]

SESSIONS, DATABASE_KILLS, PROFILE_KILLS, CYCLES, TWINS = 12, 200, 50, 1_000, 200


def test_twelve_stay_logged_in(house, site):
    """All at once, by everything that sites go by, after a kill of service and browsers."""
    service = house()
    names = [f"user{number}" for number in range(SESSIONS)]
    for name in names:
        start(service.api, name, initial_url=site.login(name))
    for name in names:
        assert known_as(service.api, name) == whole(name)
    time.sleep(KEPT_WITHIN_S + 1)
    service.kill()
    service = house(port=service.port)
    took = []
    for name in names:
        began = time.monotonic()
        start(service.api, name, status=200)
        took.append(time.monotonic() - began)
        assert known_as(service.api, name) == whole(name)
    print(f"{SESSIONS} of {SESSIONS} logged in; back after {sorted(took)[len(took) // 2]:.2f} s")
    assert not service.stop()


def test_no_acknowledged_session_is_lost_in_200_kills(house):
    """The database and the JSON file always read, and hold all that was told."""
    env = {"GHOSTCAST_SESSION__COUNT_MAX": "200"}
    service, known, when = house(**env), 0, random.Random(12)
    for round_ in range(DATABASE_KILLS):
        told = []

        def create(lane, service=service, told=told, round_=round_):
            with contextlib.suppress(httpx.HTTPError, AssertionError):
                for number in range(100):
                    name = f"n{round_}-{lane}-{number}"
                    start(service.api, name, storage="none")
                    told.append(("made", name))
                    if number % 2 == 0:
                        continue
                    told.append(("closing", name))
                    assert service.api.close(name).status_code == 200
                    told.append(("closed", name))

        threads = [threading.Thread(target=create, args=(lane,)) for lane in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(when.uniform(0.02, 0.7))
        service.kill()
        for thread in threads:
            thread.join()
        closed = {name for what, name in told if what == "closed"}
        made = {name for what, name in told if what == "made"} - closed
        there = set(rows(service.state))
        file_of(service.registry)
        # One that was being closed when the service died may be gone or not.
        being_closed = {name for what, name in told if what == "closing"}
        assert made - being_closed <= there, made - there
        assert not closed & there, closed & there
        known += len(made - being_closed)
        service = house(port=service.port, **env)
        if round_ % 20 == 19:
            for name in rows(service.state):
                service.api.close(name)
    print(f"{DATABASE_KILLS} kills, {known} sessions were open, and none is lost")
    assert not service.stop()


def test_killed_while_it_writes(house, site):
    """A browser that is killed in the midst of writing its profile always starts again."""
    service, when, took = house(), random.Random(50), []
    for number in range(PROFILE_KILLS):
        name = f"writer{number % 5}"
        start(service.api, name, status=200 if number >= 5 else 201, initial_url=site.login(name))
        script = (
            "window.busy = setInterval(() => { for (let i = 0; i < 20; i++)"
            " localStorage.setItem('k' + i, 'x'.repeat(2000) + Math.random());"
            " document.cookie = 'c' + (Date.now() % 50) + '=1; max-age=999'; }, 5); true"
        )
        service.api.request("POST", f"/sessions/{name}/execute", json={"script": script})
        time.sleep(when.uniform(0.05, 1.0))
        os.kill(browser_of(service, name), signal.SIGKILL)
        begun = time.monotonic()
        wait_for(lambda name=name: is_back(service.api, name, site), 30, f"{name} is there again")
        took.append(time.monotonic() - begun)
        assert f"known={name}" in known_as(service.api, name)
        # So that each round starts it by its own.
        assert service.api.close(name).status_code == 200
        start(service.api, name)
    aside = [path.name for path in service.state.rglob("*.refused-*")]
    print(f"{PROFILE_KILLS} kills; back after {sorted(took)[25]:.2f} s (p50); set aside: {aside}")
    assert not service.stop()


def is_back(api, name, site):
    """Whether the session of that name can be used again; its loss may not be known at once."""
    answer = api.request("POST", "/sessions", json={"session_name": name})
    if answer.status_code not in (200, 201):
        return False
    return api.act(name, "navigate", url=site.base)["success"]


def test_cycles_leave_nothing(house):
    """Created and deleted a thousand times: no growth of processes, files, disk and memory."""
    service = house()

    def usage():
        pids = [service.pid, *procs.descendants(service.pid)]
        lines = open(f"/proc/{service.pid}/status").read().splitlines()
        rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        disk = sum(p.stat().st_size for p in service.state.rglob("*") if p.is_file())
        return len(pids), procs.open_files(service.pid), rss, disk

    seen = []
    for number in range(CYCLES):
        kind = {"session_name": "cycle"} if number % 10 == 0 else {"room_name": f"cycle{number}"}
        answer = service.api.request("POST", "/sessions", json=kind)
        assert answer.status_code == 201, answer.text
        key = answer.json()["session_id"]
        gone = service.api.request("DELETE", f"/sessions/{key}", params={"profile": "delete"})
        assert gone.status_code == 200, gone.text
        if number % 100 == 99:
            wait_for(lambda: len(service.browsers()) <= 1, 10, "one warm browser is left")
            seen.append(usage())
            print(number + 1, "processes, files, RSS kB, disk bytes:", *seen[-1])
    first, last = seen[2], seen[-1]
    assert last[0] <= first[0] + 2 and last[1] <= first[1] + 4, seen
    slope_kb = (last[2] - first[2]) / (CYCLES - 300)
    print(f"slope of the service's memory: {slope_kb:.2f} kB a cycle")
    assert slope_kb < 8, seen
    # The write-ahead log is begun anew at 4 MiB.
    assert last[3] <= first[3] + (5 << 20), seen
    assert not service.stop()


def test_twins(house):
    """Two clients create the same name at the same instant, 200 times: one session each time."""
    service = house()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number in range(TWINS):
            spec = {"session_name": f"twin{number}", "storage": "none"}
            sent = [pool.submit(service.api.request, "POST", "/sessions", json=spec) for _ in range(2)]
            answers = [one.result() for one in sent]
            assert sorted(answer.status_code for answer in answers) == [200, 201]
            assert len({answer.json()["session_id"] for answer in answers}) == 1
            service.api.close(f"twin{number}")
    assert len(rows(service.state)) == 0
    shutil.rmtree(service.state / "profiles", ignore_errors=True)
    assert not service.stop()
