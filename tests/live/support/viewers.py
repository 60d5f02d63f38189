"""The viewers in a real Chromium: `livekit-client` in a page, and a WHEP player.

Every viewer, these and the Python SDK's, can do the same: `frames`, `frame_count`,
`newest_clock`, `size`, `latencies_ms`, `connecting_at`, `first_frame_at`, `picture`, `close`.
"""

import base64
import io
import json
import time
from urllib.parse import quote, urljoin

import numpy as np
from PIL import Image

from . import narrow, pages
from .cdp import Tab
from .subscriber import first_sights
from .wait import wait_for

# Reads every frame of a video element: the bar code as `pages` paints it, and pictures on demand.
JS_WATCH = """
const viewer = window.viewer = {frames: [], connectingAt: 0, facts: [], error: null};
const video = document.createElement('video');
video.muted = video.autoplay = video.playsInline = true;
document.body.append(video);
const bar = document.createElement('canvas');
bar.width = 1280; bar.height = %(height)d;
const ink = bar.getContext('2d', {willReadFrequently: true});
function readClock(width) {
  if (width < 640) return null;
  const share = width / 1280;
  ink.drawImage(video, 0, 0, width, %(height)d * share, 0, 0, 1280, %(height)d);
  const row = ink.getImageData(0, %(y)d + %(cell)d / 2, 1280, 1).data;
  const cells = [];
  for (let i = 0; i < %(cells)d; i++)
    cells.push(row[4 * (%(x)d + i * %(cell)d + %(cell)d / 2)] < 128 ? 1 : 0);
  if (cells[0] !== 1 || cells[1] !== 0) return null;
  let value = 0, check = 0, expected = 10;
  for (let i = 0; i < %(bits)d; i++) value += cells[2 + i] * 2 ** i;
  for (let i = 0; i < %(checks)d; i++) check += cells[2 + %(bits)d + i] * 2 ** i;
  for (let n = 0; n < 8; n++) expected ^= Math.floor(value / 16 ** n) %% 16;
  return check === expected ? value : null;
}
function onFrame(_now, facts) {
  const seen = (performance.timeOrigin + performance.now()) / 1000;
  viewer.frames.push({seen, number: viewer.frames.length + 1, w: facts.width, h: facts.height,
                      clock: readClock(facts.width)});
  video.requestVideoFrameCallback(onFrame);
}
video.requestVideoFrameCallback(onFrame);
viewer.picture = () => {
  if (!video.videoWidth) return null;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  return canvas.toDataURL('image/png').split(',')[1];
};
""" % {
    "height": pages.CLOCK_HEIGHT,
    "y": pages.CLOCK_Y,
    "x": pages.CLOCK_X,
    "cell": pages.CELL,
    "cells": pages.CLOCK_CELLS,
    "bits": pages.CLOCK_BITS,
    "checks": pages.CHECK_BITS,
}

# What comes from the server's media port is to come by another one: neither side learns of a way around it.
JS_LED = """
const led = (text) => text.split('\\r\\n').flatMap((line) => {
  if (!line.includes('candidate:')) return [line];
  return / udp /i.test(line) && line.includes(' 127.0.0.1 %(far)d ')
    ? [line.replace(' 127.0.0.1 %(far)d ', ' 127.0.0.1 %(near)d ')] : [];
}).join('\\r\\n');
const kind = RTCPeerConnection.prototype;
const {addIceCandidate, setRemoteDescription} = kind;
kind.addIceCandidate = function (given) {
  const candidate = led(given?.candidate ?? '');
  return candidate ? addIceCandidate.call(this, {...JSON.parse(JSON.stringify(given)), candidate}) : Promise.resolve();
};
kind.setRemoteDescription = function ({type, sdp}) { return setRemoteDescription.call(this, {type, sdp: led(sdp)}); };
Object.defineProperty(kind, 'onicecandidate', {set() {}, get() { return null; }});
true;
"""

JS_LIVEKIT = """
(async () => {
  const room = viewer.room = new LivekitClient.Room();
  room.on('trackSubscribed', (track, publication, participant) => {
    if (track.kind !== 'video') return;
    viewer.facts.push({source: publication.source, mime_type: publication.mimeType,
      participant_kind: participant.kind, attributes: {...participant.attributes},
      identity: participant.identity, is_agent: participant.isAgent});
    viewer.publication = publication;
    track.attach(video);
  });
  room.on('trackUnsubscribed', (track) => track.detach(video));
  viewer.connectingAt = Date.now() / 1000;
  await room.connect(%s, %s);
})()
"""

JS_OFFER = """
(async () => {
  const peer = viewer.peer = new RTCPeerConnection();
  peer.addTransceiver('video', {direction: 'recvonly'});
  peer.ontrack = (event) => { video.srcObject = new MediaStream([event.track]); };
  viewer.connectingAt = Date.now() / 1000;
  await peer.setLocalDescription();
  await new Promise((done) => {
    const look = () => peer.iceGatheringState === 'complete' && done();
    peer.onicegatheringstatechange = look;
    look();
  });
  return peer.localDescription.sdp;
})()
"""

JS_CODEC = """
(async () => {
  for (const entry of (await viewer.peer.getStats()).values())
    if (entry.type === 'codec' && entry.mimeType.startsWith('video/')) return entry.mimeType;
  return null;
})()
"""


