"""Logins go out of a session and into another one, in Playwright's own form."""

import pytest

from support.api import assert_envelope, new_room
from support.kept import Site, known_as, start
from support.service import running_service


@pytest.fixture
def site():
    """A site that knows its visitors."""
    site = Site()
    yield site
    site.close()


def state_of(api, key):
    """What sites know the session by."""
    answer = api.get(f"/sessions/{key}/storage_state")
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_a_login_goes_from_one_session_to_another(lone_api, site, web):
    """Cookies of all kinds and localStorage, also of a site that no tab shows any more."""
    first, second = new_room(), new_room()
    with lone_api.session(first, initial_url=site.login("Ada")):
        assert "storage Ada" in known_as(lone_api, first)
        lone_api.do(first, "navigate", url=web.url("/still"))
        state = state_of(lone_api, first)
        assert lone_api.context(first)["tabs"] and lone_api.record(first)["page_count"] == 1
    cookies = {cookie["name"]: cookie for cookie in state["cookies"]}
    assert set(cookies) == {"here", "known"}, state
    assert cookies["here"]["expires"] == -1 and cookies["here"]["httpOnly"], cookies
    assert cookies["known"]["expires"] > 1.7e9 and cookies["known"]["sameSite"] == "Lax"
    assert cookies["here"]["domain"] == "127.0.0.1" and cookies["here"]["path"] == "/"
    items = [{"name": "who", "value": "Ada"}]
    assert state["origins"] == [{"origin": site.base, "localStorage": items}], state
    with lone_api.session(second, initial_url=site.base, storage_state=state):
        says = known_as(lone_api, second)
        assert says.startswith("cookies here=Ada known=Ada, storage Ada"), says
        again = state_of(lone_api, second)
        # What a browser rounds is the same moment.
        for cookie in [*again["cookies"], *state["cookies"]]:
            cookie["expires"] = round(cookie["expires"])
        assert again == state


@pytest.mark.alone
def test_a_kept_session_knows_where_it_was(ghostcast_bin, site, web):
    """After a restart too; the values are nowhere but in the profile, and a live session takes none."""
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        start(api, "kept", initial_url=site.login("Grace-of-the-state"))
        known_as(api, "kept")
        api.do("kept", "navigate", url=web.url("/still"))
        state = state_of(api, "kept")
        assert [origin["origin"] for origin in state["origins"]] == [site.base]
        refused = api.request("POST", "/sessions", json={"session_name": "kept", "storage_state": state})
        assert_envelope(refused, 409, "conflict")
        api.wait_record("kept", lambda record: "still" in record["current_url"], 5, "it is there")
        start(api, "fresh", storage_state=state, initial_url=site.base)
        assert "storage Grace-of-the-state" in known_as(api, "fresh")
        directory = ghostcast.home / "state"
        assert b"Grace-of-the-state" not in (directory / "ghostcast.db").read_bytes()
        assert "Grace-of-the-state" not in ghostcast.log()
        assert "Grace" not in str(api.record("fresh"))


def test_what_cannot_be_put_in_is_refused(lone_api):
    """No session is left of it."""
    cookie = {"name": "a", "value": "b", "domain": "example.com", "path": "/"}
    for state, status, kind in (
        ({"cookies": [{**cookie, "domain": ""}]}, 400, "invalid_input"),
        ({"cookies": [{**cookie, "sameSite": "Sometimes"}]}, 400, "invalid_input"),
        ({"origins": [{"origin": "example.com"}]}, 400, "invalid_input"),
        ({"origins": [{"origin": "https://a.test", "indexedDB": [{}]}]}, 422, "unsupported"),
        ({"cookies": [{**cookie, "name": "__Host-x"}]}, 422, "unprocessable"),
        # More than other bodies may have, and less than a browser stores of one origin.
        ({"origins": [{"origin": "https://a.test", "localStorage": [
            {"name": "k", "value": "x" * 1_000_000}]}]}, 201, None),
        ({"origins": [{"origin": "https://a.test", "localStorage": [
            {"name": "k", "value": "x" * 9_000_000}]}]}, 422, "unprocessable"),
    ):  # fmt: skip
        room = new_room()
        answer = lone_api.request("POST", "/sessions", json={"room_name": room, "storage_state": state})
        if kind:
            assert_envelope(answer, status, kind)
            assert lone_api.request("GET", f"/sessions/{room}").status_code == 404
        else:
            assert answer.status_code == status, answer.text
            lone_api.close(room)
