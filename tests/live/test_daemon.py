"""The service in the background: start, stop, restart, status, logs, cleanup, and sessions from a shell."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

import httpx
import pytest

from support import procs
from support.daemon import (
    DAEMON_LOG,
    SERVER_LOG,
    Daemon,
    Followed,
    check_json_lines,
    check_lines,
)
from support.kept import Site, file_of, known_as, rows, start, whole
from support.service import TOKEN, Ghostcast, free_port
from support.wait import holds_for, wait_for


@pytest.fixture
def daemon(ghostcast_bin, tmp_path):
    """A state directory of the test's own; what was started on it is ended."""
    daemon = Daemon(ghostcast_bin, tmp_path)
    yield daemon
    daemon.put_away()


@pytest.fixture(scope="module")
def site():
    """A site that knows its visitors."""
    site = Site()
    yield site
    site.close()


def mode(path):
    """The rights of a file."""
    return stat.S_IMODE(path.stat().st_mode)


# ---- start, stop, restart ---------------------------------------------------------------------


def test_start_returns_when_the_service_answers(daemon):
    """The shell has its prompt again, the service runs by itself, and its PID file says who it is."""
    said = daemon.start().said
    assert daemon.is_healthy()
    pid = daemon.pid
    assert f"started: pid {pid}, http://127.0.0.1:{daemon.port}" in said
    assert procs.command_line(pid)[1] == "serve"
    # A session of its own, without a terminal, and nobody's child.
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert int(procs.stat_fields(pid)[1]) != os.getpid()
    assert mode(daemon.pid_file) == 0o600
    assert daemon.run("stop").returncode == 0


def test_a_second_start_says_that_it_runs_already(daemon):
    """With the process and its address, and that is no failure."""
    daemon.start()
    pid = daemon.pid
    again = daemon.start()
    assert f"runs already: pid {pid}, http://127.0.0.1:{daemon.port}" in again.stdout
    elsewhere = daemon.run("start", "--port", free_port())
    assert f"runs already: pid {pid}" in elsewhere.stdout
    assert daemon.pid == pid and daemon.is_healthy()


def test_of_two_starts_at_once_one_service_comes(daemon):
    """Whoever comes second has one that runs, or is told of it, and there is one in the end."""
    daemon.env["GHOSTCAST_BROWSER__KEEP_WARM"] = "false"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        words = [daemon.binary, "start", "--port", str(daemon.port)]
        run = lambda _: subprocess.run(words, env=daemon.env, capture_output=True, text=True, timeout=60)
        done = list(pool.map(run, range(4)))
    assert any(one.returncode == 0 for one in done), done
    assert not any("panicked" in one.stderr for one in done)
    assert daemon.is_healthy()
    served = [
        pid
        for pid in procs.pids()
        if procs.command_line(pid)[1:2] == ["serve"] and procs.mentions(pid, str(daemon.home))
    ]
    assert served == [daemon.pid]


def test_stop_ends_all_in_order(daemon, site):
    """No process and no PID file is left, and what is kept is kept; twice is once."""
    daemon.start()
    pid = daemon.pid
    start(daemon.api, "shop", initial_url=site.login("ada"))
    daemon.api.request("POST", "/sessions", json={"room_name": "walk"})
    assert daemon.browsers()
    said = daemon.run("stop").stdout
    assert f"stopped: pid {pid}" in said
    assert not procs.is_alive(pid) and not daemon.browsers()
    assert not daemon.pid_file.exists()
    assert list(daemon.tmp.iterdir()) == []
    assert list(rows(daemon.state)) == ["shop"]
    assert "ended" in daemon.log().splitlines()[-1]
    assert "does not run" in daemon.run("stop").stdout


def test_a_service_that_hangs_is_killed_only_by_force(daemon):
    """Stop has a bound, says so, and kills with all browsers when it is told to."""
    daemon.start()
    pid = daemon.pid
    daemon.api.request("POST", "/sessions", json={"room_name": "walk"})
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    failed = daemon.run("stop", "--timeout", "1", code=1)
    assert time.monotonic() - began < 5
    assert f"pid {pid}, still runs after 1 s" in failed.stderr and "--force" in failed.stderr
    assert procs.is_alive(pid) and daemon.pid_file.exists()
    assert "was killed" in daemon.run("stop", "--timeout", "1", "--force").stdout
    assert not procs.is_alive(pid) and not daemon.pid_file.exists()
    wait_for(lambda: not daemon.browsers(), 5, "no browser is left")


