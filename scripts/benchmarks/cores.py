"""Keeping a process on one core: threads that share an interpreter only carry its data from core to core otherwise."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scripts.benchmarks.measure import Rate

ON_ONE_CORE = ", on one core"
POSSIBLE = hasattr(os, "sched_setaffinity")
"""Whether this system can do it."""


@contextmanager
def one_core(number: int = 0) -> Iterator[None]:
    """Keep the calling thread, and those that it starts, on one of the cores that the process may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def on_one_core(measure: Callable[[], Rate]) -> Rate:
    """Return what is measured on one core."""
    with one_core():
        return measure()
