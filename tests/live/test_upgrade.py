"""State directories of other versions: the older ones are brought up to date, a newer one is refused."""

import hashlib
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.kept import start
from support.service import clean_env, free_port, running_service

REGISTRIES = Path(__file__).parent / "registries"
# What the files of registries/ hold, each as its version wrote it.
OLD = {
    "shop": "0b6f2c52-6b0e-4d0c-9a53-0f6f8f6a1c11",
    "mail": "9d2b7a0e-4a7b-4c83-8f0e-2f1f5d3f7a22",
}
NEWER = 99


def make(directory, script):
    """A state directory with a registry as a version wrote it."""
    directory.mkdir(mode=0o700)
    with sqlite3.connect(directory / "ghostcast.db") as database:
        database.executescript(script)
        return database.execute("PRAGMA user_version").fetchone()[0]


def version_of(directory):
    """The schema that a registry has."""
    with sqlite3.connect(directory / "ghostcast.db") as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("file", sorted(REGISTRIES.glob("*.sql")), ids=lambda file: file.stem)
def test_the_sessions_of_an_older_version_are_found_again(ghostcast_bin, web, tmp_path, file):
    """Its rows are read, one comes back, and what is new works on it."""
    state = tmp_path / "state"
    before = make(state, file.read_text())
    assert before == int(file.stem)
    args = ("--state-dir", str(state))
    with running_service(ghostcast_bin, args=args) as service:
        api = service.api
        stored = {one["session_name"]: one for one in api.get("/sessions").json()["sessions"]}
        assert {name: one["session_id"] for name, one in stored.items()} == OLD
        shop = stored["shop"]
        assert shop["state"] == "stored" and shop["created_at"] == "2026-11-01T08:00:00.000Z"
        assert shop["current_url"] == "http://shop.example.com/cart" and shop["title"] == "Cart"
        assert shop["viewport"] == {"width": 1024, "height": 768} and shop["fps"] == 12
        assert shop["metadata"] == {"team": "a"} and shop["page_count"] == 2
        assert start(api, "mail", status=200)["session_id"] == OLD["mail"]
        assert api.request("POST", "/sessions/mail/takeover").status_code == 201
        assert api.close("shop").status_code == 200
        assert api.get("/sessions/shop/ended").json()["reason"] == "closed"
    assert version_of(state) > before
    with sqlite3.connect(state / "ghostcast.db") as database:
        assert database.execute("SELECT count(*) FROM links").fetchone() == (1,)


def test_a_newer_registry_is_refused_and_not_touched(ghostcast_bin, tmp_path):
    """A service that would not know its sessions does not start as if there were none."""
    state = tmp_path / "state"
    make(state, f"CREATE TABLE sessions (of_the_future TEXT); PRAGMA user_version = {NEWER};")
    before = hashlib.sha256((state / "ghostcast.db").read_bytes()).digest()
    command = [ghostcast_bin, "serve", "--listen", f"127.0.0.1:{free_port()}"]
    ended = subprocess.run(
        [*command, "--state-dir", str(state)],
        env=clean_env(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0, said
    for words in ("newer Ghostcast", str(NEWER), str(state), "--state-dir"):
        assert words in said, said
    assert hashlib.sha256((state / "ghostcast.db").read_bytes()).digest() == before
