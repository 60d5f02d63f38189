"""A session's page: what is seen of it, and what is done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import _backend_async as backend
from .._wire import (
    ACTION_MS,
    LISTED_MAX,
    WAIT_MS,
    Target,
    WaitUntil,
    bound_s,
    element,
    given,
    one_or_many,
    query,
    script_value,
    session_path,
    upload_file,
)
from ..errors import ActionFailed
from ..models import ActionResult, ActionStatus, PageContext, SavedScreenshot, SessionRecord
from .transport import AsyncTransport


class AsyncPage:
    """The current page of a session, as `AsyncSession` has it."""

    def __init__(self, transport: AsyncTransport, record: SessionRecord) -> None:
        self._transport = transport
        self._record = record

    @property
    def session_id(self) -> str:
        """The service's own id of it, a UUID."""
        return self._record.session_id

    @property
    def record(self) -> SessionRecord:
        """The session as it was last heard of; `refresh` asks anew."""
        return self._record

    # What is seen.

    async def context(
        self,
        *,
        elements: bool = False,
        text: bool = False,
        accessibility: bool = False,
        find: str | None = None,
        limit: int | None = None,
        boxes: bool = True,
        more: str | None = None,
        text_cursor: str | None = None,
        accessibility_more: str | None = None,
    ) -> PageContext:
        """The page: URL, title, tabs, dialog, and what is asked for beside.

        Args:
            elements: With the indexed interactive elements.
            text: With the text in reading order.
            accessibility: With the accessibility tree, as the attribute `accessibility`.
            find: A phrase; `found` says where the page has it.
            limit: The most elements, 1 to 5000; about 8 kB of them without it.
            boxes: With the place of each element.
            more: Reads on in the elements, from the `more` of the answer before.
            text_cursor: Reads on in the text, from the `text_cursor` of the answer before.
            accessibility_more: Reads on in the tree.

        """
        params = query(
            elements=elements or None,
            text=text or None,
            accessibility=accessibility or None,
            find=find,
            limit=limit,
            boxes=None if boxes else False,
            more=more,
            text_cursor=text_cursor,
            accessibility_more=accessibility_more,
        )
        path = session_path(self.session_id, "context")
        return PageContext.model_validate(await self._transport.json("GET", path, params=params))

    async def navigate(
        self, url: str, *, wait_until: WaitUntil = "settled", timeout_ms: int | None = None
    ) -> ActionResult:
        """Goes to a URL, and returns when the page is as far as `wait_until` says.

        Args:
            url: Absolute; a bare host gets `https://`.
            wait_until: `settled`, the page at rest, or less: `load`, `domcontentloaded`, `commit`.
            timeout_ms: Bound on the whole, milliseconds; 15,000 without it.

        Raises `ActionFailed` when the page could not be loaded.

        """
        body = given(url=url, wait_until=wait_until, timeout_ms=timeout_ms)
        timeout_s = bound_s(timeout_ms, ACTION_MS, self._transport.timeout_s)
        path = session_path(self.session_id, "navigate")
        answer = await self._transport.json("POST", path, json=body, timeout_s=timeout_s)
        return self._done(answer)

    async def screenshot(
        self,
        path: str | Path | None = None,
        *,
        full_page: bool = False,
        format: str = "png",
        quality: int | None = None,
        index: int | None = None,
        clip: Mapping[str, float] | None = None,
        marks: bool = False,
    ) -> bytes:
        """Takes a picture, and writes it to `path` on this machine where one is given.

        Args:
            path: The file; missing directories are made.
            full_page: The whole page and not the viewport only.
            format: `png`, `jpeg` or `webp`.
            quality: 1 to 100, for `jpeg` and `webp`.
            index: Only an element of the list.
            clip: Only a part: `x`, `y`, `width` and `height` in CSS px.
            marks: With a numbered box round each element.

        Raises `Unsupported` when the picture would be too large for its format.

        """
        params = query(
            full_page=full_page or None,
            format=format,
            quality=quality,
            index=index,
            marks=marks or None,
            **(clip or {}),
        )
        where = session_path(self.session_id, "screenshot")
        picture = (await self._transport.request("GET", where, params=params)).content
        if path is not None:
            await backend.write_bytes(Path(path), picture)
        return picture

    async def screenshot_on_server(
        self,
        filename: str,
        *,
        full_page: bool = False,
        format: str | None = None,
        quality: int | None = None,
        index: int | None = None,
        selector: str | None = None,
        clip: Mapping[str, float] | None = None,
        marks: bool = False,
    ) -> SavedScreenshot:
        """Takes a picture that the service writes into its own directory of screenshots.

        Args:
            filename: The file's name there, without a directory.
            full_page: The whole page and not the viewport only.
            format: `png`, `jpeg` or `webp`; what the ending of `filename` says without it.
            quality: 1 to 100, for `jpeg` and `webp`.
            index: Only an element of the list.
            selector: Only the first element that is shown and matches; waited for up to 10 s.
            clip: Only a part: `x`, `y`, `width` and `height` in CSS px.
            marks: With a numbered box round each element.

        Raises `Unprocessable` for a name that is no bare one, and `Timeout` when nothing that matches is
        shown.

        """
        body = given(
            filename=filename,
            full_page=full_page or None,
            format=format,
            quality=quality,
            index=index,
            selector=selector,
            clip=dict(clip) if clip else None,
            marks=marks or None,
        )
        where = session_path(self.session_id, "screenshot")
        return SavedScreenshot.model_validate(await self._transport.json("POST", where, json=body))

    async def execute_js(
        self,
        script: str,
        *,
        args: Any = None,
        timeout_ms: int | None = None,
        frame: str | None = None,
    ) -> Any:
        """Runs JavaScript in the page's own world and returns its value.

        Args:
            script: An expression, or a function's body with `return`. A promise is waited for.
            args: What the script finds as `args`.
            timeout_ms: Bound on it, milliseconds; 10,000 without it.
            frame: The name of a frame, its URL, or a part of it that no other one has; the page itself
                without it.

        Raises `ScriptError` when it throws, `Timeout` when it does not end in time, `Conflict` while
        a dialog is open, and `Unprocessable` when the value is larger than 1 MiB or there is not one
        such frame.

        """
        body = given(script=script, args=args, timeout_ms=timeout_ms, frame=frame)
        timeout_s = bound_s(timeout_ms, WAIT_MS, self._transport.timeout_s)
        path = session_path(self.session_id, "execute")
        answer = await self._transport.json("POST", path, json=body, timeout_s=timeout_s)
        return script_value(answer)

    async def wait_for(
        self,
        *,
        selector: str | None = None,
        state: str | None = None,
        text: str | None = None,
        url: str | None = None,
        load_state: str | None = None,
        function: str | None = None,
        seconds: float | None = None,
        timeout_ms: int | None = None,
    ) -> int:
        """Waits until one thing is so, and returns how many milliseconds that took.

        Args:
            selector: A CSS selector, with `state`.
            state: `visible` (the default), `hidden`, `attached` or `detached`.
            text: A text that the page shows.
            url: What the URL is like; `*` stands for anything.
            load_state: `domcontentloaded`, `load` or `settled`.
            function: An expression in the page that becomes true.
            seconds: Time that passes, at most 300.
            timeout_ms: Bound on it, milliseconds; 10,000 without it.

        Raises `Timeout` when it does not come about, and `InvalidInput` unless exactly one came.

        """
        body = given(
            selector=selector,
            state=state,
            text=text,
            url=url,
            load_state=load_state,
            function=function,
            seconds=seconds,
            timeout_ms=timeout_ms,
        )
        within_ms = seconds * 1000 if seconds is not None else timeout_ms
        timeout_s = bound_s(within_ms, WAIT_MS, self._transport.timeout_s)
        path = session_path(self.session_id, "wait")
        answer = await self._transport.json("POST", path, json=body, timeout_s=timeout_s)
        waited_ms: int = answer["waited_ms"]
        return waited_ms

    # What is done to elements.

    async def click(
        self,
        target: Target,
        *,
        button: str | None = None,
        count: int | None = None,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Clicks a target.

        Args:
            target: What to click.
            button: `left`, `middle` or `right`.
            count: 2 for a double click, 3 for a triple one.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        return await self.interact("click", target, timeout_ms=timeout_ms, button=button, count=count)

    async def fill(
        self, target: Target, text: str, *, submit: bool = False, timeout_ms: int | None = None
    ) -> ActionResult:
        """Replaces what a field holds by `text`; `{{label}}` in it stands for a secret.

        Args:
            target: The field.
            text: What it shall hold.
            submit: Presses Enter afterwards.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        return await self.interact("fill", target, timeout_ms=timeout_ms, text=text, submit=submit or None)

    async def type(
        self,
        text: str,
        target: Target | None = None,
        *,
        submit: bool = False,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Types `text` after what a field holds; `{{label}}` in it stands for a secret.

        Args:
            text: What to type.
            target: The field; what has the focus without it.
            submit: Presses Enter afterwards.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        return await self.interact("type", target, timeout_ms=timeout_ms, text=text, submit=submit or None)

    async def press(
        self,
        keys: str | Sequence[str],
        target: Target | None = None,
        *,
        count: int | None = None,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Presses a chord of keys, such as `Control+A`, or several one after the other.

        Args:
            keys: The chord, or a list of them.
            target: What gets the focus first; what has it without it.
            count: How often, 1 to 100.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        chords = keys if isinstance(keys, str) else list(keys)
        return await self.interact("press", target, timeout_ms=timeout_ms, keys=chords, count=count)

    async def hover(self, target: Target, *, timeout_ms: int | None = None) -> ActionResult:
        """Moves the pointer over a target; `timeout_ms` bounds the wait for a selector."""
        return await self.interact("hover", target, timeout_ms=timeout_ms)

    async def focus(self, target: str | int, *, timeout_ms: int | None = None) -> ActionResult:
        """Gives a target the keyboard's focus.

        Args:
            target: A selector or an index.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        Raises `ActionFailed` when it cannot have the focus.

        """
        return await self.interact("focus", target, timeout_ms=timeout_ms)

    async def select(
        self,
        target: Target,
        value: str | Sequence[str] | None = None,
        *,
        label: str | Sequence[str] | None = None,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Chooses in a list, by value or by label; several are all that is chosen then.

        Args:
            target: The list.
            value: The value of an option, or a list of them.
            label: What an option says, or a list of them; in place of `value`.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        chosen = one_or_many("value", value) | one_or_many("label", label)
        return await self.interact("select", target, timeout_ms=timeout_ms, **chosen)

    async def check(self, target: str | int, *, timeout_ms: int | None = None) -> bool:
        """Ticks a checkbox, switch or radio, and returns whether that had to be done.

        Args:
            target: A selector or an index.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        Raises `ActionFailed` when it is nothing to tick, or does not stay ticked.

        """
        return await self._set_checked("check", target, timeout_ms)

    async def uncheck(self, target: str | int, *, timeout_ms: int | None = None) -> bool:
        """Unticks a checkbox or switch, and returns whether that had to be done.

        Args:
            target: A selector or an index.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        Raises `ActionFailed` when it is nothing to untick, or does not stay unticked.

        """
        return await self._set_checked("uncheck", target, timeout_ms)

    async def upload(
        self,
        target: str | int,
        files: str | Path | Sequence[str | Path],
        *,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Gives files of this machine to a field, 32 MiB together at most.

        Args:
            target: The field, or the button that opens its chooser: a selector or an index.
            files: The path of a file, or a list of them.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        Raises `OSError` when a file cannot be read.

        """
        paths = [files] if isinstance(files, str | Path) else files
        sent = [upload_file(Path(path).name, await backend.read_bytes(Path(path))) for path in paths]
        # Only actions may be as long as files are.
        index = await self._index(target, timeout_ms)
        return await self.act("upload", {"index": index, "files": sent})

    async def drag(self, source: Target, target: Target, *, timeout_ms: int | None = None) -> ActionResult:
        """Drags one target onto another; `timeout_ms` bounds the wait for each selector."""
        # Both are numbered of the same page before it is touched.
        ends = [
            element(await self._index(end, timeout_ms) if isinstance(end, str) else end)
            for end in (source, target)
        ]
        params: dict[str, Any] = {"from": ends[0], "to": ends[1]}
        return await self.interact("drag", **params)

    async def scroll(
        self,
        direction: str = "down",
        amount: float | None = None,
        *,
        target: str | int | None = None,
        timeout_ms: int | None = None,
    ) -> ActionResult:
        """Scrolls the page, or what holds a target.

        Args:
            direction: `up`, `down`, `left` or `right`.
            amount: How far, CSS px; 500 without it.
            target: A selector or an index of something inside the scroller.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.

        """
        return await self.interact(
            "scroll", target, timeout_ms=timeout_ms, direction=direction, amount=amount
        )

    # Actions of every kind.

    async def interact(
        self,
        action: str,
        target: Target | None = None,
        *,
        timeout_ms: int | None = None,
        **params: Any,
    ) -> ActionResult:
        """Performs an action on a target, by its name: `click`, `fill`, `select` and so on.

        Args:
            action: What to do.
            target: With what; what has the focus, or the page, without it.
            timeout_ms: Bound on the wait for a selector, milliseconds; 10,000 without it.
            params: The action's own parameters.

        """
        body = {"action": action, **element(target, timeout_ms), **given(**params)}
        within_ms = ACTION_MS + (WAIT_MS if timeout_ms is None else timeout_ms)
        timeout_s = bound_s(within_ms, 0, self._transport.timeout_s)
        path = session_path(self.session_id, "interact")
        return self._done(await self._transport.json("POST", path, json=body, timeout_s=timeout_s))

    async def act(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        check: bool = True,
        correction_of: str | None = None,
        expects: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> ActionResult:
        """Performs any action of the service, by its `action_type`.

        Args:
            action: Such as `go_back`, `handle_dialog` or `wait`.
            params: Its parameters; those whose names are words of Python, as `for`, can only come here.
            check: Whether an action that fails raises `ActionFailed`; else look at `success`.
            correction_of: The `action_id` of a failure that this one puts right.
            expects: What must still be so: `url`, `tab`, `document`.
            more: Further parameters.

        """
        every = {**(params or {}), **more}
        seconds = every.get("seconds")
        within_ms = every.get("timeout_ms") if seconds is None else float(seconds) * 1000
        answer = await self._transport.json(
            "POST",
            session_path(self.session_id, "actions"),
            json=_request(action, every, correction_of, expects),
            timeout_s=bound_s(within_ms, ACTION_MS, self._transport.timeout_s),
        )
        return self._done(answer, check=check)

    async def submit(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        correction_of: str | None = None,
        expects: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> ActionStatus:
        """Begins an action as `act` does, and returns at once with its `action_id`."""
        answer = await self._transport.json(
            "POST",
            session_path(self.session_id, "actions"),
            json=_request(action, {**(params or {}), **more}, correction_of, expects),
            params={"wait": "false"},
        )
        return ActionStatus.model_validate(answer)

    async def action_status(self, action_id: str) -> ActionStatus:
        """How far an action is; `NotFound` when it is none of the last 256."""
        path = session_path(self.session_id, "actions", action_id)
        return ActionStatus.model_validate(await self._transport.json("GET", path))

    async def cancel_action(self, action_id: str) -> ActionStatus:
        """Cancels an action that waits or runs; `Conflict` when it has ended."""
        path = session_path(self.session_id, "actions", action_id)
        return ActionStatus.model_validate(await self._transport.json("DELETE", path))

    # Inner parts.

    def _done(self, answer: Any, *, check: bool = True) -> ActionResult:
        result = ActionResult.model_validate(answer)
        here = given(current_url=result.url, title=result.title)
        self._record = self._record.model_copy(update=here)
        if check and not result.success:
            raise ActionFailed(result.error_kind or "internal", result.error or "", result)
        return result

    async def _index(self, target: str | int, timeout_ms: int | None) -> int:
        """The index of a target; a selector is waited for."""
        if not isinstance(target, str):
            return target
        wait = given(timeout_ms=timeout_ms) | {"for": {"selector": target}}
        found = (await self.act("wait", wait)).data.get("found", {})
        if "index" not in found:
            # An element has a number once the page is listed.
            await self.context(elements=True, limit=LISTED_MAX, boxes=False)
            found = (await self.act("wait", wait)).data.get("found", {})
        if "index" not in found:
            message = f"{target} is nothing that can be acted on"
            raise ActionFailed("element_not_found", message)
        return int(found["index"])

    async def _set_checked(self, action: str, target: str | int, timeout_ms: int | None) -> bool:
        result = await self.interact(action, target, timeout_ms=timeout_ms)
        return "already" not in result.data


def _request(
    action: str,
    params: Mapping[str, Any],
    correction_of: str | None,
    expects: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "action_type": action,
        "params": params,
        **given(correction_of=correction_of, expects=expects),
    }
