"""One call for each thing that programs do most: navigate, execute, interact, wait."""

import io
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from PIL import Image

from support.api import RESULT_FIELDS, assert_envelope
from support.service import running_service


def post(api, room, verb, status=200, **body):
    """One call; its answer."""
    answer = api.request("POST", f"/sessions/{room}/{verb}", json=body)
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:300]}"
    return answer.json()


@pytest.fixture
def show(lone_api, room, web):
    """Opens a page of this body."""

    def open_it(body, path="/control.html"):
        web.files[path] = f"<!doctype html><title>Control</title>{body}".encode()
        done = post(lone_api, room, "navigate", url=web.url(path))
        assert set(done) == RESULT_FIELDS and done["success"], done
        return web.url(path)

    return open_it


def test_navigate(lone_api, room, show, web):
    """Where it went is in the answer and in the record; what fails is told as of any action."""
    url = show("<h1>Hello</h1>")
    record = lone_api.record(room)
    assert record["current_url"] == url
    failed = post(lone_api, room, "navigate", url="http://127.0.0.1:1/", timeout_ms=5000)
    assert not failed["success"] and failed["error_kind"] == "navigation_failed", failed
    assert lone_api.record(room)["last_activity"] > record["last_activity"]
    for body in ({}, {"url": 1}, {"url": url, "wait_until": "never"}, {"url": url, "more": 1}):
        answer = lone_api.request("POST", f"/sessions/{room}/navigate", json=body)
        assert_envelope(answer, 400, "invalid_input")


def test_navigate_waits_until(lone_api, room, web):
    """The answer comes when the page is as far as was asked, judged by the page itself."""
    web.files["/stages.html"] = (
        b"<!doctype html><title>Stages</title><script>window.seen = ['commit'];"
        b"document.addEventListener('DOMContentLoaded', () => seen.push('domcontentloaded'));"
        b"addEventListener('load', () => { seen.push('load');"
        b"setTimeout(() => seen.push('later'), 20) });</script>"
        b"<img src='/slow?seconds=1'><p>text</p>"
    )
    web.files["/slow-script.html"] = (
        b"<!doctype html><title>Slow script</title><p>first</p>"
        b"<script src='/slow?seconds=1'></script><p id='last'>last</p>"
    )
    for stage, page, least, most in (
        ("commit", "/slow-script.html", 0.0, 0.9),
        ("domcontentloaded", "/stages.html", 0.0, 0.9),
        ("load", "/stages.html", 0.9, 5.0),
        ("settled", "/stages.html", 0.9, 5.0),
    ):
        url = web.url(page, stage=stage)
        began = time.monotonic()
        done = post(lone_api, room, "navigate", url=url, wait_until=stage)
        took = time.monotonic() - began
        assert done["success"] and done["url"] == url, done
        assert least <= took < most, (stage, took)
        assert done["rest"]["reached"] == (stage == "settled"), done["rest"]
        if page == "/stages.html":
            seen = post(lone_api, room, "execute", script="seen")["result"]
            assert stage in [*seen, "settled"], (stage, seen)
            assert ("load" in seen) == (stage != "domcontentloaded"), (stage, seen)
    # One that cannot be loaded fails however little is waited for.
    for stage in ("commit", "load"):
        failed = post(lone_api, room, "navigate", url="http://127.0.0.1:1/", wait_until=stage)
        assert not failed["success"] and failed["error_kind"] == "navigation_failed", failed


def test_a_page_that_fetches_is_at_rest_when_it_has(lone_api, room, web):
    """What a page asks for by itself is there when it is said to be at rest; what never ends is told."""
    web.files["/fetches.html"] = (
        b"<!doctype html><title>Fetches</title><p id=p>...</p><script>"
        b"fetch('/slow?seconds=0.3').then((a) => a.text()).then(() => { p.textContent = 'here' })"
        b"</script>"
    )
    web.files["/polls.html"] = (
        b"<!doctype html><title>Polls</title><script>fetch('/slow?seconds=5')</script>"
    )
    done = post(lone_api, room, "navigate", url=web.url("/fetches.html"))
    assert done["rest"]["reached"], done
    assert post(lone_api, room, "execute", script="p.textContent")["result"] == "here"
    began = time.monotonic()
    done = post(lone_api, room, "navigate", url=web.url("/polls.html"))
    assert done["success"] and time.monotonic() - began < 2, done
    assert done["rest"] == {"reached": False, "waits_for": "requests"}, done["rest"]
    began = time.monotonic()
    done = post(lone_api, room, "navigate", url=web.url("/polls.html"), wait_until="load")
    assert done["success"] and time.monotonic() - began < 0.7, done


