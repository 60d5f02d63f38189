"""A token that is signed with the service's key goes to the service's own LiveKit server only."""

import socket
import threading

import pytest

from support.api import assert_envelope, new_room
from support.livekit_server import API_KEY, API_SECRET
from support.service import running_service
from support.wait import wait_for

# What every JWT begins with: the base64 of `{"`.
JWT = "eyJ"


class Listener:
    """A server that accepts, keeps what it is told first, and hangs up."""

    def __init__(self):
        self.heard = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Keeps the head of each connection's first request."""
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(2)
                head = b""
                try:
                    while b"\r\n\r\n" not in head and (part := client.recv(4096)):
                        head += part
                except OSError:
                    pass
                self.heard.append(head.decode(errors="replace"))

    @property
    def port(self):
        """Where it listens."""
        return self.socket.getsockname()[1]

    @property
    def url(self):
        """Its address as a LiveKit server's."""
        return f"ws://localhost:{self.port}"

    def close(self):
        """Stops listening."""
        self.socket.close()


@pytest.fixture
def foreign():
    """A server of somebody else's."""
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def configured():
    """The server that the service was configured with."""
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def keyed(ghostcast_bin, configured):
    """A service with a LiveKit key."""
    env = {
        "LIVEKIT_URL": configured.url,
        "LIVEKIT_API_KEY": API_KEY,
        "LIVEKIT_API_SECRET": API_SECRET,
    }
    with running_service(ghostcast_bin, env=env) as service:
        yield service


@pytest.mark.parametrize("token", [{}, {"livekit_token": ""}], ids=["absent", "empty"])
def test_foreign_url_without_a_token(keyed, configured, foreign, token):
    """It is refused, and nobody there is ever called."""
    spellings = [
        foreign.url,
        f"{foreign.url}/",
        f"ws://{configured.url.removeprefix('ws://')}@localhost:{foreign.port}",
        f"{configured.url}0@localhost:{foreign.port}",
    ]
    for url in spellings:
        body = {"room_name": new_room(), "livekit_url": url, **token}
        answer = keyed.api.request("POST", "/sessions", json=body)
        error = assert_envelope(answer, 422, "unprocessable")
        assert "livekit_token" in error["message"]
        assert keyed.api.request("GET", f"/sessions/{body['room_name']}").status_code == 404
    # The same listener hears a caller who brings a token: so it would have heard the others.
    spec = {"livekit_url": foreign.url, "livekit_token": "a-token-of-the-caller"}
    with keyed.api.session(**spec):
        wait_for(lambda: foreign.heard, 5, "the caller's token arrives")
    assert all("a-token-of-the-caller" in head for head in foreign.heard), foreign.heard
    assert not any(JWT in head for head in foreign.heard), foreign.heard


@pytest.mark.parametrize("spelling", ["ws://localhost:{}", "ws://localhost:{}/", "ws://LocalHost:{}"])
def test_own_url_needs_no_token(keyed, configured, spelling):
    """However the configured server is spelled, the service makes a token for it."""
    url = spelling.format(configured.port)
    before = len(configured.heard)
    with keyed.api.session(livekit_url=url):
        heard = wait_for(lambda: configured.heard[before:], 5, "the configured server is called")
    assert JWT in heard[0], heard
