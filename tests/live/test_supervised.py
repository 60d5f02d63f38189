"""What systemd hears of the service: ready, alive, how it is, and that it ends; and what a plain start is without it."""

import os
import signal
import socket
import subprocess
import time

import pytest

from support.api import new_room
from support.service import Ghostcast
from support.wait import wait_for


class Supervisor:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.settimeout(0.2)
        self.heard = []

    def hear(self):
        """All that has come: (when, name, value)."""
        try:
            while True:
                text = self.socket.recv(65536).decode()
                self.heard += [(time.monotonic(), *line.split("=", 1)) for line in text.splitlines()]
        except TimeoutError:
            return self.heard

    def told(self, name):
        """The values of one name, in their order."""
        return [value for _, key, value in self.hear() if key == name]


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    """A supervisor, with the name by which it is told."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@ghostcast-test-{os.getpid()}-{time.time_ns()}"
    made = Supervisor(name)
    made.name = name
    yield made
    made.socket.close()


def test_it_is_told_all_its_life(ghostcast_bin, supervisor):
    """READY once it answers, WATCHDOG within its time, STATUS with the number of sessions, STOPPING before its end."""
    env = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "3000000"}
    service = Ghostcast(ghostcast_bin, env=env)
    service.start()
    try:
        wait_for(lambda: supervisor.told("READY") == ["1"], 10, "READY=1")
        assert supervisor.told("STATUS")[0] == f"Serving 0 sessions at http://127.0.0.1:{service.port}/"
        with service.api.session(new_room("told")):
            said = lambda: any("1 session " in status for status in supervisor.told("STATUS"))  # noqa: E731
            wait_for(said, 10, "the session in the status")
        wait_for(lambda: len(supervisor.told("WATCHDOG")) >= 5, 15, "signs of life")
        signs = [when for when, key, _ in supervisor.heard if key == "WATCHDOG"]
        assert max(late - early for early, late in zip(signs, signs[1:], strict=False)) < 3, signs
        assert supervisor.told("READY") == ["1"] and not supervisor.told("STOPPING")
    finally:
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(15) == 0
        service.stop()
    keys = [key for _, key, _ in supervisor.hear()]
    assert supervisor.told("STOPPING") == ["1"] and keys.index("STOPPING") > len(keys) - 3, keys


def test_a_watchdog_of_another_process_is_not_fed(ghostcast_bin, supervisor):
    """WATCHDOG_PID names who is meant."""
    env = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"}
    service = Ghostcast(ghostcast_bin, env=env)
    service.start()
    try:
        wait_for(lambda: supervisor.told("READY"), 10, "READY=1")
        time.sleep(1)
        assert not supervisor.told("WATCHDOG")
    finally:
        service.stop()


def test_nothing_is_told_of_a_start_that_fails_or_to_nobody(ghostcast_bin, supervisor, tmp_path):
    """A port that is taken is no READY; a socket that nobody reads is no reason to end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [ghostcast_bin, "serve", "--port", str(port), "--state-dir", str(tmp_path / "state")],
            env={**os.environ, "NOTIFY_SOCKET": supervisor.name},
            capture_output=True, timeout=20, check=False,
        )
    assert done.returncode != 0 and not supervisor.hear()
    service = Ghostcast(ghostcast_bin, env={"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"})
    service.start()
    try:
        assert service.is_healthy()
    finally:
        service.stop()


def test_a_sandbox_that_is_off_is_told(ghostcast_bin):
    """In the log and by the doctor, with the reason; where it is on, nothing is."""
    is_root = os.geteuid() == 0
    for env, words in [
        ({}, "the service runs as root" if is_root else None),
        ({"GHOSTCAST_BROWSER__SANDBOX": "off"}, 'browser.sandbox is "off"'),
    ]:
        service = Ghostcast(ghostcast_bin, env=env)
        service.start()
        try:
            log = service.log(1_000_000)
            assert ("sandbox is off" in log) == bool(words) and (words or "") in log, log
        finally:
            service.stop()
        done = subprocess.run(
            [ghostcast_bin, "doctor"], env=service.env, capture_output=True, text=True, timeout=60, check=False
        )
        line = next(line for line in done.stdout.splitlines() if "sandbox" in line)
        assert line.startswith("note  sandbox: ") and words in line if words else line.startswith("ok    sandbox: "), line