def test_restart_keeps_options_and_sessions(daemon, site):
    """Another process with the same options; a session with a name has its page and its cookie."""
    registry = daemon.home / "registry.json"
    daemon.start("--registry-file", registry)
    pid = daemon.pid
    start(daemon.api, "shop", initial_url=site.login("ada"))
    assert known_as(daemon.api, "shop") == whole("ada")
    # Where the state directory is, is all that the verb is told.
    daemon.run("restart")
    assert daemon.pid != pid and not procs.is_alive(pid)
    assert f"--registry-file\0{registry}" in "\0".join(procs.command_line(daemon.pid))
    again = start(daemon.api, "shop", status=200)
    assert again["current_url"] == site.login("ada")
    assert known_as(daemon.api, "shop") == whole("ada")
    other = free_port()
    daemon.run("restart", "--port", other)
    assert httpx.get(f"http://127.0.0.1:{other}/health").status_code == 200
    assert "--registry-file" in procs.command_line(daemon.pid)


def test_restart_starts_what_does_not_run(daemon):
    """A restart ends with a service that runs, whatever was before."""
    assert "does not run" in daemon.run("restart", "--port", daemon.port).stdout
    assert daemon.is_healthy()
    os.kill(daemon.pid, signal.SIGKILL)
    # Thread by thread: until the last is gone it holds its lock.
    wait_for(lambda: not os.path.exists(f"/proc/{daemon.pid}"), 10, "it is gone")
    # It has the options of the one that died.
    assert "stale" in daemon.run("restart").stdout
    assert daemon.is_healthy()


# ---- what goes wrong --------------------------------------------------------------------------


