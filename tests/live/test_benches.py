"""The benches of the stream, run for a moment, so that they go on working; how good the figures are is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"
WITHIN_S = 100


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
    assert len(crowd["fps_each"]) == 2 and all(crowd["fps_each"]), crowd
    for run in runs:
        assert_numbers(run)
    assert len(cells(printed)) == 3 and "none" not in " ".join(map(str, cells(printed))), printed


def test_links(bench):
    """Links of two viewers each, by LiveKit, by WHEP and by the SDK."""
    link = "two viewers: 2 Mb/s with 1 % loss, 10 ms"
    moment = ("--links", link, "--seconds", "3", "--settle", "0.5", "--rest", "1")
    printed, runs = bench("links.py", *moment)
    assert len(runs) == 6, runs
    for run in runs:
        assert_numbers(run)
        assert run["fps"] > 0 and run["kbits_per_s"] > 0 and 0 < run["ssim"] <= 1, run
    assert len(cells(printed)) == 6 and "none" not in str(cells(printed)), printed
