"""A display that fails, and browsers that leave it: what is seen goes on, or it is said why not."""

import contextlib
import itertools
import os
import resource
import signal
import socket
import subprocess
import time
from ctypes import CDLL, get_errno

import pytest

from support import essentials, procs
from support.service import running_service
from support.subscriber import PythonSubscriber
from support.wait import holds_for, wait_for

DISPLAY = {"GHOSTCAST_BROWSER__CAPTURE": "auto"}
# What may be missing of the video when the screencast takes over.
GAP_S_MAX = 1.0
# So long the display's thread cannot wait for anything.
BROKEN_S = 0.1
# Longer than any pause of a busy machine.
STILL_S = 2.0
PIDFD_OPEN, PIDFD_GETFD = 434, 438


@pytest.fixture
def service(ghostcast_bin, own_livekit):
    """A service whose sessions are captured by the display."""
    with running_service(ghostcast_bin, env={**own_livekit.env(), **DISPLAY}) as service:
        yield service


def break_displays(service):
    """Takes from the service for a moment what a display's thread needs to wait: three descriptors at once."""
    before = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (2, before[1]))
    time.sleep(BROKEN_S)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, before)


def new_clocks(viewer, since):
    """When the viewer has decoded readings of the clock that it had not seen before."""
    frames = [frame for frame in viewer.frames() if frame.get("clock") is not None]
    pairs = itertools.pairwise(frames)
    return [b["seen"] for a, b in pairs if b["clock"] != a["clock"] and b["seen"] > since]


def test_the_screencast_takes_over(service, own_livekit, web):
    """The display fails under a live session: the same page goes on in the video, and it is said why."""
    api = service.api
    with (
        api.session(initial_url=web.url("/clock")) as room,
        PythonSubscriber(own_livekit, room) as viewer,
        api.events(room, types=["stream_state", "browser_error"]) as events,
    ):
        assert api.record(room)["capture"] == "display"
        essentials.sees_clock(viewer)
        started = api.run(room, "performance.timeOrigin")
        broken = time.time()
        break_displays(service)
        said = events.wait("stream_state", within=5, accept=lambda e: "screencast" in e["reason"])
        assert said["state"] == "live" and "display has failed" in said["reason"], said
        record = api.record(room)
        assert record["capture"] == "screencast" and record["state"] == "live", record
        assert "display has failed" in record["capture_reason"], record
        wait_for(lambda: len(new_clocks(viewer, broken)) > 20, 15, "the clock goes on")
        seen = [broken, *new_clocks(viewer, broken)]
        gap = max(b - a for a, b in itertools.pairwise(seen))
        print(f"longest time without a new picture: {gap * 1000:.0f} ms")
        assert gap < GAP_S_MAX
        assert api.run(room, "performance.timeOrigin") == started, "it is the same page"
        api.do(room, "click", x=600, y=600)
        assert not events.of("browser_error")
        # A tab of the same browser, and another session, have what there is.
        api.do(room, "new_tab", url=web.url("/still?colour=33aa33"))
        essentials.sees_block(viewer, "33aa33")
        with api.session(initial_url=web.url("/still")) as other:
            record = api.record(other)
            assert record["capture"] == "screencast", record
            assert "display has failed" in record["capture_reason"], record
        with api.session(initial_url=web.url("/still"), capture="display") as other:
            record = api.record(other)
            assert (record["capture"], record["capture_reason"]) == ("display", None)
    lines = api.request("GET", "/metrics").text.splitlines()
    assert any(line.startswith("ghostcast_display_failures_total") for line in lines)


def test_nobody_watches_when_it_fails(service, own_livekit, web):
    """Whoever comes later sees the page all the same."""
    api = service.api
    with api.session(initial_url=web.url("/clock")) as room:
        api.do(room, "hover", x=600, y=600)
        break_displays(service)
        api.do(room, "hover", x=500, y=600)
        api.wait_record(room, lambda r: r["capture"] == "screencast", 5, "the screencast is taken")
        with PythonSubscriber(own_livekit, room) as viewer:
            essentials.sees_clock(viewer)


