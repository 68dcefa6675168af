"""The figures that the project wants to reach, and how each follows from the tables of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.benchmarks import audit, batch, growth, long, policies, projections, projections_live, worker
from scripts.benchmarks.append import EACH_ON_ONE_CORE, PGBENCH, PGBENCH_16
from scripts.benchmarks.contenders import COMMAND, CONFLICTS, CYCLE, PLAIN, PLAIN_CYCLE, RAW, RECORDER
from scripts.benchmarks.cores import ON_ONE_CORE
from scripts.benchmarks.measure import Rate, ratio

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A ratio to reach: of one contender's rate to another's of the same table and round.

    With `inverted`, of the times, which must not be more than that.
    """

    what: str
    table: str
    contender: str
    reference: str
    wanted: float
    inverted: bool = False


_SIXTEEN = "PostgreSQL, 16 callers"
_SIXTY_FOUR = "PostgreSQL, 64 callers"
_FOUR = "PostgreSQL, 4 processes with 4 callers each"
_SLOW = ", disk 1 ms slower"
_CYCLES = "PostgreSQL, 16 callers, life cycles of 9 events"
_FILE_16 = "SQLite, 16 callers (the raw driver: 1)"
_REBUILDS = projections.REBUILDS
_VIEWS = (
    Figure(
        "rebuild of requests, one process ÷ the library's runner", _REBUILDS, projections.ONE, projections.LIBRARY, 75
    ),
    Figure(
        "rebuild of all views, one process ÷ the library's runner", _REBUILDS, projections.ALL, projections.LIBRARY, 25
    ),
    Figure(
        "rebuild of all views, two processes ÷ the library's runner",
        _REBUILDS,
        projections.TWO,
        projections.LIBRARY,
        35,
    ),
    Figure("catching up in batches ÷ the library's runner", _REBUILDS, projections.CATCH_UP, projections.LIBRARY, 40),
    Figure("rebuild of requests, SQLite ÷ PostgreSQL", _REBUILDS, projections.ONE_SQLITE, projections.ONE, 0.5),
    Figure("rebuild, 10 M events ÷ 1 M", projections.GROWTH, "10,000,000 events", "1,000,000 events", 0.8),
    Figure(
        "commands beside a rebuild ÷ without", projections.WRITERS, projections_live.BESIDE, projections_live.ALONE, 0.7
    ),
)
PINNED_COMMAND, PINNED_PLAIN = COMMAND + ON_ONE_CORE, PLAIN + ON_ONE_CORE
FIGURES = (
    Figure("command, 16 callers ÷ pgbench, 16 clients", _SIXTEEN, COMMAND, PGBENCH, 0.6),
    Figure("the same, process on one core", _SIXTEEN, PINNED_COMMAND, PGBENCH, 0.6),
    Figure("command, 16 callers ÷ plain library", _SIXTEEN, COMMAND, PLAIN, 12),
    Figure("the same, both on one core", _SIXTEEN, PINNED_COMMAND, PINNED_PLAIN, 12),
    Figure("command, 64 callers ÷ pgbench, 16 clients", _SIXTY_FOUR, COMMAND, PGBENCH_16, 1.0),
    Figure("the same, process on one core", _SIXTY_FOUR, PINNED_COMMAND, PGBENCH_16, 1.0),
    Figure("command, 1 caller ÷ pgbench, 1 client", "PostgreSQL, 1 caller", COMMAND, PGBENCH, 0.5),
    Figure("command, 4 processes × 4 callers ÷ pgbench, 16 clients", _FOUR, COMMAND, PGBENCH, 0.5),
    Figure("the same, each process on one core", _FOUR, COMMAND + EACH_ON_ONE_CORE, PGBENCH, 0.5),
    Figure("command, 16 callers ÷ pgbench, disk 1 ms slower", _SIXTEEN + _SLOW, COMMAND, PGBENCH, 0.6),
    Figure("5 % conflicts ÷ none", "PostgreSQL, 16 callers, conflicts", CONFLICTS, RECORDER, 0.7),
    Figure("life cycles, 16 callers ÷ plain library saving as many events", _CYCLES, CYCLE, PLAIN_CYCLE, 8),
    Figure("the same, both on one core", _CYCLES, CYCLE + ON_ONE_CORE, PLAIN_CYCLE + ON_ONE_CORE, 8),
    Figure("SQLite: command, 1 caller ÷ raw inserts", "SQLite, 1 caller (the raw driver: 1)", COMMAND, RAW, 0.7),
    Figure("SQLite: command, 16 callers ÷ raw inserts", _FILE_16, COMMAND, RAW, 3),
    Figure("the same, process on one core", _FILE_16, PINNED_COMMAND, RAW, 3),
    *(
        Figure(
            f"time of one {kind}: 1 M requests ÷ 10 k",
            f"growth, {kind}",
            growth.named(growth.MANY),
            growth.named(growth.FEW),
            1.2,
            inverted=True,
        )
        for kind in (growth.LOADED, growth.KEPT, growth.SUBMITTED)
    ),
    *(
        Figure(
            f"time of a submission with {count} ÷ with none, {database}",
            f"{database}, 1 caller, policies",
            name,
            policies.NONE,
            wanted,
            inverted=True,
        )
        for database in ("PostgreSQL", "SQLite")
        for name, count, wanted in ((policies.ONE, "one policy", 1.1), (policies.TEN, "ten policies", 1.25))
    ),
    *(
        Figure(
            f"batch of 100 in one transaction ÷ 100 single executions, {database}",
            f"{database}, 1 caller, executing 100 requests",
            batch.TOGETHER,
            batch.SINGLY,
            5,
        )
        for database in ("PostgreSQL", "SQLite")
    ),
    *(
        Figure(
            f"time of loading a {what} ÷ a short one, {database}", f"{title}, {database}", kind, short, 3, inverted=True
        )
        for database in ("PostgreSQL", "SQLite")
        for title, what, kind, short in (
            (long.REQUESTS, long.LONG, long.LONG, long.SHORT),
            (long.REQUESTS, f"{long.LONG}, snapshot behind", long.FAR, long.SHORT),
            (long.STATES, long.MANY, long.MANY, long.ONE),
        )
    ),
    *(
        Figure(what, f"{title}, {database}", ours, raw, wanted)
        for database in ("PostgreSQL", "SQLite")
        for what, title, ours, raw, wanted in (
            (f"replay ÷ raw rows, {database}", audit.REPLAY_TITLE, audit.FOLD_ALL, audit.RAW_STREAMS, 0.3),
            (f"verify hashes and tree ÷ raw rows, {database}", audit.VERIFY_TITLE, audit.HASH_ALL, audit.RAW, 0.3),
        )
    ),
    Figure(
        "life cycles with a checkpoint every second ÷ without", audit.WRITERS, audit.CHECKPOINTED, audit.ALONE, 0.95
    ),
    *_VIEWS,
    Figure("due requests a second, two workers ÷ one", worker.RELEASED, worker.TWO, worker.ONE, 1.5),
)


def measured(tables: Tables) -> Iterator[tuple[Figure, float]]:
    """Yield every figure that the tables hold, with its value."""
    for figure in FIGURES:
        rates = tables.get(figure.table, {})
        if figure.contender in rates and figure.reference in rates:
            pair = (_rounds(rates[figure.contender]), _rounds(rates[figure.reference]))
            yield figure, ratio(pair[1], pair[0]) if figure.inverted else ratio(*pair)


def reached(figure: Figure, value: float) -> bool:
    """Return whether the value is good enough."""
    return value <= figure.wanted if figure.inverted else value >= figure.wanted


def _rounds(measured_contender: Mapping[str, Any]) -> list[Rate]:
    return [Rate(each) for each in measured_contender["rounds"]]
