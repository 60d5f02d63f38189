"""As a user without rights, which is how it is meant to run: Chromium's own sandbox is on."""

import os
import shutil
from pathlib import Path

import pytest

from support import procs
from support.api import new_room
from support.service import Ghostcast

NOBODY = 65534
PAGE = "data:text/html,<title>Boxed</title><button>Press</button>"
FULL = "/usr/lib/chromium/chromium"


@pytest.fixture
def as_nobody(ghostcast_bin):
    """Starts services of a user who owns nothing but their directory."""
    services = []

    def start(**env):
        service = Ghostcast("", env=env)
        services.append(service)
        # Where the program lies others need not be let in.
        program = service.home / "ghostcast"
        shutil.copy(ghostcast_bin, program)
        starter = service.home / "as-nobody"
        person = service.home / "person"
        person.mkdir()
        # Who runs the tests without rights is such a user already.
        become = ""
        if os.geteuid() == 0:
            become = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "
            for path in (service.home, service.tmp, person):
                os.chown(path, NOBODY, NOBODY)
        starter.write_text(f'#!/bin/sh\nexec {become}{program} "$@"\n')
        starter.chmod(0o755)
        service.binary = str(starter)
        service.env["HOME"] = str(person)
        return service.start()

    yield start
    for service in services:
        if service in Ghostcast.running:
            service.kill()
        service.remove_home()


def sees_files(pid):
    """Whether a process has the system's files below its root."""
    try:
        return Path(f"/proc/{pid}/root/etc").exists()
    # Its root is a folder of a process that has ended.
    except OSError:
        return False


def user_namespace(pid):
    """Which one a process is in."""
    return os.readlink(f"/proc/{pid}/ns/user")


@pytest.mark.parametrize("capture", ["screencast", "display"])
def test_chromiums_sandbox_is_on(as_nobody, capture):
    """Each renderer is in a user namespace of its own and sees no files; and a full Chromium starts by both ways."""
    service = as_nobody(GHOSTCAST_BROWSER__EXECUTABLE=FULL, GHOSTCAST_BROWSER__CAPTURE=capture)
    room = new_room("sandbox")
    started = service.api.request("POST", "/sessions", json={"room_name": room, "initial_url": PAGE})
    assert started.status_code == 201 and started.json()["title"] == "Boxed", started.text
    below = procs.descendants(service.pid)
    # What the zygote has forked has its words in one.
    lines = {pid: " ".join(procs.command_line(pid)) for pid in below}
    assert not [line for line in lines.values() if "--no-sandbox" in line]
    renderers = [pid for pid, line in lines.items() if "--type=renderer" in line]
    assert renderers, lines
    for pid in renderers:
        assert user_namespace(pid) != user_namespace(service.pid)
        assert not sees_files(pid)
    act = {"action_type": "click", "params": {"x": 20, "y": 20}}
    done = service.api.request("POST", f"/sessions/{room}/actions", json=act).json()
    assert done["success"], done
    assert service.stop() == []