def test_a_busy_port_is_told_plainly(daemon, ghostcast_bin, tmp_path):
    """At once, with what to do, whoever has it; and nothing is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", daemon.port))
        taken.listen()
        began = time.monotonic()
        failed = daemon.run("start", "--port", daemon.port, code=1)
        assert time.monotonic() - began < 8
    assert f"cannot listen on 127.0.0.1:{daemon.port}" in failed.stderr and "--port" in failed.stderr
    assert not daemon.pid_file.exists()
    assert "cannot listen" in daemon.log(DAEMON_LOG)
    daemon.start()
    (tmp_path / "other").mkdir()
    other = Daemon(ghostcast_bin, tmp_path / "other")
    failed = other.run("start", "--port", daemon.port, code=1)
    assert "Another Ghostcast answers there" in failed.stderr
    assert other.run("status", "--port", daemon.port, code=3).stdout.count("Another Ghostcast") == 1


def test_a_start_that_fails_shows_the_end_of_the_log(daemon):
    """What the service said before it ended, and where more is; no process is left."""
    failed = daemon.run(
        "start", "--port", daemon.port, code=1, GHOSTCAST_BROWSER__WORK_DIR="/proc/no/such"
    )
    assert "ended at its start" in failed.stderr and "cannot make a working directory" in failed.stderr
    assert f"Its log is {daemon.logs / SERVER_LOG}" in failed.stderr
    assert failed.stderr.count("ghostcast: ") == 1
    assert not daemon.pid_file.exists()
    assert "did not start" in daemon.log(DAEMON_LOG)
    # What is wrong with the settings is said before anything is started.
    failed = daemon.run("start", "--listen", f"0.0.0.0:{daemon.port}", code=1)
    assert "without a token" in failed.stderr
    failed = daemon.run("start", "--port", daemon.port, code=1, GHOSTCAST_SERVER__LISTN="x")
    assert "server.listn" in failed.stderr
    failed = daemon.run("start", "--port", daemon.port, "--log-dir", "/proc/no/such", code=1)
    assert "cannot write a log in /proc/no/such" in failed.stderr and "--log-dir" in failed.stderr


def test_status_tells_by_its_exit_code(daemon):
    """0 running, 3 not running, 1 died and left its PID file, 4 does not answer."""
    assert "does not run" in daemon.run("status", code=3).stdout
    daemon.start()
    pid = daemon.pid
    daemon.api.request("POST", "/sessions", json={"room_name": "walk"})
    said = daemon.run("status").stdout
    for line in (
        "ghostcast runs",
        f"pid       {pid}",
        f"address   http://127.0.0.1:{daemon.port}",
        "health    healthy",
        "sessions  1 live",
        f"state     {daemon.state}",
        f"logs      {daemon.logs}",
    ):
        assert line in said, said
    assert re.search(r"uptime    \d+ s", said) and re.search(r"version   \d+\.\d+\.\d+", said)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: procs.is_stopped(pid), 5, "all of it stands still")
    assert "health    unknown" in daemon.run("status", code=4).stdout
    os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not procs.is_alive(pid), 5, "it is gone")
    said = daemon.run("status", code=1).stdout
    assert "stale" in said and f"process {pid} is gone" in said
    daemon.run("stop")
    daemon.run("status", code=3)


def test_a_process_that_has_the_number_of_a_dead_service_is_left_alone(daemon):
    """A PID file is believed of the process that wrote it and of no later one with its number."""
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        daemon.state.mkdir()
        note = {"pid": bystander.pid, "started": 1, "address": None, "log_dir": None, "arguments": []}
        daemon.pid_file.write_text(f"{bystander.pid}\n{json.dumps(note)}\n")
        assert "is another one" in daemon.run("status", code=1).stdout
        assert "stale PID file was removed" in daemon.run("stop").stdout
        daemon.pid_file.write_text(f"{bystander.pid}\n{json.dumps(note)}\n")
        assert "a stale PID file is replaced" in daemon.start().stdout
        assert daemon.pid != bystander.pid and daemon.is_healthy()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_after_kill_9_it_is_started_as_ever(daemon, site):
    """The stale PID file is told of and replaced, stray browsers are gone, sessions come back."""
    daemon.start()
    pid = daemon.pid
    start(daemon.api, "shop", initial_url=site.login("ada"))
    assert known_as(daemon.api, "shop") == whole("ada")
    strays = set(daemon.browsers())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not procs.is_alive(pid), 5, "it is gone")
    said = daemon.start().stdout
    assert f"a stale PID file is replaced: process {pid} is gone" in said
    assert not strays & set(daemon.browsers())
    start(daemon.api, "shop", status=200)
    assert known_as(daemon.api, "shop").startswith("cookies here=ada known=ada")
    assert "stale" in daemon.log(DAEMON_LOG)


def test_a_closed_terminal_ends_no_service(daemon):
    """SIGHUP is told in the log and changes nothing, and SIGTERM ends in order as ever."""
    daemon.start()
    pid = daemon.pid
    for _ in range(3):
        os.kill(pid, signal.SIGHUP)
    wait_for(lambda: "SIGHUP" in daemon.log(), 5, "it is told in the log")
    holds_for(lambda: procs.is_alive(pid) and daemon.is_healthy(), 1, "the service goes on")
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not procs.is_alive(pid), 10, "it ends")
    assert not daemon.pid_file.exists()
    assert daemon.log().splitlines()[-1].endswith("ended")


# ---- logs -------------------------------------------------------------------------------------


def test_logs_prints_the_last_lines_and_follows(daemon):
    """Exactly as many as there are asked for; new lines come by themselves."""
    assert "there is no log" in daemon.run("logs", code=1).stderr
    daemon.start(GHOSTCAST_LOG="info,ghostcast=debug")
    for number in range(30):
        daemon.api.request("DELETE", f"/sessions/no-such-{number}")
    wait_for(lambda: daemon.log().count("a request was refused") == 30, 5, "all are in the log")
    whole_log = daemon.log().splitlines()
    assert daemon.run("logs", "-n", 7).stdout.splitlines() == whole_log[-7:]
    assert daemon.run("logs", "-n", 0).stdout == ""
    assert len(daemon.run("logs").stdout.splitlines()) == min(100, len(whole_log))
    followed = Followed(daemon, "-n", "3")
    wait_for(lambda: len(followed.lines()) >= 3, 5, "the last lines are printed")
    assert followed.lines()[:3] == whole_log[-3:]
    os.kill(daemon.pid, signal.SIGHUP)
    followed.wait_for("SIGHUP")
    assert followed.stop() == 0
    # Who has read enough hangs up, which is no error.
    for words in ("logs", "logs --follow -n 9"):
        line = f"{daemon.binary} {words} | head -1"
        short = subprocess.run(line, shell=True, env=daemon.env, capture_output=True, text=True, timeout=20)
        assert len(short.stdout.splitlines()) == 1 and short.stderr == ""


def test_a_log_that_is_put_aside_is_bounded_and_followed(daemon):
    """Files of a bounded size and number; whoever follows misses no line over them."""
    bounds = {"GHOSTCAST_LOG__BYTES_MAX": "20000", "GHOSTCAST_LOG__FILES_MAX": "2"}
    daemon.start(GHOSTCAST_LOG="info,ghostcast=debug", **bounds)
    followed = Followed(daemon, "-n", "0")
    wait_for(followed.path.exists, 5, "it follows")
    time.sleep(0.5)
    for number in range(400):
        daemon.api.request("DELETE", f"/sessions/no-such-{number}")
        # What is deleted before it is read is lost; a burst is less than the files that are kept.
        if number % 100 == 99:
            followed.wait_for(f"no-such-{number}", within=10)
    printed = [int(found) for found in re.findall(r"no-such-(\d+)", "\n".join(followed.lines()))]
    assert sorted(set(printed)) == list(range(400))
    assert followed.stop() == 0
    files = sorted(daemon.logs.glob(f"{SERVER_LOG}*"))
    assert [file.name for file in files] == [SERVER_LOG, f"{SERVER_LOG}.1", f"{SERVER_LOG}.2"]
    for file in files:
        assert file.stat().st_size <= 20_000 and mode(file) == 0o600
        check_lines(file.read_text())
    # More lines than one file has come from several.
    count = len(daemon.log().splitlines()) + 5
    assert len(daemon.run("logs", "-n", count).stdout.splitlines()) == count


def test_cleanup_removes_what_is_left(daemon, site):
    """A stale PID file, old logs, old sessions; a dry run only says so."""
    assert "no service runs" in daemon.run("cleanup").stdout
    daemon.start()
    os.kill(daemon.pid, signal.SIGKILL)
    wait_for(lambda: not procs.is_alive(daemon.pid), 5, "it is gone")
    for age_h, name in ((48, f"{SERVER_LOG}.1"), (1, f"{SERVER_LOG}.2"), (48, f"{DAEMON_LOG}.1")):
        path = daemon.logs / name
        path.write_text("old\n")
        os.utime(path, (time.time() - age_h * 3600,) * 2)
    said = daemon.run("cleanup", "--dry-run").stdout
    assert said.count("would remove") == 3 and daemon.pid_file.exists()
    said = daemon.run("cleanup").stdout
    assert said.count("removed") == 3 and not daemon.pid_file.exists()
    names = {path.name for path in daemon.logs.iterdir()}
    assert names == {SERVER_LOG, DAEMON_LOG, f"{SERVER_LOG}.2"}
    daemon.start()
    start(daemon.api, "old")
    assert "kept 1" in daemon.run("cleanup").stdout
    said = daemon.run("cleanup", "--max-age-hours", "0", "--dry-run").stdout
    assert "would close session old" in said
    assert daemon.api.record("old")["active"]
    assert "closed session old" in daemon.run("cleanup", "--max-age-hours", "0").stdout
    assert rows(daemon.state) == {}
    assert daemon.run("cleanup", "--max-age-hours", "-1", code=2)


def test_both_logs_exist_and_grow(daemon):
    """Their owner's alone; the one tells of the service, the other of the verbs."""
    daemon.start()
    assert mode(daemon.logs) == 0o700
    for name, words in ((SERVER_LOG, "dashboard at"), (DAEMON_LOG, "started address=")):
        assert mode(daemon.logs / name) == 0o600
        assert words in daemon.log(name), daemon.log(name)
    sizes = [len(daemon.log(name)) for name in (SERVER_LOG, DAEMON_LOG)]
    daemon.run("restart")
    daemon.run("stop")
    assert all(len(daemon.log(name)) > size for name, size in zip((SERVER_LOG, DAEMON_LOG), sizes))
    told = daemon.run("logs", "--daemon").stdout
    assert [word in told for word in ("restart", "stopped", "started")] == [True] * 3


