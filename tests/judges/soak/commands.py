"""Random commands, by a seed: what agents do, and what nobody should."""

from dataclasses import dataclass

TEXTS = ("Ana", "milk and bread", "2026-12-24", "12", "Größe ✓", "", "x" * 300, "one\ntwo", "日本語", "a+b@c.de")
KEYS = ("Tab", "Enter", "Escape", "ArrowDown", "ArrowUp", "Control+a", "Backspace", "Home", "End", "Space")
HOLDERS = ("generic", "group", "region", "list", "row", "rowgroup", "grid", "toolbar")
NONSENSE = (
    ("click", {"index": 10_000_000}),
    ("click", {"index": -1}),
    ("click", {}),
    ("type", {"text": 5}),
    ("scroll", {"direction": "sideways"}),
    ("press", {"keys": "Hyper+Nothing"}),
    ("switch_tab", {"tab": 99_999}),
    ("dance", {}),
)
WEIGHTS = {"click": 30, "type": 18, "scroll": 14, "press": 8, "hover": 8, "drag": 4, "select": 2, "point": 5,
           "list": 6, "nonsense": 3, "page": 2, "back": 1, "forward": 1, "refresh": 1}  # fmt: skip


@dataclass
class Command:
    """An action with its parameters; `name` of the element that it means, if it means one.

    What only holds others is called by several of them at once, and by no words that the page has.
    """

    action: str
    params: dict
    name: str = ""
    is_nonsense: bool = False


def choose(random, listed, pages):
    """The next command, given what was listed last; "list" reads anew and "page" opens another page."""
    kind = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if kind in ("click", "type", "hover", "select", "drag") and not listed:
        kind = "list"
    element = random.choice(listed) if listed else None
    at = {"x": random.randrange(0, 1280), "y": random.randrange(0, 720)}
    ways = {
        "click": lambda: Command("click", {"index": element.ref}, name_of(element)),
        "point": lambda: Command("click", at),
        "type": lambda: of_type(random, element),
        "scroll": lambda: Command("scroll", {"direction": random.choice(("up", "down", "left", "right")),
                                             "amount": random.choice((50, 500, 5000))}),
        "press": lambda: Command("press", {"keys": random.choice(KEYS)}),
        "hover": lambda: Command("hover", {"index": element.ref}, element.name),
        "drag": lambda: Command("drag", {"from": {"index": element.ref}, "to": at}, element.name),
        "select": lambda: Command("select", {"index": element.ref, "label": "Small"}, element.name),
        "nonsense": lambda: Command(*random.choice(NONSENSE), is_nonsense=True),
        "page": lambda: Command("page", {"page": random.choice(pages)}),
        "back": lambda: Command("go_back", {}),
        "forward": lambda: Command("go_forward", {}),
        "refresh": lambda: Command("refresh", {}),
        "list": lambda: Command("list", {}),
    }  # fmt: skip
    return ways[kind]()


def name_of(element):
    """The name by which the page can tell a target."""
    return "" if element.role in HOLDERS else element.name


def of_type(random, element):
    """Typing, mostly so that the field is cleared before."""
    params = {"index": element.ref, "text": random.choice(TEXTS)}
    if random.random() < 0.7:
        params["clear"] = True
    if random.random() < 0.1:
        params["submit"] = True
    return Command("type", params, element.name)
