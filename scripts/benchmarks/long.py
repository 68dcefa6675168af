"""`long`: what loading a request of ten thousand events costs, and a state of a hundred thousand versions."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from eventsourcing.persistence import StoredEvent

from governance import Governance, approval
from governance.event_store.recorder import EventRecorder
from governance.repository import Repository
from governance.snapshots import BEHIND
from governance.streams import request_stream, state_stream
from scripts.benchmarks import ours
from scripts.benchmarks.measure import Rate, Table, Work, rate

EVENTS, VERSIONS = 10_000, 100_000
AT_ONCE = 1_000
SHORT, LONG = "short request", "request of 10,000 events"
FAR, DECIDED = f"the same, snapshot {BEHIND} events behind", "the same, to decide on it: from its events"
ONE, MANY = "state of one version", "state of 100,000 versions"
REQUESTS, STATES = "loading a request that is not in memory", "loading a state that is not in memory"


def tables(url: str, folder: Path, seconds: float) -> Iterator[Table]:
    """Yield two tables for each database; every piece of work begins with nothing in memory but a connection."""
    stores = {"PostgreSQL": url, "SQLite": f"sqlite:///{folder / 'long.db'}"}
    for database, store in stores.items():
        stack = ExitStack()
        governance = stack.enter_context(ours.opened(store))
        requests = {SHORT: asked(governance, 0), LONG: asked(governance, EVENTS), FAR: asked(governance, EVENTS)}
        for each in requests.values():
            looking(governance, each)(0, 0)
        lengthened(governance, request_stream(requests[FAR]), EVENTS + BEHIND)
        works = {name: looking(governance, each) for name, each in requests.items()}
        works[DECIDED] = deciding(governance, requests[LONG])
        yield Table(f"{REQUESTS}, {database}", contenders(works, seconds), SHORT)
        states = {ONE: state(governance, ONE, 1), MANY: state(governance, MANY, VERSIONS)}
        works = {name: reading(governance, each) for name, each in states.items()}
        yield Table(f"{STATES}, {database}", contenders(works, seconds), ONE, stack.close)


def contenders(works: dict[str, Work], seconds: float) -> dict[str, Callable[[], Rate]]:
    """Return what does each kind of work for so long."""
    return {name: partial(rate, work, callers=1, seconds=seconds) for name, work in works.items()}


def looking(governance: Governance, request_id: str) -> Work:
    """Return looking at a request with nothing in memory."""
    return lambda _caller, _done: checked(nothing_kept(governance).look(request_id).version)


def deciding(governance: Governance, request_id: str) -> Work:
    """Return loading a request, with nothing in memory, as a command does."""
    return lambda _caller, _done: checked(nothing_kept(governance).request(request_id).version)


def reading(governance: Governance, state_id: str) -> Work:
    """Return loading a state with nothing in memory."""

    def read(_caller: int, _done: int) -> None:
        found = nothing_kept(governance).state(state_id)
        checked(found.version if found is not None else 0)

    return read


def nothing_kept(governance: Governance) -> Repository:
    """Return what loads, as a process that has just begun has it."""
    return Repository.chosen(governance.log, governance.settings)


def asked(governance: Governance, events: int) -> str:
    """Return the id of a pending request about which so many things were said."""
    request = governance.submit(
        ours.SetLimit(requests_per_second=1),
        state_id="long",
        actor=ours.GRACE,
        reason="long",
        requires=(approval(role="lead"),),
    )
    governance.comment(request.id, actor=ours.GRACE, text=ours.TEXT)
    lengthened(governance, request_stream(request.id), events)
    return request.id


def state(governance: Governance, state_id: str, versions: int) -> str:
    """Return the id of a state of so many versions."""
    governance.run(ours.SetLimit(requests_per_second=1), state_id=state_id, actor=ours.GRACE, reason="long")
    lengthened(governance, state_stream(state_id), versions)
    return state_id


def lengthened(governance: Governance, stream: str, upto: int) -> None:
    """Repeat the last event of a stream up to a version."""
    recorder: EventRecorder = governance.log.event_recorder
    [last] = recorder.select_events(stream, desc=True, limit=1)
    for start in range(last.originator_version + 1, upto + 1, AT_ONCE):
        versions = range(start, min(start + AT_ONCE, upto + 1))
        recorder.insert_events([StoredEvent(stream, version, last.topic, last.state) for version in versions])


def checked(version: int) -> None:
    """Refuse to measure what was not loaded."""
    if version < 1:
        msg = "nothing was loaded"
        raise RuntimeError(msg)
