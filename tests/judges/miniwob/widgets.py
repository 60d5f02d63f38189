"""Tasks of widgets: lists, menus, sliders, calendars, drags, scrollers."""

import math
import re
import time

from common.endings import Gap
from common.hands import in_order, plain

from .task import ordinal, solves

BUTTON = "button"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip


@solves("choose-list")
def choose(h):
    (label,) = h.read(r"Select (.+?) from the list and click Submit")
    h.select(h.visible(lambda t: t.tag == "select", "a list")[0], label)
    h.click(h.find("Submit", BUTTON))


@solves("click-scroll-list")
def choose_some(h):
    (labels,) = h.read(r"Select (.+?) from the scroll list and click Submit")
    h.select(h.visible(lambda t: t.tag == "select", "a list")[0], *labels.split(", "))
    h.click(h.find("Submit", BUTTON))


@solves("form-sequence-3")
def choose_in_dropdown(h):
    label, button = h.read(r'Choose (.+?) from the dropdown, then click the button labeled " ?(.+?) ?"')
    # The list of the page is drawn by a script in front of a hidden <select>.
    box = h.visible(lambda t: t.box and 45 < t.box[1] < 120 and t.role != BUTTON and t.box[2] < 160, "the dropdown")[0]
    h.click(box)
    time.sleep(0.3)
    options = [t for t in h.find_all(label) if t.tag != "select" and t.tag != "option"]
    if not options:
        raise Gap(f"no option {label!r} is listed")
    h.click(options[-1])
    h.click(h.find(button, BUTTON))


@solves("choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay")
def choose_date(h):
    month, day, year = (int(part) for part in h.read(r"Select (\d\d)/(\d\d)/(\d{4}) as the date"))
    h.click(h.visible(lambda t: t.tag == "input", "the date field")[0])
    time.sleep(0.4)
    for _ in range(14):
        (shown,) = h.read(rf"\b({'|'.join(MONTHS)}) ?{year}")
        if MONTHS.index(shown) == month - 1:
            break
        h.click(h.find("Next" if MONTHS.index(shown) < month - 1 else "Prev"))
    h.click(h.find(str(day), ("link", "gridcell", "button", "cell", "generic")))
    h.click(h.find("Submit", BUTTON))


@solves("click-menu")
def walk_menu(h):
    (path,) = h.read(r"Select (\w+(?: ?> ?\w+)*)")
    steps = [step.strip() for step in path.split(">")]
    for step in steps[:-1]:
        h.hover(h.find(step))
        time.sleep(0.5)
    h.click(h.find(steps[-1]))


@solves("click-menu-2")
def open_menu(h):
    (name,) = h.read(r'item labeled " ?(.+?) ?"')
    h.click(h.find("Menu", BUTTON))
    if name in ("Prev", "Stop", "Play", "Next"):
        h.hover(h.find("Playback"))
        time.sleep(0.5)
    h.click(h.find(name))


@solves("use-autocomplete", "use-autocomplete-nodelay")
def complete(h):
    start, end = h.read(r'starts with " ?(.+?) ?"(?: and ends with " ?(.+?) ?")?\.')
    h.type(h.fields()[0], start)
    found = h.visible(
        lambda t: t.name.startswith(start) and t.name.endswith(end or "") and not t.is_field and "\n" not in t.name
        and t.box and t.box[1] > 60, f"an item {start}…{end or ''}", 4,
    )  # fmt: skip
    h.click(min(found, key=lambda t: t.box[2] * t.box[3]))
    h.click(h.find("Submit", BUTTON))


@solves("use-spinner")
def spin(h):
    (number,) = h.read(r"Select (-?\d+) with the spinner")
    count = int(number)
    steps = h.visible(lambda t: t.tag in ("a", "button", "span") and t.box and t.box[2] < 25 and t.role != "textbox"
                      and plain(t.name) in ("", "▲", "▼", "up", "down"), "the arrows of the spinner")  # fmt: skip
    arrows = sorted(steps, key=lambda t: t.middle[1])
    for _ in range(abs(count)):
        h.click(arrows[0] if count > 0 else arrows[-1])
    h.click(h.find("Submit", BUTTON))


def handles(h):
    """The handles of sliders, from the top down."""
    found = h.visible(lambda t: t.box and 5 < t.box[2] < 25 and 5 < t.box[3] < 25 and not t.name
                      and t.tag in ("a", "span"), "the handle of a slider")  # fmt: skip
    return sorted(found, key=lambda t: t.middle[1])


def slide(h, place, now, wish):
    """Moves a slider by its keys."""
    if wish != now:
        h.press("ArrowRight" if wish > now else "ArrowLeft", handles(h)[place], abs(wish - now))


@solves("use-slider")
def slider(h):
    wish, now = h.read(r"Select (-?\d+) with the slider and hit Submit\. ?(-?\d+)")
    slide(h, 0, int(now), int(wish))
    h.click(h.find("Submit", BUTTON))


@solves("use-slider-2")
def sliders(h):
    *wishes, shown = h.read(r"combination \[ ?(\d+), ?(\d+), ?(\d+) ?\] and submit\. ?(.*)")
    values = [int(value) for value in re.findall(r"\d+", shown)[:3]]
    for place, (wish, now) in enumerate(zip(wishes, values, strict=True)):
        slide(h, place, now, int(wish))
    h.click(h.find("Submit", BUTTON))


