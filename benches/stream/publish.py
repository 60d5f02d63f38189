"""The publishers: Ghostcast, and the references that are measured in turn with it.

Each is started from nothing, as a process that nobody has warmed, and ended with all below it.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import procs
from support.service import Ghostcast

from . import SIZE

PROGRAM = Path(__file__).parent / "publish_main.py"
BITRATE_BPS = 3_000_000
ASK_S, END_S = 1, 5
STAGE = re.compile(r'ghostcast_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)')


@dataclasses.dataclass(frozen=True)
class Ours:
    """A session of a service of its own."""

    binary: str
    fps: int
    capture: str | None = None

    @property
    def name(self):
        """As the tables have it."""
        return f"Ghostcast, {self.fps} fps" + (f", {self.capture}" if self.capture else "")

    def start(self, server):
        """Starts the service."""
        return Service(self, server)


class Service:
    """A service that runs, and its sessions."""

    def __init__(self, ours, server=None):
        self.ours = ours
        self.ghostcast = Ghostcast(ours.binary, env=server.env() if server else None)
        self.pid = self.ghostcast.start().pid

    @property
    def api(self):
        """Its REST interface."""
        return self.ghostcast.api

    def show(self, room, address):
        """Opens a session that shows a page."""
        capture = {"capture": self.ours.capture} if self.ours.capture else {}
        size = {"viewport_width": SIZE[0], "viewport_height": SIZE[1]}
        more = {"fps": self.ours.fps, "bitrate_bps": BITRATE_BPS, **size, **capture}
        self.api.create(room, initial_url=address, **more)

    def stages(self):
        """What each stage of the pictures so far has taken in the mean, ms."""
        sums, counts = {}, {}
        for line in self.api.request("GET", "/metrics").text.splitlines():
            if found := STAGE.match(line):
                what, stage, value = found.groups()
                (sums if what == "sum" else counts)[stage] = float(value)
        return {stage: 1000 * sums[stage] / count for stage, count in counts.items() if count}

    def close(self):
        """Ends it; what it leaves behind is no matter of a bench."""
        self.ghostcast.stop()
        self.ghostcast.remove_home()


@dataclasses.dataclass(frozen=True)
class Reference:
    """A way to publish a browser that needs no Ghostcast."""

    name: str
    way: str
    fps: int
    programs: tuple = ()
    simulcast: bool = False

    def lacks(self):
        """The programs that this machine would need for it."""
        return [program for program in self.programs if not shutil.which(program)]

    def start(self, server):
        """Nothing runs before there is something to show."""
        return Publisher(self, server)


class Publisher:
    """One process that publishes one page."""

    def __init__(self, reference, server):
        self.reference, self.server = reference, server
        self.home = tempfile.TemporaryDirectory(prefix="publisher-", ignore_cleanup_errors=True)
        self.log_path = Path(self.home.name) / "log.txt"
        self.process = None

    @property
    def pid(self):
        """The process that has the peer connection."""
        return self.process.pid

    def show(self, room, address):
        """Starts the process."""
        token = self.server.token("publisher", room, publish=True)
        given = [self.reference.way, address, self.server.url, token, self.reference.fps, BITRATE_BPS]
        command = [sys.executable, PROGRAM, *given, *(["simulcast"] if self.reference.simulcast else [])]
        paths = [PROGRAM.parents[1], PROGRAM.parents[2] / "tests/live"]
        env = {**os.environ, "TMPDIR": self.home.name, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def close(self):
        """Ends it and all below it."""
        if self.process:
            tree = [self.pid, *procs.descendants(self.pid)]
            # A screen has a lock to remove.
            self.end(tree, signal.SIGTERM, ASK_S)
            self.end(tree, signal.SIGKILL, END_S)
        self.home.cleanup()

    def end(self, tree, how, within_s):
        """Sends a signal to those that live, and waits for their end."""
        for pid in filter(procs.is_alive, tree):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        deadline = time.monotonic() + within_s
        while any(map(procs.is_alive, tree)) and time.monotonic() < deadline:
            self.process.poll()
            time.sleep(0.02)


SCREENSHOTS = Reference("(a) Playwright's screenshots, 10 a second", "screenshots", 10)
SCREENCAST = Reference("(b) Playwright's screencast", "screencast", 60)
GRAB = Reference("(c) Xvfb and x11grab, 30 fps", "grab", 30, ("Xvfb", "ffmpeg", "chromium"))
LAYERED = Reference("the SDK, simulcast", "screencast", 60, simulcast=True)
PLAIN = Reference("the SDK, one layer", "screencast", 60)
