"""The framed worker, the command that posts one note, and the bridge to a worker."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import procs
from support.api import Api
from support.framed import Worker, framed, workers
from support.jobs import connected, ended, enqueue, job, log_in_at, settings
from support.service import STATE_ENV, clean_env, refused_start
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

SESSION = "test-session-123"
ODD = str(Path(__file__).parent / "support" / "odd_worker.py")


@pytest.fixture
def worker(ghostcast_bin, tmp_path):
    """Makes workers on the office's state directory."""
    with workers(ghostcast_bin, tmp_path) as worker:
        yield lambda *args, **env: worker(
            "--config", str(tmp_path / "ghostcast.toml"), "--state-dir", str(tmp_path / "state"), *args, **env
        )


@pytest.fixture
def apply_note(ghostcast_bin, tmp_path):
    """Runs `ghostcast apply-note` on the office's state directory."""

    def run(*args):
        where = ("--config", str(tmp_path / "ghostcast.toml"), "--state-dir", str(tmp_path / "state"))
        return command(ghostcast_bin, tmp_path, "apply-note", *args, *where)

    return run


def command(binary, place, *args):
    """Runs a verb to its end."""
    env = {**clean_env(), "TMPDIR": str(place), "GHOSTCAST_BROWSER__KEEP_WARM": "false"}
    env[STATE_ENV] = str(place / "state")
    return subprocess.run([binary, *args], env=env, capture_output=True, text=True, timeout=100, check=False)


def logged_in(api, local, name=SESSION, user="ada"):
    """A session of that name in which somebody has logged in by hand."""
    spec = {"session_name": name, "initial_url": local.url("/login")}
    assert api.request("POST", "/sessions", json=spec).status_code == 201
    log_in_at(api, name, local, user)
    return name


def note(local, session=SESSION, text="Test note", at=45.2, video="/video/test"):
    """What a note is asked for with."""
    return {"video_url": local.url(video), "timestamp": at, "text": text, "session_id": session}


def odd(tmp_path, **more):
    """Settings by which the service keeps an odd worker; the file has one line for each call."""
    calls = tmp_path / "calls"
    calls.touch()
    lines = ["[bridge]", f"command = {json.dumps([sys.executable, ODD, str(calls)])}"]
    return "\n".join(lines + [f"{name} = {value}" for name, value in more.items()]), calls


def bridged(api, action, effect=True, attempts_max=1, **data):
    """A job that the worker of the bridge does."""
    args = {"action": action, "data": data, "effect": effect}
    key = f"{action} {time.monotonic_ns()}"
    return enqueue(api, "bridge", args=args, unique_key=key, attempts_max=attempts_max)["job_id"]


def test_frames(local, tmp_path, worker):
    """Four bytes and JSON, split and joined anyhow; what is none is told, and the worker lives."""
    settings(local, tmp_path)
    hand = worker()
    one, other = (framed({"id": name, "action": "dance", "data": {}}) for name in ("a", "ü"))
    for byte in one:
        hand.write(bytes([byte]))
        time.sleep(0.002)
    assert hand.answer("a") == {"id": "a", "error": "Unknown action"}
    hand.write(other + framed({"id": 2, "action": "dance"}) + one[:7])
    assert hand.answer("ü")["error"] == hand.answer(2)["error"] == "Unknown action"
    hand.told.clear()
    hand.write(one[7:])
    hand.answer("a")
    hand.told.clear()
    for number, (body, word) in enumerate(
        [
            (b"{'id': 1}", "no JSON"),
            (b"", "no JSON"),
            (b'{"id": "\xff"}', "no JSON"),
            (b"[]", "no object"),
            (b'{"action": "run"}', '"id"'),
            (b"{" * (16 * 1024 * 1024 + 1), "16777217 bytes"),
        ]
    ):
        hand.write(framed(body))
        wait_for(lambda want=number + 1: len(hand.of(None)) == want, 10, "it is told")
        assert word in hand.of(None)[-1]["error"], hand.told
        assert hand.error("dance") == "Unknown action"
    hand.write(framed({"id": 77}))
    assert "action" in hand.answer(77)["error"]
    # As long as a frame may be.
    body = json.dumps({"id": 78, "action": "dance", "data": ""}).encode()
    hand.write(framed(body[:-2] + b"x" * (16 * 1024 * 1024 - len(body)) + body[-2:]))
    assert hand.answer(78)["error"] == "Unknown action"
    assert hand.process.poll() is None
    hand.write(one + framed(b"{}")[:5])
    hand.told.clear()
    hand.hang_up()
    assert hand.ends() == 4
    assert "within a frame" in hand.log()


