"""The benches of the stream, run for a moment, so that they go on working; how good the figures are is not asked."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support import pages, pictures

BENCHES = Path(__file__).resolve().parents[2] / "benches"
sys.path.append(str(BENCHES))

from stream import figures  # noqa: E402
from stream.link import Lane, Shape  # noqa: E402

WITHIN_S = 100
PACKET = 1172


@pytest.fixture
def bench(ghostcast_bin, livekit_server_bin, tmp_path):
    """Runs a bench; what it printed, and its runs."""

    def run(name, *given):
        programs = ["--ghostcast", ghostcast_bin, "--livekit-server", livekit_server_bin]
        kept = tmp_path / "runs.json"
        command = [sys.executable, BENCHES / name, *programs, "--short", "--json", kept, *given]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout, json.loads(kept.read_text())["runs"]

    return run


def cells(printed):
    """The rows of all tables, but for their heads."""
    lines = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    heads = {lines.index(line) - 1 for line in lines if line[0] == "---"}
    return [line for number, line in enumerate(lines) if number not in heads and line[0] != "---"]


def assert_numbers(figures):
    """All but names are numbers."""
    values = [value for name, value in figures.items() if name not in ("system", "page", "link")]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    assert flat and all(isinstance(value, int | float) for value in flat), figures


def test_end_to_end(bench):
    """One page by ours and by a reference, and two sessions at the same time."""
    moment = ("--pages", "repainting", "--seconds", "2", "--settle", "0.5", "--density", "2")
    printed, runs = bench("e2e.py", *moment)
    *single, crowd = runs
    assert len(single) == 2 and all(run["fps"] > 0 for run in single), single
    assert crowd["fps"] > 0 and len(crowd["fps_others"]) == 1 and crowd["fps_others"][0] > 0, crowd
    for run in runs:
        assert_numbers(run)
    assert len(cells(printed)) == 4 and "none" not in " ".join(map(str, cells(printed))), printed


def test_links(bench):
    """Links of two viewers each, by LiveKit, by WHEP and by the SDK."""
    moment = ("--links", "two viewers, 10 and 20 ms", "--seconds", "3", "--settle", "0.5", "--rest", "1")
    printed, runs = bench("links.py", *moment)
    assert len(runs) == 6, runs
    for run in runs:
        assert_numbers(run)
        assert run["fps"] > 0 and run["kbits_per_s"] > 0 and 0 < run["ssim"] <= 1, run
    assert len(cells(printed)) == 6 and "none" not in str(cells(printed)), printed


def passed(shape, gap_s, count=5000):
    """When each packet of a steady stream arrives, and None for those that do not."""
    lane = Lane(shape, True, "seed")
    return [lane.due(number * gap_s, number * gap_s, PACKET) for number in range(count)]


@pytest.mark.parametrize("name", ["e2e.py", "hands.py", "links.py"])
def test_a_bench_says_what_it_takes(name):
    """A percent sign in the name of a link is no sign for something else."""
    done = subprocess.run([sys.executable, BENCHES / name, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "usage: " in done.stdout, done.stderr[-1000:]


def test_a_link_is_what_it_says():
    """Loss by chance and in bursts, a rate with its queue, a timetable of rates, and jitter that keeps the order."""
    by_chance = passed(Shape(loss=0.1), 0.001)
    assert by_chance == passed(Shape(loss=0.1), 0.001), "the same seed, the same losses"
    assert 0.08 < by_chance.count(None) / len(by_chance) < 0.12
    lost = [at is None for at in passed(Shape(burst=(0.01, 0.25)), 0.001, 50_000)]
    bursts = sum(here and not before for before, here in itertools.pairwise(lost))
    assert 0.03 < sum(lost) / len(lost) < 0.05 and 3 < sum(lost) / bursts < 5
    # Twice of what fits: half is dropped, and what passes waits for as long as the queue is.
    full = passed(Shape(rates=((0, 960_000),), queue_s=0.2), 0.005)
    waits = [at - number * 0.005 for number, at in enumerate(full) if at is not None]
    assert 0.45 < full.count(None) / len(full) < 0.5 and 0.2 < max(waits) < 0.22
    falls = passed(Shape(rates=((0, 9_600_000), (10, 480_000))), 0.01, 2000)
    assert None not in falls[:1000] and falls[1100:].count(None) > 300
    shaken = passed(Shape(delay_s=0.05, jitter_s=0.03), 0.001)
    assert shaken == sorted(shaken) and 0.02 <= min(at - n * 0.001 for n, at in enumerate(shaken)) < 0.04


def test_figures_of_a_stream():
    """Repeats do not count, gaps of more than half a second are frozen, and ages are of the first sight."""
    clocks = [(0.1, 0), (0.2, 0), (0.3, 250), (1.5, 1400), (1.6, None), (1.7, 1650)]
    frames = [{"seen": at, "clock": clock} for at, clock in clocks]
    found = figures.of_stream(frames, 0.0, 2.0)
    assert found["fps"] == 2 and found["frozen_s"] == pytest.approx(1.2) and found["gap_ms"] == pytest.approx(1200)
    assert found["p50"] == pytest.approx(75)
    assert figures.of_stream([], 0.0, 2.0) == {
        "fps": 0,
        "frozen_s": 2.0,
        "gap_ms": 2000.0,
        "p50": None,
        "p95": None,
        "p99": None,
    }


def test_likeness():
    """The same is 1; what is blurred is less, and what is something else is nothing like it."""
    sharp = np.kron(np.random.default_rng(1).integers(0, 2, (40, 40)), np.ones((4, 4))) * 255
    blurred = (sharp + np.roll(sharp, 2, 0) + np.roll(sharp, 2, 1) + np.roll(sharp, -2, 1)) / 4
    assert figures.ssim(sharp, sharp) == pytest.approx(1)
    assert 0.3 < figures.ssim(sharp, blurred) < 0.95 and figures.ssim(sharp, 255 - sharp) < 0


@pytest.mark.parametrize("width", [1280, 640, 320])
def test_the_clock_is_read_from_a_layer(width):
    """A narrower layer shows the same clock, smaller; another one in its place is not made up."""
    value, check = 0x1234_ABCD, 10
    for nibble in range(8):
        check ^= value >> (4 * nibble) & 15
    bits = [1, 0, *(value >> i & 1 for i in range(pages.CLOCK_BITS)), *(check >> i & 1 for i in range(4))]
    luma = np.full((720, 1280), 235, np.uint8)
    for number, bit in enumerate(bits):
        left = pages.CLOCK_X + number * pages.CELL
        luma[pages.CLOCK_Y : pages.CLOCK_Y + pages.CELL, left : left + pages.CELL] = 16 if bit else 235
    layer = np.asarray(Image.fromarray(luma).resize((width, width * 9 // 16), Image.Resampling.BILINEAR))
    assert pictures.read_clock(layer) == value
    assert pictures.read_clock(np.roll(layer, pages.CELL * width // 1280, axis=1)) is None
