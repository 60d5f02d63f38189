"""A service in the background, by the verbs of the command line, as a person at a shell has it."""

import json
import re
import subprocess
from pathlib import Path

from . import procs
from .api import Api
from .service import STATE_ENV, TOKEN_ENV, clean_env, free_port
from .wait import wait_for

# A verb ends within its own bounds; this is beyond all of them.
VERB_S = 60

SERVER_LOG = "browser_session_server.log"
DAEMON_LOG = "browser_session_daemon.log"

# Each line of both logs.
LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>ERROR|WARN |INFO |DEBUG|TRACE) "
    r"(?P<part>\S+): (?P<message>.*)"
)


class Daemon:
    """One state directory, with the verbs about its service."""

    def __init__(self, binary, home, token=None):
        self.binary = binary
        self.home = Path(home)
        self.state = self.home / "state"
        self.logs = self.state / "logs"
        self.tmp = self.home / "tmp"
        self.tmp.mkdir(exist_ok=True)
        self.port = free_port()
        self.env = {**clean_env(), "TMPDIR": str(self.tmp), STATE_ENV: str(self.state)}
        if token:
            self.env[TOKEN_ENV] = token
        self.api = Api(f"http://127.0.0.1:{self.port}", token)

    def run(self, *words, code=0, **env):
        """Runs a verb to its end; its exit code is as expected."""
        done = subprocess.run(
            [self.binary, *map(str, words)],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERB_S,
        )
        said = f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, f"{said}\n{self.log()}"
        assert "panicked" not in done.stderr, said
        done.said = done.stdout + done.stderr
        return done

    def start(self, *words, **env):
        """Starts the service on the test's port."""
        return self.run("start", "--port", self.port, *words, **env)

    def session(self, *words, code=0, **env):
        """One of the verbs about sessions."""
        return self.run("session", *words, code=code, **env)

    @property
    def pid_file(self):
        """Where the PID file lies."""
        return self.state / "ghostcast.pid"

    @property
    def pid(self):
        """The process that the PID file names, as other programs read it."""
        return int(self.pid_file.read_text().split("\n")[0])

    def is_healthy(self):
        """Whether the service answers."""
        return self.api.request("GET", "/health").status_code == 200

    def browsers(self):
        """The browsers that were started for this state directory."""
        found = [pid for pid in procs.pids() if procs.mentions(pid, str(self.home))]
        lines = {pid: procs.command_line(pid) for pid in found if procs.is_alive(pid)}
        return [pid for pid, line in lines.items() if any("--user-data-dir" in word for word in line)]

    def log(self, name=SERVER_LOG, directory=None):
        """The text of a log, as far as it is there."""
        path = (directory or self.logs) / name
        return path.read_text(errors="replace") if path.exists() else ""

    def put_away(self):
        """Ends all that a test has left."""
        left = [pid for pid in procs.pids() if procs.mentions(pid, str(self.home))]
        procs.kill_all(left)
        self.api.close_client()


def check_lines(text):
    """Every line is of the one form; answers their fields."""
    assert text and text.endswith("\n"), text[-200:]
    found = [(line, LINE.fullmatch(line)) for line in text.splitlines()]
    wrong = [line for line, match in found if not match]
    assert not wrong, wrong
    return [match.groupdict() for _, match in found]


def check_json_lines(text):
    """Every line is an object with the same fields; answers them."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines
    for line in lines:
        assert set(line) == {"time", "level", "part", "message", "fields", "spans"}, line
        assert LINE.fullmatch(f"{line['time']} {line['level']:5} {line['part']}: x"), line
    return lines


class Followed:
    """`ghostcast logs --follow`, and what it has printed."""

    def __init__(self, daemon, *words):
        self.path = daemon.home / "followed.txt"
        with self.path.open("wb") as out:
            self.process = subprocess.Popen(
                [daemon.binary, "logs", "--follow", *words],
                env=daemon.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def lines(self):
        """The lines so far."""
        return self.path.read_text(errors="replace").splitlines()

    def wait_for(self, word, within=5):
        """Waits until a line has `word` in it."""
        wait_for(
            lambda: [line for line in self.lines() if word in line],
            within,
            f"a line with {word!r} is printed",
        )

    def stop(self):
        """Ends it as Ctrl-C does, and answers its exit code."""
        self.process.send_signal(2)
        return self.process.wait(5)
