"""A store behind a queue of appends, which answers when and as a test says."""

import threading
from collections.abc import Callable, Sequence
from time import sleep

from eventsourcing.persistence import StoredEvent

from governance.event_store.append import Append
from governance.event_store.deadline import Deadline
from governance.event_store.settings import RecorderSettings
from governance.event_store.waiting import Outcome

SETTINGS = RecorderSettings(budget_seconds=1)


def append(number: int, seconds: float = 1) -> Append:
    event = StoredEvent(originator_id="s", originator_version=number, topic="Created", state=b"{}")
    return Append([event], Deadline.after(seconds), 1_000)


class Store:
    """Answers each append with its version as its position, once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.flushes: list[list[int]] = []
        self.before: Callable[[Sequence[Append]], None] = lambda appends: None

    def flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        self.flushes.append([one.rows[0].version for one in appends])
        self.before(appends)
        self.gate.wait(5)
        return [[one.rows[0].version] for one in appends]


def wait_for_flush(store: Store) -> None:
    while not store.flushes:
        sleep(0.001)
