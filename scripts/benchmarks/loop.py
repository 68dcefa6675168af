"""`loop`: commands, life cycles and direct mutations, beside the library and the limit, on both databases."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from scripts.benchmarks import limits
from scripts.benchmarks.append import PGBENCH
from scripts.benchmarks.contenders import COMMAND, CYCLE, DIRECT, PLAIN, PLAIN_CYCLE, RAW, working
from scripts.benchmarks.measure import Rate, Table, rate

NAMES = (PLAIN, COMMAND, PLAIN_CYCLE, CYCLE, DIRECT)


def tables(url: str, folder: Path, callers: Sequence[int], seconds: float) -> Iterator[Table]:
    """Yield the tables of the governed loop."""
    for number in callers:
        pgbench = partial(limits.pgbench, url, clients=number, seconds=seconds)
        yield _table(f"PostgreSQL, {number} callers, loop", url, (PGBENCH, pgbench), number, seconds)
        raw = partial(rate, limits.raw_sqlite(folder / f"raw-loop-{number}.db"), callers=1, seconds=seconds)
        file = f"sqlite:///{folder / f'loop-{number}.db'}"
        yield _table(f"SQLite, {number} callers, loop (the raw driver: 1)", file, (RAW, raw), number, seconds)


def _table(title: str, url: str, limit: tuple[str, Callable[[], Rate]], callers: int, seconds: float) -> Table:
    stack = ExitStack()
    contenders: dict[str, Callable[[], Rate]] = dict([limit])
    for name in NAMES:
        work = stack.enter_context(working(name, url))
        contenders[name] = partial(rate, work, callers=callers, seconds=seconds)
    return Table(title, contenders, limit[0], stack.close)
