"""Jobs that only a person can help: held without a browser for days, and gone on with where they asked."""

import sqlite3

import pytest

from support.api import assert_envelope
from support.jobs import User, connected, ended, enqueue, finalise, job, note
from support.local_platform import ROBOT
from support.people import Person
from support.playwright_browser import browser_context, spot
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

DAY_S = 86_400


def form(api, text, workflow="form", **more):
    """A job that fills a form."""
    args = {"platform": "local", "workflow": workflow, "text": text, "user_id": "ada"}
    return enqueue(api, args=args, **more)["job_id"]


def takeover(api, job_id):
    """Where a person does what a job asks for."""
    answer = api.request("POST", f"/jobs/{job_id}/takeover", timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.json()


def later(service, days):
    """Makes all that a service that has ended knows of jobs older."""
    with sqlite3.connect(service.state / "ghostcast.db") as file:
        for column in ("run_at", "created_at", "started_at"):
            file.execute(f"UPDATE jobs SET {column} = {column} - ?", (days * DAY_S,))


def own(api, job_id):
    """The session that is kept for a job."""
    sessions = api.get("/sessions").json()["sessions"]
    return [one for one in sessions if one["session_name"] == f"_job-{job_id}"]


def help_by_hand(api, session, done=True):
    """A person who presses what no robot may, by their socket alone."""
    person = Person(api, session)
    person.take()
    person.click(*ROBOT)
    return person, lambda: person.say("hand_back", done=done)


@pytest.mark.parametrize("kind", ["desktop", "phone"])
def test_a_job_waits_days_for_a_person(office, local, kind):
    """It is held without a browser and without a place in the queue, over a kill and five days; the person finds the
    page on which it asked, and it goes on there: what was typed before is typed again, and sent once."""
    service = office(jobs={"automation": 1}, GHOSTCAST_BROWSER__KEEP_WARM="false")
    api, ada = service.api, User(service.api, "ada")
    local.mood = "captcha"
    job_id = form(api, "tea")
    held = ended(api, job_id, "pending_human")
    assert held["error"]["kind"] == "human_required" and held["attempts"] == 0, held
    assert "Show that tea is sent by no robot" in held["error"]["message"]
    assert f"POST /jobs/{job_id}/takeover" in held["error"]["message"]
    told = ada.hears("human_required")
    assert (told["job_id"], told["platform"]) == (job_id, "local") and "no robot" in told["reason"]
    wait_for(lambda: not service.browsers(), 10, "its browser has ended")
    assert own(api, job_id)[0]["state"] == "stored"
    read = enqueue(api, args={"platform": "local", "workflow": "read"})
    assert ended(api, read["job_id"])["result"] == "open to all"
    service.kill()
    later(service, 5)
    service = office(jobs={"automation": 1}, GHOSTCAST_BROWSER__KEEP_WARM="false")
    api, ada = service.api, User(service.api, "ada")
    assert job(api, job_id)["state"] == "pending_human"
    begun = takeover(api, job_id)
    assert begun["message"].startswith("Show that tea is sent by no robot")
    assert ada.hears("open_url")["url"] == begun["takeover_url"]
    options = {"viewport": {"width": 1280, "height": 800}}
    if kind == "phone":
        options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with browser_context(**options) as context:
        person = context.new_page()
        person.goto(begun["takeover_url"])
        person.wait_for_selector("#screen[data-picture=true]", timeout=10_000)
        person.wait_for_selector("#reason:has-text('Show that tea is sent by no robot')")
        person.click("#take")
        person.wait_for_selector("body[data-yours=true]")
        press = person.touchscreen.tap if kind == "phone" else person.mouse.click
        press(*spot(person, *ROBOT))
        wait_for(lambda: local.humans, 10, "they have shown that they are no robot")
        assert job(api, job_id)["state"] == "pending_human" and local.sent == []
        person.click("#done")
        person.wait_for_selector("#notice-title:has-text('Thank you')")
    assert ended(api, job_id)["result"] == "tea"
    assert local.sent == ["tea"] and local.humans == 1
    wait_for(lambda: not own(api, job_id), 10, "what was kept for it is gone")
    assert not (service.state / "profiles" / f"_job-{job_id}").exists()


def test_not_now_leaves_it(office, local):
    """Who does not do it leaves the job as it is, and the link good; who calls it off is rid of all of it."""
    service = office(GHOSTCAST_BROWSER__KEEP_WARM="false")
    api = service.api
    local.mood = "captcha"
    job_id = form(api, "tea")
    assert_envelope(api.request("POST", f"/jobs/{job_id}/takeover"), 409, "conflict")
    ended(api, job_id, "pending_human")
    link = takeover(api, job_id)["takeover_url"]
    session = f"_job-{job_id}"
    person = Person(api, session)
    person.take()
    person.say("hand_back", done=False)
    person.hear(lambda: not person.state["yours"])
    person.socket.close()
    wait_for(lambda: own(api, job_id)[0]["state"] == "stored", 30, "it rests again")
    assert job(api, job_id)["state"] == "pending_human" and local.sent == []
    # By the same link, which starts it once more.
    with browser_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.goto(link)
        page.wait_for_selector("#screen[data-picture=true]", timeout=15_000)
    assert api.request("POST", f"/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    wait_for(lambda: not own(api, job_id), 30, "its session is gone")
    wait_for(lambda: not (service.state / "profiles" / session).exists(), 10, "its profile is gone")
    assert_envelope(api.request("POST", f"/jobs/{job_id}/takeover"), 409, "conflict")
    # Tried anew, it asks anew; and needs nobody once there is nothing to be passed.
    assert api.request("POST", f"/jobs/{job_id}/retry").status_code == 200
    ended(api, job_id, "pending_human")
    local.mood = ""
    assert api.request("POST", f"/jobs/{job_id}/retry").status_code == 200
    assert ended(api, job_id)["result"] == "tea"
    assert local.sent == ["tea"]


def test_a_login_that_meets_a_captcha(office, local):
    """What the platform's marker knows is met on any page: the note waits, and is posted once by who has passed it."""
    service = office()
    api = service.api
    connection = connected(api, local)
    local.mood = "challenge"
    job_id = finalise(api, note_id := note(api, local))
    held = ended(api, job_id, "pending_human")
    assert "Local wants to see a person" in held["error"]["message"], held
    assert api.get(f"/notes/{note_id}").json()["status"] == "pending_human"
    assert finalise_again(api, note_id) != job_id or job(api, job_id)["state"] == "pending_human"
    takeover(api, job_id)
    person, hand_back = help_by_hand(api, f"_connection-{connection}")
    person.hear(lambda: person.state["title"] == "video", 10)
    hand_back()
    person.hear(lambda: person.state["outcome"], 10)
    assert person.state["outcome"]["state"] == "good"
    assert ended(api, job_id)["result"]["status"] == "posted"
    person.socket.close()
    assert local.texts() == ["Test note"]
    assert api.get(f"/notes/{note_id}").json()["status"] == "posted"


def finalise_again(api, note_id):
    """What a second call for the same note says."""
    return api.request("POST", f"/notes/{note_id}/finalise").json()["job_id"]


def test_who_comes_later_finds_the_page(office, local):
    """Another job has gone elsewhere with the same login meanwhile: whoever opens the link then is where it asked, and
    is told what for."""
    api = office().api
    connection = connected(api, local)
    local.mood = "captcha"
    asks = enqueue(api, args={"workflow": "form", "text": "tea"}, connection=connection)["job_id"]
    ended(api, asks, "pending_human")
    link = takeover(api, asks)["takeover_url"]
    ended(api, finalise(api, note(api, local)))
    session = f"_connection-{connection}"
    wait_for(lambda: api.record(session)["state"] == "stored", 20, "it rests")
    assert "/video/test" in api.record(session)["current_url"]
    with browser_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.goto(link)
        page.wait_for_selector("#screen[data-picture=true]", timeout=20_000)
        page.wait_for_selector("#title:has-text('form')")
        page.wait_for_selector("#reason:has-text('Show that tea is sent by no robot')")
        page.click("#take")
        page.wait_for_selector("body[data-yours=true]")
        page.mouse.click(*spot(page, *ROBOT))
        wait_for(lambda: local.humans, 10, "they have shown that they are no robot")
        page.click("#done")
        page.wait_for_selector("#notice-title:has-text('Thank you')")
    assert ended(api, asks)["result"] == "tea"
    assert local.sent == ["tea"] and local.texts() == ["Test note"]


def test_what_a_program_asks_is_its_own(office, local):
    """A person whom a program asks for in the session of a login is through with that, and nobody goes elsewhere."""
    api = office().api
    connection = connected(api, local)
    session = f"_connection-{connection}"
    api.act(session, "navigate", url=local.url("/open"))
    local.visits.clear()
    api.act(session, "request_human", reason="Look at this", wait_s=60)
    person = Person(api, session)
    person.take()
    person.say("hand_back", done=True)
    person.hear(lambda: not person.state["yours"])
    holds_for(lambda: local.visits == [] and person.state["outcome"] is None, 2, "nobody looks")
    person.socket.close()


def test_a_captcha_that_is_still_there(office, local):
    """Done is believed when the page says so: what is shown still is asked for again."""
    api = office().api
    local.mood = "captcha"
    job_id = form(api, "tea")
    ended(api, job_id, "pending_human")
    takeover(api, job_id)
    person = Person(api, f"_job-{job_id}")
    person.take()
    person.say("hand_back", done=True)
    person.socket.close()
    wait_for(lambda: local.visits.count("/form") >= 2 and job(api, job_id)["state"] != "queued", 20, "it has looked")
    ended(api, job_id, "pending_human")
    assert local.sent == []


def test_effects_on_both_sides_of_a_person(office, local):
    """What was done before the person came is not done again, whatever comes after: a kill between the second press
    and its answer leaves one of each."""
    service = office()
    api = service.api
    job_id = form(api, "tea", "twice")
    ended(api, job_id, "pending_human")
    assert local.sent == ["tea"]
    takeover(api, job_id)
    person = Person(api, f"_job-{job_id}")
    person.take()
    local.answering.clear()
    person.say("hand_back", done=True)
    wait_for(lambda: len(local.sent) == 2, 30, "the second press")
    service.kill()
    local.answering.set()
    api = office().api
    assert ended(api, job_id)["result"] == "twice"
    assert local.sent == ["tea", "tea!"]
    holds_for(lambda: local.sent == ["tea", "tea!"], 1, "nothing more is sent")
