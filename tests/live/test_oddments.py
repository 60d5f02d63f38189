"""Fields, boards and choices that are made in a way of their own; judged by what the page notes."""

import pytest

# What the lists hold once the card is in the other one, above or below what is there.
MOVED = (["", "AnchorOnly card"], ["", "Only cardAnchor"])


@pytest.fixture
def visit(lone_api, room, web):
    """The page, opened anew."""
    visit = web.visit("/oddments")
    lone_api.do(room, "navigate", url=visit.url)
    return visit


def test_a_terminal_takes_what_is_typed(lone_api, room, visit):
    """The field is empty again, and the page has the text: told so, and no refusal."""
    terminal = lone_api.index_of(room, "Terminal")
    told = lone_api.do(room, "type", index=terminal, text="ls")
    assert told["data"]["taken"] and told["data"]["value"] == "", told
    assert visit.wait_note("screen", accept=lambda text: text == "$ ls")
    again = lone_api.do(room, "type", index=terminal, text=" -a")
    assert again["data"]["taken"], again
    visit.wait_note("screen", accept=lambda text: text == "$ ls -a")


def test_what_a_page_only_repeats_is_not_taken(lone_api, room, visit):
    """A field of digits drops letters, and says so beside it: a refusal."""
    digits = lone_api.index_of(room, "Digits")
    refused = lone_api.fail(room, "type", "value_not_accepted", index=digits, text="a")
    assert refused["context"]["value"] == "", refused


def test_a_board_that_looks_now_and_then(lone_api, room, visit):
    """The one card of its list is listed, and is dropped where it was to go."""
    told = lone_api.do(
        room, "drag",
        **{"from": {"index": lone_api.index_of(room, "Only card")}, "to": {"index": lone_api.index_of(room, "Anchor")}},
    )  # fmt: skip
    assert told["target"]["name"] == "Only card"
    assert visit.wait_note("lists") in MOVED


def test_a_drag_by_coordinates_says_what_it_pressed(lone_api, room, visit):
    """Not what lies there when it is over."""
    elements = lone_api.context(room, elements="true", boxes="true")["elements"]
    box = {e["name"]: e["box"] for e in elements}
    card, anchor = box["Only card"], box["Anchor"]
    start = {"x": card["x"] + 20, "y": card["y"] + card["height"] / 2}
    end = {"x": anchor["x"] + 20, "y": anchor["y"] + anchor["height"] * 0.75}
    told = lone_api.do(room, "drag", **{"from": start, "to": end})
    assert visit.wait_note("pressed") == told["target"]["name"] == "Only card", told
    assert visit.wait_note("lists") in MOVED


def test_the_checkbox_of_a_component(lone_api, room, visit):
    """What is pressed is its label; the field itself is a ghost."""
    lone_api.do(room, "click", index=lone_api.index_of(room, "News"))
    assert visit.wait_note("news") is True


def test_what_stands_below_the_choices(lone_api, room, visit):
    """Listed and chosen like one of them."""
    lone_api.do(room, "click", index=lone_api.index_of(room, "Add violet"))
    assert visit.wait_note("chosen") == "Add violet"
