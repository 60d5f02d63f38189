"""Tables in Markdown, and the machine that they were made on."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from support.cdp import find_chromium

from .figures import median


def said_by(*command):
    """The first line that a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def machine(binary, server, note=None):
    """On what the figures were made; the note is what a program does not say of itself, as how it was built."""
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    facts = [
        f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}",
        f"Linux {platform.release()}",
        said_by(binary, "--version") + (f" ({note})" if note else ""),
        said_by(server, "--version"),
        said_by(find_chromium(), "--version"),
        f"livekit (Python) {version('livekit')}",
        f"load of the minute before {os.getloadavg()[0]:.1f}",
    ]
    return "; ".join(facts)


def number(value, digits):
    """A figure as it is printed."""
    return "none" if value is None else f"{value:.{digits}f}"


def cell(values, digits):
    """The median, and between what it lies when there are several."""
    known = [value for value in values if value is not None]
    text = number(median(values), digits)
    return f"{text} ({number(min(known), digits)} to {number(max(known), digits)})" if len(known) > 1 else text


def table(heads, rows):
    """A table of cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def keep(path, runs, about):
    """Writes down every single run, for whoever asks more of them than the table does."""
    if path:
        Path(path).write_text(json.dumps({"machine": about, "runs": runs}, indent=1) + "\n")
