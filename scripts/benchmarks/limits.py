"""Limits: what the databases do at best when every event is a durable commit of its own."""

import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from scripts.benchmarks.measure import Rate, Work

EVENT = "x" * 386
"""As long as a typical event."""
_TABLE = """
CREATE TABLE IF NOT EXISTS limit_events (
    position bigserial, stream text NOT NULL, version bigint NOT NULL, topic text NOT NULL, state text NOT NULL,
    PRIMARY KEY (stream, version));
CREATE UNIQUE INDEX IF NOT EXISTS limit_position ON limit_events (position);
"""


def prepare(url: str) -> None:
    """Create the table that the limit is measured on: columns and indexes like the product's."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE)


def pgbench_path() -> str | None:
    """Return where pgbench is, None when it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return shutil.which("pgbench") or (str(installed[-1]) if installed else None)


def pgbench(url: str, *, clients: int, seconds: float) -> Rate:
    """Return the rate of single-row inserts that pgbench reaches with so many clients."""
    script = (
        "INSERT INTO limit_events (stream, version, topic, state) VALUES "  # noqa: S608 our own constant
        f"(gen_random_uuid()::text, 1, 'Commented', '{EVENT}');"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        parts = urlsplit(url)
        program = pgbench_path()
        if program is None:
            msg = "pgbench is not installed; it comes with PostgreSQL"
            raise FileNotFoundError(msg)
        done = subprocess.run(
            [
                *(program, "-n", "-M", "prepared", "-f", file.name, "-c", str(clients), "-j", str(min(2, clients))),
                *("-T", str(max(1, round(seconds))), "-h", str(parts.hostname), "-p", str(parts.port)),
                *("-U", str(parts.username), parts.path.lstrip("/")),
            ],
            env={"PGPASSWORD": parts.password or "", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    latency = re.search(r"latency average = ([\d.]+) ms", done.stdout)
    return Rate(float(found[1]) if found else 0.0, float(latency[1]) if latency else None)


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
