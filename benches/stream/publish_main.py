"""A publisher as one writes it with Playwright and the official Python SDK; runs until it is ended.

    publish_main.py screenshots|screencast|grab PAGE LIVEKIT_URL TOKEN FPS BITRATE_BPS [simulcast]

`screenshots`: PNGs one after the other, at the rate; `screencast`: what the browser paints, as JPEG;
`grab`: a browser with a window in an Xvfb, and ffmpeg that reads the screen.
"""

import asyncio
import io
import itertools
import os
import sys
import tempfile
import time

import av
import numpy as np
from livekit import rtc
from PIL import Image
from playwright.async_api import async_playwright
from stream import SIZE
from support.cdp import find_chromium

WIDTH, HEIGHT = SIZE
FLAGS = ["--no-sandbox", "--no-first-run", "--disable-quic", "--disable-background-networking", "--disable-sync"]


async def published(url, token, fps, bitrate_bps, simulcast):
    """Joins, and publishes a track; what its pictures are given to."""
    room = rtc.Room()
    await room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
    source = rtc.VideoSource(WIDTH, HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track("browser", source)
    options = rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_SCREENSHARE,
        video_codec=rtc.VideoCodec.H264,
        simulcast=simulcast,
        video_encoding=rtc.VideoEncoding(max_framerate=fps, max_bitrate=bitrate_bps),
    )
    await room.local_participant.publish_track(track, options)
    # The room goes when nobody holds it.
    return room, source


async def screenshots(page, source, fps):
    """One picture after the other."""
    began = time.monotonic()
    for number in itertools.count(1):
        picture = Image.open(io.BytesIO(await page.screenshot(type="png"))).convert("RGBA")
        kind = rtc.VideoBufferType.RGBA
        source.capture_frame(rtc.VideoFrame(picture.width, picture.height, kind, picture.tobytes()))
        await asyncio.sleep(max(0, began + number / fps - time.monotonic()))


async def screencast(page, source, _fps):
    """Every picture that the browser paints."""
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1

    def show(event):
        for frame in decoder.decode(av.Packet(event["data"])):
            made = frame if frame.format.name.endswith("420p") else frame.reformat(format="yuv420p")
            planes = b"".join(
                np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].tobytes()
                for plane in made.planes
            )
            source.capture_frame(rtc.VideoFrame(made.width, made.height, rtc.VideoBufferType.I420, planes))

    await page.screencast.start(on_frame=show, quality=80, size={"width": WIDTH, "height": HEIGHT})
    await asyncio.Event().wait()


async def grab(display, source, fps):
    """What is on the screen, so often."""
    command = f"ffmpeg -loglevel error -f x11grab -draw_mouse 0 -framerate {fps} -video_size {WIDTH}x{HEIGHT}"
    command += f" -i {display} -pix_fmt yuv420p -f rawvideo pipe:1"
    reading = await asyncio.create_subprocess_exec(*command.split(), stdout=asyncio.subprocess.PIPE, limit=1 << 23)
    while True:
        planes = await reading.stdout.readexactly(WIDTH * HEIGHT * 3 // 2)
        source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, planes))


async def with_playwright(show, address, source, fps):
    """A headless browser, as Playwright starts one."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        await page.goto(address)
        await show(page, source, fps)


async def with_screen(address, source, fps):
    """A browser with a window on a screen in memory."""
    said, saying = os.pipe()
    screen = f"{WIDTH}x{HEIGHT}x24"
    command = ["Xvfb", "-displayfd", str(saying), "-screen", "0", screen, "-nolisten", "tcp"]
    await asyncio.create_subprocess_exec(*command, pass_fds=[saying])
    display = ":" + (await asyncio.to_thread(os.read, said, 16)).decode().strip()
    profile = tempfile.mkdtemp(prefix="profile-")
    window = ["--kiosk", f"--window-size={WIDTH},{HEIGHT}", "--window-position=0,0", f"--user-data-dir={profile}"]
    env = {**os.environ, "DISPLAY": display}
    await asyncio.create_subprocess_exec("chromium", *FLAGS, *window, address, env=env)
    await grab(display, source, fps)


async def main(way, address, url, token, fps, bitrate_bps, *more):
    """Everything that this program is for."""
    room, source = await published(url, token, int(fps), int(bitrate_bps), "simulcast" in more)
    if way == "grab":
        await with_screen(address, source, int(fps))
    else:
        show = {"screenshots": screenshots, "screencast": screencast}[way]
        await with_playwright(show, address, source, int(fps))
    await room.disconnect()


asyncio.run(main(*sys.argv[1:]))
