"""Figures of a stream from what a viewer has decoded, and of the processes that made it."""

import dataclasses
import itertools
import statistics
from pathlib import Path

import numpy as np
from support import procs
from support.subscriber import CLOCK_PERIOD_MS

FREEZE_S = 0.5
BLOCK = 8
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclasses.dataclass(frozen=True)
class Sight:
    """The first sight of a picture: when, Unix s, and how old it was."""

    at: float
    age_ms: float


def sights(frames):
    """The pictures that are new, in the order in which they came."""
    known, found = set(), []
    for frame in frames:
        clock = frame["clock"]
        if clock is None or clock in known:
            continue
        known.add(clock)
        age = (frame["seen"] * 1000 - clock) % CLOCK_PERIOD_MS
        found.append(Sight(frame["seen"], age if age < CLOCK_PERIOD_MS / 2 else age - CLOCK_PERIOD_MS))
    return found


def of_stream(frames, start, end):
    """What came between two times."""
    within = [sight for sight in sights(frames) if start <= sight.at < end]
    ages = [sight.age_ms for sight in within]
    edges = [start, *(sight.at for sight in within), end]
    gaps = [later - earlier for earlier, later in itertools.pairwise(edges)]
    found = {
        "fps": len(within) / (end - start),
        "frozen_s": sum(gap for gap in gaps if gap > FREEZE_S),
        "gap_ms": max(gaps) * 1000,
    }
    for share in (50, 95, 99):
        found[f"p{share}"] = float(np.percentile(ages, share)) if ages else None
    return found


def ssim(one, other):
    """How alike two luma planes are, 1 for the same: the mean over blocks."""
    a, b = blocks(one), blocks(other)
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    covariance = ((a - mean_a[:, None]) * (b - mean_b[:, None])).mean(axis=1)
    light = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    shape = (2 * covariance + SSIM_C2) / (a.var(axis=1) + b.var(axis=1) + SSIM_C2)
    return float((light * shape).mean())


def blocks(luma):
    """The blocks of a plane, a row each."""
    height, width = (side // BLOCK * BLOCK for side in luma.shape)
    cut = luma[:height, :width].astype(np.float64).reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return cut.swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)


class Tree:
    """The processes below one, and itself."""

    def __init__(self, root):
        self.root = root

    def pids(self):
        """All of them that live."""
        return [self.root, *procs.descendants(self.root)]

    def cpu_s(self):
        """Processor seconds of each so far, and whether it is Chromium's."""
        found = {}
        for pid in self.pids():
            try:
                found[pid] = is_chromium(pid), procs.cpu_seconds(pid)
            except (AssertionError, OSError):
                # It has ended meanwhile.
                continue
        return found

    def pss_mb(self):
        """Memory, what is shared counted by its share."""
        total = 0
        for pid in self.pids():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024


def is_chromium(pid):
    """Whether a process is one of a browser's."""
    return "chrom" in str(Path(f"/proc/{pid}/exe").readlink())


def cpu_percent(before, after, seconds):
    """The share of one core between two counts: of Chromium, and of the rest."""
    spent = {True: 0.0, False: 0.0}
    for pid, (is_browser, so_far) in after.items():
        spent[is_browser] += so_far - before.get(pid, (is_browser, 0.0))[1]
    return 100 * spent[True] / seconds, 100 * spent[False] / seconds


def median(values):
    """The median of what is known, or None."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
