"""Sessions with a name: found again, with all that sites know them by, after whatever happened."""

import concurrent.futures
import contextlib
import os
import signal
import stat
import subprocess
import threading
import time

import httpx
import pytest

from support import procs
from support.api import assert_envelope, new_room
from support.cdp import Tab
from support.kept import KEPT_WITHIN_S, browser_of, file_of, known_as, rows, start, whole
from support.service import STATE_ENV, Ghostcast, clean_env, free_port
from support.wait import wait_for

# Browsers of their own are started and killed by the dozen: what others time beside it would suffer.
pytestmark = pytest.mark.alone


def test_a_second_caller_finds_the_same_session(house, site):
    """By name, by id, the same page and the same state of it."""
    service = house()
    api = service.api
    first = start(api, "shop", initial_url=site.login("ada"), metadata={"team": "a"})
    assert first["viewport"] == {"width": 1920, "height": 1080} and first["active"]
    assert first["room_name"] is None and first["livekit"] == "none"
    assert known_as(api, "shop") == whole("ada")
    again = start(api, "shop", status=200)
    assert again["session_id"] == first["session_id"]
    assert again["current_url"] == first["current_url"]
    assert again["metadata"] == {"team": "a"}
    for key in ("shop", first["session_id"]):
        assert api.record(key)["session_id"] == first["session_id"]
    refusal = api.request("POST", "/sessions", json={"session_name": "shop", "reuse": False})
    assert_envelope(refusal, 409, "conflict")
    # The browser of a profile is its owner's alone.
    mode = stat.S_IMODE((service.state / "profiles" / "shop").stat().st_mode)
    assert mode == 0o700
    assert not service.stop()


def test_names_and_rooms_are_one_set_of_keys(house):
    """What is found by a key is one session; a name is no room's, nor the other way round."""
    service = house()
    api = service.api
    start(api, "both", room_name="a-room")
    assert api.record("a-room")["session_name"] == "both"
    start(api, "alone")
    for spec in (
        {"session_name": "a-room"},
        {"room_name": "alone"},
        {"room_name": "both"},
        {"room_name": "a-room"},
        {"session_name": "both", "room_name": "other-room"},
    ):
        assert_envelope(api.request("POST", "/sessions", json=spec), 409, "conflict")
    for spec in ({}, {"session_name": None, "room_name": None}, {"storage": "profile", "room_name": "x"}):
        assert_envelope(api.request("POST", "/sessions", json=spec), 422, "unprocessable")
    for spec in ({"browser_type": "firefox"}, {"browser_type": "webkit"}, {"headless": False}):
        answer = api.request("POST", "/sessions", json={"session_name": "new", **spec})
        assert_envelope(answer, 422, "unsupported")
    for name in ("", ".", "..", "a/b", "a b", "ä", "x" * 129):
        answer = api.request("POST", "/sessions", json={"session_name": name})
        assert_envelope(answer, 400, "invalid_input")
    assert not service.stop()


def test_the_viewport_may_come_in_one_piece(house):
    """As an object, or flat; not both with different sizes."""
    service = house()
    api = service.api
    record = start(api, "sized", viewport={"width": 800, "height": 600})
    assert record["viewport"] == {"width": 800, "height": 600}
    both = {"viewport": {"width": 800, "height": 600}, "viewport_width": 640}
    answer = api.request("POST", "/sessions", json={"session_name": "two", **both})
    assert_envelope(answer, 400, "invalid_input")
    answer = api.request(
        "POST", "/sessions", json={"session_name": "two", "viewport": {"width": 8, "height": 600}}
    )
    assert_envelope(answer, 400, "invalid_input")
    assert not service.stop()


