"""The outer faces: OpenAPI, metrics, health, screenshots, the command line, and the token."""

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import openapi_spec_validator
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus

from support import pictures
from support.api import Api, assert_envelope, new_room
from support.service import TOKEN, clean_env, free_port, running_service
from support.viewers import WhepViewer
from support.wait import wait_for

EXAMPLE_CONFIG = Path(__file__).parents[2] / "deploy" / "config.example.toml"
ROUTES = [
    ("get", "/sessions"),
    ("post", "/sessions"),
    ("get", "/sessions/{}"),
    ("get", "/sessions/{}/ended"),
    ("delete", "/sessions/{}"),
    ("post", "/sessions/cleanup"),
    ("post", "/sessions/{}/pause"),
    ("post", "/sessions/{}/resume"),
    ("post", "/sessions/{}/recover"),
    ("post", "/sessions/{}/actions"),
    ("post", "/sessions/{}/navigate"),
    ("post", "/sessions/{}/execute"),
    ("post", "/sessions/{}/interact"),
    ("post", "/sessions/{}/screenshot"),
    ("get", "/sessions/{}/storage_state"),
    ("post", "/sessions/{}/share"),
    ("delete", "/sessions/{}/share"),
    ("post", "/sessions/{}/takeover"),
    ("delete", "/sessions/{}/takeover"),
    ("put", "/sessions/{}/drivers/{}"),
    ("delete", "/sessions/{}/drivers/{}"),
    ("post", "/takeover"),
    ("post", "/jobs"),
    ("get", "/jobs"),
    ("get", "/jobs/{}"),
    ("post", "/jobs/{}/cancel"),
    ("post", "/jobs/{}/retry"),
    ("post", "/jobs/{}/takeover"),
    ("get", "/jobs/{}/events"),
    ("post", "/connections"),
    ("get", "/connections"),
    ("get", "/connections/{}"),
    ("delete", "/connections/{}"),
    ("post", "/connections/{}/verify"),
    ("post", "/connections/{}/takeover"),
    ("post", "/notes"),
    ("get", "/notes"),
    ("get", "/notes/{}"),
    ("patch", "/notes/{}"),
    ("delete", "/notes/{}"),
    ("post", "/notes/{}/finalise"),
    ("get", "/users/{}/events"),
    ("get", "/sessions/{}/drive"),
    ("post", "/sessions/{}/drive/files"),
    ("post", "/tickets"),
    ("post", "/sessions/{}/wait"),
    ("get", "/sessions/{}/actions/{}"),
    ("delete", "/sessions/{}/actions/{}"),
    ("get", "/sessions/{}/downloads"),
    ("get", "/sessions/{}/viewers"),
    ("get", "/sessions/{}/downloads/{}"),
    ("get", "/sessions/{}/context"),
    ("get", "/sessions/{}/screenshot"),
    ("post", "/sessions/{}/analyze"),
    ("post", "/sessions/{}/recording"),
    ("get", "/sessions/{}/recording"),
    ("delete", "/sessions/{}/recording"),
    ("get", "/recordings"),
    ("get", "/recordings/{}"),
    ("delete", "/recordings/{}"),
    ("post", "/mcp"),
    ("get", "/mcp"),
    ("delete", "/mcp"),
    ("get", "/mcp/socket"),
    ("get", "/mcp/events/{}"),
    ("get", "/rooms/{}/connections"),
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("post", "/drain"),
    ("delete", "/drain"),
    ("get", "/stats"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("post", "/whep/{}"),
    ("patch", "/whep/{}/{}"),
    ("delete", "/whep/{}/{}"),
]
# What the contract wants measured, and by how much the work of the test must at least move it;
# `None` where the work gives no reason to.
METRICS = {
    'ghostcast_stage_seconds_count{stage="capture"}': 10,
    'ghostcast_stage_seconds_count{stage="decode"}': 10,
    'ghostcast_stage_seconds_count{stage="convert"}': 10,
    'ghostcast_stage_seconds_count{stage="compose"}': 10,
    'ghostcast_stage_seconds_count{stage="encode"}': 10,
    'ghostcast_stage_seconds_count{stage="send"}': 10,
    "ghostcast_frames_captured_total": 10,
    "ghostcast_frames_drawn_total": 10,
    "ghostcast_frames_encoded_total": 10,
    'ghostcast_frames_dropped_total{reason="slow_publisher"}': None,
    "ghostcast_encoded_bytes_total": 1000,
    "ghostcast_bitrate_bits_per_second": 1000,
    "ghostcast_keyframe_requests_total": 1,
    "ghostcast_viewers": 1,
    'ghostcast_events_total{type="action_error"}': 1,
    "ghostcast_event_connections": 1,
    "ghostcast_events_lagged_total": None,
    'ghostcast_actions_total{type="wait",outcome="completed"}': 1,
    'ghostcast_actions_total{type="click",outcome="element_not_found"}': 1,
    'ghostcast_action_seconds_count{type="wait"}': 1,
    "ghostcast_sessions": 1,
    "ghostcast_browsers": 1,
    "ghostcast_contexts": 1,
}
SAMPLE = re.compile(
    r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? '
    r"(NaN|[+-]Inf|[-+0-9.eE]+)$"
)


def run(binary, *args, env=None, within=20):
    """Runs the program to its end: (exit code, everything it said)."""
    done = subprocess.run(
        [binary, *args],
        env={**clean_env(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within,
        check=False,
    )
    return done.returncode, done.stdout


def test_openapi(lone_api):
    """The document is valid, and tells what the service has: no route more, and none less.

    Paths are compared without their names. A method that nothing takes is answered with those that
    something does.
    """
    document = lone_api.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    listed = {
        (method, re.sub(r"\{[^}]*\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert listed == set(ROUTES), listed ^ set(ROUTES)
    taken = set()
    for path in {path for _, path in listed}:
        refusal = lone_api.request("TRACE", path.replace("{}", "x"))
        assert_envelope(refusal, 405)
        methods = {method.strip().lower() for method in refusal.headers["allow"].split(",")}
        # Whatever is fetched can be asked about too.
        taken |= {(method, path) for method in methods - {"head"}}
    assert taken == listed, taken ^ listed


def test_health(lone_api):
    """The one thing that a load balancer asks."""
    health = lone_api.get("/health").json()
    assert health["status"] == "healthy" and health["version"]


def samples(api):
    """Every sample of the measures, in Prometheus' text form, by its name and labels."""
    response = api.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = {}
    for line in filter(None, response.text.splitlines()):
        if not line.startswith("#"):
            assert SAMPLE.match(line), f"not a sample: {line!r}"
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    # What is measured of any process has the names that it has everywhere.
    assert all(name.startswith(("ghostcast_", "process_")) for name in found), sorted(found)
    return found


def test_metrics(own_ghostcast, web, chromium):
    """Every promised measure moves with the work that it measures."""
    api = own_ghostcast.api
    before = samples(api)
    with (
        api.session(initial_url=web.url("/clock"), capture="display") as room,
        WhepViewer(chromium, web, api, room) as viewer,
    ):
        wait_for(viewer.frame_count, 10, "frames", accept=lambda n: n > 10)
    with (
        api.session(initial_url=web.url("/clock"), capture="screencast") as room,
        WhepViewer(chromium, web, api, room) as viewer,
        api.events(room) as events,
    ):
        wait_for(viewer.frame_count, 10, "frames", accept=lambda n: n > 10)
        api.do(room, "wait", seconds=0)
        api.fail(room, "click", "element_not_found", index=9999)
        events.wait("action_error")
        # The rate of a second is known when a second is over.
        rate = "ghostcast_bitrate_bits_per_second"
        after = wait_for(lambda: samples(api), 5, "a bit rate", accept=lambda now: now.get(rate))
    moved = {name: after.get(name, 0) - before.get(name, 0) for name in METRICS}
    wrong = {
        name: moved[name]
        for name, least in METRICS.items()
        if name not in after or moved[name] < (least or 0)
    }
    assert not wrong, f"{wrong} of {sorted(after)}"


@pytest.mark.parametrize(
    ("form", "media_type", "tolerance"),
    [("png", "image/png", 0), ("jpeg", "image/jpeg", 8), ("webp", "image/webp", 8)],
)
def test_screenshot(lone_api, web, form, media_type, tolerance):
    """The viewport, in the asked format, with the page's colours."""
    with lone_api.session(initial_url=web.url("/patches")) as room:
        response = lone_api.get(f"/sessions/{room}/screenshot", params={"format": form})
        assert response.headers["content-type"] == media_type
        image = Image.open(io.BytesIO(response.content))
        assert (image.format, image.size) == (form.upper(), (1280, 720))
        picture = np.asarray(image.convert("RGB"))
        assert pictures.worst_patch(picture)[0] <= tolerance
        assert pictures.picture_clock(picture) is not None


def test_screenshot_of_the_full_page(lone_api, web):
    """A long page in one picture; PNG where nothing is said."""
    with lone_api.session(initial_url=web.url("/tall")) as room:
        response = lone_api.get(f"/sessions/{room}/screenshot", params={"full_page": "true"})
        image = Image.open(io.BytesIO(response.content))
        assert image.format == "PNG" and image.size[1] == 5000
        answer = lone_api.request("GET", f"/sessions/{room}/screenshot?format=tiff")
        assert_envelope(answer, kind="invalid_input")


def test_screenshot_has_no_cursor(lone_api, web, watch_whep):
    """The cursor is drawn into the video, never into the page."""
    with lone_api.session(initial_url=web.url("/still")) as room, watch_whep(room) as viewer:
        wait_for(viewer.frame_count, 10, "frames")
        lone_api.do(room, "click", x=800, y=500)
        response = lone_api.get(f"/sessions/{room}/screenshot")
        picture = np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB"))
        assert (picture[460:560, 760:860] == 255).all()


def test_version(ghostcast_bin):
    """Name and number on one line."""
    code, said = run(ghostcast_bin, "--version")
    assert code == 0 and re.fullmatch(r"ghostcast \d+\.\d+\.\d+\S*\n", said), said


def test_doctor(ghostcast_bin, livekit_server):
    """Everything here is in order, so the doctor says so; then LiveKit is not there."""
    code, said = run(ghostcast_bin, "doctor", env=livekit_server.env(), within=60)
    print(said)
    for word in ("chromium", "h.264|codec|openh264", "livekit", "port|listen"):
        assert re.search(word, said, re.IGNORECASE), (word, said)
    assert code == 0, said
    broken = {**livekit_server.env(), "LIVEKIT_URL": "ws://127.0.0.1:9"}
    code, said = run(ghostcast_bin, "doctor", env=broken, within=60)
    assert code != 0 and "127.0.0.1:9" in said, said


def test_open_address_needs_a_token(ghostcast_bin):
    """Whoever reaches the service drives a browser: it does not open up by accident."""
    code, said = run(ghostcast_bin, "serve", "--listen", f"0.0.0.0:{free_port()}")
    assert code != 0 and "token" in said.lower() and "127.0.0.1" in said, said


def test_unknown_config_key(ghostcast_bin, tmp_path):
    """A slip of the pen is named together with what was probably meant."""
    path = tmp_path / "ghostcast.toml"
    path.write_text("[video]\njpeg_qualty = 80\n")
    code, said = run(ghostcast_bin, "serve", "--config", str(path))
    assert code != 0 and "jpeg_qualty" in said and "jpeg_quality" in said, said
    code, said = run(ghostcast_bin, "serve", env={"GHOSTCAST_VIDEO__JPEG_QUALTY": "80"})
    assert code != 0 and "jpeg_quality" in said, said


def test_example_config_is_accepted(ghostcast_bin):
    """The documented file is valid: a service with it runs, on a port of its own."""
    with running_service(ghostcast_bin, args=["--config", str(EXAMPLE_CONFIG)]) as service:
        assert service.api.get("/health").json()["status"] == "healthy"


def test_token(guarded_ghostcast):
    """With a token set, every door but /health asks for it."""
    stranger = Api(guarded_ghostcast.api.base)
    for method, path in [("GET", "/sessions"), ("GET", "/metrics"), ("POST", "/whep/x")]:
        assert_envelope(stranger.request(method, path), 401, "unauthenticated")
    wrong = Api(guarded_ghostcast.api.base, TOKEN + "x")
    assert_envelope(wrong.request("GET", "/sessions"), 401, "unauthenticated")
    with guarded_ghostcast.api.session(new_room("guarded")) as room:
        assert_envelope(stranger.request("GET", f"/sessions/{room}"), 401, "unauthenticated")
        with pytest.raises(InvalidStatus) as refusal:
            stranger.events(room)
        assert refusal.value.response.status_code == 401
        with guarded_ghostcast.api.events(room) as events:
            guarded_ghostcast.api.do(room, "wait", seconds=0)
            events.wait("action_completed")
    assert TOKEN not in guarded_ghostcast.log(10**6)


def test_foreign_origins_are_refused(lone_api):
    """A page that someone visits may not drive the browser behind their back."""
    headers = {"Origin": "http://evil.example", "Content-Type": "application/json"}
    answer = lone_api.request("POST", "/sessions", json={"room_name": "x"}, headers=headers)
    assert_envelope(answer, 403, "forbidden")
    own = {"Origin": lone_api.base}
    assert lone_api.request("GET", "/sessions", headers=own).status_code == 200


def test_dashboard_is_served(lone_api):
    """One page, with all it needs in the binary."""
    response = lone_api.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert "Ghostcast" in response.text
