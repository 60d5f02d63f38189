"""The tasks on real pages."""

from common.trial import Trial

TASKS = []


def task(page, goal, **query):
    """Registers steps, a function of `Hands`, with the state that the page must come to."""

    def register(steps):
        TASKS.append(Trial(f"{page}: {steps.__name__}", f"{page}.html", query, steps, goal))
        return steps

    return register
