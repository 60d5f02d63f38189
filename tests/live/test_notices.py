"""What the operator is told: jobs that have failed, logins that are good no more."""

import sqlite3
import time

import pytest

from support.api import assert_envelope
from support.jobs import connected, ended, enqueue, job
from support.service import free_port, refused_start
from support.told import SECRET, Hook, Mailbox
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

READ = {"platform": "local", "workflow": "read"}


@pytest.fixture
def hook():
    """A webhook."""
    made = Hook()
    yield made
    made.close()


def settings(hook):
    """The webhook in the environment."""
    return {"GHOSTCAST_NOTICES__WEBHOOK_URL": hook.url, "GHOSTCAST_NOTICES__WEBHOOK_SECRET": SECRET}


def test_a_failed_job_is_told_once(office, local, hook):
    """One call for a failing job, signed; none for one that succeeds or is called off."""
    service = office(jobs={"automation": 1}, **settings(hook))
    api = service.api
    assert ended(api, enqueue(api, args=READ)["job_id"])
    slow = enqueue(api, args={"platform": "local", "workflow": "slow", "word": "x"})["job_id"]
    assert api.request("POST", f"/jobs/{slow}/cancel").status_code == 200
    local.mood = "busy"
    failed = ended(api, enqueue(api, args={**READ, "user_id": "ada"})["job_id"], "failed")
    wait_for(lambda: hook.heard, 10, "the webhook is called")
    holds_for(lambda: len(hook.heard) == 1, 2, "once")
    notice_id, notice = hook.heard[0]
    assert notice["type"] == "job.failed" and notice["timestamp"].endswith("Z")
    data = notice["data"]
    assert (data["job_id"], data["user_id"], data["platform"]) == (failed["job_id"], "ada", "local")
    assert (data["kind"], data["attempts"]) == ("workflow", 3)
    assert data["error"] == failed["error"] and "fewer requests" in data["error"]["message"]
    told = ended(api, notice_id)
    assert (told["kind"], told["queue"], told["result"]) == ("notice", "notices", {"http_status": 204})
    answer = api.request("POST", "/jobs", json={"kind": "notice"})
    assert_envelope(answer, 400, "invalid_input")
    metrics = api.get("/metrics").text
    assert 'ghostcast_job_attempts_total{kind="workflow",outcome="failed",attempt="3"} 1' in metrics
    assert 'ghostcast_job_attempts_total{kind="notice",outcome="done",attempt="1"} 1' in metrics
    assert 'ghostcast_job_duration_seconds_count{kind="workflow",outcome="failed"} 1' in metrics
    logged = service.log(1_000_000)
    assert "hush-hush" not in logged and SECRET not in logged


def test_a_notice_is_sent_until_it_arrives(office, local, hook):
    """Whatever the other side says meanwhile, and though the service is killed; by one id; once it has arrived, no more."""
    hook.answers = [500, 302, 404, 429]
    service = office(jobs={"backoff_s": [1], "attempts_max": 1}, **settings(hook))
    local.mood = "busy"
    enqueue(service.api, args=READ)
    wait_for(lambda: len(hook.refused) >= 2, 20, "two attempts")
    service.kill()
    service = office(jobs={"backoff_s": [1], "attempts_max": 1}, **settings(hook))
    wait_for(lambda: hook.heard, 20, "it arrives")
    holds_for(lambda: len(hook.heard) == 1, 2, "once")
    assert {hook.heard[0][0]} == set(hook.refused), "all attempts have one id"
    # One that never arrives is no reason for another one.
    hook.answers = [500] * 20
    enqueue(service.api, args={**READ, "n": 2})
    wait_for(
        lambda: [one for one in service.api.get("/jobs").json()["jobs"] if one["kind"] == "notice"][0]["state"] == "failed",
        30,
        "it is given up",
    )
    lost = service.api.get("/jobs").json()["jobs"][0]
    assert lost["attempts"] == 8 and lost["error"]["message"] == "The webhook answers 500 Internal Server Error."
    assert len([one for one in service.api.get("/jobs").json()["jobs"] if one["kind"] == "notice"]) == 2


