"""One process of the service under trial, with a home of its own, and what it uses of the machine."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

START_S = 30
STOP_S = 15
ANSWER_S = 60


def free_port():
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Usage:
    """What a service and its browsers hold: kB of memory, open files of the service, processes."""

    service_kb: int
    browsers_kb: int
    files: int
    processes: int


class Service:
    """`ghostcast serve` without LiveKit."""

    def __init__(self, binary):
        self.binary = str(binary)
        self.home = Path(tempfile.mkdtemp(prefix="ghostcast-judges-"))
        (self.home / "tmp").mkdir()
        self.process = None
        self.client = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the process and waits until it answers."""
        address = f"127.0.0.1:{free_port()}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GHOSTCAST_", "LIVEKIT_"))}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--listen", address],
                env={**environment, "TMPDIR": str(self.home / "tmp"), "HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.client = httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=ANSWER_S)
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.is_running():
            with contextlib.suppress(httpx.HTTPError):
                if self.client.get("/health").status_code == 200:
                    return
            time.sleep(0.05)
        raise SystemExit(f"the service does not start:\n{self.log()[-3000:]}")

    def stop(self):
        """Ends the process, and the browsers of one that had died."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        for pid in self.processes():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        if self.client:
            self.client.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def is_running(self):
        """Whether the process lives."""
        return self.process.poll() is None

    def log(self):
        """What the service has printed."""
        return (self.home / "log").read_text(errors="replace")

    def panics(self):
        """Lines of the log that tell of a panic."""
        return [line for line in self.log().splitlines() if "panicked at" in line]

    def processes(self):
        """Process ids of the service and its browsers, by the home that they were given."""
        marks, found = (f"TMPDIR={self.home}/".encode(), f"--user-data-dir={self.home}/".encode()), []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                text = b"".join(Path(f"/proc/{entry}/{part}").read_bytes() for part in ("cmdline", "environ"))
                if any(mark in text for mark in marks):
                    found.append(int(entry))
        return found

    def usage(self):
        """What is held now."""
        processes = self.processes()
        own = self.process.pid
        files = 0
        with contextlib.suppress(OSError):
            files = len(os.listdir(f"/proc/{own}/fd"))
        browsers = sum(private_kb(pid) for pid in processes if pid != own)
        return Usage(private_kb(own), browsers, files, len(processes))


def private_kb(pid):
    """Memory that only this process holds, in kB."""
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1])
    return total