@pytest.mark.parametrize(
    ("script", "kind", "result"),
    [
        ("1+1", "number", 2),
        ("document.title", "string", "Control"),
        ("return args.a + 1", "number", 2),
        ("const x = args.a; return [x, {y: x}];", "array", [1, {"y": 1}]),
        ("new Promise((done) => setTimeout(() => done('late'), 50))", "string", "late"),
        ("await Promise.resolve(3)", "number", 3),
        ("return await Promise.resolve(3)", "number", 3),
        ("null", "null", None),
        ("undefined", "undefined", None),
        ("({a: undefined, b: [null]})", "object", {"b": [None]}),
        ("NaN", "number", "NaN"),
        ("10n ** 20n", "bigint", "100000000000000000000n"),
        ("true // the end", "boolean", True),
        ("document.body", "node", "body"),
        ("() => 1", "function", "() => 1"),
        ("Symbol('s')", "symbol", "Symbol(s)"),
    ],
)
def test_execute(lone_api, room, show, script, kind, result):
    """Values come back as they are, and what JSON cannot hold is described."""
    show("<p>text</p>")
    done = post(lone_api, room, "execute", script=script, args={"a": 1})
    assert done == {"success": True, "result": result, "type": kind, "error": None}, done


def test_execute_what_throws(lone_api, room, show):
    """An error is an answer; nothing runs twice; the session lives on."""
    show("<script>window.count = 0</script>")
    done = post(lone_api, room, "execute", script="null.x")
    assert not done["success"] and done["result"] is None, done
    assert done["error"]["name"] == "TypeError" and "null" in done["error"]["message"]
    assert "TypeError" in done["error"]["stack"]
    done = post(lone_api, room, "execute", script="throw 'a text'")
    assert (done["error"]["name"], done["error"]["message"]) == ("string", "a text")
    done = post(lone_api, room, "execute", script="(count++, JSON.parse('{'))")
    assert done["error"]["name"] == "SyntaxError"
    done = post(lone_api, room, "execute", script="if (")
    assert done["error"]["name"] == "SyntaxError"
    assert post(lone_api, room, "execute", script="count")["result"] == 1
    loop = {"a": 1}
    done = post(lone_api, room, "execute", script="const o = {}; o.o = o; return o", args=loop)
    assert done["success"] and isinstance(done["result"], str), done
    large = lone_api.request(
        "POST", f"/sessions/{room}/execute", json={"script": "'x'.repeat(2 ** 20)"}
    )
    assert_envelope(large, 422, "unprocessable")
    for body in ({}, {"script": " "}, {"script": "1", "timeout_ms": 0}, {"script": "1", "x": 1}):
        answer = lone_api.request("POST", f"/sessions/{room}/execute", json=body)
        assert_envelope(answer, 400, "invalid_input")


@pytest.mark.parametrize("script", ["for (;;);", "new Promise(() => {})"])
def test_execute_what_never_ends(lone_api, room, show, script):
    """It is ended at its bound, and the page works on."""
    show("<button onclick=\"document.title = 'pressed'\">Go</button>")
    began = time.monotonic()
    answer = lone_api.request(
        "POST", f"/sessions/{room}/execute", json={"script": script, "timeout_ms": 300}
    )
    assert_envelope(answer, 504, "timeout")
    assert time.monotonic() - began < 3
    assert lone_api.act(room, "click", index=lone_api.index_of(room, "Go"))["success"]
    assert post(lone_api, room, "execute", script="document.title")["result"] == "pressed"


