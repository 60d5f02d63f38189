"""deploy/compose.yaml, as far as it goes without an engine: its two parts with exactly what it gives them."""

import re
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from support.api import new_room
from support.service import clean_env, free_port, running_service
from support.wait import wait_for

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy/compose.yaml"
GIVEN = {
    "HOST_IP": "127.0.0.1",
    "LIVEKIT_API_KEY": "mykey",
    # Digits alone, which YAML would take for a number.
    "LIVEKIT_API_SECRET": "0123456789" * 4,
    "GHOSTCAST_SERVER__TOKEN": "a-token-of-the-compose-file",
}
# LiveKit's in the file; here others have them.
PORTS = {"7880": socket.SOCK_STREAM, "7881": socket.SOCK_STREAM, "7882": socket.SOCK_DGRAM}


def interpolated(given):
    """The file with its variables; one that is needed and not there is told in the file's words."""

    def value(match):
        name, _, says = match[1].partition(":?")
        if name not in given:
            pytest.fail(says)
        return given[name]

    return yaml.safe_load(re.sub(r"\$\{([^}]+)\}", value, COMPOSE.read_text()))


def test_what_is_needed_is_asked_for():
    """Each variable says what it is, and nothing has a value that everybody knows."""
    for name in GIVEN:
        with pytest.raises(pytest.fail.Exception, match="[a-z]"):
            interpolated({key: value for key, value in GIVEN.items() if key != name})


def test_it_names_what_there_is():
    """The version of the server is the one that is tested, and all files that it names exist."""
    parts = interpolated(GIVEN)["services"]
    version = re.search(r"^version=(\S+)", (ROOT / "deploy/livekit-server/build.sh").read_text(), re.MULTILINE)[1]
    assert parts["livekit"]["image"] == f"livekit/livekit-server:{version}"
    build = parts["ghostcast"]["build"]
    assert (COMPOSE.parent / build["context"] / build["dockerfile"]).is_file()
    (profile,) = [option for option in parts["ghostcast"]["security_opt"] if option.startswith("seccomp=")]
    assert (COMPOSE.parent / profile.removeprefix("seccomp=")).is_file()
    # WHEP's ports are the same numbers inside and outside.
    ports = parts["ghostcast"]["environment"]["GHOSTCAST_RTC__UDP_PORTS"]
    assert f"{ports}:{ports}/udp" in parts["ghostcast"]["ports"]


def test_both_parts_take_what_it_gives_them(ghostcast_bin, livekit_server_bin):
    """LiveKit starts on that configuration and those keys, and the browser joins its room."""
    parts = interpolated(GIVEN)["services"]
    ours = {name: str(free_port(kind)) for name, kind in PORTS.items()}

    def moved(text):
        return re.sub("|".join(PORTS), lambda match: ours[match[0]], text)

    server = {name: moved(text) for name, text in parts["livekit"]["environment"].items()}
    command = [livekit_server_bin, "--bind", "127.0.0.1"]
    with subprocess.Popen(command, env={**clean_env(), **server}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as livekit:
        try:
            alive = f"http://127.0.0.1:{ours['7880']}/"
            wait_for(lambda: httpx.get(alive, trust_env=False).is_success, 15, "LiveKit answers", tolerate=httpx.HTTPError)
            env = {name: moved(text) for name, text in parts["ghostcast"]["environment"].items()}
            env["LIVEKIT_URL"] = env["LIVEKIT_URL"].replace("//livekit:", "//127.0.0.1:")
            with running_service(ghostcast_bin, env=env, token=GIVEN["GHOSTCAST_SERVER__TOKEN"]) as service:
                room = new_room("compose")
                started = service.api.request("POST", "/sessions", json={"room_name": room})
                assert started.status_code == 201, started.text
                record = f"/sessions/{room}"
                wait_for(
                    lambda: service.api.request("GET", record).json()["livekit"],
                    20,
                    "the browser is in the room",
                    accept=lambda livekit: livekit == "connected",
                )
                service.api.request("DELETE", record)
        finally:
            livekit.kill()
