"""Jobs: queued on disk, limited, retried, told, and done once."""

import time

import pytest

from support.api import Api, assert_envelope
from support.far import FarBrowser
from support.jobs import (
    User,
    connect_user,
    connected,
    ended,
    enqueue,
    finalise,
    job,
    note,
    stream,
    time_of,
)
from support.people import Person
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

SLOW = {"platform": "local", "workflow": "slow"}



def slow(api, word, **more):
    """A job that takes two seconds."""
    return enqueue(api, args={**SLOW, "word": word}, **more)["job_id"]


def states(api):
    """How many jobs are in which state."""
    jobs = api.get("/jobs", params={"limit": 1000}).json()["jobs"]
    return {state: sum(job["state"] == state for job in jobs) for state in ("queued", "running", "done")}


def test_a_note_is_posted(office, local):
    """The fields of the record, what its watchers are told, and what it finds on the page."""
    service = office()
    api, ada = service.api, User(service.api, "ada")
    connected(api, local)
    note_id = note(api, local)
    unsure = note(api, local, confidence=0.69)
    draft = note(api, local, ready=False)
    for other, why in ((unsure, "0.69"), (draft, "draft")):
        told = api.request("POST", f"/notes/{other}/finalise").json()
        assert not told["enqueued"] and why in told["reason"] and told["job_id"] is None, told
    job_id = finalise(api, note_id)
    assert job(api, job_id)["args"] == {"note_id": note_id}
    told = stream(api, job_id)
    doing = [one["progress"]["doing"] for one in told if one["progress"]]
    assert "fill #text" in doing and "click #post" in doing, doing
    assert told[-1]["state"] == "done"
    result = told[-1]["result"]
    assert result == {"comment_id": "c1", "permalink": local.url("/video/test#c1"), "status": "posted"}
    after = api.get(f"/notes/{note_id}").json()
    assert (after["status"], after["platform_comment_id"]) == ("posted", "c1")
    assert after["external_permalink"] == result["permalink"] and after["posted_at"].endswith("Z")
    assert after["error"] is None
    heard = ada.hears("note_posted")
    assert (heard["note_id"], heard["video_id"]) == (note_id, "test")
    assert local.comments == [
        {"video": "/video/test", "text": "Test note", "at": "45.2", "id": "c1", "permalink": result["permalink"]}
    ]
    # One line for each attempt.
    line = next(line for line in service.log(1_000_000).splitlines() if "lossy.automation.note_posted" in line)
    assert f'note_id="{note_id}"' in line and "attempt=1" in line and "success=true" in line, line


def test_what_is_posted_is_the_note_as_it_is_then(office, local):
    """A job has the note's id alone."""
    api = office(jobs={"automation": 1}).api
    connected(api, local)
    blocker = slow(api, "first")
    job_id = finalise(api, note_id := note(api, local, text="before"))
    changed = api.request("PATCH", f"/notes/{note_id}", json={"text": "after"})
    assert changed.status_code == 200 and changed.json()["text"] == "after"
    ended(api, blocker)
    ended(api, job_id)
    assert local.texts() == ["after"]
    assert_envelope(api.request("PATCH", f"/notes/{note_id}", json={"text": "x"}), 409, "conflict")


def test_so_many_run_at_once_and_in_order(office):
    """Never more than three; those that wait begin in the order in which they came."""
    service = office(GHOSTCAST_BROWSER__KEEP_WARM="false")
    api = service.api
    jobs = [slow(api, str(number)) for number in range(8)]
    most, deadline = 0, time.monotonic() + 60
    while states(api)["done"] < len(jobs):
        # As the system has it, beside what is told.
        most = max(most, states(api)["running"], len(service.browsers()))
        assert time.monotonic() < deadline, states(api)
        time.sleep(0.1)
    assert most == 3
    begun = [job(api, job_id)["started_at"] for job_id in jobs]
    assert begun == sorted(begun), begun
    assert [job(api, job_id)["result"] for job_id in jobs] == [str(number) for number in range(8)]


