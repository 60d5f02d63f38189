"""A session in a remote browser: a second Chromium that the service did not start, judged by its own pages."""

import json
import re
import ssl
import subprocess
import time

import pytest
import trustme

from support import essentials
from support.api import assert_envelope, new_room
from support.far import KEY, PROJECT, FarBrowser, Line, Vendor, texts_below
from support.grpc_client import GrpcClient
from support.mcp import McpClient, http_server
from support.service import clean_env, running_service
from support.viewers import WhepViewer
from support.wait import wait_for
from test_allowlist import ALLOWED, BLOCKED, PATTERNS, WAYS, arrivals, try_it

# What the fence of a remote browser does not hold.
PASSES = {"socket"}

WALK = """<!doctype html><title>Far</title>
<button onclick="document.title='pressed'; window.pressed=(window.pressed||0)+1">Press</button>
<label>Name <input id=name></label>
<button onclick="window.answer=confirm('Sure?')">Ask</button>
<button onclick="window.open('/still')">Open</button>
<a href="/file?pause=0" download>Save</a>
<label>File <input type=file id=file></label>"""


@pytest.fixture(scope="module")
def far():
    """A Chromium behind a line."""
    browser = FarBrowser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def remote(ghostcast_bin, far):
    """A service whose remote browser is that one, by its socket's address."""
    with running_service(ghostcast_bin, env={"GHOSTCAST_REMOTE__ENDPOINT": far.ws}) as service:
        yield service


@pytest.fixture
def vendor():
    """A vendor of the test's own."""
    vendor = Vendor()
    yield vendor
    vendor.close()


def metric(service, line):
    """The value of a line of the metrics; 0 for one that is not there."""
    text = service.api.get("/metrics").text
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_walk(remote, far, web, chromium):
    """Everything that is not the network's or the disk's is as in a browser of this machine."""
    api = remote.api
    web.files["/walk.html"] = WALK.encode()
    url = web.url("/walk.html")
    before = wait_for(remote.browsers, 10, "the browser that is kept warm is there")
    with api.session(initial_url=url, browser="remote") as room:
        assert api.record(room)["browser"] == "remote"
        assert remote.browsers() == before, "no process of this machine was started for it"
        api.wait_record(room, lambda it: it["title"] == "Far", 5, "the page is there")
        api.do(room, "click", index=api.index_of(room, "Press"))
        assert far.ask(url, "window.pressed") == 1
        api.do(room, "type", index=api.index_of(room, "Name"), text="Ada Lovelace")
        assert far.ask(url, "document.getElementById('name').value") == "Ada Lovelace"
        context = api.context(room, elements="true")
        assert (context["url"], context["title"]) == (url, "pressed")
        picture = api.get(f"/sessions/{room}/screenshot")
        assert picture.content[:8] == b"\x89PNG\r\n\x1a\n" and len(picture.content) > 2_000
        asked = api.do(room, "click", index=api.index_of(room, "Ask"))
        assert asked["dialogs"], asked
        api.do(room, "handle_dialog", accept=True)
        assert far.ask(url, "window.answer") is True
        api.do(room, "click", index=api.index_of(room, "Open"))
        api.wait_record(room, lambda it: it["page_count"] == 2, 5, "the popup is a tab")
        assert api.record(room)["current_url"].endswith("/still")
        api.do(room, "close_tab")
        assert web.url("/still") not in far.pages()
        api.do(room, "navigate", url=web.url("/clock"))
        with WhepViewer(chromium, web, api, room) as viewer:
            essentials.sees_clock(viewer)
        assert metric(remote, "ghostcast_remote_browsers") == 1
    wait_for(lambda: web.url("/clock") not in far.pages(), 5, "its context is gone")


