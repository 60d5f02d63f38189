"""Pictures of more than what is in view: they show what they say, or say that they cannot."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support.api import assert_envelope, new_room
from support.grpc_client import GrpcClient
from support.mcp import McpClient, http_server
from support.pictures import colour_at, colour_distance

BAND = 1000
# What each format has room for, px a side.
SIDES = {"png": 131_072, "jpeg": 65_500, "webp": 16_383}
# A JPEG's colours are near.
NEAR = 12

Image.MAX_IMAGE_PIXELS = None

BANDS = b"""<!doctype html><title>Bands</title><link rel=icon href=data:,>
<style>html{scrollbar-width:none}body{margin:0}div{width:100%}</style><body><script>
const query = new URLSearchParams(location.search);
const height = Number(query.get('height'));
if (query.get('width')) document.body.style.width = query.get('width') + 'px';
for (let top = 0, i = 0; top < height; top += 1000, i++) {
  const div = document.createElement('div');
  div.style.cssText = `height:${Math.min(1000, height - top)}px;background:rgb(${i},${255 - i},${i % 2 * 255})`;
  document.body.append(div);
}
</script>"""

# Things below the fold, in frames, and larger than what is around them.
PARTS = b"""<!doctype html><title>Parts</title><link rel=icon href=data:,>
<style>body{margin:0;height:4000px;position:relative}
button{position:absolute;left:100px;width:200px;border:0;padding:0}iframe{position:absolute;border:0}</style>
<button style="top:50px;height:40px;background:#c00" aria-label=Above></button>
<button style="top:2000px;height:60px;background:#0c0" aria-label=Below></button>
<button style="top:2400px;height:1200px;background:linear-gradient(#00c 50%,#cc0 50%)" aria-label=Large></button>
<iframe style="left:400px;top:1500px;width:300px;height:200px" srcdoc="<style>body{margin:0;height:900px}button
{position:absolute;left:20px;border:0;width:100px}</style><button style='top:700px;height:50px;background:#c0c'
aria-label=Within></button><button style='top:100px;height:500px;background:#0cc' aria-label=Tall></button>"></iframe>
"""


@pytest.fixture(scope="module")
def room(lone_ghostcast, web):
    """A session for all of them."""
    web.files["/bands.html"], web.files["/parts.html"] = BANDS, PARTS
    with lone_ghostcast.api.session(new_room("shots")) as room:
        yield room


def shot(api, room, **options):
    """A picture, decoded."""
    content = api.get(f"/sessions/{room}/screenshot", params=options).content
    image = Image.open(io.BytesIO(content))
    assert image.format == options.get("format", "png").upper()
    return np.asarray(image.convert("RGB"))


def refused(api, room, **options):
    """The words of a refusal, as `unsupported`."""
    answer = api.request("GET", f"/sessions/{room}/screenshot", params=options)
    error = assert_envelope(answer, 422, "unsupported")
    assert error["hint"]
    return f"{error['message']} {error['hint']}"


def assert_bands(picture, height):
    """The first, the last, and what is between."""
    assert picture.shape[0] == height and picture.shape[1] == 1280
    for band in {0, 1, 16, 17, 33, 66, (height - 1) // BAND}:
        top, bottom = band * BAND, min((band + 1) * BAND, height)
        if bottom - top < 30:
            continue
        for y in (top + 12, bottom - 13):
            seen = colour_at(picture, 640, y, half=5)
            told = (band, 255 - band, band % 2 * 255)
            assert colour_distance(seen, told) <= NEAR, (band, y, seen, told)


@pytest.mark.parametrize("height", [16_383, 20_000, 65_500, 70_000, 200_000])
@pytest.mark.timeout(180)
def test_long_pages(lone_api, room, web, height):
    """In each format: every band to the bottom, or the size and what to do."""
    lone_api.do(room, "navigate", url=web.url("/bands.html", height=height))
    for form, side in SIDES.items():
        if height <= side:
            picture = shot(lone_api, room, format=form, full_page="true", **{} if form == "png" else {"quality": 90})
            assert_bands(picture, height)
        else:
            words = refused(lone_api, room, format=form, full_page="true")
            assert f"1280 x {height}" in words and str(side) in words, words
    # The page is as it was, and a part of it is always to be had.
    assert shot(lone_api, room).shape[:2] == (720, 1280)
    part = shot(lone_api, room, format="webp", x=0, y=height - 40, width=300, height=40)
    last = (height - 1) // BAND
    assert part.shape[:2] == (40, 300)
    assert colour_distance(colour_at(part, 150, 20, half=5), (last, 255 - last, last % 2 * 255)) <= NEAR


def test_one_side_more_is_too_much(lone_api, room, web):
    """The last size that is taken, and the next."""
    for form in ("webp", "jpeg"):
        lone_api.do(room, "navigate", url=web.url("/bands.html", height=SIDES[form] + 1))
        refused(lone_api, room, format=form, full_page="true")
        part = {"x": 0, "y": 0, "width": 100}
        assert shot(lone_api, room, format=form, height=SIDES[form], **part).shape[:2] == (SIDES[form], 100)
        assert str(SIDES[form]) in refused(lone_api, room, format=form, height=SIDES[form] + 1, **part)


def test_memory_is_bounded(lone_api, room, web):
    """Wide and tall: each side would do, both together do not; marks have a bound of their own."""
    lone_api.do(room, "navigate", url=web.url("/bands.html", height=12_000, width=12_000))
    assert "100 million" in refused(lone_api, room, full_page="true")
    lone_api.do(room, "navigate", url=web.url("/bands.html", height=20_000))
    assert "16384" in refused(lone_api, room, full_page="true", marks="true")
    assert "1e" not in refused(lone_api, room, x=0, y=0, width=1e300, height=1e300)
    answer = lone_api.request(
        "GET", f"/sessions/{room}/screenshot", params={"x": 0, "y": 30_000, "width": 9, "height": 9}
    )
    assert "1280 x 20000" in assert_envelope(answer, 400, "invalid_input")["message"]


def test_the_other_doors_say_the_same(lone_ghostcast, lone_api, room, web):
    """gRPC and MCP."""
    lone_api.do(room, "navigate", url=web.url("/bands.html", height=200_000))
    with GrpcClient(lone_ghostcast) as stub:
        refusal = stub.refusal("TakeScreenshot", room_name=room, full_page=True, format="webp")
        assert "200000" in str(refusal), refusal
    client = McpClient(http_server(lone_ghostcast, "?extended=true"), "auto")
    try:
        sentence, _ = client.fail("screenshot", room_name=room, full_page=True)
        assert "200000" in sentence, sentence
        result = client.call("screenshot", room_name=room, x=0, y=100_000, width=50, height=50)
        image = next(block for block in result.content if block.type == "image")
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.data))).convert("RGB"))
        assert colour_distance(colour_at(picture, 25, 25), (100, 155, 0)) <= NEAR
    finally:
        client.close()


def all_of(picture, colour):
    """Whether the whole picture has a colour, but for its rim."""
    return np.abs(picture[2:-2, 2:-2].astype(int) - colour).max() <= NEAR


def test_elements_wherever_they_are(lone_api, room, web):
    """Below the fold, larger than the viewport, in a frame's own fold; twice, from another scroll."""
    lone_api.do(room, "navigate", url=web.url("/parts.html"))
    for _ in range(2):
        for name, size, colour in [
            ("Below", (60, 200), (0, 204, 0)),
            ("Above", (40, 200), (204, 0, 0)),
            ("Within", (50, 100), (204, 0, 204)),
        ]:
            picture = shot(lone_api, room, index=lone_api.index_of(room, name))
            assert picture.shape[:2] == size and all_of(picture, colour), name
        large = shot(lone_api, room, index=lone_api.index_of(room, "Large"))
        assert large.shape[:2] == (1200, 200)
        assert all_of(large[:600], (0, 0, 204)) and all_of(large[600:], (204, 204, 0))
        # Of what is larger than its frame: what the frame shows, and nothing beside it.
        tall = shot(lone_api, room, index=lone_api.index_of(room, "Tall"))
        assert tall.shape[1] == 100 and 150 <= tall.shape[0] <= 200 and all_of(tall, (0, 204, 204))
        lone_api.do(room, "scroll", direction="down", amount=333)


def test_regions_count_from_what_is_in_view(lone_api, room, web):
    """Scrolled or not, in view or below."""
    lone_api.do(room, "navigate", url=web.url("/parts.html"))
    assert all_of(shot(lone_api, room, x=100, y=50, width=200, height=40), (204, 0, 0))
    assert all_of(shot(lone_api, room, x=100, y=2000, width=200, height=60), (0, 204, 0))
    lone_api.do(room, "scroll", direction="down", amount=1900)
    top = lone_api.context(room)["scroll"]["y"]
    assert top > 1000
    assert all_of(shot(lone_api, room, x=100, y=2000 - top, width=200, height=60), (0, 204, 0))
    assert all_of(shot(lone_api, room, x=100, y=2400 - top, width=200, height=600), (0, 0, 204))
    assert lone_api.context(room)["scroll"]["y"] == top