def test_a_note_is_posted(office, local, worker):
    """In the session by that name, told step by step; the permalink opens the comment."""
    api = office().api
    logged_in(api, local)
    hand = worker()
    number = hand.ask("post_note", **note(local))
    answer = hand.answer(number)
    assert answer["result"] == {"comment_id": "c1", "permalink": local.url("/video/test#c1"), "status": "posted"}
    *before, last = hand.of(number)
    doing = [frame["progress"].get("doing") for frame in before]
    assert "fill #text" in doing and "click #post" in doing and last is answer, doing
    assert local.comments == [
        {
            "video": "/video/test",
            "text": "Test note",
            "at": "45.2",
            "id": "c1",
            "permalink": answer["result"]["permalink"],
        }
    ]
    # The session is its owner's: it was there before, and stays.
    assert api.get(f"/sessions/{SESSION}").json()["state"] == "live"
    went = api.request("POST", f"/sessions/{SESSION}/navigate", json={"url": answer["result"]["permalink"]})
    assert went.json()["success"], went.text
    script = "return document.querySelector(`#comments [data-id=${location.hash.slice(1)}]`).textContent"
    shown = api.request("POST", f"/sessions/{SESSION}/execute", json={"script": script}).json()
    assert shown["result"] == "Test note", shown
    # The same once more is the same; another one is another.
    assert hand.result("post_note", **note(local)) == answer["result"]
    assert hand.result("post_note", **note(local, text="Second", at=45))["comment_id"] == "c2"
    assert local.texts() == ["Test note", "Second"]


def test_a_connections_session(office, local, worker):
    """The id that a connection's record has; its platform is the video's."""
    api = office().api
    connection = connected(api, local)
    session = api.get(f"/connections/{connection}").json()["browserbase_session_id"]
    hand = worker()
    assert hand.result("post_note", **note(local, session))["status"] == "posted"
    elsewhere = {**note(local, session), "video_url": "https://other.example/v"}
    assert hand.error("post_note", **elsewhere).startswith("invalid_input: ")
    assert hand.result("check_login", session_id=session)["logged_in"] is True
    used = api.get(f"/connections/{connection}").json()["last_used_at"]
    assert hand.result("ping_session", session_id=session) == {"alive": True}
    assert api.get(f"/connections/{connection}").json()["last_used_at"] == used, "a visit is no use"
    local.logins.clear()
    assert hand.result("check_login", session_id=session)["logged_in"] is False
    # What only a login mends is told, and not done later behind the caller's back.
    assert hand.error("post_note", **note(local, session, text="later")).startswith("logged_out: ")
    states = {one["state"] for one in api.get("/jobs").json()["jobs"]}
    assert "pending_auth" not in states and "queued" not in states, states
    assert local.texts() == ["Test note"]


def test_what_can_be_asked_of_a_session(office, local, worker):
    """Whether somebody is logged in, that it lives; and what is not there or was asked for badly."""
    api = office().api
    logged_in(api, local)
    hand = worker()
    where = {"session_id": SESSION, "url": local.url("/")}
    assert hand.result("check_login", **where)["logged_in"] is True
    assert hand.result("check_login", **where, selector="#logout, [href='/logout']")["logged_in"] is True
    assert hand.result("check_login", **where, selector="#nothing-of-the-kind")["logged_in"] is False
    assert hand.result("ping_session", session_id=SESSION) == {"alive": True}
    for action in ("check_login", "ping_session"):
        assert hand.error(action, **{**where, "session_id": "nobody"}).startswith("session_not_found: ")
        assert hand.error(action).startswith("invalid_input: ")
    assert hand.error("post_note", **note(local, "nobody")).startswith("session_not_found: ")
    for name in note(local):
        lacking = {key: value for key, value in note(local).items() if key != name}
        error = hand.error("post_note", **lacking)
        assert error.startswith("invalid_input: ") and name in error
    assert hand.error("post_note", **{**note(local), "video_url": "https://other.example/v"}).startswith("not_found: ")
    assert hand.result("run", kind="workflow", args={"platform": "local", "workflow": "read"}) == "open to all"
    assert "no workflow" in hand.error("run", kind="workflow", args={"platform": "local", "workflow": "none"})
    assert hand.error("run", kind="dance").startswith("invalid_input: ")
    assert local.comments == [] and hand.process.poll() is None