def test_files_do_not_pass(remote, far, web, ghostcast_bin, tmp_path):
    """What cannot be the same is said: a download's file stays there, and none of this machine is found there."""
    api = remote.api
    web.files["/walk.html"] = WALK.encode()
    url = web.url("/walk.html")
    file = {"name": "a.txt", "data_base64": "YQ=="}
    with api.session(initial_url=url, browser="remote") as room:
        api.wait_record(room, lambda it: it["title"] == "Far", 5, "the page is there")
        result = api.fail(room, "upload", "unsupported", index=api.index_of(room, "File"), files=[file])
        assert "remote" in result["error"]
        assert far.ask(url, "document.getElementById('file').files.length") == 0
        done = api.do(room, "click", index=api.index_of(room, "Save"))
        assert [it["state"] for it in done["downloads"]] == ["refused"], done
        answer = api.request("GET", f"/sessions/{room}/downloads/{done['downloads'][0]['id']}")
        assert "remote" in assert_envelope(answer, 409, "conflict")["message"]
    env = {
        "GHOSTCAST_REMOTE__ENDPOINT": far.http,
        "GHOSTCAST_REMOTE__DOWNLOADS_DIR": str(tmp_path),
        "GHOSTCAST_REMOTE__BROWSER": "remote",
    }
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        with api.session(initial_url=url) as room:
            api.wait_record(room, lambda it: it["title"] == "Far", 5, "the page is there")
            api.do(room, "click", index=api.index_of(room, "Save"))
            there = wait_for(
                lambda: api.get(f"/sessions/{room}/downloads").json()["downloads"],
                5,
                "the download is whole",
                accept=lambda all: [it["state"] for it in all] == ["completed"],
            )
            assert there[0]["name"] == "halves.bin" and len(list(tmp_path.iterdir())) == 1
            answer = api.request("GET", f"/sessions/{room}/downloads/{there[0]['id']}")
            assert "remote" in assert_envelope(answer, 409, "conflict")["message"]


def test_local_first(remote, far, web):
    """With a browser of this machine that works, the remote one is never contacted."""
    calls = far.line.calls
    for wish in ({}, {"browser": "auto"}, {"browser": "local"}):
        with remote.api.session(initial_url=web.url("/still"), **wish) as room:
            assert remote.api.record(room)["browser"] == "local"
    health = remote.api.get("/health").json()
    assert health["remote"]["configured"] is True and far.line.calls == calls
    assert far.ws.rsplit("/", 1)[1] not in json.dumps(health), "the address may be a key"


def test_where_none_here_can_run(ghostcast_bin, far, web):
    """The remote browser serves, unless one of this machine is asked for."""
    env = {"GHOSTCAST_REMOTE__ENDPOINT": far.http, "GHOSTCAST_BROWSER__EXECUTABLE": "/no/such/chromium"}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        with api.session(initial_url=web.url("/still")) as room:
            assert api.record(room)["browser"] == "remote"
            api.wait_record(room, lambda it: it["title"] == "Still", 5, "the page is there")
            assert web.url("/still") in far.pages()
        assert api.request("GET", "/health/ready").status_code == 200
        health = api.get("/health").json()
        assert health["status"] == "degraded" and "the remote one serves" in " ".join(health["reasons"])
        body = {"room_name": new_room(), "browser": "local"}
        assert_envelope(api.request("POST", "/sessions", json=body), 503, "unavailable")


def test_every_door_takes_the_choice(remote, far):
    """REST above; MCP and gRPC here."""
    room = new_room("mcp-far")
    client = McpClient(http_server(remote), "auto")
    client.do("start_browser_session", room_name=room, browser="remote")
    assert remote.api.record(room)["browser"] == "remote"
    remote.api.close(room)
    client.close()
    room = new_room("grpc-far")
    with GrpcClient(remote) as grpc:
        session = grpc.call("StartSession", room_name=room, browser="remote", user_id="somebody")
        assert session["browser"] == "remote"
    conflict = remote.api.request("POST", "/sessions", json={"room_name": room, "browser": "remote"})
    assert_envelope(conflict, 409, "conflict")
    remote.api.close(room)
    name = new_room("kept-here")
    made = remote.api.request("POST", "/sessions", json={"session_name": name})
    assert made.json()["browser"] == "local"
    other = remote.api.request("POST", "/sessions", json={"session_name": name, "browser": "remote"})
    assert "other browser" in assert_envelope(other, 409, "conflict")["message"]
    remote.api.close(name)


@pytest.mark.parametrize("how", WAYS)
def test_the_fence_holds_there(remote, fenced, free, web, other_web, how):
    """Each way that is held in a browser of this machine, redirects, popups, frames and workers among them;
    a WebSocket passes, which is why `strict` refuses a fence there."""
    control, tried = f"far-control-{how}", f"far-{how}"
    try_it(remote.api, free, web, other_web, how, control)
    wait_for(lambda: arrivals(other_web, control), 5, f"{how} works without a list")
    if how == "shared":
        # It is not let run at all, so the page hears nothing of it.
        to = other_web.url("/still", host=BLOCKED, mark=tried)
        visit = web.visit("/attempt", host=ALLOWED, how=how, to=to)
        remote.api.do(fenced, "navigate", url=visit.url)
        visit.wait_note("loaded")
        time.sleep(1)
        assert not visit.notes("over")
    else:
        try_it(remote.api, fenced, web, other_web, how, tried)
    time.sleep(0.3)
    assert bool(arrivals(other_web, tried)) == (how in PASSES), how


