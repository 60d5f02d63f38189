#!/usr/bin/env python3
"""Starts a session, listens to its events, and prints where it goes and which actions fail.

    pip install websockets
    python examples/listen_events.py                 # against http://127.0.0.1:8765
    GHOSTCAST_URL=http://host:8765 GHOSTCAST_TOKEN=... python examples/listen_events.py

It needs no network and no LiveKit: it drives its session to two small pages and to a failure, so
that both branches show, and closes the session again.
"""

import asyncio
import json
import os
import urllib.error
import urllib.request

from websockets.asyncio.client import connect

BASE = os.environ.get("GHOSTCAST_URL", "http://127.0.0.1:8765").rstrip("/")
TOKEN = os.environ.get("GHOSTCAST_TOKEN", "")
HEADERS = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
ROOM = "listen-events"


def ask(method, path, body=None):
    """One REST request; a refusal is raised with the service's own words."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, HEADERS, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        error = json.load(refused)["error"]
        raise SystemExit(f"{error['message']}. {error.get('hint', '')}") from None


async def act(action_type, **params):
    """One action, beside the event loop."""
    body = {"action_type": action_type, "params": params}
    return await asyncio.to_thread(ask, "POST", f"/sessions/{ROOM}/actions", body)


async def listen(socket):
    """Prints what an agent would speak about or correct; ends when the last action is told."""
    async for text in socket:
        event = json.loads(text)
        match event["type"]:
            case "page_navigation":
                print("navigated to ", event["url"])
            case "action_error":
                print("action failed", event["action"]["action_type"], "-", event["error"])
            case "action_completed" if event["action"]["action_type"] == "wait":
                return


async def main():
    """The listener is there before the first action, so it misses nothing."""
    await asyncio.to_thread(ask, "POST", "/sessions", {"room_name": ROOM})
    try:
        url = f"{BASE.replace('http', 'ws', 1)}/mcp/events/{ROOM}"
        async with connect(url, additional_headers=HEADERS) as socket:
            listener = asyncio.create_task(listen(socket))
            await act("navigate", url="data:text/html,<h1>One</h1><button>Press</button>")
            await act("navigate", url="data:text/html,<h1>Two</h1>")
            await act("click", index=5)
            await act("wait", seconds=0)
            await asyncio.wait_for(listener, 10)
    finally:
        await asyncio.to_thread(ask, "DELETE", f"/sessions/{ROOM}")


asyncio.run(main())
