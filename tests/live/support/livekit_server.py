"""A real livekit-server on ports of its own, that can be stopped and started again."""

import asyncio
import datetime
import json
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import httpx
from livekit import api

from .service import clean_env, free_port
from .wait import wait_for

API_KEY = "live-tests"
API_SECRET = "a-secret-of-the-live-tests-that-is-long-enough"


class LiveKitServer:
    """One server; its address stays the same over a restart."""

    def __init__(self, binary, departure_timeout_s=None, network=None):
        """Rooms without people close after `departure_timeout_s`; LiveKit's default is 20.

        With a `network`, it runs on the far side of that.
        """
        self.binary = binary
        self.network = network
        self.host = network.far if network else "127.0.0.1"
        # Where clients are told that media are taken, and what else is said of that.
        self.node_ip, self.rtc = self.host, {}
        self.departure_timeout_s = departure_timeout_s
        self.port = free_port()
        self.tcp_port = free_port()
        self.udp_port = free_port(socket.SOCK_DGRAM)
        self.home = tempfile.TemporaryDirectory(prefix="livekit-live-")
        self.log_path = Path(self.home.name) / "log.txt"
        self.process = None

    @property
    def url(self):
        """Where clients connect."""
        return f"ws://{self.host}:{self.port}"

    def env(self):
        """What makes Ghostcast use this server."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": API_KEY,
            "LIVEKIT_API_SECRET": API_SECRET,
        }

    def start(self):
        """Starts the server and waits until it answers."""
        config = {
            "port": self.port,
            "bind_addresses": [self.host],
            "keys": {API_KEY: API_SECRET},
            "rtc": {
                "tcp_port": self.tcp_port,
                "udp_port": self.udp_port,
                "use_external_ip": False,
                "enable_loopback_candidate": self.network is None,
                **self.rtc,
            },
            "logging": {"level": "info"},
        }
        if self.departure_timeout_s:
            config["room"] = {"departure_timeout": self.departure_timeout_s}
        if self.network is None:
            # One socket: given several, all told as the one address, the server keeps any one of them for a
            # client, and what reaches another is dropped.
            config["rtc"]["interfaces"] = {"includes": ["lo"]}
        command = [*self.prefix(), self.binary, "--config-body", json.dumps(config)]
        command += ["--node-ip", self.node_ip]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=clean_env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(self.is_ready, 15, "livekit-server answers", tolerate=httpx.HTTPError)
        return self

    def prefix(self):
        """What makes a command run beside the server."""
        return self.network.prefix() if self.network else []

    def room_sid(self, name):
        """The id of the room as it is now; a room that closed and opened again has another."""

        async def ask(service):
            rooms = await service.list_rooms(api.ListRoomsRequest(names=[name]))
            return rooms.rooms[0].sid if rooms.rooms else None

        return self.administer(ask)

    def remove(self, room, identity):
        """Sends a participant out of a room."""

        async def send(service):
            participant = api.RoomParticipantIdentity(room=room, identity=identity)
            await service.remove_participant(participant)

        return self.administer(send)

    def mute(self, room, identity):
        """Mutes what a participant publishes, as a moderator does."""

        async def send(service):
            who = api.RoomParticipantIdentity(room=room, identity=identity)
            sid = (await service.get_participant(who)).tracks[0].sid
            request = api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=sid, muted=True)
            await service.mute_published_track(request)

        self.administer(send)

    def is_muted(self, room, identity):
        """Whether what a participant publishes is muted."""

        async def ask(service):
            who = api.RoomParticipantIdentity(room=room, identity=identity)
            return (await service.get_participant(who)).tracks[0].muted

        return self.administer(ask)

    def delete_room(self, room):
        """Ends a room for everybody in it."""

        async def send(service):
            await service.delete_room(api.DeleteRoomRequest(room=room))

        return self.administer(send)

    def identities(self, room):
        """Who is in a room."""

        async def ask(service):
            found = await service.list_participants(api.ListParticipantsRequest(room=room))
            return sorted(participant.identity for participant in found.participants)

        return self.administer(ask)

    def administer(self, work):
        """Awaits `work(room service)`."""

        async def run():
            url = self.url.replace("ws", "http", 1)
            async with api.LiveKitAPI(url, API_KEY, API_SECRET) as service:
                return await work(service.room)

        return asyncio.run(run())

    def is_ready(self):
        """Whether the server answers; fails at once when it has ended."""
        code = self.process.poll()
        if code is not None:
            log = self.log_path.read_text(errors="replace")[-3000:]
            raise AssertionError(f"livekit-server ended with {code}: {log}")
        return httpx.get(f"http://{self.host}:{self.port}/", trust_env=False).status_code == 200

    def stop(self, how=signal.SIGKILL):
        """Ends the server; by default as a crash does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(10)

    def token(self, identity, room, publish=False, hours=1, kind="standard"):
        """A token to join `room`; a viewer's, unless it may publish. Expired with negative `hours`."""
        grants = api.VideoGrants(room_join=True, room=room, can_publish=publish, can_subscribe=True)
        access = api.AccessToken(API_KEY, API_SECRET).with_identity(identity).with_kind(kind)
        return access.with_grants(grants).with_ttl(datetime.timedelta(hours=hours)).to_jwt()