def test_many_at_once(office, worker):
    """Answers come as they are there, each with its request's id."""
    office()
    hand = worker()
    slow = {"platform": "local", "workflow": "slow"}
    slowly = [hand.ask("run", kind="workflow", args={**slow, "word": word}) for word in "ab"]
    quickly = hand.ask("dance")
    hand.answer(quickly)
    assert not [frame for number in slowly for frame in hand.of(number) if "result" in frame]
    assert [hand.answer(number)["result"] for number in slowly] == ["a", "b"]
    late = hand.ask("run", kind="workflow", args={**slow, "word": "late"})
    soon = hand.ask("run", kind="workflow", args={"platform": "local", "workflow": "read"})
    hand.answer(soon)
    hand.answer(late)
    ends = [frame["id"] for frame in hand.told if "result" in frame]
    assert ends.index(soon) < ends.index(late), ends


def test_the_end_of_the_input(office, local, tmp_path, worker):
    """The worker ends by itself, with a service and browsers of its own; what was asked for is still done."""
    service = office()
    logged_in(service.api, local)
    service.stop()
    hand = worker()
    # Others find the service that it carries.
    assert hand.result("ping_session", session_id=SESSION) == {"alive": True}
    pid = int((tmp_path / "state" / "ghostcast.pid").read_text().split()[0])
    assert pid == hand.process.pid
    number = hand.ask("post_note", **note(local))
    below = wait_for(lambda: procs.descendants(pid), 20, "a browser runs")
    hand.hang_up()
    assert hand.ends(60) == 0
    assert hand.answer(number)["result"]["comment_id"] == "c1"
    wait_for(lambda: not [one for one in below if procs.is_alive(one)], 10, "the browsers are gone")
    assert not (tmp_path / "state" / "ghostcast.pid").exists()


def test_a_caller_that_is_gone(office, worker):
    """When nobody reads any more, what was asked for is called off."""
    api = office().api
    hand = worker(reads=False)
    hand.ask("run", kind="workflow", args={"platform": "local", "workflow": "slow", "word": "x"})
    running = lambda state: [one for one in api.get("/jobs").json()["jobs"] if one["state"] == state]  # noqa: E731
    wait_for(lambda: running("running"), 20, "it runs")
    hand.hang_up()
    hand.process.stdout.close()
    wait_for(lambda: running("cancelled"), 20, "it is called off")
    assert hand.process.wait(10) in (0, 4)


def test_a_caller_that_reads_nothing(office, worker):
    """A pipe that is full does not keep the worker from ending when it is told to."""
    office()
    hand = worker(reads=False)
    for _ in range(2000):
        hand.ask("dance")
    time.sleep(1)
    assert hand.process.poll() is None
    hand.process.send_signal(signal.SIGTERM)
    assert hand.process.wait(10) in (0, 4)


def test_a_worker_that_is_killed(office, local, worker):
    """The service does what it was asked for, and the same call is answered with that: the note is there once."""
    logged_in(office().api, local)
    local.answering.clear()
    hand = worker()
    hand.ask("post_note", **note(local))
    assert local.posted.wait(30)
    hand.process.kill()
    hand.process.wait(10)
    local.answering.set()
    again = worker()
    answer = again.answer(again.ask("post_note", **note(local)), 60)
    assert answer["result"]["comment_id"] == "c1" and local.texts() == ["Test note"], answer


def test_what_takes_too_long(office, worker):
    """A request has its time, is called off then, and told so."""
    api = office().api
    hand = worker("--timeout-ms", "1000")
    error = hand.error("run", kind="workflow", args={"platform": "local", "workflow": "slow", "word": "x"})
    assert error.startswith("timeout: "), error
    wait_for(lambda: api.get("/jobs").json()["jobs"][0]["state"] == "cancelled", 10, "it is called off")


