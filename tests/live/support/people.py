"""People at a session, by the socket of their page alone."""

import json
import time

from websockets.sync.client import connect


class Person:
    """Somebody at a session, by the socket alone."""

    def __init__(self, api, room, token=None, seat=None):
        url = f"{api.base.replace('http', 'ws')}/sessions/{room}/drive"
        headers = {"authorization": f"Bearer {token}"} if token else None
        self.token = token
        where = url + (f"?seat={seat}" if seat else "")
        self.socket = connect(where, additional_headers=headers, open_timeout=10, proxy=None, legacy=True)
        self.state, self.errors = None, []
        self.hear(lambda: self.state)

    def hear(self, until, within=5):
        """Reads until something is so."""
        deadline = time.monotonic() + within
        while not until():
            told = json.loads(self.socket.recv(timeout=max(0.01, deadline - time.monotonic())))
            if told["type"] == "state":
                self.state = told
            else:
                self.errors.append(told)
        return self.state

    def say(self, kind, **more):
        """Sends one message."""
        self.socket.send(json.dumps({"type": kind, **more}))

    def take(self, **more):
        """Takes the wheel."""
        self.say("take", **more)
        return self.hear(lambda: self.state["yours"])

    def refused(self):
        """The next thing that was not done."""
        self.hear(lambda: self.errors)
        return self.errors.pop(0)

    def click(self, x, y, button="left", count=1):
        """Moves there, and presses and releases."""
        self.say("move", x=x, y=y)
        self.say("down", x=x, y=y, button=button, count=count)
        self.say("up", x=x, y=y, button=button, count=count)

    def type(self, text):
        """Presses keys."""
        for key in text:
            self.say("key", down=True, key=key)
            self.say("key", down=False, key=key)


def heard(events, cause, within=5):
    """The first event that says so of the wheel."""
    return events.wait("control", within, accept=lambda event: event["cause"] == cause)
