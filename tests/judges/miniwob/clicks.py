"""Tasks of clicking: buttons, links, boxes, tabs, dialogs."""

import re
import time

from common.endings import Gap
from common.hands import in_order, plain

from .task import ordinal, solves

BUTTON = "button"


@solves("click-test")
def click_me(h):
    h.click(h.find("Click Me!", BUTTON))


@solves("click-test-2", "click-test-transfer")
def click_one(h):
    (name,) = h.read(r"Click button (\w+)\.")
    h.click(h.find(name, BUTTON))


@solves("click-button", "unicode-test")
def click_named_button(h):
    (name,) = h.read(r'Click on the " ?(.+?) ?" button')
    h.click(h.find(name, BUTTON))


@solves("click-button-sequence")
def click_in_order(h):
    h.click(h.find("ONE", BUTTON))
    h.click(h.find("TWO", BUTTON))


@solves("button-delay")
def click_later(h):
    (seconds,) = h.read(r"wait (\d+) seconds")
    one, two = h.find("ONE", BUTTON), h.find("TWO", BUTTON)
    h.click(one)
    time.sleep(int(seconds))
    h.click(two)


@solves("click-checkboxes", "click-checkboxes-large", "click-checkboxes-transfer")
def check_boxes(h):
    (names,) = h.read(r"Select (.+?) and click Submit")
    for name in [] if names == "nothing" else names.split(", "):
        h.click(h.find(name, "checkbox"))
    h.click(h.find("Submit", BUTTON))


@solves("click-option")
def choose_option(h):
    (name,) = h.read(r"Select (.+?) and click Submit")
    h.click(h.find(name, "radio"))
    h.click(h.find("Submit", BUTTON))


@solves("click-link")
def click_link(h):
    (name,) = h.read(r'Click on the link " ?(.+?) ?"')
    h.click(h.find(name))


def expand(h, header):
    """Opens a section and waits until it has slid open."""
    h.click(header)
    time.sleep(1)


def headers(h):
    """The sections' headers."""
    return in_order(h.visible(lambda t: re.fullmatch(r"section #\d+", plain(t.name)), "a section"))


@solves("click-collapsible", "click-collapsible-nodelay")
def expand_section(h):
    expand(h, headers(h)[0])
    h.click(h.find("Submit", BUTTON))


@solves("click-collapsible-2", "click-collapsible-2-nodelay")
def expand_and_find(h):
    (name,) = h.read(r'click on the link " ?(.+?) ?"')
    for place in range(3):
        expand(h, h.find(f"Section #{place + 1}"))
        if is_link_seen(h, name):
            h.click(link(h, name))
            return
    raise Gap(f"no section shows {name!r}")


def link(h, name):
    """A link among the words."""
    return h.visible(lambda t: plain(t.name) == plain(name), repr(name))[0]


def is_link_seen(h, name):
    """Whether a link of this name is listed."""
    return any(plain(t.name) == plain(name) for t in h.elements())


@solves("click-tab")
def click_tab(h):
    (name,) = h.read(r"Click on (Tab #\d)")
    h.click(h.find(name, ("tab", "link")))


@solves("click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard")
def find_in_tabs(h):
    (name,) = h.read(r'click on the link " ?(.+?) ?"')
    tabs = in_order(h.visible(
        lambda t: t.role in ("tab", "link") and (plain(t.name).startswith("tab #") or plain(t.name).isdigit()), "a tab",
    ))  # fmt: skip
    for number in range(len(tabs)):
        if is_link_seen(h, name):
            break
        h.click(h.find(tabs[number].name, tabs[number].role))
    h.click(link(h, name))


@solves("click-dialog")
def close_dialog(h):
    h.click(h.find("Close", BUTTON))


@solves("click-dialog-2")
def answer_dialog(h):
    (name,) = h.read(r'labeled " ?(.+?) ?"')
    h.click(h.find("Close" if name == "x" else name, BUTTON))


@solves("click-widget")
def click_widget(h):
    (kind,) = h.read(r'Click on a " ?(.+?) ?" widget')
    ways = {
        "radio": lambda t: t.role == "radio",
        "checkbox": lambda t: t.role == "checkbox",
        "button": lambda t: t.role == "button",
        "text": lambda t: t.tag == "input" and t.is_field,
        "textarea": lambda t: t.tag == "textarea",
    }
    h.click(h.visible(ways[kind], kind)[0])


@solves("focus-text")
def focus(h):
    h.click(h.fields()[0])


