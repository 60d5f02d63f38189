"""`allowed_domains` holds where requests leave the browser: the blocked server hears nothing."""

import pytest

from support.api import assert_envelope, new_room
from support.wait import wait_for

# Chromium resolves every name under `localhost` to loopback, without DNS.
ALLOWED, BLOCKED = "a.allowed.localhost", "blocked.localhost"
PATTERNS = ["*.allowed.localhost", "exact.localhost"]

# How a page, or the automation, may try to get somewhere. The first ones take the page along.
TRAVELS = ["link", "script", "redirect", "meta", "form", "download"]
WAYS = [
    *TRAVELS, "popup", "frame", "object", "fetch", "image", "beacon", "socket", "events", "module",
    "style", "preload", "prefetch", "worker", "shared", "service",
]  # fmt: skip


@pytest.fixture(scope="module")
def fenced(lone_ghostcast):
    """A session that may reach the allowed names only."""
    with lone_ghostcast.api.session(new_room("fenced"), allowed_domains=PATTERNS) as room:
        yield room


@pytest.fixture(scope="module")
def free(lone_ghostcast):
    """A session without a list, which proves that each way works at all."""
    with lone_ghostcast.api.session(new_room("free")) as room:
        yield room


def arrivals(other_web, mark):
    """The requests at the other server that one try has caused."""
    return [request for request in other_web.requests() if request.query.get("mark") == mark]


def try_it(api, room, web, other_web, how, mark, host=ALLOWED, blocked=BLOCKED):
    """Makes a page of the allowed host try to reach the other server; returns when it has."""
    to = other_web.url("/still", host=blocked, mark=mark)
    visit = web.visit("/attempt", host=host, how=how, to=to)
    # A page that leaves at once may have left before it has come to rest.
    result = api.act(room, "navigate", url=visit.url)
    assert result["success"] or how in TRAVELS, result
    visit.wait_note("loaded")
    if how == "link":
        api.act(room, "click", index=api.index_of(room, "Follow"))
    elif how == "popup":
        api.act(room, "click", index=api.index_of(room, "Pop up"))
    if how not in TRAVELS:
        visit.wait_note("over")


# What is listed, the page's host, and the host of the other server. The last but one has the same
# host on another port, and the last one the same address under another name.
FENCES = {
    "wildcard": (["*.allowed.localhost"], ALLOWED, BLOCKED),
    "exact": ([ALLOWED], ALLOWED, f"b.{ALLOWED}"),
    "port": (["{host}:{port}"], ALLOWED, ALLOWED),
    "address": (["127.0.0.1"], "127.0.0.1", "localhost"),
}


@pytest.mark.parametrize("how", WAYS)
def test_each_way_works_without_a_list(lone_api, free, web, other_web, how):
    """What is blocked below would arrive, were it not blocked."""
    control = f"control-{how}"
    try_it(lone_api, free, web, other_web, how, control)
    wait_for(lambda: arrivals(other_web, control), 5, f"{how} works without a list")


@pytest.mark.parametrize("fence", FENCES)
def test_no_way_out(lone_api, web, other_web, fence):
    """The same pages do not get through a list, whatever its patterns say."""
    no_way_out(lone_api, web, other_web, fence, fence)


def test_no_way_out_of_a_kept_browser(lone_api, web, other_web):
    """Nor from the browser of a session with a name, which has a process and a proxy of its own."""
    no_way_out(lone_api, web, other_web, "wildcard", "kept", session_name=new_room("kept-fence"))


def no_way_out(lone_api, web, other_web, fence, name, **spec):
    """Tries all ways in a session behind a fence; the other server hears of none."""
    patterns, host, blocked = FENCES[fence]
    patterns = [pattern.format(host=host, port=web.port) for pattern in patterns]
    with lone_api.session(new_room("fence"), allowed_domains=patterns, **spec) as room:
        for how in WAYS:
            mark = f"{name}-{how}"
            try_it(lone_api, room, web, other_web, how, mark, host, blocked)
            # Whatever was still on its way is sent before the next page takes its place.
            lone_api.do(room, "wait", seconds=0.3)
        lone_api.do(room, "wait", seconds=1)
    reached = [how for how in WAYS if arrivals(other_web, f"{name}-{how}")]
    assert not reached, f"these reached the blocked host: {reached}"


