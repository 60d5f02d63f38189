"""Databases that services share a queue in: each from the system's packages, on a free port, with a password."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from .service import free_port
from .wait import wait_for

PASSWORD = "s3cret of the queue"
QUOTED = "s3cret%20of%20the%20queue"
# PostgreSQL refuses to run as root.
NOBODY = pwd.getpwnam("nobody")


def as_nobody():
    """What a program is started with that must not be root's."""
    return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid} if os.geteuid() == 0 else {}


def postgres_program(name):
    """Debian keeps the programs of each version apart."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"there is no {name}: apt-get install postgresql"
    return found[-1]


class Database:
    """A database that can be ended and started again on what it has."""

    def __init__(self):
        self.place = Path(tempfile.mkdtemp(prefix="queue-"))
        self.port, self.process = free_port(), None
        if os.geteuid() == 0:
            os.chown(self.place, NOBODY.pw_uid, NOBODY.pw_gid)

    def start(self):
        """Starts it, and waits until it answers."""
        with (self.place / "log.txt").open("ab") as log:
            command, options = self.command()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        wait_for(self.answers, 20, "the database answers", tolerate=OSError)
        return self

    def stop(self):
        """Ends it at once."""
        self.process.send_signal(self.end)
        self.process.wait(20)

    def close(self):
        """Ends it, and deletes what it has."""
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.place, ignore_errors=True)


class Postgres(Database):
    """A PostgreSQL."""

    end = signal.SIGQUIT

    def __init__(self):
        super().__init__()
        secret = self.place / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        initdb = [postgres_program("initdb"), "--no-sync", "--auth=scram-sha-256", "--username=ghost"]
        subprocess.run(
            [*initdb, "--encoding=UTF8", f"--pwfile={secret}", "-D", self.place / "data"],
            cwd=self.place,
            stdout=subprocess.DEVNULL,
            check=True,
            **as_nobody(),
        )
        self.url = f"postgres://ghost:{QUOTED}@127.0.0.1:{self.port}/postgres"

    def command(self):
        """How it is started."""
        program, place = postgres_program("postgres"), self.place
        args = [program, "-h", "127.0.0.1", "-p", str(self.port), "-k", place, "-D", place / "data"]
        return args, {"cwd": place, **as_nobody()}

    def answers(self):
        """Whether it takes connections."""
        ready = [postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0


class Redis(Database):
    """A Redis that writes before it answers."""

    end = signal.SIGKILL

    def __init__(self):
        super().__init__()
        self.url = f"redis://:{QUOTED}@127.0.0.1:{self.port}/0"

    def command(self):
        """How it is started."""
        program = shutil.which("redis-server")
        assert program, "there is no redis-server: apt-get install redis-server"
        args = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.place), "--requirepass", PASSWORD]
        return [program, *args, "--appendonly", "yes", "--appendfsync", "always"], {"cwd": self.place}

    def answers(self):
        """Whether it answers."""
        with socket.create_connection(("127.0.0.1", self.port), 1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(64).startswith((b"-NOAUTH", b"+PONG"))


@contextlib.contextmanager
def database(name):
    """A database that is gone with its block; it is not started yet."""
    made = {"postgres": Postgres, "redis": Redis}[name]()
    try:
        yield made
    finally:
        if made.process:
            made.close()
        shutil.rmtree(made.place, ignore_errors=True)
