"""What the steps of a task hold in their hands, whoever moves them: the service or Playwright."""

import abc
import dataclasses
import re
import time

from .endings import Gap

LISTED_S = 2.0
ACTIONS = ("click", "hover", "type", "press", "select", "drag", "scroll")
NO_TEXT = ("checkbox", "radio", "button", "submit", "reset", "range", "color", "file", "image")


@dataclasses.dataclass
class Thing:
    """Something on the page, as it is listed. `ref` is for the hands alone; boxes are in CSS px."""

    ref: object
    role: str
    name: str
    tag: str = ""
    type: str | None = None
    value: str | None = None
    checked: bool | None = None
    disabled: bool = False
    expanded: bool | None = None
    box: tuple | None = None

    @property
    def is_field(self):
        """Whether text can be typed into it."""
        if self.tag in ("input", "textarea"):
            return (self.type or "text") not in NO_TEXT
        return self.role in ("textbox", "searchbox", "spinbutton")

    @property
    def middle(self):
        """The centre of its box."""
        if self.box is None:
            raise Gap(f"no box is given for the {self.role} {self.name!r}")
        x, y, width, height = self.box
        return x + width / 2, y + height / 2


class Hands(abc.ABC):
    """Looking and acting. Every action that is not done raises an `Ending`."""

    def __init__(self):
        self.steps = []
        self.moves = []

    def __init_subclass__(cls):
        """Every action of every pair of hands is noted as it was asked for."""
        for verb in ACTIONS:
            if verb in vars(cls):
                setattr(cls, verb, noted(verb, vars(cls)[verb]))

    @abc.abstractmethod
    def elements(self):
        """Everything that is listed."""

    @abc.abstractmethod
    def text(self):
        """What can be read on the page."""

    @abc.abstractmethod
    def click(self, target, button="left", count=1):
        """Clicks a thing, or a point (x, y)."""

    @abc.abstractmethod
    def hover(self, target):
        """Rests the pointer on a thing or a point."""

    @abc.abstractmethod
    def type(self, thing, text, clear=False, submit=False):
        """Types into a thing; None: into what has the focus."""

    @abc.abstractmethod
    def press(self, keys, thing=None, count=1):
        """Presses a chord such as "Control+A"."""

    @abc.abstractmethod
    def select(self, thing, *labels):
        """Chooses options by what they say."""

    @abc.abstractmethod
    def drag(self, start, end):
        """Drags from a thing or point to a thing or point."""

    @abc.abstractmethod
    def scroll(self, direction, amount, thing=None):
        """Scrolls what holds a thing."""

    # Looking, the same for all hands.

    def visible(self, accept, what, within=LISTED_S):
        """Everything listed that `accept` takes; waits for the first."""
        end = time.monotonic() + within
        while True:
            listed = self.elements()
            found = [thing for thing in listed if accept(thing)]
            if found:
                return found
            if time.monotonic() > end:
                names = ", ".join(f"{thing.role} {thing.name[:30]!r}" for thing in listed[:12])
                raise Gap(f"nothing is listed as {what}; listed: {names or 'nothing'}")
            time.sleep(0.1)

    def find_all(self, name, role=None, within=LISTED_S):
        """All things of a name, as a person reads it."""
        roles = (role,) if isinstance(role, str) else role
        return self.visible(
            lambda thing: plain(thing.name) == plain(name) and (roles is None or thing.role in roles),
            f"{'/'.join(roles) if roles else 'anything'} {name!r}",
            within,
        )

    def find(self, name, role=None, within=LISTED_S):
        """The first thing of a name."""
        return self.find_all(name, role, within)[0]

    def sees(self, name, role=None):
        """Whether something of this name is listed now."""
        return any(plain(thing.name) == plain(name) and role in (None, thing.role) for thing in self.elements())

    def of_role(self, *roles):
        """All things of these roles, from the top down, from left to right."""
        return in_order(self.visible(lambda thing: thing.role in roles, "/".join(roles)))

    def fields(self):
        """All fields that take text, from the top down."""
        return in_order(self.visible(lambda thing: thing.is_field, "a field"))

    def read(self, pattern, within=LISTED_S):
        """The groups of a pattern in the page's text, its white space taken as one blank each."""
        end = time.monotonic() + within
        while True:
            text = " ".join(self.text().split())
            found = re.search(pattern, text)
            if found:
                return found.groups()
            if time.monotonic() > end:
                raise Gap(f"no text matches {pattern!r}: {text[:300]!r}")
            time.sleep(0.1)


def noted(verb, act):
    """An action that keeps what it was asked: its verb and its words, without what is the hands' own."""

    def wrapped(self, *given, **named):
        words = [one for one in (*given, *named.values()) if isinstance(one, str)]
        targets = [plain(one.name) for one in (*given, *named.values()) if isinstance(one, Thing)]
        self.moves.append((verb, *words, *targets))
        return act(self, *given, **named)

    return wrapped


def plain(name):
    """A name without differences that nobody hears."""
    return " ".join((name or "").split()).casefold()


def in_order(things):
    """As a person reads; without boxes as listed."""
    if all(thing.box for thing in things):
        return sorted(things, key=lambda thing: (round(thing.box[1] / 6), thing.box[0]))
    return things
