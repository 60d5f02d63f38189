"""The service's sessions: made, found, kept and ended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ghostcast import (
    ActionFailed,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    NotFound,
    Unprocessable,
    Unsupported,
    VersionMismatch,
    _version,
)
from ghostcast.events import ActionError, parse_event

from .conftest import done, until
from .service import Service, free_port
from .website import Site

HOUR_S = 3600


async def test_a_session_is_as_it_was_asked_for(client: Any, name: str, site: Site) -> None:
    session = await done(
        client.create_session(
            name,
            url=f"{site.url}/",
            viewport={"width": 640, "height": 480},
            metadata={"who": "me"},
            dialogs="accept",
            allowed_domains=["127.0.0.1"],
            fps=5,
        )
    )
    record = session.record
    assert session.session_name == name and session.room_name is None and session.is_active
    assert not session.reused
    assert record.current_url == f"{site.url}/" and record.title == "Home"
    assert (record.viewport.width, record.viewport.height, record.fps) == (640, 480, 5)
    assert record.metadata == {"who": "me"} and record.dialogs == "accept"
    assert record.allowed_domains == ["127.0.0.1"]
    assert await done(session.execute_js("[innerWidth, innerHeight]")) == [640, 480]
    assert [one.session_id for one in await done(client.list_sessions())] == [session.session_id]
    assert name in repr(session)


async def test_the_viewport_of_a_named_session_is_1920_by_1080(client: Any, name: str) -> None:
    session = await done(client.create_session(name))
    assert await done(session.execute_js("[innerWidth, innerHeight]")) == [1920, 1080]


async def test_a_session_of_a_room_alone(client: Any, name: str) -> None:
    session = await done(client.create_session(room_name=name))
    assert session.room_name == name and session.session_name is None
    assert (await done(client.get_session(name))).session_id == session.session_id
    assert await done(client.get_session_by_name(name)) is None, "a room is no name"


async def test_one_name_is_one_session(client: Any, name: str) -> None:
    first = await done(client.create_session(name))
    with pytest.raises(Conflict) as refused:
        await done(client.create_session(name))
    assert refused.value.kind == "conflict" and refused.value.status == 409 and refused.value.hint
    again = await done(client.create_session(name, reuse=True))
    ensured = await done(client.ensure_session(name))
    assert first.session_id == again.session_id == ensured.session_id
    assert again.reused and ensured.reused


async def test_who_looks_by_name(client: Any, name: str) -> None:
    assert await done(client.get_session_by_name(name)) is None
    session = await done(client.create_session(name))
    found = await done(client.get_session_by_name(name))
    assert found.session_id == session.session_id and found.is_active
    assert await done(client.get_session_by_name(session.session_id)) is None, "an id is no name"
    assert await done(client.get_session_by_name("no/such name")) is None
    with pytest.raises(NotFound) as missing:
        await done(client.get_session("nobody"))
    assert missing.value.status == 404 and missing.value.request_id


async def test_what_cannot_be_made_is_refused(client: Any, name: str) -> None:
    wrong: list[tuple[type[Exception], dict[str, Any]]] = [
        (InvalidInput, {"no_such_field": 1}),
        (InvalidInput, {"fps": 1000}),
        (Unsupported, {"browser_type": "firefox"}),
        (Unprocessable, {"livekit_url": "wss://elsewhere.example"}),
    ]
    for error, fields in wrong:
        with pytest.raises(error):
            await done(client.create_session(name, **fields))
    assert await done(client.list_sessions()) == []


async def test_a_session_without_any_name_is_refused(client: Any) -> None:
    with pytest.raises(Unprocessable):
        await done(client.create_session())


async def test_sessions_outlive_their_client(form: Any, client: Any, service: Service, name: str) -> None:
    if hasattr(client, "__aenter__"):
        async with form(service.url) as short:
            made = await short.create_session(name)
    else:
        with form(service.url) as short:
            made = short.create_session(name)
    found = await done(client.get_session_by_name(name))
    assert found.session_id == made.session_id and found.is_active
    assert await done(found.execute_js("1 + 1")) == 2


async def test_health(client: Any, service: Service) -> None:
    health = await done(client.server_health())
    assert health.status == "healthy" and health.reasons == [] and health.version
    assert client.base_url == service.url


async def test_a_service_of_another_version_is_said_once(
    client: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_version, "__version__", "9.1.7")
    with pytest.warns(VersionMismatch, match=r"is 9\.1\.7, and the service at http.* is \d") as told:
        await done(client.create_session(room_name=name))
    assert len(told) == 1
    # Every warning is an error here.
    await done(client.get_session(name))
    assert _version.mismatch("9.1.0", client.base_url) is None and _version.mismatch("", "") is None


async def test_health_of_a_service_that_is_stopped(form: Any) -> None:
    client = form(f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(ConnectionFailed) as lost:
        await done(client.server_health())
    assert isinstance(lost.value, ConnectionError) and not lost.value.may_have_been_done
    assert time.monotonic() - began < 2, "a stopped service is not waited for"
    await done(client.close())


async def test_stats(client: Any, name: str) -> None:
    before = await done(client.stats())
    session = await done(client.create_session(name))
    await done(session.act("refresh"))
    after = await done(client.stats())
    assert after.uptime_s >= before.uptime_s > 0 and after.version
    assert sum(after.sessions.values()) == after.sessions_total == before.sessions_total + 1
    assert after.sessions_active == 1 and after.sessions["live"] == 1
    (cost,) = after.per_session
    assert cost.session_id == session.session_id and cost.session_name == name and cost.actions >= 1
    assert cost.pss_bytes > 0
    assert [session.session_id] in [browser.sessions for browser in after.browsers]
    assert after.service.pss_bytes > 0 and any(one.path == "/stats" for one in after.requests)


async def test_cleanup_ends_what_is_old_and_nothing_else(client: Any, name: str) -> None:
    old = await done(client.create_session(name))
    time.sleep(3.0)
    fresh = await done(client.create_session(f"{name}-fresh"))
    age_hours = 2.5 / HOUR_S
    would = await done(client.cleanup_sessions(age_hours, dry_run=True))
    assert [record.session_id for record in would.deleted] == [old.session_id]
    assert (await done(old.refresh())).active, "a dry run ends nothing"
    did = await done(client.cleanup_sessions(max_age_hours=age_hours, profiles=True))
    assert [record.session_id for record in did.deleted] == [old.session_id]
    assert did.deleted_count == 1 and did.kept == 1
    assert await done(client.get_session_by_name(name)) is None
    assert (await done(fresh.refresh())).active
    assert (await done(client.cleanup_sessions())).deleted == [], "24 hours are not over"


async def test_what_ended_a_session_is_known(client: Any, name: str, site: Site) -> None:
    with pytest.raises(NotFound):
        await done(client.ended_session(name))
    kept = await done(client.create_session(name, url=f"{site.url}/"))
    with pytest.raises(ActionFailed):
        await done(kept.click(9_999))
    title = await done(kept.execute_js("document.title"))
    await done(kept.close())
    lone = await done(client.create_session(room_name=f"{name}-lone"))
    await done(client.cleanup_sessions(0))
    one = await done(client.ended_session(name))
    assert one == await done(client.ended_session(kept.session_id))
    assert (one.session_id, one.session_name, one.room_name) == (kept.session_id, name, None)
    assert (one.reason, one.state) == ("closed", "closed") and one.detail
    assert (one.current_url, one.title) == (f"{site.url}/", title)
    assert (one.actions, one.actions_failed) == (2, 1) and one.recordings == []
    assert one.created_at < one.ended_at and one.last_activity <= one.ended_at
    assert one.viewers.whep == 0 and not one.viewers.livekit
    events = [parse_event(fields) for fields in one.last_events]
    failed = [event for event in events if isinstance(event, ActionError)]
    assert [event.action.action_type for event in failed] == ["click"]
    listed = await done(client.ended())
    ours = [ended for ended in listed if name in (ended.session_name, (ended.room_name or "")[: len(name)])]
    assert [ended.session_id for ended in ours] == [lone.session_id, kept.session_id], "the newest first"
    assert ours[0].reason == "cleanup" and ours[0].last_events is None


@pytest.mark.parametrize("profile", [False, True])
async def test_a_profile_stays_unless_it_is_to_go(client: Any, name: str, site: Site, profile: bool) -> None:
    session = await done(client.create_session(name, url=f"{site.url}/"))
    await done(session.execute_js("document.cookie = 'kept=1; max-age=3600'"))
    gone = await done(client.delete_session(name, profile=profile))
    assert gone.session_id == session.session_id and not gone.active
    with pytest.raises(NotFound):
        await done(client.delete_session(session.session_id))
    again = await done(client.create_session(name, url=f"{site.url}/"))
    assert again.session_id != session.session_id
    cookie = await done(again.execute_js("document.cookie"))
    assert cookie == ("" if profile else "kept=1")


async def test_storage_none_keeps_nothing(client: Any, name: str, site: Site) -> None:
    session = await done(client.create_session(name, url=f"{site.url}/", storage="none"))
    await done(session.execute_js("document.cookie = 'kept=1; max-age=3600'"))
    await done(session.close())
    again = await done(client.create_session(name, url=f"{site.url}/", storage="none"))
    assert await done(again.execute_js("document.cookie")) == ""


async def test_sessions_are_isolated(client: Any, name: str, site: Site) -> None:
    one = await done(client.create_session(room_name=f"{name}-1", url=f"{site.url}/"))
    other = await done(client.create_session(room_name=f"{name}-2", url=f"{site.url}/"))
    await done(one.execute_js("document.cookie = 'mine=1'"))
    assert await done(other.execute_js("document.cookie")) == ""


async def test_secrets_are_typed_and_never_told(client: Any, name: str, site: Site) -> None:
    made = client.create_session(
        name, url=f"{site.url}/", secrets={"word": {"value": "hunter22", "origins": [site.url]}}
    )
    session = await done(made)
    result = await done(session.fill("#field", "{{word}}"))
    assert "hunter22" not in result.model_dump_json()
    read = await done(session.execute_js("document.querySelector('#field').value.length"))
    assert read == len("hunter22")


async def test_storage_state_goes_from_one_session_to_another(
    client: Any, name: str, site: Site, tmp_path: Path
) -> None:
    one = await done(client.create_session(room_name=f"{name}-1", url=f"{site.url}/"))
    await done(one.execute_js("document.cookie = 'moved=1; max-age=3600'; localStorage.word = 'moved'"))
    opened = "new Promise((done) => { indexedDB.open('moved', 2).onsuccess = () => done(1); })"
    assert await done(one.execute_js(opened)) == 1
    state = await done(one.storage_state())
    assert state["origins"][0]["indexedDB"] == [{"name": "moved", "version": 2, "stores": []}]
    assert "indexedDB" not in (await done(one.storage_state(indexed_db=False)))["origins"][0]
    assert [cookie["name"] for cookie in state["cookies"]] == ["moved"]
    read = "[document.cookie, localStorage.word]"
    other = await done(client.create_session(room_name=f"{name}-2", url=f"{site.url}/", storage_state=state))
    assert await done(other.execute_js(read)) == ["moved=1", "moved"]
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state))
    third = await done(client.create_session(room_name=f"{name}-3", url=f"{site.url}/", storage_state=file))
    assert await done(third.execute_js(read)) == ["moved=1", "moved"]


async def test_a_session_that_nobody_uses_ends(client: Any, name: str) -> None:
    session = await done(client.create_session(name, idle_timeout_s=1, max_lifetime_s=HOUR_S))
    assert (session.record.idle_timeout_s, session.record.max_lifetime_s) == (1, HOUR_S)

    async def is_over() -> bool:
        known = await done(client.get_session_by_name(session.session_name))
        return known is None or not known.is_active

    await until(is_over, 15, "it ends by itself")


async def test_a_person_is_asked_for_and_comes_by_a_link(client: Any, name: str, site: Site) -> None:
    session = await done(client.create_session(room_name=name, url=f"{site.url}/"))
    link = await done(session.request_human("Log in, please.", wait_s=60))
    assert "/takeover/gcs_" in link
    record = await done(session.refresh())
    assert record.control.owner == "nobody"
    assert record.control.request.reason == "Log in, please."
    made = await done(session.takeover(role="watch", ttl_s=60, name="Ada"))
    assert made.url != link
    # That of the request is one of them.
    assert await done(session.revoke_takeovers()) == 2