def test_execute_ends_with_its_caller(lone_api, room, show):
    """A script that keeps the page busy ends when its caller hangs up, not at its bound."""
    show("<button onclick=\"document.title = 'pressed'\">Go</button>")
    where = urlsplit(lone_api.base)
    body = json.dumps({"script": "for (;;);", "timeout_ms": 60_000}).encode()
    head = f"POST /sessions/{room}/execute HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), 5) as line:
        line.sendall(head.encode() + body)
        line.settimeout(1)
        with pytest.raises(TimeoutError):
            line.recv(1)
    began = time.monotonic()
    assert lone_api.act(room, "click", index=lone_api.index_of(room, "Go"))["success"]
    assert time.monotonic() - began < 10
    assert post(lone_api, room, "execute", script="document.title")["result"] == "pressed"


def test_execute_tells_no_secret(lone_api, web):
    """What a session may type by label is masked in what a script returns."""
    with lone_api.session(secrets={"key": "hush-hush-9"}, initial_url=web.url("/form")) as room:
        done = post(lone_api, room, "execute", script="['hush-hush-9', {a: 'a hush-hush-9'}]")
        assert "hush-hush-9" not in json.dumps(done), done
        done = post(lone_api, room, "execute", script="throw new Error('hush-hush-9')")
        assert "hush-hush-9" not in json.dumps(done), done


def test_interact(lone_api, room, show):
    """By selector, index and point; the page itself says what it got."""
    show(
        "<label>Name <input id=name></label> <select id=size><option>S<option>M</select>"
        "<button id=go onclick=\"out.textContent = document.getElementById('name').value\">Go</button>"
        "<p id=out></p><div id=plain onclick=\"out.textContent = 'plain'\">Plain</div>"
    )
    value = "document.getElementById('name').value"
    for action, text in (("fill", "Ada"), ("fill", "Bob"), ("type", "by")):
        done = post(lone_api, room, "interact", action=action, selector="#name", value=text)
        assert done["success"], done
    held = post(lone_api, room, "execute", script=value)["result"]
    assert held == "Bobby", held
    assert post(lone_api, room, "interact", action="click", selector="#go")["success"]
    shown = "document.getElementById('out').textContent"
    assert post(lone_api, room, "execute", script=shown)["result"] == "Bobby"
    assert post(lone_api, room, "interact", action="select", selector="#size", label="M")["success"]
    assert post(lone_api, room, "execute", script="size.value")["result"] == "M"
    assert post(lone_api, room, "interact", action="click", selector="#plain")["success"]
    assert post(lone_api, room, "execute", script=shown)["result"] == "plain"
    index = lone_api.index_of(room, "Go")
    assert post(lone_api, room, "interact", action="click", index=index)["success"]
    missing = post(lone_api, room, "interact", action="click", selector="#no", timeout_ms=300)
    assert missing["error_kind"] == "condition_not_met", missing
    invalid = post(lone_api, room, "interact", action="click", selector="#[")
    assert invalid["error_kind"] == "invalid_parameter", invalid
    unknown = post(lone_api, room, "interact", action="dance", index=1)
    assert unknown["error_kind"] == "unknown_action", unknown
    for body in ({"action": "click", "selector": "#go", "index": 1}, {"selector": "#go"}):
        answer = lone_api.request("POST", f"/sessions/{room}/interact", json=body)
        assert_envelope(answer, 400, "invalid_input")


def test_wait(lone_api, room, show):
    """Each thing that can be waited for, met and not met."""
    show(
        "<p id=there>There</p><script>setTimeout(() => { later.hidden = false; there.remove(); "
        "document.title = 'now'; history.pushState(0, '', '#done'); }, 400)</script>"
        "<p id=later hidden>Later on</p>"
    )
    for condition in (
        {"selector": "#later"},
        {"selector": "#there", "state": "hidden"},
        {"selector": "#there", "state": "detached"},
        {"selector": "#later", "state": "attached"},
        {"text": "later on"},
        {"url": "*#done"},
        {"function": "document.title === 'now'"},
        {"load_state": "domcontentloaded"},
        {"load_state": "load"},
        {"load_state": "settled"},
        {"seconds": 0.1},
    ):
        done = post(lone_api, room, "wait", **condition)
        assert set(done) == {"waited_ms"} and done["waited_ms"] < 5000, (condition, done)
    for condition in (
        {"selector": "#never"},
        {"selector": "#later", "state": "hidden"},
        {"selector": "#later", "state": "detached"},
        {"text": "never said"},
        {"url": "*#never"},
        {"function": "window.never"},
    ):
        began = time.monotonic()
        answer = lone_api.request(
            "POST", f"/sessions/{room}/wait", json={**condition, "timeout_ms": 400}
        )
        assert_envelope(answer, 504, "timeout")
        assert 0.3 < time.monotonic() - began < 2, condition
    for condition in ({}, {"text": "a", "url": "b"}, {"function": "if ("}, {"selector": "#["}):
        answer = lone_api.request("POST", f"/sessions/{room}/wait", json=condition)
        assert_envelope(answer, 400, "invalid_input")


