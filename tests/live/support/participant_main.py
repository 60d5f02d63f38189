"""A participant of a room, in a process of its own: does what lines of standard input say (JSON), and prints
what it sees as JSON lines, until standard input ends.
"""

import asyncio
import json
import sys

from livekit import rtc

BROWSER = "lk.publish_on_behalf"


def show(kind, **facts):
    """One line of output."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


def the_browser(room):
    """The participant that shows the browser."""
    for participant in room.remote_participants.values():
        if BROWSER in participant.attributes:
            return participant
    return None


async def call(room, order):
    """One call of the browser, and its answer."""
    own = {"response_timeout": order["timeout"]} if "timeout" in order else {}
    try:
        answer = await room.local_participant.perform_rpc(
            destination_identity=order["to"], method=order["method"], payload=order["payload"], **own
        )
        show("answer", id=order["id"], payload=answer)
    except rtc.RpcError as error:
        show("answer", id=order["id"], code=error.code, message=error.message)


async def main(url, token):
    """Joins, does as it is told, leaves."""
    room, calls = rtc.Room(), set()

    def look(*_):
        browser = the_browser(room)
        if browser:
            show("browser", identity=browser.identity, attributes=dict(browser.attributes))

    room.on("participant_connected", look)
    room.on("participant_attributes_changed", look)
    room.on("data_received", lambda packet: show("data", topic=packet.topic, text=packet.data.decode()))
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
    show("connected", sid=room.local_participant.sid)
    look()
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if order["do"] == "call":
            calls.add(asyncio.ensure_future(call(room, order)))
        elif order["do"] == "send":
            send = room.local_participant.publish_data
            more = {"reliable": order["reliable"], "topic": order["topic"]}
            # Not all at once: the SDK keeps count of what is under way and stands still beyond it.
            for _ in range(0, order["times"], 10):
                await asyncio.gather(*(send(order["payload"], **more) for _ in range(min(10, order["times"]))))
        elif order["do"] == "attributes":
            try:
                await room.local_participant.set_attributes(order["attributes"])
            except Exception as error:
                show("refused", message=str(error))
    await room.disconnect()


asyncio.run(main(*sys.argv[1:]))