def test_every_line_is_of_one_form(daemon, web):
    """Whatever a page, a caller or a fault brings in; as text and as JSON, in the same fields."""
    daemon.start(GHOSTCAST_LOG="debug")
    start(daemon.api, "shop", initial_url=web.visit("/still").url)
    script = "console.error('one\\ntwo \\u001b[31m'); throw new Error('a\\nb')"
    daemon.session("exec", "shop", script, code=1)
    daemon.api.request("DELETE", "/sessions/no%0Asuch")
    daemon.run("restart", GHOSTCAST_LOG="debug")
    daemon.run("stop")
    lines = check_lines(daemon.log()) + check_lines(daemon.log(DAEMON_LOG))
    assert {line["level"].strip() for line in lines} >= {"INFO", "DEBUG"}
    assert any(line["part"].startswith("ghostcast::session") for line in lines)
    places = daemon.home / "json"
    daemon.start("--log-format", "json", "--log-dir", places)
    daemon.run("stop", "--log-format", "json", "--log-dir", places)
    lines = check_json_lines(daemon.log(SERVER_LOG, places))
    assert lines[0]["message"].startswith("Ghostcast ") and lines[0]["fields"]["livekit"] == "none"
    told = check_json_lines(daemon.log(DAEMON_LOG, places))
    assert [line["message"] for line in told] == ["started", "stopped"]


