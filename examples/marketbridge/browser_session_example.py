#!/usr/bin/env python3
"""Everything that one does with named browser sessions, one example after the other.

    pip install ./clients/python
    ghostcast serve                                                # the service, on port 8765
    python examples/marketbridge/run_server.py                     # the app, on port 8080
    python examples/marketbridge/browser_session_example.py

Each example prints a line that begins with PASS or FAIL; the program exits with 1 if any failed. The
service is the one at GHOSTCAST_URL, or --service; its token is GHOSTCAST_TOKEN. The app is the one at
MARKETBRIDGE_URL, or --app. The sessions and profiles that it makes are deleted at the end.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

from ghostcast import (
    AppProfile,
    AsyncBrowserClient,
    AsyncBrowserController,
    BrowserClient,
    Conflict,
    ConnectionFailed,
    ScriptError,
)

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = ("example-main", "example-neighbour", "example-controller", "example-blocking")


class Examples:
    """The examples, in the order in which they are written."""

    def __init__(self, service, app, directory):
        self.service = service
        self.app = app
        self.directory = directory
        self.token = os.environ.get("GHOSTCAST_TOKEN")

    def client(self):
        return AsyncBrowserClient(self.service, token=self.token)

    def controller(self):
        return AsyncBrowserController(
            AppProfile.load(Path(__file__).with_name("marketbridge.toml")),
            base_url=self.service,
            token=self.token,
            app_url=self.app,
            screenshots_dir=self.directory,
        )

    async def server_health(self):
        async with self.client() as client:
            health = await client.server_health()
            assert health.status in {"healthy", "degraded"}, health
            return f"the service is {health.status}, version {health.version}"

    async def server_health_of_a_service_that_is_stopped(self):
        async with AsyncBrowserClient("http://127.0.0.1:9") as client:
            try:
                await client.server_health()
            except ConnectionFailed as error:
                return f"raises {type(error).__name__}"
            raise AssertionError("somebody listens on port 9")

    async def create_session(self):
        async with self.client() as client:
            began = time.monotonic()
            session = await client.create_session("example-main", viewport=(1920, 1080))
            created_ms = (time.monotonic() - began) * 1000
            listed = {one.session_id for one in await client.list_sessions()}
            assert session.session_id in listed and session.is_active
            return f"{session.session_id}, in {created_ms:.0f} ms"

    async def create_session_again(self):
        async with self.client() as client:
            try:
                await client.create_session("example-main")
            except Conflict as refused:
                return f"refused: {refused.message}"
            raise AssertionError("two sessions have one name")

    async def reuse_session(self):
        async with self.client() as client:
            known = await client.get_session_by_name("example-main")
            began = time.monotonic()
            session = await client.create_session("example-main", reuse=True)
            reused_ms = (time.monotonic() - began) * 1000
            assert known and session.session_id == known.session_id and session.reused
            return f"the same session, in {reused_ms:.0f} ms"

    async def get_session_by_name(self):
        async with self.client() as client:
            assert await client.get_session_by_name("example-main") is not None
            assert await client.get_session_by_name("example-nobody") is None
            return "known, and None for a name that nobody has"

    async def navigate_screenshot_execute_and_is_active(self):
        async with self.client() as client:
            session = await client.get_session("example-main")
            await session.navigate(self.app)
            path = self.directory / "page.png"
            await session.screenshot(path)
            title = await session.execute_js("document.title")
            await session.refresh()
            assert session.record.current_url.startswith(self.app), session.record.current_url
            assert path.read_bytes().startswith(PNG)
            assert title == "MarketBridge", title
            assert session.is_active is True
            return f"{session.record.current_url}, {path.stat().st_size} bytes, title {title}"

    async def a_script_that_throws(self):
        async with self.client() as client:
            session = await client.get_session("example-main")
            try:
                await session.execute_js("nobody.home")
            except ScriptError as error:
                return f"raises {error.name}: {error.message}"
            raise AssertionError("it did not throw")

    async def interact_and_wait(self):
        async with self.client() as client:
            session = await client.get_session("example-main")
            await session.fill("#symbol", "MSFT")
            await session.select("#instrument-type", label="Option")
            await session.click("#subscribe")
            waited_ms = await session.wait_for(text="Subscribed: MSFT, option")
            shown = await session.execute_js(
                "[...document.querySelectorAll('#subscriptions li')].map((li) => li.dataset.symbol)"
            )
            assert "MSFT" in shown, shown
            return f"the page shows {shown}, after {waited_ms} ms"

    async def events(self):
        async with self.client() as client:
            session = await client.get_session("example-main")
            async with session.events() as events:
                await session.navigate(f"{self.app}?events")
                event = await events.next(timeout_s=10)
                while event.type != "page_navigation":
                    event = await events.next(timeout_s=10)
                return f"{event.type} to {event.url}"

    async def two_isolated_sessions(self):
        async with self.client() as client:
            one = await client.get_session("example-main")
            other = await client.create_session("example-neighbour", url=self.app)
            await one.execute_js("document.cookie = 'mine=1; max-age=3600'")
            seen = await other.execute_js("document.cookie")
            assert "mine" not in seen, seen
            return "a cookie of one is not seen in the other"

    async def recover_idiom_and_cookies_back(self):
        async with self.client() as client:
            session = await client.get_session_by_name("example-main")
            await session.close()
            session = await client.get_session_by_name("example-main")
            if session is None or not session.is_active:
                session = await client.create_session("example-main", url=self.app)
            cookies = await session.execute_js("document.cookie")
            assert "mine=1" in cookies, cookies
            again = await client.ensure_session("example-main")
            assert again.session_id == session.session_id
            return f"closed and started again with {cookies}; ensure_session finds it"

    async def controller_starts_or_reuses(self):
        async with self.controller() as controller:
            first = await controller.start_session("example-controller")
            second = await controller.start_session("example-controller")
            assert first.session_id == second.session_id
            assert await controller.wait_for_marketbridge_ready(timeout=30_000)
            return f"{second.session_id} twice, and the app is ready"

    async def controller_subscribes(self):
        async with self.controller() as controller:
            await controller.start_session("example-controller")
            assert await controller.subscribe_to_market_data("AAPL")
            assert await controller.subscribe_to_market_data("EURUSD", "forex", "trades")
            assert not await controller.subscribe_to_market_data("no such symbol")
            count = await controller.probe("subscription_count")
            return f"AAPL and EURUSD, refused what is none; the page lists {count}"

    async def controller_debug_screenshot(self):
        async with self.controller() as controller:
            await controller.start_session("example-controller")
            name = await controller.take_debug_screenshot("after subscribing")
            assert Path(name).read_bytes().startswith(PNG)
            return Path(name).name

    async def controller_status_probe(self):
        async with self.controller() as controller:
            session = await controller.start_session("example-controller")
            status = await controller.status_text()
            assert status is not None
            await session.navigate("about:blank")
            assert await controller.status_text() is None
            return f"{status!r}, and None where the page has no status"

    async def controller_when_the_app_is_down(self):
        async with AsyncBrowserController(
            base_url=self.service, token=self.token, app_url="http://127.0.0.1:9"
        ) as controller:
            await controller.start_session("example-neighbour")
            assert not await controller.wait_until_ready(timeout=1_500)
            return "not ready after 1500 ms"

    async def blocking_client(self):
        def work():
            with BrowserClient(self.service, token=self.token) as client:
                session = client.create_session("example-blocking", url=self.app)
                return session.execute_js("document.title")

        title = await asyncio.to_thread(work)
        assert title == "MarketBridge", title
        return f"title {title}, without asyncio"

    async def cleanup_sessions(self):
        async with self.client() as client:
            old = await client.cleanup_sessions(max_age_hours=24, dry_run=True)
            names = {record.session_name for record in old.deleted}
            assert not names & set(NAMES), names
            return f"older than 24 h: {old.deleted_count}; others: {old.kept}"

    async def delete_session(self):
        async with self.client() as client:
            for name in NAMES:
                await client.delete_session(name, profile=True)
                assert await client.get_session_by_name(name) is None
            return f"{len(NAMES)} sessions and their profiles are gone"


async def run(examples):
    """Runs every example, tells of each, and answers how many failed."""
    failed = 0
    for name, example in vars(type(examples)).items():
        if name.startswith("_") or not asyncio.iscoroutinefunction(example):
            continue
        title = name.replace("_", " ")
        try:
            print(f"PASS {title}: {await example(examples)}", flush=True)
        except Exception as error:
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL {title}: {type(error).__name__}: {error} (line {place.lineno})", flush=True)
    return failed


async def forget(examples):
    """Deletes what an earlier run has left."""
    async with examples.client() as client:
        for name in NAMES:
            if await client.get_session_by_name(name):
                await client.delete_session(name, profile=True)


async def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    service = os.environ.get("GHOSTCAST_URL", "http://localhost:8765")
    app = os.environ.get("MARKETBRIDGE_URL", "http://localhost:8080/")
    options.add_argument("--service", default=service, help="where Ghostcast is")
    options.add_argument("--app", default=app, help="where the app is")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        examples = Examples(chosen.service, chosen.app, Path(directory))
        try:
            await forget(examples)
        except ConnectionFailed as error:
            print(f"FAIL the service does not answer: {error}")
            return 1
        try:
            await asyncio.to_thread(urllib.request.urlopen, chosen.app, timeout=5)
        except OSError as error:
            print(f"FAIL the app does not answer at {chosen.app}: {error}")
            return 1
        failed = await run(examples)
    print("all passed" if not failed else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
