"""The samples of deploy/proxy, run by the real nginx and the real Caddy: what goes through them."""

import json
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from support import essentials
from support.api import Api, assert_envelope, new_room
from support.mcp import McpClient
from support.service import TOKEN, clean_env, free_port, running_service
from support.viewers import WhepViewer
from support.wait import wait_for

SAMPLES = Path(__file__).parents[2] / "deploy/proxy"
# What nginx wants around a part of its settings, with nothing outside the test's directory.
NGINX_MAIN = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log info;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/ghostcast.conf;
}}
"""
# A Caddy that neither asks for certificates nor takes the port of another one's administration.
CADDY_MAIN = "{\n\tadmin off\n\tauto_https off\n}\n"


def sample(name, listen, upstream):
    """The sample with the test's own addresses in place of its own."""
    text = (SAMPLES / name).read_text()
    before, after = listen
    assert text.count(before) == 1 and "127.0.0.1:8765" in text
    return text.replace(before, after).replace("127.0.0.1:8765", f"127.0.0.1:{upstream}")


def nginx(home, port, upstream):
    """The command that runs nginx with the sample."""
    listen = ("    listen 80;", f"    listen 127.0.0.1:{port};")
    (home / "ghostcast.conf").write_text(sample("nginx.conf", listen, upstream))
    (home / "nginx.conf").write_text(NGINX_MAIN.format(home=home))
    return ["nginx", "-p", str(home), "-c", str(home / "nginx.conf")]


def caddy(home, port, upstream):
    """The command that runs Caddy with the sample."""
    text = sample("Caddyfile", ("\n:80 {", f"\nhttp://127.0.0.1:{port} {{"), upstream)
    (home / "Caddyfile").write_text(CADDY_MAIN + text)
    return ["caddy", "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module")
def service(ghostcast_bin):
    """A service that believes the proxies of this machine."""
    env = {"GHOSTCAST_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'}
    with running_service(ghostcast_bin, env=env, token=TOKEN) as service:
        yield service


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def outside(request, service, tmp_path_factory):
    """The service by way of a proxy."""
    home, port = tmp_path_factory.mktemp(request.param.__name__), free_port()
    # nginx drops its rights where it is started as root, and its workers must reach their directories.
    home.chmod(0o755)
    command = request.param(home, port, service.port)
    env = {**clean_env(), "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with (home / "log.txt").open("wb") as log:
        proxy = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    api = Api(f"http://127.0.0.1:{port}", TOKEN)
    try:
        wait_for(
            lambda: api.request("GET", "/health").status_code == 200,
            10,
            f"the proxy answers: {(home / 'log.txt').read_text()}",
            tolerate=httpx.HTTPError,
        )
        yield api
    finally:
        api.close_client()
        proxy.terminate()
        try:
            proxy.wait(10)
        except subprocess.TimeoutExpired:
            proxy.kill()
            proxy.wait()


def test_events_come_through_at_once(outside, service):
    """A WebSocket, and each event on it within a moment of its happening."""
    with outside.session() as room, outside.events(room) as events:
        for _ in range(3):
            start = time.monotonic()
            service.api.do(room, "wait", seconds=0)
            events.wait("action_completed", within=2)
            assert time.monotonic() - start < 1.5


def test_a_viewer_watches(outside, chromium, web):
    """Signalling by the proxy, and the clock of the page in the picture."""
    with outside.session(initial_url=web.url("/clock")) as room:
        viewer = WhepViewer(chromium, web, outside, room)
        try:
            essentials.sees_clock(viewer)
            assert viewer.location.startswith(f"{outside.base}/whep/"), "told as it is found outside"
            assert viewer.delete().status_code in (200, 204)
        finally:
            viewer.close()


def test_mcp_by_streams_and_by_socket(outside):
    """A conversation, and a stream of it whose beats come as they are sent."""
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415
    from mcp.shared._httpx_utils import create_mcp_http_client  # noqa: PLC0415

    bearer = {"Authorization": f"Bearer {TOKEN}"}
    server = streamable_http_client(f"{outside.base}/mcp", http_client=create_mcp_http_client(headers=bearer))
    client, room = McpClient(server, "legacy"), new_room("proxied")
    try:
        told = client.do("start_browser_session", room_name=room)
        assert told["events_url"] == f"{outside.base.replace('http', 'ws', 1)}/mcp/events/{room}"
        client.act(room, "wait", seconds=0)
        client.do("close_browser_session", room_name=room)
    finally:
        client.close()
    initialize = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    both = {**bearer, "Accept": "application/json, text/event-stream"}
    opened = httpx.post(f"{outside.base}/mcp", json=initialize, headers=both)
    named = {**bearer, "Accept": "text/event-stream", "Mcp-Session-Id": opened.headers["mcp-session-id"]}
    heard = threading.Event()

    def listen():
        with httpx.stream("GET", f"{outside.base}/mcp", headers=named, timeout=20) as stream:
            for line in stream.iter_lines():
                if line:
                    heard.set()
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    # A buffer would keep the few bytes of a beat for ever.
    assert heard.wait(15)
    listener.join(5)
    assert httpx.delete(f"{outside.base}/mcp", headers=named).status_code == 204


def test_large_bodies_and_refusals(outside):
    """Storage of a session, twelve times what proxies take by themselves; and the service's own words."""
    large = [{"name": "large", "value": "x" * 1_000_000}] * 12
    state = {"cookies": [], "origins": [{"origin": "https://example.com", "localStorage": large}]}
    sent = json.dumps({"room_name": "no/room", "storage_state": state})
    assert len(sent) > 12_000_000
    answer = outside.request("POST", "/sessions", content=sent)
    # It has come whole: what is wrong with it is its name.
    assert_envelope(answer, 400, "invalid_input")
    assert_envelope(outside.request("GET", "/sessions/none"), 404, "not_found")
    assert_envelope(httpx.get(f"{outside.base}/sessions"), 401, "unauthenticated")