def test_a_restart_brings_everything_back(house, site):
    """Cookies without an expiry, storage, database, worker, URL, tabs, metadata."""
    service = house()
    first = start(
        service.api, "desk", initial_url=site.login("bob"), metadata={"n": 1}, allowed_domains=["127.0.0.1"]
    )
    assert known_as(service.api, "desk") == whole("bob")
    assert service.api.act("desk", "new_tab", url=f"{site.base}/?second")["success"]
    assert service.api.act("desk", "switch_tab", tab=1)["success"]
    assert not service.stop()
    service = house(port=service.port)
    api = service.api
    stored = api.record("desk")
    assert stored["state"] == "stored" and not stored["active"], stored
    assert stored["session_id"] == first["session_id"] and stored["metadata"] == {"n": 1}
    with pytest.raises(AssertionError):
        browser_of(service, "desk")
    assert file_of(service.registry)["active_sessions"] == []
    # The first use brings it back.
    assert known_as(api, "desk") == whole("bob")
    record = api.record("desk")
    assert record["state"] == "live" and record["created_at"] == first["created_at"]
    assert record["allowed_domains"] == ["127.0.0.1"]
    assert record["page_count"] == 2, record
    urls = [tab["url"] for tab in api.get("/sessions/desk/context").json()["tabs"]]
    assert urls == [site.login("bob"), f"{site.base}/?second"], urls
    # What is refused to it stays refused.
    refused = api.act("desk", "navigate", url="http://elsewhere.test/")
    assert refused["error_kind"] == "blocked", refused
    assert not service.stop()


def test_a_killed_browser_comes_back_by_itself(house, site):
    """On the same profile and page, told, and still logged in."""
    service = house()
    api = service.api
    first = start(api, "crash", initial_url=site.login("eve"))
    assert known_as(api, "crash") == whole("eve")
    time.sleep(KEPT_WITHIN_S)
    with api.events("crash") as events:
        api.submit("crash", "wait", seconds=20)
        os.kill(browser_of(service, "crash"), signal.SIGKILL)
        told = events.wait("browser_error", 5)
        assert "started again" in told["error"], told
        # So is the action that it took along: nobody is sent away to start another session.
        failed = events.wait("action_error", 5)
        assert "started again by itself" in failed["error"], failed
        assert "new session" not in failed["error"] and "this room" not in failed["error"], failed
        api.wait_record("crash", lambda record: record["state"] == "live", 10, "it lives again")
    again = api.record("crash")
    assert again["session_id"] == first["session_id"]
    assert known_as(api, "crash") == whole("eve")
    assert not service.stop()


def test_a_browser_that_dies_over_and_over_stays_dead(house, site):
    """At most three times in ten minutes; then it is failed, and a caller may still have it back."""
    service = house()
    api = service.api
    start(api, "dies", initial_url=site.base)
    for _ in range(3):
        os.kill(browser_of(service, "dies"), signal.SIGKILL)
        time.sleep(0.3)
        api.wait_record("dies", lambda record: record["state"] == "live", 10, "it lives again")
    os.kill(browser_of(service, "dies"), signal.SIGKILL)
    dead = api.wait_record("dies", lambda record: record["state"] == "failed", 10, "it is failed")
    assert not dead["active"]
    time.sleep(1)
    assert api.record("dies")["state"] == "failed"
    assert start(api, "dies", status=200)["state"] == "live"
    assert not service.stop()


def test_kill_9_of_service_and_browsers(house, site):
    """All of several sessions are logged in after both are killed, by all that sites go by."""
    service = house()
    names = [f"user{number}" for number in range(4)]
    for name in names:
        start(service.api, name, initial_url=site.login(name))
    for name in names:
        assert known_as(service.api, name) == whole(name)
    time.sleep(KEPT_WITHIN_S)
    acknowledged = rows(service.state)
    assert set(acknowledged) == set(names)
    service.kill()
    service = house(port=service.port)
    listed = {one["session_name"]: one for one in service.api.get("/sessions").json()["sessions"]}
    assert {name: one["session_id"] for name, one in listed.items()} == acknowledged
    for name in names:
        record = start(service.api, name, status=200)
        assert record["session_id"] == acknowledged[name]
        assert known_as(service.api, name) == whole(name)
    assert not service.stop()


