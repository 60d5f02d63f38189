"""A participant of a LiveKit room, by the official Python SDK, in a process of its own."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from livekit import api

from .livekit_server import API_KEY, API_SECRET
from .service import clean_env
from .wait import wait_for

PROGRAM = Path(__file__).with_name("participant_main.py")


def token(room, identity, name="", attributes=None, metadata="", sends=True, names_itself=False):
    """A token to join a room with, as an application makes it for one of its users."""
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=False,
        can_publish_data=sends,
        can_update_own_metadata=names_itself,
    )
    access = api.AccessToken(API_KEY, API_SECRET).with_identity(identity).with_grants(grants)
    access = access.with_name(name).with_attributes(attributes or {})
    return (access.with_metadata(metadata) if metadata else access).to_jwt()


class CallError(Exception):
    """What a call was answered instead of what it asked for."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Participant:
    """Somebody in a room."""

    def __init__(self, server, room, identity="ada", role=None, **more):
        attributes = {"browser.role": role} if role else None
        more.setdefault("attributes", attributes)
        command = [sys.executable, str(PROGRAM), server.url, token(room, identity, **more)]
        self.identity, self.lines, self.calls = identity, [], 0
        self.process = subprocess.Popen(
            command, env=clean_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self.read, daemon=True).start()
        wait_for(lambda: self.of("connected"), 15, "the participant joins")
        self.browser = wait_for(lambda: self.of("browser"), 15, "the browser is there")[0]["identity"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def read(self):
        """Keeps what it prints."""
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def of(self, kind):
        """What it has seen of one kind."""
        return [line for line in list(self.lines) if line["kind"] == kind]

    def told(self, topic):
        """What came under a topic."""
        return [json.loads(line["text"]) for line in self.of("data") if line["topic"] == topic]

    def attributes(self):
        """The browser's attributes, as it sees them now."""
        return self.of("browser")[-1]["attributes"]

    def order(self, **order):
        """Has it do something."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def begin(self, method, payload=None, **more):
        """Calls, and does not wait; answers what waits for the answer."""
        self.calls += 1
        number = self.calls
        payload = payload if isinstance(payload, str) else json.dumps(payload or {})
        self.order(do="call", id=number, to=self.browser, method=method, payload=payload, **more)

        def answer(within=20):
            answers = lambda: [line for line in self.of("answer") if line["id"] == number]
            line = wait_for(answers, within, f"the answer to {method}")[0]
            if "code" in line:
                raise CallError(line["code"], line["message"])
            return json.loads(line["payload"])

        return answer

    def call(self, method, payload=None, **more):
        """Calls, and gives the answer."""
        return self.begin(method, payload, **more)()

    def send(self, payload, topic="browser.input", reliable=True, times=1):
        """Sends data to all in the room, as often as that without waiting in between."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self.order(do="send", payload=text, topic=topic, reliable=reliable, times=times)

    def leave(self):
        """Leaves the room."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(15)

    def kill(self):
        """Is gone without a word."""
        self.process.kill()
        self.process.wait(15)