# Answers for its pages, and reaches for `to` at each request and message.
LASTING_WORKER = b"""
const to = new URL(location.href).searchParams.get('to');
const tell = (text) => clients.matchAll().then((all) => all.forEach((one) => one.postMessage(text)));
addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  if (event.request.url.endsWith('/proxied')) event.respondWith(fetch(to + '&by=fetch', {mode: 'no-cors'}));
});
addEventListener('message', (event) => event.waitUntil(Promise.allSettled([
  fetch(to + '&by=message', {mode: 'no-cors'}),
  caches.open('c').then((cache) => cache.add(new Request(to + '&by=cache', {mode: 'no-cors'}))),
  new Promise((over) => {
    const socket = new WebSocket(to.replace('http', 'ws') + '&by=socket');
    socket.onopen = socket.onerror = socket.onclose = over;
  }),
  import(to + '&by=import').catch(() => {}),
]).then(() => tell('over'))));
"""
LASTING_PAGE = b"""<!doctype html><title>Lasting</title><link rel=icon href=data:,><body><script>
const query = new URLSearchParams(location.search);
const note = (name, value) => fetch(`/note?id=${query.get('id')}&name=${name}`,
  {method: 'POST', body: JSON.stringify(value ?? null)});
const worker = navigator.serviceWorker;
const waited = (promise) => Promise.race([promise, new Promise((then) => setTimeout(then, 3000))]);
(async () => {
  note('held', Boolean(worker.controller));
  const url = '/lasting-worker.js?to=' + encodeURIComponent(query.get('to'));
  if (query.get('first')) await worker.register(url).catch((error) => note('refused', String(error)));
  await waited(worker.ready);
  if (!worker.controller) await waited(new Promise((then) => { worker.oncontrollerchange = then; }));
  const over = new Promise((then) => { worker.onmessage = then; });
  worker.controller?.postMessage('go');
  await fetch('/proxied').catch(() => {});
  await waited(over);
  note('over', Boolean(worker.controller));
})();
</script>"""


@pytest.mark.parametrize("fenced_in", [False, True])
def test_a_service_worker_that_is_installed(lone_api, web, other_web, fenced_in):
    """What it does later, for its pages or by a message, leaves by the same gate, another tab's too."""
    host = "127.0.0.1"  # service workers want a trustworthy origin
    web.files["/lasting.html"], web.files["/lasting-worker.js"] = LASTING_PAGE, LASTING_WORKER
    mark = f"lasting-{fenced_in}"
    to = other_web.url("/still", host="localhost", mark=mark)
    spec = {"allowed_domains": [host]} if fenced_in else {}
    with lone_api.session(new_room("lasting"), **spec) as room:
        first = web.visit("/lasting.html", host=host, to=to, first=1)
        lone_api.do(room, "navigate", url=first.url)
        assert first.wait_note("over", within=15) is True, "the worker has taken the page over"
        # It is there before this page is.
        again = web.visit("/lasting.html", host=host, to=to)
        lone_api.do(room, "new_tab", url=again.url)
        assert again.wait_note("held") is True
        again.wait_note("over", within=15)
        lone_api.do(room, "wait", seconds=1)
    ways = {request.query.get("by") for request in arrivals(other_web, mark)}
    assert not (fenced_in and ways), f"these reached the blocked host: {ways}"
    assert fenced_in or {"fetch", "message", "cache", "socket"} <= ways, ways


def test_action(lone_api, fenced, other_web):
    """A navigation by action is refused at once, with its own kind."""
    url = other_web.url("/still", host=BLOCKED, mark="action")
    result = lone_api.fail(fenced, "navigate", "blocked", url=url)
    assert "blocked.localhost" in result["error"]
    assert result["duration_ms"] < 1000
    assert not arrivals(other_web, "action")