@pytest.fixture(scope="module")
def fenced(remote):
    """A remote session that may reach the allowed names only."""
    with remote.api.session(new_room("fenced"), allowed_domains=PATTERNS, browser="remote") as room:
        yield room


@pytest.fixture(scope="module")
def free(remote):
    """One without a list."""
    with remote.api.session(new_room("free"), browser="remote") as room:
        yield room


def test_what_else_passes_the_fence(remote, fenced, web, other_web):
    """Measured, as the documentation has it: prefetches by speculation rules, and WebSockets of workers."""
    to = other_web.url("/still", host=BLOCKED, mark="speculated")
    rules = json.dumps({"prefetch": [{"source": "list", "urls": [to], "eagerness": "immediate"}]})
    socket = other_web.url("/still", host=BLOCKED, mark="worker-socket").replace("http", "ws")
    web.files["/passes.html"] = (
        f"<script type=speculationrules>{rules}</script><script>new Worker(URL.createObjectURL("
        f"new Blob([\"new WebSocket('{socket}')\"])))</script>"
    ).encode()
    remote.api.do(fenced, "navigate", url=web.url("/passes.html", host=ALLOWED))
    for mark in ("speculated", "worker-socket"):
        wait_for(lambda mark=mark: arrivals(other_web, mark), 5, f"{mark} passes")


def test_a_refusal_there_is_told(remote, fenced, web, other_web):
    """As the gate of this machine tells it: by the navigation, and by the action whose page asked."""
    result = remote.api.fail(fenced, "navigate", "blocked", url=web.url("/still", host=BLOCKED))
    assert "allowed_domains" in result["error"]
    visit = web.visit("/redirect", host=ALLOWED, to=other_web.url("/still", host=BLOCKED, mark="told"))
    remote.api.fail(fenced, "navigate", "blocked", url=visit.url)
    attempt = web.visit("/attempt", host=ALLOWED, how="image", to=other_web.url("/still", host=BLOCKED))
    done = remote.api.do(fenced, "navigate", url=attempt.url)
    assert [it["host"] for it in done["blocked_requests"]] == [f"{BLOCKED}:{other_web.port}"], done
    assert not arrivals(other_web, "told")
    metadata = remote.api.fail(fenced, "navigate", "blocked", url="http://169.254.169.254/")
    assert "metadata" in metadata["error"]


def test_a_strict_fence_is_refused_there(remote, ghostcast_bin, far, web):
    """With what passes, in words; without a fence, or here, the session is had."""
    strict = {"browser": "remote", "remote_fence": "strict"}
    for fence in ({"allowed_domains": ["example.com"]}, {"block_private_networks": True}):
        body = {"room_name": new_room(), **strict, **fence}
        answer = remote.api.request("POST", "/sessions", json=body)
        error = assert_envelope(answer, None, "unsupported")
        for word in ("WebSockets", "WebRTC", "speculation", "strict"):
            assert word in error["message"], error
    with remote.api.session(**strict):
        pass
    with remote.api.session(allowed_domains=PATTERNS, remote_fence="strict") as room:
        assert remote.api.record(room)["browser"] == "local"
    env = {"GHOSTCAST_REMOTE__ENDPOINT": far.ws, "GHOSTCAST_REMOTE__FENCE": "strict"}
    with running_service(ghostcast_bin, env=env) as service:
        body = {"room_name": new_room(), "browser": "remote", "allowed_domains": ["example.com"]}
        assert_envelope(service.api.request("POST", "/sessions", json=body), None, "unsupported")


