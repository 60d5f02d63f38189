"""A person in a room, in a process of its own: writes lines of standard input into the chat, and
prints what the room's agents say as JSON lines, until standard input ends.
"""

import asyncio
import json
import sys

from livekit import rtc


def show(kind, **facts):
    """One line of output."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


async def hear(reader, identity):
    """One utterance, whole."""
    show("heard", who=identity, text=await reader.read_all())


async def main(url, token):
    """Joins, chats, leaves."""
    room, hearing = rtc.Room(), set()
    room.register_text_stream_handler(
        "lk.transcription",
        lambda reader, identity: hearing.add(asyncio.ensure_future(hear(reader, identity))),
    )
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
    show("connected")
    while line := await asyncio.to_thread(sys.stdin.readline):
        await room.local_participant.send_text(line.strip(), topic="lk.chat")
    await room.disconnect()


asyncio.run(main(*sys.argv[1:]))
