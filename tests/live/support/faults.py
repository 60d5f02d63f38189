"""What can break around a session, each as something that can be injected and undone.

A fault knows how it is injected, what announces it to whoever listens, how long that may take, and
what brings the room back: nothing (it heals by itself), `recover`, or a new start. Tests and the
soak take faults from here.
"""

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Callable

from websockets.sync.client import connect

from . import procs
from .subscriber import PythonSubscriber

CRASH_S = 2
# Probe interval and probe timeout of the default configuration, and a margin.
HANG_S = 10
# LiveKit says at once that we are not wanted.
TOLD_S = 2
# A signalling connection that is reset shows at the next ping.
RESET_S = 8
# Media that is silent for 8 s is lost; a margin for the machine.
SILENT_S = 12
# Signalling and media both without a word: whichever is missed first.
DARK_S = 14
# The longest pause between two attempts, and the longest of attempts that goes unanswered.
LIVEKIT_BACK_S = 20


@dataclasses.dataclass
class Ground:
    """Where a fault is injected: a service, its LiveKit server, and one session's room."""

    service: object
    server: object
    room: str
    identity: str = "ghostcast"
    undo: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault; `after` is "heals", "recover" or "start"."""

    name: str
    inject: Callable[[Ground], None]
    announced_by: str
    says: str
    within: float
    after: str
    # Sessions of the same browser process go down together.
    is_shared: bool = False
    # A session whose media goes over TCP since an earlier fault does not feel it.
    is_escaped: bool = False

    def __str__(self):
        return self.name

    def announces(self, event):
        """Whether an event is this fault's announcement."""
        if event["type"] != self.announced_by:
            return False
        text = event.get("error") or event.get("reason") or ""
        lost = event.get("state", "reconnecting") == "reconnecting"
        return lost and self.says in text


def browser_pids(ground):
    """The browser's main processes; that there are any is part of the test."""
    found = ground.service.browsers()
    assert found, "there is a browser to break"
    return found


def kill_browser(ground):
    """kill -9 of the browser's main process."""
    for pid in browser_pids(ground):
        os.kill(pid, signal.SIGKILL)


def stop_browser(ground):
    """SIGSTOP: the process is there and answers nothing."""
    for pid in browser_pids(ground):
        os.kill(pid, signal.SIGSTOP)
        ground.undo.callback(procs.kill_all, [pid])


def renderer_pids(ground):
    """The processes that hold pages."""
    return [
        pid
        for pid in procs.descendants(ground.service.pid)
        if procs.mentions(pid, "--type=renderer") and procs.is_alive(pid)
    ]


def kill_renderer(ground):
    """kill -9 of every renderer."""
    found = renderer_pids(ground)
    assert found, "there is a renderer to kill"
    procs.kill_all(found)


def kill_as_the_kernel_would(ground):
    """kill -9 of the process that Linux takes first when memory runs out: the highest score."""
    candidates = browser_pids(ground) + renderer_pids(ground)
    os.kill(max(candidates, key=procs.oom_score), signal.SIGKILL)


def crash_page(ground):
    """Page.crash on the session's page, over the browser's own debugging socket."""
    crash_url(ground.service, ground.service.api.record(ground.room)["current_url"])


def crash_url(service, url):
    """Page.crash on the page that shows a URL."""
    for address in devtools_addresses(service):
        with connect(address, max_size=None, proxy=None, legacy=True) as socket:
            socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            targets = answer_of(socket, 1)["targetInfos"]
            for target in targets:
                if target["type"] == "page" and target["url"] == url:
                    params = {"targetId": target["targetId"], "flatten": True}
                    ask = {"id": 2, "method": "Target.attachToTarget", "params": params}
                    socket.send(json.dumps(ask))
                    session = answer_of(socket, 2)["sessionId"]
                    # A crashed page answers nothing.
                    crash = {"id": 3, "method": "Page.crash", "sessionId": session}
                    socket.send(json.dumps(crash))
                    return
    raise AssertionError(f"no browser shows {url}")


def answer_of(socket, number):
    """The answer to one DevTools command, past all events."""
    while True:
        message = json.loads(socket.recv(timeout=5))
        if message.get("id") == number:
            return message["result"]


def devtools_addresses(service):
    """Where the service's browsers are debugged, as they themselves write it down."""
    for path in service.tmp.glob("ghostcast-*/*/DevToolsActivePort"):
        port, way = path.read_text().split("\n")[:2]
        yield f"ws://127.0.0.1:{port}{way}"


def eat_memory(ground):
    """The page allocates until its renderer dies of it."""
    # Whether the click outlives the page is a matter of chance.
    ground.service.api.act(ground.room, "click", x=640, y=600)


def kick(ground):
    """A moderator removes the browser from the room."""
    ground.server.remove(ground.room, ground.identity)


def delete_room(ground):
    """Somebody deletes the room."""
    ground.server.delete_room(ground.room)


def duplicate_identity(ground):
    """Somebody else joins with the browser's identity."""
    double = PythonSubscriber(ground.server, ground.room, identity=ground.identity)
    ground.undo.callback(double.close)


def restart_server(ground):
    """The SFU dies and comes back."""
    ground.server.stop()
    ground.undo.callback(ground.server.start)


def drop_signal(ground):
    """The signalling connection breaks and cannot be made again; media goes on."""
    ground.server.network.reset(ground.server.port)
    ground.undo.callback(ground.server.network.restore)


def block_udp(ground):
    """UDP no longer passes; TCP does."""
    ground.server.network.drop("meta l4proto udp")
    ground.undo.callback(ground.server.network.restore)


def block_media(ground):
    """No media passes, by UDP or by TCP; signalling does."""
    ground.server.network.drop("meta l4proto udp")
    ground.server.network.drop(f"tcp dport {ground.server.tcp_port}")
    ground.undo.callback(ground.server.network.restore)


def cut_network(ground):
    """Nothing passes, and nobody is told."""
    ground.server.network.drop("meta l4proto { tcp, udp }")
    ground.undo.callback(ground.server.network.restore)


LOST = "stream_state"
BROWSER = "browser_error"

BROWSER_FAULTS = [
    Fault("killed browser", kill_browser, BROWSER, "crashed", CRASH_S, "start", is_shared=True),
    Fault("hung browser", stop_browser, BROWSER, "answer", HANG_S, "start", is_shared=True),
    Fault("killed renderer", kill_renderer, BROWSER, "crashed", CRASH_S, "start", is_shared=True),
    Fault("crashed page", crash_page, BROWSER, "crashed", CRASH_S, "start"),
]
SERVER_FAULTS = [
    Fault("kicked", kick, LOST, "removed", TOLD_S, "recover"),
    Fault("room deleted", delete_room, LOST, "deleted", TOLD_S, "recover"),
    Fault("duplicate identity", duplicate_identity, LOST, "identity", TOLD_S, "recover"),
    Fault("server restart", restart_server, LOST, "", TOLD_S, "heals", is_shared=True),
]
NETWORK_FAULTS = [
    Fault("signal drop", drop_signal, LOST, "", RESET_S, "heals", is_shared=True),
    Fault("UDP blocked", block_udp, LOST, "", SILENT_S, "heals", is_shared=True, is_escaped=True),
    Fault("media blocked", block_media, LOST, "", SILENT_S, "heals", is_shared=True),
    Fault("network cut", cut_network, LOST, "", DARK_S, "heals", is_shared=True),
]
