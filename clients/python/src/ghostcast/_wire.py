"""How requests and answers look on the wire; nothing here waits or sends."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from .errors import ScriptError, ServiceError

DEFAULT_URL = "http://localhost:8765"
"""Where the service listens unless it is told otherwise."""

TIMEOUT_S = 60.0
"""Bound on a request that has none of its own: longer than a browser takes to start on a busy machine."""

SLACK_S = 30.0
"""What a request may take beyond the bound that the service keeps: its turn there, and the way."""

ACTION_MS = 15_000
"""The service's own bound on a navigation that names none."""

WAIT_MS = 10_000
"""The service's own bound on a wait or a script that names none."""

BACKOFF_S = (0.1, 4.0)
"""First and longest pause between two tries."""

LISTED_MAX = 5_000
"""The most elements that the service lists in one answer."""

Secret = str | Mapping[str, Any]
"""A value to type, or an object with `value` and the `origins` that it may be typed into."""


WaitUntil = Literal["settled", "load", "domcontentloaded", "commit"]
"""How far a page is when a navigation is answered: at rest, or less."""

Target = str | int | tuple[float, float]
"""What is acted on: a CSS selector, an index of the list of elements, or a point in CSS px."""


def session_path(key: str, *parts: str) -> str:
    """The path of a session, or of something below it."""
    return "/".join(["/sessions", *(quote(part, safe="") for part in (key, *parts))])


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None: the service refuses those that it does not know."""
    return {name: value for name, value in fields.items() if value is not None}


def query(**fields: Any) -> dict[str, str]:
    """The fields that are not None, as a query spells them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
        if value is not None
    }


def bound_s(timeout_ms: float | None, default_ms: float, timeout_s: float) -> float:
    """Seconds that an answer may take which the service bounds by `timeout_ms`."""
    within_s = (default_ms if timeout_ms is None else timeout_ms) / 1000 + SLACK_S
    return max(within_s, timeout_s)


def backoffs() -> Iterator[float]:
    """Pauses between tries, seconds: they double up to a limit, and are spread by chance."""
    pause_s, longest_s = BACKOFF_S
    while True:
        # Chance keeps clients apart that were lost together; no secret hangs on it.
        yield pause_s * random.uniform(0.5, 1.0)  # noqa: S311
        pause_s = min(pause_s * 2, longest_s)


def service_error(status: int, body: bytes, request_id: str | None) -> ServiceError:
    """The exception for an answer that is an error, whoever gave it."""
    try:
        detail = json.loads(body)["error"]
        kind, message = str(detail["kind"]), str(detail["message"])
        hint, request_id = detail.get("hint"), detail.get("request_id", request_id)
    except (KeyError, TypeError, ValueError):
        # Something between us and the service answered, such as a proxy.
        text = body[:200].decode(errors="replace").strip()
        kind, message, hint = _kind_of(status), f"HTTP {status}: {text}", None
    made = ServiceError.kinds.get(kind, ServiceError)
    return made(kind, message, hint, request_id, status)


def _kind_of(status: int) -> str:
    kinds = {
        401: "unauthenticated",
        403: "forbidden",
        404: "not_found",
        409: "conflict",
        410: "closed",
        422: "unprocessable",
        429: "exhausted",
        501: "not_configured",
        502: "unavailable",
        503: "unavailable",
        504: "timeout",
    }
    return kinds.get(status, "invalid_input" if status < 500 else "internal")


def script_value(answer: Mapping[str, Any]) -> Any:
    """What a script returned; what it threw is raised as `ScriptError`."""
    if answer["success"]:
        return answer["result"]
    error = answer.get("error") or {}
    raise ScriptError(
        str(error.get("name", "Error")), str(error.get("message", "")), str(error.get("stack", ""))
    )


def session_spec(
    *,
    url: str | None,
    viewport: Mapping[str, int] | tuple[int, int] | None,
    storage_state: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    """The body of `POST /sessions`."""
    if isinstance(viewport, tuple):
        width, height = viewport
        viewport = {"width": width, "height": height}
    return given(initial_url=url, viewport=viewport, storage_state=storage_state, **fields)


def element(target: Target | None, timeout_ms: int | None = None) -> dict[str, Any]:
    """Which element or point an interaction means."""
    if isinstance(target, str):
        return given(selector=target, timeout_ms=timeout_ms)
    if isinstance(target, tuple):
        x, y = target
        return given(x=x, y=y, timeout_ms=timeout_ms)
    return given(index=target, timeout_ms=timeout_ms)


def one_or_many(name: str, chosen: str | Sequence[str] | None) -> dict[str, Any]:
    """A parameter of one text, or its plural of several."""
    if chosen is None:
        return {}
    return {name: chosen} if isinstance(chosen, str) else {f"{name}s": list(chosen)}


def events_url(
    base_url: str,
    room: str,
    *,
    types: Sequence[str] | None,
    since: int | None,
    epoch: str | None,
    details: bool,
) -> str:
    """The WebSocket of a room's events."""
    base = urlsplit(base_url)
    scheme = {"http": "ws", "https": "wss"}.get(base.scheme, base.scheme)
    path = f"{base.path.rstrip('/')}/mcp/events/{quote(room, safe='')}"
    params = query(
        types=",".join(types) if types else None,
        since=since,
        # An epoch without a number says nothing.
        epoch=epoch if since is not None else None,
        details=details or None,
    )
    return urlunsplit((scheme, base.netloc, path, urlencode(params), ""))


def base_of(url: str) -> str:
    """A base URL without a slash at its end; one without a scheme is refused."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is no http:// or https:// URL")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def upload_file(name: str, content: bytes, mime_type: str | None = None) -> dict[str, Any]:
    """A file as an upload sends it."""
    return given(name=name, mime_type=mime_type, data_base64=b64encode(content).decode())