def test_secrets_and_typed_text_are_in_no_log(daemon, web):
    """Raw messages are silenced in the files as on standard error, however much is asked for."""
    daemon.start(GHOSTCAST_LOG="trace", GHOSTCAST_SECRET_CARD="4111-secret-1111")
    visit = web.visit("/form")
    start(daemon.api, "shop", initial_url=visit.url)
    script = "document.body.innerHTML = '<input id=field>'; 1"
    daemon.session("exec", "shop", script)
    body = {"action": "fill", "selector": "#field", "text": "{{card}}"}
    assert daemon.api.request("POST", "/sessions/shop/interact", json=body).json()["success"]
    value = daemon.session("exec", "shop", "document.querySelector('#field').value.length").stdout
    assert value.strip() == str(len("4111-secret-1111"))
    daemon.run("stop")
    for path in daemon.logs.iterdir():
        assert "4111-secret-1111" not in path.read_text(errors="replace"), path


def test_the_foreground_writes_files_only_when_asked(ghostcast_bin, tmp_path):
    """Standard error as ever, and beside it the files of --log-dir; the verbs know of it."""
    logs = tmp_path / "logs"
    for words, is_written in (
        ((), False),
        (("--log-format", "json"), False),
        (("--log-dir", str(logs)), True),
    ):
        service = Ghostcast(ghostcast_bin, args=words).start()
        try:
            daemon = Daemon(ghostcast_bin, service.home)
            assert f"pid       {service.pid}" in daemon.run("status").stdout
            assert "dashboard at" in service.log()
            assert (logs / SERVER_LOG).exists() == is_written
            assert not (service.home / "state" / "logs").exists()
            if is_written:
                assert "dashboard at" in daemon.run("logs").stdout
                check_lines(daemon.log(SERVER_LOG, logs))
            os.kill(service.pid, signal.SIGHUP)
            wait_for(lambda: "SIGHUP" in service.log(), 5, "it is told")
            if "json" in words:
                check_json_lines(service.log(10**8))
        finally:
            problems = service.stop()
            service.remove_home()
        assert not problems, problems


# ---- flags ------------------------------------------------------------------------------------


