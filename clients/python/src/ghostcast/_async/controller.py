"""Drives a web app by its profile."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from .. import _backend_async as backend
from .._wire import ACTION_MS, DEFAULT_URL, given
from ..errors import ActionFailed, Conflict, GhostcastError, ProfileError, ScriptError, Timeout
from ..models import ActionResult
from ..profile import AppProfile, Condition, Step, Workflow, origin_of
from ..workflow import WorkflowResult
from .client import AsyncBrowserClient
from .session import AsyncSession

LOOK_MS = 1_000
"""How long one look for a ready app takes: a page that failed to load is loaded again after it."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class AsyncBrowserController:
    """A browser session that works with one web app, as its profile describes it.

    Without arguments it talks to the service at `GHOSTCAST_URL` (http://localhost:8765) with the token
    `GHOSTCAST_TOKEN`, and works with the built-in profile `marketbridge`. Closing it ends no session.
    Methods that need a session raise `GhostcastError` before `start_session`.

    Args:
        profile: The app.
        base_url: Where the service is.
        token: Its token, where it has one.
        app_url: Where the app is, when it is elsewhere than its profile says.
        screenshots_dir: Where debug screenshots are written on this machine.

    """

    def __init__(
        self,
        profile: AppProfile | None = None,
        *,
        base_url: str | None = None,
        token: str | None = None,
        app_url: str | None = None,
        screenshots_dir: str | Path = "screenshots",
    ) -> None:
        chosen = profile or AppProfile.builtin()
        self._profile = chosen.at(app_url) if app_url else chosen
        self._client = AsyncBrowserClient(
            base_url or os.environ.get("GHOSTCAST_URL") or DEFAULT_URL,
            token=token or os.environ.get("GHOSTCAST_TOKEN") or None,
        )
        self._screenshots_dir = Path(screenshots_dir)
        self._session: AsyncSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def profile(self) -> AppProfile:
        """The app's profile, at the address where the app is."""
        return self._profile

    @property
    def client(self) -> AsyncBrowserClient:
        """The client that everything goes through."""
        return self._client

    @property
    def session(self) -> AsyncSession:
        """The session. Raises `GhostcastError` before `start_session`."""
        if self._session is None:
            raise GhostcastError("there is no session yet: call start_session first")
        return self._session

    async def close(self) -> None:
        """Closes the connections; the session goes on."""
        await self._client.close()

    async def start_session(
        self,
        session_name: str | None = None,
        headless: bool = True,
        auto_navigate: bool = True,
        **options: Any,
    ) -> AsyncSession:
        """Starts the session of that name, or reuses it where it is.

        Args:
            session_name: The profile's name without it.
            headless: Whether the browser is without a window.
            auto_navigate: Goes to the app, unless the session is there already. An app that is not up
                is no error here: `wait_until_ready` goes there again.
            options: What else `create_session` takes, such as `secrets`.

        Raises what `ensure_session` raises.

        """
        options = {**self._profile.session.model_dump(exclude_none=True), **options}
        name = session_name or self._profile.name
        session = await self._client.ensure_session(name, headless=headless, **options)
        self._session = session
        if auto_navigate and not self._is_at_app():
            await session.act("navigate", url=self._profile.start_url, check=False)
        return session

    async def wait_until_ready(self, timeout: int = 30_000) -> bool:
        """Waits until the app can be used, and returns whether it can.

        Args:
            timeout: Bound on it, milliseconds. A page that could not be loaded is tried again until
                then.

        """
        deadline_s = backend.now_s() + timeout / 1000
        while True:
            left_ms = int((deadline_s - backend.now_s()) * 1000)
            if left_ms <= 0:
                return False
            if (await self.session.refresh()).page_error is not None:
                within = {"timeout_ms": min(left_ms, ACTION_MS)}
                await self.session.act("navigate", within, url=self._profile.start_url, check=False)
            left_ms = int((deadline_s - backend.now_s()) * 1000)
            try:
                if left_ms > 0 and await self._holds(self._profile.ready, min(left_ms, LOOK_MS)):
                    return True
            except Conflict:
                # A dialog covers the app until somebody answers it.
                await backend.sleep(min(left_ms, LOOK_MS) / 1000)

    async def wait_for_marketbridge_ready(self, timeout: int = 30_000) -> bool:
        """Does what `wait_until_ready` does, by the name that programs for MarketBridge use."""
        return await self.wait_until_ready(timeout)

    async def run_workflow(self, name: str, **params: Any) -> WorkflowResult:
        """Runs a workflow of the profile; its result is true when it succeeded.

        A step that fails, a page that shows the workflow's `failure`, a dialog that is open at the end,
        and a `success` that does not come about make it false. Raises `ProfileError` for an unknown
        workflow or parameter, and what the client raises when the service cannot be reached or refuses.
        """
        workflow = self._profile.workflows.get(name)
        if workflow is None:
            known = ", ".join(sorted(self._profile.workflows)) or "none"
            raise ProfileError(f"no workflow {name!r}; there is {known}")
        filled = workflow.filled(params)
        results: list[ActionResult] = []
        for number, step in enumerate(filled.steps):
            try:
                results.append(await self._take(step))
            except ActionFailed as failed:
                results += [failed.result] if failed.result else []
                return WorkflowResult(False, results, number, failed.message, failed.error_kind)
        error_kind, message = await self._shown(filled)
        return WorkflowResult(error_kind is None, results, None, message, error_kind)

    async def subscribe_to_market_data(
        self, symbol: str, instrument_type: str = "stock", data_type: str = "market_data"
    ) -> bool:
        """Subscribes by the app's form, and returns whether the app says that it did.

        Runs the workflow of the same name, and raises as `run_workflow` does.
        """
        result = await self.run_workflow(
            "subscribe_to_market_data",
            symbol=symbol,
            instrument_type=instrument_type,
            data_type=data_type,
        )
        return result.success

    async def take_debug_screenshot(self, label: str) -> str:
        """Takes a picture of what is in view, and returns the name of its file.

        The name holds the label and the time, UTC to the millisecond; signs of the label that files
        cannot have become `_`.
        """
        now = datetime.now(timezone.utc)
        time = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z"
        safe = _NOT_IN_A_NAME.sub("_", label).strip("._") or "screenshot"
        path = self._screenshots_dir / f"{safe[:100]}_{time}.png"
        await self.session.screenshot(path)
        return str(path)

    async def probe(self, name: str) -> Any:
        """Reads a probe of the profile: a text or another value, None where the page has none.

        Raises `ProfileError` for an unknown probe.
        """
        probe = self._profile.probes.get(name)
        if probe is None:
            known = ", ".join(sorted(self._profile.probes)) or "none"
            raise ProfileError(f"no probe {name!r}; there is {known}")
        return await self.session.execute_js(probe.expression())

    async def status_text(self) -> str | None:
        """Reads the probe `status_text`: the app's status line, None where the page has none."""
        text = await self.probe("status_text")
        return None if text is None else str(text)

    async def is_logged_in(self) -> bool:
        """Whether the page shows that somebody is logged in.

        Raises `ProfileError` when the profile does not say how that shows.
        """
        login = self._profile.login
        if login is None:
            raise ProfileError(f"profile {self._profile.name} has no [login]")
        if login.login_page and await self._is_so(login.login_page):
            return False
        return await self._is_so(login.logged_in)

    def _is_at_app(self) -> bool:
        record = self.session.record
        is_there = origin_of(record.current_url) == origin_of(self._profile.start_url)
        return is_there and record.page_error is None

    async def _take(self, step: Step) -> ActionResult:
        session = self.session
        params = step.params | given(timeout_ms=step.timeout_ms)
        if step.action == "fill" or step.target is not None:
            return await session.interact(step.action, step.target, **params)
        return await session.act(step.action, params)

    async def _shown(self, workflow: Workflow) -> tuple[str | None, str | None]:
        """What the page shows after the last step: why it failed and in which words, or nothing."""
        success, failure = workflow.success, workflow.failure
        try:
            if failure and await self._is_so(failure):
                return "failure_shown", await self._failure_text()
            if success is None or await self._holds(success, success.timeout_ms):
                return None, None
            if failure and await self._is_so(failure):
                return "failure_shown", await self._failure_text()
        except Conflict as refused:
            return "dialog_open", refused.message
        return "no_success_shown", "the page does not show that it succeeded"

    async def _failure_text(self) -> str:
        told = await self.status_text() if "status_text" in self._profile.probes else None
        return told or "the page shows that it failed"

    async def _holds(self, condition: Condition, timeout_ms: int) -> bool:
        """Whether it comes about in time. Raises `Conflict` while a dialog is open."""
        try:
            await self.session.wait_for(**condition.wait(), timeout_ms=timeout_ms)
        except Timeout:
            return False
        return True

    async def _is_so(self, condition: Condition) -> bool:
        """Whether it is so at this moment; a condition that throws is not."""
        try:
            return bool(await self.session.execute_js(condition.expression()))
        except ScriptError:
            return False
