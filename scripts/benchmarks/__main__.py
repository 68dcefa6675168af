"""Run benchmarks, as in `scripts/bench append --callers 1,16 --seconds 3 --rounds 3 --json`.

loop      commands, life cycles and direct mutations
append    from pgbench to the whole command path, by callers and processes; conflicts, life cycles, SQLite;
          with --slow-disk 1 on a server of its own whose disk writes take 1 ms longer
growth    one command on a store with 10 thousand requests and on one with a million
policies  what asking one policy, or ten, adds to a submission
batch     a hundred executions one by one, and as a batch in one transaction
long      loading a request of 10 thousand events and a state of 100 thousand versions, beside short ones
projections  rebuilds beside the library's runner, lists, and what writers notice; --events 1000000,10000000
worker    due requests released and executed by one worker and by two, how late, how quickly found, and idling
audit     replays, verifications and proofs beside reading the raw rows, and what writers notice; --events 1000000
all       all of these
report    writes docs/reference/performance.md from the JSON of runs: scripts/bench report a.json b.json
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.benchmarks import (
    append,
    audit,
    batch,
    growth,
    limits,
    long,
    loop,
    pages,
    policies,
    projections,
    report,
    worker,
)
from scripts.benchmarks.measure import Rate, Table, interleaved
from scripts.benchmarks.servers import database

TABLES = ("loop", "append", "growth", "policies", "batch", "long", "projections", "audit", "worker", "all")
DEFAULT_CALLERS = {"loop": (1, 16), "append": (1, 4, 16, 64), "all": (1, 4, 16, 64)}


def main() -> None:
    """Measure what was asked for and print it, or write the page of what was measured."""
    options = arguments()
    if options.table == "report":
        pages.write(options.documents)
        return
    console = Console(stderr=options.json)
    measured: dict[str, Any] = {}
    with database(options.slow_disk) as url, tempfile.TemporaryDirectory() as folder:
        machine = report.facts(url)
        limits.prepare(url)
        for table in tables(options, url, Path(folder), console):
            wanted = options.only in table.title
            rates: dict[str, list[Rate]] = interleaved(table.contenders, options.rounds) if wanted else {}
            table.ended()
            if not wanted:
                continue
            measured[table.title] = report.as_data(rates, table.reference)
            report.show(console, table.title, rates, table.reference)
    if options.json:
        print(report.as_json(measured, machine))
    else:
        console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim")


def tables(options: argparse.Namespace, url: str, folder: Path, console: Console) -> Iterator[Table]:
    """Yield the tables that were asked for."""
    chosen, seconds = options.table, options.seconds
    callers = options.callers or DEFAULT_CALLERS.get(chosen, (1,))
    if options.slow_disk:
        yield from append.slow_tables(url, callers, seconds, options.slow_disk)
        return
    if chosen in ("append", "all"):
        yield from append.tables(url, folder, callers, seconds)
    if chosen in ("loop", "all"):
        yield from loop.tables(url, folder, [each for each in callers if each in (1, 16)] or callers, seconds)
    if chosen in ("policies", "all"):
        yield from policies.tables(url, folder, seconds)
    if chosen in ("batch", "all"):
        yield from batch.tables(url, folder, seconds)
    if chosen in ("long", "all"):
        yield from long.tables(url, folder, seconds)
    if chosen in ("worker", "all"):
        yield from worker.tables(url, seconds)
    yield from _on_filled_stores(options, url, folder, lambda text: console.print(text, style="dim"))


def _on_filled_stores(
    options: argparse.Namespace, url: str, folder: Path, say: Callable[[str], None]
) -> Iterator[Table]:
    chosen, seconds = options.table, options.seconds
    if chosen in ("growth", "all"):
        yield from growth.tables(url, seconds, options.requests, say)
    if chosen in ("projections", "all"):
        yield from projections.tables(url, folder, seconds, options.events, say)
    if chosen in ("audit", "all"):
        yield from audit.tables(url, folder, seconds, options.events, say)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=shape)
    parser.add_argument("table", nargs="?", choices=[*TABLES, "report"], default="loop", help="what to measure")
    parser.add_argument("documents", nargs="*", type=Path, help="JSON of runs, for report")
    parser.add_argument("--callers", type=numbers, help="threads, as in 1,16")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each turn takes")
    parser.add_argument("--rounds", type=int, default=3, help="how many turns each contender has")
    parser.add_argument("--slow-disk", type=float, default=0.0, metavar="MS", help="milliseconds added to every fsync")
    parser.add_argument(
        "--requests", type=numbers, default=(growth.FEW, growth.MANY), help="sizes of the stores to fill"
    )
    parser.add_argument("--events", type=numbers, default=projections.EVENTS, help="sizes of the logs to make views of")
    parser.add_argument("--only", default="", metavar="TEXT", help="only tables with this in their title")
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    return parser.parse_args()


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 1,16."""
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
