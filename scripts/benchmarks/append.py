"""`append`: what one durable event costs, from pgbench to the whole command path, by callers and processes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from scripts.benchmarks import limits
from scripts.benchmarks.contenders import (
    COMMAND,
    CONFLICTS,
    CYCLE,
    PLAIN,
    PLAIN_CYCLE,
    RAW,
    RECORDER,
    working,
)
from scripts.benchmarks.cores import ON_ONE_CORE, POSSIBLE, on_one_core
from scripts.benchmarks.crews import Crew
from scripts.benchmarks.measure import Rate, Table, rate

PGBENCH = "pgbench, one insert"
PGBENCH_16 = "pgbench, one insert, 16 clients"
PROCESSES = 4
FULL = 16
"""The number of clients with which pgbench is taken for the limit."""
SQLITE_CALLERS = (1, 16)
PINNED = (PLAIN, COMMAND, PLAIN_CYCLE, CYCLE)
"""Contenders that are also measured with their process kept on one core, as it is run in production."""
EACH_ON_ONE_CORE = ", each on one core"


def tables(url: str, folder: Path, callers: Sequence[int], seconds: float) -> Iterator[Table]:
    """Yield the tables one after the other; each holds its connections only while it is measured."""
    for number in callers:
        yield on_postgres(url, number, seconds)
    yield processes(url, seconds)
    yield conflicts(url, seconds)
    yield cycles(url, seconds)
    for number in SQLITE_CALLERS:
        yield on_sqlite(folder, number, seconds)


def slow_tables(url: str, callers: Sequence[int], seconds: float, slower_ms: float) -> Iterator[Table]:
    """Yield what is measured again where each disk write takes longer."""
    for number in callers:
        table = on_postgres(url, number, seconds)
        yield Table(f"{table.title}, disk {slower_ms:g} ms slower", table.contenders, table.reference, table.ended)
    table = processes(url, seconds)
    yield Table(f"{table.title}, disk {slower_ms:g} ms slower", table.contenders, table.reference, table.ended)


def on_postgres(url: str, callers: int, seconds: float) -> Table:
    """Return the limit, the driver, the library and ours with so many callers in one process."""
    stack = ExitStack()
    contenders: dict[str, Callable[[], Rate]] = {
        PGBENCH: partial(limits.pgbench, url, clients=callers, seconds=seconds)
    }
    if callers > FULL:
        contenders[PGBENCH_16] = partial(limits.pgbench, url, clients=FULL, seconds=seconds)
    for name in (RAW, PLAIN, RECORDER, COMMAND):
        work = stack.enter_context(working(name, url))
        contenders[name] = partial(rate, work, callers=callers, seconds=seconds)
    pin(contenders, callers)
    title = f"PostgreSQL, {callers} caller{'s' if callers > 1 else ''}"
    return Table(title, contenders, PGBENCH_16 if callers > FULL else PGBENCH, stack.close)


def processes(url: str, seconds: float) -> Table:
    """Return the same with four processes of four callers each."""
    stack = ExitStack()
    contenders: dict[str, Callable[[], Rate]] = {
        PGBENCH: partial(limits.pgbench, url, clients=FULL, seconds=seconds),
        f"{PGBENCH}, 4 processes": partial(limits.pgbench, url, clients=FULL, seconds=seconds, processes=PROCESSES),
    }
    for name in (RAW, PLAIN, RECORDER, COMMAND):
        crew = Crew(name, url, processes=PROCESSES, callers=FULL // PROCESSES)
        stack.callback(crew.close)
        contenders[name] = partial(crew.rate, seconds)
        if POSSIBLE and name in PINNED:
            contenders[name + EACH_ON_ONE_CORE] = partial(crew.rate, seconds, pinned=True)
    return Table("PostgreSQL, 4 processes with 4 callers each", contenders, PGBENCH, stack.close)


def conflicts(url: str, seconds: float) -> Table:
    """Return the recorder without conflicts and with 5 %."""
    return _together("PostgreSQL, 16 callers, conflicts", url, (RECORDER, CONFLICTS), FULL, seconds)


def cycles(url: str, seconds: float) -> Table:
    """Return whole life cycles and the library saving as many events one by one."""
    return _together("PostgreSQL, 16 callers, life cycles of 9 events", url, (PLAIN_CYCLE, CYCLE), FULL, seconds)


def on_sqlite(folder: Path, callers: int, seconds: float) -> Table:
    """Return the raw driver with one caller, the library and ours on SQLite files."""
    raw = limits.raw_sqlite(folder / f"raw-{callers}.db")
    url = f"sqlite:///{folder / f'append-{callers}.db'}"
    title = f"SQLite, {callers} caller{'s' if callers > 1 else ''} (the raw driver: 1)"
    table = _together(title, url, (PLAIN, RECORDER, COMMAND), callers, seconds)
    contenders: dict[str, Callable[[], Rate]] = {RAW: partial(rate, raw, callers=1, seconds=seconds)}
    contenders.update(table.contenders)
    return Table(title, contenders, RAW, table.ended)


def _together(title: str, url: str, names: Sequence[str], callers: int, seconds: float) -> Table:
    stack = ExitStack()
    contenders: dict[str, Callable[[], Rate]] = {}
    for name in names:
        contenders[name] = partial(rate, stack.enter_context(working(name, url)), callers=callers, seconds=seconds)
    pin(contenders, callers)
    return Table(title, contenders, names[0], stack.close)


def pin(contenders: dict[str, Callable[[], Rate]], callers: int) -> None:
    """Add to the contenders that whole commands are measured of those whose process is kept on one core."""
    if POSSIBLE and callers > 1:
        for name in [each for each in contenders if each in PINNED]:
            contenders[name + ON_ONE_CORE] = partial(on_one_core, contenders[name])
