"""Time budgets on the monotonic clock, which a test that freezes the calendar does not stop."""

import time
from typing import Final

# Kept in a tuple because time-freezing test tools replace functions that they find as module attributes,
# and a budget on a frozen clock never ends.
_CLOCK: Final = (time.monotonic,)


def now() -> float:
    """Returns the monotonic time in seconds."""
    return _CLOCK[0]()


class Deadline:
    """The moment by which a call has to answer, and what is left until then."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        """Takes the moment as monotonic seconds."""
        self.at = at

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Returns the deadline that many seconds from now."""
        return cls(now() + seconds)

    def remaining(self) -> float:
        """Returns the seconds left, never less than 0."""
        return max(0.0, self.at - now())

    def passed(self) -> bool:
        """Returns whether no time is left."""
        return now() >= self.at

    def earlier(self, seconds: float) -> "Deadline":
        """Returns a deadline that many seconds before this one."""
        return Deadline(self.at - seconds)

    def pause(self, seconds: float) -> None:
        """Sleeps that many seconds, or less if the deadline comes first."""
        time.sleep(min(seconds, self.remaining()))
