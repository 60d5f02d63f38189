#!/usr/bin/env python3
"""Joins a LiveKit room as a viewer and saves one frame of the browser's track as PNG.

    pip install livekit numpy pillow
    python examples/watch_track.py "$LIVEKIT_URL" "$(ghostcast token --room demo)" frame.png

The first argument is the LiveKit server, the second a token that may subscribe in the room; both are
printed by deploy/run.sh. A voice agent finds the track the same way: it is called "browser", and its
source is the screen share.
"""

import asyncio
import sys

import numpy as np
from livekit import rtc
from PIL import Image

TRACK_NAME = "browser"
PATIENCE_S = 20


async def first_frame(room):
    """The first decoded frame of the browser's track."""
    found = asyncio.get_running_loop().create_future()

    @room.on("track_subscribed")
    def _(track, publication, participant):
        if publication.name == TRACK_NAME and not found.done():
            found.set_result((track, publication, participant))

    await room.connect(sys.argv[1], sys.argv[2])
    track, publication, participant = await found
    source = rtc.TrackSource.Name(publication.source)
    print(f"{participant.identity} publishes {publication.name!r} ({source})", flush=True)
    async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.RGB24):
        return event.frame


async def main():
    """Prints before it disconnects: the SDK may abort at the exit of a process that had video."""
    room = rtc.Room()
    frame = await asyncio.wait_for(first_frame(room), PATIENCE_S)
    pixels = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.width, 3)
    Image.fromarray(pixels).save(sys.argv[3])
    print(f"saved {frame.width}x{frame.height} to {sys.argv[3]}", flush=True)
    await room.disconnect()


if len(sys.argv) != 4:
    raise SystemExit(__doc__)
asyncio.run(main())
