"""`ghostcast mcp install`: what each program's settings need, printed or put beside what stands there."""

import json
import os
import stat
import subprocess
import tomllib

import pytest
from mcp import StdioServerParameters

from support.mcp import McpClient, spoken
from support.service import TOKEN, TOKEN_ENV, clean_env

HTTP = {
    "claude": (".mcp.json", "mcpServers", "url", "${NAME}"),
    "cursor": (".cursor/mcp.json", "mcpServers", "url", "${env:NAME}"),
    "gemini": (".gemini/settings.json", "mcpServers", "httpUrl", "${NAME}"),
    "vscode": (".vscode/mcp.json", "servers", "url", "${env:NAME}"),
    "windsurf": (".codeium/windsurf/mcp_config.json", "mcpServers", "serverUrl", "${env:NAME}"),
}
FILES = {**{name: file for name, (file, *_) in HTTP.items()}, "claude-desktop": ".config/Claude/claude_desktop_config.json"}
SECTIONS = {name: section for name, (_, section, *_) in HTTP.items()}


@pytest.fixture
def install(ghostcast_bin, tmp_path):
    """Runs the verb at a home of its own, which is the project as well."""

    def run(*words, code=0, **env):
        done = subprocess.run(
            [os.path.abspath(ghostcast_bin), "mcp", "install", *words],
            env={**clean_env(), "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", **env},
            cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "panicked" not in done.stderr
        return done

    return run


@pytest.mark.parametrize("client", HTTP)
def test_it_is_printed_as_each_writes_it(install, client):
    """The address, the way that the program names it, and the token as a variable of its environment."""
    file, section, key, variable = HTTP[client]
    done = install(client)
    entry = json.loads(done.stdout)[section]["ghostcast"]
    assert entry[key] == "http://127.0.0.1:8765/mcp" and "headers" not in entry
    assert file in done.stderr and "--write" in done.stderr
    entry = json.loads(install(client, "--port", "9000", "--token-env", "MINE").stdout)[section]["ghostcast"]
    assert entry[key] == "http://127.0.0.1:9000/mcp"
    assert entry["headers"] == {"Authorization": f"Bearer {variable.replace('NAME', 'MINE')}"}
    far = json.loads(install(client, "--url", "https://far.example/base", "--extended").stdout)[section]["ghostcast"]
    assert far[key] == "https://far.example/base/mcp?extended=true" and "headers" not in far
    # Where the settings have a token it is needed, and stands nowhere.
    guarded = install(client, **{TOKEN_ENV: TOKEN})
    entry = json.loads(guarded.stdout)[section]["ghostcast"]
    assert entry["headers"]["Authorization"].endswith(variable.replace("NAME", "GHOSTCAST_TOKEN"))
    assert TOKEN not in guarded.stdout + guarded.stderr and "GHOSTCAST_TOKEN" in guarded.stderr


def test_codex_has_toml(install):
    """Printed only."""
    printed = install("codex", "--token-env").stdout
    assert tomllib.loads(printed)["mcp_servers"]["ghostcast"] == {
        "url": "http://127.0.0.1:8765/mcp", "bearer_token_env_var": "GHOSTCAST_TOKEN",
    }
    assert "TOML" in install("codex", "--write", code=1).stderr


def test_claude_desktop_starts_the_program(install, ghostcast_bin, ghostcast):
    """What is printed, started as it is, serves MCP from the service that runs."""
    done = install("claude-desktop", "--listen", f"127.0.0.1:{ghostcast.port}")
    entry = json.loads(done.stdout)["mcpServers"]["ghostcast"]
    assert os.path.samefile(entry["command"], ghostcast_bin), entry
    assert entry["args"] == ["mcp", "--listen", f"127.0.0.1:{ghostcast.port}"]
    client = McpClient(StdioServerParameters(env=clean_env(), **entry), "auto")
    try:
        assert "execute_action" in client.tools()
        assert "no session" in spoken(client.call("close_browser_session", room_name="none")).lower()
    finally:
        client.close()
    assert "by its address" in install("claude-desktop", "--url", "https://far.example", code=1).stderr


def test_the_address_that_is_printed_serves_mcp(install, ghostcast):
    """An official client talks to it."""
    done = install("cursor", "--listen", f"127.0.0.1:{ghostcast.port}", "--extended")
    url = json.loads(done.stdout)["mcpServers"]["ghostcast"]["url"]
    client = McpClient(url, "auto")
    try:
        assert {"execute_action", "screenshot"} <= set(client.tools())
    finally:
        client.close()


@pytest.mark.parametrize("client", FILES)
def test_it_is_written_beside_what_stands_there(install, client, tmp_path):
    """A new file; then an old one, of which every byte stays, a copy too, and its mode; a second time changes nothing."""
    file, section = tmp_path / FILES[client], SECTIONS.get(client, "mcpServers")
    done = install(client, "--write")
    assert "is put into" in done.stdout and json.loads(file.read_text())[section]["ghostcast"]
    other = '{"command":  "x", "n": 1.50, "big": 123456789012345678901234567890}'
    old = f'{{"zeta": [1,   2],\n "{section}": {{"other": {other}}},\n "alpha": "gr\\u00fcn"}}'
    file.write_text(old)
    file.chmod(0o640)
    done = install(client, "--write", "--name", "my-ghost")
    text = file.read_text()
    read = json.loads(text)
    assert list(read) == ["zeta", section, "alpha"] and list(read[section]) == ["other", "my-ghost"]
    assert other in text and "[1,   2]" in text and "gr\\u00fcn" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    backup = file.with_name(file.name + ".bak")
    assert backup.read_text() == old and str(backup) in done.stdout
    assert "already" in install(client, "--write", "--name", "my-ghost").stdout
    assert file.read_text() == text and not file.with_name(file.name + ".bak1").exists()
    # It is changed where it differs, and the copy before is kept.
    install(client, "--write", "--name", "my-ghost", "--port", "9001")
    assert "9001" in file.read_text() and file.with_name(file.name + ".bak1").read_text() == text
    assert backup.read_text() == old
    assert sorted(path.name for path in file.parent.iterdir() if path.name.startswith(file.name)) == [
        file.name, f"{file.name}.bak", f"{file.name}.bak1",
    ]


@pytest.mark.parametrize("broken", ['{"mcpServers": {', "[]", '{"mcpServers": []}', '{} // mine', '\ufeff{}'])
def test_broken_json_is_refused_with_words(install, broken, tmp_path):
    """Nothing is written, and what to put in by hand is told."""
    file = tmp_path / ".cursor/mcp.json"
    file.parent.mkdir()
    file.write_text(broken)
    said = install("cursor", "--write", code=1).stderr
    assert "is not JSON" in said and str(file) in said and '"url": "http://127.0.0.1:8765/mcp"' in said
    assert file.read_text() == broken and list(file.parent.iterdir()) == [file]


def test_a_link_stays_one(install, tmp_path):
    """Settings that are kept elsewhere are written there."""
    kept = tmp_path / "dotfiles.json"
    kept.write_text("{}")
    file = tmp_path / ".cursor/mcp.json"
    file.parent.mkdir()
    file.symlink_to(kept)
    install("cursor", "--write")
    assert file.is_symlink() and "ghostcast" in json.loads(kept.read_text())["mcpServers"]


@pytest.mark.parametrize("words", [
    ("--url", "ftp://x"), ("--url", "nonsense"), ("--url", "https://user:pass@x"), ("--url", "https://x/?access_token=1"),
    ("--name", 'a"b'), ("--token-env", "A B"),
])
def test_what_makes_no_sense_is_refused(install, words):
    """With a sentence, and without a file."""
    said = install("cursor", "--write", *words, code=1).stderr
    assert said.startswith("ghostcast: ") and len(said.split()) > 5
