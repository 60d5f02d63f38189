"""What came of a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field

from .models import ActionResult


@dataclass(frozen=True)
class WorkflowResult:
    """What came of a workflow; it is true when the workflow succeeded."""

    success: bool
    steps: list[ActionResult] = field(default_factory=list)
    """The results of the steps that were taken, a failed one last."""
    failed_step: int | None = None
    """Which step failed, from 0; None when all succeeded, whatever the page showed then."""
    error: str | None = None
    """What went wrong, as a sentence."""
    error_kind: str | None = None
    """Why: the kind of a failed step, `failure_shown`, `dialog_open` or `no_success_shown`."""

    def __bool__(self) -> bool:
        return self.success
