"""Links to kept sessions outlive the service: with their time, their one use, their end, and never as tokens on disk."""

import os
import signal
import sqlite3
import time

import pytest

from support.api import Api
from support.kept import start
from support.people import Person
from support.service import running_service
from support.wait import wait_for

OPS, AGENT = "an-operators-token-01", "an-agents-token-0001"


def link(api, room, path="takeover", **order):
    """A link's token."""
    made = api.request("POST", f"/sessions/{room}/{path}", json=order)
    assert made.status_code == 201, made.text
    return made.json()["url"].replace("#share=", "/").rsplit("/", 1)[1]


def links_in(state):
    """How many links are on the disk, read by SQLite's own library."""
    with sqlite3.connect(f"file:{state / 'ghostcast.db'}?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM links").fetchone()[0]


def enter(api, token):
    """What comes of entering by one."""
    return api.request("POST", "/takeover", json={"token": token})


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_links_are_good_after_a_restart(house, web, end):
    """Good ones are; used, revoked and late ones are not; the disk has no token."""
    web.files["/kept.html"] = b"<!doctype html><title>kept</title><input id=field autofocus>"
    first = house()
    api = first.api
    start(api, "kept", initial_url=web.url("/kept.html"))
    api.create("fleeting")
    plain = link(api, "kept", name="Ada")
    private = link(api, "kept", private=True, one_time=True)
    used = link(api, "kept", one_time=True)
    own = enter(api, used).json()["token"]
    late = link(api, "kept", ttl_s=2)
    late_at = time.monotonic() + 2
    watch = link(api, "kept", role="watch")
    share = link(api, "kept", path="share")
    asked = api.act("kept", "request_human", reason="Come.")["data"]["takeover_url"].rsplit("/", 1)[1]
    fleeting = link(api, "fleeting")
    if end == "killed":
        os.kill(first.pid, signal.SIGKILL)
        first.process.wait()
        first.kill()
    else:
        assert not first.stop()
    for file in first.state.rglob("*"):
        if file.is_file() and file.name.startswith("ghostcast"):
            data = file.read_bytes()
            assert b"gcs_" not in data, file
            for token in (plain, private, used, own, late, watch, share):
                assert token[4:].encode() not in data, file
    second = house()
    api = second.api
    time.sleep(max(0, late_at - time.monotonic()))
    for token in (used, late, asked, fleeting):
        assert enter(api, token).status_code == 401, token
    for token, role in ((plain, "control"), (own, "control"), (watch, "watch"), (share, "watch")):
        entered = enter(api, token)
        assert entered.status_code == 200 and entered.json()["role"] == role, entered.text
        assert entered.json()["token"] == token
    ada = Person(api, "kept", token=plain)
    ada.take()
    assert ada.state["control"]["who"] == "Ada" and not ada.state["control"]["private"]
    ada.say("hand_back", done=True)
    ada.hear(lambda: ada.state["control"]["owner"] == "agent")
    # Good once, and once only, whenever that is.
    again = enter(api, private).json()["token"]
    bob = Person(api, "kept", token=again)
    bob.take()
    assert bob.state["control"]["private"]
    assert enter(api, private).status_code == 401
    assert api.request("DELETE", "/sessions/kept/takeover").json()["revoked"] == 4
    assert not second.stop()
    third = house()
    for token in (plain, private, again, own, watch):
        assert enter(third.api, token).status_code == 401, token
    assert enter(third.api, share).status_code == 200
    # A session that is closed leaves none, also not for one of its name.
    assert third.api.close("kept").status_code == 200
    start(third.api, "kept")
    assert enter(third.api, share).status_code in (401, 404)
    assert not third.stop()
    assert not links_in(third.state)
    fourth = house()
    assert enter(fourth.api, share).status_code == 401
    assert not fourth.stop()


def test_a_link_whose_maker_is_gone_does_not_come_back(ghostcast_bin, tmp_path):
    """The token that made it was taken away while the service did not run, or while it did; also not with the token."""
    path, state = tmp_path / "tokens", tmp_path / "state"

    def tokens(text):
        path.write_text(text)
        path.chmod(0o600)

    args = ("--tokens-file", str(path), "--state-dir", str(state))
    tokens(f"ops admin {OPS}\nagent control:lent {AGENT}\n")
    with running_service(ghostcast_bin, args=args) as service:
        ops, agent = (Api(service.api.base, token) for token in (OPS, AGENT))
        start(ops, "lent")
        theirs, ours = link(agent, "lent"), link(ops, "lent")
    tokens(f"ops admin {OPS}\nagent control:lent another-agents-token-0002\n")
    with running_service(ghostcast_bin, args=args) as service:
        ops = Api(service.api.base, OPS)
        assert enter(ops, theirs).status_code == 401
        assert enter(ops, ours).status_code == 200
        # What came back hangs on its token as ever.
        ada = Person(ops, "lent", token=ours)
        tokens("boss admin the-token-of-a-boss-003\n")
        os.kill(service.pid, signal.SIGHUP)
        boss = Api(service.api.base, "the-token-of-a-boss-003")
        wait_for(lambda: enter(boss, ours).status_code == 401, 5, "the link ends")
        ada.socket.close()
        wait_for(lambda: not links_in(state), 5, "none is on the disk")
    tokens(f"ops admin {OPS}\nagent control:lent {AGENT}\n")
    with running_service(ghostcast_bin, args=args) as service:
        ops = Api(service.api.base, OPS)
        assert [enter(ops, token).status_code for token in (theirs, ours)] == [401, 401]
    database = (state / "ghostcast.db").read_bytes()
    assert OPS.encode() not in database and AGENT.encode() not in database
