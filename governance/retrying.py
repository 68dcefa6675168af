"""Trying again after a lost race: within the call's time budget, each pause a little longer and never the same."""

from collections.abc import Iterator
from random import SystemRandom
from time import monotonic, sleep

MAX_ATTEMPTS = 200
MAX_PAUSE_SECONDS = 0.05
_random = SystemRandom()


def attempts(budget_seconds: float) -> Iterator[int]:
    """Yield 0, 1, 2 … until the budget is used up; the first two at once, the later ones after a random pause."""
    ends = monotonic() + budget_seconds
    for attempt in range(MAX_ATTEMPTS):
        if attempt > 1:
            sleep(_random.uniform(0, min(MAX_PAUSE_SECONDS, 0.001 * 2 ** min(attempt, 10))))
        yield attempt
        if monotonic() >= ends:
            return
