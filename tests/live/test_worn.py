"""What a long life does to a service: processes that can no longer do their work, files that a cleaner took."""

import contextlib
import os
import shutil
import signal
import socket
import time

import pytest

from support import procs
from support.api import assert_envelope, new_room
from support.service import running_service
from support.wait import wait_for

pytestmark = pytest.mark.alone


def test_a_browser_that_makes_no_pages_is_replaced(ghostcast_bin, web):
    """Its zygotes are gone, so no renderer can start in it: another one is taken, and it is told."""
    with running_service(ghostcast_bin) as service:
        browser = wait_for(service.browsers, 10, "a browser is warm")[0]
        is_zygote = lambda pid: "--type=zygote" in " ".join(procs.command_line(pid))
        zygotes = wait_for(
            lambda: [pid for pid in procs.descendants(browser) if is_zygote(pid)],
            10,
            "it has its zygotes",
        )
        # One that loses them while it starts ends by itself.
        time.sleep(1)
        for pid in zygotes:
            os.kill(pid, signal.SIGKILL)
        first = new_room()
        service.api.create(first, initial_url=web.url("/still"))
        assert service.api.context(first)["title"]
        assert "no page can be made in a browser process" in service.log()
        assert "ghostcast_browsers_retired_total 1" in service.api.get("/metrics").text
        wait_for(lambda: browser not in service.browsers(), 10, "the old one has ended")
        # The next one starts at once.
        with service.api.session(initial_url=web.url("/still")) as room:
            service.api.do(room, "refresh")
        service.api.close(first)


def test_a_work_directory_that_a_cleaner_took(ghostcast_bin, web):
    """It is made anew, by whoever needs it first, and belongs to nobody else."""
    with running_service(ghostcast_bin) as service:
        service.api.create("one", initial_url=web.url("/still"))
        (work,) = [path for path in service.tmp.iterdir() if path.name.startswith("ghostcast-")]
        shutil.rmtree(work)
        service.api.create("two", initial_url=web.url("/still"))
        service.api.do("two", "refresh")
        assert (work / "owner.lock").exists() and work.stat().st_mode & 0o777 == 0o700
        assert "the work directory was removed" in service.log()
        service.api.do("one", "refresh")
        for room in ("one", "two"):
            service.api.close(room)


def test_listening_to_nothing_takes_no_rooms_place(ghostcast_bin, web):
    """As many event sockets as there may be rooms, on rooms that nobody has: a session starts all the same."""
    env = {"GHOSTCAST_SERVER__CONNECTIONS_MAX": "1200"}
    with running_service(ghostcast_bin, env=env) as service, contextlib.ExitStack() as open_sockets:
        head = (
            "GET /mcp/events/{} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        codes = []
        for number in range(1_025):
            one = open_sockets.enter_context(
                socket.create_connection(("127.0.0.1", service.port), timeout=10)
            )
            one.sendall(head.format(f"nobody-{number}").encode())
            codes.append(one.recv(64).split()[1])
        assert set(codes[:1_024]) == {b"101"} and codes[1_024] == b"429", codes[1_020:]
        with service.api.session(initial_url=web.url("/still")) as room:
            service.api.do(room, "refresh")
            with service.api.events(room, since=0) as events:
                events.wait("page_load_complete")


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["evil.test"]])
def test_a_request_names_one_host(lone_ghostcast, hosts):
    """None, two, or that of somebody else: refused before anything is looked at."""
    with socket.create_connection(("127.0.0.1", lone_ghostcast.port), timeout=10) as one:
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        one.sendall(f"GET /sessions HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        answer = b""
        while part := one.recv(4_096):
            answer += part
    assert answer.split()[1] == (b"403" if hosts == ["evil.test"] else b"400"), answer


def test_a_list_is_no_object(lone_api):
    """The values of an object's fields in their order are not taken for it."""
    room = new_room()
    for path, body in (
        ("/sessions", [None, room]),
        ("/sessions/cleanup", [24.0, True, False]),
    ):
        answer = lone_api.request("POST", path, json=body)
        assert_envelope(answer, 400, "invalid_input")
    assert lone_api.request("GET", f"/sessions/{room}").status_code == 404
