"""The examples that need nothing but the service, as their reader runs them."""

import json
import os
import subprocess
from pathlib import Path

WALK = Path(__file__).parents[2] / "examples/rest_walk.sh"


def test_rest_walk(lone_ghostcast):
    """Each step of the walk does what its text says; only the one that is meant to fail does."""
    api = lone_ghostcast.api
    env = {**os.environ, "GHOSTCAST_URL": api.base, "GHOSTCAST_TOKEN": api.token or ""}
    ran = subprocess.run([WALK], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    done = [answer for answer in answers if "success" in answer]
    assert [answer["success"] for answer in done] == [True, True, True, False], done
    typed, clicked, scrolled, failed = done
    assert typed["data"]["value"] == "Ada" and clicked["title"] == "Ada", (typed, clicked)
    assert scrolled["effect"]["kind"] == "scroll" and failed["error_kind"] == "element_not_found"
    assert api.request("GET", "/sessions/rest-walk").status_code == 404, "the walk puts its session away"
