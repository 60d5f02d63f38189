"""The controller, against the app of the example."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ghostcast import (
    AppProfile,
    AsyncBrowserClient,
    AsyncBrowserController,
    BrowserController,
    GhostcastError,
    ProfileError,
)

from .conftest import done, until
from .service import Service, free_port

SERVER = Path(__file__).parents[3] / "examples" / "marketbridge" / "run_server.py"


class App:
    """The app of the example, as its own process."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, str(SERVER), "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def subscriptions(self) -> list[dict[str, str]]:
        """What the app itself knows."""
        with urllib.request.urlopen(f"{self.url}api/subscriptions") as answer:
            known: list[dict[str, str]] = json.load(answer)["subscriptions"]
        return known

    def end(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """The app that all tests of this file share."""
    running = App(0)
    yield running
    running.end()


@pytest.fixture(params=["async", "blocking"])
def form(request: pytest.FixtureRequest) -> Any:
    """The class of the controller, in each of its two forms."""
    return {"async": AsyncBrowserController, "blocking": BrowserController}[request.param]


@pytest.fixture
async def tidy(service: Service) -> AsyncIterator[None]:
    """Deletes the sessions of the test afterwards."""
    yield
    async with AsyncBrowserClient(service.url) as client:
        for session in await client.list_sessions():
            await session.close(profile=True)


@pytest.fixture
async def controller(form: Any, service: Service, app: App, tmp_path: Path, tidy: None) -> AsyncIterator[Any]:
    """A controller of the app."""
    made = form(base_url=service.url, app_url=app.url, screenshots_dir=tmp_path / "shots")
    yield made
    await done(made.close())


async def test_without_arguments(
    form: Any, service: Service, tidy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GHOSTCAST_URL", raising=False)
    default = form()
    assert default.client.base_url == "http://localhost:8765"
    assert default.profile == AppProfile.builtin("marketbridge")
    await done(default.close())
    monkeypatch.setenv("GHOSTCAST_URL", service.url)
    chosen = form()
    session = await done(chosen.start_session(auto_navigate=False))
    assert session.session_name == "marketbridge" and session.is_active
    await done(chosen.close())


async def test_a_session_is_started_once_and_reused(controller: Any, app: App, name: str) -> None:
    with pytest.raises(GhostcastError, match="start_session"):
        await done(controller.take_debug_screenshot("early"))
    first = await done(controller.start_session(name, headless=True, auto_navigate=True))
    assert first.record.current_url == app.url and not first.reused
    await done(first.execute_js("window.mark = 1"))
    second = await done(controller.start_session(name))
    assert second.session_id == first.session_id and second.reused
    assert controller.session is second
    assert await done(second.execute_js("window.mark")) == 1, "it is at the app: nothing is loaded again"


async def test_auto_navigate_is_a_choice(controller: Any, name: str) -> None:
    session = await done(controller.start_session(name, auto_navigate=False))
    assert session.record.current_url == "about:blank"


async def test_readiness(controller: Any, name: str) -> None:
    await done(controller.start_session(name))
    assert await done(controller.wait_for_marketbridge_ready(timeout=30_000)) is True
    assert await done(controller.wait_until_ready()) is True
    await done(controller.session.navigate("about:blank"))
    assert await done(controller.wait_until_ready(timeout=300)) is False


async def test_an_app_that_comes_up_late(form: Any, service: Service, name: str, tidy: None) -> None:
    port = free_port()
    late = form(base_url=service.url, app_url=f"http://127.0.0.1:{port}")
    await done(late.start_session(name))
    assert await done(late.wait_for_marketbridge_ready(timeout=700)) is False
    running = App(port)
    try:
        assert await done(late.wait_for_marketbridge_ready(timeout=10_000)) is True
    finally:
        running.end()
        await done(late.close())


async def test_subscriptions(controller: Any, app: App, name: str) -> None:
    # The app remembers what both forms of the controller have told it.
    symbol = type(controller).__name__.upper()[:5]
    before = len(app.subscriptions())
    await done(controller.start_session(name))
    assert await done(controller.subscribe_to_market_data(symbol)) is True
    assert await done(controller.subscribe_to_market_data(symbol, "forex", "trades")) is True
    assert app.subscriptions()[before:] == [
        {"symbol": symbol, "instrument_type": "stock", "data_type": "market_data"},
        {"symbol": symbol, "instrument_type": "forex", "data_type": "trades"},
    ]
    shown = "[...document.querySelectorAll('#subscriptions li')].map((li) => li.textContent)"
    assert (await done(controller.session.execute_js(shown)))[before:] == [
        f"{symbol}, stock, market_data",
        f"{symbol}, forex, trades",
    ]
    assert await done(controller.subscribe_to_market_data(symbol)) is True, "again is no mistake"
    assert await done(controller.subscribe_to_market_data("no such")) is False
    assert await done(controller.subscribe_to_market_data(symbol, "bond")) is False
    assert len(app.subscriptions()) == before + 2


async def test_a_step_that_fails(controller: Any, name: str) -> None:
    await done(controller.start_session(name))
    workflow = controller.profile.workflows["subscribe_to_market_data"]
    steps = [workflow.steps[0], workflow.steps[1].model_copy(update={"target": "#gone", "timeout_ms": 200})]
    workflows = {"short": workflow.model_copy(update={"steps": steps})}
    controller._profile = controller.profile.model_copy(update={"workflows": workflows})
    result = await done(controller.run_workflow("short", symbol="AAPL"))
    assert not result and result.failed_step == 1 and result.error_kind == "condition_not_met"
    assert result.error and len(result.steps) == 2


async def test_what_a_workflow_tells(controller: Any, name: str) -> None:
    await done(controller.start_session(name))
    good = await done(controller.run_workflow("subscribe_to_market_data", symbol="AAPL"))
    assert good and good.success and len(good.steps) == 4 and good.error is None
    bad = await done(controller.run_workflow("subscribe_to_market_data", symbol="no"))
    assert not bad and bad.failed_step is None and bad.error_kind == "failure_shown"
    assert bad.error == "No such symbol: no"
    with pytest.raises(ProfileError, match="log_in, subscribe_to_market_data"):
        await done(controller.run_workflow("nobody"))
    with pytest.raises(ProfileError, match="missing parameter: symbol"):
        await done(controller.run_workflow("subscribe_to_market_data"))


async def test_success_that_is_not_shown(controller: Any, name: str) -> None:
    await done(controller.start_session(name))
    workflow = controller.profile.workflows["subscribe_to_market_data"]
    success = workflow.success.model_copy(update={"function": "false", "timeout_ms": 200})
    workflows = {"never": workflow.model_copy(update={"success": success})}
    controller._profile = controller.profile.model_copy(update={"workflows": workflows})
    result = await done(controller.run_workflow("never", symbol="AAPL"))
    assert not result and result.error_kind == "no_success_shown" and len(result.steps) == 4


async def test_dialogs_that_cover_the_app(controller: Any, name: str) -> None:
    await done(controller.start_session(name))
    await done(controller.session.execute_js("void setTimeout(() => alert('closed today'), 0)"))
    assert await done(controller.wait_until_ready(timeout=300)) is False
    await done(controller.session.act("handle_dialog", accept=True))
    script = "document.querySelector('#subscribe').onclick = () => void alert('no')"
    await done(controller.session.execute_js(script + "; return 0"))
    result = await done(controller.run_workflow("subscribe_to_market_data", symbol="AAPL"))
    assert not result and result.error_kind == "dialog_open"


async def test_debug_screenshots(controller: Any, name: str, tmp_path: Path) -> None:
    await done(controller.start_session(name))
    before = datetime.now(timezone.utc)
    file = await done(controller.take_debug_screenshot("after: the/login"))
    path = Path(file)
    assert path.parent == tmp_path / "shots" and path.read_bytes().startswith(b"\x89PNG")
    match = re.fullmatch(r"after_the_login_(\d{8}T\d{6})\.\d{3}Z\.png", path.name)
    assert match, path.name
    taken = datetime.strptime(match.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    assert abs((taken - before).total_seconds()) < 10
    assert await done(controller.take_debug_screenshot("../..")) != file


async def test_probes(controller: Any, app: App, name: str) -> None:
    await done(controller.start_session(name))
    assert await done(controller.status_text()) == "Ready"

    async def is_shown() -> bool:
        return bool(await done(controller.probe("subscription_count")) == len(app.subscriptions()))

    await until(is_shown, 5, "the page lists what the app knows")
    await done(controller.session.navigate("about:blank"))
    assert await done(controller.status_text()) is None
    assert await done(controller.probe("status_text")) is None
    with pytest.raises(ProfileError, match="status_text, subscription_count"):
        await done(controller.probe("nobody"))


async def test_login(controller: Any, name: str) -> None:
    await done(controller.start_session(name, secrets={"marketbridge-password": "demo"}))
    assert await done(controller.is_logged_in()) is False
    wrong = await done(controller.run_workflow("log_in", user="ada", password="guess"))
    assert not wrong and await done(controller.is_logged_in()) is False
    result = await done(controller.run_workflow("log_in", user="ada"))
    assert result and await done(controller.is_logged_in()) is True
    assert "demo" not in "".join(step.model_dump_json() for step in result.steps)
    await done(controller.session.close())
    await done(controller.start_session(name))
    assert await done(controller.is_logged_in()) is True, "the login is in the profile"


async def test_login_of_a_profile_that_has_none(form: Any, service: Service, name: str, tidy: None) -> None:
    text = 'name = "app"\nstart_url = "http://127.0.0.1:1/"\n[ready]\nselector = "#app"\n'
    other = form(AppProfile.parse(text), base_url=service.url)
    with pytest.raises(ProfileError, match="no \\[login\\]"):
        await done(other.is_logged_in())
    await done(other.close())
