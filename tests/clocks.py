"""A clock that tests set."""

from datetime import datetime, timedelta

from tests.cases import START


class Clock:
    """Tells the time that a test has set, at first the one that it is given."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, delta: timedelta) -> datetime:
        """Set the clock forward and return what it shows."""
        self.now += delta
        return self.now
