"""Who may come in: tokens with their scopes, from a file; tickets, links to watch by, and wrong tokens."""

import base64
import hashlib
import os
import re
import signal
import subprocess
import time
from urllib.parse import quote, urlsplit

import grpc
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from support.api import Api, EventSocket, assert_envelope, new_room
from support.cdp import Tab
from support.grpc_client import GrpcClient, generated
from support.mcp import McpClient, http_server
from support.service import TOKEN, Ghostcast, clean_env, free_port, running_service
from support.viewers import WhepViewer
from support.wait import wait_for
from test_contract import ROUTES

# What the file gives each of these, and how it is written there.
SCOPES = {
    "all": "admin",
    "actor": "control:mine",
    "watcher": "watch:mine",
    "actors": "control:*",
    "watchers": "watch:*",
}
TOKENS = {label: f"token-of-{label}-0123456789" for label in SCOPES}
HASHED = ("watcher", "actors")
# Who may make a call on the session "mine", and who on another one.
WATCH = {"all", "actor", "watcher", "actors", "watchers"}
CONTROL = {"all", "actor", "actors"}
NEEDS = {
    "nobody": (WATCH, WATCH),
    "anybody": (WATCH, WATCH),
    "watch": (WATCH, {"all", "actors", "watchers"}),
    "control": (CONTROL, {"all", "actors"}),
    "watch all": ({"all", "actors", "watchers"},) * 2,
    "control all": ({"all", "actors"},) * 2,
    "admin": ({"all"},) * 2,
}
ROUTES_NEED = {
    ("get", "/health"): "nobody",
    ("get", "/health/live"): "nobody",
    ("get", "/health/ready"): "nobody",
    ("get", "/openapi.json"): "nobody",
    # Its body has the token of a link.
    ("post", "/takeover"): "nobody",
    # Each tool has a need of its own.
    ("post", "/mcp"): "anybody",
    ("get", "/mcp"): "anybody",
    ("delete", "/mcp"): "anybody",
    ("get", "/mcp/socket"): "anybody",
    ("get", "/sessions"): "anybody",
    ("post", "/tickets"): "anybody",
    ("get", "/sessions/{}"): "watch",
    ("get", "/sessions/{}/context"): "watch",
    ("get", "/sessions/{}/screenshot"): "watch",
    ("get", "/sessions/{}/recording"): "watch",
    ("get", "/sessions/{}/actions/{}"): "watch",
    ("get", "/sessions/{}/downloads"): "watch",
    ("get", "/sessions/{}/downloads/{}"): "watch",
    ("get", "/sessions/{}/ended"): "watch",
    ("get", "/rooms/{}/connections"): "watch",
    ("get", "/mcp/events/{}"): "watch",
    ("post", "/whep/{}"): "watch",
    ("patch", "/whep/{}/{}"): "watch",
    ("delete", "/whep/{}/{}"): "watch",
    ("post", "/sessions"): "control",
    ("delete", "/sessions/{}"): "control",
    ("post", "/sessions/{}/pause"): "control",
    ("post", "/sessions/{}/resume"): "control",
    ("post", "/sessions/{}/recover"): "control",
    ("post", "/sessions/{}/actions"): "control",
    ("delete", "/sessions/{}/actions/{}"): "control",
    ("post", "/sessions/{}/navigate"): "control",
    ("post", "/sessions/{}/execute"): "control",
    ("post", "/sessions/{}/interact"): "control",
    ("post", "/sessions/{}/wait"): "control",
    ("post", "/sessions/{}/screenshot"): "control",
    ("post", "/sessions/{}/analyze"): "control",
    ("post", "/sessions/{}/recording"): "control",
    ("delete", "/sessions/{}/recording"): "control",
    ("post", "/sessions/{}/share"): "control",
    ("delete", "/sessions/{}/share"): "control",
    ("post", "/sessions/{}/takeover"): "control",
    ("get", "/sessions/{}/viewers"): "control",
    ("delete", "/sessions/{}/takeover"): "control",
    ("post", "/jobs"): "admin",
    ("get", "/jobs"): "admin",
    ("get", "/jobs/{}"): "admin",
    ("post", "/jobs/{}/cancel"): "admin",
    ("post", "/jobs/{}/retry"): "admin",
    ("post", "/jobs/{}/takeover"): "admin",
    ("get", "/jobs/{}/events"): "admin",
    ("post", "/connections"): "admin",
    ("get", "/connections"): "admin",
    ("get", "/connections/{}"): "admin",
    ("delete", "/connections/{}"): "admin",
    ("post", "/connections/{}/verify"): "admin",
    ("post", "/connections/{}/takeover"): "admin",
    ("post", "/notes"): "admin",
    ("get", "/notes"): "admin",
    ("get", "/notes/{}"): "admin",
    ("patch", "/notes/{}"): "admin",
    ("delete", "/notes/{}"): "admin",
    ("post", "/notes/{}/finalise"): "admin",
    ("get", "/users/{}/events"): "admin",
    ("put", "/sessions/{}/drivers/{}"): "control",
    ("delete", "/sessions/{}/drivers/{}"): "control",
    # To watch and to ask; the wheel itself is asked about when it is taken.
    ("get", "/sessions/{}/drive"): "watch",
    ("post", "/sessions/{}/drive/files"): "watch",
    ("get", "/recordings"): "watch all",
    # Of no session's recording.
    ("get", "/recordings/{}"): "watch all",
    ("delete", "/recordings/{}"): "control all",
    ("get", "/stats"): "watch all",
    ("get", "/metrics"): "watch all",
    ("get", "/sessions/{}/storage_state"): "admin",
    ("post", "/sessions/cleanup"): "admin",
    ("post", "/drain"): "admin",
    ("delete", "/drain"): "admin",
}
# The scope that is told, where it is not of one session.
WORDS = {"watch all": "watch:*", "control all": "control:*", "admin": "admin"}
METHODS_NEED = {
    "ListSessions": "anybody",
    "GetSession": "watch",
    "GetBrowserContext": "watch",
    "TakeScreenshot": "watch",
    "ListDownloads": "watch",
    "GetDownload": "watch",
    "StreamEvents": "watch",
    "StartSession": "control",
    "PauseSession": "control",
    "ResumeSession": "control",
    "RecoverSession": "control",
    "CloseSession": "control",
    "ExecuteAction": "control",
    "Navigate": "control",
    "ExecuteScript": "control",
    "Interact": "control",
    "Wait": "control",
    "Analyze": "control",
    "StartRecording": "control",
    "StopRecording": "control",
    "ShareSession": "control",
    "RevokeShares": "control",
    "ListEnded": "anybody",
    "GetEnded": "watch",
    "GetStats": "watch all",
    "GetStorageState": "admin",
    "CleanUp": "admin",
    "Drain": "admin",
    "Undrain": "admin",
}
TOOLS_NEED = {
    "start_browser_session": ("control", {"livekit_url": "ftp://x"}),
    "pause_browser_session": ("control", {}),
    "resume_browser_session": ("control", {}),
    "close_browser_session": ("control", {}),
    "recover_browser_session": ("control", {}),
    "execute_action": ("control", {"action_type": "refresh"}),
    "get_browser_context": ("watch", {}),
    "screenshot": ("watch", {}),
    "analyze": ("control", {"question": "What?"}),
    "tabs": ("control", {"operation": "new"}),
    "recording": ("control", {"operation": "start"}),
    "wait_for": ("control", {"condition": {"text": "x"}}),
    "share": ("control", {}),
    "ended_sessions": ("watch", {}),
    "stats": ("watch all", {}),
    "drain": ("admin", {"operation": "start", "timeout_s": -1}),
    "interact": ("control", {"action": "click", "selector": "#x"}),
    "run_script": ("control", {"script": "1"}),
    "clean_up": ("admin", {"max_age_hours": -1}),
}
# Methods whose message names no session.
OF_THE_SERVICE = ("ListSessions", "ListEnded", "GetStats", "Drain", "Undrain", "CleanUp")
# What makes the call fail by itself where it would do something, once it is let in.
BODIES = {
    ("post", "/sessions/cleanup"): {"max_age_hours": -1},
    ("post", "/drain"): {"timeout_s": -1},
}