def test_a_service_that_is_killed(office, worker):
    """The job goes on in the service's next life, and its caller is answered."""
    service = office()
    hand = worker()
    number = hand.ask("run", kind="workflow", args={"platform": "local", "workflow": "slow", "word": "x"})
    wait_for(lambda: [one for one in hand.of(number) if one["progress"]["state"] == "running"], 20, "it runs")
    service.kill()
    office()
    assert hand.answer(number)["result"] == "x"


def test_a_worker_is_no_second_service(office, worker):
    """Two services never share a state directory: the second worker asks the first one's, and so does a shell."""
    office().stop()
    first = worker()
    first.error("dance")
    second = worker()
    read = {"kind": "workflow", "args": {"platform": "local", "workflow": "read"}}
    assert second.result("run", **read) == "open to all"
    assert "works with the service at" in second.log()
    second.hang_up()
    assert second.ends() == 0
    assert first.result("run", **read) == "open to all"


def test_apply_note(office, local, tmp_path, apply_note):
    """One process for one note; JSON and 0, or words and 3; and what a process costs."""
    service = office()
    logged_in(service.api, local)
    what = ("--video-url", local.url("/video/test"), "--text", "Test note")
    done = apply_note(*what, "--timestamp", "45.2", "--session-id", SESSION)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "comment_id": "c1",
        "permalink": local.url("/video/test#c1"),
        "status": "posted",
    }
    costs = []
    for _ in range(5):
        begun = time.monotonic()
        refused = apply_note(*what, "--timestamp", "1", "--session-id", "nobody")
        costs.append(time.monotonic() - begun)
        assert refused.returncode == 3 and refused.stdout == "", refused
        assert "session_not_found: " in refused.stderr
    print(f"apply-note, from its start to its refusal: p50 {statistics.median(costs) * 1000:.0f} ms")
    spawns = []
    for _ in range(10):
        begun = time.monotonic()
        command(os.environ["GHOSTCAST_BIN"], tmp_path, "--version")
        spawns.append(time.monotonic() - begun)
    print(f"spawn of the program: p50 {statistics.median(spawns) * 1000:.1f} ms")
    for bad in (("--timestamp", "soon"), ()):
        assert apply_note(*what, *bad, "--session-id", SESSION).returncode == 2
    # Without a service it carries one.
    service.stop()
    alone = apply_note(*what, "--timestamp", "46", "--session-id", SESSION)
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["comment_id"] == "c2"
    nowhere = apply_note(*what, "--timestamp", "47", "--session-id", SESSION, "--service", "http://127.0.0.1:9")
    assert nowhere.returncode == 3 and "unavailable: " in nowhere.stderr


def test_the_bridge(office, tmp_path):
    """Answers by their ids, in any order; strangers ignored; progress; errors; silence."""
    more, _ = odd(tmp_path, timeout_ms=3000)
    service = office(more=more)
    api = service.api
    first = ended(api, bridged(api, "echo", n=1))["result"]
    assert first["n"] == 1
    slow, quick = bridged(api, "wait", seconds=1.5), bridged(api, "wait", seconds=0)
    assert ended(api, quick)["finished_at"] < ended(api, slow)["finished_at"]
    assert ended(api, bridged(api, "stray"))["result"] == "for somebody"
    assert ended(api, bridged(api, "nulls"))["result"] == "done"
    assert ended(api, bridged(api, "noise"))["result"] == "said"
    steps = bridged(api, "steps")
    wait_for(lambda: (job(api, steps)["progress"] or {}).get("doing") == "paints", 10, "progress")
    assert ended(api, steps)["result"] == "painted"
    refused = ended(api, bridged(api, "refuse", text="no paper"), "failed")
    assert refused["error"] == {"kind": "unavailable", "message": "no paper"}
    known = ended(api, bridged(api, "refuse", text="not_found: no such film"), "failed")
    assert known["error"]["kind"] == "not_found"
    assert ended(api, bridged(api, "dance"), "failed")["error"] == {
        "kind": "invalid_input",
        "message": "Unknown action",
    }
    held = ended(api, bridged(api, "refuse", text="logged_out: x"), "pending_auth")
    assert api.request("POST", f"/jobs/{held['job_id']}/retry").status_code == 200
    silent = ended(api, bridged(api, "silent"), "failed")
    assert silent["error"]["kind"] == "timeout" and "3 s" in silent["error"]["message"]
    # One process did it all.
    assert ended(api, bridged(api, "echo"))["result"]["pid"] == first["pid"]
    assert 'line="odd worker' in service.log(1_000_000)
    service.stop()
    assert not procs.is_alive(first["pid"])


