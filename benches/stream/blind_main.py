"""Watches many sessions by WHEP and decodes nothing: a crowd that costs next to nothing, for one who counts.

    blind_main.py WHEP_URL...

Prints, four times a second, how many whole pictures have come of each so far.
"""

import asyncio
import json
import sys

import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.codecs.base import Decoder

TELL_S = 0.25


class Blind(Decoder):
    """Is given whole pictures, and counts them."""

    made = []

    def __init__(self):
        self.count = 0
        self.made.append(self)

    def decode(self, _picture):
        """No pixels come of it."""
        self.count += 1
        return []


async def watch(url):
    """Begins to watch; the peer connection."""
    peer = RTCPeerConnection()
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    async with httpx.AsyncClient(timeout=30) as http:
        offer = {"Content-Type": "application/sdp"}
        answer = await http.post(url, content=peer.localDescription.sdp, headers=offer)
    answer.raise_for_status()
    await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    return peer


async def main(urls):
    """Watches for ever."""
    # It has no option for it.
    rtcrtpreceiver.get_decoder = lambda _codec: Blind()
    peers = [await watch(url) for url in urls]
    while peers:
        await asyncio.sleep(TELL_S)
        print(json.dumps([blind.count for blind in Blind.made]), flush=True)


asyncio.run(main(sys.argv[1:]))
