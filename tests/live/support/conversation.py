"""A conversation in a LiveKit room: the example voice agent as a program, and a person."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from .service import clean_env
from .wait import wait_for

ROOT = Path(__file__).parent.parent.parent.parent
AGENT = ROOT / "examples/voice_agent.py"
TOOLSET_AGENT = ROOT / "examples/toolset_agent.py"
PERSON = Path(__file__).parent / "person_main.py"
AGENTS_PYTHON = "AGENTS_PYTHON"
START_S = 40


class Lines:
    """A process whose lines are kept with the time at which they came."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def read(self):
        """Keeps lines until the process ends."""
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip("\n")))

    def texts(self):
        """The lines so far."""
        return [text for _, text in list(self.lines)]

    def wait(self, part, within=10, after=0):
        """Waits for a line that holds `part`, from line `after` on: its number, time and text."""

        def look():
            lines = list(enumerate(self.lines))[after:]
            found = [(number, at, text) for number, (at, text) in lines if part in text]
            return found, self.process.poll(), self.texts()[-25:]

        found, _, _ = wait_for(look, within, f"a line with {part!r}", accept=lambda seen: seen[0])
        return found[0]

    def ended(self, within=10):
        """Waits for its end; its exit code."""
        code = self.process.wait(within)
        self.reader.join(5)
        return code

    def kill(self):
        """Ends it, however far it is."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


class Agent(Lines):
    """One of the agents of examples, as a program."""

    def __init__(self, *args, env=None, script=AGENT):
        python = os.environ[AGENTS_PYTHON]
        super().__init__([python, str(script), *args], {**clean_env(), **(env or {})})

    def wait_said(self, part, within=10, after=0):
        """Waits until it has said something that holds `part`."""

        def look():
            return [text for text in self.texts()[after:] if text.startswith("agent: ")]

        def accept(said):
            return any(part in text for text in said)

        wait_for(look, within, f"the agent says {part!r}", accept=accept)

    def said(self):
        """What it has said so far."""
        return [text.partition(": ")[2] for text in self.texts() if text.startswith("agent: ")]


class Person(Lines):
    """Somebody in the room who chats and listens."""

    def __init__(self, server, room, identity="ada"):
        token = server.token(identity, room)
        super().__init__([sys.executable, str(PERSON), server.url, token])
        self.wait('"connected"', START_S)

    def say(self, text):
        """Writes into the room's chat."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def heard(self):
        """What the agent's transcriptions have said so far."""
        lines = [json.loads(text) for text in self.texts() if text.startswith("{")]
        return [line["text"] for line in lines if line["kind"] == "heard"]

    def leave(self):
        """Goes, as one does."""
        self.process.stdin.close()
        self.process.wait(10)