def test_a_worker_that_dies(office, tmp_path):
    """What is pending fails at once, the worker is started again, and the next call works."""
    more, calls = odd(tmp_path)
    service = office(more=more)
    api = service.api
    before = ended(api, bridged(api, "echo"))["result"]["pid"]
    pending = [bridged(api, "silent", n=n) for n in range(3)]
    wait_for(lambda: calls.read_text().count("silent") == 3, 10, "all three are told")
    os.kill(before, signal.SIGKILL)
    begun = time.monotonic()
    for job_id in pending:
        failed = ended(api, job_id, "failed", within=10)
        assert failed["error"]["kind"] == "unavailable"
        assert "ended before it answered (signal: 9 (SIGKILL))" in failed["error"]["message"]
    assert time.monotonic() - begun < 5
    after = ended(api, bridged(api, "echo"), within=10)["result"]["pid"]
    assert after != before
    for _ in range(3):
        ended(api, bridged(api, "die"), "failed")
    assert ended(api, bridged(api, "echo"), within=15)["result"]["pid"] not in (before, after)


def test_a_call_with_an_effect_is_made_once(office, tmp_path):
    """What may have been done is not asked for again; what was refused, or has no effect, is."""
    more, calls = odd(tmp_path)
    api = office(more=more).api
    failed = ended(api, bridged(api, "die", attempts_max=2), "failed")
    assert failed["error"]["kind"] == "effect_not_seen" and calls.read_text().count("die") == 1
    ended(api, bridged(api, "refuse", attempts_max=2, text="no"), "failed")
    assert calls.read_text().count("refuse") == 2
    ended(api, bridged(api, "die", effect=False, attempts_max=2), "failed")
    assert calls.read_text().count("die") == 3


def test_a_call_that_nobody_was_told_of(office):
    """No worker has come to be asked, so the same may be asked for again."""
    more = '[bridge]\ncommand = ["/nowhere/worker"]\ntimeout_ms = 1000'
    api = office(more=more).api
    failed = ended(api, bridged(api, "echo", attempts_max=2), "failed")
    assert failed["attempts"] == 2 and failed["error"]["kind"] == "unavailable", failed
    assert "no worker was there" in failed["error"]["message"], failed


def test_no_worker_is_set(office):
    """A job that there is nobody for is refused."""
    api = office().api
    answer = api.request("POST", "/jobs", json={"kind": "bridge", "args": {"action": "echo"}})
    assert answer.status_code == 501 and "bridge.command" in answer.json()["error"]["hint"]


def test_the_bridge_is_read_again(office, tmp_path):
    """Another command is taken by SIGHUP: what is under way is finished by the one that was."""
    more, calls = odd(tmp_path)
    service = office(more=more)
    api = service.api
    first = ended(api, bridged(api, "echo"))["result"]["pid"]
    slow = bridged(api, "wait", seconds=4)
    wait_for(lambda: "wait" in calls.read_text(), 10, "it is told")
    others = tmp_path / "others"
    others.touch()
    path = tmp_path / "ghostcast.toml"
    path.write_text(path.read_text().replace(str(calls), str(others)))
    os.kill(service.process.pid, signal.SIGHUP)
    wait_for(lambda: "bridge.command" in service.log(), 10, "it is told in the log")
    second = ended(api, bridged(api, "echo"))["result"]["pid"]
    assert second != first and "echo" in others.read_text()
    assert ended(api, slow)["state"] == "done"
    wait_for(lambda: not procs.is_alive(first), 10, "the one that was has ended")
    path.write_text(path.read_text().replace(json.dumps([sys.executable, ODD, str(others)]), "[]"))
    os.kill(service.process.pid, signal.SIGHUP)
    wait_for(lambda: not procs.is_alive(second), 10, "there is none any more")
    assert api.request("POST", "/jobs", json={"kind": "bridge", "args": {"action": "echo"}}).status_code == 501