def test_starts_are_limited(office):
    """So many within the time, whatever restarts; further attempts count."""
    service = office(jobs={"rate": 4, "rate_window_s": 8, "automation": 8})
    api = service.api
    jobs = [enqueue(api, args={"platform": "local", "workflow": "read", "n": n})["job_id"] for n in range(6)]
    for job_id in jobs[:4]:
        ended(api, job_id)
    service.kill()
    api = office(jobs={"rate": 4, "rate_window_s": 8, "automation": 8}).api
    for job_id in jobs[4:]:
        ended(api, job_id, within=30)
    begun = sorted(job(api, job_id)["started_at"] for job_id in jobs)
    first, fifth = (time_of(begun[place]) for place in (0, 4))
    assert fifth - first >= 7.9, begun


def test_who_drives_uses_up_no_start(office, local):
    """A job that is put back since a person drives is none of those that have begun."""
    api = office(jobs={"rate": 1, "rate_window_s": 300}).api
    connection = connected(api, local)
    api.request("POST", f"/connections/{connection}/takeover")
    person = Person(api, f"_connection-{connection}")
    person.take()
    job_id = finalise(api, note(api, local))
    wait_for(lambda: job(api, job_id)["error"], 40, "it has looked")
    assert job(api, job_id)["state"] == "queued"
    # The one start that there may be is there still; then there is none.
    ended(api, enqueue(api, args={"platform": "local", "workflow": "read"})["job_id"])
    later = enqueue(api, args={"platform": "local", "workflow": "read", "n": 2})["job_id"]
    holds_for(lambda: job(api, later)["state"] == "queued", 2, "it has to wait")
    person.socket.close()


def test_further_attempts_count_as_starts(office, local):
    """What fails is tried again within the rate, as the platform sees it."""
    api = office(jobs={"rate": 2, "rate_window_s": 6}).api
    local.mood, begun = "busy", time.time()
    failed = ended(api, enqueue(api, args={"platform": "local", "workflow": "read"})["job_id"], "failed")
    assert failed["attempts"] == 3
    times = [at for path, at in local.seen if path == "/open"]
    # The first one's browser is started as well, and comes to the page later.
    assert len(times) == 3 and times[2] - begun >= 6, (begun, times)


def test_attempts_and_their_pauses(office, local):
    """Three, with pauses; it has failed after the last, and not before."""
    service = office(jobs={"backoff_s": [1, 2]})
    api, ada = service.api, User(service.api, "ada")
    connected(api, local)
    local.mood = "busy"
    job_id = finalise(api, note_id := note(api, local))
    wait_for(lambda: job(api, job_id)["attempts"] == 1 and job(api, job_id)["state"] == "queued", 20, "the first")
    between = job(api, job_id)
    assert between["error"]["kind"] == "rate_limited" and "fewer requests" in between["error"]["message"]
    assert api.get(f"/notes/{note_id}").json()["status"] == "posting"
    assert not [one for one in ada.told if one["type"] == "note_failed"]
    done = ended(api, job_id, "failed")
    assert done["attempts"] == 3 and done["finished_at"], done
    assert time_of(done["started_at"]) - time_of(done["created_at"]) >= 3
    failed = api.get(f"/notes/{note_id}").json()
    assert failed["status"] == "failed" and "fewer requests" in failed["error"]
    assert "fewer requests" in ada.hears("note_failed")["reason"]
    local.mood = ""
    again = api.request("POST", f"/jobs/{job_id}/retry")
    assert again.status_code == 200 and again.json()["attempts"] == 0
    assert ended(api, job_id)["result"]["status"] == "posted"
    assert_envelope(api.request("POST", f"/jobs/{job_id}/retry"), 409, "conflict")


def test_the_same_job_is_taken_once(office):
    """Alike within the time is the same; after it, another one."""
    api = office(jobs={"unique_s": 2}).api
    args = {"platform": "local", "workflow": "read"}
    first = enqueue(api, args=args)
    again = enqueue(api, args=args, status=200)
    assert again["job_id"] == first["job_id"] and again["reused"] and not first["reused"]
    other = enqueue(api, args={**args, "n": 2})
    named = enqueue(api, args=args, unique_key="mine")
    assert enqueue(api, args={**args, "n": 3}, unique_key="mine", status=200)["job_id"] == named["job_id"]
    assert len({first["job_id"], other["job_id"], named["job_id"]}) == 3
    time.sleep(2.1)
    assert enqueue(api, args=args)["job_id"] != first["job_id"]


