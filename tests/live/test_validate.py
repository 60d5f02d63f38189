"""`ghostcast validate`: what it selects, what it says, and its exit code."""

import json
import os
import signal
import subprocess

import pytest

from support import procs
from support.service import clean_env
from support.wait import wait_for

STEP_S = 60


def validate(binary, *args, **env):
    """Runs the program to its end; answers the finished process."""
    return subprocess.run(
        [binary, "validate", *args], env={**clean_env(), **env}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=STEP_S, check=False,
    )


def test_one_step(ghostcast_bin, tmp_path):
    """Step 3 is three tests, by words and by JSON, and nothing is left of them."""
    path = tmp_path / "result.json"
    done = validate(ghostcast_bin, "--step", "3", "--json", str(path), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "STEP 3: Domain allowlist",
        "Step 3 - Test 2: Blocked Domain Navigation",
        "Step 3: 3/3 tests passed",
        "ALL TESTS PASSED: 3/3",
    ):
        assert line in done.stdout
    told = json.loads(path.read_text())
    assert (told["all_passed"], told["passed"], told["total"]) == (True, 3, 3)
    assert [test["passed"] for test in told["tests"]] == [True] * 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("args", [["--step", "99"], ["--step", "0"], ["--step", "3", "--all"]])
def test_unknown_steps_are_usage_errors(ghostcast_bin, args):
    """Refused by the parser, before anything runs."""
    done = validate(ghostcast_bin, *args)
    assert done.returncode == 2 and "--step" in done.stderr and not done.stdout


def test_a_failure_is_told_and_later_tests_run(ghostcast_bin, tmp_path):
    """A browser that cannot start fails each test of the step, one after the other."""
    env = {"GHOSTCAST_BROWSER__EXECUTABLE": "/bin/false", "TMPDIR": str(tmp_path)}
    done = validate(ghostcast_bin, "--step", "2", **env)
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("FAILED: Step 2 - Test") == 2 * 6
    assert "Step 2: 0/6 tests passed" in done.stdout
    assert "SOME TESTS FAILED: 0/6" in done.stdout
    # Each with the reason that the service gave, and how its log ends.
    assert done.stdout.count("answers 503: /bin/false ended before it could be used") >= 6
    assert done.stdout.count("    log: ") >= 6
    assert list(tmp_path.iterdir()) == []


def test_without_livekit_its_steps_fail_with_advice(ghostcast_bin, tmp_path):
    """Not skipped: who runs it shall know what to do."""
    env = {"LIVEKIT_SERVER_BIN": "/no/such/server", "TMPDIR": str(tmp_path)}
    done = validate(ghostcast_bin, "--step", "11", **env)
    assert done.returncode == 1, done.stdout
    assert "LIVEKIT_SERVER_BIN=/no/such/server is no file" in done.stdout


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_in_order(ghostcast_bin, tmp_path, sign):
    """In the midst of a test: its service and its browser end, and nothing is left of them."""
    command = [ghostcast_bin, "validate", "--step", "2"]
    running = subprocess.Popen(
        command, env={**clean_env(), "TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        wait_for(lambda: procs.browsers(running.pid), 20, "a browser runs")
        running.send_signal(sign)
        said, _ = running.communicate(timeout=20)
    finally:
        procs.kill_all([*procs.descendants(running.pid), running.pid])
    assert running.returncode == 1, said
    assert "it was interrupted" in said and "INTERRUPTED: 0/1" in said
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid in procs.pids() if procs.mentions(pid, str(tmp_path))] == []


@pytest.mark.alone
def test_livekit_step(ghostcast_bin):
    """With a server to start, the subscriber of step 11 sees the pages."""
    binary = os.environ["LIVEKIT_SERVER_BIN"]
    done = validate(ghostcast_bin, "--step", "11", LIVEKIT_SERVER_BIN=binary)
    assert done.returncode == 0, done.stdout
    assert "Step 11: 6/6 tests passed" in done.stdout