def test_a_killed_service_leaves_no_browser_that_holds_a_profile(house, site):
    """The next run ends what the dead one left running, and takes the profile over."""
    service = house()
    start(service.api, "orphan", initial_url=site.login("joe"))
    assert known_as(service.api, "orphan") == whole("joe")
    time.sleep(KEPT_WITHIN_S)
    orphan = browser_of(service, "orphan")
    os.kill(service.pid, signal.SIGKILL)
    service.process.wait()
    service.forget()
    assert procs.is_alive(orphan)
    service = house(port=service.port)
    # Before anybody asks for the session.
    wait_for(lambda: not procs.is_alive(orphan), 2, "the orphan is ended")
    assert known_as(service.api, "orphan") == whole("joe")
    assert not service.stop()


def test_no_acknowledged_session_is_lost(house):
    """Killed while it writes, the database and the JSON file read, with all that was told."""
    service = house()
    for round_ in range(5):
        told, errors = [], []

        def create(number, service=service, told=told, errors=errors, round_=round_):
            try:
                told.append(start(service.api, f"n{round_}-{number}", storage="none")["session_name"])
            except Exception as error:  # noqa: BLE001 the service is being killed
                errors.append(error)

        threads = [threading.Thread(target=create, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05 + 0.12 * round_)
        service.kill()
        for thread in threads:
            thread.join()
        file_of(service.registry)
        assert set(told) <= set(rows(service.state)), (told, rows(service.state))
        service = house(port=service.port)
        listed = {one["session_name"] for one in service.api.get("/sessions").json()["sessions"]}
        assert set(told) <= listed
        for name in listed:
            assert service.api.close(name).status_code == 200
    assert not service.stop()


def test_one_name_at_the_same_instant_is_one_session(house):
    """Two callers who create the same name both get the one session."""
    service = house()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for number in range(5):
            spec = {"session_name": f"twin{number}", "storage": "none"}
            sent = [pool.submit(service.api.request, "POST", "/sessions", json=spec) for _ in range(4)]
            answers = [one.result() for one in sent]
            codes = sorted(answer.status_code for answer in answers)
            assert codes == [200, 200, 200, 201], [answer.text for answer in answers]
            assert len({answer.json()["session_id"] for answer in answers}) == 1
            service.api.close(f"twin{number}")
    assert not service.stop()


def test_deleting_keeps_the_profile_unless_it_is_asked_for(house, site):
    """The record goes, the browser goes, the logins stay; or go as well."""
    service = house()
    api = service.api
    first = start(api, "gone", initial_url=site.login("kim"))
    assert known_as(api, "gone") == whole("kim")
    browser = browser_of(service, "gone")
    assert api.close("gone").json()["state"] == "closed"
    assert not procs.is_alive(browser)
    assert_envelope(api.request("GET", "/sessions/gone"), 404, "not_found")
    assert rows(service.state) == {}
    again = start(api, "gone", initial_url=site.base)
    assert again["session_id"] != first["session_id"]
    assert known_as(api, "gone") == whole("kim")
    answer = api.request("DELETE", "/sessions/gone", params={"profile": "delete"})
    assert answer.status_code == 200
    assert not (service.state / "profiles" / "gone").exists()
    start(api, "gone", initial_url=site.base)
    assert known_as(api, "gone") == "cookies , storage null, database undefined, workers 0"
    assert not service.stop()


def test_a_stopped_browser_is_deleted_all_the_same(house, site):
    """A browser that does not answer, by SIGSTOP, is ended within ten seconds."""
    service = house()
    start(service.api, "stuck", initial_url=site.base)
    browser = browser_of(service, "stuck")
    os.kill(browser, signal.SIGSTOP)
    began = time.monotonic()
    assert service.api.close("stuck").status_code == 200
    took = time.monotonic() - began
    assert took < 10 and not procs.is_alive(browser), took
    assert not service.stop()


def test_the_second_service_on_a_state_directory_refuses(house, ghostcast_bin):
    """And names the first; nothing of it is disturbed."""
    service = house()
    command = [ghostcast_bin, "serve", "--listen", f"127.0.0.1:{free_port()}"]
    command += ["--state-dir", str(service.state)]
    done = subprocess.run(
        command, env=clean_env(), capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode == 1
    assert f"pid {service.pid} since" in done.stderr and "--state-dir" in done.stderr, done.stderr
    assert service.api.get("/health").json()["status"] == "healthy"
    assert not service.stop()


def test_a_second_service_that_was_given_no_directory(house, ghostcast_bin, tmp_path):
    """It runs, and says whose the sessions with a name are; and has them when it is alone."""
    usual = {"XDG_STATE_HOME": str(tmp_path / "home"), STATE_ENV: ""}
    first = Ghostcast(ghostcast_bin, env=usual).start()
    second = Ghostcast(ghostcast_bin, env=usual).start()
    try:
        assert start(first.api, "mine", storage="none")["state"] == "live"
        assert second.api.get("/health").json()["status"] == "healthy"
        with second.api.session() as room:
            assert second.api.record(room)["state"] == "live"
        answer = second.api.request("POST", "/sessions", json={"session_name": "mine"})
        refusal = assert_envelope(answer, 503, "unavailable")
        assert f"pid {first.pid} since" in refusal["message"], refusal
        assert not first.stop() and not second.stop()
        third = Ghostcast(ghostcast_bin, env=usual).start()
        assert start(third.api, "mine", status=200)["state"] == "live"
        assert not third.stop()
    finally:
        for one in (first, second):
            if one in Ghostcast.running:
                one.kill()


def test_a_registry_that_cannot_be_written(house, tmp_path):
    """Sessions of rooms go on; a session with a name is refused with the reason, which health has."""
    (tmp_path / "state").write_text("a file where the directory should be")
    service = house()
    api = service.api
    health = api.get("/health").json()
    assert health["status"] == "degraded" and "kept on disk" in health["reasons"][0], health
    answer = api.request("POST", "/sessions", json={"session_name": "kept"})
    refusal = assert_envelope(answer, 503, "unavailable")
    assert "registry" in refusal["message"] and refusal["hint"], refusal
    with api.session() as room:
        assert api.record(room)["state"] == "live"
    assert [one["state"] for one in api.get("/sessions").json()["sessions"]] == []
    assert not service.stop()


def test_a_profile_that_chromium_refuses_is_set_aside(house, site):
    """It is never deleted; the session begins anew, with its cookies, and the log says so."""
    service = house()
    start(service.api, "broken", initial_url=site.login("lea"))
    assert known_as(service.api, "broken") == whole("lea")
    assert not service.stop()
    profile = service.state / "profiles" / "broken"
    (profile / "chromium" / "DevToolsActivePort").unlink(missing_ok=True)
    shutil_into_file(profile / "chromium" / "Default")
    service = house(port=service.port)
    record = start(service.api, "broken", status=200)
    assert record["state"] == "live", record
    assert "cookies here=lea known=lea" in known_as(service.api, "broken")
    aside = [entry for entry in profile.iterdir() if entry.name.startswith("chromium.refused-")]
    assert len(aside) == 1 and (aside[0] / "was").is_dir(), aside
    assert aside[0].name in service.log()
    assert not service.stop()


def shutil_into_file(directory):
    """A directory that Chromium needs becomes a file."""
    directory.rename(directory.with_name("was"))
    directory.write_text("no directory")


def test_the_json_file_shows_the_registry(house, site):
    """The fields, their values, and each change of them."""
    service = house()
    api, room = service.api, new_room("listed")
    kept = start(api, "listed", initial_url=f"{site.base}/", metadata={"k": [1, {"x": None}]})
    api.create(room)

    def entry(accept):
        def look():
            return file_of(service.registry)["sessions"].get(kept["session_id"], {})

        return wait_for(look, 5, "the file shows it", accept=accept)

    one = entry(lambda one: one.get("current_url") == f"{site.base}/")
    assert set(one) == {
        "session_id", "session_name", "created_at", "last_activity", "current_url", "active",
        "page_count", "metadata",
    }  # fmt: skip
    assert one["session_name"] == "listed" and one["metadata"] == {"k": [1, {"x": None}]}
    ids = {record["session_id"] for record in api.get("/sessions").json()["sessions"]}
    wait_for(lambda: set(file_of(service.registry)["sessions"]) == ids, 5, "both lists agree")
    before = file_of(service.registry)["last_updated"]
    assert api.act("listed", "new_tab", url=f"{site.base}/?two")["success"]
    two = entry(lambda one: one["page_count"] == 2)
    assert two["last_activity"] > one["last_activity"] and two["current_url"].endswith("?two")
    assert file_of(service.registry)["last_updated"] > before
    api.close(room)
    wait_for(
        lambda: set(file_of(service.registry)["sessions"]) == {kept["session_id"]}, 5, "it is gone"
    )
    assert not service.stop()
    assert file_of(service.registry)["active_sessions"] == []


def test_old_sessions_are_cleaned_up(house):
    """By their last activity, alive or stored; the young ones stay; profiles by wish."""
    service = house()
    start(service.api, "stored")
    assert not service.stop()
    service = house(port=service.port)
    api = service.api
    start(api, "old")
    time.sleep(1.2)
    start(api, "young")
    age = 1 / 3600
    asked = {"max_age_hours": age, "dry_run": True}
    told = api.request("POST", "/sessions/cleanup", json=asked).json()
    assert {one["session_name"] for one in told["deleted"]} == {"stored", "old"} and told["kept"] == 1
    assert len(api.get("/sessions").json()["sessions"]) == 3
    asked = {"max_age_hours": age, "profiles": True}
    done = api.request("POST", "/sessions/cleanup", json=asked).json()
    assert {one["session_name"] for one in done["deleted"]} == {"stored", "old"} and done["kept"] == 1
    assert [one["session_name"] for one in api.get("/sessions").json()["sessions"]] == ["young"]
    assert set(rows(service.state)) == {"young"}
    assert [entry.name for entry in (service.state / "profiles").iterdir()] == ["young"]
    for age in (-1, 1e300):
        answer = api.request("POST", "/sessions/cleanup", json={"max_age_hours": age})
        assert_envelope(answer, 400, "invalid_input")
    assert not service.stop()


def test_what_runs_is_not_told_as_fenced(house):
    """A live session is no answer to whom it gives less safety than asked for."""
    service = house()
    api = service.api
    fence = ["b.test", "a.test"]
    start(api, "loose")
    start(api, "tight", allowed_domains=fence, block_private_networks=True, secrets={"pin": "4711-0815"})
    for spec in (
        {"allowed_domains": ["a.test"]},
        {"block_private_networks": True},
    ):
        answer = api.request("POST", "/sessions", json={"session_name": "loose", **spec})
        assert_envelope(answer, 409, "conflict")
    for spec in (
        {},
        {"allowed_domains": fence[::-1]},
        {"allowed_domains": ["*.test", *fence], "block_private_networks": True},
        {"secrets": {"pin": "4711-0815"}},
    ):
        assert start(api, "tight", status=200, **spec)["allowed_domains"] == fence
    answer = api.request(
        "POST", "/sessions", json={"session_name": "tight", "allowed_domains": ["a.test"]}
    )
    assert_envelope(answer, 409, "conflict")
    assert not service.stop()


def test_secrets_are_asked_for_again(house, web):
    """Labels come back and values do not: who types one hears what to do, and a live session takes more."""
    web.files["/field.html"] = b"<!doctype html><title>field</title><label>Word <input id=word></label>"
    service = house()
    api, first, other = service.api, "hush-hush-77", "quite-other-88"
    start(api, "forgets", initial_url=web.url("/field.html"), secrets={"word": first})

    def typed(text):
        done = api.act("forgets", "type", clear=True, index=api.index_of("forgets", "Word"), text=text)
        said = api.request(
            "POST", "/sessions/forgets/execute", json={"script": "word.value.length"}
        )
        return done, said.json()["result"]

    done, length = typed("{{word}}")
    assert length == len(first), done
    assert not service.stop()
    service = house(port=service.port)
    api = service.api
    done, length = typed("{{word}}")
    assert (done["error_kind"], length) == ("unknown_secret", 0), done
    assert "POST /sessions" in done["error"] and "word" in done["error"]
    assert typed("{{never}}")[0]["error"] != done["error"]
    start(api, "forgets", status=200, secrets={"word": first})
    assert typed("{{word}}")[1] == len(first)
    # Another value takes the place of the one before, and neither is told.
    start(api, "forgets", status=200, secrets={"word": other, "more": "and-more-99"})
    assert typed("{{word}}{{more}}")[1] == len(other) + len("and-more-99")
    typed(first)
    assert first not in api.get("/sessions/forgets/context").text
    assert not service.stop()
    service = house(port=service.port)
    api = service.api
    assert "no value any more" in typed("{{more}}")[0]["error"]
    assert not service.stop()
    for path in [*service.state.glob("ghostcast.db*"), service.registry]:
        for value in (first, other):
            assert value.encode() not in path.read_bytes(), path


def test_no_secret_is_in_the_registry(house, site):
    """Neither its value nor an address with it, in no file of the registry; it is there after a crash."""
    service = house()
    api, value = service.api, "s3cr3t-9f2c"
    start(api, "safe", initial_url=site.base, secrets={"word": value})
    api.act("safe", "navigate", url=f"{site.base}/?word={value}")
    api.act("safe", "new_tab", url=f"{site.base}/?other={value}")
    time.sleep(KEPT_WITHIN_S)
    os.kill(browser_of(service, "safe"), signal.SIGKILL)
    time.sleep(0.5)
    api.wait_record("safe", lambda record: record["state"] == "live", 10, "it lives again")
    # What a page says of it is masked still.
    assert api.act("safe", "navigate", url=f"{site.base}/?word={value}")["success"]
    assert value not in api.get("/sessions/safe/context").text
    assert not service.stop()
    files = [*service.state.glob("ghostcast.db*"), service.registry]
    assert len(files) >= 2
    for path in files:
        assert value.encode() not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_page_that_is_not_permitted_is_not_come_back_to(house, site):
    """A session whose last page was refused comes back all the same."""
    service = house()
    start(service.api, "strayed", initial_url=site.base, allowed_domains=["127.0.0.1"])
    script = "location.href = 'http://elsewhere.test/'"
    service.api.request("POST", "/sessions/strayed/execute", json={"script": script})
    service.api.wait_record("strayed", lambda record: record["page_error"], 5, "it is refused")
    assert not service.stop()
    service = house(port=service.port)
    assert start(service.api, "strayed", status=200)["state"] == "live"
    assert not service.stop()


def test_a_session_that_failed_is_stored_in_the_end(house, site):
    """What is kept of it is not forgotten with the time in which it can be seen why it failed."""
    service = house(GHOSTCAST_SESSION__FAILED_KEPT_MS="700")
    api = service.api
    first = start(api, "fails", initial_url=site.base, metadata={"n": 1})
    for _ in range(4):
        os.kill(browser_of(service, "fails"), signal.SIGKILL)
        time.sleep(0.3)
        state = ("live", "failed", "stored")
        api.wait_record("fails", lambda record: record["state"] in state, 10, "it is seen")
    stored = api.wait_record("fails", lambda record: record["state"] == "stored", 10, "it is stored")
    assert not stored["active"] and stored["session_id"] == first["session_id"]
    again = start(api, "fails", status=200)
    assert again["metadata"] == {"n": 1} and again["current_url"] == first["current_url"]
    assert not service.stop()


def test_what_is_closed_stays_closed(house, site):
    """Whoever uses a session while it is being deleted does not bring it back."""
    service = house()
    api = service.api
    for _ in range(3):
        start(api, "goes", initial_url=site.base)
        browser = browser_of(service, "goes")
        is_over = threading.Event()

        def use(is_over=is_over):
            while not is_over.is_set():
                api.request("GET", "/sessions/goes/context")

        users = [threading.Thread(target=use) for _ in range(3)]
        for user in users:
            user.start()
        answer = api.request("DELETE", "/sessions/goes", params={"profile": "delete"})
        assert answer.status_code == 200, answer.text
        time.sleep(0.5)
        is_over.set()
        for user in users:
            user.join()
        assert_envelope(api.request("GET", "/sessions/goes"), 404, "not_found")
        assert rows(service.state) == {} and not procs.is_alive(browser)
        assert not (service.state / "profiles" / "goes").exists()
        with pytest.raises(AssertionError):
            browser_of(service, "goes")
    assert not service.stop()


def test_nothing_is_overwritten_while_the_service_ends(house, site):
    """Clients that try again and again during a stop find every session as it was afterwards."""
    service = house()
    for number in range(3):
        spec = {"metadata": {"n": number}, "allowed_domains": ["127.0.0.1"], "storage": "none"}
        start(service.api, f"held{number}", initial_url=site.base, **spec)
    before = rows(service.state)
    is_over = threading.Event()

    def insist():
        number = 0
        while not is_over.is_set():
            number += 1
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                spec = {"session_name": f"held{number % 3}"}
                httpx.post(f"{service.api.base}/sessions", json=spec, timeout=5, trust_env=False)

    callers = [threading.Thread(target=insist) for _ in range(3)]
    for caller in callers:
        caller.start()
    time.sleep(0.2)
    os.kill(service.pid, signal.SIGTERM)
    service.process.wait(10)
    is_over.set()
    for caller in callers:
        caller.join()
    service.forget()
    assert rows(service.state) == before
    service = house(port=service.port)
    for record in service.api.get("/sessions").json()["sessions"]:
        number = int(record["session_name"].removeprefix("held"))
        assert record["metadata"] == {"n": number} and record["allowed_domains"] == ["127.0.0.1"]
    assert not service.stop()


def test_the_dashboard_shows_sessions_without_a_room(house, web, chromium):
    """By their names, with video; one that is stored says so and how it comes back, and does not by a look."""
    service = house()
    for name in ("first", "second"):
        start(service.api, name, initial_url=web.url("/clock"))
    words = "document.body.innerText"

    def shows(tab, word):
        wait_for(lambda: word in tab.evaluate(words), 10, f"the dashboard shows {word}")

    with Tab(chromium, f"{service.api.base}/") as tab:
        shows(tab, "first")
        shows(tab, "second")
    with Tab(chromium, f"{service.api.base}/?room=second") as tab:
        width = "document.querySelector('video')?.videoWidth"
        wait_for(lambda: tab.evaluate(width), 15, "the video plays", accept=lambda px: px == 1920)
        assert service.api.act("second", "navigate", url=web.url("/form"))["success"]
        shows(tab, "page_navigation")
    assert not service.stop()
    service = house(port=service.port)
    with Tab(chromium, f"{service.api.base}/?room=second") as tab:
        shows(tab, "This session is stored")
        assert '{"session_name":"second"}' in tab.evaluate(words)
    assert service.api.record("second")["state"] == "stored"
    assert not service.stop()


def test_cookies_of_one_are_not_seen_in_the_other(house, site):
    """Each session with a name has a profile of its own."""
    service = house()
    start(service.api, "one", initial_url=site.login("one"))
    start(service.api, "two", initial_url=site.base)
    assert known_as(service.api, "one") == whole("one")
    assert known_as(service.api, "two") == "cookies , storage null, database undefined, workers 0"
    assert not service.stop()