def test_what_somebody_waits_for_goes_first(office):
    """When both could begin, maintenance waits."""
    api = office(jobs={"automation": 1}).api
    # By chance it would be so once in two.
    for number in range(6):
        later = time.time() + 0.7
        house = enqueue(api, "keep_alive", run_at=later, unique_key=f"house {number}")["job_id"]
        args = {"platform": "local", "workflow": "read", "n": number}
        work = enqueue(api, args=args, run_at=later)["job_id"]
        ended(api, work)
        ended(api, house)
        # Within the same millisecond at the earliest.
        assert job(api, work)["started_at"] <= job(api, house)["started_at"]


def test_a_job_has_its_time(office):
    """What may not begin yet does not, and does then."""
    api = office().api
    at = time.time() + 3
    waits = enqueue(api, args={"platform": "local", "workflow": "read"}, run_at=at)["job_id"]
    holds_for(lambda: job(api, waits)["state"] == "queued", 1.5, "it waits")
    done = ended(api, waits)
    assert 0 <= time_of(done["started_at"]) - at < 0.5, done


def test_a_job_is_called_off(office):
    """While it waits, and while it runs: its browser is gone then."""
    api = office(jobs={"automation": 1}).api
    runs, waits = slow(api, "a"), slow(api, "b")
    wait_for(lambda: job(api, runs)["state"] == "running", 10, "it runs")
    for job_id in (waits, runs):
        answer = api.request("POST", f"/jobs/{job_id}/cancel")
        assert answer.status_code == 200 and answer.json()["state"] == "cancelled", answer.text
        assert_envelope(api.request("POST", f"/jobs/{job_id}/cancel"), 409, "conflict")
    wait_for(lambda: not [one for one in api.get("/sessions").json()["sessions"]], 10, "its session is gone")
    holds_for(lambda: job(api, runs)["state"] == job(api, waits)["state"] == "cancelled", 3, "they stay so")


def test_a_page_that_has_changed(office, local):
    """What is not found by its selector is found by what a person sees of it, and the log says so."""
    service = office()
    api = service.api
    connected(api, local)
    local.mood = "renamed"
    assert ended(api, finalise(api, note(api, local)))["result"]["status"] == "posted"
    assert "found by a further selector" in service.log(1_000_000)


def test_a_page_whose_words_have_changed(office, local):
    """What is called much the same is found by that, and the log says so; what is not is not pressed."""
    service = office()
    api = service.api
    connected(api, local)
    local.mood = "reworded"
    assert ended(api, finalise(api, note(api, local)))["result"]["status"] == "posted"
    log = service.log(1_000_000)
    assert 'found by what it is called, "Post your comment"' in log, log
    local.mood = "unlike"
    failed = ended(api, finalise(api, note(api, local, text="Another")), "failed", within=120)
    assert failed["error"]["kind"] == "selector_changed" and "Step 3 (click #post)" in failed["error"]["message"], failed
    assert local.texts() == ["Test note"]


def test_a_page_that_a_model_is_asked_about(office, local, seer):
    """Whoever sees the marked page says which box it is; that is checked against the list, and told."""
    service = office(jobs={"attempts_max": 1}, **seer.settings)
    api = service.api
    connected(api, local)
    local.mood = "unlike"
    # The boxes are the link, the text, the moment and the button, in the order of the page.
    for answer, why in (("99", "no box"), ("0", "none"), ("3 or 4", "who knows"), (None, "it is away")):
        seer.says = answer
        failed = ended(api, finalise(api, note(api, local, text=why)), "failed", within=60)
        assert failed["error"]["kind"] == "selector_changed", failed
        assert local.comments == []
    seer.says = "4"
    assert ended(api, finalise(api, note(api, local)))["result"]["status"] == "posted"
    assert local.texts() == ["Test note"]
    question, picture = seer.asked[-1]
    assert "the button that posts the comment" in question and picture.startswith(b"\x89PNG")
    log = service.log(1_000_000)
    assert "by the model seer-1" in log and "Send it off" in log, log


