"""What the service answers. Fields that a newer service adds are kept as further attributes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A part of an answer; read only."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class Size(Model):
    """A width and a height, CSS px."""

    width: int
    height: int


class Viewers(Model):
    """Who watches a session."""

    whep: int = 0
    livekit: bool = False


class HumanRequest(Model):
    """An agent asks for a person."""

    request_id: str
    reason: str
    expires_at: datetime
    private: bool = False
    """Whether whoever comes drives privately."""


class Control(Model):
    """Who drives a session."""

    owner: str
    """`agent`, `human` or `nobody`: a person was asked for, and nobody has come yet."""
    who: str | None = None
    """What the person is called who drives."""
    since: datetime | None = None
    private: bool = False
    """Whether they drive privately: of the page, the record says what was so before."""
    request: HumanRequest | None = None
    asking: list[str] = Field(default_factory=list)
    """What those are called who ask for the wheel."""


class SessionRecord(Model):
    """A session as the service describes it."""

    session_id: str
    session_name: str | None = None
    room_name: str | None = None
    active: bool
    """Whether it has a browser that works."""
    state: str
    """`starting`, `live`, `paused`, `reconnecting`, `failed`, `closing`, `closed` or `stored`."""
    state_reason: str | None = None
    is_opening: bool = False
    """Whether the first page is still on its way."""
    page_error: str | None = None
    """Why the page at `current_url` could not be loaded; None when it is there."""
    http_status: int | None = None
    """The HTTP status with which the page's document came; None for one that came by no HTTP."""
    current_url: str = ""
    title: str = ""
    created_at: datetime
    last_activity: datetime
    page_count: int = 0
    """How many tabs are open."""
    browser: str = "local"
    """Which browser serves it: `local` or `remote`."""
    capturing: bool = False
    viewers: Viewers = Viewers()
    livekit: str = "none"
    viewport: Size
    fps: int = 0
    bitrate_bps: int = 0
    dialogs: str = "ask"
    control: Control = Field(default_factory=lambda: Control(owner="agent"))
    """Who drives."""
    running_action: str | None = None
    queued_actions: int = 0
    allowed_domains: list[str] = Field(default_factory=list)
    block_private_networks: bool = False
    connections: int = 0
    """How many event sockets are open on its room."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    idle_timeout_s: int = 0
    """It ends after so many seconds in which nobody uses it; 0 for never."""
    max_lifetime_s: int = 0
    """It ends so many seconds after its start; 0 for never."""


class Health(Model):
    """How the service is."""

    status: str
    """`healthy`, or `degraded` for `reasons`."""
    version: str = ""
    reasons: list[str] = Field(default_factory=list)
    sessions: dict[str, int] = Field(default_factory=dict)
    """How many sessions are in each state."""


class ProcessCost(Model):
    """What a process takes, with those that it has started."""

    pid: int
    processes: int = 1
    cpu_percent: float = 0.0
    """Percent of one processor."""
    cpu_seconds: float = 0.0
    """Seconds of processor time since it began."""
    pss_bytes: int = 0
    """Memory; what several processes share counts once."""


class BrowserCost(ProcessCost):
    """What a browser takes."""

    sessions: list[str] = Field(default_factory=list)
    """The ids of its sessions."""


class SessionCost(Model):
    """What a session takes."""

    session_id: str
    session_name: str | None = None
    room_name: str | None = None
    state: str = ""
    browser_pid: int | None = None
    cpu_percent: float | None = None
    """Percent of one processor; None where its browser has other sessions too."""
    pss_bytes: int | None = None
    """Memory of its browser; None likewise."""
    bytes_sent: int = 0
    viewers: Viewers = Viewers()
    connections: int = 0
    actions: int = 0
    """How many have ended, whatever their end."""


class RequestCount(Model):
    """How often something was asked of the service."""

    method: str
    path: str
    status: int
    count: int


class Stats(Model):
    """What the service does and costs."""

    version: str = ""
    uptime_s: float
    """Seconds since it started."""
    sessions: dict[str, int] = Field(default_factory=dict)
    """How many sessions are in each state."""
    sessions_total: int = 0
    sessions_active: int = 0
    """Those with a browser that works."""
    cpu_over_ms: int = 0
    """What each `cpu_percent` was measured over, milliseconds."""
    service: ProcessCost | None = None
    """The service's own process; None where the system does not tell."""
    browsers: list[BrowserCost] = Field(default_factory=list)
    per_session: list[SessionCost] = Field(default_factory=list)
    """Oldest first."""
    requests: list[RequestCount] = Field(default_factory=list)


class CleanedUp(Model):
    """What a cleanup came to."""

    deleted: list[SessionRecord]
    """The sessions that are closed; after a dry run, those that would be."""
    kept: int
    """How many others there are."""

    @property
    def deleted_count(self) -> int:
        """How many sessions are closed, or would be."""
        return len(self.deleted)