def test_redirect(lone_api, fenced, web, other_web):
    """An allowed host may not lend its name to a blocked one."""
    to = other_web.url("/still", host=BLOCKED, mark="redirect")
    url = web.url("/redirect", host=ALLOWED, to=to)
    lone_api.fail(fenced, "navigate", "blocked", url=url)
    assert web.requests(host=ALLOWED, path="/redirect")
    assert not arrivals(other_web, "redirect")


def test_redirect_of_a_subresource(lone_api, fenced, web, other_web):
    """Nor may it for an image of a page."""
    to = other_web.url("/still", host=BLOCKED, mark="sub")
    visit = web.visit(
        "/attempt", host=ALLOWED, how="image", to=web.url("/redirect", host=ALLOWED, to=to)
    )
    lone_api.do(fenced, "navigate", url=visit.url)
    visit.wait_note("over")
    assert not arrivals(other_web, "sub")


def test_initial_url(lone_api, web, other_web):
    """The first page is no exception: refused at once, or when it turns out where it leads."""
    url = other_web.url("/still", host=BLOCKED, mark="initial")
    room = new_room("fenced")
    body = {"room_name": room, "initial_url": url, "allowed_domains": PATTERNS}
    error = assert_envelope(lone_api.request("POST", "/sessions", json=body), 403, "forbidden")
    assert BLOCKED in error["message"]
    assert lone_api.request("GET", f"/sessions/{room}").status_code == 404
    lent = web.url("/redirect", host=ALLOWED, to=url)
    with lone_api.session(room, initial_url=lent, allowed_domains=PATTERNS):
        record = lone_api.wait_record(room, lambda r: r["page_error"], 5, "the page's error")
        assert BLOCKED in record["page_error"] and record["state"] == "live"
    assert not arrivals(other_web, "initial")
    # Where it is listed, the same page is opened.
    with lone_api.session(room, initial_url=lent, allowed_domains=[*PATTERNS, BLOCKED]):
        wait_for(lambda: arrivals(other_web, "initial"), 5, "the listed page is asked for")


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("a.allowed.localhost", True),
        ("A.Allowed.LOCALHOST", True),
        ("b.a.allowed.localhost", True),
        ("exact.localhost", True),
        ("sub.exact.localhost", False),
        ("badallowed.localhost", False),
        ("blocked.localhost", False),
        ("allowed.localhost.evil.localhost", False),
        ("a.allowed.localhost.evil.test", False),
        ("exact.localhost.evil.localhost", False),
        ("notexact.localhost", False),
        ("127.0.0.1", False),
        ("localhost", False),
        ("a.allowed.localhost@blocked.localhost", False),
    ],
)
def test_patterns(lone_api, fenced, web, host, is_allowed):
    """The table of the rule, asked in the browser and answered by the server's log."""
    visit = web.visit("/still", host=host)
    if is_allowed:
        result = lone_api.do(fenced, "navigate", url=visit.url)
        assert result["title"] == "Still"
    else:
        lone_api.fail(fenced, "navigate", "blocked", url=visit.url)
    seen = [request for request in web.requests() if request.query.get("id") == visit.id]
    assert bool(seen) == is_allowed


def test_default_denials_hold_without_a_list(lone_api, free, web):
    """Local files and browser pages are out of reach for actions and for pages."""
    for url in ["file:///etc/passwd", "chrome://settings/", "devtools://devtools/x"]:
        lone_api.fail(free, "navigate", "blocked", url=url)
    visit = web.visit("/attempt", how="script", to="file:///etc/passwd")
    lone_api.do(free, "navigate", url=visit.url)
    lone_api.do(free, "wait", seconds=0.3)
    assert not lone_api.context(free)["url"].startswith("file:")


def test_blocked_tries_are_survived(lone_api, fenced, web):
    """After all of that the session does its work."""
    visit = web.visit("/form", host=ALLOWED)
    lone_api.do(fenced, "navigate", url=visit.url)
    lone_api.do(fenced, "click", index=lone_api.index_of(fenced, "Press me"))
    assert visit.wait_note("click")["target"] == "press"