def test_what_a_note_says_never_stands_for_a_secret(office, local):
    """A text that names a secret of the operator's is refused, and nothing is typed."""
    api = office(GHOSTCAST_SECRET_SHOP="hunter2-hunter2").api
    connected(api, local)
    failed = ended(api, finalise(api, note(api, local, text="I say {{shop}}")), "failed")
    assert failed["error"]["kind"] == "invalid_input" and "secret" in failed["error"]["message"]
    assert local.comments == []


def test_nothing_is_lost_by_a_kill(office, local):
    """What waited and what ran is done after the restart, and each note is there once."""
    service = office()
    connected(service.api, local)
    jobs = [finalise(service.api, note(service.api, local, text=f"note {n}")) for n in range(6)]
    wait_for(lambda: len(local.comments) >= 2, 60, "some are posted")
    service.kill()
    api = office().api
    for job_id in jobs:
        done = ended(api, job_id, within=90)
        assert done["attempts"] == 1, done
    assert sorted(local.texts()) == [f"note {n}" for n in range(6)]


def test_a_kill_between_the_press_and_its_answer(office, local):
    """The effect is there and nobody knows; it is looked for before it is done again."""
    service = office()
    connected(service.api, local)
    local.answering.clear()
    job_id = finalise(service.api, note(service.api, local))
    assert local.posted.wait(60)
    service.kill()
    local.answering.set()
    service = office()
    assert ended(service.api, job_id)["result"]["comment_id"] == "c1"
    assert local.texts() == ["Test note"]
    assert "an attempt before had done it" in service.log(1_000_000)


def test_what_was_done_is_not_done_again(office, local):
    """A comment that is shown late, or to others only, is looked for, and not posted a second time."""
    api = office().api
    connected(api, local)
    local.hidden = True
    job_id = finalise(api, note_id := note(api, local))
    failed = ended(api, job_id, "failed", within=120)
    assert failed["error"]["kind"] == "effect_not_seen" and failed["attempts"] == 3, failed
    assert len(local.comments) == 1
    local.hidden = False
    assert api.request("POST", f"/jobs/{job_id}/retry").status_code == 200
    assert ended(api, job_id)["result"]["comment_id"] == "c1"
    assert len(local.comments) == 1
    assert api.get(f"/notes/{note_id}").json()["status"] == "posted"


def test_an_older_one_is_not_what_was_done(office, local):
    """The platform swallows a comment of which it has an older twin: that is not this one."""
    api = office().api
    connected(api, local)
    for _ in range(2):
        ended(api, finalise(api, note(api, local)))
    assert local.texts() == ["Test note"] * 2
    local.swallows = True
    failed = ended(api, finalise(api, note_id := note(api, local)), "failed", within=120)
    assert failed["error"]["kind"] == "effect_not_seen" and "repost: true" in failed["error"]["message"], failed
    local.swallows = False
    # Whoever has looked, and has not found it, has it posted again.
    changed = api.request("PATCH", f"/notes/{note_id}", json={"repost": True})
    assert changed.status_code == 200 and changed.json()["status"] == "ready", changed.text
    assert ended(api, finalise(api, note_id))["result"]["comment_id"] == "c3"
    assert local.texts() == ["Test note"] * 3


def test_a_login_that_a_job_works_with(office, local):
    """Nobody else takes its page away, and who asks is told so at once."""
    api, ada = (made := office(jobs={"automation": 1}).api), User(made, "ada")
    connection = connected(api, local)
    local.answering.clear()
    job_id = finalise(api, note(api, local))
    assert local.posted.wait(60)
    for method, path in (("POST", "/verify"), ("POST", "/takeover"), ("DELETE", "")):
        answer = api.request(method, f"/connections/{connection}{path}", timeout=20)
        assert_envelope(answer, 409, "conflict")
        assert "job" in answer.json()["error"]["message"], answer.text
    local.answering.set()
    ended(api, job_id)
    assert api.request("DELETE", f"/connections/{connection}").status_code == 200
    assert "deleted" in ada.hears("connection_lost")["reason"]


