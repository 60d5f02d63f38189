"""The viewer that is the official Python SDK; see `viewers` for what all viewers can do."""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from .wait import wait_for

PROGRAM = Path(__file__).parent / "subscriber_main.py"
CLOCK_PERIOD_MS = 2**32


class PythonSubscriber:
    """A subscriber process and the lines it has printed."""

    identities = itertools.count(1)

    def __init__(self, server, room, identity=None, kind="standard"):
        self.identity = identity or f"python-viewer-{next(self.identities)}"
        self.home = tempfile.TemporaryDirectory(prefix="subscriber-")
        self.errors = Path(self.home.name) / "stderr.txt"
        token = server.token(self.identity, room, kind=kind)
        command = [*server.prefix(), sys.executable, str(PROGRAM), server.url, token]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.lines = []
        self.pictures = itertools.count(1)
        threading.Thread(target=self.read, daemon=True).start()
        wait_for(lambda: self.said("connected"), 15, "the subscriber is in the room")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self):
        """Keeps lines until the process ends."""
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def said(self, kind):
        """The lines of one kind so far."""
        if self.process.poll() is not None:
            raise AssertionError(f"the subscriber died: {self.errors.read_text()[-2000:]}")
        return [line for line in list(self.lines) if line["kind"] == kind]

    def frames(self):
        """What was seen: dicts with `seen` (Unix s), `number`, `w`, `h`, `clock`."""
        return self.said("frame")

    def frame_count(self):
        """How many frames have been decoded."""
        return len(self.frames())

    def longest_gap_s(self):
        """The longest time between two frames so far."""
        seen = [frame["seen"] for frame in self.frames()]
        return max((b - a for a, b in itertools.pairwise(seen)), default=None)

    def newest_clock(self):
        """The clock of the newest frame, or None."""
        frames = self.frames()
        return frames[-1]["clock"] if frames else None

    def size(self):
        """Width and height of the newest frame."""
        frames = self.frames()
        return (frames[-1]["w"], frames[-1]["h"]) if frames else None

    def latencies_ms(self):
        """From painting to decoding, at the first sight of each clock value."""
        return first_sights(self.frames())

    def bit_rates(self, window_s):
        """Bits a second that were received, over all windows of that length, oldest first."""
        counts = [(line["at"], line["bytes"]) for line in self.said("received")]
        rates = []
        for i, (start, before) in enumerate(counts):
            end = next((entry for entry in counts[i:] if entry[0] - start >= window_s), None)
            if end:
                rates.append((end[1] - before) * 8 / (end[0] - start))
        return rates

    def connecting_at(self):
        """When it began to connect, Unix s; the start of the process is not counted."""
        return self.said("connecting")[0]["at"]

    def first_frame_at(self):
        """When the first frame was decoded, Unix s, or None."""
        frames = self.frames()
        return frames[0]["seen"] if frames else None

    def picture(self):
        """The newest frame as RGB, converted by the SDK, or None."""
        path = f"{self.home.name}/{next(self.pictures)}.npy"
        self.tell(f"picture {path}")

        def answer():
            return [line for line in self.said("picture") if line["path"] == path]

        if not wait_for(answer, 5, "the subscriber hands over a picture")[0]["ok"]:
            return None
        pixels = np.load(path)
        Path(path).unlink()
        return pixels

    def come_again(self, pause_s):
        """Leaves the video and comes back after so long; answers when it asked for that, Unix s."""
        number = len(self.said("again"))
        self.tell(f"again {pause_s}")
        asked = wait_for(
            lambda: self.said("again")[number:], 5, "the subscriber leaves and comes back"
        )
        return asked[0]["at"]

    def tell(self, line):
        """One line to the process."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def close(self):
        """Kills the process, which is the way it ends."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.home.cleanup()


def first_sights(frames):
    """Latencies in ms of frames that show a clock value for the first time."""
    seen, latencies = set(), []
    for frame in frames:
        clock = frame["clock"]
        if clock is not None and clock not in seen:
            seen.add(clock)
            age = (frame["seen"] * 1000 - clock) % CLOCK_PERIOD_MS
            latencies.append(age if age < CLOCK_PERIOD_MS / 2 else age - CLOCK_PERIOD_MS)
    return latencies


def percentiles(values):
    """The median and the 95th percentile."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
