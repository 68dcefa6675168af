"""What bulk work asks of the interpreter while it lasts: no cycle collector, and threads that soon take turns."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TURN_SECONDS: Final = 0.001


@contextmanager
def without_collector() -> Iterator[None]:
    """Hold the cycle collector back: a batch makes many objects, none of them in cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let a thread that hears from the database go on after a millisecond, not five, while another one computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