def test_host_port_and_places_are_flags(daemon):
    """Another address, the registry's file, the directories of logs and screenshots."""
    logs, registry, shots = daemon.home / "here", daemon.home / "registry.json", daemon.home / "shots"
    places = ("--log-dir", logs, "--registry-file", registry, "--screenshots-dir", shots)
    daemon.run("start", "--host", "localhost", "--port", daemon.port, *places)
    assert daemon.is_healthy()
    record = start(daemon.api, "shop")
    assert set(file_of(registry)["sessions"]) == {record["session_id"]}
    assert {path.name for path in logs.iterdir()} == {SERVER_LOG, DAEMON_LOG}
    daemon.api.request("POST", "/sessions/shop/screenshot", json={"filename": "a.png"})
    assert [path.name for path in shots.iterdir()] == ["a.png"]
    assert not daemon.logs.exists()
    # The verbs find the logs of the service that runs.
    assert "dashboard at" in daemon.run("logs").stdout
    daemon.run("stop")
    assert "stopped" in daemon.log(DAEMON_LOG, logs)
    assert "127.0.0.1 or ::1, or localhost" in daemon.run("start", "--host", "example.com", code=2).stderr
    daemon.run("start", "--host", "::1", "--port", daemon.port)
    assert httpx.get(f"http://[::1]:{daemon.port}/health").status_code == 200
    assert f"http://[::1]:{daemon.port}" in daemon.run("status").stdout


def test_a_token_is_taken_from_the_settings(ghostcast_bin, tmp_path):
    """Every address but loopback needs one, and the verbs that ask the service send it."""
    daemon = Daemon(ghostcast_bin, tmp_path, token=TOKEN)
    try:
        daemon.start("--host", "0.0.0.0")
        assert "health    healthy" in daemon.run("status", "-v").stdout
        daemon.session("create", "shop")
        assert "kept 1" in daemon.run("cleanup").stdout
        without = {"GHOSTCAST_SERVER__TOKEN": ""}
        url = f"http://127.0.0.1:{daemon.port}"
        failed = daemon.session("list", "--service", url, code=1, **without)
        assert "GHOSTCAST_SERVER__TOKEN" in failed.stderr
        assert TOKEN not in daemon.pid_file.read_text()
        assert not any(TOKEN in path.read_text() for path in daemon.logs.iterdir())
        daemon.run("restart")
        daemon.run("stop")
    finally:
        daemon.put_away()


# ---- sessions from a shell --------------------------------------------------------------------


def test_sessions_from_a_shell(daemon, web, site):
    """Create, open, list, show, exec and delete a session by its name, at an application's URL too."""
    failed = daemon.session("list", "--port", daemon.port, code=1)
    assert "no service answers" in failed.stderr and "ghostcast start" in failed.stderr
    daemon.start()
    assert daemon.session("list").stdout == "no sessions\n"
    made = daemon.session("create", "shop", "--url", site.login("ada"), "--viewport", "800x600")
    assert made.stdout.startswith("created session shop") and site.base in made.stdout
    assert daemon.api.record("shop")["viewport"] == {"width": 800, "height": 600}
    failed = daemon.session("create", "shop", code=1)
    assert "exists already" in failed.stderr and "session open shop" in failed.stderr
    assert daemon.session("open", "shop").stdout.startswith("found session shop")
    assert daemon.api.record("shop")["current_url"] == site.login("ada")
    profile = daemon.home / "app.toml"
    page = web.visit("/still").url
    profile.write_text(f'name = "An application"\n[app]\nstart_url = "{page}"\n[more]\nx = 1\n')
    assert page in daemon.session("open", "shop", "--app", profile).stdout
    assert daemon.session("open", "other", "--app", profile).stdout.startswith("started session other")
    wait_for(lambda: daemon.api.record("other")["current_url"] == page, 5, "it is there")
    profile.write_text("x = 1\n")
    assert "has no start_url" in daemon.session("open", "shop", "--app", profile, code=1).stderr
    listed = daemon.session("list").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["shop", "live"], ["other", "live"]]
    records = json.loads(daemon.session("list", "--json").stdout)["sessions"]
    assert [record["session_name"] for record in records] == ["shop", "other"]
    assert re.search(r"^state +live$", daemon.session("show", "shop").stdout, re.M)
    assert json.loads(daemon.session("show", "shop", "--json").stdout)["session_name"] == "shop"
    assert "no-such" in daemon.session("show", "no-such", code=1).stderr
    assert "deleted session shop" in daemon.session("delete", "shop").stdout
    assert (daemon.state / "profiles" / "shop").exists()
    daemon.session("open", "shop")
    daemon.session("delete", "shop", "--profile")
    assert not (daemon.state / "profiles" / "shop").exists()


