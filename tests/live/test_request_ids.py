"""What a request is called: in the answer's header, in whatever refuses it, and in each line of the log about it."""

import json
import re
import socket
import uuid

import grpc
import httpx
import pytest

from support.api import assert_envelope, new_room
from support.grpc_client import GrpcClient
from support.mcp import McpClient, http_server, stdio_server
from support.service import running_service
from support.wait import wait_for

HEADER = "X-Request-Id"
MINE = "shop/2026-11-30:7f3a"


@pytest.fixture(scope="module")
def talkative(ghostcast_bin, tmp_path_factory):
    """A service that logs all of its own, a line a JSON object, and a file of actions."""
    logs = tmp_path_factory.mktemp("logs")
    env = {"GHOSTCAST_LOG": "info,ghostcast=debug", "GHOSTCAST_LOG__DIRECTORY": str(logs)}
    with running_service(ghostcast_bin, env=env, args=["--log-format", "json"]) as service:
        service.server_log = logs / "browser_session_server.log"
        service.actions_log = logs / "browser_session_actions.log"
        yield service


def lines(service, request_id):
    """The lines of the log that are told as of this request."""
    text = service.server_log.read_text() if service.server_log.exists() else ""
    told = [json.loads(line) for line in text.splitlines()]
    return [line for line in told if any(span.get("request_id") == request_id for span in line["spans"])]


def test_each_answer_says_how_its_request_is_called(talkative):
    """Success, refusals of ours and of libraries beneath, pages and what is none: a name of its own each."""
    api, seen = talkative.api, set()
    for method, path in [
        ("GET", "/health"), ("GET", "/sessions"), ("GET", "/"), ("GET", "/nowhere"), ("PUT", "/sessions"),
        ("GET", "/sessions/none"), ("POST", "/sessions"), ("POST", "/mcp"), ("GET", "/assets/none.js"),
    ]:
        answer = api.request(method, path)
        name = answer.headers[HEADER]
        assert str(uuid.UUID(name)) == name, (path, name)
        if answer.status_code >= 400 and "error" in answer.json() and "jsonrpc" not in answer.json():
            assert assert_envelope(answer)["request_id"] == name
        seen.add(name)
    assert len(seen) == 9


def test_a_callers_own_name_is_taken_where_it_is_sane(talkative):
    """It is told in the header, the error and the log; what could not stand in a line is replaced."""
    api = talkative.api
    answer = api.request("GET", "/sessions/none", headers={HEADER: MINE})
    assert answer.headers[HEADER] == MINE == assert_envelope(answer, 404)["request_id"]
    refused = lambda: [one for one in lines(talkative, MINE) if one["message"] == "a request was refused"]  # noqa: E731
    wait_for(refused, 5, "its line in the log")
    for foreign in ["", "x" * 129, "two words", "tab\there", "gr\u00fcn".encode()]:
        told = api.request("GET", "/sessions/none", headers={HEADER: foreign})
        name = assert_envelope(told, 404)["request_id"]
        assert str(uuid.UUID(name)) == name == told.headers[HEADER], foreign
    assert api.request("GET", "/health", headers={HEADER: "x" * 128}).headers[HEADER] == "x" * 128
    twice = api.client.get("/health", headers=[(HEADER, "one"), (HEADER, "two")])
    assert twice.headers[HEADER] not in ("one", "two")


def test_all_that_a_request_leads_to_is_told_as_its_own(talkative, web):
    """The start of a session, its actions, and the line of the journal; the session itself lives on without it."""
    api, room = talkative.api, new_room("named")
    began = f"began-{uuid.uuid4()}"
    answer = api.request("POST", "/sessions", json={"room_name": room}, headers={HEADER: began})
    assert answer.status_code == 201
    try:
        told = wait_for(lambda: lines(talkative, began), 5, "lines of the start")
        assert any(one["message"] == "a session starts" and one["fields"]["room"] == room for one in told), told
        acted = f"acted-{uuid.uuid4()}"
        body = {"action_type": "navigate", "params": {"url": "http://127.0.0.1:9/"}}
        result = api.request("POST", f"/sessions/{room}/actions", json=body, headers={HEADER: acted}).json()
        assert not result["success"]

        def journal():
            text = talkative.actions_log.read_text() if talkative.actions_log.exists() else ""
            return [one for one in map(json.loads, text.splitlines()) if one["action_id"] == result["action_id"]]

        assert wait_for(journal, 5, "its line")[0]["request_id"] == acted
        # What the session does later is nobody's request.
        api.request("POST", f"/sessions/{room}/pause", headers={HEADER: f"later-{room}"})
        of_session = [one for one in lines(talkative, began) if any(span["name"] == "session" for span in one["spans"])]
        assert not of_session, of_session
    finally:
        api.close(room)


def test_grpc_and_mcp_tell_it_too(talkative, ghostcast_bin):
    """In the metadata of a status, in `_meta` of a tool's failure, in the data of a JSON-RPC error."""
    with GrpcClient(talkative) as client:
        call = client.stub.GetSession
        with pytest.raises(grpc.RpcError) as refused:
            call(client.request("GetSession", room_name="none"), metadata=[(HEADER.lower(), MINE + "g")])
        error = refused.value
        told = dict(error.trailing_metadata() or ()) | dict(error.initial_metadata() or ())
        assert told[HEADER.lower()] == MINE + "g", told
    wait_for(lambda: lines(talkative, MINE + "g"), 5, "its line in the log")
    for server in (http_server(talkative), stdio_server(ghostcast_bin, talkative)):
        client = McpClient(server, "auto")
        try:
            result = client.call("close_browser_session", room_name="none")
            assert result.is_error and "request_id" not in result.structured_content
            name = result.meta["request_id"]
            assert wait_for(lambda: lines(talkative, name), 5, "its line in the log")  # noqa: B023
        finally:
            client.close()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", HEADER: MINE}
    broken = talkative.api.request("POST", "/mcp", content=b"{", headers=headers)
    assert broken.json()["error"]["data"]["request_id"] == MINE == broken.headers[HEADER]


def test_a_connection_beyond_the_bound_has_a_name_too(ghostcast_bin):
    """The answer that no handler makes."""
    env = {"GHOSTCAST_SERVER__CONNECTIONS_MAX": "2"}
    with running_service(ghostcast_bin, env=env) as service:
        held = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(2)]

        def full():
            with socket.create_connection(("127.0.0.1", service.port), timeout=5) as one:
                one.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return one.recv(4096).decode()

        text = wait_for(full, 5, "a refusal", accept=lambda said: " 503 " in said)
        name = re.search(r"X-Request-Id: (\S+)", text)[1]
        assert json.loads(text.partition("\r\n\r\n")[2])["error"]["request_id"] == name
        for one in held:
            one.close()


def test_pages_of_permitted_origins_may_send_and_read_it(ghostcast_bin):
    """CORS lets the header through both ways."""
    env = {"GHOSTCAST_SERVER__ALLOWED_ORIGINS": '["https://shop.example"]'}
    with running_service(ghostcast_bin, env=env) as service:
        asked = {
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": HEADER.lower(),
        }
        answer = httpx.options(f"{service.api.base}/sessions", headers=asked, trust_env=False)
        assert HEADER.lower() in answer.headers["access-control-allow-headers"].lower()
        read = service.api.get("/sessions", headers={"Origin": "https://shop.example"})
        assert HEADER.lower() in read.headers["access-control-expose-headers"].lower()
