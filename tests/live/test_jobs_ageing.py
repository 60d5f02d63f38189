"""What becomes of jobs, notes and logins that nobody comes back to, with the registry made older."""

import sqlite3
from datetime import UTC, datetime

import pytest

from support.api import assert_envelope
from support.jobs import connected, ended, enqueue, finalise, job, note
from support.wait import wait_for

pytestmark = pytest.mark.alone

DAY_S = 86_400


def older(service, **days):
    """Makes times in the registry of a service that has ended older: table__column, and by how many days."""
    with sqlite3.connect(service.state / "ghostcast.db") as file:
        for name, by in days.items():
            table, column = name.split("__")
            file.execute(f"UPDATE {table} SET {column} = {column} - ?", (by * DAY_S,))


def test_a_note_is_deleted(office, local):
    """Not while a job for it is under way; what was posted stays posted."""
    service = office()
    api = service.api
    note_id = note(api, local)
    job_id = finalise(api, note_id)
    ended(api, job_id, "pending_auth")
    refused = api.request("DELETE", f"/notes/{note_id}")
    assert_envelope(refused, 409, "conflict")
    assert "pending_auth" in refused.json()["error"]["message"]
    connected(api, local)
    ended(api, job_id)
    gone = api.request("DELETE", f"/notes/{note_id}")
    assert gone.status_code == 200 and gone.json()["status"] == "posted", gone.text
    assert_envelope(api.request("GET", f"/notes/{note_id}"), 404, "not_found")
    assert_envelope(api.request("DELETE", f"/notes/{note_id}"), 404, "not_found")
    assert local.texts() == ["Test note"]


def test_what_is_held_fails_in_the_end(office, local):
    """After 90 days: a job that nobody has logged in for, and one that nobody has come to."""
    service = office()
    api = service.api
    local.mood = "captcha"
    waits = finalise(api, note_id := note(api, local))
    asks = enqueue(api, args={"platform": "local", "workflow": "form", "text": "tea"})["job_id"]
    ended(api, waits, "pending_auth")
    ended(api, asks, "pending_human")
    assert not service.stop()
    older(service, jobs__started_at=89)
    service = office()
    api = service.api
    assert job(api, waits)["state"] == "pending_auth" and job(api, asks)["state"] == "pending_human"
    assert not service.stop()
    older(service, jobs__started_at=2)
    service = office()
    api = service.api
    for job_id, kind in ((waits, "no_auth"), (asks, "human_required")):
        failed = ended(api, job_id, "failed")
        assert failed["error"]["kind"] == kind and failed["finished_at"], failed
    assert api.get(f"/notes/{note_id}").json()["status"] == "failed"
    wait_for(lambda: not (service.state / "profiles" / f"_job-{asks}").exists(), 10, "its profile is gone")


def test_notes_that_are_over_are_forgotten(office, local):
    """90 days after they were posted or have failed; a draft stays."""
    service = office()
    api = service.api
    connected(api, local)
    posted, draft = note(api, local), note(api, local, ready=False)
    ended(api, finalise(api, posted))
    assert not service.stop()
    older(service, notes__created_at=100, notes__ended_at=89)
    service = office()
    api = service.api
    assert api.get(f"/notes/{posted}").status_code == 200
    assert not service.stop()
    older(service, notes__ended_at=2)
    api = office().api
    wait_for(lambda: api.request("GET", f"/notes/{posted}").status_code == 404, 20, "it is forgotten")
    assert api.get(f"/notes/{draft}").status_code == 200


def test_an_expired_login_gives_its_place_back(office, local):
    """A week after it has expired; the connection stays, and its user may log in anew."""
    service = office()
    api = service.api
    connection = connected(api, local)
    profile = service.state / "profiles" / f"_connection-{connection}"
    wait_for(lambda: api.record(profile.name)["state"] == "stored", 20, "it rests")
    assert not service.stop()
    older(service, connections__last_used_at=31)
    service = office()
    api = service.api
    wait_for(lambda: api.get(f"/connections/{connection}").json()["status"] == "expired", 20, "it has expired")
    assert profile.is_dir()
    assert not service.stop()
    older(service, connections__last_used_at=7)
    with sqlite3.connect(service.state / "ghostcast.db") as file:
        then = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 38 * DAY_S, UTC)
        file.execute("UPDATE sessions SET last_activity = ?", (then.strftime("%Y-%m-%dT%H:%M:%S.000Z"),))
    service = office()
    api = service.api
    wait_for(lambda: not profile.exists(), 20, "its profile is gone")
    assert api.get(f"/connections/{connection}").json()["status"] == "expired"
    answer = api.request("POST", f"/connections/{connection}/takeover", timeout=60)
    assert answer.status_code == 201 and profile.is_dir()


def test_sessions_of_jobs_are_not_listed_as_ended(office):
    """There are as many as jobs, and nobody asked for them."""
    api = office().api
    job_id = enqueue(api, args={"platform": "local", "workflow": "read"})["job_id"]
    ended(api, job_id)

    def of_job():
        every = api.get("/sessions", params={"ended": "true", "jobs": "true"}).json()["ended"]
        return [one for one in every if one["session_name"].startswith(f"_job-{job_id}")]

    wait_for(of_job, 10, "its session has ended")
    assert api.get("/sessions", params={"ended": "true"}).json()["ended"] == []