def drawing(service):
    """The process that draws what Chromium shows."""
    said = lambda pid: " ".join(procs.command_line(pid))
    (found,) = [pid for pid in procs.descendants(service.pid) if "--type=gpu-process" in said(pid)]
    return found


def connections(pid):
    """The sockets by which a browser is connected to a display, as descriptors of our own."""
    libc = CDLL(None, use_errno=True)
    said = subprocess.run(["ss", "-xn"], capture_output=True, text=True, check=True).stdout
    peers = {line.split()[7] for line in said.splitlines() if "wayland-0" in line}
    held = libc.syscall(PIDFD_OPEN, pid, 0)
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.removeprefix("socket:[").rstrip("]") in peers:
                ours = libc.syscall(PIDFD_GETFD, held, int(name), 0)
                assert ours >= 0, get_errno()
                yield socket.socket(fileno=ours)
    os.close(held)


def test_a_browser_that_loses_its_connection(service, web):
    """Chromium ends when its connection to the display does: that is told as its end, and a new one starts."""
    api = service.api
    with api.session(initial_url=web.url("/clock")) as room:
        (browser,) = service.browsers()
        found = list(connections(browser))
        assert found
        for connection in found:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        record = api.wait_record(room, lambda r: r["state"] == "failed", 5, "it has failed")
        assert "new session" in record["state_reason"], record
    with api.session(initial_url=web.url("/clock")) as room:
        assert api.record(room)["capture"] == "display"


def test_a_browser_that_draws_nothing_for_a_while(service, own_livekit, web):
    """Its drawing process stands still: so does the video, the session lives, and both go on with it."""
    api = service.api
    with (
        api.session(initial_url=web.url("/clock")) as room,
        PythonSubscriber(own_livekit, room) as viewer,
    ):
        essentials.sees_clock(viewer)
        painter = drawing(service)
        os.kill(painter, signal.SIGSTOP)
        try:
            time.sleep(0.5)
            stopped = time.time()
            holds_for(lambda: not new_clocks(viewer, stopped), STILL_S, "the picture stands still")
            assert api.run(room, "6 * 7") == 42, "the page lives"
            assert api.record(room)["capture"] == "display"
        finally:
            os.kill(painter, signal.SIGCONT)
        wait_for(lambda: len(new_clocks(viewer, stopped)) > 10, 5, "the clock goes on")


def test_a_drawing_process_that_dies(service, own_livekit, web):
    """Chromium starts another one, and the page is seen again."""
    api = service.api
    with (
        api.session(initial_url=web.url("/clock")) as room,
        PythonSubscriber(own_livekit, room) as viewer,
    ):
        essentials.sees_clock(viewer)
        killed = time.time()
        os.kill(drawing(service), signal.SIGKILL)
        wait_for(lambda: len(new_clocks(viewer, killed)) > 20, 10, "the clock goes on")
        seen = [killed, *new_clocks(viewer, killed)]
        gap = max(b - a for a, b in itertools.pairwise(seen))
        print(f"longest time without a new picture: {gap * 1000:.0f} ms")
        assert api.record(room)["state"] == "live"


def test_a_chromium_that_brings_no_window(ghostcast_bin, web, tmp_path):
    """One that is said to have windows and has none: the screencast, with the reason; asked for, it is refused."""
    wrapper = tmp_path / "chromium"
    wrapper.write_text('#!/bin/sh\nexec /usr/lib/chromium/chromium-headless-shell "$@"\n')
    wrapper.chmod(0o755)
    env = {**DISPLAY, "GHOSTCAST_BROWSER__EXECUTABLE": str(wrapper)}
    with running_service(ghostcast_bin, env=env) as service:
        start = time.monotonic()
        with service.api.session(initial_url=web.url("/still")) as room:
            record = service.api.record(room)
            print(f"{record['capture_reason']} after {time.monotonic() - start:.1f} s")
            assert record["capture"] == "screencast" and "window" in record["capture_reason"], record
        start = time.monotonic()
        with service.api.session(initial_url=web.url("/still")) as room:
            assert service.api.record(room)["capture_reason"] == record["capture_reason"]
            assert time.monotonic() - start < STILL_S, "it is not tried again at once"
        spec = {"room_name": "asked", "capture": "display"}
        assert service.api.request("POST", "/sessions", json=spec).status_code == 503
