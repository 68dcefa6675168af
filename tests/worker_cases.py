"""An engine that a test steers, and a crew that works on it."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.request import urlopen

from governance.engines.engine import DueItem, Performed
from governance.worker.crew import Crew
from governance.worker.metrics import Metrics
from governance.worker.waking import Wake


class Steered:
    """Performs what it is given; keys are `group-number`. Counts how much is done at the same time."""

    name = "steered"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.trouble: Exception | None = None
        self.broken: set[str] = set()
        self.done: list[str] = []
        self.begun = self.looks = self.most = self.most_of_a_group = 0
        self._waiting: list[str] = []
        self._now: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def put(self, *keys: str) -> None:
        with self._lock:
            self._waiting += keys

    def due(self, now: datetime, limit: int) -> Sequence[DueItem]:
        with self._lock:
            self.looks += 1
            if self.trouble is not None:
                raise self.trouble
            taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        return [DueItem(engine=self.name, key=key, due_at=now, group=key.partition("-")[0]) for key in taken]

    def perform(self, item: DueItem, now: datetime) -> Performed:
        group = item.group or ""
        with self._lock:
            self.begun += 1
            self._now[group] += 1
            self.most = max(self.most, sum(self._now.values()))
            self.most_of_a_group = max(self.most_of_a_group, self._now[group])
        time.sleep(self.seconds)
        with self._lock:
            self._now[group] -= 1
            if item.key in self.broken:
                raise ValueError("broken")
            self.done.append(item.key)
        return Performed(item=item, result="done", what="steered")


@contextmanager
def running(
    engine: Steered,
    *,
    size: int = 2,
    wake: Wake | None = None,
    metrics: Metrics | None = None,
    poll_seconds: float = 0.05,
) -> Iterator[Crew]:
    """Give a crew at work."""
    crew = Crew(engine, size, wake or Wake(), metrics or Metrics(), lambda: datetime.now(UTC), poll_seconds)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop()
        assert crew.idle(10)


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is so, or fail."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.01)


def fetched(port: int | None, path: str) -> tuple[int, str]:
    """Return status and text of what a worker answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
