"""Connections: a user logs in once, by hand, and the profile keeps it."""

import shutil
import sqlite3
import time

import pytest

from support.api import assert_envelope
from support.jobs import (
    User,
    connect_user,
    connected,
    ended,
    enqueue,
    finalise,
    job,
    log_in,
    note,
    verify,
)
from support.local_platform import CODE, PASSWORD
from support.people import Person
from support.playwright_browser import browser_context, spot
from support.wait import wait_for

pytestmark = pytest.mark.alone

RECORD = {
    "connection_id",
    "user_id",
    "platform",
    "browserbase_session_id",
    "status",
    "last_used_at",
    "verified_at",
}
DAY_S = 86_400



def record(api, connection):
    """A connection as it is told."""
    return api.get(f"/connections/{connection}").json()


def sql(service, statement, *values):
    """Changes the registry of a service that has ended."""
    with sqlite3.connect(service.state / "ghostcast.db") as file:
        return file.execute(statement, values).fetchall()


def test_a_user_connects_and_stays_connected(office, local):
    """The eleven steps, then five jobs and a restart without a further login."""
    service = office()
    api, ada = service.api, User(service.api, "ada")
    local.has_code = True
    begun = connect_user(api, "ada")
    connection = begun["connection_id"]
    assert begun["status"] == "awaiting_auth" and "Log in to Local" in begun["message"]
    assert begun["takeover_url"].startswith(f"{api.base}/takeover/gcs_")
    assert ada.hears("open_url")["url"] == begun["takeover_url"]
    first = record(api, connection)
    assert set(first) == RECORD and first["verified_at"] is None and first["last_used_at"].endswith("Z")
    not_yet = verify(api, connection)
    assert (not_yet["outcome"], not_yet["status"]) == ("not_logged_in", "awaiting_auth")
    assert "Local" in not_yet["message"] and "verify once more" in not_yet["message"]
    log_in(api, connection, local)
    seen = verify(api, connection)
    assert seen == {"outcome": "logged_in", "status": "active", "message": "Local is connected."}
    assert ada.hears("connection_active")["connection_id"] == connection
    after = record(api, connection)
    assert after["status"] == "active" and after["verified_at"] == after["last_used_at"]
    assert api.record(f"_connection-{connection}")["state"] == "stored"
    logins = dict(local.logins)
    for number in range(5):
        done = ended(api, finalise(api, note(api, local, text=f"note {number}")))
        assert done["result"]["status"] == "posted", done
    assert local.texts() == [f"note {number}" for number in range(5)]
    assert record(api, connection)["last_used_at"] > after["last_used_at"]
    service.kill()
    api = office().api
    assert verify(api, connection)["outcome"] == "logged_in"
    assert ended(api, finalise(api, note(api, local, text="after")))["state"] == "done"
    assert local.logins == logins
    listed = api.get("/connections", params={"user_id": "ada", "status": "active"}).json()["connections"]
    assert [one["connection_id"] for one in listed] == [connection]
    assert api.get("/connections", params={"user_id": "bob"}).json()["connections"] == []


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_by_the_page_alone(office, local, kind):
    """The login is done on the page of the link; the password is nowhere of ours afterwards."""
    service = office()
    api, ada = service.api, User(service.api, "ada")
    begun = connect_user(api, "ada")
    options = {"viewport": {"width": 1280, "height": 800}}
    if kind == "phone":
        options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    session = f"_connection-{begun['connection_id']}"
    with browser_context(**options) as context:
        person = context.new_page()
        person.goto(begun["takeover_url"])
        # A phone's is started anew, at its size.
        person.wait_for_selector("#screen[data-picture=true]", timeout=5000 if kind == "desktop" else 20_000)
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")
        # On a phone the page is a phone's, as itself says.
        shown = api.record(session)["viewport"]
        width, touches, is_touched = local.shown.split(",")
        if kind == "phone":
            assert (shown["width"], width, is_touched) == (390, "390", "true") and int(touches) > 0, local.shown
        else:
            assert (shown["width"], width, is_touched) == (1280, "1280", "false"), local.shown
        # Done does not say that it is so: they are told, and have the wheel again.
        person.click("#done")
        person.wait_for_selector("#outcome:has-text('Not logged in yet: Local asks for a login still')", timeout=30_000)
        person.wait_for_selector("body[data-yours=true]")
        assert ada.hears("login_checked")["outcome"] == "not_logged_in"
        ada.told.clear()
        local.visits.clear()
        # Nobody else sees what they do.
        assert api.record(session)["control"]["private"] is True
        assert_envelope(api.request("GET", f"/sessions/{session}/screenshot"), 409, "human_in_control")
        press = person.touchscreen.tap if kind == "phone" else person.mouse.click
        for name, text in (("user", "ada"), ("password", PASSWORD)):
            press(*spot(person, *PLACES[name], **shown))
            wait_for(lambda: local.focused == name, 5, name)
            person.keyboard.type(text)
        person.keyboard.press("Enter")
        wait_for(lambda: "ada" in local.logins.values(), 15, "the login")
        person.click("#done")
        # It is verified by the service itself, and they are told where they are.
        person.wait_for_selector("#notice-title:text-is('You are logged in.')")
        assert record(api, begun["connection_id"])["status"] == "active"
    assert ada.hears("connection_active")["connection_id"] == begun["connection_id"]
    assert ada.hears("login_checked")["outcome"] == "logged_in"
    # Once when they came there, once by the verification.
    assert local.visits.count("/") == 2, local.visits
    wait_for(lambda: api.record(session)["state"] == "stored", 30, "it rests when they are gone")
    assert verify(api, begun["connection_id"])["outcome"] == "logged_in"
    # Whoever works with it next has it at its usual size.
    assert api.record(session)["viewport"] == {"width": 1280, "height": 720}
    maps = memory(service.process.pid)
    assert PASSWORD.encode() not in maps and b"_connection-" in maps
    assert PASSWORD not in service.log(1_000_000)
    for path in service.state.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


