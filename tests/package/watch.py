"""One session of an installed Ghostcast, watched: `tests/package/watch.py URL`.

Run where the service is reached; says how long it took until the dashboard played. The judges are a
Chromium that is not the service's, and decoded pixels.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))

from support.api import Api
from support.cdp import Chromium, Tab
from support.viewers import WhepViewer
from support.wait import wait_for
from support.web import Web

PAGE = "data:text/html,<title>Installed</title><body style='background:rgb(0,160,0)'><button>Press</button>"
ROOM = "installed"


def is_green(picture):
    """Whether the middle of a picture is the page's colour."""
    return picture is not None and abs(picture[300, 600].astype(int) - [0, 160, 0]).max() < 30


def main(url):
    began = float(os.environ.get("BEGAN", time.time()))
    api = Api(url, os.environ.get("TOKEN"))
    wait_for(lambda: api.request("GET", "/health").json()["status"] == "healthy", 60, "the service is healthy", tolerate=Exception)
    web, chromium = Web(), Chromium()
    try:
        started = api.request("POST", "/sessions", json={"room_name": ROOM, "initial_url": PAGE})
        assert started.status_code == 201, started.text
        with Tab(chromium, f"{url}/?room={ROOM}") as dashboard:
            plays = "[...document.querySelectorAll('video')].some((video) => video.videoWidth && video.currentTime > 0)"
            # A dashboard asks for the token; what is watched by hand is a service without one.
            if not os.environ.get("TOKEN"):
                wait_for(lambda: dashboard.evaluate(plays), 30, "the dashboard plays")
                print(f"the dashboard plays after {time.time() - began:.1f} s")
        with WhepViewer(chromium, web, api, ROOM) as viewer:
            wait_for(lambda: is_green(viewer.picture()), 20, "WHEP shows the page")
            print(f"WHEP shows the page, as {viewer.codec()}")
        pressed = api.request("POST", f"/sessions/{ROOM}/actions", json={"action_type": "click", "params": {"x": 30, "y": 20}}).json()
        assert pressed["success"], pressed
        assert api.request("DELETE", f"/sessions/{ROOM}").status_code == 200
    finally:
        chromium.close()
        web.close()


main(sys.argv[1])
