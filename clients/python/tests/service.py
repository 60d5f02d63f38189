"""A `ghostcast serve` of the test's own: on a free port, with its own state, ended with all it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

START_S = 15.0
STOP_S = 10.0
LOOK_S = 0.05


def binary() -> str:
    """The service's program; without it nothing here can be tested, so nothing may seem to be."""
    path = os.environ.get("GHOSTCAST_BIN", "")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"set GHOSTCAST_BIN to the service's binary; it is {path!r}")
    return str(Path(path).resolve())


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One process of the service, which can be stopped and started again on the same port and state."""

    def __init__(self, home: Path, *, token: str | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = token
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Service:
        """Starts it and waits until it answers."""
        temporary = self.home / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        # Keys that it does not know are refused, and what is set for another service is not for this one.
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GHOSTCAST_", "LIVEKIT_"))
        }
        env |= {"GHOSTCAST_STATE__DIRECTORY": str(self.home / "state"), "TMPDIR": str(temporary)}
        if self.token:
            env["GHOSTCAST_SERVER__TOKEN"] = self.token
        command = [binary(), "serve", "--listen", f"127.0.0.1:{self.port}"]
        with (self.home / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.home / "log.txt").read_text(errors="replace")[-3000:]
                raise AssertionError(f"the service does not start:\n{log_text}")
            time.sleep(LOOK_S)
        return self

    def stop(self) -> None:
        """Ends it, and then whatever of it is left."""
        if self.process is None:
            return
        tree = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in tree:
            send(pid, signal.SIGKILL)
        self.process = None

    def browsers(self) -> list[int]:
        """The processes of its browsers that are no helpers of one."""
        if self.process is None:
            return []
        return [pid for pid in descendants(self.process.pid) if is_browser(pid)]

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return True
        except OSError:
            return False


def descendants(root: int) -> list[int]:
    """Process ids below `root`, at any depth."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def is_browser(pid: int) -> bool:
    """Whether a process is the main one of a browser."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    if arguments[0].endswith("sh") or any(one.startswith("--type=") for one in arguments):
        return False
    return any(one.startswith("--remote-debugging-") for one in arguments)


def send(pid: int, number: signal.Signals) -> None:
    """Signals a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
