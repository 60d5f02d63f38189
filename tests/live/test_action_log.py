"""The file of actions: who did what by which door, and what came of it, to be read the morning after."""

import json

import httpx
import pytest

from support.api import Api, new_room
from support.daemon import Daemon
from support.grpc_client import GrpcClient
from support.mcp import McpClient, http_server, stdio_server
from support.service import TOKEN, TOKEN_ENV, running_service
from support.wait import wait_for

ACTIONS_LOG = "browser_session_actions.log"
SECRET, PLAIN = "4111-secret-1111", "a text that nobody wrote down"
FIELDS = {
    "time", "door", "address", "program", "token", "request_id", "session_id", "session_name", "room_name", "action_id",
    "action", "target", "outcome", "error_kind", "ms", "url",
}


@pytest.fixture
def logged(ghostcast_bin, tmp_path):
    """A service with log files."""
    env = {"GHOSTCAST_LOG__DIRECTORY": str(tmp_path / "logs"), "GHOSTCAST_SECRET_CARD": SECRET}
    with running_service(ghostcast_bin, env=env) as service:
        service.actions = tmp_path / "logs" / ACTIONS_LOG
        yield service


def lines(service):
    """What is in the file."""
    text = service.actions.read_text() if service.actions.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def line(service, **fields):
    """The one line that has these fields, when it is there."""

    def found():
        return [one for one in lines(service) if all(one[name] == value for name, value in fields.items())]

    # It is written beside the answer, not before.
    one = wait_for(found, 5, f"a line of {fields}")
    assert len(one) == 1 and set(one[0]) == FIELDS, one
    return one[0]


def test_a_night_can_be_told_from_it(logged, ghostcast_bin, web):
    """Three doors, four ways in: each end is one line, and no secret is in it."""
    api, room = logged.api, new_room("night")
    page = b"<title>Form</title><button onclick='document.title=1'>Save it</button><input aria-label=Card>"
    web.files["/night.html"] = page
    record = api.create(room, initial_url=web.url("/night.html"))
    button, field = api.index_of(room, "Save it"), api.index_of(room, "Card")
    clicked = api.do(room, "click", index=button)
    with GrpcClient(logged) as grpc:
        action = {"action_type": "type", "params": {"index": field, "text": "{{card}}"}}
        typed = grpc.call("ExecuteAction", room_name=room, action=action)
    by_http, by_stdio = (
        McpClient(http_server(logged), "auto"),
        McpClient(stdio_server(ghostcast_bin, logged), "auto"),
    )
    try:
        failed = by_http.call(
            "execute_action", room_name=room, action_type="click", params={"index": 9999}
        ).structured_content
        read = by_stdio.act(room, "type", index=field, text=PLAIN)
    finally:
        by_http.close()
        by_stdio.close()
    # What the service does by itself is told as such.
    opening = line(logged, door="service")
    assert (opening["action"], opening["program"], opening["address"]) == ("navigate", None, None)
    assert opening["request_id"] is None
    assert {one["token"] for one in lines(logged)} == {None}
    rest = line(logged, action_id=clicked["action_id"])
    assert (rest["door"], rest["address"]) == ("rest", "127.0.0.1") and "httpx" in rest["program"]
    assert rest["target"] == {"role": "button", "name": "Save it"} and rest["outcome"] == "completed"
    assert rest["error_kind"] is None and rest["ms"] == pytest.approx(clicked["duration_ms"], abs=0.1)
    assert (rest["session_id"], rest["room_name"]) == (record["session_id"], room)
    assert rest["session_name"] is None and rest["url"] == web.url("/night.html")
    grpc_line = line(logged, action_id=typed["action_id"])
    assert (grpc_line["door"], grpc_line["action"]) == ("grpc", "type") and "grpc" in grpc_line["program"]
    assert grpc_line["target"]["name"] == "Card"
    http_line = line(logged, action_id=failed["action_id"])
    assert (http_line["door"], http_line["outcome"]) == ("mcp", "failed")
    assert http_line["error_kind"] == failed["error_kind"] == "element_not_found"
    assert http_line["target"] is None and http_line["address"] == "127.0.0.1"
    stdio_line = line(logged, action_id=read["action_id"])
    assert stdio_line["door"] == "mcp" and stdio_line["address"] == "127.0.0.1" and stdio_line["program"]
    assert [one["time"] for one in lines(logged)] == sorted(one["time"] for one in lines(logged))
    text = logged.actions.read_text()
    assert SECRET not in text and PLAIN not in text and "{{card}}" not in text
    assert logged.actions.stat().st_mode & 0o777 == 0o600
    assert "ghostcast_action_log_lines_dropped_total 0" in api.get("/metrics").text


