"""A LiveKit subscriber in a process of its own: prints what it sees as JSON lines, until killed.

It is never asked to end: the SDK aborts at the exit of a process that has received video, so
results are printed as they come. On standard input it takes `picture PATH`: it writes the newest
frame there, converted to RGB by the SDK itself, and prints when that is done. And `again SECONDS`: it
leaves every track, comes back after so long, and prints when it has asked for that.
"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from livekit import rtc

sys.path.insert(0, str(Path(__file__).parent.parent))
from support.pictures import read_clock

STATS_S = 0.25


def say(kind, **facts):
    """One line of output."""
    line = json.dumps({"kind": kind, "at": time.time(), **facts}) + "\n"
    # One write a line: the SDK's threads and the picture's share the pipe.
    os.write(sys.stdout.fileno(), line.encode())


class Watcher:
    """Follows whatever video the room has."""

    def __init__(self):
        self.newest = None
        self.count = 0

    async def consume(self, track):
        """Reads every frame of one track."""
        async for event in rtc.VideoStream(track):
            frame = event.frame
            now = time.time()
            self.newest, self.count = frame, self.count + 1
            plane = np.frombuffer(frame.data, np.uint8)[: frame.width * frame.height]
            clock = read_clock(plane.reshape(frame.height, frame.width))
            say("frame", seen=now, number=self.count, w=frame.width, h=frame.height, clock=clock)

    async def report_statistics(self, track):
        """Prints the codec that is really received, and how many bytes of it have come so far."""
        is_codec_known = False
        while True:
            await asyncio.sleep(STATS_S)
            for entry in await track.get_stats():
                if entry.HasField("codec") and not is_codec_known:
                    codec = entry.codec.codec
                    say("codec", mime_type=codec.mime_type, fmtp=codec.sdp_fmtp_line)
                    is_codec_known = True
                if entry.HasField("inbound_rtp"):
                    say("received", bytes=entry.inbound_rtp.inbound.bytes_received)

    def serve(self, room, loop):
        """Does what the lines on standard input ask for."""
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            if command == "picture":
                self.hand_over(argument)
            elif command == "again":
                asyncio.run_coroutine_threadsafe(come_again(room, float(argument)), loop).result()

    def hand_over(self, path):
        """Writes the newest frame."""
        frame = self.newest
        if frame is None:
            say("picture", path=path, ok=False)
            return
        rgb = frame.convert(rtc.VideoBufferType.RGB24)
        pixels = np.frombuffer(rgb.data, np.uint8).reshape(rgb.height, rgb.width, 3)
        np.save(path, pixels)
        say("picture", path=path, ok=True)


async def come_again(room, pause_s):
    """Leaves every track and comes back."""
    for subscribed in (False, True):
        for participant in room.remote_participants.values():
            for publication in participant.track_publications.values():
                publication.set_subscribed(subscribed)
        if not subscribed:
            await asyncio.sleep(pause_s)
    say("again")


def describe(publication, participant):
    """What LiveKit says about the publisher and its track."""
    return {
        "identity": participant.identity,
        "participant_kind": rtc.ParticipantKind.Name(participant.kind),
        "attributes": dict(participant.attributes),
        "source": rtc.TrackSource.Name(publication.source),
        "track_kind": rtc.TrackKind.Name(publication.kind),
        "mime_type": publication.mime_type,
        "width": publication.width,
        "height": publication.height,
        "track": publication.sid,
        "name": publication.name,
    }


async def main(url, token):
    """Joins and watches for ever."""
    watcher, tasks = Watcher(), []
    room = rtc.Room()

    @room.on("track_subscribed")
    def _(track, publication, participant):
        say("track", **describe(publication, participant))
        tasks.append(asyncio.ensure_future(watcher.consume(track)))
        tasks.append(asyncio.ensure_future(watcher.report_statistics(track)))

    @room.on("track_unsubscribed")
    def _(_track, publication, _participant):
        say("untrack", track=publication.sid)

    @room.on("track_muted")
    def _(_participant, publication):
        say("muted", track=publication.sid)

    @room.on("participant_disconnected")
    def _(participant):
        say("left", identity=participant.identity)

    say("connecting")
    await room.connect(url, token)
    say("connected")
    given = (room, asyncio.get_running_loop())
    threading.Thread(target=watcher.serve, args=given, daemon=True).start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:3]))
