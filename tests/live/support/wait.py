"""Waiting on levels: ask for a state until it holds; when it does not, say what was seen."""

import time

POLL_S = 0.05


def wait_for(probe, within, what, accept=bool, tolerate=()):
    """Calls `probe` until `accept` likes its value, and returns that value.

    A level that holds is found however late the first look is; an edge can be missed. When
    `within` seconds pass, the failure names `what` was awaited and the last value (or the last
    tolerated exception), which is what one wants to know first.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            last = probe()
            if accept(last):
                return last
        except tolerate as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {within} s; last seen: {shorten(last)}")
        time.sleep(POLL_S)


def holds_for(probe, seconds, what):
    """Asserts that `probe` stays true for `seconds`, for what must *not* happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert probe(), f"{what}: did not hold for {seconds} s"
        time.sleep(POLL_S)


def shorten(value, chars=600):
    """The printed form of a value, cut to what a person reads."""
    text = repr(value)
    return text if len(text) <= chars else f"{text[:chars]}… ({len(text)} characters)"
