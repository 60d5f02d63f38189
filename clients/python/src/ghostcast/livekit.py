"""The browser as tools of a voice agent of LiveKit Agents; `pip install ghostcast[livekit]`.

    from ghostcast.livekit import BrowserToolset

    agent = Agent(instructions=f"... {INSTRUCTIONS}", tools=[BrowserToolset()])

The browser is the one of the job's room: everybody there sees it. Each answer begins with a sentence that can
be spoken. What fails is a `ToolError` with the service's own sentence, which says what to do next.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Coroutine
from typing import Any, Literal, TypeVar

from livekit.agents import RunContext, ToolError, function_tool, get_job_context
from livekit.agents.llm import ToolFlag, Toolset

from ._async.client import AsyncBrowserClient
from ._async.session import AsyncSession
from ._wire import DEFAULT_URL, given
from .errors import ActionFailed, ConnectionFailed, GhostcastError, NotFound, ServiceError
from .models import ActionResult

INSTRUCTIONS = """You have a browser that everybody in the room sees. Start it with start_browser_session,
and look with get_browser_context: it lists what can be used, each thing with an index, which the other tools
take. When something fails, the answer says why and has the nearest elements: try once more with one of them,
or ask the person. When the browser is lost, say so, and start it again with the same page. Answer in one
short sentence: you are heard, not read."""
"""What a model is to know of the tools together; for the instructions of an `Agent`."""

PATIENCE_S = 3.0
"""How long a tool is waited for before the agent may talk on, seconds. What it does goes on meanwhile."""

LOOK_S = 0.1
"""How often it is looked at how far an action is, seconds."""

ELEMENTS_MAX = 60
"""The most elements that a model is told at once."""

Answer = TypeVar("Answer")

_ELEMENT = ("index", "role", "name", "value", "checked", "disabled", "expanded")
"""What a model is told of an element."""


class BrowserToolset(Toolset):
    """The tools of a room's browser. Closing them leaves the browser as it is.

    Args:
        room_name: The LiveKit room; that of the job in which a tool is called without it.
        base_url: Where the service is; `GHOSTCAST_URL`, or else http://localhost:8765, without it.
        token: Its token; `GHOSTCAST_TOKEN` without it, where that is set.
        options: What `create_session` takes, for the session that `start_browser_session` starts.

    """

    def __init__(
        self,
        room_name: str | None = None,
        *,
        base_url: str | None = None,
        token: str | None = None,
        **options: Any,
    ) -> None:
        self._room_name = room_name
        self._options = options
        self._client = AsyncBrowserClient(
            base_url or os.environ.get("GHOSTCAST_URL") or DEFAULT_URL,
            token=token or os.environ.get("GHOSTCAST_TOKEN") or None,
        )
        super().__init__(id="browser")

    @property
    def room_name(self) -> str:
        """The room whose browser it is. Raises `RuntimeError` outside of a job when none was named."""
        return self._room_name or get_job_context().room.name

    async def aclose(self) -> None:
        """Closes the connections to the service."""
        await super().aclose()
        await self._client.close()

    async def session(self) -> AsyncSession:
        """The room's session. Raises `ToolError` when it has none."""
        try:
            return await self._client.get_session(self.room_name)
        except NotFound:
            raise ToolError("The room has no browser yet. Call start_browser_session first.") from None

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def start_browser_session(self, ctx: RunContext[Any], initial_url: str | None = None) -> str:
        """Starts the browser that everybody in the room sees, also after it was lost.

        Args:
            initial_url: The first page; an empty page without it.

        """
        starting = self._client.create_session(
            room_name=self.room_name, url=initial_url, reuse=True, **self._options
        )
        session = await _patiently(ctx, starting, "The browser is starting, one moment.")
        record = session.record
        if session.reused and initial_url and record.current_url != initial_url:
            return await self._act(ctx, "navigate", url=initial_url)
        if record.page_error:
            raise ToolError(f"The browser is open, but its page is not. {record.page_error}")
        return f"The browser is open and shows {_place(record.title, record.current_url)}."

    @function_tool
    async def close_browser_session(self) -> str:
        """Closes the browser and takes it out of the room. Its page is lost."""
        session = await _told(self.session())
        await _told(session.close())
        return "The browser is closed and has left the room."

    @function_tool
    async def get_browser_context(self, find: str | None = None, more: str | None = None) -> str:
        """Looks at the page: what can be used there, each thing with an index.

        Args:
            find: A phrase to look for; found says where the page has it.
            more: What an earlier answer had as more, to read on in a long list.

        """
        session = await _told(self.session())
        looking = session.context(elements=True, boxes=False, limit=ELEMENTS_MAX, find=find, more=more)
        page = await _told(looking)
        listed = [given(**{name: one.get(name) for name in _ELEMENT}) for one in page.elements or []]
        facts = given(
            url=page.url,
            elements=listed,
            more=page.more,
            dialog=page.dialog,
            found=page.found,
            page_error=page.page_error,
        )
        sentence = (
            f"The page is {_place(page.title, page.url)}, with {page.total or len(listed)} things to use."
        )
        return _said(sentence, facts)

    @function_tool
    async def read_browser_page(self, text_cursor: str | None = None) -> str:
        """Reads the text of the page.

        Args:
            text_cursor: What an earlier answer had as text_cursor, to read on.

        """
        session = await _told(self.session())
        page = await _told(session.context(text=True, text_cursor=text_cursor))
        facts = given(text=page.text, text_cursor=page.text_cursor)
        return _said(f"This is the text of {_place(page.title, page.url)}.", facts)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_navigate(self, ctx: RunContext[Any], url: str) -> str:
        """Goes to a page.

        Args:
            url: Its address; a bare host gets https://.

        """
        return await self._act(ctx, "navigate", url=url)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_click(self, ctx: RunContext[Any], index: int) -> str:
        """Clicks an element.

        Args:
            index: Its index in get_browser_context.

        """
        return await self._act(ctx, "click", index=index)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_type(
        self, ctx: RunContext[Any], index: int, text: str, clear: bool = False, submit: bool = False
    ) -> str:
        """Types into a field.

        Args:
            index: The field's index in get_browser_context.
            text: What to type.
            clear: Whether what the field holds goes first.
            submit: Whether Enter is pressed afterwards.

        """
        return await self._act(ctx, "type", index=index, text=text, clear=clear, submit=submit)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_select(self, ctx: RunContext[Any], index: int, label: str) -> str:
        """Chooses in a list.

        Args:
            index: The list's index in get_browser_context.
            label: What the option says.

        """
        return await self._act(ctx, "select", index=index, label=label)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_press(self, ctx: RunContext[Any], keys: str) -> str:
        """Presses keys.

        Args:
            keys: Keys to hold and one key, joined by +, such as Enter or Control+A.

        """
        return await self._act(ctx, "press", keys=keys)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_scroll(
        self, ctx: RunContext[Any], direction: Literal["up", "down", "left", "right"] = "down"
    ) -> str:
        """Scrolls the page.

        Args:
            direction: Which way the view moves.

        """
        return await self._act(ctx, "scroll", direction=direction)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_go_back(self, ctx: RunContext[Any]) -> str:
        """Goes back to the page before."""
        return await self._act(ctx, "go_back")

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_wait(
        self,
        ctx: RunContext[Any],
        text: str | None = None,
        selector: str | None = None,
        timeout_ms: int = 10_000,
    ) -> str:
        """Waits until the page shows something; one of text and selector is needed.

        Args:
            text: A text that is shown.
            selector: A CSS selector of what is shown.
            timeout_ms: How long at most, in milliseconds.

        """
        awaited = given(text=text, selector=selector)
        return await self._act(ctx, "wait", **{"for": awaited}, timeout_ms=timeout_ms)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def browser_handle_dialog(self, ctx: RunContext[Any], accept: bool, text: str | None = None) -> str:
        """Answers the dialog that the page has opened. Nothing else can be done before.

        Args:
            accept: Whether to press OK; else Cancel.
            text: What to put into a prompt.

        """
        return await self._act(ctx, "handle_dialog", accept=accept, text=text)

    @function_tool
    async def ask_for_a_person(self, reason: str) -> str:
        """Asks for a person who takes the wheel, such as for a login or a captcha.

        Args:
            reason: What the person is to do, as they are to read it.

        """
        session = await _told(self.session())
        link = await _told(session.request_human(reason))
        return _said("A person has been asked for, and comes by this link.", {"takeover_url": link})

    async def _act(self, ctx: RunContext[Any], action: str, **params: Any) -> str:
        session = await _told(self.session())
        done = _carried_out(session, action, given(**params))
        result = await _patiently(ctx, done, f"The {action.replace('_', ' ')} goes on, one moment.")
        return _said(_sentence(action, result), _facts(result))


