"""Tasks of the mailbox: rows with icons that have no name, and forms behind them."""

import re

from common.endings import Gap
from common.hands import plain

from .task import solves


def row(h, name):
    """The row of a sender in the list."""
    return h.visible(
        lambda t: plain(t.name).startswith(plain(name)) and t.box and t.box[1] > 50, f"the mail of {name}"
    )[0]


def icons(h, name):
    """What has no name at the height of a row, from left to right: the star and the trash."""
    at = row(h, name)
    top = at.box[1]
    found = [t for t in h.elements() if not t.name and t.box and t.box[2] < 20 and top - 6 <= t.middle[1] <= top + 45
             and 90 < t.box[0] < 165]  # fmt: skip
    if len(found) < 2:
        raise Gap(f"of the two icons beside {name} {len(found)} are listed")
    return sorted(found, key=lambda t: t.box[0])


def corner(h):
    """The icon at the right of a form's bar, which sends."""
    found = [t for t in h.elements() if not t.name and t.box and t.box[2] <= 30 and t.box[1] < 80 and t.box[0] < 165]
    if not found:
        raise Gap("the icon that sends is not listed")
    return max(found, key=lambda t: t.box[0])


def delete(h, name):
    """Presses the trash of a row."""
    h.click(icons(h, name)[1])


def star(h, name):
    """Presses the star of a row."""
    h.click(icons(h, name)[0])


def reply(h, name, text):
    """Answers a mail."""
    h.click(row(h, name))
    h.click(h.find("Reply"))
    h.type(h.visible(lambda t: t.tag == "textarea", "the answer's field")[0], text)
    h.click(corner(h))


def forward(h, name, to):
    """Sends a mail on."""
    h.click(row(h, name))
    h.click(h.find("Forward"))
    h.type(h.visible(lambda t: t.tag == "input" and t.is_field, "the addressee's field")[0], to)
    h.click(corner(h))


@solves("email-inbox", "email-inbox-noscroll", "email-inbox-delete", "email-inbox-important", "email-inbox-reply",
        "email-inbox-forward", "email-inbox-star-reply")  # fmt: skip
def mailbox(h):
    name, rest = h.read(r"Find the email by (\w+) and (.+?)(?: Primary|$)")
    if "trash" in rest:
        delete(h, name)
    elif "star" in rest:
        star(h, name)
    elif "reply" in rest:
        reply(h, name, re.search(r'text " ?(.+?) ?"', rest)[1])
    else:
        forward(h, name, re.search(r"forward that email to (\w+)", rest)[1])