def line_of(label):
    """A line of the file."""
    token = TOKENS[label]
    if label in HASHED:
        token = f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    return f"{label} {SCOPES[label]} {token}\n"


def write(path, text, mode=0o600):
    """A file of tokens, replaced as a whole."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    new.rename(path)
    return path


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory):
    """The file of all tokens above."""
    text = "# who may come in\n\n" + "".join(map(line_of, SCOPES))
    return write(tmp_path_factory.mktemp("tokens") / "tokens", text)


@pytest.fixture(scope="module")
def service(ghostcast_bin, tokens_file):
    """A service with that file, which also answers the suite's own requests."""
    args = ["--tokens-file", str(tokens_file)]
    with running_service(ghostcast_bin, token=TOKEN, args=args) as running:
        yield running
        told = running.log(10**7)
        assert not [token for token in (TOKEN, *TOKENS.values()) if token in told]


@pytest.fixture
def by(service):
    """The REST interface for each of them."""
    apis = {label: Api(service.api.base, token) for label, token in TOKENS.items()}
    yield apis
    for api in apis.values():
        api.close_client()


# ---- scopes ------------------------------------------------------------------------------------


def test_every_route_says_what_it_needs():
    """A route that is not in the table above is missing here."""
    assert set(ROUTES_NEED) == set(ROUTES)
    messages, _ = generated()
    methods = messages.DESCRIPTOR.services_by_name["BrowserService"].methods
    assert set(METHODS_NEED) == {method.name for method in methods}