# Where the fields of the login's page are, CSS px.
PLACES = {"user": (150, 50), "password": (150, 100)}


def memory(pid):
    """All that the process itself holds in memory and can be read."""
    held = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights, *rest = line.split()
            if "r" not in rights or rest[-1] in ("[vvar]", "[vsyscall]"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                mem.seek(start)
                held.append(mem.read(end - start))
            except (OSError, ValueError, OverflowError):
                continue
    return b"".join(held)


def test_the_four_outcomes(office, local):
    """Each with its words; what is not known changes nothing."""
    service = office()
    api, ada = service.api, User(service.api, "ada")
    connection = connected(api, local)
    local.mood = "changed"
    odd = verify(api, connection)
    assert (odd["outcome"], odd["status"]) == ("error", "active") and "neither" in odd["message"]
    local.mood = "busy"
    busy = verify(api, connection)
    assert (busy["outcome"], busy["status"]) == ("error", "active") and "fewer requests" in busy["message"]
    local.mood = ""
    local.logins.clear()
    out = verify(api, connection)
    assert (out["outcome"], out["status"]) == ("not_logged_in", "logged_out")
    assert "logged out" in ada.hears("connection_lost")["reason"]
    again = api.request("POST", f"/connections/{connection}/takeover").json()
    assert again["takeover_url"].startswith(api.base) and again["status"] == "logged_out"
    log_in(api, connection, local)
    assert verify(api, connection)["status"] == "active"
    shutil.rmtree(service.state / "profiles" / f"_connection-{connection}")
    gone = verify(api, connection)
    assert (gone["outcome"], gone["status"]) == ("session_expired", "expired")
    assert "Connect Local again" in gone["message"]
    assert_envelope(api.request("POST", "/connections/nothing/verify"), 404, "not_found")
    for body, status in (
        ({"user_id": "ada", "platform": "nowhere"}, 404),
        ({"user_id": "", "platform": "local"}, 400),
        ({"platform": "local"}, 400),
    ):
        assert api.request("POST", "/connections", json=body).status_code == status, body
    closed = api.request("DELETE", f"/connections/{connection}")
    assert closed.status_code == 200 and closed.json()["connection_id"] == connection
    assert_envelope(api.request("GET", f"/connections/{connection}"), 404, "not_found")
    assert not (service.state / "profiles" / f"_connection-{connection}").exists()


def test_jobs_wait_for_a_login(office, local):
    """Without, expired or logged out; each is held, told, and goes on by itself. What is
    held keeps no other from its turn, of which there is one at a time."""
    service = office(jobs={"automation": 1})
    api, ada = service.api, User(service.api, "ada")
    first = finalise(api, note_id := note(api, local, text="held"))
    held = ended(api, first, "pending_auth")
    assert held["error"]["kind"] == "no_auth" and "not connected" in held["error"]["message"]
    assert held["attempts"] == 0
    told = api.get(f"/notes/{note_id}").json()
    assert told["status"] == "pending_auth" and "Local is not connected" in told["error"]
    assert ada.hears("connection_required")["platform"] == "local"
    read = enqueue(api, args={"platform": "local", "workflow": "read"})
    assert ended(api, read["job_id"])["result"] == "open to all"
    connection = connected(api, local)
    assert ended(api, first)["result"]["status"] == "posted"
    assert api.get(f"/notes/{note_id}").json()["status"] == "posted"
    # Logged out: seen by the job itself.
    local.logins.clear()
    second = finalise(api, note(api, local, text="out"))
    assert ended(api, second, "pending_auth")["error"]["kind"] == "logged_out"
    assert record(api, connection)["status"] == "logged_out"
    third = finalise(api, note(api, local, text="out too"))
    assert ended(api, third, "pending_auth")["error"]["kind"] == "logged_out"
    api.request("POST", f"/connections/{connection}/takeover")
    log_in(api, connection, local)
    assert verify(api, connection)["outcome"] == "logged_in"
    assert ended(api, second) and ended(api, third)
    # Expired: its profile is gone.
    shutil.rmtree(service.state / "profiles" / f"_connection-{connection}")
    fourth = finalise(api, note(api, local, text="gone"))
    assert ended(api, fourth, "pending_auth")["error"]["kind"] == "session_expired"
    assert record(api, connection)["status"] == "expired"
    assert sorted(local.texts()) == ["held", "out", "out too"]


def test_logins_expire_and_are_kept_alive(office, local):
    """19, 20 and 31 days; a ping is no use, and a bad one stops no other."""
    service = office()
    api = service.api
    young, old, ancient = (connected(api, local, user) for user in ("ada", "bob", "eve"))
    lost = connected(api, local, "dan")
    assert not service.stop()
    now = time.time()
    for connection, days in ((young, 19), (old, 20.01), (ancient, 31), (lost, 21)):
        sql(
            service,
            "UPDATE connections SET last_used_at = ? WHERE connection_id = ?",
            now - days * DAY_S,
            connection,
        )
    shutil.rmtree(service.state / "profiles" / f"_connection-{lost}")
    yesterday = int(now // DAY_S) - 2
    sql(service, "INSERT OR REPLACE INTO marks VALUES ('keep_alive_day', ?)", str(yesterday))
    local.visits.clear()
    api = office().api
    assert wait_for(lambda: record(api, ancient)["status"] == "expired", 20, "it has expired")
    jobs = wait_for(
        lambda: [one for one in api.get("/jobs").json()["jobs"] if one["kind"] == "keep_alive"],
        20,
        "the job of the day",
    )
    assert len(jobs) == 1 and jobs[0]["queue"] == "maintenance"
    done = ended(api, jobs[0]["job_id"])
    assert done["result"] == {"visited": 1, "expired": 1, "failed": 0}, done
    assert record(api, lost)["status"] == "expired"
    assert record(api, young)["status"] == record(api, old)["status"] == "active"
    assert "/" in local.visits
    # A ping is kept apart from use, and the next run leaves it.
    again = enqueue(api, "keep_alive", unique_key="again")
    assert ended(api, again["job_id"])["result"] == {"visited": 0, "expired": 0, "failed": 0}


def test_a_job_checks_a_login(office, local):
    """As a job, with its result."""
    service = office()
    api = service.api
    connection = connected(api, local)
    done = ended(api, enqueue(api, "check_login", connection=connection)["job_id"])
    assert done["result"]["logged_in"] is True and done["result"]["outcome"] == "logged_in", done
    refused = api.request("POST", "/jobs", json={"kind": "check_login"})
    assert_envelope(refused, 400, "invalid_input")


def test_a_job_waits_for_a_person(office, local):
    """Who is at the wheel is left alone: nothing of theirs is gone to, no attempt is used up, and the job is done
    when they are through."""
    service = office()
    api = service.api
    connection = connected(api, local)
    session = f"_connection-{connection}"
    api.request("POST", f"/connections/{connection}/takeover")
    person = Person(api, session)
    person.take()
    local.visits.clear()
    job_id = finalise(api, note(api, local))
    waits = wait_for(lambda: job(api, job_id), 40, "it has looked", accept=lambda job: job["error"])
    assert waits["error"]["kind"] == "human_in_control" and waits["attempts"] == 0, waits
    assert waits["state"] == "queued" and local.visits == [] and local.comments == []
    person.say("hand_back", done=True)
    person.hear(lambda: not person.state["yours"])
    person.socket.close()
    ended(api, job_id)
    assert local.texts() == ["Test note"]


def test_codes_are_told_nobody(office, local):
    """A second factor is typed like a password and is in no answer."""
    service = office()
    api = service.api
    local.has_code = True
    connection = connected(api, local)
    told = api.get(f"/connections/{connection}").text + api.get("/sessions").text + service.log(1_000_000)
    assert CODE not in told and PASSWORD not in told