def test_notices_by_mail(office, local):
    """To all who shall have it; a server that is away is tried again."""
    port = free_port()
    service = office(
        jobs={"backoff_s": [1], "attempts_max": 1},
        more='[notices]\nmail_from = "Ghostcast <ghostcast@example.org>"\n'
        'mail_to = ["ops@example.org", "Ada <ada@example.org>"]',
        GHOSTCAST_NOTICES__MAIL_SERVER=f"smtp://ada:hush-hush@127.0.0.1:{port}",
    )
    local.mood = "busy"
    failed = enqueue(service.api, args=READ)["job_id"]
    ended(service.api, failed, "failed")
    notice = wait_for(
        lambda: [one for one in service.api.get("/jobs").json()["jobs"] if one["kind"] == "notice" and one["error"]],
        10,
        "nobody listens",
    )[0]
    assert notice["error"]["kind"] == "unavailable", notice
    box = Mailbox(port)
    try:
        wait_for(lambda: box.mails, 20, "the mail")
        holds_for(lambda: len(box.mails) == 1, 2, "one mail")
        sender, to, mail = box.mails[0]
        assert sender == "ghostcast@example.org" and sorted(to) == ["ada@example.org", "ops@example.org"]
        assert mail["Subject"].startswith(f"Ghostcast: Job {failed} (workflow) has failed"), mail["Subject"]
        text = mail.get_payload(decode=True).decode()
        assert "Local wants fewer requests." in text and '"type": "job.failed"' in text
        assert ended(service.api, notice["job_id"])["result"] == {"smtp_code": "250"}
        assert box.logins == [("ada", "hush-hush")] and "hush-hush" not in service.log(1_000_000)
    finally:
        box.close()


def test_a_login_that_is_lost_is_told_once(office, local, hook):
    """One notice for a connection that has expired, with the time set back in the registry, and for one logged out."""
    service = office(**settings(hook))
    idle, out = connected(service.api, local, "ada"), connected(service.api, local, "bob")
    assert not service.stop()
    with sqlite3.connect(service.state / "ghostcast.db") as file:
        month_ago = time.time() - 31 * 86_400
        file.execute("UPDATE connections SET last_used_at = ? WHERE connection_id = ?", (month_ago, idle))
    file.close()
    service = office(**settings(hook))
    wait_for(lambda: hook.heard, 10, "it has expired")
    local.logins.clear()
    args = {"workflow": "post_note", "video_url": local.url("/video/test"), "text": "x", "timestamp": 1}
    held = enqueue(service.api, args=args, connection=out)["job_id"]
    wait_for(lambda: job(service.api, held)["state"] == "pending_auth", 20, "it waits for a login")
    wait_for(lambda: len(hook.heard) == 2, 10, "it was logged out")
    # A job whose login is deleted has failed.
    assert service.api.request("DELETE", f"/connections/{out}").status_code == 200
    wait_for(lambda: len(hook.heard) == 3, 10, "its job has failed")
    holds_for(lambda: len(hook.heard) == 3, 3, "each once")
    told = [(one["type"], one["data"].get("connection_id"), one["data"].get("job_id")) for _, one in hook.heard]
    assert told[:2] == [("connection.expired", idle, None), ("connection.logged_out", out, None)], told
    assert told[2][0] == "job.failed" and told[2][2] == held, told
    assert hook.heard[0][1]["data"]["user_id"] == "ada"


def test_settings_that_tell_nobody_are_refused(ghostcast_bin, tmp_path):
    """With what is wrong with them; neither a token nor a password is repeated."""
    for env, word in (
        ({"WEBHOOK_URL": "ftp://x/hush-hush"}, "webhook_url"),
        ({"WEBHOOK_URL": "http://x/hush-hush"}, "webhook_secret"),
        ({"WEBHOOK_URL": "http://x/hush-hush", "WEBHOOK_SECRET": "whsec_c2hvcnQ="}, "webhook_secret"),
        ({"WEBHOOK_URL": "http://x/hush-hush", "WEBHOOK_SECRET": "a-long-text-that-is-no-key"}, "webhook_secret"),
        ({"MAIL_SERVER": "http://a:hush-hush@x"}, "mail_server"),
        ({"MAIL_SERVER": "smtp://a:hush-hush@x"}, "mail_from"),
    ):
        named = {f"GHOSTCAST_NOTICES__{name}": value for name, value in env.items()}
        said = refused_start(ghostcast_bin, tmp_path, **named)
        assert f"notices.{word}" in said and "hush" not in said, said
