"""Recordings: read by ffprobe and ffmpeg, played by Chromium, and whole whatever happens."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from support import essentials, pages, pictures, procs
from support.api import assert_envelope, new_room
from support.cdp import Tab
from support.films import Film
from support.service import TOKEN, Ghostcast, running_service
from support.viewers import WhepViewer
from support.wait import wait_for

RED, BLUE, GREEN = "cc3333", "2244cc", "22aa44"
DIRECTORY_ENV = "GHOSTCAST_RECORDING__DIRECTORY"
# Between the file's length and the wall clock.
LENGTH_S = 0.3
LOSS_S_MAX = 1.0
POINT, ELSEWHERE = (600, 500), (900, 250)


@contextlib.contextmanager
def recording_service(binary, directory, token=None, **settings):
    """A service that records into `directory`; settings are keys of its section."""
    env = {f"GHOSTCAST_RECORDING__{key.upper()}": str(value) for key, value in settings.items()}
    env[DIRECTORY_ENV] = str(directory)
    with running_service(binary, env=env, token=token) as service:
        yield service


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where the shared service records; it is made by the service."""
    return tmp_path_factory.mktemp("films") / "made" / "on demand"


@pytest.fixture(scope="module")
def service(ghostcast_bin, directory):
    """A service without LiveKit, one for this module."""
    with recording_service(ghostcast_bin, directory) as service:
        yield service


@pytest.fixture
def api(service):
    """Its REST interface."""
    return service.api


def start(api, room):
    """Starts a recording, which must succeed; its status."""
    answer = api.request("POST", f"/sessions/{room}/recording")
    assert answer.status_code == 201, answer.text
    status = answer.json()
    assert status["state"] == "recording" and status["reason"] is None
    return status


def stop(api, room):
    """Stops the recording, which must succeed; its last status."""
    answer = api.request("DELETE", f"/sessions/{room}/recording")
    assert answer.status_code == 200, answer.text
    return answer.json()


def status_of(api, room):
    """The recording as it is."""
    return api.get(f"/sessions/{room}/recording").json()


def wait_ended(api, room, within):
    """Waits until a recording has ended by itself; its last status."""
    return wait_for(
        lambda: status_of(api, room),
        within,
        "the recording ends by itself",
        accept=lambda status: status["state"] != "recording",
    )


def listed(api):
    """The files by name."""
    return {file["file"]: file for file in api.get("/recordings").json()["recordings"]}


def record_for(api, room, seconds):
    """A whole recording; its last status."""
    start(api, room)
    time.sleep(seconds)
    return stop(api, room)


def clocks(film):
    """The painted clock of every picture that shows one, with its time in the film."""
    rows = film.decode(top=pages.CLOCK_HEIGHT)
    times = [at for at, _ in film.packets()]
    assert len(rows) == len(times), "every picture decodes"
    read = [(at, pictures.read_clock(row)) for at, row in zip(times, rows, strict=True)]
    return [(at, value) for at, value in read if value is not None]


