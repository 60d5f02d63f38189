"""The commands of the documents, run as their reader runs them.

Each fenced block of a shell is marked in the line above it: `run` is run here, what is `tested` by a test
names it, and what is `not run` says why. That each has a mark, and the test exists, is for tests/tidy.rs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.service import clean_env

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs/src").glob("*.md"))]
BLOCK = re.compile(r"^<!-- run -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A refusal fails the block, and a missing part ends it.
SHELL = 'set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body "$@"; echo; }\n'
# What the documents open; the network of the tests has no other.
EXAMPLE = "<title>Example Domain</title><h1>Example Domain</h1><a href=/example.html>More information...</a>"


def blocks(path):
    """What of a document is to be run: language and text."""
    return BLOCK.findall(path.read_text())


RUN = [path for path in DOCUMENTS if blocks(path)]


@pytest.mark.parametrize("path", RUN, ids=[path.stem for path in RUN])
def test_commands_do_what_they_say(ghostcast, livekit_server, web, path, tmp_path):
    """All blocks of a document, one after the other, in one folder."""
    web.files["/example.html"] = EXAMPLE.encode()
    api = ghostcast.api
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ghostcast").symlink_to(Path(ghostcast.binary).absolute())
    env = {**clean_env(), **livekit_server.env(), "HOME": str(tmp_path)}
    env["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    env["PYTHONPATH"] = str(ROOT / "clients/python/src")
    # The one that `deploy/run.sh` opens.
    api.request("POST", "/sessions", json={"room_name": "demo"})
    for language, text in blocks(path):
        text = text.replace("http://127.0.0.1:8765", api.base).replace("https://example.com", web.url("/example.html"))
        text = text.replace("BrowserClient()", f'BrowserClient("{api.base}")')
        command = [sys.executable, "-c", text] if language == "python" else ["bash", "-c", SHELL + text]
        ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False)
        said = f"{text}\n{ran.stdout}\n{ran.stderr}"
        assert ran.returncode == 0 and ran.stdout, said
        assert '"success":false' not in ran.stdout, said
        if "page.png" in text:
            assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG"), said
            (tmp_path / "page.png").unlink()
    for session in api.request("GET", "/sessions").json()["sessions"]:
        api.request("DELETE", f"/sessions/{session['session_id']}")
