"""A running `ghostcast serve`: started on a free port, stopped, and searched for leftovers."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from . import procs
from .api import Api
from .wait import wait_for

START_S = 15
STOP_S = 10
PUT_AWAY_S = 2

# How a token is given to the service; needed for any address but loopback.
TOKEN_ENV = "GHOSTCAST_SERVER__TOKEN"
STATE_ENV = "GHOSTCAST_STATE__DIRECTORY"
TOKEN = "a-token-of-the-live-tests"


# Ports below those that the system gives to whoever asks for any. Each process of the suite has a
# share of its own, so that a port that is found free is not taken by a neighbour before its use.
PORTS_FROM, PORTS_PER_PROCESS, SHARES = 12_000, 1_500, 12


def our_ports():
    """The ports of this process of the suite, one after the other, over and over."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    # A worker that died is followed by one with a higher number.
    first = PORTS_FROM + worker % SHARES * PORTS_PER_PROCESS
    return itertools.cycle(range(first, first + PORTS_PER_PROCESS))


PORTS = our_ports()


def refused_start(binary, place, **env):
    """What a service says that does not start with these settings."""
    done = subprocess.run(
        [binary, "serve", "--state-dir", str(place / "state"), "--port", "0"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    return said


def free_port(kind=socket.SOCK_STREAM):
    """A port nobody listens on at this moment, and that is not given out again for long."""
    for port in itertools.islice(PORTS, PORTS_PER_PROCESS):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port of this process of the suite is taken")


def clean_env():
    """Our environment without what would configure Ghostcast behind the test's back.

    Ghostcast refuses keys that it does not know, so even the suite's own GHOSTCAST_BIN must not
    reach it.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GHOSTCAST_", "LIVEKIT_", "BROWSERBASE_"))
    }


class Ghostcast:
    """One process of the service with a temporary directory of its own."""

    running = []

    def __init__(self, binary, env=None, args=(), token=None, port=None):
        self.binary = binary
        self.home = Path(tempfile.mkdtemp(prefix="ghostcast-live-"))
        self.tmp = self.home / "tmp"
        self.tmp.mkdir()
        self.log_path = self.home / "log.txt"
        self.port = port or free_port()
        own = {"TMPDIR": str(self.tmp), STATE_ENV: str(self.home / "state")}
        # The whole suite may be run by another way of capture than the usual one.
        if capture := os.environ.get("CAPTURE"):
            own["GHOSTCAST_BROWSER__CAPTURE"] = capture
        self.env = {**clean_env(), **own, **(env or {})}
        if token:
            self.env[TOKEN_ENV] = token
        self.args = list(args)
        self.api = Api(f"http://127.0.0.1:{self.port}", token)
        self.process = None

    def start(self):
        """Starts the process and waits until it answers."""
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", *self.args]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        Ghostcast.running.append(self)
        try:
            wait_for(
                self.is_healthy, START_S, "ghostcast answers /health", tolerate=httpx.HTTPError
            )
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log()}") from None
        return self

    def is_healthy(self):
        """Whether /health answers; fails at once when the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"ghostcast ended with {code} at start")
        return self.api.request("GET", "/health").status_code == 200

    @property
    def pid(self):
        """Process id of the service itself."""
        return self.process.pid

    def browsers(self):
        """Process ids of the Chromium main processes."""
        return procs.browsers(self.pid)

    def temp_entries(self):
        """What lies in the service's temporary directory."""
        return sorted(entry.name for entry in self.tmp.iterdir())

    def log(self, chars=6000):
        """The end of what the service has printed."""
        return self.log_path.read_text(errors="replace")[-chars:]

    def stop(self):
        """Asks the process to end and returns a list of what it left behind (empty is right)."""
        tree = procs.descendants(self.pid)
        problems = []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        else:
            problems.append(f"had ended by itself with {self.process.returncode}")
        try:
            code = self.process.wait(STOP_S)
            if code != 0:
                problems.append(f"exit code {code}")
        except subprocess.TimeoutExpired:
            problems.append(f"still running {STOP_S} s after SIGTERM")
            self.process.kill()
            self.process.wait()
        left = self.left_processes(tree)
        if left:
            names = [" ".join(procs.command_line(pid))[:200] for pid in left]
            problems.append(f"processes left: {names}")
            procs.kill_all(left)
        if self.temp_entries():
            problems.append(f"temporary files left: {self.temp_entries()}")
        self.forget()
        return problems

    def left_processes(self, tree):
        """Processes of ours that live on, though their parent said goodbye."""
        ours = set(tree) | {pid for pid in procs.pids() if procs.mentions(pid, str(self.tmp))}
        ours -= {os.getpid(), self.pid}
        alive = [pid for pid in ours if procs.is_alive(pid)]
        # One without arguments has ended, and the kernel is about to put it away: it must be gone soon.
        ending = [pid for pid in alive if procs.command_line(pid) == [""]]
        deadline = time.monotonic() + PUT_AWAY_S
        while any(map(procs.is_alive, ending)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return [pid for pid in alive if pid not in ending or procs.is_alive(pid)]

    def kill(self):
        """Ends everything at once; for failed starts."""
        tree = [self.pid, *procs.descendants(self.pid)]
        procs.kill_all(tree)
        self.process.wait()
        self.forget()

    def forget(self):
        """Lets go of the client and of the place in the list of running services."""
        self.api.close_client()
        if self in Ghostcast.running:
            Ghostcast.running.remove(self)

    def remove_home(self):
        """Deletes the log and the temporary directory."""
        shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def running_service(binary, **options):
    """A service for the length of a `with`; what it leaves behind is a failure."""
    service = Ghostcast(binary, **options)
    try:
        yield service.start()
        problems = service.stop() if service in Ghostcast.running else []
        assert not problems, f"{problems}\n{service.log()}"
    finally:
        if service in Ghostcast.running:
            service.kill()
        service.remove_home()
