"""coturn, the TURN server that most run: it relays media for whoever it knows."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .service import free_port
from .wait import wait_for

USERNAME, PASSWORD = "ghost", "let-me-through"


class TurnServer:
    """One server on the far side of a network; its certificate is its own authority's."""

    def __init__(self, network):
        self.network, self.host = network, network.far
        self.port, self.tls_port = free_port(), free_port()
        self.place = Path(tempfile.mkdtemp(prefix="turn-"))
        self.certificate, self.key = self.place / "cert.pem", self.place / "key.pem"
        self.log_path, self.process = self.place / "log.txt", None

    def start(self):
        """Gives it a certificate and starts it, and waits until it listens."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=turn"]
            + ["-addext", f"subjectAltName=IP:{self.host}", "-addext", "basicConstraints=critical,CA:FALSE"]
            + ["-keyout", self.key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        return self.run()

    def run(self):
        """Starts it, for the first time or again, and waits until it listens."""
        self.log_path.write_text("")
        command = ["turnserver", "-n", "--verbose", "--no-cli", "--lt-cred-mech", "--realm=tests", "--log-file=stdout"]
        command += [f"--listening-ip={self.host}", f"--relay-ip={self.host}", f"--user={USERNAME}:{PASSWORD}"]
        command += [f"--listening-port={self.port}", f"--tls-listening-port={self.tls_port}", "--no-dtls"]
        command += [f"--cert={self.certificate}", f"--pkey={self.key}", f"--pidfile={self.place / 'pid'}"]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.network.prefix(), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        listens = f"TCP listener opened on : {self.host}:{self.tls_port}"
        wait_for(self.log, 20, "the TURN server listens", accept=lambda text: listens in text)
        return self

    def named(self, way):
        """What a LiveKit server is told of it, for its clients."""
        port = self.tls_port if way == "tls" else self.port
        return {"host": self.host, "port": port, "protocol": way, "username": USERNAME, "credential": PASSWORD}

    def log(self):
        """What it has written."""
        return self.log_path.read_text(errors="replace")

    def kill(self):
        """Ends it, and all that it relays, without a word."""
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        """Ends it, and deletes what it has."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        shutil.rmtree(self.place, ignore_errors=True)