JS_RECEIVED = """
(async () => {
  let bytes = 0;
  for (const entry of (await viewer.peer.getStats()).values())
    if (entry.type === 'transport') bytes += entry.bytesReceived;
  return bytes;
})()
"""


class BrowserViewer:
    """A video element in a window, and what it has shown."""

    def __init__(self, chromium, address):
        self.tab = Tab(chromium, address)
        self.tab.evaluate(JS_WATCH)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def frames(self):
        """What was seen, as the Python subscriber says it."""
        return json.loads(self.tab.evaluate("JSON.stringify(viewer.frames)"))

    def frame_count(self):
        """How many frames were presented."""
        return self.tab.evaluate("viewer.frames.length")

    def newest_clock(self):
        """The clock of the newest frame, or None."""
        return self.tab.evaluate("viewer.frames.at(-1)?.clock ?? null")

    def size(self):
        """Width and height of the newest frame."""
        newest = self.tab.evaluate("viewer.frames.at(-1) ?? null")
        return newest and (newest["w"], newest["h"])

    def latencies_ms(self):
        """From painting to presenting, at the first sight of each clock value."""
        return first_sights(self.frames())

    def connecting_at(self):
        """When it began to connect, Unix s."""
        return self.tab.evaluate("viewer.connectingAt")

    def first_frame_at(self):
        """When the first frame was presented, Unix s, or None."""
        return self.tab.evaluate("viewer.frames[0]?.seen ?? null")

    def picture(self):
        """The newest frame as RGB, as a canvas gets it, or None."""
        encoded = self.tab.evaluate("viewer.picture()")
        if encoded is None:
            return None
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))

    def close(self):
        """Closes the window."""
        self.tab.close()


def load_client(tab, web):
    """Loads the official `livekit-client` into a page."""
    script = json.dumps(web.url("/livekit-client.js"))
    tab.evaluate(
        "new Promise((done, fail) => { const s = document.createElement('script');"
        f"s.src = {script}; s.onload = () => done(true); s.onerror = fail;"
        "document.head.append(s); })"
    )


class ClientJsViewer(BrowserViewer):
    """The official `livekit-client` in a page. With `rate_bps`, what comes to it comes by a narrow way."""

    def __init__(self, chromium, web, server, room, rate_bps=None):
        super().__init__(chromium, web.url("/blank"))
        load_client(self.tab, web)
        self.way = None
        if rate_bps is not None:
            self.way = narrow.NarrowWay(("127.0.0.1", server.udp_port), rate_bps)
            self.tab.evaluate(JS_LED % {"far": server.udp_port, "near": self.way.port})
        token = server.token(f"js-viewer-{time.monotonic_ns()}", room)
        self.tab.evaluate(JS_LIVEKIT % (json.dumps(server.url), json.dumps(token)))

    def facts(self):
        """What LiveKit says about the publisher, of the newest track; waits for one."""
        found = wait_for(
            lambda: self.tab.evaluate("viewer.facts"), 10, "livekit-client subscribes to a video"
        )
        return found[-1]

    def ask_for(self, quality):
        """Asks for a quality of the newest track: LOW, MEDIUM or HIGH."""
        self.tab.evaluate(f"viewer.publication.setVideoQuality(LivekitClient.VideoQuality.{quality})")

    def close(self):
        """Leaves the room and closes the window."""
        self.tab.evaluate("viewer.room.disconnect()")
        super().close()
        if self.way:
            self.way.close()


class WhepViewer(BrowserViewer):
    """A plain RTCPeerConnection; the test itself carries the offer and the answer. With `rate_bps`, what
    comes to it comes by a narrow way (0 for one that is not)."""

    def __init__(self, chromium, web, api, room, seat=None, channel=None, rate_bps=None):
        super().__init__(chromium, web.url("/blank"))
        self.api, self.way = api, None
        if channel:
            opened = f"viewer.channel = peer.createDataChannel({json.dumps(channel)});\n  viewer.connectingAt"
            offer = self.tab.evaluate(JS_OFFER.replace("viewer.connectingAt", opened, 1))
        else:
            offer = self.tab.evaluate(JS_OFFER)
        if rate_bps is not None:
            offer = narrow.without_candidates(offer)
        path = f"/whep/{quote(room, safe='')}"
        response = api.request(
            "POST",
            path,
            params={"seat": seat} if seat else None,
            content=offer,
            headers={"Content-Type": "application/sdp"},
        )
        assert response.status_code == 201, f"{response.status_code}: {response.text}"
        assert response.headers["content-type"].startswith("application/sdp"), response.headers
        self.answer, self.headers = response.text, response.headers
        self.location = urljoin(f"{api.base}{path}", response.headers["location"])
        answer = response.text
        if rate_bps is not None:
            answer, self.way = narrow.led_through(answer, rate_bps)
        answer = json.dumps({"type": "answer", "sdp": answer})
        self.tab.evaluate(f"viewer.peer.setRemoteDescription({answer})")

    def codec(self):
        """The codec that the peer connection really receives, or None yet."""
        return self.tab.evaluate(JS_CODEC)

    def received(self):
        """The bytes that the peer connection says have come."""
        return self.tab.evaluate(JS_RECEIVED)

    def delete(self):
        """Ends the watching as WHEP says; the caller judges the status."""
        return self.api.request("DELETE", self.location)

    def close(self):
        """Ends the watching, if it has not ended, and closes the window."""
        self.delete()
        super().close()
        if self.way:
            self.way.close()