def test_a_session_that_lives_elsewhere_is_not_given_out(remote):
    """Who asks for one place only, or for a strict fence, hears which session is where, and what to do."""
    api = remote.api
    fence = {"allowed_domains": PATTERNS}
    here, there = new_room("here"), new_room("there")
    for name, browser in ((here, "local"), (there, "remote")):
        made = api.request("POST", "/sessions", json={"session_name": name, "browser": browser, **fence})
        assert made.status_code == 201, made.text
    for name, wish, words in (
        (here, {"browser": "remote"}, "a browser of this machine"),
        (there, {"browser": "local"}, "a remote browser"),
        (there, {"remote_fence": "strict"}, "remote_fence"),
    ):
        answer = api.request("POST", "/sessions", json={"session_name": name, **fence, **wish})
        error = assert_envelope(answer, 409, "conflict")
        assert name in error["message"] and words in error["message"] and "delete it" in error["hint"], error
    for name, wish in (
        (here, {"browser": "local", "remote_fence": "strict"}),
        (there, {"browser": "remote"}),
        (there, {"browser": "auto"}),
    ):
        answer = api.request("POST", "/sessions", json={"session_name": name, **fence, **wish})
        assert answer.status_code == 200 and answer.json()["reused"] is True, answer.text
    api.close(here)
    api.close(there)


def test_a_line_that_is_cut(ghostcast_bin, web):
    """As a browser that is lost: the event, and a session that has failed; a kept one comes back."""
    far = FarBrowser()
    with running_service(ghostcast_bin, env={"GHOSTCAST_REMOTE__ENDPOINT": far.http}) as service:
        api, room, name = service.api, new_room("cut"), new_room("kept-far")
        api.create(room, initial_url=web.url("/still"), browser="remote")
        cookies = web.url("/cookie", mark="far")
        body = {"session_name": name, "browser": "remote", "initial_url": cookies}
        assert api.request("POST", "/sessions", json=body).status_code == 201
        api.run(name, "localStorage.setItem('who', 'Ada')")
        time.sleep(1.5)
        with api.events(room) as events:
            far.line.cut()
            lost = wait_for(
                lambda: [it for it in events.events if it["type"] == "browser_error"], 5, "it is told"
            )
            assert "remote browser was lost" in lost[0]["error"]
        assert api.record(room)["state"] == "failed"
        is_back = lambda it: (it["state"], it["current_url"]) == ("live", cookies)
        record = api.wait_record(name, is_back, 15, "the kept one is there again")
        assert record["browser"] == "remote"
        assert api.run(name, "return localStorage.getItem('who')") == "Ada"
        assert "mark=far" in api.run(name, "return document.cookie")
        api.close(name)
        api.close(room)
    far.close()


def test_a_remote_browser_that_is_down(ghostcast_bin, far, web):
    """The start is refused as unavailable, which may be tried again, and then works."""
    line = Line(far.line.to)
    address = far.ws.replace(str(far.line.port), str(line.port))
    with running_service(ghostcast_bin, env={"GHOSTCAST_REMOTE__ENDPOINT": address}) as service:
        api, body = service.api, {"room_name": new_room("down"), "browser": "remote"}
        line.is_up = False
        error = assert_envelope(api.request("POST", "/sessions", json=body), 503, "unavailable")
        assert "remote" in error["message"] and "again" in error["hint"]
        assert "cannot be reached" in api.get("/health").json()["remote"]["problem"]
        assert api.get("/health").json()["status"] == "healthy", "this machine's browser works"
        line.is_up = True
        assert api.request("POST", "/sessions", json=body).status_code == 201
        assert api.get("/health").json()["remote"]["problem"] is None
        api.close(body["room_name"])
        assert metric(service, 'ghostcast_remote_starts_total{outcome="failed"}') == 1
    line.close()


