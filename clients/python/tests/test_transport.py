"""What is sent again and what is not, and how failures on the way are told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ghostcast import (
    ConnectionFailed,
    Forbidden,
    GhostcastError,
    InvalidInput,
    ServiceError,
    Unauthenticated,
    Unavailable,
)
from ghostcast._wire import backoffs, is_loopback, service_error

from .conftest import done
from .service import Service

TOKEN = "a-token-of-the-tests"
HEALTH = {"status": "healthy"}


class Scripted(ThreadingHTTPServer):
    """Gives the answers that a test has put down: a status, or None to hang up. Then it is healthy."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: list[int | None] = []
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.asked.append(self.command)
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer is None:
            return
        if answer == 0:
            time.sleep(1)
        body = json.dumps(HEALTH).encode() if answer == 200 else b"<h1>busy</h1>"
        self.send_response(answer or 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A service that is not well."""
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_get_is_sent_again(form: Any, scripted: Scripted) -> None:
    scripted.answers = [503, None]
    client = form(scripted.url)
    assert (await done(client.server_health())).status == "healthy"
    assert scripted.asked == ["GET"] * 3
    await done(client.close())


async def test_a_get_is_not_sent_again_for_ever(form: Any, scripted: Scripted) -> None:
    scripted.answers = [503] * 10
    client = form(scripted.url, retries=1)
    with pytest.raises(Unavailable) as busy:
        await done(client.server_health())
    assert busy.value.status == 503 and "busy" in busy.value.message and len(scripted.asked) == 2
    await done(client.close())


async def test_what_may_have_been_done_is_not_sent_again(form: Any, scripted: Scripted) -> None:
    client = form(scripted.url)
    scripted.answers = [503]
    with pytest.raises(Unavailable):
        await done(client.create_session("a"))
    scripted.answers = [None]
    with pytest.raises(ConnectionFailed) as lost:
        await done(client.create_session("a"))
    assert lost.value.may_have_been_done
    scripted.answers = [None]
    with pytest.raises(ConnectionFailed):
        await done(client.delete_session("a"))
    assert scripted.asked == ["POST", "POST", "DELETE"]
    await done(client.close())


async def test_a_proxy_is_not_asked_for_this_machine(
    form: Any, service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    client = form(service.url)
    session = await done(client.create_session(room_name=name))
    stream = session.events()
    await done(stream.connect())
    await done(stream.close())
    await done(session.close())
    await done(client.close())
    assert is_loopback("http://[::1]:8765") and is_loopback("http://localhost")
    assert not is_loopback("http://browser.example")


async def test_an_answer_that_does_not_come(form: Any, scripted: Scripted) -> None:
    scripted.answers = [0]
    client = form(scripted.url, timeout_s=0.2)
    with pytest.raises(ConnectionFailed) as late:
        await done(client.server_health())
    assert late.value.may_have_been_done and len(scripted.asked) == 1
    assert "in time" in str(late.value)
    await done(client.close())


async def test_something_else_that_listens_there(form: Any, scripted: Scripted) -> None:
    scripted.answers = [404]
    client = form(scripted.url)
    with pytest.raises(ServiceError) as other:
        await done(client.server_health())
    assert other.value.kind == "not_found"
    scripted.answers = [201]
    with pytest.raises(ConnectionFailed, match="not the service"):
        await done(client.server_health())
    await done(client.close())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a token."""
    running = Service(tmp_path_factory.mktemp("guarded"), token=TOKEN)
    try:
        yield running.start()
    finally:
        running.stop()


async def test_a_token_opens_everything(form: Any, guarded: Service, name: str) -> None:
    client = form(guarded.url, token=TOKEN)
    session = await done(client.create_session(room_name=name))
    stream = session.events(since=0, types=["all"])
    assert (await done(stream.next(timeout_s=5))).seq >= 1
    await done(stream.close())
    await done(session.close())
    await done(client.close())


async def test_a_wrong_token_is_refused(form: Any, guarded: Service, name: str) -> None:
    client, right = form(guarded.url, token="wrong"), form(guarded.url, token=TOKEN)
    with pytest.raises(Unauthenticated) as refused:
        await done(client.list_sessions())
    assert refused.value.status == 401 and isinstance(refused.value, GhostcastError)
    assert (await done(client.server_health())).status == "healthy", "health needs no token"
    session = await done(right.create_session(room_name=name))
    with pytest.raises(Unauthenticated):
        await done(type(session)(client._transport, session.record).events().next(timeout_s=5))
    await done(session.close())
    await done(client.close())
    await done(right.close())


async def test_a_link_to_watch_by(form: Any, guarded: Service, name: str) -> None:
    client = form(guarded.url, token=TOKEN)
    session = await done(client.create_session(room_name=name))
    share = await done(session.share(ttl_s=60))
    address, _, secret = share.url.partition("#share=")
    assert address == f"{guarded.url}/?room={name}" and share.expires_at.endswith("Z")
    viewer = form(guarded.url, token=secret)
    assert [one.session_id for one in await done(viewer.list_sessions())] == [session.session_id]
    watched = type(session)(viewer._transport, session.record)
    with pytest.raises(Forbidden):
        await done(watched.scroll("down"))
    stream = watched.events()
    await done(stream.connect())
    assert await done(session.revoke_shares()) == 1
    with pytest.raises(Unauthenticated):
        await done(stream.next(timeout_s=10))
    with pytest.raises(InvalidInput):
        await done(session.share(ttl_s=0))
    await done(session.close())
    await done(viewer.close())
    await done(client.close())


def test_every_kind_has_its_class() -> None:
    schema = Path(__file__).parents[3] / "src" / "error.rs"
    listed = schema.read_text().split("pub enum ErrorKind {")[1].split("}")[0]
    names = [line.strip(" ,") for line in listed.splitlines() if line.strip() and "///" not in line]
    assert sorted(names) == sorted(cls.__name__ for cls in ServiceError.kinds.values())
    for kind, cls in ServiceError.kinds.items():
        body = {"error": {"kind": kind, "message": "no", "hint": "go", "request_id": "r"}}
        error = service_error(400, json.dumps(body).encode(), None)
        assert type(error) is cls and str(error) == "no (go)"
        assert (error.kind, error.message, error.hint, error.request_id) == (kind, "no", "go", "r")


@pytest.mark.parametrize(("status", "cls"), [(403, Forbidden), (418, InvalidInput), (502, Unavailable)])
def test_an_error_of_something_between(status: int, cls: type[ServiceError]) -> None:
    error = service_error(status, b"<html>no</html>", "r")
    assert type(error) is cls and error.status == status and error.request_id == "r"


def test_a_kind_that_is_not_known_is_a_service_error() -> None:
    error = service_error(499, b'{"error": {"kind": "new", "message": "no"}}', None)
    assert type(error) is ServiceError and error.kind == "new"


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause for pause, _ in zip(backoffs(), range(50), strict=False)]
    assert 0.05 <= pauses[0] <= 0.1 and all(2 <= pause <= 4 for pause in pauses[10:])


def test_a_base_url_needs_its_scheme(form: Any) -> None:
    with pytest.raises(ValueError, match="no http"):
        form("localhost:8765")
