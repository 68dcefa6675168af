"""What the store itself has to tell: how much is pending, and how old the oldest of it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

from governance.application import Governance
from governance.effects.feeding import moment
from governance.event_store.log import translated_errors
from governance.worker.metrics import Sample, Source


def store_source(governance: Governance) -> Source:
    """Return a source of what is on the agenda and in the outbox, as the engines have last brought them up to date."""

    def tell() -> Iterator[Sample]:
        yield from _agenda(governance)
        yield from _outbox(governance)
        yield Sample("governance_head", "The position of the last event", governance.log.head())

    return tell


def _agenda(governance: Governance) -> Iterator[Sample]:
    for each in governance.agenda.count():
        labels = {"kind": each.kind}
        yield Sample("governance_pending", "What waits for its time, or for others, by kind", each.rows, labels)
        late = _age(each.oldest_due)
        yield Sample("governance_pending_oldest_seconds", "For how long the oldest has been due", late, labels)


def _outbox(governance: Governance) -> Iterator[Sample]:
    with translated_errors():
        count = governance.effects_engine.feed.outbox.count()
    yield Sample("governance_outbox", "Effects that are not delivered", count.waiting, {"status": "waiting"})
    yield Sample("governance_outbox", "Effects that are not delivered", count.parked, {"status": "parked"})
    late = _age(count.oldest_due)
    yield Sample("governance_outbox_oldest_seconds", "For how long the oldest effect has been due", late)


def _age(due_at: int | None) -> float:
    return 0.0 if due_at is None else max(0.0, (datetime.now(UTC) - moment(due_at)).total_seconds())