@pytest.mark.parametrize("route", ROUTES_NEED, ids=lambda route: f"{route[0]} {route[1]}")
def test_rest(service, by, route):
    """Each route with each scope, on the own session and on another's: let in, or 403 with what it takes.

    Neither session exists, so that whoever is let in is told that, and nothing is done.
    """
    method, path = route
    need = ROUTES_NEED[route]
    for key, may in zip(("mine", "other"), NEEDS[need], strict=True):
        where = path.replace("{}", key, 1).replace("{}", "5f0e8e39-52a5-4b6d-8f1f-8b6b6f1f0001")
        if path.startswith("/recordings/"):
            where = "/recordings/none.mp4"
        body = BODIES.get(route)
        if route == ("post", "/sessions"):
            body = {"room_name": key, "fps": 1000}
        sent = {"json": body} if body is not None else {}
        for label, api in by.items():
            answer = api.request(method.upper(), where, **sent)
            if label in may:
                assert answer.status_code not in (401, 403), (label, key, answer.text)
            else:
                error = assert_envelope(answer, 403, "forbidden")
                needed = WORDS.get(need, f"{need}:{key}")
                assert f"the scope {needed}" in error["message"], error
                assert SCOPES[label] in error["hint"] and label in error["hint"], error


def test_strangers_are_let_in_nowhere(ghostcast_bin, tokens_file):
    """Without a token, or with one that is none, each route is closed that holds anything."""
    args = ["--tokens-file", str(tokens_file)]
    with running_service(ghostcast_bin, args=args) as running:
        for (method, path), need in ROUTES_NEED.items():
            for token in (None, "a-token-that-is-none", TOKENS["all"] + "x"):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                where = running.api.base + path.replace("{}", "mine")
                answer = httpx.request(method.upper(), where, headers=headers)
                if need == "nobody":
                    # One has a body, which did not come.
                    assert answer.status_code in (200, 400, 503)
                else:
                    # Beyond twenty wrong ones it is 429, see below.
                    known = (401, 429) if token else (401,)
                    assert answer.status_code in known, (path, token, answer.text)


def test_grpc(service):
    """Each method with each scope."""
    for label, token in TOKENS.items():
        with GrpcClient(service, token) as client:
            for method, need in METHODS_NEED.items():
                for key, may in zip(("mine", "other"), NEEDS[need], strict=True):
                    code = grpc_code(client, method, key)
                    assert (code == "PERMISSION_DENIED") == (label not in may), (
                        label,
                        method,
                        key,
                        code,
                    )


def grpc_code(client, method, key):
    """How a call ends on a session that does not exist."""
    fields = {} if method in OF_THE_SERVICE else {"room_name": key}
    fields.update({"fps": 1000} if method == "StartSession" else {})
    fields.update({"timeout_s": 2**32 - 1} if method == "Drain" else {})
    call = getattr(client.stub, method)
    request = client.request(method, **fields)
    try:
        if method in ("StreamEvents", "GetDownload"):
            stream = call(request, timeout=0.5, metadata=client.metadata)
            next(iter(stream))
        else:
            call(request, timeout=20, metadata=client.metadata)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def test_mcp(service):
    """Each tool with each scope, by HTTP: a tool's error that says what it takes."""
    for label, token in TOKENS.items():
        client = McpClient(server_of(service, token, "?extended=true"), "auto")
        try:
            assert set(client.tools()) == set(TOOLS_NEED)
            for tool, (need, arguments) in TOOLS_NEED.items():
                for key, may in zip(("mine", "other"), NEEDS[need], strict=True):
                    _, facts = client.fail(tool, room_name=key, **arguments)
                    is_refused = facts["error_kind"] == "forbidden"
                    assert is_refused == (label not in may), (label, tool, key, facts)
                    needed = WORDS.get(need, f"{need}:{key}")
                    assert not is_refused or needed in facts["error"], facts
            for tool, operation in (("tabs", "list"), ("recording", "status")):
                for key, may in zip(("mine", "other"), NEEDS["watch"], strict=True):
                    _, facts = client.fail(tool, room_name=key, operation=operation)
                    assert (facts["error_kind"] == "forbidden") == (label not in may), facts
        finally:
            client.close()


def server_of(service, token, query=""):
    """Where a client of MCP connects with that token."""

    class Door:
        """The same service with another token."""

        api = Api(service.api.base, token)
        port = service.port

    return http_server(Door, query)