@solves("focus-text-2")
def focus_nth(h):
    (place,) = h.read(r"Focus into the (\d\w\w) input")
    h.click(h.fields()[ordinal(place)])


@solves("ascending-numbers")
def click_first_number(h):
    """The first number is said; the others are covered after it, where they were."""
    places = [h.find(str(number)) for number in range(1, 6)]
    middles = [place.middle for place in places]
    h.click(places[0])
    for middle in middles[1:]:
        h.click(middle)


@solves("buy-ticket")
def buy_ticket(h):
    (wish,) = h.read(r"(cheapest|shortest|longest|most expensive)")
    book = re.compile(r"book for \$(\d+)")
    buttons = in_order(h.visible(lambda t: t.role == BUTTON and book.match(plain(t.name)), "a ticket"))
    if wish in ("cheapest", "most expensive"):
        worth = [int(book.match(plain(button.name))[1]) for button in buttons]
    else:
        times = re.findall(r"Duration:\s*(?:(\d+)h)?\s*(?:(\d+)m)?", " ".join(h.text().split()))
        worth = [int(hours or 0) * 60 + int(minutes or 0) for hours, minutes in times]
    if len(worth) != len(buttons):
        raise Gap(f"{len(buttons)} tickets, {len(worth)} durations are told")
    best = min(worth) if wish in ("cheapest", "shortest") else max(worth)
    h.click(buttons[worth.index(best)])


@solves("odd-or-even")
def odd_or_even(h):
    odd, even = h.find_all("Odd", BUTTON), h.find_all("Even", BUTTON)
    (said,) = h.read(r"when done\. ?(.*)")
    numbers = [int(number) for number in re.findall(r"-?\d+", said)][: len(odd)]
    for place, number in enumerate(numbers):
        h.click((odd if number % 2 else even)[place])
    h.click(h.find("Submit", BUTTON))


@solves("generate-number")
def generate(h):
    (wish,) = h.read(r"Generate an? (.+?), then")
    for _ in range(60):
        h.click(h.find("Generate", BUTTON))
        (number,) = h.read(r"press submit\. ?(\d+) ?")
        if suits(int(number), wish):
            break
    h.click(h.find("Submit", BUTTON))


def suits(number, wish):
    """Whether a number is as wished."""
    if "than" in wish:
        bound = int(wish.split()[-1])
        return number < bound if "less" in wish else number > bound
    return number % 2 == ("odd" in wish)


@solves("grid-coordinate")
def click_grid(h):
    x, y = h.read(r"grid coordinate \(? ?\(?(-?\d),(-?\d)\)")
    small = h.visible(lambda t: t.tag == "circle" or (t.box and 5 <= t.box[2] <= 12 and not t.name), "the points")
    points = sorted({point.middle: point for point in small}.values(), key=lambda point: point.middle)
    if len(points) != 25:
        raise Gap(f"of 25 points {len(points)} are listed")
    columns = [sorted(points[5 * i : 5 * i + 5], key=lambda point: point.middle[1]) for i in range(5)]
    h.click(columns[int(x) + 2][2 - int(y)])


@solves("phone-book")
def phone_book(h):
    person, what = h.read(r"Find (\w+) in the contact book and click on their (phone|email|address)")
    for _ in range(6):
        (shown,) = h.read(r"(\w+) ?Phone:")
        text = " ".join(h.text().split())
        if shown == person:
            value = re.search(
                {"phone": r"Phone: ?([\d-]+)", "email": r"Email: ?(\S+@\S+?)(?= ?Address)",
                 "address": r"Address: ?(.+?) ?(?:<|First|Last reward)"}[what], text,
            )[1]  # fmt: skip
            h.click(h.find(value))
            return
        h.click(h.find(">"))
    raise Gap(f"no page of the book is {person}'s")


@solves("navigate-tree")
def navigate_tree(h):
    (name,) = h.read(r'named " ?(.+?) ?"')
    tried = set()
    for _ in range(20):
        rows = h.visible(lambda t: t.box and t.box[1] > 45 and t.box[0] < 150 and t.name, "a file")
        hits = [row for row in rows if plain(row.name) == plain(name)]
        if hits:
            h.click(min(hits, key=lambda row: row.box[2] * row.box[3]))
            return
        known = [row for row in in_order(rows) if row.name.isalpha() and row.name not in tried]
        if not known:
            break
        tried.add(known[0].name)
        h.click(known[0])
    raise Gap(f"the tree shows no {name!r}")
