"""What the document promises: each answer has a status that it declares, and the form that it describes."""

import http.client
import re
from urllib.parse import quote

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from support.api import Api, new_room
from support.service import TOKEN

UNKNOWN = "5f0e8e39-52a5-4b6d-8f1f-8b6b6f1f0001"


class Promise:
    """The document, held against answers."""

    def __init__(self, document):
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:api", resource)

    def calls(self):
        """Every call: (method, path, operation)."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method, path, operation

    def check(self, method, path, answer):
        """The answer's status is declared, and its body has the form that is told of it."""
        operation = self.document["paths"][path][method.lower()]
        status, text = str(answer.status_code), answer.text[:300]
        assert status in operation["responses"], f"{method} {path} answered {status}, which is not declared: {text}"
        content = operation["responses"][status].get("content", {})
        kind = answer.headers.get("content-type", "").split(";")[0]
        if not answer.content:
            return
        assert kind in content, f"{method} {path} {status}: {kind} is none of {list(content)}: {text}"
        schema = content[kind]["schema"]
        if kind != "application/json":
            of = self.resolved(schema)
            assert of["type"] == "string", (path, of)
            assert (of.get("format") == "binary") == (not kind.startswith(("text/", "application/sdp"))), (path, kind)
            return
        self.valid(schema, answer.json(), f"{method} {path} {status}")

    def resolved(self, schema):
        """What a reference means."""
        if "$ref" in schema:
            return self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def valid(self, schema, value, what):
        """The value has the form, by an official validator."""
        absolute = self.absolute(schema)
        validator = jsonschema.Draft202012Validator(absolute, registry=self.registry)
        wrong = [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(value)]
        assert not wrong, (what, wrong[:5])

    def absolute(self, value):
        """The schema with references that are found from anywhere."""
        if isinstance(value, dict):
            return {
                name: "urn:api" + inner if name == "$ref" else self.absolute(inner) for name, inner in value.items()
            }
        return [self.absolute(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def promise(lone_ghostcast):
    """The document of the service."""
    return Promise(lone_ghostcast.api.get("/openapi.json").json())


def filled(path, room="none"):
    """The path with something in place of each name."""
    path = path.replace("{room_name}", quote(room, safe="")).replace("{file}", "none.mp4")
    return re.sub(r"\{[^}]*\}", UNKNOWN, path)


def announced(api, method, path, length):
    """The status of a request that says that its body is so long, before any of it is sent."""
    connection = http.client.HTTPConnection(api.base.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest(method.upper(), path)
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def is_open(operation):
    """Whether a call takes no token."""
    return any(not way for way in operation.get("security") or [])


def test_no_token_is_401_wherever_one_is_needed(promise, guarded_ghostcast):
    """And nowhere else: what is said to need none needs none."""
    stranger, wrong = Api(guarded_ghostcast.api.base), Api(guarded_ghostcast.api.base, TOKEN + "x")
    for method, path, operation in promise.calls():
        answer = stranger.request(method.upper(), filled(path))
        promise.check(method, path, answer)
        assert (answer.status_code == 401) == (not is_open(operation)) or path == "/takeover", (path, answer.text)
        if not is_open(operation):
            assert wrong.request(method.upper(), filled(path)).status_code in (401, 429)
            assert "401" in operation["responses"], path
    for path in ("/health", "/health/live", "/health/ready", "/openapi.json"):
        assert is_open(promise.document["paths"][path]["get"]), path


def test_what_makes_no_sense_has_a_declared_answer(promise, lone_api):
    """Nothing, an unknown query, bodies of all kinds: each call, on a session that is not there."""
    tries = [
        {}, {"params": {"bogus": "1"}}, {"content": b"{"}, {"json": []}, {"json": {"bogus": 1}}, {"content": b"\xff\xfe"},
        {"content": b"v=0", "headers": {"Content-Type": "application/sdp"}},
        {"json": {}, "headers": {"Accept": "application/json, text/event-stream"}},
        {"content": b"x", "headers": {"Content-Type": "text/plain", "Accept": "application/json, text/event-stream"}},
        {"headers": {"Accept": "text/event-stream"}},
        {"headers": {"Mcp-Session-Id": "none", "Accept": "text/event-stream"}},
    ]
    for method, path, operation in promise.calls():
        if path == "/drain":
            continue
        for one in tries:
            # The bodies of GET are nobody's.
            if method == "get" and ("content" in one or "json" in one):
                continue
            answer = lone_api.request(method.upper(), filled(path), **one)
            promise.check(method, path, answer)
        if operation.get("requestBody"):
            assert announced(lone_api, method, filled(path), 10**9) == 413 and "413" in operation["responses"], path


def test_answers_have_the_form_that_is_told(promise, lone_api, web):
    """A session from its start to its end, by every call that there is an answer of without LiveKit."""
    room = new_room("form")

    def ask(method, path, wanted=None, **sent):
        answer = lone_api.request(method.upper(), filled(path, room), **sent)
        promise.check(method, path, answer)
        assert wanted is None or answer.status_code == wanted, (path, answer.text[:300])
        return answer

    at = "/sessions/{room_name}"
    ask("post", "/sessions", 201, json={"room_name": room, "initial_url": web.url("/form")})
    try:
        ask("post", "/sessions", 409, json={"room_name": room})
        ask("post", "/sessions", 422, json={})
        ask("post", "/sessions", 400, json={"room_name": "x", "fps": 1000})
        ask("get", "/sessions", 200)
        ask("get", "/sessions", 200, params={"ended": "true"})
        ask("get", at, 200)
        for query in (
            {}, {"elements": "true"}, {"elements": "true", "boxes": "false", "limit": "1"}, {"accessibility": "true"},
            {"text": "true"}, {"find": "Press me"}, {"elements": "true", "accessibility": "true", "text": "true"},
        ):
            ask("get", f"{at}/context", 200, params=query)
        for query in ({"limit": "0"}, {"limit": "x"}, {"bogus": "1"}):
            ask("get", f"{at}/context", 400, params=query)
        for query in ({}, {"format": "jpeg"}, {"format": "webp"}, {"json": "true"}, {"json": "true", "marks": "true"}):
            answer = ask("get", f"{at}/screenshot", 200, params=query)
            schema = promise.document["paths"][f"{at}/screenshot"]["get"]["responses"]["200"]["content"]
            assert promise.resolved(schema["image/png"]["schema"]) == {"type": "string", "format": "binary"}
            assert answer.content
        ask("get", f"{at}/screenshot", 400, params={"format": "tiff"})
        ask("post", f"{at}/screenshot", 200, json={})
        ask("post", f"{at}/screenshot", 200, json={"filename": "form.png"})
        for body in (
            {"action_type": "wait", "params": {"seconds": 0}}, {"action_type": "click", "params": {"index": 9999}},
            {"action_type": "navigate", "params": {"url": web.url("/tall")}}, {"action_type": "bogus"},
        ):
            done = ask("post", f"{at}/actions", json=body)
            waited = lone_api.request("POST", f"/sessions/{room}/actions", params={"wait": "false"}, json=body)
            promise.check("post", f"{at}/actions", waited)
            if done.status_code == 200:
                action = done.json()["action_id"]
                for method in ("get", "delete"):
                    known = lone_api.request(method.upper(), f"/sessions/{room}/actions/{action}")
                    promise.check(method, f"{at}/actions/{{action_id}}", known)
        ask("post", f"{at}/navigate", 200, json={"url": web.url("/form")})
        ask("post", f"{at}/execute", 200, json={"script": "1 + 1"})
        ask("post", f"{at}/execute", 200, json={"script": "nope()"})
        ask("post", f"{at}/interact", json={"action": "click", "selector": "button"})
        ask("post", f"{at}/wait", 200, json={"selector": "body"})
        ask("post", f"{at}/wait", 504, json={"selector": "#none", "timeout_ms": 50})
        ask("get", f"{at}/downloads", 200)
        ask("get", f"{at}/viewers", 200)
        ask("get", f"{at}/storage_state", 200)
        ask("post", f"{at}/pause", 200)
        ask("post", f"{at}/resume", 200)
        # Null is as good as nothing where the document says so.
        recover = promise.document["paths"][f"{at}/recover"]["post"]["requestBody"]["content"]["application/json"]
        for body in ({"content": b""}, {"content": b"null"}, {"json": {}}, {"json": {"livekit_token": None}}):
            ask("post", f"{at}/recover", 200, **body)
        promise.valid(recover["schema"], None, "recover takes null")
        ask("post", f"{at}/share", 201, json={})
        ask("delete", f"{at}/share", 200)
        ask("post", f"{at}/takeover", 201, json={})
        ask("delete", f"{at}/takeover", 200)
        ask("post", f"{at}/recording", 201)
        ask("post", f"{at}/recording", 409)
        ask("get", f"{at}/recording", 200)
        name = ask("delete", f"{at}/recording", 200).json()["file"]
        film = lone_api.request("GET", f"/recordings/{name}")
        promise.check("get", "/recordings/{file}", film)
        beyond = lone_api.request("GET", f"/recordings/{name}", headers={"Range": "bytes=999999999-"})
        promise.check("get", "/recordings/{file}", beyond)
        assert beyond.status_code == 416
        ask("get", "/recordings", 200)
        ask("get", "/rooms/{room_name}/connections", 200)
        for path in ("/health", "/health/live", "/health/ready", "/stats", "/metrics", "/jobs", "/connections", "/notes"):
            ask("get", path, 200)
        ask("post", "/tickets", 201)
        ask("post", "/whep/{room_name}", 415, content=b"v=0")
        ask("post", "/whep/{room_name}", 400, content=b"nonsense", headers={"Content-Type": "application/sdp"})
    finally:
        ask("delete", at, 200)
    ask("get", f"{at}/ended")
    ask("post", "/sessions/cleanup", 200, json={"max_age_hours": 1000, "dry_run": True})


def test_mcp_is_described_too(promise, lone_api):
    """A conversation by the bare protocol, each answer as the document says."""
    both = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    began = lone_api.request("POST", "/mcp", json=hello, headers=both)
    promise.check("post", "/mcp", began)
    assert began.status_code == 200
    named = {**both, "Mcp-Session-Id": began.headers["mcp-session-id"]}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    accepted = lone_api.request("POST", "/mcp", json=note, headers=named)
    promise.check("post", "/mcp", accepted)
    assert accepted.status_code == 202
    for wanted in (204, 404):
        ended = lone_api.request("DELETE", "/mcp", headers=named)
        promise.check("delete", "/mcp", ended)
        assert ended.status_code == wanted
    gone = lone_api.request("POST", "/mcp", json={**hello, "method": "tools/list", "params": {}}, headers=named)
    promise.check("post", "/mcp", gone)
    assert gone.status_code == 404
