"""Limits: what the databases do at best when every event is a durable commit of its own."""

import re
import shutil
import sqlite3
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from scripts.benchmarks.measure import Rate, Work

EVENT = "x" * 386
"""As long as a typical event."""
SHORTEST_SECONDS = 2
"""So long pgbench needs to get all of its clients connected."""
_TABLE = """
CREATE TABLE IF NOT EXISTS limit_events (
    position bigserial, stream text NOT NULL, version bigint NOT NULL, topic text NOT NULL, state text NOT NULL,
    PRIMARY KEY (stream, version));
CREATE UNIQUE INDEX IF NOT EXISTS limit_position ON limit_events (position);
"""
_INSERT = "INSERT INTO limit_events (stream, version, topic, state) VALUES (%s, %s, %s, %s)"


def prepare(url: str) -> None:
    """Create the table that the limit is measured on: columns and indexes like the product's."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE)


def pgbench_path() -> str:
    """Return where pgbench is; FileNotFoundError when it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    found = shutil.which("pgbench") or (str(installed[-1]) if installed else None)
    if found is None:
        msg = "pgbench is not installed; it comes with PostgreSQL"
        raise FileNotFoundError(msg)
    return found


def pgbench(url: str, *, clients: int, seconds: float, processes: int = 1) -> Rate:
    """Return the rate of single-row inserts that pgbench reaches with so many clients, spread over processes."""
    with ThreadPoolExecutor(processes) as pool:
        share = clients // processes
        rates = list(pool.map(lambda _: _pgbench(url, share, seconds), range(processes)))
    return Rate(sum(each.per_second for each in rates), max(each.p50_ms or 0.0 for each in rates))


def _pgbench(url: str, clients: int, seconds: float) -> Rate:
    script = (
        "INSERT INTO limit_events (stream, version, topic, state) VALUES "  # noqa: S608 our own constant
        f"(gen_random_uuid()::text, 1, 'Commented', '{EVENT}');"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        parts = urlsplit(url)
        done = subprocess.run(
            [
                *(pgbench_path(), "-n", "-M", "prepared", "-f", file.name, "-c", str(clients)),
                *("-j", str(min(2, clients)), "-T", str(max(SHORTEST_SECONDS, round(seconds)))),
                *("-h", str(parts.hostname), "-p", str(parts.port), "-U", str(parts.username)),
                parts.path.lstrip("/"),
            ],
            env={"PGPASSWORD": parts.password or "", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    latency = re.search(r"latency average = ([\d.]+) ms", done.stdout)
    if found is None or not float(found[1]):
        msg = f"pgbench did nothing in {seconds:g} s: {done.stdout}"
        raise RuntimeError(msg)
    return Rate(float(found[1]), float(latency[1]) if latency else None)


class RawPostgres:
    """The driver alone: a prepared insert per event, each caller with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections: dict[int, psycopg.Connection[tuple[object, ...]]] = {}

    def insert(self, caller: int, done: int) -> None:
        """Insert one event."""
        if caller not in self._connections:
            self._connections[caller] = psycopg.connect(self._url, autocommit=True)
        self._connections[caller].execute(_INSERT, (str(uuid4()), 1, "Commented", EVENT), prepare=True)

    def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections.values():
            connection.close()


def raw_sqlite(path: Path) -> Work:
    """Return one durable insert through the driver alone: WAL, synchronous FULL, prepared."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE events (position INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, version INTEGER,"
        " topic TEXT, state TEXT, UNIQUE (stream, version))"
    )

    def insert(caller: int, done: int) -> None:
        connection.execute(
            "INSERT INTO events (stream, version, topic, state) VALUES (?, ?, ?, ?)",
            (f"mutationRequest-{caller}", connection.total_changes, "Commented", EVENT),
        )

    return insert
