"""Tasks of the pointer: the boards of cards, and the drawings, which are pixels alone."""

from common.hands import plain

from .task import task

BUTTON = "button"

# Boards -------------------------------------------------------------------------------------------


def card(h, name):
    """A card by what it says."""
    return h.visible(lambda t: plain(t.name) == plain(name) and t.box and t.box[2] < 250, f"the card {name}")[0]


@task("board", lambda t: "Sand" in t["Done"] and t["To do"] == ["Paint", "Drill"])
def move_a_card(h):
    h.drag(card(h, "Sand"), card(h, "Measure"))


@task("board", lambda t: t["To do"] == ["Sand", "Drill", "Paint"])
def reorder_cards(h):
    x, y = card(h, "Drill").middle
    h.drag(card(h, "Paint"), (x, y + 8))


@task("board", lambda t: "Milk" in t["Basket"] and t["Shopping"] == ["Bread", "Eggs"])
def move_a_card_by_pointer(h):
    h.drag(card(h, "Milk"), card(h, "Butter"))


@task("board", lambda t: t["Shopping"] == ["Eggs", "Milk", "Bread"])
def reorder_cards_by_pointer(h):
    x, y = card(h, "Milk").middle
    h.drag(card(h, "Eggs"), (x, y - 8))


@task("board", lambda t: "Beta" in t["Work"] and t["Plan"] == ["Alpha", "Gamma"])
def move_a_card_of_react(h):
    h.drag(card(h, "Beta"), card(h, "Delta"))


@task("board", lambda t: t["Plan"] == ["Beta", "Alpha", "Gamma"])
def move_a_card_by_keys(h):
    h.press("Space", card(h, "Alpha"))
    h.press("ArrowDown")
    h.press("Space")


# Drawings -----------------------------------------------------------------------------------------


@task("canvas", lambda t: t["heard"] == ["ball"])
def press_a_shape(h):
    h.click((400, 100))


@task("canvas", lambda t: "ball right" in t["heard"])
def press_a_shape_by_the_right(h):
    h.click((400, 100), button="right")


@task("canvas", lambda t: "ball twice" in t["heard"])
def press_a_shape_twice(h):
    h.click((400, 100), count=2)


@task("canvas", lambda t: abs(t["box"][0] - 150) <= 3 and abs(t["box"][1] - 250) <= 3)
def drag_a_shape(h):
    h.drag((100, 80), (200, 280))


@task("canvas", lambda t: t["heard"] == ["star over"])
def rest_on_a_shape(h):
    h.hover((200, 200))
    h.hover((300, 300))


@task("canvas", lambda t: len(t["strokes"]) == 2 and all(points > 3 for points in t["strokes"]))
def sign_twice(h):
    h.drag((60, 480), (200, 560))
    h.drag((250, 560), (400, 470))


@task("canvas", lambda t: t["strokes"] == [])
def clear_a_signature(h):
    h.drag((60, 480), (200, 560))
    h.click(h.find("Clear signature", BUTTON))
