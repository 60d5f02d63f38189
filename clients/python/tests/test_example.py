"""The example program, as its reader runs it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .service import Service, free_port
from .test_controller import App

PROGRAM = Path(__file__).parents[3] / "examples" / "marketbridge" / "browser_session_example.py"


def run(service: str, app: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GHOSTCAST_")}
    env |= {"GHOSTCAST_URL": service, "MARKETBRIDGE_URL": app}
    command = [sys.executable, str(PROGRAM)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_every_example_passes(service: Service) -> None:
    app = App(0)
    try:
        ran = run(service.url, app.url)
    finally:
        app.end()
    lines = ran.stdout.splitlines()
    told = [line for line in lines if line.startswith("PASS ")]
    assert ran.returncode == 0 and lines[-1] == "all passed", ran.stdout + ran.stderr
    assert len(told) == len(lines) - 1 == 20


async def test_an_example_that_fails_is_said_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("browser_session_example", PROGRAM)
    assert spec and spec.loader
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    class Wrong:
        async def one_that_passes(self) -> str:
            return "well"

        async def one_that_fails(self) -> str:
            raise AssertionError("badly")

    assert await program.run(Wrong()) == 1
    told = capsys.readouterr().out
    assert "PASS one that passes: well" in told and "FAIL one that fails: AssertionError: badly" in told


def test_an_app_that_is_down_is_said(service: Service) -> None:
    ran = run(service.url, f"http://127.0.0.1:{free_port()}/")
    assert ran.returncode == 1 and "the app does not answer" in ran.stdout


def test_a_service_that_is_down_is_said() -> None:
    ran = run(f"http://127.0.0.1:{free_port()}", "http://127.0.0.1:1/")
    assert ran.returncode == 1 and "the service does not answer" in ran.stdout