def test_wait_outlasts_a_page(lone_api, room, show, web):
    """What is waited for may come with the next page."""
    web.files["/next.html"] = b"<!doctype html><title>Next</title><script>window.ready = true</script>"
    show("<h1>First</h1>")
    going = "void setTimeout(() => { location.href = '/next.html' }, 300)"
    assert post(lone_api, room, "execute", script=going)["success"]
    done = post(lone_api, room, "wait", function="window.ready === true", timeout_ms=5000)
    assert done["waited_ms"] >= 100
    assert post(lone_api, room, "execute", script="document.title")["result"] == "Next"


@pytest.mark.parametrize("verb", ["navigate", "execute", "interact", "wait"])
def test_no_such_session(lone_api, verb):
    """An unknown key is a 404 at each of them."""
    bodies = {
        "navigate": {"url": "about:blank"},
        "execute": {"script": "1"},
        "interact": {"action": "click", "index": 1},
        "wait": {"seconds": 0},
    }
    answer = lone_api.request("POST", f"/sessions/nobody/{verb}", json=bodies[verb])
    assert_envelope(answer, 404, "not_found")


def test_screenshot(lone_api, room, show, tmp_path_factory):
    """The picture as bytes: all of the view, the page, an element, a part; as told by its pixels."""
    show(
        "<style>body{margin:0}#a{position:absolute;top:1500px;left:10px;width:120px;height:40px;"
        "background:#00ff00}</style><div id=a></div><div style='height:3000px'></div>"
    )

    def shot(kind="image/png", **body):
        answer = lone_api.request("POST", f"/sessions/{room}/screenshot", json=body)
        assert answer.status_code == 200, answer.text[:300]
        assert answer.headers["content-type"] == kind
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    assert shot().size == (1280, 720)
    assert shot(full_page=True).size == (1280, 3000)
    assert shot("image/webp", format="webp", quality=50).size == (1280, 720)
    assert shot(clip={"x": 5, "y": 10, "width": 200, "height": 100}).size == (200, 100)
    green = shot(selector="#a")
    assert green.size == (120, 40) and set(green.get_flattened_data()) == {(0, 255, 0)}
    # What lies above what is in view is scrolled to.
    post(lone_api, room, "execute", script="scrollTo(0, 2000)")
    green = shot(selector="#a")
    assert green.size == (120, 40) and set(green.get_flattened_data()) == {(0, 255, 0)}
    for body in ({"full_page": True, "selector": "#a"}, {"quality": 0}, {"clip": {"x": 1}}):
        answer = lone_api.request("POST", f"/sessions/{room}/screenshot", json=body)
        assert_envelope(answer, 400, "invalid_input")


def test_screenshot_to_a_file(ghostcast_bin, web, tmp_path):
    """A bare name is a file where the service runs; anything with a path is refused."""
    shots = tmp_path / "shots"
    with running_service(ghostcast_bin, args=["--screenshots-dir", str(shots)]) as ghostcast:
        api = ghostcast.api
        api.create("shots", initial_url=web.url("/still"), viewport_width=640, viewport_height=360)

        def save(status=200, **body):
            return post(api, "shots", "screenshot", status, **body)

        for name, file, kind in (
            ("one", "one.png", "PNG"),
            ("two.PNG", "two.PNG", "PNG"),
            ("three.jpg", "three.jpg", "JPEG"),
            ("four.webp", "four.webp", "WEBP"),
        ):
            saved = save(filename=name)
            path = shots / file
            picture = Image.open(path)
            assert picture.format == kind and picture.size == (640, 360)
            assert saved == {
                "path": str(path),
                "width": 640,
                "height": 360,
                "bytes": path.stat().st_size,
            }
            assert path.stat().st_mode & 0o777 == 0o600
        assert save(filename="x.png", format="jpeg")["path"].endswith("x.png.jpg")
        for name in ("../a.png", "/tmp/a.png", "a/b.png", "..", ".a", "", "a\\b", "a\u0000"):
            refused = save(422, filename=name)
            assert refused["error"]["kind"] == "unprocessable", refused
        assert sorted(path.name for path in tmp_path.iterdir()) == ["shots"]