def test_tls_is_checked(ghostcast_bin, far):
    """A certificate that nobody vouches for is no remote browser."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    line = Line(far.line.to, tls=context)
    for scheme in ("wss", "https"):
        address = f"{scheme}://localhost:{line.port}/{far.ws.split('/', 3)[3]}"
        with running_service(ghostcast_bin, env={"GHOSTCAST_REMOTE__ENDPOINT": address}) as service:
            body = {"room_name": new_room(), "browser": "remote"}
            answer = service.api.request("POST", "/sessions", json=body)
            assert_envelope(answer, 503, "unavailable")
            assert "certificate" in service.log().lower()
    line.close()


def test_the_vendors_interface(ghostcast_bin, vendor, web):
    """Header, paths and bodies, and the run's time."""
    session_body = '{proxies = true, browserSettings = {solveCaptchas = true}}'
    env = vendor.env(GHOSTCAST_REMOTE__SESSION_BODY=session_body)
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        options = {"browserSettings": {"advancedStealth": True}}
        spec = {"browser": "remote", "user_id": "ada", "remote_options": options}
        viewport = {"width": 1920, "height": 1080}
        with api.session(initial_url=web.url("/still"), viewport=viewport, **spec) as room:
            record = api.wait_record(room, lambda it: it["title"] == "Still", 5, "the page is there")
            assert record["browser"] == "remote" and "remote_options" not in record
            time.sleep(2)
        ((headers, body),) = vendor.of("POST", "/sessions")
        assert headers["x-bb-api-key"] == KEY and headers["content-type"] == "application/json"
        assert body == {
            "projectId": PROJECT,
            "keepAlive": True,
            "proxies": True,
            "browserSettings": {"viewport": viewport, "solveCaptchas": True, "advancedStealth": True},
        }
        assert not vendor.of("GET", "/sessions/s-1/debug"), "it was told where to connect"
        ((headers, body),) = vendor.of("POST", "/sessions/s-1")
        assert headers["x-bb-api-key"] == KEY
        assert body == {"projectId": PROJECT, "status": "REQUEST_RELEASE"}
        assert not vendor.of("POST", "/contexts"), "nothing is kept of it"
        vendor.tells_connect_url = False
        with api.session(initial_url=web.url("/clock"), browser="remote", user_id="grace") as room:
            api.wait_record(room, lambda it: it["title"] == "Clock", 5, "the page is there")
            assert len(vendor.of("GET", "/sessions/s-2/debug")) == 1
            assert web.url("/clock") in vendor.sessions["s-2"]["browser"].pages()
        for user, seconds in zip(("ada", "grace"), vendor.seconds(), strict=True):
            counted = f'ghostcast_remote_seconds_total{{user="{user}"}}'
            wait_for(lambda: abs(metric(service, counted) - seconds) <= 1.5, 5, f"{user}: {seconds} s")
        bad = {"room_name": new_room(), "remote_options": {"projectId": "another"}}
        assert_envelope(api.request("POST", "/sessions", json=bad), 400, "invalid_input")


def test_a_login_stays_in_a_context(ghostcast_bin, vendor, web, tmp_path):
    """What lasts is the vendor's context, a session is one run on it: closed or cut, the next run has it."""
    env = vendor.env(GHOSTCAST_STATE__DIRECTORY=str(tmp_path))
    name = new_room("login")
    body = {"session_name": name, "browser": "remote", "initial_url": web.url("/cookie", mark="in")}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        assert api.request("POST", "/sessions", json=body).status_code == 201
        api.run(name, "localStorage.setItem('who', 'Ada')")
        time.sleep(1.5)
        vendor.sessions["s-1"]["browser"].line.cut()
        wait_for(lambda: "s-2" in vendor.sessions, 15, "another run is begun")
        api.wait_record(name, lambda it: it["state"] == "live", 15, "it is there again")
        wait_for(lambda: vendor.of("POST", "/sessions/s-1"), 5, "the run that was lost is given back")
        assert api.record(name)["browser"] == "remote"
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        context = api.context(name)
        assert context["url"] == body["initial_url"]
        assert api.run(name, "return localStorage.getItem('who')") == "Ada"
        assert "mark=in" in api.run(name, "return document.cookie")
        api.close(name)
    assert len(vendor.of("POST", "/contexts")) == 1
    contexts = [it["browserSettings"]["context"] for _, it in vendor.of("POST", "/sessions")]
    assert contexts == [{"id": "ctx-1", "persist": True}] * 3
    stored = texts_below(tmp_path)
    assert not [path for path, data in stored.items() if KEY.encode() in data]


def test_a_run_of_a_killed_service_is_given_back(ghostcast_bin, vendor, tmp_path):
    """It costs money for as long as it runs: the next service on the same state ends it."""
    env = vendor.env(GHOSTCAST_STATE__DIRECTORY=str(tmp_path))
    with running_service(ghostcast_bin, env=env) as service:
        service.api.create(new_room(), browser="remote")
        service.kill()
    assert not vendor.of("POST", "/sessions/s-1")
    with running_service(ghostcast_bin, env=env):
        wait_for(lambda: vendor.of("POST", "/sessions/s-1"), 5, "it is given back")
        wait_for(lambda: not list((tmp_path / "remote-runs").iterdir()), 5, "and forgotten")