def test_javascript_from_a_shell(daemon):
    """What it returns is printed as JSON; what it throws is told, with exit code 1."""
    daemon.start()
    daemon.session("create", "shop")
    for script, value in (
        ("1 + 1", 2),
        ("return {a: [1, 'x', null]}", {"a": [1, "x", None]}),
        ("document.title", ""),
        ("new Promise((done) => setTimeout(() => done('later'), 50))", "later"),
    ):
        assert json.loads(daemon.session("exec", "shop", script).stdout) == value
    thrown = daemon.session("exec", "shop", "throw new TypeError('no such thing')", code=1)
    assert thrown.stderr == "TypeError: no such thing\n" and thrown.stdout == ""
    answer = daemon.session("exec", "shop", "--json", "throw new TypeError('x')", code=1).stdout
    assert json.loads(answer)["error"]["name"] == "TypeError"
    failed = daemon.session("exec", "shop", "--timeout-ms", "300", "while (true) {}", code=1)
    assert "time" in failed.stderr


# ---- what it takes ----------------------------------------------------------------------------


def test_status_v_agrees_with_the_system(daemon):
    """Processor and memory of the service and of its browsers, roughly as the system has them."""
    daemon.start()
    daemon.session("create", "shop")
    said = daemon.run("status", "-v").stdout
    amounts = r"([\d.]+) % CPU, ([\d.]+) MB memory"
    service = re.search(rf"service   {amounts}", said)
    browsers = re.search(rf"browsers  {amounts}", said)
    assert service and browsers, said

    def pss_mb(pids):
        total = 0
        for pid in pids:
            # A helper of the browser may end meanwhile.
            with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss: +(\d+)", file.read(), re.M)[1])
        return total * 1024 / 1e6

    # While the verb looks it shares the program's own pages, most of what a small service has.
    assert float(service[2]) == pytest.approx(pss_mb([daemon.pid]), rel=0.4)
    assert float(browsers[2]) == pytest.approx(pss_mb(procs.descendants(daemon.pid)), rel=0.3)
    assert 0 <= float(service[1]) < 200 and 0 <= float(browsers[1]) < 800


def test_the_troubleshooting_guide_holds(daemon):
    """Each of its commands does what the guide says of it."""
    # The service does not start: who has the port, and what the log says.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", daemon.port))
        taken.listen()
        said = daemon.run("doctor", "--port", daemon.port, code=1).stdout
        assert f"FAIL  HTTP port: 127.0.0.1:{daemon.port} is taken" in said
    daemon.run("start", "--port", daemon.port, code=1, GHOSTCAST_BROWSER__WORK_DIR="/proc/no/such")
    assert "cannot make a working directory" in daemon.run("logs", "-n", "50").stdout
    # A session cannot be made: the browser, and health.
    none = {"GHOSTCAST_BROWSER__EXECUTABLE": "/no/such/chromium"}
    said = daemon.run("doctor", "--port", daemon.port, code=1, **none).stdout
    assert "FAIL  Chromium" in said
    daemon.start(**none)
    wait_for(lambda: "degraded: no browser" in daemon.run("status").stdout, 10, "health says why")
    daemon.session("create", "shop", code=1)
    daemon.run("restart")
    # A browser does not answer: delete and start again.
    daemon.session("create", "shop")
    assert "ok    HTTP port: a Ghostcast answers" in daemon.run("doctor", "--port", daemon.port).stdout
    daemon.session("delete", "shop")
    daemon.session("open", "shop")
    assert daemon.session("exec", "shop", "6 * 7").stdout == "42\n"
