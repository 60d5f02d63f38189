"""Behind a proxy: what the service says of its own address, and whom it believes."""

import httpx
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.api import assert_envelope, new_room
from support.mcp import McpClient
from support.service import running_service

OUTSIDE = "ghost.example.com"
FORWARDED = {"Forwarded": f'for=192.0.2.4;proto=https;host="{OUTSIDE}"'}
X_FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": OUTSIDE}
# An offer as a browser makes it; nobody will be there to receive.
OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 46117317 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "",
    ]
)


@pytest.fixture(scope="module")
def trusting(ghostcast_bin):
    """A service that believes the proxies of this machine."""
    env = {"GHOSTCAST_SERVER__TRUSTED_PROXIES": '["127.0.0.0/8"]'}
    with running_service(ghostcast_bin, env=env) as service:
        yield service


@pytest.fixture(scope="module")
def named(ghostcast_bin):
    """A service that knows its address outside."""
    env = {"GHOSTCAST_SERVER__PUBLIC_URL": f"https://{OUTSIDE}/"}
    with running_service(ghostcast_bin, env=env) as service:
        yield service


def addresses(service, headers):
    """What REST, WHEP and MCP say of where things are; and the room that they were said of."""
    room = new_room("proxy")
    api = service.api
    created = api.request("POST", "/sessions", json={"room_name": room}, headers=headers)
    assert created.status_code == 201, created.text
    try:
        sdp = {"Content-Type": "application/sdp", **headers}
        offered = api.request("POST", f"/whep/{room}", content=OFFER, headers=sdp)
        assert offered.status_code == 201, offered.text
        location = offered.headers["location"]
        path = httpx.URL(location).path
        assert api.request("DELETE", path).status_code == 200, "the path is the viewer's"
        server = streamable_http_client(
            f"{api.base}/mcp", http_client=create_mcp_http_client(headers=headers)
        )
        client = McpClient(server, "auto")
        try:
            facts = client.do("pause_browser_session", room_name=room)
        finally:
            client.close()
        return created.headers["location"], location, facts["events_url"], room
    finally:
        api.close(room)


@pytest.mark.parametrize("headers", [FORWARDED, X_FORWARDED], ids=["forwarded", "x-forwarded"])
def test_a_trusted_proxy_is_believed(trusting, headers):
    """Everything is found outside, by TLS."""
    session, viewer, events, room = addresses(trusting, headers)
    assert session.startswith(f"https://{OUTSIDE}/sessions/")
    assert viewer.startswith(f"https://{OUTSIDE}/whep/")
    assert events == f"wss://{OUTSIDE}/mcp/events/{room}"


@pytest.mark.parametrize("headers", [FORWARDED, X_FORWARDED], ids=["forwarded", "x-forwarded"])
def test_nobody_else_is_believed(lone_ghostcast, headers):
    """Without the setting, what a caller claims changes nothing."""
    session, viewer, events, room = addresses(lone_ghostcast, headers)
    assert session.startswith("/sessions/") and viewer.startswith("/whep/")
    assert events == f"ws://127.0.0.1:{lone_ghostcast.port}/mcp/events/{room}"


def test_the_operators_word(named):
    """The setting holds whatever headers say, and the service's own pages may call it."""
    session, viewer, events, room = addresses(named, {"X-Forwarded-Host": "evil.test"})
    assert session.startswith(f"https://{OUTSIDE}/sessions/")
    assert viewer.startswith(f"https://{OUTSIDE}/whep/")
    assert events == f"wss://{OUTSIDE}/mcp/events/{room}"
    origin = {"Origin": f"https://{OUTSIDE}"}
    assert named.api.request("GET", "/sessions", headers=origin).status_code == 200
    host = {**origin, "Host": OUTSIDE}
    assert named.api.request("GET", "/sessions", headers=host).status_code == 200
    for evil in ({"Origin": "https://evil.test"}, {"Host": "evil.test"}, {"Origin": f"http://{OUTSIDE}"}):
        assert_envelope(named.api.request("GET", "/sessions", headers=evil), 403, "forbidden")


def test_an_address_outside_that_leads_nowhere_is_told_once(ghostcast_bin, named):
    """A proxy has to run on this machine; whoever says which addresses are its own knows."""
    told = [line for line in named.log_path.read_text().splitlines() if "server.public_url is" in line]
    assert len(told) == 1 and " WARN " in told[0], told
    assert all(word in told[0] for word in (OUTSIDE, "127.0.0.1", "server.listen", "rtc.hosts"))
    env = {"GHOSTCAST_SERVER__PUBLIC_URL": f"https://{OUTSIDE}/", "GHOSTCAST_RTC__HOSTS": '["192.0.2.7"]'}
    with running_service(ghostcast_bin, env=env) as knowing:
        assert "server.public_url is" not in knowing.log_path.read_text()
