"""Run benchmarks: `scripts/bench loop --callers 1,16 --seconds 3 --rounds 3 [--json]`."""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from rich.console import Console

from scripts.benchmarks import limits, ours, peer, report
from scripts.benchmarks.measure import Rate, Work, interleaved, rate
from tests.postgres_databases import Databases
from tests.postgres_server import running_server

Contenders = dict[str, Callable[[], Rate]]


def main() -> None:
    """Measure what was asked for and print it."""
    options = arguments()
    console = Console(stderr=options.json)
    tables: dict[str, dict[str, Rate]] = {}
    references: dict[str, str] = {}
    with running_server() as server, ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        databases = Databases(server)
        stack.callback(databases.close)
        url = stack.enter_context(databases.database())
        limits.prepare(url)
        for callers in options.callers:
            for title, contenders, reference in rows(stack, url, Path(folder), callers, options.seconds):
                tables[title] = interleaved(contenders, options.rounds)
                references[title] = reference
                report.show(console, title, tables[title], reference)
        machine = report.facts(server_version(url))
    if options.json:
        Console().print_json(report.as_json(tables, references, machine))
    else:
        console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("table", nargs="?", choices=["loop"], default="loop", help="what to measure")
    parser.add_argument("--callers", type=numbers, default=(1, 16), help="threads, as in 1,16")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each turn takes")
    parser.add_argument("--rounds", type=int, default=3, help="how many turns each contender has")
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    return parser.parse_args()


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 1,16."""
    return tuple(int(part) for part in text.split(","))


def rows(stack: ExitStack, url: str, folder: Path, callers: int, seconds: float) -> list[tuple[str, Contenders, str]]:
    """Return the tables of the governed loop: title, contenders, and which of them the others are compared with."""
    turn = partial(turned, callers=callers, seconds=seconds)
    postgres = stack.enter_context(ours.opened(url))
    sqlite = stack.enter_context(ours.opened(f"sqlite:///{folder / f'ours-{callers}.db'}"))
    plain_postgres = stack.enter_context(peer.PlainApplication(plain_environment(url)))
    plain_sqlite = stack.enter_context(peer.PlainApplication(sqlite_environment(folder / f"plain-{callers}.db")))
    pgbench = partial(limits.pgbench, url, clients=callers, seconds=seconds)
    raw = limits.raw_sqlite(folder / f"raw-{callers}.db")
    on_postgres: Contenders = {
        "pgbench, one insert": pgbench,
        "plain library, command": turn(peer.commands(plain_postgres)),
        "ours, command": turn(ours.commands(postgres)),
        "plain library, life cycle": turn(peer.life_cycles(plain_postgres)),
        "ours, life cycle": turn(ours.life_cycles(postgres)),
        "ours, direct mutation": turn(ours.direct(postgres)),
    }
    on_sqlite: Contenders = {
        "plain library, command": turn(peer.commands(plain_sqlite)),
        "ours, command": turn(ours.commands(sqlite)),
        "plain library, life cycle": turn(peer.life_cycles(plain_sqlite)),
        "ours, life cycle": turn(ours.life_cycles(sqlite)),
        "ours, direct mutation": turn(ours.direct(sqlite)),
    }
    raw_name = "raw driver, one insert"
    on_sqlite = {raw_name: partial(rate, raw, callers=1, seconds=seconds), **on_sqlite}
    return [
        (f"PostgreSQL, {callers} callers", on_postgres, "pgbench, one insert"),
        (f"SQLite, {callers} callers (the raw driver: 1)", on_sqlite, raw_name),
    ]


def turned(work: Work, *, callers: int, seconds: float) -> Callable[[], Rate]:
    """Return the measurement of one piece of work."""
    return partial(rate, work, callers=callers, seconds=seconds)


def plain_environment(url: str) -> dict[str, str]:
    """Return how the library is told to use a PostgreSQL database."""
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": parts.password or "",
        "POSTGRES_POOL_SIZE": "17",
    }


def sqlite_environment(path: Path) -> dict[str, str]:
    """Return how the library is told to use an SQLite file."""
    return {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(path),
        "SQLITE_LOCK_TIMEOUT": "10",
    }


def server_version(url: str) -> str:
    """Return the version of the server."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"


if __name__ == "__main__":
    main()
