"""What the store itself has to tell: how much is pending, and how old the oldest of it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

from governance.application import Governance
from governance.effects.feeding import moment
from governance.event_store.log import translated_errors
from governance.worker.metrics import Sample, Source

PENDING = ("governance_pending", "What is pending, by kind")
OLDEST = ("governance_pending_oldest_seconds", "For how long the oldest has been due, by kind")


def store_source(governance: Governance) -> Source:
    """Return a source of what is in the outbox."""

    def tell() -> Iterator[Sample]:
        with translated_errors():
            count = governance.effects_engine.feed.outbox.count()
        yield Sample("governance_outbox", "Effects that are not delivered", count.waiting, {"status": "waiting"})
        yield Sample("governance_outbox", "Effects that are not delivered", count.parked, {"status": "parked"})
        age = 0.0 if count.oldest_due is None else (datetime.now(UTC) - moment(count.oldest_due)).total_seconds()
        yield Sample("governance_outbox_oldest_seconds", "For how long the oldest effect has been due", max(0.0, age))
        yield Sample("governance_head", "The position of the last event", governance.log.head())

    return tell