def test_the_own_session(service, by, web):
    """A token of one session starts it, drives it and sees it alone, by each of its names."""
    actor, watcher = by["actor"], by["watcher"]
    with service.api.session(new_room("others")) as other:
        refused = actor.request("POST", "/sessions", json={"room_name": other})
        assert_envelope(refused, 403, "forbidden")
        # One of two names is not enough.
        both = {"room_name": other, "session_name": "mine"}
        assert_envelope(actor.request("POST", "/sessions", json=both), 403, "forbidden")
        record = actor.create("mine", initial_url=web.url("/form"))
        try:
            for api in (actor, watcher):
                for key in ("mine", record["session_id"]):
                    assert api.record(key)["session_id"] == record["session_id"]
                stranger = service.api.record(other)["session_id"]
                assert_envelope(api.request("GET", f"/sessions/{stranger}"), 403, "forbidden")
                listed = api.get("/sessions").json()["sessions"]
                assert [one["room_name"] for one in listed] == ["mine"]
                assert_envelope(
                    api.request("GET", "/sessions/mine/storage_state"), 403, "forbidden"
                )
            actor.do("mine", "scroll", direction="down")
            action = {"action_type": "scroll", "params": {"direction": "down"}}
            assert_envelope(watcher.send_action("mine", action), 403, "forbidden")
            assert watcher.context("mine", elements="true")["elements"]
            with watcher.events("mine") as heard:
                actor.do("mine", "navigate", url=web.url("/still"))
                heard.wait("action_completed")
            assert len(by["watchers"].get("/sessions").json()["sessions"]) >= 2
            with GrpcClient(service, TOKENS["watcher"]) as stub:
                rooms = [one["room_name"] for one in stub.call("ListSessions")["sessions"]]
                assert rooms == ["mine"]
        finally:
            assert actor.close("mine").status_code == 200


def test_a_conversation_means_the_session_of_its_token(service, web):
    """MCP: without a room, the one that the token is for is meant; none of its own is made."""
    client = McpClient(server_of(service, TOKENS["actor"]), "legacy")
    try:
        _, facts = client.fail("get_browser_context")
        assert facts["error_kind"] == "not_found"
        client.do("start_browser_session", room_name="mine", initial_url=web.url("/form"))
        assert client.do("get_browser_context")["room_name"] == "mine"
        client.do("close_browser_session", room_name="mine")
    finally:
        client.close()


def test_a_recording_is_of_its_session(ghostcast_bin, tokens_file, web, tmp_path):
    """Whoever may watch a session may fetch its recording, and no other."""
    env = {"GHOSTCAST_RECORDING__DIRECTORY": str(tmp_path / "films")}
    args = ["--tokens-file", str(tokens_file)]
    with running_service(ghostcast_bin, token=TOKEN, args=args, env=env) as running:
        files = {}
        watcher = Api(running.api.base, TOKENS["watcher"])
        for room in ("mine", "other"):
            running.api.create(room, initial_url=web.url("/clock"))
            assert running.api.request("POST", f"/sessions/{room}/recording").status_code == 201
            wait_for(
                lambda room=room: running.api.record(room)["recording"]["frames"], 10, "pictures"
            )
            ended = running.api.request("DELETE", f"/sessions/{room}/recording").json()
            files[room] = ended["file"]
        got = watcher.request("GET", f"/recordings/{files['mine']}")
        assert got.status_code == 200 and got.content[4:8] == b"ftyp"
        assert_envelope(watcher.request("GET", f"/recordings/{files['other']}"), 403, "forbidden")
        assert_envelope(watcher.request("DELETE", f"/recordings/{files['mine']}"), 403, "forbidden")
        actor = Api(running.api.base, TOKENS["actor"])
        assert actor.request("DELETE", f"/recordings/{files['mine']}").status_code == 200
        for api in (watcher, actor):
            api.close_client()


# ---- the file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (line_of("all"), 0o644, ("can be read or changed by others", "chmod 600")),
        (line_of("all"), 0o620, ("can be read or changed by others",)),
        ("", 0o600, ("holds no token",)),
        ("ops admin\n", 0o600, ("line 1", "LABEL SCOPE TOKEN")),
        (line_of("all") + "b root another-long-token\n", 0o600, ("line 2", "a scope is admin")),
        (line_of("all") + "b admin sha256:12\n", 0o600, ("line 2", "64 hexadecimal")),
        (line_of("all") * 2, 0o600, ("line 2", "label")),
        (None, 0o600, ("cannot read the token file",)),
    ],
)
def test_a_file_that_is_wrong_starts_nothing(ghostcast_bin, tmp_path, text, mode, words):
    """It is refused with what is wrong where, and no token is repeated."""
    path = tmp_path / "tokens"
    if text is not None:
        write(path, text, mode)
    env = {**clean_env(), "GHOSTCAST_SERVER__TOKENS_FILE": str(path)}
    env["GHOSTCAST_STATE__DIRECTORY"] = str(tmp_path / "state")
    command = [ghostcast_bin, "serve", "--port", str(free_port())]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    for word in words:
        assert word in ended.stderr, ended.stderr
    assert TOKENS["all"] not in ended.stderr + ended.stdout


