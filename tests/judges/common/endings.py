"""The ways in which a task can end before its last step."""


class Ending(Exception):
    """The steps went no further."""


class Gap(Ending):
    """What a person sees is not listed, or there is no such action."""


class Refused(Ending):
    """An action failed and said why."""

    def __init__(self, action, kind, message):
        super().__init__(f"{action}: {kind}: {message}")
        self.kind = kind


class Crash(Ending):
    """An answer of 5xx, a failure that is the service's own, or none in time."""
