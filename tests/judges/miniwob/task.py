"""The tasks that have a solver."""

SOLVERS = {}


def solves(*names):
    """Registers the steps, a function of `Hands`, for tasks of MiniWoB++."""

    def register(steps):
        for name in names:
            SOLVERS[name] = steps
        return steps

    return register


def ordinal(text):
    """1st, 2nd, 3rd, 4th … as a position from 0."""
    return int(text.rstrip("stndrh")) - 1
