"""Viewers behind links: of a LiveKit server whose media pass a relay, and of WHEP."""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
from support.livekit_server import LiveKitServer
from support.subscriber import PythonSubscriber
from support.viewers import WhepViewer

from .link import Link, Relay

# The server listens at the first address of the loopback; clients are told the second, where the relay is.
RELAY_IP = "127.0.0.2"
BLIND = Path(__file__).parent / "blind_main.py"
CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*", re.IGNORECASE)


class RelayedServer(LiveKitServer):
    """A LiveKit server that is reached, for media, by the relay alone."""

    def __init__(self, binary):
        super().__init__(binary)
        self.node_ip = RELAY_IP
        # It answers only, so no way is found that passes the relay by; and there is no way by TCP.
        self.rtc = {"use_ice_lite": True, "tcp_port": 0, "ips": {"includes": ["127.0.0.1/32"]}}
        self.relay = None

    def start(self):
        """Starts the server, and then the relay."""
        super().start()
        self.relay = Relay((RELAY_IP, self.udp_port), ("127.0.0.1", self.udp_port))
        return self

    def stop(self, *how):
        """Ends both."""
        if self.relay:
            self.relay.close()
            self.relay = None
        super().stop(*how)


class LiveKitSide:
    """How a room is watched, and a publisher led, through links."""

    def __init__(self, server):
        self.server = server

    def publishes(self, publisher, shape):
        """The publisher is behind such a link, the viewers are not."""
        link = Link(shape, "up")
        self.server.relay.assign(publisher.pid, link)
        return link

    @contextlib.contextmanager
    def watching(self, room, shape):
        """A viewer behind such a link; it and the link."""
        link = Link(shape, "down")
        with PythonSubscriber(self.server, room) as viewer:
            self.server.relay.assign(viewer.process.pid, link)
            yield viewer, link


class WhepSide:
    """How a session is watched by WHEP through links; there is no server between, so each link is a viewer's."""

    def __init__(self, chromium, web, api):
        self.chromium, self.web, self.api = chromium, web, api

    @contextlib.contextmanager
    def watching(self, room, shape):
        """A viewer behind such a link; it and the link."""
        link = Link(shape, "down")
        through = Through(self.api, link)
        try:
            with WhepViewer(self.chromium, self.web, through, room) as viewer:
                yield viewer, link
        finally:
            if through.relay:
                through.relay.close()


class Through:
    """The API as a viewer sees it whose way leads by a relay: descriptions that pass name its address only."""

    def __init__(self, api, link):
        self.api, self.base, self.link = api, api.base, link
        self.relay = None

    def request(self, method, path, content=None, **more):
        """One request; an offer loses its addresses, and the answer's become the relay's."""
        if content is None:
            return self.api.request(method, path, **more)
        lines = [line for line in content.splitlines() if not line.startswith("a=candidate")]
        answer = self.api.request(method, path, content="\r\n".join([*lines, ""]), **more)
        if not answer.is_success:
            return answer
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=headers, text=self.led(answer.text))

    def led(self, sdp):
        """The answer with one address, the relay's."""
        lines = sdp.splitlines()
        found = next(filter(None, map(CANDIDATE.match, lines)), None)
        assert found, f"no address in the answer: {sdp}"
        self.relay = Relay(("127.0.0.1", 0), (found[1], int(found[2])), self.link)
        own = f"a=candidate:1 1 udp 2113937151 127.0.0.1 {self.relay.port} typ host"
        place = lines.index(found[0])
        rest = [line for line in lines[place:] if not line.startswith("a=candidate")]
        return "\r\n".join([*lines[:place], own, *rest, ""])


class Crowd:
    """Viewers by WHEP, one for each address, that decode nothing."""

    def __init__(self, urls):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, BLIND, *urls], stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.newest = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Keeps what it said last."""
        for line in self.process.stdout:
            self.newest = json.loads(line)

    def counts(self):
        """How many pictures have come of each that has had one."""
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"the crowd went away: {self.log.read().decode()[-2000:]}")
        return self.newest

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