def test_the_doctor_looks_at_the_file(ghostcast_bin, tmp_path):
    """It names the tokens and what they open, or says what is wrong; no token is shown."""
    path = tmp_path / "tokens"
    for text, mode, line in (
        (line_of("all") + line_of("watcher"), 0o600, "ok    tokens: all (admin), watcher (watch:mine)"),
        (line_of("all"), 0o604, "FAIL  tokens: the token file"),
    ):
        write(path, text, mode)
        env = {**clean_env(), "GHOSTCAST_SERVER__TOKENS_FILE": str(path)}
        command = [ghostcast_bin, "doctor", "--listen", f"127.0.0.1:{free_port()}"]
        told = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert line in told.stdout, told.stdout + told.stderr
        assert TOKENS["all"] not in told.stdout + told.stderr


def test_a_public_address_is_guarded_by_a_file_as_well(ghostcast_bin, tmp_path):
    """Any address needs a token: one of the file will do, and the verbs of the shell find it there."""
    path = write(tmp_path / "tokens", line_of("watcher") + line_of("all"))
    service = Ghostcast(ghostcast_bin, env={"GHOSTCAST_SERVER__TOKENS_FILE": str(path)})
    try:
        service.start()
        assert_envelope(service.api.request("GET", "/sessions"), 401, "unauthenticated")
        verb = [ghostcast_bin, "session", "list"]
        told = subprocess.run(
            verb, env=service.env, capture_output=True, text=True, timeout=20, check=False
        )
        assert told.returncode == 0, told.stderr
        assert not service.stop()
    finally:
        if service in Ghostcast.running:
            service.kill()
        service.remove_home()


# ---- SIGHUP ------------------------------------------------------------------------------------