@solves("form-sequence")
def slider_and_box(h):
    wish, box, now = h.read(r"Select (-?\d+) with the slider, click the (\d\w\w) checkbox, then hit Submit\. ?(-?\d+)")
    slide(h, 0, int(now), int(wish))
    h.click(h.of_role("checkbox")[ordinal(box)])
    h.click(h.find("Submit", BUTTON))


@solves("sign-agreement")
def sign(h):
    wish = h.read(r'(cancel button)\.|enter the name " ?(.+?) ?" then press " ?(.+?) ?"')
    if wish[0]:
        h.click(h.find("Cancel", BUTTON))
        return
    area = h.visible(lambda t: t.tag == "textarea", "the text area")[0]
    h.scroll("down", 5000, area)
    h.type(h.visible(lambda t: t.tag == "input" and t.is_field and not t.disabled, "the name's field")[0], wish[1])
    h.click(h.find(wish[2], BUTTON))


@solves("scroll-text-2")
def scroll_to_end(h):
    (end,) = h.read(r"to the (bottom|top) of the text")
    h.scroll("down" if end == "bottom" else "up", 5000, h.visible(lambda t: t.tag == "textarea", "the text area")[0])
    h.click(h.find("Submit", BUTTON))


@solves("search-engine")
def search(h):
    name, place = h.read(r'enter " ?(.+?) ?" and press "Search", then find and click the (\d+\w\w) ?search result')
    h.type(h.fields()[0], name)
    h.click(h.find("Search", BUTTON))
    page, row = divmod(ordinal(place), 3)
    if page:
        h.click(h.find(str(page + 1)))
    results = h.visible(lambda t: t.tag == "a" and t.name.isalpha() and t.box and t.box[0] < 150, "results")
    h.click(in_order(results)[row])


@solves("drag-items")
def drag_item(h):
    name, wish = h.read(r"Drag (\w+) (to the top|to the bottom|down by one|up by one|to the \d\w\w)")
    rows = rows_below(h)
    at = next(place for place, row in enumerate(rows) if plain(row.name) == plain(name))
    to = {"to the top": 0, "to the bottom": len(rows) - 1, "down by one": at + 1, "up by one": at - 1}.get(wish)
    to = ordinal(wish.split()[-1]) if to is None else to
    drag_past(h, rows, at, to)


def rows_below(h):
    """The rows of a sortable list: the smallest thing for each word in the list."""
    listed = h.visible(lambda t: re.fullmatch(r"-?\w+", t.name.strip()) and t.box and t.box[0] < 150
                       and t.box[1] > 48 and t.role != BUTTON, "rows")  # fmt: skip
    smallest = {}
    for thing in sorted(listed, key=lambda t: -t.box[2] * t.box[3]):
        smallest[round(thing.middle[1] / 4), round(thing.middle[0] / 12)] = thing
    return in_order(list(smallest.values()))


def drag_past(h, rows, at, to):
    """Drags a row past the middle of the row whose place it takes."""
    x, y = rows[to].middle
    h.drag(rows[at].middle, (x, y + (6 if to > at else -6)))


@solves("drag-sort-numbers")
def sort_numbers(h):
    for place in range(4):
        rows = rows_below(h)[:4]
        numbers = [int(row.name) for row in rows]
        at = numbers.index(sorted(numbers)[place])
        if at != place:
            drag_past(h, rows, at, place)
            time.sleep(0.2)
    h.click(h.find("Submit", BUTTON))


@solves("drag-box")
def drag_box(h):
    small, large = h.find("s"), h.find("L")
    h.drag(small.middle, large.middle)
    h.click(h.find("Submit", BUTTON))


@solves("drag-items-grid")
def drag_in_grid(h):
    name, wish = h.read(r"Drag (\w+) (to the [a-z ]+|(?:up|down|left|right) by one)\.")
    names = [row for row in rows_below(h) if row.name.isalpha()]
    rows = sorted(names, key=lambda t: (round(t.middle[1] / 20), t.middle[0]))[:9]
    at = next(place for place, row in enumerate(rows) if plain(row.name) == plain(name))
    places = ("top left", "top center", "top right", "center left", "center", "center right", "bottom left",
              "bottom center", "bottom right")  # fmt: skip
    moves = {"up by one": -3, "down by one": 3, "left by one": -1, "right by one": 1}
    to = at + moves[wish] if wish in moves else places.index(wish.removeprefix("to the "))
    # A little past the middle, the way the item comes: a grid takes that half for the place.
    (x, y), down = rows[to].middle, to // 3 - at // 3
    across = to % 3 - at % 3 or down
    h.drag(rows[at].middle, (x + math.copysign(4, across), y + (math.copysign(4, down) if down else 0)))


@solves("resize-textarea")
def resize(h):
    side, way = h.read(r"so that the (width|height) is (smaller|larger)")
    area = h.visible(lambda t: t.tag == "textarea", "the text area")[0]
    x, y, width, height = area.box
    corner = (x + width - 4, y + height - 4)
    by = 15 if way == "larger" else -15
    h.drag(corner, (corner[0] + by, corner[1]) if side == "width" else (corner[0], corner[1] + by))
    h.click(h.find("Submit", BUTTON))