def test_only_its_own_runs_are_given_back(ghostcast_bin, vendor, tmp_path):
    """What another account has left waits for it; what cannot be given back now is offered again."""
    env = vendor.env(GHOSTCAST_STATE__DIRECTORY=str(tmp_path))
    with running_service(ghostcast_bin, env=env) as service:
        service.api.create(new_room(), browser="remote")
        service.kill()
    with running_service(ghostcast_bin, env={**env, "BROWSERBASE_PROJECT_ID": "another-project"}) as service:
        wait_for(lambda: "waits until that one is configured" in service.log(), 5, "it is told")
        assert not vendor.of("POST", "/sessions/s-1")
    vendor.refuses["POST", "/sessions/s-1"] = [503, 500]
    with running_service(ghostcast_bin, env=env) as service:
        wait_for(lambda: len(vendor.of("POST", "/sessions/s-1")) == 3, 15, "the third time it is taken")
        wait_for(lambda: not list((tmp_path / "remote-runs").iterdir()), 5, "and forgotten")
        releases = 'ghostcast_remote_releases_total{kind="run",outcome="%s"}'
        assert [metric(service, releases % it) for it in ("failed", "done")] == [2, 1]


def test_what_fails_on_the_way_is_given_back(ghostcast_bin, vendor, far, web, tmp_path):
    """A run whose address is not told, and a context in which no session comes to be."""
    vendor.tells_connect_url = False
    vendor.refuses["GET", "/sessions/s-1/debug"] = [500]
    vendor.refuses["POST", "/sessions/s-1"] = [503]
    with running_service(ghostcast_bin, env=vendor.env()) as service:
        body = {"room_name": new_room(), "browser": "remote"}
        assert_envelope(service.api.request("POST", "/sessions", json=body), 503, "unavailable")
        wait_for(lambda: len(vendor.of("POST", "/sessions/s-1")) == 2, 10, "it is given back, at the second try")
    work = tmp_path / "work"
    contexts = lambda: far.chromium.call("Target.getBrowserContexts")["browserContextIds"]
    env = {"GHOSTCAST_REMOTE__ENDPOINT": far.ws, "GHOSTCAST_BROWSER__WORK_DIR": str(work)}
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        with api.session(browser="remote"):
            before = contexts()
            (directory,) = work.iterdir()
            directory.rename(tmp_path / "elsewhere")
            directory.write_text("in the way")
            answer = api.request("POST", "/sessions", json={"room_name": new_room(), "browser": "remote"})
            assert answer.status_code >= 500, answer.text
            assert contexts() == before, "none is left of it"
            directory.unlink()
            (tmp_path / "elsewhere").rename(directory)
            wrong = {"cookies": [{"name": "__Host-x", "value": "1", "domain": ".example.com", "path": "/"}]}
            body = {"room_name": new_room(), "browser": "remote", "storage_state": wrong}
            assert api.request("POST", "/sessions", json=body).status_code >= 400
            wait_for(lambda: contexts() == before, 5, "nor of a session whose state is refused")


def test_a_context_goes_with_its_profile_and_is_replaced_when_it_is_lost(ghostcast_bin, vendor, web, tmp_path):
    """The logins of a deleted profile stay nowhere; a context that the vendor has lost is no end for ever."""
    env = vendor.env(GHOSTCAST_STATE__DIRECTORY=str(tmp_path))
    name, url = new_room("context"), web.url("/cookie", mark="ours")
    body = {"session_name": name, "browser": "remote", "initial_url": url}
    noted = tmp_path / "profiles" / name / "remote.json"
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        assert api.request("POST", "/sessions", json=body).status_code == 201
        wait_for(lambda: "mark=ours" in api.run(name, "return document.cookie"), 5, "it is logged in")
        cookies = tmp_path / "profiles" / name / "cookies.json"
        wait_for(lambda: cookies.exists() and b"ours" in cookies.read_bytes(), 10, "which is kept")
        api.close(name)
        vendor.forget("ctx-1")
        # A page that sets no cookie: what it has is what was kept.
        again = {**body, "initial_url": web.url("/still")}
        assert api.request("POST", "/sessions", json=again).status_code == 201
        assert json.loads(noted.read_text())[0]["context"] == "ctx-2"
        assert "is no more; a new one is made" in service.log()
        assert metric(service, "ghostcast_remote_contexts_lost_total") == 1
        assert "mark=ours" in api.run(name, "return document.cookie")
        vendor.refuses["DELETE", "/contexts/ctx-2"] = [503]
        assert api.request("DELETE", f"/sessions/{name}?profile=delete").status_code == 200
        wait_for(lambda: "ctx-2" not in vendor.contexts, 10, "it is deleted there too, at the second try")
        # Which context it is cannot be read: it is said, set aside, and begun anew.
        assert api.request("POST", "/sessions", json=body).status_code == 201
        api.close(name)
        noted.write_text("{broken")
        error = assert_envelope(api.request("POST", "/sessions", json=body), None, "unprocessable")
        assert "set aside" in error["message"]
        (aside,) = noted.parent.glob("remote.json?*")
        assert aside.read_text() == "{broken"
        assert api.request("POST", "/sessions", json=body).status_code == 201
        assert json.loads(noted.read_text())[0]["context"] == "ctx-4"


