"""A room's events, as types."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .models import Model


class Event(Model):
    """Something that happened; of a type that this version does not know, when it is no subclass."""

    type: str
    timestamp: float
    """Unix seconds."""
    seq: int
    """Counts the room's events from 1, without gaps."""
    epoch: str | None = None
    """Which counting `seq` is of. Like the next four it comes with `details`."""
    session_id: str | None = None
    tab: int | None = None
    action_id: str | None = None
    element: str | None = None
    """What an action was done to, in words: `button “Save”`."""


class Action(Model):
    """An action as it was sent; typed text may be masked."""

    action_type: str
    params: dict[str, Any] = Field(default_factory=dict)


class PageNavigation(Event):
    """The page went to another URL."""

    url: str


class PageLoadComplete(Event):
    """That page has loaded."""

    url: str


class DomChange(Event):
    """The page's content changed."""

    change_type: str
    """`element_added`, `element_removed`, `attributes` or `text`."""


class ActionCompleted(Event):
    """An action did what was asked."""

    action: Action


class ActionError(Event):
    """An action failed."""

    error: str
    action: Action


class BrowserError(Event):
    """The browser is lost."""

    error: str


class StreamState(Event):
    """The session's state changed, or how well its picture reaches those who watch."""

    state: str
    reason: str | None = None
    quality: str | None = None
    """`degraded` or `recovered`, where that is the news."""


class ActionStarted(Event):
    """An action begins."""

    action: Action
    correction_of: str | None = None


class Settled(Event):
    """The page came to rest, or the bound was reached."""

    url: str
    settled: bool


class Dialog(Event):
    """The page opened a dialog, or it was answered."""

    kind: str
    message: str
    default_value: str | None = None
    accepted: bool | None = None
    handled_by: str | None = None


class DownloadChanged(Event):
    """A download began or ended."""

    id: str
    name: str
    state: str
    bytes: int


class Console(Event):
    """The page wrote to its console."""

    level: str
    text: str


class RecordingChanged(Event):
    """A recording began or ended."""

    state: str
    file: str
    reason: str | None = None


class SessionEnding(Event):
    """The session ends by itself soon."""

    reason: str
    """`idle`, unless it is used; `lifetime`, whoever uses it."""
    in_s: int
    """Seconds until then."""


class Control(Event):
    """Somebody else drives, or a person is asked for."""

    owner: str
    """Who has the wheel now: `agent`, `human` or `nobody`."""
    cause: str
    """`requested`, `taken`, `done`, `declined`, `gone`, `idle`, `withdrawn`, `expired` or `asked`."""
    who: str | None = None
    """The person that it is about."""
    request_id: str | None = None
    """The agent's request that it is about."""
    reason: str | None = None
    """What the agent asked a person for."""
    private: bool = False
    """Whether the person who has it drives privately."""


class PermissionAsked(Event):
    """A page has asked the person who drives for permission."""

    site: str
    """The page's host, and its port where that is not the usual one."""
    permissions: list[str]
    """What for: `geolocation`, `notifications`, `camera`, `microphone`."""
    answer: str
    """`granted`, `denied` or `left`: then it may be asked again."""


class Lagged(Event):
    """Events were missed: the subscriber was too slow, or asked for what is no longer kept."""

    missed: int
    """How many; at least so many where `epoch` is another one than before."""


_TYPES: dict[str, type[Event]] = {
    "page_navigation": PageNavigation,
    "page_load_complete": PageLoadComplete,
    "dom_change": DomChange,
    "action_completed": ActionCompleted,
    "action_error": ActionError,
    "browser_error": BrowserError,
    "stream_state": StreamState,
    "action_started": ActionStarted,
    "settled": Settled,
    "dialog": Dialog,
    "download": DownloadChanged,
    "console": Console,
    "recording": RecordingChanged,
    "session_ending": SessionEnding,
    "control": Control,
    "permission": PermissionAsked,
    "lagged": Lagged,
}


def parse_event(fields: dict[str, Any]) -> Event:
    """Makes an event of its JSON object: one of the classes of this module."""
    return _TYPES.get(str(fields.get("type")), Event).model_validate(fields)
