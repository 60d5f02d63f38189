"""A link in user space: datagrams that pass it are lost, delayed and held to a rate, by a model with a seed.

It needs neither root nor a kernel that can do it. Its two ends are sockets: what a client sends to the relay
goes on to one address, and what comes back goes to that client. Whose socket it is says /proc, so that the
clients of one server can each have a link of their own. Order is kept, as nearly all networks keep it.

Deliberately absent: TCP. Signalling goes by the loopback; what is judged is the media.
"""

import contextlib
import dataclasses
import heapq
import os
import random
import selectors
import socket
import threading
import time
from pathlib import Path

HEADERS_BYTES = 28
WAIT_S = 0.05


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a link is like. Loss and delay hold both ways; the rate and its queue where the media go."""

    delay_s: float = 0.0
    loss: float = 0.0
    # Gilbert and Elliott: how probably each packet begins a burst in which all is lost, and ends it.
    burst: tuple | None = None
    jitter_s: float = 0.0
    # Bits a second from so many seconds on, counted from `Link.begin`; empty for no limit.
    rates: tuple = ()
    queue_s: float = 0.2


FREE = Shape()


class Lane:
    """One direction of a link."""

    def __init__(self, shape, has_rate, seed):
        self.shape, self.has_rate = shape, has_rate
        self.random = random.Random(seed)
        self.is_in_burst = False
        self.free_at = self.last_due = 0.0
        self.bytes = 0

    def due(self, now, since, size):
        """When a datagram of so many bytes arrives; None when it never does."""
        self.bytes += size
        if self.is_lost():
            return None
        leaves = now
        rate_bps = self.rate_bps(since)
        if rate_bps:
            if self.free_at - now > self.shape.queue_s:
                return None
            self.free_at = max(self.free_at, now) + (size + HEADERS_BYTES) * 8 / rate_bps
            leaves = self.free_at
        jitter = self.random.uniform(-1, 1) * self.shape.jitter_s
        self.last_due = max(self.last_due, leaves + max(0.0, self.shape.delay_s + jitter))
        return self.last_due

    def is_lost(self):
        """Whether the way loses it."""
        if self.shape.burst:
            begins, ends = self.shape.burst
            self.is_in_burst = self.random.random() < (1 - ends if self.is_in_burst else begins)
            return self.is_in_burst
        return self.random.random() < self.shape.loss

    def rate_bps(self, since):
        """The rate at this time, or None."""
        if not self.has_rate:
            return None
        rates = [rate for start, rate in self.shape.rates if start <= since]
        return rates[-1] if rates else None


class Link:
    """Both directions of one client's link; `media` is where its pictures go: "up" to the server, or "down"."""

    def __init__(self, shape, media, seed=1):
        self.lanes = {way: Lane(shape, way == media, f"{seed} {way}") for way in ("up", "down")}
        self.began = time.monotonic()

    def begin(self):
        """The timetable of its rates begins now."""
        self.began = time.monotonic()


class Relay:
    """Passes datagrams between clients and one address, each by the link of its process, or by the only one."""

    def __init__(self, address, target, link=None):
        self.target, self.only = target, link
        self.front = bound(address)
        self.port = self.front.getsockname()[1]
        self.free = Link(FREE, "up")
        self.links, self.clients, self.waiting, self.count = {}, {}, [], 0
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def assign(self, pid, link):
        """What this process sends and gets goes by that link from now on."""
        self.links[pid] = link

    def run(self):
        """Passes on until it is closed."""
        while not self.stopped.is_set():
            now = time.monotonic()
            wait = min(WAIT_S, max(0.0, self.waiting[0][0] - now)) if self.waiting else WAIT_S
            for key, _ in self.selector.select(wait):
                self.drain(key.fileobj, key.data)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, sender, datagram, address = heapq.heappop(self.waiting)
                send(sender, datagram, address)

    def drain(self, end, client):
        """Takes what has come to the front, or back for a client."""
        while True:
            try:
                datagram, source = end.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                # A port that nobody listens on answers the next call; it is no end of the way.
                continue
            if end is self.front:
                back, owner = self.clients.get(source) or self.meet(source)
                self.queue("up", owner, datagram, back, self.target)
            else:
                self.queue("down", self.clients[client][1], datagram, self.front, client)

    def meet(self, source):
        """Makes the way on for a client that is new."""
        back = bound(("127.0.0.1", 0))
        self.clients[source] = back, None if self.only else owner_of(source[1])
        self.selector.register(back, selectors.EVENT_READ, source)
        return self.clients[source]

    def queue(self, way, owner, datagram, sender, address):
        """Lets a datagram wait until it arrives."""
        link = self.only or self.links.get(owner, self.free)
        now = time.monotonic()
        due = link.lanes[way].due(now, now - link.began, len(datagram))
        if due is not None:
            self.count += 1
            heapq.heappush(self.waiting, (due, self.count, sender, datagram, address))

    def close(self):
        """Ends it."""
        self.stopped.set()
        self.thread.join()
        for end in (self.front, *(back for back, _ in self.clients.values())):
            end.close()
        self.selector.close()


def bound(address):
    """A socket at an address, which never waits."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    end.bind(address)
    end.setblocking(False)
    return end


def send(sender, datagram, address):
    """Sends one; where nobody is, or no room, it is lost, as on any link."""
    with contextlib.suppress(OSError):
        sender.sendto(datagram, address)


def owner_of(port):
    """The process that has this UDP port, or None."""
    inodes = set()
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(entry.path) in inodes for entry in os.scandir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            # It has ended meanwhile, or is somebody else's.
            continue
    return None
