"""Reading recordings as others do: by ffprobe and ffmpeg."""

import json
import shutil
import subprocess

import numpy as np

PROGRAMS = ("ffmpeg", "ffprobe")
RUN_S = 60


def missing_programs():
    """What of FFmpeg this machine lacks."""
    return [name for name in PROGRAMS if not shutil.which(name)]


def run(*command):
    """What a program prints; any complaint of it is a failure."""
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_S,
        check=False,
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and not said, f"{command}: {done.returncode} {said[:1000]}"
    return done.stdout


class Film:
    """One file."""

    def __init__(self, path):
        self.path = path
        what = ("-show_format", "-show_streams", "-show_chapters", "-count_packets")
        self.facts = json.loads(run("ffprobe", "-v", "error", *what, "-of", "json", path))
        videos = [s for s in self.facts["streams"] if s["codec_type"] == "video"]
        assert len(videos) == 1, self.facts["streams"]
        self.video = videos[0]

    @property
    def duration_s(self):
        """How long it says it is."""
        return float(self.facts["format"]["duration"])

    @property
    def size(self):
        """Width and height."""
        return self.video["width"], self.video["height"]

    def chapters(self):
        """Start and title of each chapter."""
        return [(float(c["start_time"]), c["tags"]["title"]) for c in self.facts["chapters"]]

    def packets(self):
        """Time of each picture, and whether it is a keyframe."""
        entries = ("-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
        found = json.loads(run("ffprobe", "-v", "error", *entries, "-of", "json", self.path))
        return [(float(p["pts_time"]), p["flags"].startswith("K")) for p in found["packets"]]

    def decode(self, *, grey=True, top=None):
        """Every picture, decoded: (frames, height, width) or with a last axis of RGB."""
        width, height = self.size
        crop = [] if top is None else ["-vf", f"crop={width}:{top}:0:0"]
        data = run(
            *("ffmpeg", "-v", "error", "-xerror", "-i", self.path, "-map", "0:v", *crop),
            # Else its clock ticks at a guessed frame rate, too coarse for true times.
            *("-fps_mode", "passthrough", "-enc_time_base", "1:10000", "-f", "rawvideo"),
            *("-pix_fmt", "gray" if grey else "rgb24", "-"),
        )
        shape = (-1, top or height, width) if grey else (-1, top or height, width, 3)
        return np.frombuffer(data, np.uint8).reshape(shape)

    def picture_at(self, seconds):
        """The picture that is shown at a time, as RGB."""
        width, height = self.size
        # A seek goes to the next picture, and one stays for as long as none comes.
        times = [at for at, _ in self.packets()]
        shown = max((at for at in times if at <= seconds), default=times[0])
        data = run(
            *("ffmpeg", "-v", "error", "-ss", max(0.0, shown - 0.002), "-i", self.path),
            *("-map", "0:v", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
        )
        return np.frombuffer(data, np.uint8).reshape((height, width, 3))
