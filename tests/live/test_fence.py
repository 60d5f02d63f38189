"""The operator's fence: patterns and private networks that hold for every session and every name."""

import json
import time

import pytest

from support.api import assert_envelope, new_room
from support.mcp import McpClient, http_server
from support.names import Names
from support.service import running_service
from support.wait import wait_for

ALLOWED, BLOCKED = "a.allowed.localhost", "blocked.localhost"
# Names that DNS would have to tell, and an address of a documentation network (RFC 5737): no host
# has it, and it is not private.
REBOUND, MIXED, OWN = "rebound.test", "mixed.test", "own.test"
PUBLIC = "203.0.113.7"
# How long the gate keeps what a name has led to.
LOOKUP_S = 10.5


@pytest.fixture(scope="module")
def operated(ghostcast_bin):
    """A service whose operator permits some names only."""
    patterns = ["*.allowed.localhost", "exact.localhost"]
    env = {"GHOSTCAST_BROWSER__ALLOWED_DOMAINS": json.dumps(patterns)}
    with running_service(ghostcast_bin, env=env) as service:
        yield service


def reaches(api, room, web, host):
    """Whether a navigation to a host of the test's web succeeds; else it is blocked, unheard."""
    visit = web.visit("/still", host=host)
    result = api.act(room, "navigate", url=visit.url)
    seen = [request for request in web.requests() if request.query.get("id") == visit.id]
    assert bool(seen) == result["success"], result
    if not result["success"]:
        assert result["error_kind"] == "blocked", result
    return result["success"]


@pytest.mark.parametrize(
    ("own", "holds", "open_hosts"),
    [
        ([], ["*.allowed.localhost", "exact.localhost"], {ALLOWED, "exact.localhost"}),
        (["*"], ["*.allowed.localhost", "exact.localhost"], {ALLOWED, "exact.localhost"}),
        ([ALLOWED, BLOCKED], [ALLOWED], {ALLOWED}),
        (["*.localhost:9"], ["*.allowed.localhost:9", "exact.localhost:9"], set()),
    ],
)
def test_callers_only_narrow(operated, web, own, holds, open_hosts):
    """What both permit holds, and the record shows it."""
    api = operated.api
    room = new_room("operated")
    record = api.create(room, allowed_domains=own)
    try:
        assert record["allowed_domains"] == holds
        hosts = [ALLOWED, "exact.localhost", BLOCKED, "127.0.0.1", "localhost"]
        assert {host for host in hosts if reaches(api, room, web, host)} == open_hosts
    finally:
        api.close(room)


def test_nothing_in_common_is_refused(operated):
    """An empty rest would be no restriction at all."""
    body = {"room_name": new_room(), "allowed_domains": [BLOCKED]}
    error = assert_envelope(operated.api.request("POST", "/sessions", json=body), 403, "forbidden")
    assert "exact.localhost" in error["hint"]
    body = {"room_name": new_room(), "allowed_domains": ["*bad"]}
    assert_envelope(operated.api.request("POST", "/sessions", json=body), 400, "invalid_input")


@pytest.mark.parametrize("own", [None, [ALLOWED]])
def test_mcp_starts_within_the_fence(operated, web, own):
    """The tool takes a list, and without one the operator's holds too."""
    client = McpClient(http_server(operated), "auto")
    room = new_room("mcp-fence")
    try:
        client.do("start_browser_session", room_name=room, **({"allowed_domains": own} if own else {}))
        assert reaches(operated.api, room, web, ALLOWED)
        assert reaches(operated.api, room, web, "exact.localhost") == (own is None)
        assert not reaches(operated.api, room, web, BLOCKED)
    finally:
        operated.api.close(room)
        client.close()


@pytest.fixture(scope="module")
def names(ghostcast_bin):
    """Names that tests can lead elsewhere."""
    names = Names(ghostcast_bin)
    yield names
    names.close()


@pytest.fixture(scope="module")
def inland(names):
    """A service under those names."""
    with running_service(names.program) as service:
        yield service


@pytest.mark.root
def test_a_session_blocks_private_networks(inland, names, web):
    """Judged where the connection goes, whatever the name is and whatever it led to before."""
    api = inland.api
    names.say({REBOUND: [PUBLIC], MIXED: [PUBLIC, "127.0.0.1"]})
    with api.session(new_room("private"), block_private_networks=True) as room:
        assert api.record(room)["block_private_networks"] is True
        for host in ("127.0.0.1", "localhost", "x.localhost", "0.0.0.0", "[::1]", MIXED):
            assert not reaches(api, room, web, host), host
        # It leads to a public address: nobody is there, and nothing is refused.
        url = web.url("/still", host=REBOUND)
        result = api.act(room, "navigate", url=url, timeout_ms=1500)
        assert not result["success"] and result["error_kind"] != "blocked", result
        # Now the same name leads inside.
        names.say({REBOUND: ["127.0.0.1"]})
        time.sleep(LOOKUP_S)
        assert not reaches(api, room, web, REBOUND)
    with api.session(new_room("public")) as room:
        assert reaches(api, room, web, REBOUND), "without the fence the name leads to the server"


@pytest.mark.root
def test_pages_do_not_reach_private_networks_either(inland, names, web, other_web):
    """A public name that is rebound while its page is open gets nothing for the page's script."""
    names.say({REBOUND: ["127.0.0.1"], OWN: ["127.0.0.1"]})
    to = other_web.url("/still", host=REBOUND, mark="private")
    page = f"data:text/html,<script>fetch('{to}', {{mode: 'no-cors'}})</script>"
    with inland.api.session(new_room("script"), block_private_networks=True) as room:
        inland.api.do(room, "navigate", url=page)
        inland.api.do(room, "wait", seconds=1)
    assert not [r for r in other_web.requests() if r.query.get("mark") == "private"]
    with inland.api.session(new_room("script")) as room:
        inland.api.do(room, "navigate", url=page)
        wait_for(
            lambda: [r for r in other_web.requests() if r.query.get("mark") == "private"],
            5,
            "the same page works without the fence",
        )
        # The service itself is out of reach by any name.
        result = inland.api.fail(room, "navigate", "blocked", url=f"http://{OWN}:{inland.port}/health")
        assert "service" in result["error"]


def test_the_operator_blocks_private_networks(ghostcast_bin, web):
    """For every session, and no caller can lift it."""
    env = {"GHOSTCAST_BROWSER__BLOCK_PRIVATE_NETWORKS": "true"}
    with running_service(ghostcast_bin, env=env) as service:
        for wish in ({}, {"block_private_networks": False}, {"allowed_domains": ["127.0.0.1"]}):
            with service.api.session(**wish) as room:
                assert service.api.record(room)["block_private_networks"] is True
                assert not reaches(service.api, room, web, "127.0.0.1")