def test_start_act_stop(api, web):
    """One film of a navigation and a click: every frame decodes, chapters name what was done."""
    first, second = web.visit("/still", colour=RED), web.visit("/still", colour=BLUE)
    with api.session(initial_url=first.url) as room:
        first.wait_note("loaded")
        assert api.record(room)["recording"] is None
        assert_envelope(api.request("GET", f"/sessions/{room}/recording"), 404, "not_found")
        assert_envelope(api.request("DELETE", f"/sessions/{room}/recording"), 404, "not_found")
        with api.events(room, types=["recording"]) as events:
            began = time.monotonic()
            begun = start(api, room)
            assert_envelope(api.request("POST", f"/sessions/{room}/recording"), 409, "conflict")
            assert events.wait("recording")["state"] == "recording"
            api.wait_record(room, lambda r: r["capturing"], 5, "it is captured unwatched")
            assert api.record(room)["viewers"] == {"whep": 0, "livekit": False}
            counts = [wait_frames(api, room, 0)]
            time.sleep(1)
            api.do(room, "navigate", url=second.url)
            counts.append(wait_frames(api, room, counts[-1]))
            time.sleep(1)
            x, y = POINT
            api.do(room, "click", x=x, y=y)
            counts.append(wait_frames(api, room, counts[-1]))
            api.fail(room, "click", "element_not_found", index=99)
            time.sleep(0.5)
            assert api.record(room)["recording"]["state"] == "recording"
            ended = stop(api, room)
            took = time.monotonic() - began
            said = events.wait("recording", accept=lambda e: e["state"] == "finished")
            assert said["file"] == ended["file"] and "reason" not in said
        assert ended["state"] == "finished" and ended["reason"] is None
        assert ended["recording_id"] == begun["recording_id"]
        assert api.record(room)["recording"] == ended == status_of(api, room)
        api.wait_record(room, lambda r: not r["capturing"], 5, "capture ends with it")
    film = Film(ended["path"])
    assert film.video["codec_name"] == "h264" and film.size == (1280, 720)
    assert film.video["color_space"] == "smpte170m" and film.video["color_range"] == "tv"
    assert int(film.video["nb_read_packets"]) == ended["frames"] >= counts[-1]
    assert os.path.getsize(ended["path"]) == ended["bytes"]
    print(f"{took:.2f} s wall, {film.duration_s:.2f} s film, {ended['frames']} frames")
    assert abs(film.duration_s - took) <= LENGTH_S
    assert abs(ended["duration_s"] - film.duration_s) <= 0.01
    assert len(film.decode(top=8)) == ended["frames"], "every frame decodes"
    chapters = film.chapters()
    assert [title for _, title in chapters] == [
        f"page {first.url}",
        f"navigate {second.url}",
        f"click at {x}, {y}",
        "click element 99 (failed: element_not_found)",
    ]
    navigated, clicked = chapters[1][0], chapters[2][0]
    assert sees(film, navigated - 0.3, RED) and sees(film, clicked - 0.3, BLUE)
    before = film.picture_at(clicked - 0.3)
    after = film.picture_at(film.duration_s - 0.4)
    assert pictures.changed_pixels(before, after, x, y) >= pictures.CURSOR_PIXELS_MIN
    assert pictures.changed_pixels(before, after, *ELSEWHERE) == 0


def wait_frames(api, room, more_than):
    """Waits until the recording has more pictures; how many."""
    return wait_for(
        lambda: status_of(api, room)["frames"],
        5,
        "the recording gets pictures",
        accept=lambda frames: frames > more_than,
    )


def sees(film, seconds, colour):
    """Whether the page's block has that colour at a time."""
    seen = pictures.block_colour(film.picture_at(seconds))
    return pictures.colour_distance(seen, essentials.hex_rgb(colour)) <= 12


