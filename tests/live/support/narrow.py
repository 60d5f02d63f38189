"""A narrow way in user space: what is sent to it goes on to one address, no faster than it may.

The other end sees the relay's address, so answers come back by it; that way is free. What finds no
place in the queue is dropped, as a router does.
"""

import heapq
import re
import select
import socket
import threading
import time

QUEUE_S = 0.4
WAIT_S = 0.05


class NarrowWay:
    """`near` is where the viewer sends to; `rate_bps` bounds what comes to the viewer (0 for all).

    A viewer may send from several addresses (each of its connections has some), and each gets its own answers.
    """

    def __init__(self, target, rate_bps):
        self.target, self.rate_bps = target, rate_bps
        self.near = self.socket()
        self.port = self.near.getsockname()[1]
        self.dropped = 0
        # By which socket what comes from an address of the viewer goes on, and the other way round.
        self.far, self.sources = {}, {}
        self.waiting, self.free_at, self.count = [], 0.0, 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def socket():
        """An end that does not wait."""
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind(("127.0.0.1", 0))
        end.setblocking(False)
        return end

    def run(self):
        """Passes datagrams on until it is closed."""
        while not self.stopped.is_set():
            now = time.monotonic()
            wait = min(WAIT_S, max(0.0, self.waiting[0][0] - now)) if self.waiting else WAIT_S
            for end in select.select([self.near, *self.sources], [], [], wait)[0]:
                self.drain(end)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, datagram, viewer = heapq.heappop(self.waiting)
                self.near.sendto(datagram, viewer)

    def drain(self, end):
        """Takes what has come to one end."""
        while True:
            try:
                datagram, source = end.recvfrom(4096)
            except BlockingIOError:
                return
            except OSError:
                continue
            if end is self.near:
                self.to(source).sendto(datagram, self.target)
            else:
                self.queue(datagram, self.sources[end])

    def to(self, source):
        """The end by which what comes from there goes on."""
        if source not in self.far:
            self.far[source] = self.socket()
            self.sources[self.far[source]] = source
        return self.far[source]

    def queue(self, datagram, viewer):
        """Lets a datagram wait for its turn, if there is room."""
        now = time.monotonic()
        leaves_at = now
        if self.rate_bps:
            if self.free_at - now > QUEUE_S:
                self.dropped += 1
                return
            self.free_at = max(self.free_at, now) + (len(datagram) + 28) * 8 / self.rate_bps
            leaves_at = self.free_at
        self.count += 1
        heapq.heappush(self.waiting, (leaves_at, self.count, datagram, viewer))

    def close(self):
        """Ends it."""
        self.stopped.set()
        self.thread.join()
        for end in (self.near, *self.sources):
            end.close()


def without_candidates(sdp):
    """A description that names no address: its side is reached by where its packets come from."""
    return "".join(f"{line}\r\n" for line in sdp.split("\r\n")[:-1] if not line.startswith("a=candidate"))


CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*$", re.IGNORECASE)


def led_through(sdp, rate_bps):
    """A description by which its side is reached by a narrow way alone, and that way."""
    found = [CANDIDATE.match(line) for line in sdp.split("\r\n")]
    addresses = [(match[1], int(match[2])) for match in found if match]
    way = NarrowWay(addresses[0], rate_bps)
    candidate = f"a=candidate:1 1 udp 2113937151 127.0.0.1 {way.port} typ host\r\n"
    head, *sections = without_candidates(sdp).split("m=")
    return head + "".join(f"m={section}{candidate}" for section in sections), way
