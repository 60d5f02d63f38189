"""Looking at processes through /proc: who descends from whom, what they cost, what they hold."""

import os
import signal
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    """The fields of /proc/PID/stat after the name, or None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rsplit(")", 1)[1].split()


def pids():
    """Every process id of this machine at this moment."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def descendants(root):
    """Process ids below `root`, at any depth."""
    children = {}
    for pid in pids():
        fields = stat_fields(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def is_stopped(pid):
    """Whether each of its threads stands still: they hear of a signal one after the other."""
    states = [path.read_text().rsplit(")", 1)[1].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def is_alive(pid):
    """Whether the process exists and is not merely waiting to be reaped.

    After its first thread the others still hold its sockets and locks for a moment.
    """
    fields = stat_fields(pid)
    if fields is None:
        return False
    try:
        return fields[0] != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def is_zombie(pid):
    """Whether the process has ended and nobody has reaped it."""
    fields = stat_fields(pid)
    return fields is not None and fields[0] == "Z"


def command_line(pid):
    """The arguments of a process, or one empty word."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def mentions(pid, word):
    """Whether the process was started with `word` in its arguments or its environment."""
    if any(word in argument for argument in command_line(pid)):
        return True
    try:
        return word.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def browsers(root):
    """The main Chromium processes below `root`.

    Neither the helpers of one, nor the shell script that Debian starts it by, which stays as its
    parent with the same arguments.
    """
    found = []
    for pid in descendants(root):
        arguments = command_line(pid)
        is_script = arguments[0].endswith("sh")
        is_helper = any(argument.startswith("--type=") for argument in arguments)
        is_debuggable = any(argument.startswith("--remote-debugging-") for argument in arguments)
        if is_debuggable and not is_script and not is_helper and is_alive(pid):
            found.append(pid)
    return found


def cpu_seconds(pid):
    """Processor time the process itself has used, user and system."""
    fields = stat_fields(pid)
    assert fields, f"process {pid} is gone"
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpu_percent(pid, seconds):
    """Share of one core that the process itself uses over `seconds`; time is the subject here."""
    before, start = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - start)


def open_files(pid):
    """How many file descriptors the process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def kill_all(process_ids):
    """Ends what a failed test left behind, so that it cannot disturb the next one."""
    for pid in process_ids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def oom_score(pid):
    """How soon Linux kills the process when memory runs out; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/oom_score").read_text())
    except OSError:
        return 0


def rss_mb(pid):
    """Memory of the process that is resident, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