FORM = """<label><input type=checkbox id=news> News</label><label><input type=checkbox id=on checked> On</label>
<input type=radio name=r id=a aria-label=One><input type=radio name=r id=b aria-label=Two checked>
<div role=switch tabindex=0 id=dark aria-checked=false aria-label=Dark
  onclick="this.setAttribute('aria-checked', this.getAttribute('aria-checked') !== 'true')"></div>
<input type=checkbox id=stuck aria-label=Stuck onclick="event.preventDefault()">
<label><input type=checkbox id=hid style="opacity:0;position:absolute;width:0;height:0"><b>Hidden box</b></label>
<button id=go onfocus="this.dataset.seen = 1">Send it</button><button disabled>Send nothing</button>
<input id=who placeholder=Name><style>#dark{width:40px;height:20px;background:grey}</style>
<script>window.clicks = []; addEventListener('click', (e) => clicks.push(e.target.id))</script>"""


def test_check_and_uncheck(lone_api, room, show):
    """Pressed only where it is not yet so, and what the page says afterwards is what is told."""
    show(FORM)

    def run(script):
        return post(lone_api, room, "execute", script=script)["result"]

    for action, selector, script, already in (
        ("check", "#news", "news.checked", False),
        ("check", "#news", "news.checked", True),
        ("check", "#on", "document.getElementById('on').checked", True),
        ("uncheck", "#on", "!document.getElementById('on').checked", False),
        ("check", "#a", "a.checked && !b.checked", False),
        ("check", "#dark", "dark.getAttribute('aria-checked') === 'true'", False),
        ("uncheck", "#dark", "dark.getAttribute('aria-checked') === 'false'", False),
        ("check", "text=Hidden box", "hid.checked", False),
    ):
        before = run("clicks.length")
        done = post(lone_api, room, "interact", action=action, selector=selector)
        assert done["success"] and done["data"]["checked"] == (action == "check"), done
        assert done["data"].get("already", False) == already, done
        assert run(script) is True, (action, selector)
        assert (run("clicks.length") == before) == already, (action, selector)
        assert (done["delivery"] == "not_sent") == already, done
    stuck = post(lone_api, room, "interact", action="check", selector="#stuck")
    assert not stuck["success"] and stuck["error_kind"] == "value_not_accepted", stuck
    assert not run("stuck.checked") and stuck["data"]["checked"] is False
    for action, selector, kind in (
        ("uncheck", "#a", "invalid_parameter"),
        ("check", "#go", "element_not_editable"),
    ):
        before = run("clicks.length")
        failed = post(lone_api, room, "interact", action=action, selector=selector)
        assert not failed["success"] and failed["error_kind"] == kind, failed
        assert run("clicks.length") == before


def test_focus(lone_api, room, show):
    """The page's own word for it; what cannot have it is refused."""
    show(FORM)
    done = post(lone_api, room, "interact", action="focus", selector="#go")
    assert done["success"] and done["target"]["name"] == "Send it", done
    seen = post(lone_api, room, "execute", script="[document.activeElement.id, go.dataset.seen, clicks]")
    assert seen["result"] == ["go", "1", []]
    assert post(lone_api, room, "interact", action="focus", selector="#who")["success"]
    lone_api.do(room, "type", text="Ada")
    assert post(lone_api, room, "execute", script="who.value")["result"] == "Ada"


