"""What is too old goes by itself, in the background; what is in use stays."""

import os
import socket
import time

import pytest

from support import procs
from support.api import new_room
from support.kept import services, start
from support.service import Ghostcast
from support.wait import holds_for, wait_for

# An age of some seconds, in hours.
AGE_S = 4
AGE_H = str(AGE_S / 3600)
GONE_WITHIN_S = AGE_S + 6
LONG_AGO_S = 3600


@pytest.fixture
def house(ghostcast_bin, tmp_path):
    """Makes services that share their directories, one after the other, and look around every second."""
    often = {
        "GHOSTCAST_STATE__SWEEP_EVERY_S": "1",
        "GHOSTCAST_RECORDING__DIRECTORY": str(tmp_path / "films"),
        "GHOSTCAST_SCREENSHOTS__DIRECTORY": str(tmp_path / "pictures"),
    }
    with services(ghostcast_bin, tmp_path, **often) as house:
        yield house


def age(path, seconds=LONG_AGO_S):
    """Makes a file look as old as that."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def swept(api, kind):
    """How many of a kind have been removed."""
    sample = f'ghostcast_swept_total{{kind="{kind}"}} '
    for line in api.get("/metrics").text.splitlines():
        if line.startswith(sample):
            return float(line.removeprefix(sample))
    return 0


def counted(api, kind, count=1):
    """What is removed is counted once all that goes with it is removed."""
    return wait_for(lambda: swept(api, kind) == count, 2, f"{count} of {kind} are counted")


def test_a_stored_session_goes_by_itself(house, tmp_path):
    """With its profile, told by its end; one that lives stays however old it is."""
    service = house(GHOSTCAST_SESSION__STORED_MAX_AGE_H=AGE_H)
    api = service.api
    old = start(api, "old", idle_timeout_s=1)
    start(api, "alive")
    profile = tmp_path / "state" / "profiles" / "old"
    assert profile.is_dir()
    stored = lambda record: record["state"] == "stored"  # noqa: E731
    api.wait_record("old", stored, 20, "it is stored")
    wait_for(
        lambda: api.request("GET", "/sessions/old").status_code == 404, GONE_WITHIN_S, "it is gone"
    )
    wait_for(lambda: not profile.exists(), 2, "and so is its profile")
    end = api.get(f"/sessions/{old['session_id']}/ended").json()
    assert (end["reason"], end["state"]) == ("age", "closed"), end
    assert counted(api, "stored_sessions") and 'kind="stored_sessions"' in service.log()
    assert api.record("alive")["active"]
    assert not service.stop()


def test_recordings_go_by_age_unless_they_are_used(house, tmp_path):
    """An old film goes; not the one that is written, nor the one that somebody reads."""
    films = tmp_path / "films"
    service = house()
    api, room = service.api, new_room()
    api.create(room)

    def film():
        status = api.request("POST", f"/sessions/{room}/recording").json()
        time.sleep(1)
        return status

    old = film()
    assert api.request("DELETE", f"/sessions/{room}/recording").json()["state"] == "finished"
    read = film()
    assert api.request("DELETE", f"/sessions/{room}/recording").json()["state"] == "finished"
    # Nothing goes by age where nobody has asked for it.
    age(films / old["file"])
    assert holds_for(lambda: (films / old["file"]).exists(), 3, "an old film stays") is None
    assert not service.stop()
    # So large that a reader who takes nothing holds it up.
    with (films / read["file"]).open("ab") as file:
        file.truncate(256 << 20)
    service = house(GHOSTCAST_RECORDING__MAX_AGE_H="0.05")
    api = service.api
    api.create(room)
    live = film()
    with socket.create_connection(("127.0.0.1", service.port)) as reader:
        ask = f"GET /recordings/{read['file']} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        reader.sendall(ask.encode())
        assert reader.recv(1000).startswith(b"HTTP/1.1 200")
        for one in (read, live):
            age(films / one["file"])
        wait_for(lambda: not (films / old["file"]).exists(), 5, "the old one goes")
        age(films / live["file"])
        assert holds_for(lambda: (films / read["file"]).exists(), 3, "the read one stays") is None
        assert (films / live["file"]).exists()
    wait_for(lambda: not (films / read["file"]).exists(), 5, "it goes once nobody reads it")
    assert counted(api, "recordings", 2)
    ended = api.request("DELETE", f"/sessions/{room}/recording").json()
    assert ended["state"] == "finished" and (films / live["file"]).exists()
    assert not service.stop()


def test_files_of_every_kind_go_by_age(house, tmp_path):
    """Screenshots, logs that were put aside, profiles of nobody, and what was set aside in one."""
    logs = tmp_path / "logs"
    logs.mkdir()
    service = house(
        GHOSTCAST_SCREENSHOTS__MAX_AGE_H=AGE_H,
        GHOSTCAST_LOG__MAX_AGE_H=AGE_H,
        GHOSTCAST_LOG__DIRECTORY=str(logs),
        GHOSTCAST_STATE__PROFILE_MAX_AGE_H=AGE_H,
        GHOSTCAST_STATE__SET_ASIDE_MAX_AGE_H=AGE_H,
    )
    api, profiles = service.api, tmp_path / "state" / "profiles"
    start(api, "kept")
    start(api, "left")
    assert api.close("left").status_code == 200
    assert (profiles / "left").is_dir(), "a closed session's profile stays for its name"
    path = "/sessions/kept/screenshot"
    picture = api.request("POST", path, json={"filename": "old"}).json()["path"]
    aside = profiles / "kept" / "chromium.refused-2026-01-01T000000.000Z"
    (aside / "Default").mkdir(parents=True)
    old_log, live_log = logs / "browser_session_server.log.1", logs / "browser_session_server.log"
    old_log.write_text("old\n")
    age(old_log)
    wait_for(lambda: not old_log.exists(), 5, "the log that was put aside goes")
    for path in (tmp_path / "pictures" / os.path.basename(picture), aside, profiles / "left"):
        wait_for(lambda path=path: not path.exists(), GONE_WITHIN_S, f"{path.name} goes")
    assert live_log.exists() and (profiles / "kept" / "chromium").is_dir()
    assert api.record("kept")["active"]
    for kind in ("screenshots", "logs", "profiles", "set_aside"):
        assert counted(api, kind)
    assert not service.stop()


def test_what_a_killed_service_left_goes_while_another_runs(house, ghostcast_bin):
    """Work directories with downloads, browsers, and the locks of profiles that nobody holds."""
    service = house()
    start(service.api, "shop")
    state = service.args[1]
    singleton = os.path.join(state, "profiles", "shop", "chromium", "SingletonLock")
    # Chromium with a window leaves this one; the headless shell does not.
    if not os.path.islink(singleton):
        os.symlink("somewhere-1", singleton)
    orphans = procs.descendants(service.pid)
    service.process.kill()
    service.process.wait()
    service.forget()
    assert os.path.islink(singleton)
    # The next one shares the temporary directory of the killed one, which it clears at its start.
    following = house(TMPDIR=str(service.tmp))
    assert not os.path.islink(singleton), "the lock of the dead is gone before anybody comes"
    wait_for(lambda: not any(map(procs.is_alive, orphans)), 5, "and so are its browsers")
    assert counted(following.api, "profile_locks")
    # A third one that is killed meanwhile is cleared up after by the one that runs.
    third = Ghostcast(ghostcast_bin, env={"TMPDIR": str(service.tmp)}).start()
    try:
        third.api.create(new_room())
        orphans = procs.descendants(third.pid)
        third.process.kill()
        third.process.wait()
        wait_for(lambda: not any(map(procs.is_alive, orphans)), 5, "its browsers are ended")
        assert counted(following.api, "work_directories")
    finally:
        third.forget()
        third.remove_home()
    assert following.api.record("shop")["state"] == "stored"


@pytest.mark.parametrize("setting", ["SESSION__STORED_MAX_AGE_H", "RECORDING__MAX_AGE_H"])
def test_an_age_that_is_none_is_refused(ghostcast_bin, setting):
    """An age before any, and one that is no number, do not sweep everything away."""
    for value in ("-1", "nan"):
        env = {f"GHOSTCAST_{setting}": value}
        service = Ghostcast(ghostcast_bin, env=env)
        with pytest.raises(AssertionError, match="ended with"):
            service.start()
        assert setting.lower().replace("__", ".") in service.log(), service.log()
        service.remove_home()
