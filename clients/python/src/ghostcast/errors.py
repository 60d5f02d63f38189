"""What can go wrong, as one tree of exceptions below `GhostcastError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .models import ActionResult


class GhostcastError(Exception):
    """Anything that this package raises by itself."""


class ConnectionFailed(GhostcastError, ConnectionError):
    """The service could not be reached, or was lost before it had answered.

    Attributes:
        may_have_been_done: Whether the request may have reached the service and been carried out.
            It is false where no connection came about, and then the request may be sent again.

    """

    def __init__(self, message: str, *, may_have_been_done: bool = False) -> None:
        super().__init__(message)
        self.may_have_been_done = may_have_been_done


class VersionMismatch(UserWarning):
    """The service is of another version than this package; said once by each client."""


class ProfileError(GhostcastError, ValueError):
    """An app profile is not valid, or does not have what was asked of it."""


class ScriptError(GhostcastError):
    """A script in the page threw.

    Attributes:
        name: The class of what was thrown, such as `TypeError`.
        message: What it says.
        stack: Where it was thrown.

    """

    def __init__(self, name: str, message: str, stack: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.stack = stack


class ActionFailed(GhostcastError):
    """An action was understood and did not succeed; the session lives on.

    Attributes:
        error_kind: Why, for a program to branch on, such as `element_covered`.
        message: A sentence that says what to do next.
        result: The whole result, whose `retry` tells whether the action may be sent again; None
            where the action was refused before it was sent.

    """

    def __init__(self, error_kind: str, message: str, result: ActionResult | None = None) -> None:
        super().__init__(f"{error_kind}: {message}")
        self.error_kind = error_kind
        self.message = message
        self.result = result


class ServiceError(GhostcastError):
    """The service refused a request. Its subclasses are named as the kinds are.

    Attributes:
        kind: The class of the error, such as `not_found`.
        message: What went wrong.
        hint: What to do next, where the service says.
        request_id: Names the request in the service's log.
        status: The HTTP status.

    """

    kinds: ClassVar[dict[str, type[ServiceError]]] = {}

    def __init_subclass__(cls, *, kind: str) -> None:
        """Registers the class for the kind that it stands for."""
        super().__init_subclass__()
        ServiceError.kinds[kind] = cls

    def __init__(
        self,
        kind: str,
        message: str,
        hint: str | None = None,
        request_id: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.request_id = request_id
        self.status = status


class Cancelled(ServiceError, kind="cancelled"):
    """The session, or the service, ended before it had answered."""


class Closed(ServiceError, kind="closed"):
    """The session has closed under the request."""


class Conflict(ServiceError, kind="conflict"):
    """The thing exists already, or is in a state that does not allow this."""


class HumanInControl(Conflict, kind="human_in_control"):
    """A person drives the session; where they do so privately, nothing is told of the page."""


class Exhausted(ServiceError, kind="exhausted"):
    """A budget or queue of the service is full; the hint names it."""


class Forbidden(ServiceError, kind="forbidden"):
    """The caller, the host or the URL is refused."""


class Internal(ServiceError, kind="internal"):
    """A defect of the service."""


class InvalidInput(ServiceError, kind="invalid_input"):
    """The request makes no sense as it was sent."""


class NotConfigured(ServiceError, kind="not_configured"):
    """The service was not given what this needs."""


class NotFound(ServiceError, kind="not_found"):
    """No such session, file or path."""


class Timeout(ServiceError, TimeoutError, kind="timeout"):
    """It took longer than its bound; the message says what was there instead."""


class Unauthenticated(ServiceError, kind="unauthenticated"):
    """No valid token came with the request."""


class Unavailable(ServiceError, kind="unavailable"):
    """Something that the service depends on, such as the browser, is not there."""


class Unprocessable(ServiceError, kind="unprocessable"):
    """The request lacks what only its caller can add."""


class Unsupported(ServiceError, kind="unsupported"):
    """The request is for more than this page, format or build can do."""