async def _carried_out(session: AsyncSession, action: str, params: dict[str, Any]) -> ActionResult:
    """Carries out an action. A call that is cancelled cancels it in the browser too."""
    begun = await session.submit(action, params)
    result = begun.result
    try:
        while result is None:
            await asyncio.sleep(LOOK_S)
            result = (await session.action_status(begun.action_id)).result
    except asyncio.CancelledError:
        with _Unheard():
            await session.cancel_action(begun.action_id)
        raise
    if not result.success:
        raise ActionFailed(result.error_kind or "internal", result.error or "", result)
    return result


class _Unheard:
    """Passes over what the service says to somebody who is not there any more."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        return isinstance(error, GhostcastError)


async def _patiently(ctx: RunContext[Any], call: Coroutine[Any, Any, Answer], meanwhile: str) -> Answer:
    """What a call answers. When that takes long, the agent is told what to say meanwhile."""
    running = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait([running], timeout=PATIENCE_S)
        if not done:
            await ctx.update(meanwhile)
        return await _told(running)
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.wait([running])
        raise


async def _told(call: Awaitable[Answer]) -> Answer:
    """What a call answers; what fails is said as the service says it."""
    try:
        return await call
    except ActionFailed as failed:
        facts = _facts(failed.result) if failed.result else {}
        raise ToolError(_said(failed.message, facts)) from failed
    except ServiceError as refused:
        raise ToolError(" ".join(filter(None, [_capital(refused.message), refused.hint]))) from refused
    except ConnectionFailed as lost:
        raise ToolError("The browser's service does not answer. Try again in a moment.") from lost


def _capital(message: str) -> str:
    """A message of the service as a sentence."""
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


def _said(sentence: str, facts: dict[str, Any]) -> str:
    """An answer: a sentence that can be spoken, and what else a model may want to know."""
    return f"{sentence}\n{json.dumps(facts, ensure_ascii=False)}" if facts else sentence


def _place(title: str | None, url: str) -> str:
    """A page, as one calls it."""
    return f'"{title}"' if title else ("an empty page" if url in {"", "about:blank"} else url)


def _sentence(action: str, result: ActionResult) -> str:
    """What was done, and what a person would notice of it."""
    target = result.target
    role, name = (target.role or "", target.name or "") if target else ("", "")
    thing = f'the {role} "{name}"' if role and name else (f"the {role}" if role else "it")
    place = _place(result.title, result.url)
    done = {
        "click": f"Clicked {thing}.",
        "go_back": f"Went back to {place}.",
        "handle_dialog": "Answered the dialog.",
        "navigate": f"Opened {place}.",
        "press": "Pressed the keys.",
        "scroll": "Scrolled." if result.data.get("moved", True) else "The page does not scroll any further.",
        "select": f"Chose in {thing}.",
        "type": f"Typed into {thing}.",
        "wait": "It is there.",
    }
    news = [change.text for change in result.changes[:4] if change.text]
    led = [f"The page is {place} now."] if action == "click" and result.effect.kind == "navigation" else []
    return " ".join([done.get(action, "Done."), *led, *news])


def _facts(result: ActionResult) -> dict[str, Any]:
    """What a model may want to know of an action beside the sentence."""
    if result.success:
        return given(
            dialogs=result.dialogs or None,
            downloads=[f"{one.name}: {one.state}" for one in result.downloads] or None,
        )
    return given(action_id=result.action_id, error_kind=result.error_kind, retry=result.retry) | given(
        context=given(candidates=(result.context or {}).get("candidates")) or None
    )