def closed_with(socket, within):
    """The code that a socket is closed with."""
    deadline = time.monotonic() + within
    try:
        while True:
            socket.recv(timeout=max(0.01, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


def hang_up(service, word, count=1):
    """SIGHUP, until it is told in the log."""
    before = service.log(10**7).count(word)
    os.kill(service.pid, signal.SIGHUP)
    wait_for(
        lambda: service.log(10**7).count(word) - before >= count, 10, f"the log says {word!r}"
    )


def test_tokens_are_rotated_without_losing_a_session(ghostcast_bin, tmp_path, web, chromium):
    """The old one is refused and what it had opened ends; sessions, and what others have opened, go on."""
    old, new, kept = "old-token-0123456789", "new-token-0123456789", TOKENS["all"]
    path = tmp_path / "tokens"
    write(path, f"kept admin {kept}\nturns control:* {old}\n")
    config = tmp_path / "config.toml"
    config.write_text(f'[server]\ntokens_file = "{path}"\n[session]\ncount_max = 5\n')
    args = ["--config", str(config)]
    with running_service(ghostcast_bin, token=None, args=args) as service:
        keeper, turned = Api(service.api.base, kept), Api(service.api.base, old)
        turned.create("mine", initial_url=web.url("/clock"))
        before = keeper.record("mine")
        mine, others = turned.events("mine"), keeper.events("mine")
        mcp = connect(
            f"{service.api.base.replace('http', 'ws')}/mcp/socket",
            additional_headers={"Authorization": f"Bearer {old}"},
            subprotocols=["mcp"],
            legacy=True,
        )
        viewer = WhepViewer(chromium, web, turned, "mine")
        wait_for(lambda: viewer.frame_count() > 3, 20, "the video plays")
        write(path, f"kept admin {kept}\nturns control:* {new}\n")
        began = time.monotonic()
        hang_up(service, "the settings were read again")
        mine.thread.join(5)
        assert time.monotonic() - began < 5 and mine.socket.close_code == 1008
        assert closed_with(mcp, 5) == 1008
        mcp.close()
        wait_for(lambda: keeper.record("mine")["viewers"]["whep"] == 0, 5, "the viewer is sent away")
        viewer.tab.close()
        assert_envelope(turned.request("GET", "/sessions"), 401, "unauthenticated")
        fresh = Api(service.api.base, new)
        after = fresh.record("mine")
        assert (after["session_id"], after["state"]) == (before["session_id"], "live")
        fresh.do("mine", "navigate", url=web.url("/still"))
        others.wait("action_completed")
        others.close()
        told = service.log(10**7)
        assert not [token for token in (old, new, kept) if token in told]
        assert fresh.close("mine").status_code == 200
        for api in (keeper, turned, fresh):
            api.close_client()


def test_settings_are_read_again(ghostcast_bin, tmp_path):
    """What can be is, what cannot is named, and a mistake changes nothing."""
    path, config = tmp_path / "tokens", tmp_path / "config.toml"
    write(path, line_of("all"))
    head = f'[server]\ntokens_file = "{path}"\n'
    config.write_text(head + "[session]\ncount_max = 1\n")
    with running_service(ghostcast_bin, args=["--config", str(config)]) as service:
        api = Api(service.api.base, TOKENS["all"])
        api.create("one")
        full = api.request("POST", "/sessions", json={"room_name": "two"})
        assert_envelope(full, 429, "exhausted")
        config.write_text(
            head
            + '[session]\ncount_max = 2\nidle_timeout_s = 77\n[log]\nlevel = "debug"\n'
            + "[events]\nqueue_max = 7\n"
        )
        hang_up(service, "these settings need a restart")
        told = service.log(10**7)
        assert "events.queue_max" in told and "session.count_max" in told and "log.level" in told
        assert api.create("two")["idle_timeout_s"] == 77
        assert api.record("one")["idle_timeout_s"] == 1800
        api.request("GET", "/sessions/none")
        wait_for(lambda: "a request was refused" in service.log(10**7), 5, "debug lines")
        for broken in (head + "[session]\ncount_max = 0.5\n", head.replace("tokens\"", "none\"")):
            config.write_text(broken)
            hang_up(service, "the settings stay as they are")
            assert "ERROR" in service.log(10**7)
            assert api.record("two")["state"] == "live"
        path.chmod(0o644)
        config.write_text(head + "[session]\ncount_max = 9\n")
        hang_up(service, "can be read or changed by others")
        full = api.request("POST", "/sessions", json={"room_name": "three"})
        assert_envelope(full, 429, "exhausted")
        for room in ("one", "two"):
            api.close(room)
        api.close_client()


# ---- tickets -----------------------------------------------------------------------------------


def ticket_of(api, **order):
    """A ticket, which must be given."""
    answer = api.request("POST", "/tickets", json=order)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    ticket = answer.json()
    assert set(ticket) == {"ticket", "expires_at", "scope"}
    # 256 bits as base64url.
    secret = ticket["ticket"].removeprefix("gct_")
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    return ticket


def test_a_ticket_opens_one_request(service, by):
    """Event sockets, WHEP and links: once, and within the scope that it was made for."""
    base = service.api.base
    ticket = ticket_of(by["watcher"])
    assert ticket["scope"] == "watch:mine"
    url = by["watcher"].events_url("mine", ticket=ticket["ticket"])
    with EventSocket(url):
        with pytest.raises(InvalidStatus) as refused:
            EventSocket(url)
        assert refused.value.response.status_code == 401
    ticket = ticket_of(by["all"], **{"for": "mine", "scope": "watch"})["ticket"]
    there = httpx.get(f"{base}/sessions/mine?ticket={ticket}")
    assert_envelope(there, 404, "not_found")
    for path, method in (("/sessions/other", "GET"), ("/sessions/mine", "DELETE")):
        ticket = ticket_of(by["all"], **{"for": "mine"})["ticket"]
        answer = httpx.request(method, f"{base}{path}?ticket={ticket}")
        assert_envelope(answer, 403, "forbidden")
    ticket = ticket_of(by["all"], **{"for": "mine"})["ticket"]
    offer = httpx.post(f"{base}/whep/mine?ticket={ticket}", content="v=0")
    assert_envelope(offer, 415)
    unknown = httpx.get(f"{base}/sessions?ticket=gct_none")
    error = assert_envelope(unknown, 401, "unauthenticated")
    assert "ticket" in error["message"]
    ticket = ticket_of(by["all"], scope="control")["ticket"]
    assert httpx.get(f"{base}/stats?ticket={ticket}").status_code == 200


def test_a_ticket_reaches_no_further_than_its_token(by):
    """Neither to more sessions, nor to more rights."""
    for label, order in (
        ("watcher", {"for": "other"}),
        ("watcher", {"for": "mine", "scope": "control"}),
        ("actor", {"scope": "admin"}),
        ("watchers", {"for": "mine", "scope": "control"}),
        ("actors", {"scope": "admin"}),
    ):
        answer = by[label].request("POST", "/tickets", json=order)
        assert answer.status_code in (400, 403), (label, order, answer.text)
    assert ticket_of(by["all"], scope="admin")["scope"] == "admin"
    assert ticket_of(by["actor"], scope="control")["scope"] == "control:mine"


def test_a_socket_says_its_token_by_a_subprotocol(service):
    """As a browser can: the token goes in, and the plain protocol comes back."""
    url = Api(service.api.base).events_url("mine")

    def protocols(token):
        secret = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        return ["ghostcast.events.v1", f"ghostcast.bearer.{secret}"]

    with connect(url, subprotocols=protocols(TOKENS["watcher"])) as socket:
        assert socket.subprotocol == "ghostcast.events.v1"
        assert TOKENS["watcher"] not in str(socket.response.headers)
    users = f"{service.api.base.replace('http', 'ws')}/users/ada/events"
    with connect(users, subprotocols=protocols(TOKEN)) as socket:
        assert socket.subprotocol == "ghostcast.events.v1"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, subprotocols=protocols("a-token-that-is-none"))
    assert refused.value.response.status_code in (401, 429)


def test_a_token_in_an_address_is_told_once(ghostcast_bin):
    """It is still taken, and the log says what to do instead, without it."""
    with running_service(ghostcast_bin, token=TOKEN) as service:
        for _ in range(3):
            answer = httpx.get(f"{service.api.base}/sessions?access_token={TOKEN}")
            assert answer.status_code == 200
        told = service.log(10**7)
        assert told.count("access_token") == 1 and "POST /tickets" in told
        assert TOKEN not in told


def test_the_dashboard_sends_its_token_in_no_address(ghostcast_bin, web, chromium):
    """Everything works by header, subprotocol and ticket."""
    with running_service(ghostcast_bin, token=TOKEN) as service:
        with service.api.session(initial_url=web.url("/clock")) as room:
            with Tab(chromium, f"{service.api.base}/?room={room}&token={TOKEN}") as tab:
                playing = "window.ghostcast?.state().watch"
                wait_for(lambda: tab.evaluate(playing), 20, "it plays", accept="playing".__eq__)
                wait_for(lambda: tab.evaluate("window.ghostcast.state().connected"), 5, "events")
                assert TOKEN not in tab.evaluate("location.href")
                names = "performance.getEntriesByType('resource').map(({ name }) => name)"
                assert not [name for name in tab.evaluate(names) if TOKEN in name]
                service.api.request("POST", f"/sessions/{room}/recording")
                wait_for(
                    lambda: service.api.record(room)["recording"]["frames"], 10, "pictures"
                )
                service.api.request("DELETE", f"/sessions/{room}/recording")
                link = "document.getElementById('recorded')"
                wait_for(lambda: tab.evaluate(f"!{link}.hidden"), 8, "a link")
                made = (
                    "import('/assets/api.js').then((api) => api.recordingLink("
                    f"{link}.dataset.file)).then((url) => window.made = url)"
                )
                address = tab.evaluate(made)
        assert TOKEN not in address
        assert httpx.get(address).content[4:8] == b"ftyp"
        assert httpx.get(address).status_code == 401
        told = service.log(10**7)
        assert "access_token" not in told and TOKEN not in told


# ---- links to watch by -------------------------------------------------------------------------


def share_of(api, room, **order):
    """A link, and the token in it."""
    answer = api.request("POST", f"/sessions/{quote(room)}/share", json=order)
    assert answer.status_code == 201, answer.text
    share = answer.json()
    assert set(share) == {"url", "expires_at"}
    parts = urlsplit(share["url"])
    assert "share" not in parts.query
    return share["url"], parts.fragment.removeprefix("share=")


def test_a_link_shows_one_session_and_nothing_else(service, by, web, chromium):
    """In the dashboard: its video, no other session, no control, and nothing of it in the address."""
    with (
        service.api.session("mine", initial_url=web.url("/clock")),
        service.api.session(new_room("others")) as other,
    ):
        url, token = share_of(by["actor"], "mine")
        assert url.startswith(f"{service.api.base}/?room=mine#share=gcs_")
        with Tab(chromium, url) as tab:
            playing = "window.ghostcast?.state().watch"
            wait_for(lambda: tab.evaluate(playing), 20, "it plays", accept="playing".__eq__)
            wait_for(lambda: tab.evaluate("window.ghostcast.state().connected"), 5, "events")
            assert token not in tab.evaluate("location.href")
            shown = "document.body.innerText"
            assert other not in tab.evaluate(shown)
            for control in ("record", "rooms", "back", "views", "pause", "close", "tabs", "upload"):
                visible = f"document.getElementById('{control}').checkVisibility()"
                assert not tab.evaluate(visible), control
            viewer = Api(service.api.base, token)
            assert [one["room_name"] for one in viewer.get("/sessions").json()["sessions"]] == [
                "mine"
            ]
            action = {"action_type": "refresh", "params": {}}
            assert_envelope(viewer.send_action("mine", action), 403, "forbidden")
            assert_envelope(viewer.request("GET", f"/sessions/{other}"), 403, "forbidden")
            assert_envelope(viewer.request("POST", "/sessions/mine/share"), 403, "forbidden")
            assert viewer.get("/sessions/mine/screenshot").content.startswith(b"\x89PNG")
            revoked = by["actor"].request("DELETE", "/sessions/mine/share")
            assert revoked.json() == {"revoked": 1}
            wait_for(lambda: "This link has ended" in tab.evaluate(shown), 10, "it says so")
            wait_for(
                lambda: service.api.record("mine")["viewers"]["whep"] == 0, 5, "nobody watches"
            )
            assert_envelope(viewer.request("GET", "/sessions/mine"), 401, "unauthenticated")
            viewer.close_client()
        assert token not in service.log(10**7)


def test_a_link_ends_with_its_session_and_its_time(service, by):
    """Also where another session takes the room."""
    for end in ("closed", "late"):
        by["actor"].create("mine")
        order = {"ttl_s": 2} if end == "late" else {}
        _, token = share_of(by["actor"], "mine", **order)
        viewer = Api(service.api.base, token)
        socket = viewer.events("mine")
        assert viewer.record("mine")["room_name"] == "mine"
        if end == "closed":
            by["actor"].close("mine")
            by["actor"].create("mine")
        wait_for(
            lambda viewer=viewer: viewer.request("GET", "/sessions/mine").status_code == 401,
            4,
            "the link is not good any more",
        )
        socket.thread.join(8)
        assert socket.socket.close_code == 1008
        by["actor"].close("mine")
        viewer.close_client()


def test_a_link_is_made_within_bounds(service, by):
    """At most a day, of a session that there is, by whoever may act in it."""
    by["actor"].create("mine")
    for ttl_s in (0, 86_401):
        refused = by["actor"].request("POST", "/sessions/mine/share", json={"ttl_s": ttl_s})
        assert_envelope(refused, 400, "invalid_input")
    for _ in range(64):
        share_of(by["actor"], "mine", ttl_s=86_400)
    full = by["actor"].request("POST", "/sessions/mine/share")
    assert_envelope(full, 429, "exhausted")
    assert by["actor"].request("DELETE", "/sessions/mine/share").json() == {"revoked": 64}
    by["actor"].close("mine")
    assert_envelope(by["actor"].request("POST", "/sessions/mine/share"), 404, "not_found")


def test_links_by_mcp_and_grpc(service, by):
    """An agent gives a person a link; without tokens there are links as well."""
    by["actor"].create("mine")
    client = McpClient(server_of(service, TOKENS["actor"], "?extended=true"), "auto")
    try:
        facts = client.do("share", room_name="mine", ttl_s=60)
    finally:
        client.close()
    with GrpcClient(service, TOKENS["actor"]) as stub:
        urls = [facts["url"], stub.call("ShareSession", room_name="mine")["url"]]
        for url in urls:
            token = urlsplit(url).fragment.removeprefix("share=")
            viewer = Api(service.api.base, token)
            assert viewer.record("mine")["room_name"] == "mine"
            viewer.close_client()
            assert url.startswith(service.api.base)
        assert stub.call("RevokeShares", room_name="mine") == {"revoked": 2}
    by["actor"].close("mine")


def test_links_without_tokens(lone_ghostcast):
    """A service that asks for no token still keeps what a link says."""
    with lone_ghostcast.api.session() as room:
        _, token = share_of(lone_ghostcast.api, room)
        viewer = Api(lone_ghostcast.api.base, token)
        assert viewer.record(room)["room_name"] == room
        action = {"action_type": "refresh", "params": {}}
        assert_envelope(viewer.send_action(room, action), 403, "forbidden")
        lone_ghostcast.api.request("DELETE", f"/sessions/{room}/share")
        assert_envelope(viewer.request("GET", f"/sessions/{room}"), 401, "unauthenticated")
        viewer.close_client()


# ---- wrong tokens ------------------------------------------------------------------------------


def failures(service, reason):
    """How often the service says that somebody failed."""
    text = service.api.get("/metrics").text
    found = re.search(
        rf'^ghostcast_auth_failures_total{{reason="{reason}"}} (\d+)$', text, re.MULTILINE
    )
    return int(found[1])


def test_wrong_tokens_are_told_counted_and_slowed(ghostcast_bin):
    """By their address: a line now and then, a counter, and a pause; a right token is always let in."""
    with running_service(ghostcast_bin, token=TOKEN) as service:
        url = f"{service.api.base}/sessions"

        def ask(token):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return httpx.get(url, headers=headers)

        statuses = [ask(f"wrong-token-number-{number}").status_code for number in range(30)]
        assert statuses == [401] * 20 + [429] * 10
        slowed = ask("wrong-token-number-31")
        error = assert_envelope(slowed, 429, "exhausted")
        assert 1 <= int(slowed.headers["retry-after"]) <= 30, error
        # Whoever sends none has guessed nothing.
        assert ask(None).status_code == 401
        assert ask(TOKEN).status_code == 200
        with GrpcClient(service, "wrong-token-number-32") as stranger:
            assert stranger.refusal("ListSessions").code().name == "RESOURCE_EXHAUSTED"
        assert failures(service, "unknown") == 32
        assert failures(service, "throttled") == 12
        assert failures(service, "missing") == 1
        told = wait_for(
            lambda: re.findall(r"from=(\S+) failures=(\d+)", service.log(10**7)),
            20,
            "all are told",
            accept=lambda lines: sum(int(count) for _, count in lines) == 32,
        )
        assert {address for address, _ in told} == {"127.0.0.1"}
        assert len(told) <= 3 and "WARN" in service.log(10**7)
        assert "wrong-token" not in service.log(10**7) and TOKEN not in service.log(10**7)
