"""What breaks Ghostcast itself: a Chromium that does not start, a kill, an end in the midst of work."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import procs
from support.api import assert_envelope, new_room
from support.cdp import find_chromium
from support.service import Ghostcast, clean_env, running_service
from support.wait import wait_for

SESSIONS = 10
# What a service promises for its end.
END_S_MAX = 5
LAUNCH_TIMEOUT_MS = 1000
# The pauses between attempts to start a browser begin with two seconds.
WELL_AGAIN_S = 15


def script(path, text):
    """An executable that is no Chromium."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def not_there(directory):
    """No file at all."""
    return directory / "no-such-chromium", "there is no executable file"


def not_executable(directory):
    """A file that may not be run."""
    path = directory / "plain-file"
    path.write_text("")
    return path, "there is no executable file"


def ends_at_once(directory):
    """A program that ends before it is of any use."""
    return script(directory / "ends", "echo it is broken >&2; exit 3"), "ended before"


def stays_mute(directory):
    """A program that never opens its debugging socket."""
    return script(directory / "mute", "exec sleep 60"), "opened no debugging socket within 1000 ms"


@pytest.mark.parametrize("kind", [not_there, not_executable, ends_at_once, stays_mute])
def test_browser_that_does_not_start(ghostcast_bin, web, tmp_path, kind):
    """Health, a start and doctor say the same; all is well again as soon as the cause is gone."""
    path, says = kind(tmp_path)
    env = {
        "GHOSTCAST_BROWSER__EXECUTABLE": str(path),
        "GHOSTCAST_BROWSER__LAUNCH_TIMEOUT_MS": str(LAUNCH_TIMEOUT_MS),
    }
    with running_service(ghostcast_bin, env=env) as service:
        api, room = service.api, new_room("no-browser")
        start = time.monotonic()
        health = wait_for(
            lambda: api.get("/health").json(),
            5,
            "the service is degraded",
            accept=lambda health: health["status"] == "degraded",
        )
        print(f"{kind.__name__}: degraded after {time.monotonic() - start:.2f} s: {health}")
        assert len(health["reasons"]) == 1 and says in health["reasons"][0], health
        answer = api.request("POST", "/sessions", json={"room_name": room})
        refusal = assert_envelope(answer, 503, "unavailable")
        assert says in refusal["message"] and refusal["hint"], refusal
        assert not api.get("/sessions").json()["sessions"]
        doctor = subprocess.run(
            [ghostcast_bin, "doctor"],
            env={**clean_env(), **env, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert doctor.returncode != 0 and refusal["message"] in doctor.stdout, doctor.stdout
        assert refusal["hint"] in doctor.stdout, doctor.stdout
        path.unlink(missing_ok=True)
        path.symlink_to(find_chromium())
        start = time.monotonic()
        wait_for(
            lambda: api.get("/health").json()["status"] == "healthy",
            WELL_AGAIN_S,
            "the service is well again by itself",
        )
        print(f"{kind.__name__}: well again after {time.monotonic() - start:.2f} s")
        with api.session(initial_url=web.url("/still")) as mended:
            api.do(mended, "wait", seconds=0)


def test_killed_service_is_cleared_up_after(ghostcast_bin, web):
    """SIGKILL leaves browsers and files; the next start ends and removes them, and says so."""
    service = Ghostcast(ghostcast_bin).start()
    try:
        service.api.create(new_room(), initial_url=web.url("/clock"))
        orphans = procs.descendants(service.pid)
        assert service.browsers() and service.temp_entries()
        foreign = service.tmp / "ghostcast-of-somebody-else"
        foreign.mkdir()
        service.process.kill()
        service.process.wait()
        assert any(map(procs.is_alive, orphans)), "there is something to clear up"
        start = time.monotonic()
        service.start()
        wait_for(
            lambda: not any(map(procs.is_alive, orphans)), 5, "the orphans of the killed run end"
        )
        print(f"{len(orphans)} orphans ended {time.monotonic() - start:.2f} s after the start")
        assert foreign.exists(), "what is not provably ours stays"
        assert len(service.temp_entries()) == 2, service.temp_entries()
        assert "cleared what a run that was killed had left behind" in service.log()
        assert "directories=1" in service.log(), service.log()
        service.api.create(new_room(), initial_url=web.url("/still"))
        foreign.rmdir()
        problems = service.stop()
        assert not problems, problems
    finally:
        if service in Ghostcast.running:
            service.kill()
        service.remove_home()


@pytest.mark.alone
def test_sigterm_with_ten_sessions(ghostcast_bin, own_livekit, web):
    """Everybody who waits is answered, and within five seconds nothing is left."""
    service = Ghostcast(ghostcast_bin, env=own_livekit.env()).start()
    try:
        api = service.api
        with ThreadPoolExecutor(SESSIONS) as pool:
            starts = [
                pool.submit(api.create, new_room("many"), initial_url=web.url("/clock"))
                for _ in range(SESSIONS)
            ]
            rooms = [start.result()["room_name"] for start in starts]
        for room in rooms:
            api.wait_record(room, lambda r: r["livekit"] == "connected", 20, "connected")
        answers, sockets = [], [api.events(room) for room in rooms]

        def wait_in(room):
            action = {"action_type": "wait", "params": {"seconds": 60}}
            answers.append(api.send_action(room, action))

        callers = [threading.Thread(target=wait_in, args=(room,)) for room in rooms]
        for caller in callers:
            caller.start()
        time.sleep(1)
        start = time.monotonic()
        problems = service.stop()
        took = time.monotonic() - start
        for caller in callers:
            caller.join(5)
        for socket in sockets:
            socket.close()
        print(f"ended {took:.2f} s after SIGTERM with {SESSIONS} sessions")
        assert not problems, f"{problems}\n{service.log()}"
        assert took < END_S_MAX
        assert len(answers) == SESSIONS, "every caller was answered"
        kinds = {answer.json()["error_kind"] for answer in answers}
        assert kinds == {"closed"}, kinds
        for room in rooms:
            wait_for(
                lambda room=room: own_livekit.identities(room),
                5,
                "the browser has left the room",
                accept=lambda identities: "ghostcast" not in identities,
                tolerate=Exception,
            )
    finally:
        if service in Ghostcast.running:
            service.kill()
        service.remove_home()