def test_options_stay_with_a_kept_session(ghostcast_bin, vendor, web, tmp_path):
    """After the service's restart it runs as it was asked for; an eager restore needs no browser of this machine."""
    env = vendor.env(GHOSTCAST_STATE__DIRECTORY=str(tmp_path))
    name, options = new_room("options"), {"proxies": True, "browserSettings": {"advancedStealth": True}}
    body = {"session_name": name, "browser": "remote", "remote_options": options}
    with running_service(ghostcast_bin, env=env) as service:
        record = service.api.request("POST", "/sessions", json={**body, "initial_url": web.url("/still")})
        assert record.status_code == 201 and "remote_options" not in record.json()
    broken = {"GHOSTCAST_STATE__RESTORE": "eager", "GHOSTCAST_BROWSER__EXECUTABLE": "/no/such/chromium"}
    with running_service(ghostcast_bin, env={**env, **broken}) as service:
        is_live = lambda it: (it["state"], it["browser"]) == ("live", "remote")
        service.api.wait_record(name, is_live, 15, "it is restored, though no browser can be started here")
        first, second = [it for _, it in vendor.of("POST", "/sessions")]
        assert first == second and second["browserSettings"]["advancedStealth"] is True
        service.api.close(name)


def test_what_moves_with_a_session(ghostcast_bin, web, far, tmp_path):
    """Between this machine and the endpoint, judged by the page: cookies go along each way; what is in
    localStorage comes from far away, and stays in a browser of this machine."""
    env = {"GHOSTCAST_REMOTE__ENDPOINT": far.ws, "GHOSTCAST_STATE__DIRECTORY": str(tmp_path)}
    name, url = new_room("moves"), web.url("/still")
    has = "return [document.cookie.includes('who=Ada'), localStorage.getItem('where')]"
    state = {
        "cookies": [{"name": "who", "value": "Ada", "domain": "127.0.0.1", "path": "/"}],
        "origins": [{"origin": url.rsplit("/", 1)[0], "localStorage": [{"name": "where", "value": "far"}]}],
    }
    body = {"session_name": name, "initial_url": url}
    stored = tmp_path / "profiles" / name / "storage.json"
    with running_service(ghostcast_bin, env=env) as service:
        api = service.api
        first = {**body, "browser": "remote", "storage_state": state}
        assert api.request("POST", "/sessions", json=first).status_code == 201
        api.wait_record(name, lambda it: it["title"] == "Still", 5, "the page is there")
        told = far.ask(url, has.replace("return ", ""))
        assert told == [True, "far"], "the page has what was put in"
        wait_for(stored.exists, 10, "which is kept, though no page has changed it")
        for browser, where in (("local", "far"), ("remote", None)):
            api.close(name)
            assert api.request("POST", "/sessions", json={**body, "browser": browser}).status_code == 201
            api.wait_record(name, lambda it: it["title"] == "Still", 5, "the page is there")
            assert api.record(name)["browser"] == browser
            assert api.run(name, has) == [True, where], browser
        api.close(name)


def test_its_own_addresses_are_refused_there(remote, free, far, web):
    """Without a list too, as in a browser of this machine: the service's, and where the browser is spoken to."""
    api, own, port = remote.api, remote.port, far.line.port
    calls = far.line.calls
    for url in (
        f"http://127.0.0.1:{own}/health",
        f"http://localhost:{own}/health",
        f"http://0.0.0.0:{own}/health",
        f"http://x@127.0.0.1:{own}/health",
        f"http://127.0.0.1:{port}/json/version",
        f"http://[::ffff:127.0.0.1]:{port}/json/version",
    ):
        result = api.fail(free, "navigate", "blocked", url=url)
        assert "is the service itself" in result["error"], result
    visit = web.visit("/redirect", to=f"{far.http}/json/version")
    api.fail(free, "navigate", "blocked", url=visit.url)
    assert far.line.calls == calls, "nothing has come there"
    with api.session(browser="local") as room:
        api.fail(room, "navigate", "blocked", url=f"{far.http}/json/version")
    assert far.line.calls == calls


