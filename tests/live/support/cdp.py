"""A Chromium to watch with, driven by its DevTools protocol over one WebSocket."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .wait import wait_for

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
FLAGS = (
    "--remote-debugging-port=0 --headless=new --no-first-run --disable-quic --mute-audio "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-background-timer-throttling --disable-renderer-backgrounding "
    "--disable-backgrounding-occluded-windows --force-color-profile=srgb "
    "--autoplay-policy=no-user-gesture-required --window-size=1400,1000"
).split()
ANSWER_S = 20


def find_chromium():
    """The first Chromium of this machine, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """One browser process with a profile of its own, or one that is kept; each `Tab` is a window of it."""

    def __init__(self, profile=None, flags=()):
        self.is_kept = profile is not None
        self.profile = profile or tempfile.mkdtemp(prefix="viewer-chromium-")
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [find_chromium(), *FLAGS, *flags, *sandbox, f"--user-data-dir={self.profile}"]
        self.process = subprocess.Popen(
            [*command, "about:blank"],
            env={**os.environ, "TMPDIR": self.profile},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said, self.answers, self.numbers = [], {}, itertools.count(1)
        threading.Thread(target=self.read_stderr, daemon=True).start()
        address = wait_for(self.address, 20, f"Chromium says where it listens ({self.said})")
        self.socket = connect(address, max_size=None, open_timeout=10, proxy=None, legacy=True)
        threading.Thread(target=self.read_socket, daemon=True).start()

    def read_stderr(self):
        """Keeps the last lines that Chromium prints, and the pipe from filling up."""
        for line in self.process.stderr:
            self.said = [*self.said[-50:], line.strip()]

    def address(self):
        """The DevTools address, once Chromium has printed it."""
        marker = "DevTools listening on "
        return next((line.removeprefix(marker) for line in self.said if marker in line), None)

    def read_socket(self):
        """Keeps answers by the number of their call; events are of no interest here."""
        try:
            for frame in self.socket:
                message = json.loads(frame)
                if "id" in message:
                    self.answers[message["id"]] = message
        except ConnectionClosed:
            pass

    def call(self, method, session=None, **params):
        """One command and its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        self.socket.send(json.dumps({**message, "sessionId": session} if session else message))
        wait_for(lambda: number in self.answers, ANSWER_S, f"Chromium answers {method}")
        answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def close(self):
        """Ends the browser and deletes its profile."""
        self.socket.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if not self.is_kept:
            shutil.rmtree(self.profile, ignore_errors=True)


class Tab:
    """One window of the browser."""

    def __init__(self, chromium, url):
        self.chromium = chromium
        made = chromium.call(
            "Target.createTarget", url=url, newWindow=True, width=1400, height=1000
        )
        self.target = made["targetId"]
        attached = chromium.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session = attached["sessionId"]
        wait_for(
            lambda: self.evaluate("document.readyState + ' ' + location.href"),
            10,
            f"the viewer's page {url} is there",
            accept=lambda state: (
                state.startswith("complete ") and not state.endswith(" about:blank")
            ),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def evaluate(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.chromium.call(
            "Runtime.evaluate",
            self.session,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def close(self):
        """Closes the window."""
        self.chromium.call("Target.closeTarget", targetId=self.target)
