"""A clock that tests set."""

from datetime import datetime, timedelta

from tests.cases import START


class Clock:
    """Tells the time that a test has set, from START on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, delta: timedelta) -> datetime:
        """Set the clock forward and return what it shows."""
        self.now += delta
        return self.now
