"""Screenshots with numbered boxes: the numbers are the indices, and the page knows nothing."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from support.api import assert_envelope

COLORS = [(208, 28, 63), (29, 78, 216), (4, 120, 87), (157, 23, 143), (180, 69, 9), (14, 111, 138)]


def shot(api, room, **options):
    """A screenshot as JSON: its pixels and its elements."""
    answer = api.get(f"/sessions/{room}/screenshot", params={"json": "true", **options}).json()
    picture = Image.open(io.BytesIO(base64.b64decode(answer["image"])))
    return np.asarray(picture.convert("RGB")).astype(int), answer


def edges(box):
    """Points on the four lines of a box."""
    x, y, width, height = (box[key] for key in ("x", "y", "width", "height"))
    right, bottom = x + width - 1, y + height - 1
    return [
        *[(x + i, y) for i in range(width)],
        *[(x + i, bottom) for i in range(width)],
        *[(x, y + i) for i in range(height)],
        *[(right, y + i) for i in range(height)],
    ]


def share_of(picture, points, color, tolerance):
    """How many of the points have the colour."""
    inside = [(x, y) for x, y in points if y < picture.shape[0] and x < picture.shape[1]]
    hits = [np.abs(picture[y, x] - color).max() <= tolerance for x, y in inside]
    return sum(hits) / len(hits)


@pytest.mark.parametrize(("form", "tolerance"), [("png", 0), ("jpeg", 40)])
def test_boxes_are_drawn_at_the_elements(lone_api, room, web, form, tolerance):
    """Each box in the colour of its number, where the list says; the page itself is untouched."""
    visit = web.visit("/form")
    lone_api.do(room, "navigate", url=visit.url)
    plain, _ = shot(lone_api, room)
    picture, answer = shot(lone_api, room, marks="true", format=form)
    assert answer["media_type"] == f"image/{form}" and picture.shape == plain.shape
    listed = {e["index"]: e["name"] for e in lone_api.elements(room)}
    assert answer["elements"] and all(e["in_viewport"] for e in answer["elements"])
    for element in answer["elements"]:
        assert listed[element["index"]] == element["name"]
        color = COLORS[element["index"] % len(COLORS)]
        assert share_of(picture, edges(element["box"]), color, tolerance) > 0.6, element
    again, _ = shot(lone_api, room)
    assert (again == plain).all(), "the page has no marks"
    index = next(e["index"] for e in answer["elements"] if e["name"] == "Press me")
    lone_api.do(room, "click", index=index)
    assert visit.wait_note("click")["target"] == "press"


def test_marks_of_the_full_page(lone_api, room, web):
    """Boxes are where the elements are on the page, however far it is scrolled."""
    lone_api.do(room, "navigate", url=web.url("/many", rows=60))
    lone_api.do(room, "scroll", direction="down", amount=300)
    picture, answer = shot(lone_api, room, marks="true", full_page="true")
    assert len(answer["elements"]) == 120 and picture.shape[0] > 1000
    scroll = lone_api.context(room)["scroll"]["y"]
    for element in answer["elements"][::7]:
        box = {**element["box"], "y": element["box"]["y"] + round(scroll)}
        color = COLORS[element["index"] % len(COLORS)]
        assert share_of(picture, edges(box), color, 0) > 0.5, element


def test_the_picture_alone_names_its_list(lone_api, room, web):
    """Whoever asks for no JSON gets a picture, and the version of the indices on it."""
    lone_api.do(room, "navigate", url=web.url("/form"))
    response = lone_api.get(f"/sessions/{room}/screenshot", params={"marks": "true"})
    assert response.headers["content-type"] == "image/png"
    version = int(response.headers["x-elements-version"])
    assert version == lone_api.context(room, elements="true")["version"]
    assert Image.open(io.BytesIO(response.content)).size == (1280, 720)
    refusal = lone_api.request("GET", f"/sessions/{room}/screenshot?marks=true&format=webp")
    assert_envelope(refusal, 400, "invalid_input")
