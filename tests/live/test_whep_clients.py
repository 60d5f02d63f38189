"""Programs that watch without a browser, with certificates of their own kinds."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.api import assert_envelope
from support.pages import page
from support.pictures import colour_distance
from support.service import running_service
from support.viewers import WhepViewer
from support.wait import wait_for

AIORTC = Path(__file__).parent / "support" / "aiortc_main.py"
GREEN = (0, 170, 0)
FRAGMENT = "application/trickle-ice-sdpfrag"
CANDIDATE = b"a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
BLINKING = "setInterval(() => { document.querySelector('b').textContent = performance.now(); }, 50);"


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_aiortc_watches(lone_ghostcast, web, kind):
    """The picture comes, whatever the viewer's certificate is signed with."""
    web.files["/whep-clients.html"] = page("clients", "<b></b>", BLINKING, style="body{background:#00aa00}").encode()
    api = lone_ghostcast.api
    with api.session(initial_url=web.url("/whep-clients.html")) as room:
        command = [sys.executable, AIORTC, f"{api.base}/whep/{room}", kind, "20"]
        watched = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert watched.returncode == 0, watched.stderr
        seen = json.loads(watched.stdout)
        assert seen["state"] == "connected" and seen["pictures"] >= 20, seen
        assert seen["size"] == [1280, 720]
        assert colour_distance(seen["colour"], GREEN) <= 12, seen
        wait_for(lambda: api.record(room)["viewers"]["whep"] == 0, 5, "the viewer has left")


def test_the_door_speaks_http_by_the_letter(lone_ghostcast, web, watch_whep):
    """What WHIP's RFC asks of the answers, which WHEP refers to."""
    api = lone_ghostcast.api
    with api.session(initial_url=web.url("/still")) as room, watch_whep(room) as viewer:
        asked = httpx.options(f"{api.base}/whep/{room}")
        assert asked.is_success and asked.headers["Accept-Post"] == "application/sdp"
        assert httpx.options(viewer.location).headers["Accept-Patch"] == FRAGMENT
        for wrong in ("text/plain", "application/sdpx", None):
            headers = {"Content-Type": wrong} if wrong else {}
            assert_envelope(httpx.post(f"{api.base}/whep/{room}", content=b"v=0", headers=headers), 415, "invalid_input")
            assert_envelope(httpx.patch(viewer.location, content=b"a=x", headers=headers), 415, "invalid_input")
        etag = f'"{viewer.location.rsplit("/", 1)[-1]}"'
        for match, status in ((etag, 204), (f'"x", {etag}', 204), (None, 204), ('"x"', 412), ("*", 422)):
            headers = {"Content-Type": f"{FRAGMENT}; charset=utf-8"} | ({"If-Match": match} if match else {})
            answer = httpx.patch(viewer.location, content=CANDIDATE, headers=headers)
            assert answer.status_code == status, (match, answer.text)
        odd = CANDIDATE + b"a=candidate:nonsense\r\n"
        refused = httpx.patch(viewer.location, content=odd, headers={"Content-Type": FRAGMENT})
        assert "nonsense" in assert_envelope(refused, 400, "invalid_input")["message"]
        for method in ("GET", "PUT", "POST"):
            assert httpx.request(method, viewer.location).status_code == 405
        # What was refused has hurt nobody.
        before = viewer.frame_count()
        wait_for(lambda: viewer.frame_count() > before, 10, "it is still watching")


def test_viewers_are_told_of_servers_for_their_way(ghostcast_bin, web, chromium):
    """STUN and TURN servers of the configuration come with the answer, and the picture comes without them."""
    servers = '[{url="stun:127.0.0.1:9"},{url="turn:127.0.0.1:9?transport=tcp",username="me",credential="open"}]'
    with running_service(ghostcast_bin, env={"GHOSTCAST_RTC__ICE_SERVERS": servers}) as service:
        api = service.api
        with api.session(initial_url=web.url("/still")) as room, WhepViewer(chromium, web, api, room) as viewer:
            assert viewer.headers.get_list("Link") == [
                '<stun:127.0.0.1:9>; rel="ice-server"',
                '<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="me"; credential="open"; '
                'credential-type="password"',
            ]
            wait_for(lambda: viewer.picture() is not None, 10, "a picture")