def test_a_note_has_one_job(office, local):
    """However often it is finished, and whatever is asked for it: it is posted once, and only when it may be."""
    api = office(jobs={"unique_s": 0, "automation": 1}).api
    connected(api, local)
    blocker = slow(api, "first")
    note_id = note(api, local)
    jobs = {finalise(api, note_id) for _ in range(3)}
    assert len(jobs) == 1
    asked = enqueue(api, "post_note", args={"note_id": note_id}, status=200)
    assert {asked["job_id"]} == jobs
    ended(api, blocker)
    ended(api, jobs.pop())
    again = api.request("POST", "/jobs", json={"kind": "post_note", "args": {"note_id": note_id}})
    assert_envelope(again, 409, "conflict")
    assert not api.request("POST", f"/notes/{note_id}/finalise").json()["enqueued"]
    draft = note(api, local, ready=False)
    refused = api.request("POST", "/jobs", json={"kind": "post_note", "args": {"note_id": draft}})
    assert_envelope(refused, 409, "conflict")
    # What is taken back while it waits is not posted.
    blocker = slow(api, "second")
    waits = finalise(api, note_id := note(api, local, text="taken back"))
    api.request("PATCH", f"/notes/{note_id}", json={"ready": False})
    ended(api, blocker)
    assert "draft" in ended(api, waits, "failed")["error"]["message"]
    assert len(local.comments) == 1
    elsewhere = {"user_id": "ada", "platform": "local", "video_url": "http://other.example/v", "text": "x"}
    answer = api.request("POST", "/notes", json={**elsewhere, "timestamp": 1})
    assert_envelope(answer, 400, "invalid_input")


def test_a_failed_job_is_no_other_jobs_answer(office, local):
    """What has failed is asked for anew at once."""
    api = office().api
    connected(api, local)
    bad = note(api, local, text="{{x}}")
    failed = finalise(api, bad)
    ended(api, failed, "failed")
    changed = api.request("PATCH", f"/notes/{bad}", json={"text": "good", "ready": True})
    assert changed.json()["status"] == "ready"
    assert (second := finalise(api, bad)) != failed
    ended(api, second)
    assert local.texts() == ["good"]


def test_the_remote_browser_as_a_fallback(office, local):
    """Here first; far away by wish, after three failures here, and for the last attempt."""
    far = FarBrowser()
    try:
        service = office(jobs={"rate": 0, "backoff_s": [0], "attempts_max": 2}, GHOSTCAST_REMOTE__ENDPOINT=far.ws)
        api = service.api
        args = {"platform": "local", "workflow": "read", "user_id": "ada"}
        for browser in ("auto", "remote"):
            job_id = slow(api, browser, browser=browser)
            place = local.url("/open")
            wait_for(lambda: local.visits.count("/open"), 20, "the page is asked for")
            is_there = wait_for(lambda: place in far.pages() or job(api, job_id)["state"] == "done", 20, "it is over")
            assert is_there
            seen_there = place in far.pages()
            done = ended(api, job_id)
            assert (done["served_by"], seen_there) == (("remote", True) if browser == "remote" else ("local", False))
            local.visits.clear()
        long = {"items": 100, "in_background": True}
        assert ended(api, enqueue(api, args={**args, "n": 3}, batch=long)["job_id"])["served_by"] == "remote"
        short = {"items": 99, "in_background": True}
        assert ended(api, enqueue(api, args={**args, "n": 4}, batch=short)["job_id"])["served_by"] == "local"
        # Two attempts here, and one far away.
        local.mood = "busy"
        failed = ended(api, enqueue(api, args={**args, "n": 5})["job_id"], "failed")
        assert (failed["attempts"], failed["served_by"]) == (3, "remote"), failed
        # Two failures in a row so far; with one more the next goes there at once.
        failed = ended(api, enqueue(api, args={**args, "n": 6}, browser="local")["job_id"], "failed")
        assert failed["served_by"] == "local"
        local.mood = ""
        assert ended(api, enqueue(api, args={**args, "n": 7})["job_id"])["served_by"] == "remote"
        assert ended(api, enqueue(api, args={**args, "n": 8}, browser="local")["job_id"])["served_by"] == "local"
        assert ended(api, enqueue(api, args={**args, "n": 9})["job_id"])["served_by"] == "local"
        far.close()
        waits = enqueue(api, args={**args, "n": 10}, browser="remote")["job_id"]
        held = wait_for(lambda: job(api, waits), 30, "it waits", accept=lambda job: job["error"])
        assert held["error"]["kind"] == "remote_unavailable" and held["attempts"] == 0, held
        assert held["state"] == "queued"
    finally:
        far.close()


