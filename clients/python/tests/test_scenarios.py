"""The scenarios that every client passes: clients/scenarios.json says what is in one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ghostcast import GhostcastError, ScriptError
from ghostcast.events import Event

from .conftest import done
from .website import Site

SCENARIOS = json.loads((Path(__file__).parents[2] / "scenarios.json").read_text())["scenarios"]
HEAR_S = 10


class Player:
    """Plays one scenario."""

    def __init__(self, client: Any, words: dict[str, Any], folder: Path) -> None:
        self.client = client
        self.words = words
        self.folder = folder
        self.session: Any = None
        self.stream: Any = None

    async def play(self, step: dict[str, Any]) -> None:
        """Does one step and compares what comes of it."""
        arguments = self.filled(step.get("with", {}))
        fails = step.get("fails")
        try:
            gives = told(await self.do(step["do"], arguments, step.get("gives")))
        except GhostcastError as error:
            if not fails:
                raise
            found = {**vars(error), "kind": kind_of(error), "error": type(error).__name__}
            assert_like({name: told(value) for name, value in found.items()}, self.filled(fails))
            return
        assert not fails, f"it does not fail; it gives {gives}"
        if "gives" in step:
            assert_like(gives, self.filled(step["gives"]))
        for word, path in step.get("keep", {}).items():
            part = gives
            for key in filter(None, path.split(".")):
                part = part[int(key) if isinstance(part, list) else key]
            self.words[f"${word}"] = part

    async def do(self, call: str, arguments: dict[str, Any], gives: Any) -> Any:
        """One call."""
        if call == "listen":
            await self.close()
            self.stream = self.session.events(**arguments, details=True)
            return await done(self.stream.connect())
        if call == "hear":
            return await self.hear(gives["type"])
        if call == "hear_nothing":
            with pytest.raises(TimeoutError):
                await done(self.stream.next(timeout_s=arguments["within_ms"] / 1000))
            return None
        if call == "upload":
            arguments["files"] = [self.file(**file) for file in arguments["files"]]
        is_of_client = hasattr(self.client, call) and not hasattr(self.session, call)
        owner = self.client if is_of_client else self.session
        made = await done(getattr(owner, call)(**arguments))
        if call in {"create_session", "ensure_session"}:
            self.session = made
        return made

    async def hear(self, kind: str) -> Event:
        """The next event of a type."""
        while True:
            event: Event = await done(self.stream.next(timeout_s=HEAR_S))
            if event.type == kind:
                return event

    async def close(self) -> None:
        """Closes the events that it listens to."""
        if self.stream is not None:
            await done(self.stream.close())

    def file(self, name: str, content: str) -> Path:
        """A file of this machine."""
        path = self.folder / name
        path.write_text(content)
        return path

    def filled(self, value: Any) -> Any:
        """The words put in: as they are where they stand alone, and as text in a text."""
        if isinstance(value, dict):
            return {name: self.filled(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.filled(part) for part in value]
        if not isinstance(value, str):
            return value
        if value in self.words:
            return self.words[value]

        def meant(found: re.Match[str]) -> str:
            return str(self.words.get(found.group(0), found.group(0)))

        return re.sub(r"\$[a-z]+", meant, value)


def kind_of(error: GhostcastError) -> Any:
    """What an error says of its kind."""
    if isinstance(error, ScriptError):
        return error.name
    return getattr(error, "kind", None) or getattr(error, "error_kind", None)


def told(value: Any) -> Any:
    """What came of a call as JSON has it."""
    if isinstance(value, list):
        return [told(part) for part in value]
    if isinstance(value, bytes):
        is_png = value.startswith(b"\x89PNG")
        sides = [int.from_bytes(value[at : at + 4], "big") for at in (16, 20)]
        return {"size": len(value), "head": value[:12].decode("latin-1"), "png": sides if is_png else None}
    if hasattr(value, "record"):
        return {**told(value.record), "reused": value.reused}
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def assert_like(found: Any, wanted: Any, at: str = "it") -> None:
    """Compares; objects may have more fields than are wanted."""
    if isinstance(wanted, dict) and len(wanted) == 1 and next(iter(wanted)).startswith("$"):
        ((how, what),) = wanted.items()
        assert holds(how, found, what), f"{at} is {found!r}, not {how} {what!r}"
    elif isinstance(wanted, dict):
        assert isinstance(found, dict), f"{at} is {found!r}"
        for name, part in wanted.items():
            assert_like(found.get(name), part, f"{at}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list) and len(found) == len(wanted), f"{at} is {found!r}, not {wanted!r}"
        for number, part in enumerate(wanted):
            assert_like(found[number], part, f"{at}.{number}")
    else:
        assert found == wanted, f"{at} is {found!r}, not {wanted!r}"


def holds(how: str, found: Any, what: Any) -> bool:
    """Whether what was found is of that sort."""
    if how == "$like":
        return isinstance(found, str) and re.search(what, found) is not None
    if how == "$least":
        return isinstance(found, int | float) and bool(found >= what)
    if how == "$is":
        return (found is not None) is (what == "there")
    assert how == "$has", how
    return any(is_like(part, what) for part in found)


def is_like(found: Any, wanted: Any) -> bool:
    """Whether it compares."""
    try:
        assert_like(found, wanted)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["title"])
async def test_scenario(scenario: dict[str, Any], client: Any, name: str, site: Site, tmp_path: Path) -> None:
    player = Player(client, {"$name": name, "$site": site.url}, tmp_path)
    try:
        for number, step in enumerate(scenario["steps"], 1):
            try:
                await player.play(step)
            except Exception as error:
                raise AssertionError(f"step {number}, {step['do']}: {error!r}") from error
    finally:
        await player.close()
