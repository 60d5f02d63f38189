"""Malformed inputs, made from a seed: what people, programs and attackers send by mistake."""

import json
import random
import string

FIELDS = (
    "room_name initial_url viewport_width viewport_height fps bitrate_bps allowed_domains capture "
    "metadata livekit_url livekit_token secrets action_type params index x y text url seconds "
    "direction amount button count clear submit timeout_ms for correction_of question marks "
    "elements accessibility limit more operation jsonrpc id method arguments name"
).split()
ACTIONS = "navigate click type scroll wait go_back go_forward refresh bogus".split()
TEXTS = (
    "",
    " ",
    "\x00",
    "../../etc/passwd",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://[",
    "http://169.254.169.254/",
    "\u202e\ud7ff\uffff",
    "{{no_such_label}}",
    "{{",
    "'; DROP TABLE rooms; --",
    "%00%ff%c0%ae",
    "null",
    "NaN",
)
NUMBERS = (0, -1, 1, 1.5, -0.0, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, 1e308, -1e308, 1e-320)


class Nonsense:
    """One stream of malformed inputs; the same seed makes the same stream."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self):
        """A text that is rarely what is wanted."""
        kind = self.random.random()
        if kind < 0.6:
            return self.random.choice(TEXTS)
        if kind < 0.95:
            size = self.random.randint(1, 40)
            return "".join(self.random.choices(string.printable, k=size))
        return self.random.choice("xé\u4e2d🙂") * self.random.randint(300, 5000)

    def value(self, depth=3):
        """Any JSON value."""
        kind = self.random.randint(0, 7 if depth else 4)
        if kind == 0:
            return None
        if kind == 1:
            return self.random.random() < 0.5
        if kind == 2:
            return self.random.choice(NUMBERS)
        if kind in (3, 4):
            return self.text()
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 4))]
        return self.object(depth - 1)

    def object(self, depth=3, fields=FIELDS):
        """An object with some known and some unknown fields."""
        names = self.random.choices(fields, k=self.random.randint(0, 5))
        if self.random.random() < 0.2:
            names.append(self.text())
        return {name: self.value(depth) for name in names}

    def action(self):
        """An action whose parameters are wrong, never one that takes long."""
        action = {"action_type": self.random.choice(ACTIONS), "params": self.object(2)}
        action["params"].pop("seconds", None)
        action["params"].pop("for", None)
        if self.random.random() < 0.3:
            action.update(self.object(1))
        if isinstance(action.get("params"), dict):
            # A page that would have to be waited for is no malformed input.
            action["params"].pop("url", None)
        return action

    def bytes(self):
        """A body that may not even be JSON."""
        kind = self.random.random()
        body = json.dumps(self.value(), ensure_ascii=self.random.random() < 0.5)
        raw = body.encode("utf-8", "surrogatepass")
        if kind < 0.4:
            return raw
        if kind < 0.6:
            return raw[: self.random.randint(0, len(raw))]
        if kind < 0.8:
            return raw + self.random.choice([b"}", b",", b"\xff\xfe", b"\x00", raw])
        if kind < 0.9:
            return self.random.randbytes(self.random.randint(0, 200))
        return b"[" * self.random.randint(1, 5000)