def test_a_bridge_to_the_same_service(ghostcast_bin, tmp_path):
    """A worker that would have its work done by the service that calls it is refused at the start, in words."""
    command = json.dumps([ghostcast_bin, "worker", "--state-dir", str(tmp_path / "state")])
    said = refused_start(ghostcast_bin, tmp_path, GHOSTCAST_BRIDGE__COMMAND=command)
    assert "would wait for itself" in said and "--state-dir" in said, said


def test_a_worker_at_the_bridge(office, local, tmp_path, ghostcast_bin):
    """Both sides are ours: a job of one service is done by the worker of another."""
    other = tmp_path / "other"
    other.mkdir()
    settings(local, other)
    args = ["--config", str(other / "ghostcast.toml"), "--state-dir", str(other / "state")]
    # Somebody has logged in there.
    theirs = Worker(ghostcast_bin, other, *args)
    try:
        theirs.error("dance")
        address = json.loads((other / "state" / "ghostcast.pid").read_text().split("\n")[1])["address"]
        logged_in(Api(f"http://{address}"), local)
    finally:
        theirs.hang_up()
        assert theirs.ends() == 0
    api = office(more=f"[bridge]\ncommand = {json.dumps([ghostcast_bin, 'worker', *args])}").api
    done = ended(api, bridged(api, "post_note", **note(local)), within=90)
    assert done["result"]["comment_id"] == "c1" and local.texts() == ["Test note"]


def test_jobs_from_a_shell(office, local, tmp_path, ghostcast_bin):
    """`ghostcast job`: JSON where it is asked for, progress on standard error, exit codes."""
    service = office()
    api = service.api

    def shell(*args):
        where = ("--config", str(tmp_path / "ghostcast.toml"), "--state-dir", str(tmp_path / "state"))
        return command(ghostcast_bin, tmp_path, "job", *args, *where)

    read = ("workflow", "--arg", "platform=local", "--arg", "workflow=read")
    assert shell("list").stdout == "no jobs\n"
    asked = shell("run", *read)
    assert asked.returncode == 0, asked.stderr
    job_id = asked.stdout.strip()
    assert ended(api, job_id)["result"] == "open to all"
    watched = shell("watch", job_id)
    assert watched.returncode == 0 and json.loads(watched.stdout) == "open to all"
    waited = shell("run", *read, "--args", '{"n": 2}', "--wait", "--json")
    assert waited.returncode == 0, waited.stderr
    assert json.loads(waited.stdout)["args"] == {"platform": "local", "workflow": "read", "n": 2}
    assert "running 1/3: wait" in waited.stderr and "done" in waited.stderr.splitlines()[-1]
    assert [line.split()[0] for line in shell("list").stdout.splitlines()][1] == job_id
    assert len(json.loads(shell("list", "--state", "done", "--json").stdout)["jobs"]) == 2
    assert json.loads(shell("show", job_id, "--json").stdout) == job(api, job_id)
    assert "open to all" in shell("show", job_id).stdout
    # What fails, and is tried anew.
    local.mood = "busy"
    failed = shell("run", *read, "--arg", "n=3", "--attempts-max", "1", "--wait")
    assert failed.returncode == 3 and failed.stdout == "" and "fewer requests" in failed.stderr, failed
    failed_id = json.loads(shell("list", "--state", "failed", "--json").stdout)["jobs"][0]["job_id"]
    local.mood = ""
    assert shell("retry", failed_id).returncode == 0
    assert shell("watch", failed_id).returncode == 0
    # What is called off.
    later = shell("run", *read, "--arg", "n=4", "--run-at", str(time.time() + 3600)).stdout.strip()
    holds_for(lambda: job(api, later)["state"] == "queued", 0.5, "it waits")
    assert "cancelled" in shell("cancel", later).stdout
    assert shell("watch", later).returncode == 4
    # What the service refuses, and a service that is not there.
    assert shell("cancel", later).returncode == 1
    assert shell("show", "nobody").returncode == 1
    assert shell("run", "dance").returncode == 1
    assert shell("run", "workflow", "--arg", "novalue").returncode == 2
    service.stop()
    assert shell("list").returncode == 1
