"""Stores of any size for the views: life cycles as commands store them, copied with other ids, people and states."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from eventsourcing.persistence import StoredEvent

from governance import Governance, Intent, MutationRequest, approval
from governance.domain.request import content_digest, requirement_digest
from governance.event_store.connect import open_recorder
from governance.event_store.settings import RecorderSettings
from governance.ids import new_id
from scripts.benchmarks import ours

PEOPLE = 90
AT_ONCE = 300
"""How many requests are filled in with one append."""
STATE, PERSON = "state-00000000", "person-10"
"""What is replaced in the copies, by something as long."""


@dataclass(frozen=True)
class Pattern:
    """The events of one request, and of its state, as they are stored."""

    id: str
    events: tuple[tuple[str, int, str, bytes], ...]
    request: MutationRequest

    def _digests(self, state_id: str) -> dict[str, str]:
        """Return by which digests those of what was approved are replaced, for another state."""
        other = content_digest(self.request.model_copy(update={"state_id": state_id}))
        return {each.digest: requirement_digest(other, each.asked) for each in self.request.requirements}

    def copies(self, number: int, now: datetime) -> Iterator[StoredEvent]:
        """Yield the events of a request like it, of another person about another state."""
        state_id = f"state-{number:08}"
        person = f"person-{10 + number % PEOPLE}"
        given = {self.id: new_id(now), STATE: state_id, PERSON: person, **self._digests(state_id)}
        for stream, version, topic, state in self.events:
            text = f"{stream}\n{state.decode()}"
            for old, new in given.items():
                text = text.replace(old, new)
            mine, _, stored = text.partition("\n")
            yield StoredEvent(originator_id=mine, originator_version=version, topic=topic, state=stored.encode())


def fill(url: str, events: int) -> None:
    """Fill an empty store with at least so many events: of ten requests seven ran, one was rejected and two wait."""
    recorder = open_recorder(url, settings=RecorderSettings(create_schema=True, budget_seconds=120))
    order = cycle(patterns())
    now = datetime.now(UTC)
    stored = number = 0
    while stored < events:
        some = islice(order, AT_ONCE)
        batch = [event for count, pattern in enumerate(some, start=number) for event in pattern.copies(count, now)]
        recorder.insert_events(batch)
        stored += len(batch)
        number += AT_ONCE
    recorder.close()


def patterns() -> Sequence[Pattern]:
    """Return ten life cycles in the order in which they are copied."""
    with tempfile.TemporaryDirectory() as folder:
        made = [_pattern(Path(folder) / f"{ending}.db", ending) for ending in ("executed", "rejected", "pending")]
    executed, rejected, pending = made
    return (*[executed] * 4, pending, *[executed] * 3, rejected, pending)


def _pattern(file: Path, ending: str) -> Pattern:
    with ours.opened(f"sqlite:///{file}") as governance:
        request = _played(governance, ending)
        stored = governance.log.stored(0, 100)
        events = [(str(each.originator_id), each.originator_version, each.topic, each.state) for each in stored]
        return Pattern(request, tuple(events), governance.request(request))


def _played(governance: Governance, ending: str) -> str:
    tags = ("eu", "prod") if ending == "executed" else ("prod", "us")
    request = governance.submit(
        ours.SetLimit(requests_per_second=5),
        state_id=STATE,
        actor=ours.GRACE.model_copy(update={"id": PERSON}),
        reason="more load expected",
        intent=Intent(tags=tags, risk="low", category="limits"),
        requires=(approval(role="lead"),),
    )
    if ending == "executed":
        governance.approve(request.id, actor=ours.ALAN)
        governance.execute(request.id, actor=ours.WORKER)
    elif ending == "rejected":
        governance.reject(request.id, actor=ours.ALAN)
    return request.id