def test_logins_are_the_services_own(office, local, tmp_path):
    """A token that controls all sessions does not reach into a user's login; nor does a cleanup delete it."""
    boss, agent = (name * 8 for name in ("boss", "agen"))
    tokens = tmp_path / "tokens"
    tokens.write_text(f"boss admin {boss}\nagent control:* {agent}\n")
    tokens.chmod(0o600)
    service = office(more=f'[server]\ntokens_file = "{tokens}"')
    api, agents = Api(service.api.base, boss), Api(service.api.base, agent)
    connection = connected(api, local)
    session = f"_connection-{connection}"
    cleaned = api.request("POST", "/sessions/cleanup", json={"max_age_hours": 0}).json()
    assert session not in str(cleaned) and api.record(session)["state"] == "stored", cleaned
    assert session in api.get("/sessions").text and session not in agents.get("/sessions").text
    for method, path, body in (
        ("GET", f"/sessions/{session}", None),
        ("POST", f"/sessions/{session}/execute", {"script": "1"}),
        ("POST", f"/sessions/{session}/takeover", {}),
        ("DELETE", f"/sessions/{session}", None),
        ("POST", "/sessions", {"session_name": session}),
        ("GET", "/connections", None),
        ("GET", "/jobs", None),
    ):
        answer = agents.request(method, path, json=body)
        assert answer.status_code == 403, (method, path, answer.text)
    agents.create("of-an-agent")
    agents.close("of-an-agent")
    assert ended(api, finalise(api, note(api, local)))["result"]["status"] == "posted"


def test_what_is_no_job_is_refused(office):
    """Each with what would be one."""
    api = office().api
    mine = connect_user(api, "ada")["connection_id"]
    args = {"platform": "local", "workflow": "read"}
    for order, status in (
        ({}, 400),
        ({"kind": "dance"}, 400),
        ({"kind": "workflow"}, 400),
        ({"kind": "workflow", "args": {"platform": "nowhere", "workflow": "read"}}, 404),
        ({"kind": "workflow", "args": {"platform": "local", "workflow": "fly"}}, 404),
        ({"kind": "post_note", "args": {"note_id": "nothing"}}, 404),
        ({"kind": "post_note", "args": {"note_id": 7}}, 400),
        ({"kind": "workflow", "args": args, "attempts_max": 0}, 400),
        ({"kind": "workflow", "args": args, "run_at": -1}, 400),
        ({"kind": "workflow", "args": args, "run_at": 1e300}, 400),
        ({"kind": "workflow", "args": args, "unique_key": ""}, 400),
        # Its workflow is done with a login.
        ({"kind": "workflow", "args": {"platform": "local", "workflow": "post_note", "video_url": "x", "text": "x", "timestamp": 1}}, 400),
        ({"kind": "workflow", "args": {**args, "x": "y" * 70_000}}, 400),
        ({"kind": "workflow", "args": args, "connection": "nothing"}, 404),
        ({"kind": "workflow", "args": {"platform": "elsewhere", "workflow": "read"}, "connection": mine}, 400),
        # What its workflow names and it does not give.
        ({"kind": "workflow", "args": {"workflow": "post_note", "text": "x"}, "connection": mine}, 400),
    ):
        answer = api.request("POST", "/jobs", json=order)
        assert answer.status_code == status, (order, answer.text)
    assert '"timestamp", "video_url"' in answer.json()["error"]["message"], answer.text
    for path in ("/jobs/nothing", "/notes/nothing"):
        assert_envelope(api.request("GET", path), 404, "not_found")
    assert api.get("/jobs").json()["jobs"] == []