def test_what_a_selector_found_is_what_is_spoken_of(lone_api, room, show):
    """An element that nobody uses is refused by the selector that came, and not by a point that did not."""
    show(FORM + "<p id=words>Nothing to use</p>")
    for action, more in (
        ("check", {}),
        ("focus", {}),
        ("fill", {"value": "Ada"}),
        ("press", {"keys": "Enter"}),
        ("select", {"label": "M"}),
        ("scroll", {"direction": "down"}),
    ):
        body = {"action": action, "selector": "#words", **more}
        answer = lone_api.request("POST", f"/sessions/{room}/interact", json=body)
        error = assert_envelope(answer, 422, "unprocessable")
        said = f"{error['message']} {error['hint']}"
        assert '"#words"' in said and action in said and '"x"' not in said, said
    body = {"action": "drag", "selector": "#go", "to": {"x": 1, "y": 1}}
    error = assert_envelope(lone_api.request("POST", f"/sessions/{room}/interact", json=body), 400)
    assert "selector" in error["message"] and "from" in error["hint"], error
    assert post(lone_api, room, "execute", script="clicks")["result"] == []
    assert post(lone_api, room, "interact", action="click", selector="#words")["success"]
    assert post(lone_api, room, "execute", script="clicks")["result"] == ["words"]


def test_selectors_that_say_what_one_sees(lone_api, room, show):
    """`text=` and `role=`; what is not there yet is waited for, and what never comes is told with what is."""
    show(FORM + "<script>setTimeout(() => go.insertAdjacentHTML('afterend', '<a href=#late>Late link</a>'), 700)</script>")
    for selector, where in (
        ("text=send it", "go"),
        ('role=button[name="Send it"]', "go"),
        ("role=textbox", "who"),
        ("role=link[name=late]", ""),
    ):
        post(lone_api, room, "execute", script="clicks.length = 0")
        done = post(lone_api, room, "interact", action="click", selector=selector)
        assert done["success"], done
        assert post(lone_api, room, "execute", script="clicks")["result"] == [where], selector
    answer = lone_api.request(
        "POST",
        f"/sessions/{room}/interact",
        json={"action": "click", "selector": "role=button[name=Nobody]", "timeout_ms": 500},
    )
    error = assert_envelope(answer, 504, "timeout")
    assert 'button "Send it"' in error["message"], error
    for selector in ("text=", "role=", "role=button[level=2]"):
        answer = lone_api.request(
            "POST", f"/sessions/{room}/interact", json={"action": "click", "selector": selector}
        )
        assert_envelope(answer, 400, "invalid_input")


def test_execute_in_a_frame(lone_api, room, show, web, other_web):
    """In the frame's own world, of whatever site; a name that is not one frame's is told."""
    inner = b"<!doctype html><script>window.mine = 'inner ' + location.pathname</script>"
    web.files["/near.html"] = inner + b"<iframe src='/deep.html' name=deep></iframe>"
    web.files["/deep.html"] = other_web.files["/far.html"] = inner
    show(
        "<script>window.mine = 'page'</script><iframe name=near src='/near.html'></iframe>"
        f"<iframe src='{other_web.url('/far.html')}'></iframe>",
        path="/framed.html",
    )

    def run(frame, script="mine", status=200):
        return post(lone_api, room, "execute", status, script=script, frame=frame)

    assert post(lone_api, room, "execute", script="mine")["result"] == "page"
    assert run("near")["result"] == "inner /near.html"
    assert run("deep")["result"] == "inner /deep.html"
    assert run(other_web.url("/far.html"))["result"] == "inner /far.html"
    assert run("/far")["result"] == "inner /far.html"
    assert run("near", "if (args) {} return [mine, await Promise.resolve(1)]")["result"] == [
        "inner /near.html",
        1,
    ]
    assert run("/far", "if (")["error"]["name"] == "SyntaxError"
    assert run("/far", "null.x")["error"]["name"] == "TypeError"
    assert run("near", "document.body")["type"] == "node"
    for wanted, named in (("nowhere", "/deep.html"), (".html", "/far.html"), ("", "/near.html")):
        refused = run(wanted, status=422)
        assert named in refused["error"]["hint"], refused
    show("<p>text</p>")
    assert "no frames" in run("near", status=422)["error"]["hint"]
