"""Fixtures of the live suite: real processes, nothing faked, nothing skipped.

What is tested and tested with comes by environment: GHOSTCAST_BIN, LIVEKIT_SERVER_BIN, LIVEKIT_CLIENT_JS, AXE_JS. If
one is missing the run ends with an error at once: a suite that skips what it cannot reach would
be green for the wrong reason.
"""

import os
from pathlib import Path

import pytest

from support.api import new_room
from support.cdp import Chromium, find_chromium
from support.films import missing_programs
from support.jobs import offices
from support.kept import Site, services
from support.livekit_server import LiveKitServer
from support.local_platform import platform
from support.seer import Seer
from support.service import TOKEN, Ghostcast, running_service
from support.subscriber import PythonSubscriber
from support.viewers import ClientJsViewer, WhepViewer
from support.web import Web

PROGRAMS = ("GHOSTCAST_BIN", "LIVEKIT_SERVER_BIN")
CLIENT_JS, AXE_JS = "LIVEKIT_CLIENT_JS", "AXE_JS"


def pytest_sessionstart(session):
    """Refuses to run without the real parts."""
    if session.config.option.collectonly:
        return
    problems = []
    for name in (*PROGRAMS, CLIENT_JS, AXE_JS):
        path = os.environ.get(name)
        if not path:
            problems.append(f"{name} is not set")
        elif not Path(path).is_file():
            problems.append(f"{name}: there is no file {path}")
        elif name in PROGRAMS and not os.access(path, os.X_OK):
            problems.append(f"{name}: {path} is not executable")
    if not find_chromium():
        problems.append("there is no chromium-headless-shell, chromium or google-chrome")
    problems += [f"{name} is missing: apt-get install ffmpeg" for name in missing_programs()]
    if problems:
        pytest.exit("The live tests need their real parts: " + "; ".join(problems), returncode=3)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the service's log beside a failure."""
    report = yield
    if report.failed:
        for service in list(Ghostcast.running):
            report.sections.append((f"log of ghostcast {service.pid}", service.log()))
    return report


@pytest.fixture(scope="session")
def ghostcast_bin():
    """The program under test."""
    return os.environ["GHOSTCAST_BIN"]


@pytest.fixture(scope="session")
def web():
    """The web that the tested browsers see."""
    web = Web()
    web.files["/livekit-client.js"] = Path(os.environ[CLIENT_JS]).read_bytes()
    yield web
    web.close()


@pytest.fixture(scope="session")
def other_web():
    """A second web server, for what must never be reached."""
    web = Web()
    yield web
    web.close()


@pytest.fixture(scope="session")
def livekit_server():
    """The LiveKit server that most tests share; a test that breaks one takes `own_livekit`."""
    server = LiveKitServer(os.environ["LIVEKIT_SERVER_BIN"]).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def livekit_server_bin():
    """The LiveKit server's program."""
    return os.environ["LIVEKIT_SERVER_BIN"]


@pytest.fixture
def own_livekit(livekit_server_bin):
    """A LiveKit server of the test's own, to stop and start."""
    server = LiveKitServer(livekit_server_bin).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium():
    """The Chromium that watches."""
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def ghostcast(ghostcast_bin, livekit_server):
    """A service with LiveKit, one per test module."""
    with running_service(ghostcast_bin, env=livekit_server.env()) as service:
        yield service


@pytest.fixture(scope="module")
def lone_ghostcast(ghostcast_bin):
    """A service that knows of no LiveKit server, one per test module."""
    with running_service(ghostcast_bin) as service:
        yield service


@pytest.fixture
def own_ghostcast(ghostcast_bin):
    """A service without LiveKit for one test that breaks things."""
    with running_service(ghostcast_bin) as service:
        yield service


@pytest.fixture(scope="module")
def site():
    """A site that knows its visitors."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def house(ghostcast_bin, tmp_path):
    """Makes services that share their directories, one after the other."""
    with services(ghostcast_bin, tmp_path) as house:
        yield house


@pytest.fixture
def local():
    """A platform to log in at."""
    with platform() as local:
        yield local


@pytest.fixture
def seer():
    """A model that sees."""
    made = Seer()
    yield made
    made.close()


@pytest.fixture
def office(ghostcast_bin, local, tmp_path):
    """Makes services that know that platform and share their directories, one after the other."""
    with offices(ghostcast_bin, local, tmp_path) as office:
        yield office


@pytest.fixture(scope="module")
def guarded_ghostcast(ghostcast_bin):
    """A service that asks for a token."""
    with running_service(ghostcast_bin, token=TOKEN) as service:
        yield service


@pytest.fixture
def api(ghostcast):
    """The REST interface of the service with LiveKit."""
    return ghostcast.api


@pytest.fixture
def lone_api(lone_ghostcast):
    """The REST interface of the service without LiveKit."""
    return lone_ghostcast.api


@pytest.fixture
def subscribe(livekit_server):
    """Makes Python SDK viewers of the shared LiveKit server."""
    return lambda room: PythonSubscriber(livekit_server, room)


@pytest.fixture
def watch_js(chromium, web, livekit_server):
    """Makes livekit-client viewers of the shared LiveKit server."""
    return lambda room: ClientJsViewer(chromium, web, livekit_server, room)


@pytest.fixture(params=["display", "screencast"])
def capture(request):
    """Each way by which pictures come to the video."""
    return request.param


@pytest.fixture
def watch_whep(chromium, web, lone_ghostcast):
    """Makes WHEP viewers of the service without LiveKit."""
    return lambda room: WhepViewer(chromium, web, lone_ghostcast.api, room)


@pytest.fixture(scope="module")
def room(lone_ghostcast, request):
    """One session for all of a module, named by it; a module that wants another one has its own."""
    name = request.module.__name__.rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
    with lone_ghostcast.api.session(new_room(name)) as session:
        yield session


@pytest.fixture
def open_page(lone_api, room, web):
    """Navigates the module's `room` to a test page and gives its visit."""

    def open_it(path, **query):
        visit = web.visit(path, **query)
        lone_api.do(room, "navigate", url=visit.url)
        return visit

    return open_it
