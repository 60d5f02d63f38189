"""Whether the page agrees with a success."""

from common.hands import plain

NEAR_PX = 2.5
SCROLL_PX = 2
KEYS = {"Space": " "}


def is_near(event, data):
    """Whether an event happened where the result says."""
    return abs(event["x"] - data["x"]) <= NEAR_PX and abs(event["y"] - data["y"]) <= NEAR_PX


def names_it(event, name):
    """Whether what was pressed, or what holds it, is called so."""
    wanted = plain(name)[:60]
    return not wanted or any(wanted in plain(told) or plain(told) in wanted for told in event["names"])


def claim(command, result):
    """What the page must have seen if the result is true: a fact about (events, values held); None: nothing."""
    action, data, name = command.action, result["data"] or {}, command.name
    ways = {
        "click": lambda: of_click(data, name),
        "hover": lambda: on_any("pointermove", lambda e: is_near(e, data)) if "x" in data else None,
        "type": lambda: of_type(data),
        "scroll": lambda: of_scroll(data),
        "press": lambda: on_any("keydown", lambda e: e["key"] == last_key(command.params["keys"])),
        "select": lambda: of_type(data),
        "drag": lambda: on_any("pointerdown", lambda e: True),
    }
    return ways[action]() if action in ways else None


def on_any(type_, fact):
    """An event of a type of which a fact holds."""
    return lambda events, _: any(event["type"] == type_ and fact(event) for event in events)


def of_click(data, name):
    """A trusted press at the place, on what is called so."""
    if "x" not in data:
        return None
    return on_any("pointerdown", lambda e: is_near(e, data) and names_it(e, name))


def of_type(data):
    """The field holds what is said; a select may speak of several values."""
    told = data.get("value")
    if not isinstance(told, str):
        return None
    return lambda events, held: (
        squeezed(told) in map(squeezed, held)
        or any(squeezed(e.get("value")) == squeezed(told) for e in events if e["type"] in ("input", "change"))
    )


def values_held(words):
    """What the page's fields hold by its last word, and what the page says by itself that it has."""
    heard = [word for word in words if "events" in word]
    stated = [word for word in words if "events" not in word]
    fields = [heard[-1]["active"], *heard[-1]["fields"]] if heard else []
    return fields + (list(texts(stated[-1])) if stated else [])


def texts(state):
    """All texts in a state."""
    if isinstance(state, str):
        yield state
    elif isinstance(state, dict | list):
        for inner in state.values() if isinstance(state, dict) else state:
            yield from texts(inner)


def squeezed(value):
    """Rich editors tell lines in more ways than one."""
    return None if value is None else " ".join(value.split())


def of_scroll(data):
    """Something scrolled to where it is said to be."""
    if not data.get("moved") or not isinstance(data.get("scroll"), dict):
        return None
    at = data["scroll"]
    return on_any("scroll", lambda e: abs(e["x"] - at["x"]) <= SCROLL_PX and abs(e["y"] - at["y"]) <= SCROLL_PX)


def last_key(keys):
    """The key of the last chord, as events name it."""
    chord = keys if isinstance(keys, str) else keys[-1]
    key = chord.split("+")[-1]
    return KEYS.get(key, key)
