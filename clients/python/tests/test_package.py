"""The package as a whole: its two forms agree, it says what it does, and all of it is tested."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ghostcast

ROOT = Path(__file__).parents[1]
PAIRS = [
    (ghostcast.AsyncBrowserClient, ghostcast.BrowserClient),
    (ghostcast.AsyncSession, ghostcast.Session),
    (ghostcast.AsyncEventStream, ghostcast.EventStream),
    (ghostcast.AsyncBrowserController, ghostcast.BrowserController),
]


def public(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    for name, value in inspect.getmembers(cls):
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            yield name, value


def test_the_blocking_form_is_what_the_asynchronous_one_generates() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_sync.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS)
def test_both_forms_have_the_same_surface(asynchronous: type[Any], blocking: type[Any]) -> None:
    ours, theirs = dict(public(asynchronous)), dict(public(blocking))
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        if inspect.isfunction(method):
            wanted = [str(one).replace("Async", "") for one in inspect.signature(method).parameters.values()]
            found = [str(one) for one in inspect.signature(theirs[name]).parameters.values()]
            assert wanted == found, name
            assert not inspect.iscoroutinefunction(theirs[name]), name


@pytest.mark.parametrize("cls", [cls for pair in PAIRS for cls in pair])
def test_every_method_is_described(cls: type[Any]) -> None:
    for name, method in public(cls):
        text = method.__doc__ or ""
        assert text.strip(), f"{cls.__name__}.{name}"
        if inspect.isfunction(method):
            for parameter in inspect.signature(method).parameters:
                if parameter.endswith("_ms"):
                    assert "milliseconds" in text or "`timeout_ms` bounds" in text, f"{name}.{parameter}"
                elif parameter.endswith("_s"):
                    assert "seconds" in text, f"{name}.{parameter}"


def test_every_method_is_tested() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    for cls, _ in PAIRS:
        for name, _ in public(cls):
            assert re.search(rf"\.{name}\b", texts), f"{cls.__name__}.{name}"


def test_the_version_is_that_of_the_service() -> None:
    cargo = (ROOT.parents[1] / "Cargo.toml").read_text()
    found = re.search(r'^version = "([^"]+)"', cargo, re.MULTILINE)
    assert found and ghostcast.__version__ == found.group(1)


def test_the_licence_is_that_of_the_service() -> None:
    assert (ROOT / "LICENSE").read_text() == (ROOT.parents[1] / "LICENSE").read_text()


def test_what_is_exported_is_there() -> None:
    assert ghostcast.__all__ == sorted(ghostcast.__all__)
    assert all(hasattr(ghostcast, name) for name in ghostcast.__all__)
    assert (Path(ghostcast.__file__).parent / "py.typed").exists()


def test_the_readme_is_python() -> None:
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for module, names in re.findall(r"from (ghostcast\S*) import (.+)", block):
            assert all(hasattr(sys.modules[module], name) for name in names.split(", "))
