"""Names of a service's own: what its machine's `hosts` file says, and can say differently later.

The service runs in a mount namespace in which another file lies over /etc/hosts. Needs root and
`unshare`; a machine that does not permit it fails the test, loudly.
"""

import shlex
import tempfile
from pathlib import Path


class Names:
    """A hosts file, and a program that starts the service under it."""

    def __init__(self, binary):
        self.home = tempfile.TemporaryDirectory(prefix="names-live-")
        self.hosts = Path(self.home.name) / "hosts"
        self.program = Path(self.home.name) / "ghostcast"
        self.say({})
        hosts, binary = shlex.quote(str(self.hosts)), shlex.quote(str(binary))
        inner = f'mount --bind {hosts} /etc/hosts && exec {binary} "$@"'
        self.program.write_text(f"#!/bin/sh\nexec unshare -m sh -c {shlex.quote(inner)} sh \"$@\"\n")
        self.program.chmod(0o755)

    def say(self, names):
        """From now on each name leads to its addresses."""
        lines = ["127.0.0.1 localhost"]
        lines += [f"{address} {name}" for name, all_of in names.items() for address in all_of]
        # In place: the file itself is what is mounted.
        self.hosts.write_text("\n".join(lines) + "\n")

    def close(self):
        """Removes the files."""
        self.home.cleanup()