@pytest.mark.alone
def test_times_are_true(api, web):
    """The clock that the page paints runs as fast as the film's, and keyframes come to seek to."""
    with api.session(initial_url=web.url("/clock"), fps=30) as room:
        ended = record_for(api, room, 13)
    film = Film(ended["path"])
    read = clocks(film)
    assert len(read) >= 100, f"{len(read)} readings"
    offsets = [value / 1000 - at for at, value in read]
    middle = statistics.median(offsets)
    off = sorted(abs(offset - middle) for offset in offsets)
    third = len(offsets) // 3
    drift = statistics.median(offsets[-third:]) - statistics.median(offsets[:third])
    print(
        f"{len(read)} readings; film against painted clock: p50 {off[len(off) // 2] * 1000:.0f} ms,"
        f" worst {off[-1] * 1000:.0f} ms, drift {drift * 1000:.0f} ms"
    )
    # A busy machine captures some pictures late; the middle of many is not moved by that.
    assert off[len(off) // 2] <= 0.15 and abs(drift) <= 0.25
    keys = [at for at, is_key in film.packets() if is_key]
    gaps = [b - a for a, b in zip(keys, [*keys[1:], film.duration_s], strict=True)]
    print(f"keyframes at {keys}")
    assert len(keys) >= 2 and max(gaps) <= 12.5, "ten seconds, and the time a busy machine takes"


PLAYER = """
(async () => {
  document.body.innerHTML = '';
  const video = window.video = document.createElement('video');
  video.muted = true; video.preload = 'auto'; video.src = %s;
  document.body.append(video);
  await new Promise((done, fail) => {
    video.onloadeddata = done; video.onerror = () => fail(new Error(video.error.message));
  });
  window.colourAt = async (seconds) => {
    // The picture of the new place may be shown a moment after the place has been reached.
    await new Promise((done) => {
      const shown = (_now, { mediaTime }) => {
        if (Math.abs(mediaTime - seconds) < 0.5) done();
        else video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
      video.currentTime = seconds;
    });
    const ink = new OffscreenCanvas(1280, 720).getContext('2d');
    ink.drawImage(video, 0, 0);
    return [...ink.getImageData(250, 200, 1, 1).data].slice(0, 3);
  };
  return [video.duration, video.videoWidth, video.videoHeight];
})()
"""


def test_a_browser_plays_and_seeks(api, web, chromium):
    """A video element loads the file, finds colours at their times, and plays."""
    with api.session(initial_url=web.url("/clock", colour=RED)) as room:
        start(api, room)
        time.sleep(2.5)
        for colour in (BLUE, GREEN):
            api.do(room, "navigate", url=web.url("/clock", colour=colour))
            time.sleep(2.5)
        ended = stop(api, room)
    film = Film(ended["path"])
    starts = [at for at, _ in film.chapters()]
    with Tab(chromium, f"{api.base}/openapi.json") as tab:
        facts = tab.evaluate(PLAYER % json.dumps(f"/recordings/{ended['file']}"))
        assert abs(facts[0] - film.duration_s) < 0.1 and facts[1:] == [1280, 720]
        places = [(GREEN, film.duration_s - 0.5), (RED, 1.0), (BLUE, starts[2] - 0.5)]
        for colour, at in places:
            seen = tab.evaluate(f"colourAt({at})")
            assert pictures.colour_distance(seen, essentials.hex_rgb(colour)) <= 12, (at, seen)
        tab.evaluate("video.currentTime = 1; video.play()")
        wait_for(lambda: tab.evaluate("video.currentTime"), 5, "it plays", accept=lambda t: t > 2)


def test_killed_service(ghostcast_bin, web, tmp_path):
    """kill -9 loses a second at most; the next service lists the file, serves and deletes it."""
    env = {DIRECTORY_ENV: str(tmp_path)}
    service = Ghostcast(ghostcast_bin, env=env)
    try:
        service.start()
        room = service.api.create(new_room(), initial_url=web.url("/clock"))["room_name"]
        status = start(service.api, room)
        time.sleep(4)
        tree = procs.descendants(service.pid)
        os.kill(service.pid, signal.SIGKILL)
        killed_at = time.time()
        service.process.wait()
        procs.kill_all(tree)
    finally:
        if service.process.poll() is None:
            service.kill()
        service.forget()
        service.remove_home()
    film = Film(status["path"])
    read = clocks(film)
    lost = (int(killed_at * 1000) % 2**32 - read[-1][1]) / 1000
    print(f"{lost * 1000:.0f} ms lost of {film.duration_s:.1f} s")
    assert lost <= LOSS_S_MAX and film.duration_s >= 4 - LOSS_S_MAX
    with recording_service(ghostcast_bin, tmp_path) as after:
        assert listed(after.api)[status["file"]]["state"] == "unfinished"
        data = after.api.get(f"/recordings/{status['file']}").content
        assert data == Path(status["path"]).read_bytes()
        assert after.api.request("DELETE", f"/recordings/{status['file']}").status_code == 200
        assert listed(after.api) == {} and not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "films", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.root
def test_disk_full(ghostcast_bin, web, chromium, small_disk):
    """The recording fails and says so, what is there plays, and the session goes on."""
    with recording_service(ghostcast_bin, small_disk, free_bytes_min=0) as service:
        api = service.api
        spec = {"initial_url": web.url("/clock"), "fps": 60, "bitrate_bps": 8_000_000}
        with api.session(**spec) as room, api.events(room, types=["recording"]) as events:
            (small_disk / "filler").write_bytes(bytes(1_990_000))
            with WhepViewer(chromium, web, api, room) as viewer:
                start(api, room)
                ended = wait_ended(api, room, 60)
                assert ended["state"] == "failed" and "disk is full" in ended["reason"], ended
                said = events.wait("recording", accept=lambda e: e["state"] == "failed")
                assert said["reason"] == ended["reason"]
                count = viewer.frame_count()
                wait_for(viewer.frame_count, 5, "video goes on", accept=lambda n: n > count + 5)
            api.do(room, "scroll", direction="down")
            film = Film(ended["path"])
            assert len(film.decode(top=8)) == ended["frames"] > 0
            print(f"{ended['frames']} frames in {ended['bytes']} bytes, {film.duration_s:.1f} s")
            with contextlib.suppress(OSError), (small_disk / "rest").open("wb") as rest:
                while True:
                    rest.write(bytes(4096))
                    rest.flush()
            answer = api.request("POST", f"/sessions/{room}/recording")
            error = assert_envelope(answer, 429, "exhausted")
            assert "recording.directory" in error["hint"]
            assert api.record(room)["state"] == "live"


def test_bounds(ghostcast_bin, web, tmp_path):
    """At bytes_max it ends in order, and at total_bytes_max none begins until one is deleted."""
    bounds = {"bytes_max": 120_000, "total_bytes_max": 130_000}
    with recording_service(ghostcast_bin, tmp_path, **bounds) as service:
        api = service.api
        with api.session(initial_url=web.url("/clock"), bitrate_bps=4_000_000) as room:
            start(api, room)
            ended = wait_ended(api, room, 40)
            assert ended["state"] == "finished" and "recording.bytes_max" in ended["reason"]
            film = Film(ended["path"])
            assert abs(film.duration_s - ended["duration_s"]) < 0.05
            (tmp_path / "r-other.mp4").write_bytes(bytes(20_000))
            answer = api.request("POST", f"/sessions/{room}/recording")
            error = assert_envelope(answer, 429, "exhausted")
            assert "recording.total_bytes_max" in error["hint"] and "Delete" in error["hint"]
            assert len(list(tmp_path.iterdir())) == 2, "a refused start leaves no file"
            answer = api.request("DELETE", f"/recordings/{ended['file']}")
            assert answer.status_code == 200, answer.text
            record_for(api, room, 1)


def test_a_directory_that_cannot_be(ghostcast_bin, web):
    """A clear refusal, and the session is as it was."""
    with (
        recording_service(ghostcast_bin, "/proc/no/such") as service,
        service.api.session(initial_url=web.url("/still")) as room,
    ):
        answer = service.api.request("POST", f"/sessions/{room}/recording")
        error = assert_envelope(answer, 503, "unavailable")
        assert "recording.directory" in error["hint"]
        assert listed(service.api) == {} and service.api.record(room)["recording"] is None


def test_a_deleted_file(api, web):
    """Somebody deletes the file: the recording fails by itself, and a new one can begin."""
    with api.session(initial_url=web.url("/clock")) as room:
        status = start(api, room)
        wait_frames(api, room, 5)
        os.unlink(status["path"])
        ended = wait_ended(api, room, 5)
        assert ended["state"] == "failed" and "deleted" in ended["reason"]
        assert record_for(api, room, 1)["state"] == "finished"


def test_pause_is_a_gap(api, web):
    """While the session is paused the last picture stays; the film is as long as the time."""
    with api.session(initial_url=web.url("/clock")) as room:
        began = time.monotonic()
        start(api, room)
        time.sleep(2)
        api.post(room, "pause")
        time.sleep(2.5)
        api.post(room, "resume")
        time.sleep(2)
        ended = stop(api, room)
        took = time.monotonic() - began
    film = Film(ended["path"])
    assert abs(film.duration_s - took) <= LENGTH_S
    times = [at for at, _ in film.packets()]
    gap = max(b - a for a, b in zip(times, times[1:], strict=False))
    assert 2 <= gap <= 4, gap
    read = clocks(film)
    assert read[-1][1] - read[0][1] >= 4500, "it goes on after the pause"


@pytest.mark.parametrize("way", ["close", "browser", "sigterm"])
def test_every_end_completes_the_file(ghostcast_bin, web, tmp_path, way):
    """Close, a lost browser, SIGTERM: the file is complete and says why it ended."""
    with recording_service(ghostcast_bin, tmp_path) as service:
        api = service.api
        room = api.create(new_room(), initial_url=web.url("/clock"))["room_name"]
        status = start(api, room)
        time.sleep(2)
        if way == "close":
            ended = api.close(room).json()["recording"]
            assert ended["state"] == "finished" and "closed" in ended["reason"]
        elif way == "browser":
            procs.kill_all(service.browsers())
            ended = wait_ended(api, room, 5)
            assert ended["state"] == "finished" and "browser" in ended["reason"]
        else:
            assert not service.stop()
    film = Film(status["path"])
    assert film.duration_s >= 1.9 and film.chapters()
    assert film.facts["format"]["nb_streams"] == 2
    assert len(film.decode(top=8)) == int(film.video["nb_read_packets"])


def test_typed_text_is_in_no_chapter(api, web):
    """Neither a password nor any other text."""
    with api.session(initial_url=web.url("/form")) as room:
        start(api, room)
        index = api.index_of(room, "Field")
        api.do(room, "type", index=index, text="hunter2")
        api.do(room, "click", index=api.index_of(room, "Press me"))
        time.sleep(0.6)
        ended = stop(api, room)
    titles = [title for _, title in Film(ended["path"]).chapters()]
    assert titles[1:] == [f"type into element {index}", 'click "Press me"']
    assert b"hunter2" not in Path(ended["path"]).read_bytes()


def test_files_over_http(api, directory, web):
    """Listed, served by ranges, deleted; and nothing outside the directory is reached."""
    (directory.parent / "outside.mp4").write_bytes(b"secret")
    with api.session(initial_url=web.url("/clock")) as room:
        status = start(api, room)
        wait_frames(api, room, 5)
        path = f"/recordings/{status['file']}"
        assert listed(api)[status["file"]]["state"] == "recording"
        assert_envelope(api.request("DELETE", path), 409, "conflict")
        ended = stop(api, room)
    whole = Path(ended["path"]).read_bytes()
    file = listed(api)[status["file"]]
    assert (file["state"], file["bytes"]) == ("finished", len(whole))
    answer = api.get(path)
    assert answer.content == whole and answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    part = api.request("GET", path, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == whole[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    beyond = api.request("GET", path, headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(whole)}"
    suffix = api.request("GET", path, headers={"Range": f"bytes=-{len(whole) + 1}"})
    assert suffix.status_code == 206 and suffix.content == whole
    for name in ("..%2Foutside.mp4", "%2e%2e%2foutside.mp4", "..%5coutside.mp4", "none.mp4", "%00.mp4"):
        for method in ("GET", "DELETE"):
            assert_envelope(api.request(method, f"/recordings/{name}"), 404, "not_found")
    assert api.request("DELETE", path).status_code == 200
    assert_envelope(api.request("GET", path), 404, "not_found")
    assert not os.path.exists(ended["path"])


def test_recordings_need_the_token(ghostcast_bin, web, tmp_path):
    """No file without it; a video element brings it in the address."""
    with recording_service(ghostcast_bin, tmp_path, token=TOKEN) as service:
        api = service.api
        with api.session(initial_url=web.url("/clock")) as room:
            ended = record_for(api, room, 1)
        path = f"/recordings/{ended['file']}"
        for method, where in (("GET", path), ("DELETE", path), ("GET", "/recordings")):
            answer = api.request(method, where, headers={"Authorization": "Bearer wrong"})
            assert_envelope(answer, 401, "unauthenticated")
        answer = api.request(
            "GET", f"{path}?access_token={TOKEN}", headers={"Authorization": ""}
        )
        assert answer.status_code == 200 and len(answer.content) == ended["bytes"]


def test_nothing_came(api, web):
    """A recording of a paused session that is stopped without a picture leaves no file."""
    with api.session(initial_url=web.url("/still")) as room:
        api.post(room, "pause")
        ended = record_for(api, room, 1)
        assert ended["state"] == "empty" and "no picture" in ended["reason"]
        assert ended["file"] not in listed(api) and not os.path.exists(ended["path"])


def test_a_film_that_is_stopped_at_once(api, web):
    """Stopped by its caller or by the session's end before a picture came: a short film, or none, no failure."""
    for ends in ("recording", "session"):
        for _ in range(3):
            with api.session(initial_url=web.url("/still")) as room:
                began = start(api, room)
                if ends == "recording":
                    ended = stop(api, room)
                else:
                    assert api.close(room).status_code == 200
                    said = api.get(f"/sessions/{room}/ended").json()["last_events"]
                    said = [event for event in said if event["type"] == "recording"]
                    assert len(said) == 2, said
                    ended = said[-1]
                assert ended["state"] in ("finished", "empty"), ended
                path = Path(began["path"])
                assert path.exists() == (ended["state"] == "finished"), ended
                if path.exists():
                    assert len(Film(path).decode()) >= 1
                else:
                    assert "no picture" in ended["reason"], ended


def test_dashboard_button(api, web, chromium):
    """The button starts and stops, says how long, and leaves a link to the file."""
    with api.session(initial_url=web.url("/clock")) as room:
        with Tab(chromium, f"{api.base}/?room={room}") as tab:
            wait_for(lambda: tab.evaluate("!document.getElementById('record').disabled"), 5, "on")
            assert tab.evaluate("document.getElementById('recorded').hidden")
            tab.evaluate("document.getElementById('record').click()")
            words = "document.getElementById('record').textContent.trim()"
            counts = re.compile(r"Stop 0:0[1-9]")
            wait_for(lambda: tab.evaluate(words), 8, "it counts", accept=counts.fullmatch)
            pressed = "document.getElementById('record').ariaPressed"
            assert tab.evaluate(pressed) == "true"
            tab.evaluate("document.getElementById('record').click()")
            link = "document.getElementById('recorded')"
            wait_for(lambda: tab.evaluate(f"!{link}.hidden"), 5, "a link to the file")
            assert tab.evaluate(words) == "Record" and tab.evaluate(pressed) == "false"
            file = status_of(api, room)["file"]
            assert tab.evaluate(f"{link}.getAttribute('href')").endswith(f"/recordings/{file}")
            got = f"fetch({link}.href).then((a) => a.blob()).then((b) => b.size)"
            assert tab.evaluate(got) == status_of(api, room)["bytes"]