class Effect(Model):
    """The strongest thing that was seen to come of an action."""

    kind: str
    """`none`, `page`, `value`, `focus`, `scroll`, `navigation`, `tab`, `dialog` or `download`."""
    verified: bool | None = None
    """Whether the page holds what was asked for; None where it cannot be known."""
    before: Any = None
    after: Any = None


class Target(Model):
    """The element that an action hit."""

    index: int | None = None
    role: str | None = None
    name: str | None = None
    frame: str | None = None


class Change(Model):
    """Something that a person would notice."""

    kind: str
    text: str | None = None
    index: int | None = None


class Download(Model):
    """A file that a page gave."""

    id: str
    name: str
    state: str
    """`in_progress`, `completed`, `failed` or `refused`."""
    bytes: int


class ViewersSeen(Model):
    """Who watched a session, from its start to its end."""

    whep: int = 0
    """How many viewers there were."""
    livekit: bool = False
    """Whether anybody in the LiveKit room subscribed to the video."""


class EndedRecording(Model):
    """A recording of a session that has ended."""

    recording_id: str
    file: str
    """The file's name, as `GET /recordings/{file}` takes it."""


class EndedSession(Model):
    """A session after its end; of one with a name, the last time that its browser ended."""

    session_id: str
    session_name: str | None = None
    room_name: str | None = None
    created_at: datetime
    ended_at: datetime
    """When it ended; where the service was killed, when the next one found out."""
    reason: str
    """`closed`, `idle`, `lifetime`, `browser_lost`, `internal`, `cleanup`, `age`, `service_stopped` or
    `service_lost`."""
    detail: str
    """The same for people."""
    state: str
    """What it is now: `closed`; or what one with a name is since, as `stored`, or `live` again."""
    current_url: str = ""
    """The last page's."""
    title: str = ""
    last_activity: datetime
    viewers: ViewersSeen = ViewersSeen()
    actions: int = 0
    """How many actions ended in it; the first page counts as one."""
    actions_failed: int = 0
    recordings: list[EndedRecording] = Field(default_factory=list)
    """Those that there still are, the oldest first."""
    last_events: list[dict[str, Any]] | None = None
    """Up to 100, the oldest first, for `ghostcast.events.parse_event`; None in a list."""


class Share(Model):
    """A link by which people watch a session, or take its wheel."""

    url: str
    """The page to open. Whoever has it is let in."""
    expires_at: str
    """Until when it is good, ISO 8601, UTC."""


class ActionResult(Model):
    """What was done, whether it succeeded or failed."""

    action_id: str
    success: bool
    error: str | None = None
    """A sentence that says what went wrong and what to do next."""
    error_kind: str | None = None
    context: dict[str, Any] | None = None
    """On failure: the action, the page, and for elements the nearest candidates."""
    correction_of: str | None = None
    delivery: str = "unknown"
    """How much of the input reached the page: `not_sent`, `sent`, `partly` or `unknown`."""
    effect: Effect
    target: Target | None = None
    retry: str = "unsafe"
    """`safe`: it may be sent again. `unsafe`: look first. `useless`: it would fail again."""
    tab: int | None = None
    dialogs: list[dict[str, Any]] = Field(default_factory=list)
    downloads: list[Download] = Field(default_factory=list)
    blocked_requests: list[dict[str, Any]] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)
    data: dict[str, Any] = Field(default_factory=dict)
    duration_ms: float = 0.0
    url: str = ""
    title: str | None = None
    ready_state: str | None = None


class ActionStatus(Model):
    """How far an action is that nobody waited for."""

    action_id: str
    state: str
    """`queued`, `running` or `done`."""
    position: int | None = None
    """Its place among those that wait, from 1."""
    result: ActionResult | None = None


class Tab(Model):
    """A tab of a session."""

    tab: int
    url: str
    title: str
    current: bool


class PageContext(Model):
    """The page as an agent needs it; what was not asked for is None or absent."""

    url: str
    title: str | None = None
    page_error: str | None = None
    ready_state: str | None = None
    document: int | None = None
    is_loading: bool = False
    scroll: dict[str, Any] | None = None
    viewport: dict[str, Any] | None = None
    tabs: list[Tab] = Field(default_factory=list)
    dialog: dict[str, Any] | None = None
    version: int | None = None
    elements: list[dict[str, Any]] | None = None
    total: int | None = None
    truncated: bool | None = None
    more: str | None = None
    text: str | None = None
    text_cursor: str | None = None
    found: list[dict[str, Any]] | None = None
    unreadable: str | None = None


class SavedScreenshot(Model):
    """A picture that the service has written on its own machine."""

    path: str
    width: int
    height: int
    bytes: int
