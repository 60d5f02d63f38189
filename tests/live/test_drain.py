"""A service that is to end without taking anybody's session, and what a supervisor asks."""

import pytest

from support.api import assert_envelope
from support.kept import start
from support.service import Ghostcast, running_service
from support.wait import wait_for

# Services are started and end.
pytestmark = pytest.mark.alone


def ready(api):
    """Whether a session can be started, and why not."""
    answer = api.request("GET", "/health/ready")
    told = answer.json()
    assert answer.status_code == (200 if told["ready"] else 503), told
    assert told["ready"] == (told["reasons"] == []), told
    return told


def ended(service):
    """Waits for the process, which ends in order."""
    wait_for(lambda: service.process.poll() is not None, 10, "the service has ended")
    assert service.process.returncode == 0, service.log()


@pytest.fixture
def service(ghostcast_bin):
    """A service that a test may see end."""
    service = Ghostcast(ghostcast_bin).start()
    yield service
    if service.process.poll() is None:
        service.stop()
    elif service in Ghostcast.running:
        Ghostcast.running.remove(service)
    service.remove_home()


def test_it_ends_with_its_last_session(service):
    """Nothing new is started, what runs goes on, and the end comes by itself."""
    api = service.api
    assert api.get("/health/live").json() == {"live": True} and ready(api)["ready"]
    api.create("one")
    start(api, "kept")
    answer = api.request("POST", "/drain")
    assert answer.status_code == 202 and answer.json() == {"draining": True, "sessions": 2}
    refused = api.request("POST", "/sessions", json={"room_name": "two"})
    assert "drained" in assert_envelope(refused, 503, "unavailable")["message"]
    assert ready(api)["reasons"] == ["it is being drained: no new sessions"]
    assert api.get("/health/live").status_code == 200
    assert api.get("/health").json()["status"] == "degraded"
    # One that runs is found by its name, and used.
    start(api, "kept", status=200)
    api.do("one", "refresh")
    api.close("one")
    assert service.process.poll() is None
    api.close("kept")
    ended(service)


def test_it_ends_at_the_bound_and_keeps_what_has_a_name(service, ghostcast_bin, web):
    """What is stored then comes back with the next service."""
    start(service.api, "kept", initial_url=web.url("/still"))
    assert service.api.request("POST", "/drain", json={"timeout_s": 1}).status_code == 202
    ended(service)
    env = {
        "GHOSTCAST_STATE__DIRECTORY": str(service.home / "state"),
        "GHOSTCAST_STATE__RESTORE": "eager",
    }
    with running_service(ghostcast_bin, env=env) as after:
        record = after.api.wait_record(
            "kept", lambda record: record["state"] == "live", 10, "it is started by itself"
        )
        assert record["session_name"] == "kept"
        assert after.api.context("kept")["url"] == web.url("/still")


def test_it_can_be_taken_back(service):
    """Sessions are taken again, and the service stays."""
    api = service.api
    api.create("one")
    api.request("POST", "/drain", json={"timeout_s": 3600})
    assert not ready(api)["ready"]
    assert api.request("DELETE", "/drain").json() == {"draining": False, "sessions": 1}
    assert ready(api)["ready"]
    api.create("two")
    for room in ("one", "two"):
        api.close(room)
    with pytest.raises(AssertionError):
        wait_for(lambda: service.process.poll() is not None, 1, "it stays")
    answer = api.request("POST", "/drain", json={"timeout_s": 10**9})
    assert_envelope(answer, 400, "invalid_input")


def test_ready_without_a_browser(ghostcast_bin):
    """A service that runs and cannot serve says both."""
    env = {"GHOSTCAST_BROWSER__EXECUTABLE": "/no/such/browser"}
    with running_service(ghostcast_bin, env=env) as service:
        assert service.api.get("/health/live").status_code == 200
        told = wait_for(
            lambda: ready(service.api), 10, "it is not ready", accept=lambda told: not told["ready"]
        )
        assert "no browser can be started" in told["reasons"][0], told
