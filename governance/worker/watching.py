"""Watching the log: wakes the crews at every append, and measures how long decisions and executions took."""

import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.json import Decoder

from governance.event_store.log import EventLog
from governance.streams import stream_id
from governance.worker.metrics import Metrics
from governance.worker.waking import Wake

MEASURED: Final = ("Approved", "Rejected", "Executed")
PAGE: Final = 500
BREATH_SECONDS: Final = 0.05
"""The pause after a look at what was appended, so that a busy log is looked at in pieces and not event by event."""
MEASURE_SECONDS: Final = 1.0
"""How often at most what was appended is measured: who reads metrics looks less often, and a full page costs less."""
REMEMBERED: Final = 10_000
_MILLISECOND_BITS: Final = 80
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Told(Struct):
    """What is measured of an event; nothing else of it is read."""

    at: datetime


_TOLD: Final = Decoder(Told)


class Watcher:
    """Follows the log from where it ends when the worker starts; a duty of every worker."""

    def __init__(self, log: EventLog, wake: Wake, metrics: Metrics) -> None:
        self._log = log
        self._wake = wake
        self._metrics = metrics
        self._seen: int | None = None
        self._measured = 0
        self._measured_at = 0.0
        self._approved: OrderedDict[str, datetime] = OrderedDict()

    def run(self, stop: Event) -> None:
        """Watch until the flag is set."""
        if self._seen is None:
            self._seen = self._measured = self._log.head()
        while not stop.is_set():
            if self._log.wait(self._seen, MEASURE_SECONDS):
                self._wake.announce()
                self._seen = self._log.head()
                stop.wait(BREATH_SECONDS)
            if self._measured < self._seen and time.monotonic() - self._measured_at >= MEASURE_SECONDS:
                self._measure(self._seen)
                self._measured_at = time.monotonic()

    def _measure(self, head: int) -> None:
        while self._measured < head:
            page = self._log.stored(self._measured, PAGE, upto=head, topics=MEASURED)
            for each in page:
                self._take(str(each.originator_id), each.topic, each.state)
            self._measured = page[-1].id if len(page) == PAGE else head

    def _take(self, stream: str, topic: str, state: bytes) -> None:
        at = _TOLD.decode(state).at
        if topic == "Executed":
            approved = self._approved.pop(stream, None)
            if approved is not None:
                self._metrics.observe("governance_execution_seconds", (), (at - approved).total_seconds())
            return
        decision = (("decision", topic.lower()),)
        self._metrics.observe("governance_decision_seconds", decision, (at - asked_at(stream)).total_seconds())
        if topic == "Approved":
            self._approved[stream] = at
            while len(self._approved) > REMEMBERED:
                self._approved.popitem(last=False)


def asked_at(stream: str) -> datetime:
    """Return when a request was asked for: its id is a UUIDv7, which begins with the milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=UUID(stream_id(stream)).int >> _MILLISECOND_BITS)
