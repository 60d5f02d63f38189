"""A network of its own for a LiveKit server: a namespace behind a pair of virtual links.

The service under test is on this side, the server and its viewers are on the other, and between
them packets can be dropped by kind. The viewers' own way to the server stays whole, so that what
a viewer does not see is what did not arrive at the server. Needs root, `ip` and `nft`; a machine
that does not permit it fails the test, loudly.
"""

import random
import subprocess
import uuid

TABLE = "faults"


class Network:
    """One namespace; `near` is our address on the link, `far` the server's."""

    def __init__(self):
        self.name = f"gc{uuid.uuid4().hex[:8]}"
        # Runs at the same time must not share a subnet, and know nothing of each other.
        subnet = f"10.{random.randrange(200, 250)}.{random.randrange(1, 250)}"
        self.near, self.far = f"{subnet}.1", f"{subnet}.2"
        self.link = f"{self.name}a"

    def open(self):
        """Makes the namespace, the link and the empty filter."""
        peer = f"{self.name}b"
        run("ip", "netns", "add", self.name)
        try:
            run("ip", "link", "add", self.link, "type", "veth", "peer", peer, "netns", self.name)
            run("ip", "addr", "add", f"{self.near}/24", "dev", self.link)
            run("ip", "link", "set", self.link, "up")
            self.run("ip", "addr", "add", f"{self.far}/24", "dev", peer)
            self.run("ip", "link", "set", peer, "up")
            self.run("ip", "link", "set", "lo", "up")
            self.run("nft", "add", "table", "inet", TABLE)
            for chain, hook, way in (("in", "input", "iifname"), ("out", "output", "oifname")):
                self.run(
                    "nft",
                    f"add chain inet {TABLE} {chain} {{ type filter hook {hook} priority 0; }}",
                )
                setattr(self, f"way_{chain}", f"{way} {peer}")
        except BaseException:
            self.close()
            raise
        return self

    def prefix(self):
        """What makes a command run on the far side."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command):
        """Runs a command on the far side."""
        run(*self.prefix(), *command)

    def drop(self, packets):
        """Drops packets of a kind both ways, without a word: "meta l4proto udp", "tcp dport 7880"."""
        self.run("nft", f"add rule inet {TABLE} in {self.way_in} {packets} drop")
        back = packets.replace("dport", "sport")
        self.run("nft", f"add rule inet {TABLE} out {self.way_out} {back} drop")

    def reset(self, port):
        """Answers whatever comes to a TCP port with a reset: connections break, none are made."""
        rule = f"{self.way_in} tcp dport {port} reject with tcp reset"
        self.run("nft", f"add rule inet {TABLE} in {rule}")

    def restore(self):
        """Lets everything pass again."""
        self.run("nft", "flush", "table", "inet", TABLE)

    def close(self):
        """Deletes the namespace, and the link with it."""
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["ip", "link", "del", self.link], check=False, capture_output=True)


def run(*command):
    """Runs a command; its own words are in the failure."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
