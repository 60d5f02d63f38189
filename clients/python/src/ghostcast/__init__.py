"""Client of Ghostcast, a service that gives programs browser sessions.

`AsyncBrowserClient` and `BrowserClient` start, find and end sessions; `AsyncSession` and `Session` are one
of them. `AsyncBrowserController` and `BrowserController` drive a web app by an `AppProfile`. The blocking
classes have the methods of the asynchronous ones, name for name. Exceptions are in `ghostcast.errors`,
event types in `ghostcast.events`, answers in `ghostcast.models`; the most used are here too.
"""

from ._async.client import AsyncBrowserClient
from ._async.controller import AsyncBrowserController
from ._async.events import AsyncEventStream
from ._async.session import AsyncSession
from ._sync.client import BrowserClient
from ._sync.controller import BrowserController
from ._sync.events import EventStream
from ._sync.session import Session
from ._version import __version__
from ._wire import Secret, Target, WaitUntil
from .errors import (
    ActionFailed,
    Cancelled,
    Closed,
    Conflict,
    ConnectionFailed,
    Exhausted,
    Forbidden,
    GhostcastError,
    HumanInControl,
    Internal,
    InvalidInput,
    NotConfigured,
    NotFound,
    ProfileError,
    ScriptError,
    ServiceError,
    Timeout,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    Unsupported,
    VersionMismatch,
)
from .events import Event
from .models import (
    ActionResult,
    ActionStatus,
    CleanedUp,
    Download,
    EndedSession,
    Health,
    PageContext,
    SavedScreenshot,
    SessionRecord,
    Share,
    Stats,
    Tab,
)
from .profile import AppProfile
from .workflow import WorkflowResult

__all__ = [
    "ActionFailed",
    "ActionResult",
    "ActionStatus",
    "AppProfile",
    "AsyncBrowserClient",
    "AsyncBrowserController",
    "AsyncEventStream",
    "AsyncSession",
    "BrowserClient",
    "BrowserController",
    "Cancelled",
    "CleanedUp",
    "Closed",
    "Conflict",
    "ConnectionFailed",
    "Download",
    "EndedSession",
    "Event",
    "EventStream",
    "Exhausted",
    "Forbidden",
    "GhostcastError",
    "Health",
    "HumanInControl",
    "Internal",
    "InvalidInput",
    "NotConfigured",
    "NotFound",
    "PageContext",
    "ProfileError",
    "SavedScreenshot",
    "ScriptError",
    "Secret",
    "ServiceError",
    "Session",
    "SessionRecord",
    "Share",
    "Stats",
    "Tab",
    "Target",
    "Timeout",
    "Unauthenticated",
    "Unavailable",
    "Unprocessable",
    "Unsupported",
    "VersionMismatch",
    "WaitUntil",
    "WorkflowResult",
    "__version__",
]
