"""Questions about the page, put to a local server that speaks the chat completions protocol."""

import base64
import contextlib
import http.server
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from support import pages
from support.api import assert_envelope
from support.service import running_service

KEY = "sk-a-key-that-nobody-may-see"


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Writes down what was asked and answers as it was told to."""

    def log_message(self, *_):
        """Keeps stderr quiet."""

    def do_POST(self):
        """One question."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers, json.loads(body)))
        status, answer, delay = self.server.answer
        self.server.released.wait(delay)
        data = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)


@pytest.fixture
def endpoint():
    """A model of our own, which sees what it is sent."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.daemon_threads = True
    server.asked, server.released = [], threading.Event()
    content = {"role": "assistant", "content": "A red block."}
    server.answer = (200, json.dumps({"model": "seer-1", "choices": [{"message": content}]}), 0)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def seeing(ghostcast_bin, endpoint):
    """A service that has somebody to ask."""
    env = {
        "GHOSTCAST_VISION__URL": f"http://127.0.0.1:{endpoint.server_address[1]}/v1",
        "GHOSTCAST_VISION__MODEL": "seer",
        "GHOSTCAST_VISION__API_KEY": KEY,
        "GHOSTCAST_VISION__TIMEOUT_S": "2",
        "GHOSTCAST_VISION__MAX_TOKENS": "77",
        "GHOSTCAST_LOG": "debug",
    }
    with running_service(ghostcast_bin, env=env) as service:
        yield service


def analyze(api, room, **body):
    """One question; the caller judges the status."""
    return api.request("POST", f"/sessions/{room}/analyze", json=body)


def sent_picture(asked):
    """The picture of a request."""
    user = asked[2]["messages"][-1]
    url = next(part["image_url"]["url"] for part in user["content"] if part["type"] == "image_url")
    media_type, data = url.removeprefix("data:").split(";base64,")
    return media_type, Image.open(io.BytesIO(base64.b64decode(data)))


def test_image_and_question_arrive(seeing, endpoint, web):
    """The model is sent the page as it looks, and its answer comes back."""
    with seeing.api.session(initial_url=web.url("/still")) as room:
        answer = analyze(seeing.api, room, question="What is to be seen?")
        assert answer.status_code == 200, answer.text
        assert answer.json()["answer"] == "A red block." and answer.json()["model"] == "seer-1"
        assert answer.json()["took_ms"] >= 0
        path, headers, body = endpoint.asked[0]
        assert path == "/v1/chat/completions"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert (body["model"], body["max_tokens"]) == ("seer", 77)
        texts = [part["text"] for part in body["messages"][-1]["content"] if "text" in part]
        assert texts == ["What is to be seen?"]
        media_type, picture = sent_picture(endpoint.asked[0])
        assert (media_type, picture.size) == ("image/png", (1280, 720))
        x, y, width, height = pages.BLOCK
        assert picture.convert("RGB").getpixel((x + width // 2, y + height // 2)) == (204, 51, 51)


def test_marks_are_on_the_picture(seeing, endpoint, web):
    """By wish the model sees the numbers by which elements are clicked."""
    with seeing.api.session(initial_url=web.url("/form")) as room:
        assert analyze(seeing.api, room, question="Where?").status_code == 200
        assert analyze(seeing.api, room, question="Where?", marks=True).status_code == 200
        plain, marked = (
            np.asarray(sent_picture(asked)[1].convert("RGB")) for asked in endpoint.asked
        )
        assert (plain != marked).any()
        assert "number" in endpoint.asked[1][2]["messages"][0]["content"]


def test_failures_are_typed_and_keep_the_key(seeing, endpoint, web):
    """Refusals, nonsense and silence each say what is wrong; the key is in none of them."""
    with seeing.api.session(initial_url=web.url("/still")) as room:
        for answer, status, kind in [
            ((401, f"bad key {KEY}", 0), 503, "unavailable"),
            ((500, "no", 0), 503, "unavailable"),
            ((200, "<html>", 0), 503, "unavailable"),
            ((200, '{"choices": []}', 0), 503, "unavailable"),
            ((302, "", 0), 503, "unavailable"),
            ((200, "{}", 10), 504, "timeout"),
        ]:
            endpoint.answer = answer
            refusal = analyze(seeing.api, room, question="What?")
            error = assert_envelope(refusal, status, kind)
            assert error["hint"] and KEY not in refusal.text, error
        for question in ("", " ", "x" * 5000):
            assert_envelope(analyze(seeing.api, room, question=question), 400, "invalid_input")
    assert KEY not in seeing.log(10**7)


def test_without_an_endpoint_it_says_so(lone_api):
    """Nothing else needs a model, and this names what to set."""
    with lone_api.session() as room:
        error = assert_envelope(analyze(lone_api, room, question="What?"), 501, "not_configured")
        assert "vision.url" in error["hint"]
