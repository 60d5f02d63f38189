"""The queue in PostgreSQL and in Redis, shared by services of several state directories."""

import contextlib
import threading
import time

import pytest

from support.api import assert_envelope
from support.jobs import connected, ended, enqueue, finalise, job, note, offices, stream
from support.queues import PASSWORD, QUOTED, database
from support.wait import wait_for

SLOW = {"platform": "local", "workflow": "slow"}
# A service that is silent for so long has ended, seconds.
LOST_AFTER_S = 3


@pytest.fixture(params=["postgres", "redis"])
def store(request):
    """A database of the test's own, which is not started yet."""
    with database(request.param) as made:
        yield made


@pytest.fixture
def shop(ghostcast_bin, local, tmp_path, store):
    """Makes services by name, each with a state directory of its own, on the same queue."""
    with contextlib.ExitStack() as stack:
        made = {}

        def shop(name, **more):
            if name not in made:
                place = tmp_path / name
                place.mkdir()
                made[name] = stack.enter_context(offices(ghostcast_bin, local, place))
            jobs = {"queue_url": store.url, "lost_after_s": LOST_AFTER_S, "unique_s": 1, **more}
            return made[name](jobs=jobs, GHOSTCAST_BROWSER__KEEP_WARM="false")

        yield shop


def read(api, number):
    """A job that anybody can do."""
    return enqueue(api, args={"platform": "local", "workflow": "read", "n": number})["job_id"]


def slow(api, word):
    """A job that takes two seconds."""
    return enqueue(api, args={**SLOW, "word": word})["job_id"]


def running(api, job_id):
    """A job, once it runs."""
    return wait_for(lambda: job(api, job_id), 20, "it runs", accept=lambda it: it["state"] == "running")


def test_a_note_is_posted_once_whatever_dies(shop, store, local):
    """Killed between the press and its answer, with further ones waiting: each is there once, and none is lost."""
    store.start()
    service = shop("one")
    connected(service.api, local)
    ids = [note(service.api, local, text=f"note {n}") for n in range(2)]
    local.answering.clear()
    jobs = [finalise(service.api, note_id) for note_id in ids]
    assert local.posted.wait(60)
    service.kill()
    local.answering.set()
    # Another one does not take what needs the login of this one.
    other = shop("other")
    assert job(other.api, jobs[0])["state"] == "running"
    assert_envelope(other.api.request("GET", f"/notes/{ids[0]}"), 404, "not_found")
    time.sleep(LOST_AFTER_S + 1)
    assert job(other.api, jobs[0])["state"] == "running" and job(other.api, jobs[1])["state"] == "queued"
    service = shop("one")
    done = [ended(other.api, job_id) for job_id in jobs]
    assert sorted(local.texts()) == ["note 0", "note 1"]
    assert done[0]["attempts"] == 1 and done[0]["result"]["comment_id"] == "c1", done[0]
    assert "an attempt before had done it" in service.log(1_000_000)
    for note_id in ids:
        assert service.api.get(f"/notes/{note_id}").json()["status"] == "posted"


def test_services_share_the_work(shop, store, local):
    """Nothing is done twice, everything is told everywhere, and what a dead one has left is done by the other."""
    store.start()
    one, other = shop("one", automation=1), shop("other", automation=1)
    jobs = [read(one.api, number) for number in range(6)]
    again = enqueue(other.api, status=200, args={"platform": "local", "workflow": "read", "n": 5})
    assert again["job_id"] == jobs[5]
    wait_for(lambda: one.browsers() and other.browsers(), 20, "each does some")
    for job_id in jobs:
        done = ended(other.api, job_id)
        assert done["attempts"] == 1 and done == job(one.api, job_id)
    assert local.visits.count("/open") == 6
    told = other.api.get("/jobs", params={"limit": 100}).json()["jobs"]
    assert [it["job_id"] for it in told] == jobs[::-1]
    # What the one does is told by the other, step by step, and called off there.
    first = slow(one.api, "told")
    running(one.api, first)
    states = [it["state"] for it in stream(other.api, first)]
    assert states[-1] == "done", states
    second = slow(one.api, "called off")
    running(other.api, second)
    assert other.api.request("POST", f"/jobs/{second}/cancel").status_code == 200
    wait_for(lambda: not one.browsers() and not other.browsers(), 3, "its browser ends")
    assert job(one.api, second)["state"] == "cancelled"
    # One that is killed gives its work back.
    other.kill()
    third = slow(one.api, "left")
    running(one.api, third)
    one.kill()
    other = shop("other", automation=1)
    died = time.monotonic()
    done = ended(other.api, third, within=LOST_AFTER_S + 15)
    print(f"done by the other one {time.monotonic() - died:.1f} s after it began to look")
    assert done["result"] == "left" and done["attempts"] == 1, done


def test_a_database_that_goes_away(shop, store, local):
    """It is told, nothing is lost or done twice, and all goes on by itself."""
    # For so long it is away by no means.
    service = shop("one", lost_after_s=60)
    api = service.api
    refused = api.request("POST", "/jobs", json={"kind": "workflow", "args": {**SLOW, "word": "x"}})
    envelope = assert_envelope(refused, 503, "unavailable")
    health = api.get("/health").json()
    assert health["status"] == "degraded" and "shared job queue" in str(health["reasons"]), health
    store.start()
    wait_for(lambda: api.get("/health").json()["status"] == "healthy", 10, "it is well")
    done = ended(api, slow(api, "first"))
    assert done["result"] == "first"
    job_id, waiting = slow(api, "second"), slow(api, "third")
    running(api, job_id)
    store.stop()
    assert_envelope(api.request("GET", f"/jobs/{job_id}"), 503, "unavailable")
    # It ends meanwhile, and nobody can be told.
    threading.Event().wait(1.5)
    store.start()
    assert ended(api, job_id)["attempts"] == 1 and ended(api, waiting)["attempts"] == 1
    assert local.visits.count("/open") == 3
    for text in (service.log(10_000_000), str(envelope), str(health)):
        assert PASSWORD not in text and QUOTED not in text