def test_each_token_is_told_by_its_label(ghostcast_bin, tmp_path):
    """By each door and of a ticket: the label that the file gives it, and never the token."""
    tokens = {label: f"token-of-{label}-0123456789" for label in ("ana", "bot.2", "nightly")}
    file = tmp_path / "tokens"
    file.write_text("".join(f"{label} admin {token}\n" for label, token in tokens.items()))
    file.chmod(0o600)
    env = {"GHOSTCAST_LOG__DIRECTORY": str(tmp_path / "logs")}
    args = ["--tokens-file", str(file)]
    with running_service(ghostcast_bin, env=env, token=TOKEN, args=args) as service:
        service.actions = tmp_path / "logs" / ACTIONS_LOG
        room = new_room("labels")
        service.api.create(room, initial_url="about:blank")
        ours = {"server.token": service.api.do(room, "wait", seconds=0)}
        ana = Api(service.api.base, tokens["ana"])
        ours["ana"] = ana.do(room, "wait", seconds=0)
        ticket = ana.request("POST", "/tickets", json={"for": room, "scope": "control"}).json()["ticket"]
        where = f"{service.api.base}/sessions/{room}/actions?ticket={ticket}"
        by_ticket = httpx.post(where, json={"action_type": "wait", "params": {"seconds": 0}}).json()
        ana.close_client()
        with GrpcClient(service, tokens["bot.2"]) as grpc:
            action = {"action_type": "wait", "params": {"seconds": 0}}
            ours["bot.2"] = grpc.call("ExecuteAction", room_name=room, action=action)
            went = grpc.call("Navigate", room_name=room, url="about:blank")

        class Door:
            """The same service with another token."""

            api, port = Api(service.api.base, tokens["nightly"]), service.port
            env = {**service.env, TOKEN_ENV: tokens["nightly"]}

        for mode in (http_server(Door), stdio_server(ghostcast_bin, Door)):
            client = McpClient(mode, "auto")
            try:
                ours["nightly"] = client.act(room, "wait", seconds=0)
            finally:
                client.close()
            assert line(service, action_id=ours["nightly"]["action_id"])["token"] == "nightly"
        for label, done in ours.items():
            assert line(service, action_id=done["action_id"])["token"] == label
        assert line(service, action_id=by_ticket["action_id"])["token"] == "ana"
        told = line(service, action_id=went["action_id"])
        assert (told["token"], told["action"]) == ("bot.2", "navigate")
        assert line(service, door="service")["token"] is None
        text = service.actions.read_text()
        assert not [token for token in (TOKEN, *tokens.values()) if token in text]


def test_what_was_cut_short_is_told_too(logged):
    """Actions that the session's end cut short, with who had asked for them."""
    api, room = logged.api, new_room("short")
    api.create(room)
    ids = [api.submit(room, "wait", seconds=30)["action_id"] for _ in range(2)]
    api.close(room)
    for action_id in ids:
        ended = line(logged, action_id=action_id)
        assert (ended["door"], ended["outcome"], ended["error_kind"]) == ("rest", "failed", "closed")


def test_a_service_in_the_background_has_it(ghostcast_bin, tmp_path):
    """In the state directory, from the first action on; `ghostcast logs --actions` prints its end."""
    daemon = Daemon(ghostcast_bin, tmp_path)
    try:
        daemon.start()
        daemon.run("logs", "--actions", code=1)
        with daemon.api.session() as room:
            ended = daemon.api.do(room, "wait", seconds=0)
            wait_for((daemon.logs / ACTIONS_LOG).exists, 5, "it is written")
        printed = daemon.run("logs", "--actions").stdout.splitlines()
        assert [json.loads(one)["action_id"] for one in printed] == [ended["action_id"]]
    finally:
        daemon.put_away()


def test_it_is_bounded_and_can_be_left_out(ghostcast_bin, tmp_path):
    """Put aside by size as the other logs are; without it, or without log files, nothing is written."""
    for name, more in (("small", {"BYTES_MAX": "4096", "FILES_MAX": "2"}), ("none", {"ACTIONS": "false"})):
        logs = tmp_path / name
        env = {"GHOSTCAST_LOG__DIRECTORY": str(logs)}
        env |= {f"GHOSTCAST_LOG__{key}": value for key, value in more.items()}
        with running_service(ghostcast_bin, env=env) as service, service.api.session() as room:
            for _ in range(60):
                service.api.do(room, "wait", seconds=0)
            found = sorted(path.name for path in logs.iterdir() if path.name.startswith(ACTIONS_LOG))
        if name == "none":
            assert found == []
            continue
        assert found == [ACTIONS_LOG, f"{ACTIONS_LOG}.1", f"{ACTIONS_LOG}.2"]
        for path in logs.iterdir():
            assert path.stat().st_size <= 4096
            if path.name.startswith(ACTIONS_LOG):
                assert all(set(json.loads(one)) == FIELDS for one in path.read_text().splitlines())