def test_a_frame_waits_for_its_fence(ghostcast_bin, web, other_web):
    """A frame of another site lives in a process of its own: its first requests are held as all are."""
    far = FarBrowser(flags=["--site-per-process"])
    with running_service(ghostcast_bin, env={"GHOSTCAST_REMOTE__ENDPOINT": far.ws}) as service:
        api, room = service.api, new_room("frames")
        with api.session(room, allowed_domains=PATTERNS, browser="remote"):
            for number in range(8):
                mark = f"frame-first-{number}"
                to = other_web.url("/still", host=BLOCKED, mark=mark)
                asks = f"fetch('{to}', {{mode: 'no-cors'}}).catch(() => document.title = 'refused')"
                web.files["/asks-at-once.html"] = f"<script>{asks}</script>".encode()
                inner = web.url("/asks-at-once.html", host="exact.localhost", number=number)
                web.files["/frames.html"] = f"<iframe src='{inner}'></iframe>".encode()
                api.do(room, "navigate", url=web.url("/frames.html", host=ALLOWED))
                wait_for(lambda inner=inner: is_apart(far, inner), 5, "the frame has a process of its own")
                time.sleep(0.3)
                assert not arrivals(other_web, mark)
    far.close()


def is_apart(far, url):
    """Whether a frame is a target by itself."""
    targets = far.chromium.call("Target.getTargets")["targetInfos"]
    return [it for it in targets if it["type"] == "iframe" and it["url"] == url]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "unavailable"), (429, "exhausted"), (400, "unprocessable"), (503, "unavailable")],
)
def test_what_a_vendor_refuses(ghostcast_bin, vendor, status, kind):
    """In words, and without the key, which is nowhere."""
    with running_service(ghostcast_bin, env=vendor.env(GHOSTCAST_LOG="trace")) as service:
        vendor.answers_with = status
        answer = service.api.request("POST", "/sessions", json={"room_name": new_room(), "browser": "remote"})
        error = assert_envelope(answer, None, kind)
        assert "provider" in error["message"] or "remote" in error["message"]
        vendor.answers_with = None
        with service.api.session(browser="remote") as room:
            told = json.dumps(service.api.record(room)) + service.api.get("/metrics").text
        log = service.log(chars=10**7)
        told += answer.text + service.api.get("/health").text + log
        assert KEY not in told and f"HTTP {status}" in log, "the vendor's status is in the log, and in it alone"
        assert f"HTTP {status}" not in answer.text


def test_without_one(ghostcast_bin, far):
    """The fallback is off, which is said at the start, by doctor, and to whoever asks for it; a key never."""
    with running_service(ghostcast_bin) as service:
        assert "remote browser: none: neither BROWSERBASE_API_KEY" in service.log()
        body = {"room_name": new_room(), "browser": "remote"}
        error = assert_envelope(service.api.request("POST", "/sessions", json=body), None, "not_configured")
        assert "BROWSERBASE_API_KEY" in error["hint"]
        assert service.api.get("/health").json()["remote"]["configured"] is False
    token = "token-4711-of-the-endpoint"
    for env, words in [
        ({}, "note  remote browser: none: neither BROWSERBASE_API_KEY"),
        ({"BROWSERBASE_API_KEY": KEY}, "note  remote browser: none: BROWSERBASE_API_KEY is set"),
        ({"BROWSERBASE_API_KEY": KEY, "BROWSERBASE_PROJECT_ID": PROJECT}, "ok    remote browser: Browserbase at"),
        ({"GHOSTCAST_REMOTE__ENDPOINT": f"{far.http}/?token={token}"}, "ok    remote browser: the endpoint at"),
    ]:
        told = subprocess.run(
            [ghostcast_bin, "doctor"], env={**clean_env(), **env}, capture_output=True, text=True, check=False
        )
        assert words in told.stdout, told.stdout
        assert KEY not in told.stdout + told.stderr and token not in told.stdout + told.stderr
    env = {"GHOSTCAST_REMOTE__ENDPOINT": f"{far.http}/?token={token}", "GHOSTCAST_LOG": "trace"}
    with running_service(ghostcast_bin, env=env) as service:
        with service.api.session(browser="remote") as room:
            told = json.dumps(service.api.record(room))
        assert token not in told + service.log(chars=10**7)
