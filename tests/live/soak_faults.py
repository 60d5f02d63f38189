"""Faults at random, one after the other, on sessions that live on: is everything always mended?

    deploy/test.sh soak [N [SEED]]

After each fault: it was announced, the room works again (a page, an action, video at an official
client), and the service is healthy. At the end: no process, no open file and no directory more than
at the beginning, and memory that does not grow. Not collected by pytest, for it takes a while.
"""

import os
import random
import statistics
import sys
import time
import traceback
from pathlib import Path

from support import faults, procs
from support.faults import Ground
from support.livekit_server import LiveKitServer
from support.network import Network
from support.service import Ghostcast
from support.subscriber import PythonSubscriber
from support.wait import wait_for
from support.web import Web

COUNT = 200
ROOMS = ("soak-a", "soak-b")
FAULTS = [*faults.BROWSER_FAULTS, *faults.SERVER_FAULTS, *faults.NETWORK_FAULTS]
# How long what can be undone is left as it is, s.
LASTS_S_MAX = 3
# What the runtime and the allocator settle on is reached after so many faults.
SETTLED_AFTER = 20
MEMORY_KB_PER_FAULT_MAX = 150
# Sockets in their last minutes and the odd timer; a leak is one for each fault.
OPEN_FILES_MORE_MAX = 8
# How long the service may take to let go of the last fault's remains.
REST_S = 10


class Soak:
    """A service, a LiveKit server in a network that can be broken, and two rooms."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.web = Web()
        self.network = Network().open()
        self.server = LiveKitServer(os.environ["LIVEKIT_SERVER_BIN"], network=self.network)
        self.service = Ghostcast(os.environ["GHOSTCAST_BIN"], env=self.server.env())
        self.events, self.memory_kb, self.told, self.mended = {}, [], {}, {}
        self.unfelt = 0

    def run(self, count):
        """Injects `count` faults; a list of what is wrong at the end."""
        self.server.start()
        self.service.start()
        api = self.service.api
        for room in ROOMS:
            self.events[room] = api.events(room, types=["stream_state", "browser_error"])
            self.start(room)
        self.check(ROOMS)
        before = self.holdings()
        for number in range(1, count + 1):
            fault, room = self.dice.choice(FAULTS), self.dice.choice(ROOMS)
            print(f"{number}/{count}: {fault} on {room}", flush=True)
            self.break_and_mend(fault, room)
            self.memory_kb.append(resident_kb(self.service.pid))
        return self.leaks(before)

    def start(self, room):
        """A session on the room, which need not have been closed."""
        # An address of its own, by which its page is told from the other room's.
        self.service.api.create(room, initial_url=self.web.url("/clock", room=room), fps=10)

    def break_and_mend(self, fault, room):
        """One fault, from its injection until all rooms work."""
        events, api = self.events[room], self.service.api
        heard = len(events.events)
        ground = Ground(self.service, self.server, room)
        began = time.monotonic()
        with ground.undo:
            fault.inject(ground)
            is_told = wait_for(
                lambda: any(map(fault.announces, events.events[heard:])),
                fault.within,
                f"{fault} is announced",
                accept=lambda told: told or (fault.is_escaped and time.monotonic() > began + 10),
            )
            if is_told:
                self.told.setdefault(fault.name, []).append(time.monotonic() - began)
            else:
                self.unfelt += 1
                self.check([room])
            if fault.after == "heals":
                time.sleep(self.dice.uniform(0, LASTS_S_MAX))
                ground.undo.close()
            began = time.monotonic()
            if fault.after == "recover":
                api.post(room, "recover")
        # Those that share the browser go down with it.
        if fault.announced_by == faults.BROWSER:
            for name in ROOMS:
                hit = name == room or fault.is_shared
                if hit and wait_for(lambda name=name: self.is_failed(name), 5, f"{name} failed"):
                    self.start(name)
        self.check(ROOMS)
        self.mended.setdefault(fault.name, []).append(time.monotonic() - began)

    def is_failed(self, room):
        """Whether the room's session has lost its browser."""
        return self.service.api.record(room)["state"] == "failed"

    def check(self, rooms):
        """Each room is live, takes an action, and its video arrives."""
        api = self.service.api
        for room in rooms:
            api.wait_record(
                room,
                lambda r: (r["state"], r["livekit"]) == ("live", "connected"),
                faults.LIVEKIT_BACK_S,
                f"{room} is whole",
            )
            api.do(room, "scroll", direction="down")
            with PythonSubscriber(self.server, room) as viewer:
                wait_for(viewer.frame_count, 10, f"video of {room}", accept=lambda n: n >= 3)
        health = api.get("/health").json()
        assert health["status"] == "healthy", health

    def holdings(self):
        """What the service holds at a moment of rest."""
        pid = self.service.pid
        return {
            "processes": len([p for p in procs.descendants(pid) if procs.is_alive(p)]),
            "zombies": len([p for p in procs.descendants(pid) if procs.is_zombie(p)]),
            "open files": procs.open_files(pid),
            "directories": len(list(self.service.tmp.glob("ghostcast-*/*"))),
        }

    def leaks(self, before):
        """What is held that was not held at the beginning."""
        bounds = {"processes": 2, "zombies": 0, "open files": OPEN_FILES_MORE_MAX, "directories": 0}
        rest_until = time.monotonic() + REST_S
        after = wait_for(
            self.holdings,
            REST_S + 5,
            "the service comes to rest",
            accept=lambda now: time.monotonic() > rest_until
            or all(now[kind] <= before[kind] + more for kind, more in bounds.items()),
        )
        print(f"at the beginning: {before}\nat the end:       {after}")
        wrong = [
            f"{after[kind]} {kind}, {before[kind]} at the beginning"
            for kind, more in bounds.items()
            if after[kind] > before[kind] + more
        ]
        settled = self.memory_kb[SETTLED_AFTER:]
        if len(settled) >= SETTLED_AFTER:
            slope = statistics.linear_regression(range(len(settled)), settled).slope
            print(f"memory: {settled[0]} kB to {settled[-1]} kB, {slope:.1f} kB a fault")
            if slope > MEMORY_KB_PER_FAULT_MAX:
                wrong.append(f"memory grows by {slope:.1f} kB a fault")
        for room in ROOMS:
            self.events[room].close()
            self.service.api.close(room)
        return wrong + self.service.stop()

    def report(self):
        """How long each kind took to be told and to be mended, s."""
        print(f"{self.unfelt} times UDP was blocked and nobody felt it: media went over TCP already")
        for name in sorted(self.told):
            told, mended = self.told[name], self.mended.get(name, [0])
            print(
                f"{name:20} {len(told):3} times; told after {statistics.median(told):5.2f} s, "
                f"at most {max(told):5.2f}; mended and checked {statistics.median(mended):5.2f} s "
                f"later, at most {max(mended):5.2f}"
            )

    def close(self):
        """Ends what is left."""
        if self.service in Ghostcast.running:
            self.service.kill()
        self.server.stop()
        self.network.close()
        self.web.close()
        self.service.remove_home()


def resident_kb(pid):
    """The memory of the service itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def main(count=COUNT, seed=None):
    """Runs the soak; the exit code says whether all went well."""
    seed = random.randrange(2**32) if seed is None else int(seed)
    print(f"seed {seed}")
    soak = Soak(seed)
    try:
        wrong = soak.run(int(count))
    except Exception:
        traceback.print_exc()
        wrong = ["a fault was not mended", soak.service.log()]
    finally:
        soak.report()
        soak.close()
    for line in wrong:
        print(f"WRONG: {line}")
    print("all mended" if not wrong else "not all is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
