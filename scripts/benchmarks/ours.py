"""The product: its recorder alone, commands, and whole life cycles through the public API."""

from collections.abc import Sequence
from contextlib import suppress
from threading import local
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from pydantic import BaseModel

from governance import Actor, Governance, Mutation, Policy, approval
from governance.event_store.recorder import EventRecorder, VersionConflict
from scripts.benchmarks.limits import EVENT
from scripts.benchmarks.measure import Work

GRACE = Actor(id="grace")
ALAN = Actor(id="alan", roles=("lead",))
WORKER = Actor(id="worker", kind="service")
TEXT = EVENT[:40]
STATE = f'"{EVENT}"'.encode()
CONFLICT_EVERY = 20
"""One append of so many meets a conflict, where conflicts are measured: 5 %."""


class Limits(BaseModel):
    """A small state, as most are."""

    requests_per_second: int = 100
    note: str = ""


class SetLimit(Mutation[Limits]):
    """Changes one field."""

    requests_per_second: int

    def apply(self, state: Limits) -> Limits:
        """Return the state with the new limit."""
        return state.model_copy(update={"requests_per_second": self.requests_per_second})


def opened(url: str, policies: Sequence[Policy] = ()) -> Governance:
    """Return the governance that is measured."""
    return Governance.open(url, mutations=[SetLimit], policies=policies)


def appends(recorder: EventRecorder, *, conflicts: bool = False) -> Work:
    """Return one append of one event through the recorder alone; a new stream every 50 events."""
    mine = local()

    def append(caller: int, done: int) -> None:
        if done % 50 == 0:
            mine.stream = f"mutationRequest-{uuid4()}"
        version = done % 50 + 1
        if conflicts and done % CONFLICT_EVERY == 1:
            version = 1
        with suppress(VersionConflict):
            event = StoredEvent(
                originator_id=mine.stream, originator_version=version, topic=f"Commented{done}", state=STATE
            )
            recorder.insert_events([event])

    return append


def commands(governance: Governance) -> Work:
    """Return one command: load, decide, encode, append one event; a new request every 50 events."""
    mine = local()

    def command(caller: int, done: int) -> None:
        if done % 50 == 0:
            mutation = SetLimit(requests_per_second=done + 1)
            pending = approval(role="lead")
            request = governance.submit(
                mutation, state_id=f"limits-{caller}", actor=GRACE, reason="load", requires=(pending,)
            )
            mine.id = request.id
            return
        governance.comment(mine.id, actor=ALAN, text=TEXT)

    return command


def submissions(governance: Governance) -> Work:
    """Return one submission: what policies are asked about; three events, four with a policy's requirement."""

    def submit(caller: int, done: int) -> None:
        governance.submit(
            SetLimit(requests_per_second=done + 1),
            state_id=f"asked-{caller}",
            actor=GRACE,
            reason="load",
            requires=(approval(role="lead"),),
        )

    return submit


def life_cycles(governance: Governance) -> Work:
    """Return one life cycle: submit, approve, execute with a change of state; nine events."""
    turn = uuid4().hex[:8]

    def cycle(caller: int, done: int) -> None:
        mutation = SetLimit(requests_per_second=done + 1)
        state = f"tenant-{turn}-{caller}-{done % 1000}"
        request = governance.submit(
            mutation, state_id=state, actor=GRACE, reason="more load expected", requires=(approval(role="lead"),)
        )
        governance.approve(request.id, actor=ALAN)
        outcome = governance.execute(request.id, actor=WORKER)
        if not outcome.executed:
            msg = f"request {request.id} was not executed: {outcome.request.status}"
            raise RuntimeError(msg)

    return cycle


def direct(governance: Governance) -> Work:
    """Return one direct mutation: submit and execute in one transaction; six events."""
    turn = uuid4().hex[:8]

    def run(caller: int, done: int) -> None:
        governance.run(
            SetLimit(requests_per_second=done + 1),
            state_id=f"direct-{turn}-{caller}-{done}",
            actor=GRACE,
            reason="load",
        )

    return run
