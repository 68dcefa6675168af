"""`growth`: what one command costs on a store with 10 thousand requests and on one with a million."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from eventsourcing.persistence import StoredEvent

from governance import Governance, approval
from governance.event_store.connect import open_recorder
from governance.event_store.recorder import EventRecorder
from governance.ids import new_id
from scripts.benchmarks import ours
from scripts.benchmarks.measure import Rate, Table, Work, rate

FEW, MANY = 10_000, 1_000_000
AT_ONCE = 500
"""How many requests are filled in with one append."""
LOADED, KEPT, SUBMITTED = "command, request from the store", "command, request in memory", "submit"


def tables(url: str, seconds: float, sizes: Sequence[int], say: Callable[[str], None]) -> Iterator[Table]:
    """Yield one table for each kind of command; the first contender is the smallest store."""
    stack = ExitStack()
    stores: dict[int, tuple[Governance, list[str]]] = {}
    for size in sizes:
        place = f"{url}?schema=growth_{size}"
        say(f"filling in {size:,} requests …")
        ids = filled(place, size)
        stores[size] = (stack.enter_context(ours.opened(place)), ids)
    kinds: dict[str, Callable[[Governance, list[str]], Work]] = {
        LOADED: commands_on_any,
        KEPT: lambda governance, _: ours.commands(governance),
        SUBMITTED: lambda governance, _: ours.submissions(governance),
    }
    for kind, work_of in kinds.items():
        contenders: dict[str, Callable[[], Rate]] = {
            named(size): partial(rate, work_of(governance, ids), callers=1, seconds=seconds)
            for size, (governance, ids) in stores.items()
        }
        yield Table(f"growth, {kind}", contenders, named(sizes[0]))
    stack.close()


def named(size: int) -> str:
    """Return how a store of a size is called in the tables."""
    return f"{size:,} requests"


def commands_on_any(governance: Governance, ids: Sequence[str]) -> Work:
    """Return one command on a request that most likely is not in memory: read its stream, decide, append one event."""
    dice = random.Random(7)  # noqa: S311 - what is drawn protects nothing

    def command(caller: int, done: int) -> None:
        governance.comment(dice.choice(ids), actor=ours.ALAN, text=ours.TEXT)

    return command


def filled(url: str, size: int) -> list[str]:
    """Return the ids of so many pending requests, put in through the recorder after the pattern of a real one."""
    with ours.opened(url) as governance:
        request = governance.submit(
            ours.SetLimit(requests_per_second=1),
            state_id="growth",
            actor=ours.GRACE,
            reason="growth",
            requires=(approval(role="lead"),),
        )
        pattern = [(each.originator_version, each.topic, each.state) for each in governance.log.stored(0, 100)]
    recorder = open_recorder(url)
    ids: list[str] = []
    for start in range(0, size, AT_ONCE):
        ids += fill(recorder, pattern, request.id, min(AT_ONCE, size - start))
    recorder.close()
    return ids


def fill(recorder: EventRecorder, pattern: Sequence[tuple[int, str, bytes]], like: str, count: int) -> list[str]:
    """Return the ids of more requests like one, stored with one append."""
    now = datetime.now(UTC)
    ids = [new_id(now) for _ in range(count)]
    recorder.insert_events(
        [
            StoredEvent(
                originator_id=f"mutationRequest-{each}",
                originator_version=version,
                topic=topic,
                state=state.replace(like.encode(), each.encode()),
            )
            for each in ids
            for version, topic, state in pattern
        ]
    )
    return ids
