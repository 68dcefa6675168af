"""Waking: crews sleep until something was appended to the log, or until it is time to look anyway."""

from threading import Condition


class Wake:
    """Counts wake-ups, so that one that happens between a look and the wait after it is not missed."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._count = 0

    def announce(self) -> None:
        """Wake all who wait."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def seen(self) -> int:
        """Return the number to give to `wait`, taken before looking for work."""
        return self._count

    def wait(self, seen: int, seconds: float) -> None:
        """Return once there was a wake-up since `seen`, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, seconds)
