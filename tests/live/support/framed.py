"""Frames over pipes, as whoever has work done by `ghostcast worker` speaks them: by hand, from the four bytes on."""

import contextlib
import itertools
import json
import subprocess
import threading

from .service import STATE_ENV, clean_env
from .wait import wait_for


def framed(body):
    """A frame: an object as JSON, or bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return len(data).to_bytes(4, "big") + data


class Worker:
    """The program with its pipes in our hands."""

    def __init__(self, binary, place, *args, reads=True, **env):
        self.log_path = place / "worker.log"
        self.numbers = itertools.count(1)
        own = {"TMPDIR": str(place), STATE_ENV: str(place / "state"), "GHOSTCAST_BROWSER__KEEP_WARM": "false"}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [binary, "worker", *args],
                env={**clean_env(), **own, **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        self.told, self.noise = [], b""
        self.thread = threading.Thread(target=self.read, daemon=True)
        if reads:
            self.thread.start()

    def read(self):
        """Takes frames apart until the end; what is none stays in `noise`."""
        waiting = b""
        with contextlib.suppress(ValueError, OSError):
            while data := self.process.stdout.read(65536):
                waiting += data
                while len(waiting) >= 4 and len(waiting) >= 4 + int.from_bytes(waiting[:4], "big"):
                    end = 4 + int.from_bytes(waiting[:4], "big")
                    self.told.append(json.loads(waiting[4:end]))
                    waiting = waiting[end:]
        self.noise = waiting

    def write(self, data):
        """Bytes as they are."""
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def ask(self, action, **data):
        """Sends a request; answers its id."""
        number = next(self.numbers)
        self.write(framed({"id": number, "action": action, "data": data}))
        return number

    def of(self, number):
        """All frames of a request."""
        return [frame for frame in list(self.told) if frame["id"] == number]

    def answer(self, number, within=60):
        """The answer to a request."""
        ends = lambda: [frame for frame in self.of(number) if "progress" not in frame]  # noqa: E731
        found = wait_for(ends, within, f"an answer to {number}; {self.told[-3:]} {self.log()[-500:]}")
        assert len(found) == 1, found
        return found[0]

    def result(self, action, within=60, **data):
        """What came of a request."""
        answer = self.answer(self.ask(action, **data), within)
        assert set(answer) == {"id", "result"}, answer
        return answer["result"]

    def error(self, action, within=60, **data):
        """Why nothing came of a request, in words."""
        answer = self.answer(self.ask(action, **data), within)
        assert set(answer) == {"id", "error"}, answer
        assert isinstance(answer["error"], str)
        return answer["error"]

    def hang_up(self):
        """Ends its input."""
        self.process.stdin.close()

    def ends(self, within=20):
        """Waits for its end; answers the exit code."""
        code = self.process.wait(within)
        self.thread.join(5)
        assert self.noise == b"", "standard output carries frames only"
        return code

    def log(self):
        """What it said on standard error."""
        return self.log_path.read_text(errors="replace")

    def kill(self):
        """Ends it at once."""
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def workers(binary, place):
    """Makes workers."""
    made = []

    def worker(*args, **env):
        made.append(Worker(binary, place, *args, **env))
        return made[-1]

    try:
        yield worker
    finally:
        for one in made:
            one.kill()
