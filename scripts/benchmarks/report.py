"""Reports: a table for people, JSON for programs, and the facts of the machine that the figures depend on."""

import json
import os
import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table as Grid

from scripts.benchmarks.measure import Rate, middle, ratio
from scripts.benchmarks.servers import sync_ms

LIBRARIES = ("eventsourcing", "psycopg", "pydantic")


def facts(url: str) -> dict[str, str]:
    """Return what the figures depend on, as far as it is no secret of the machine."""
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgresql": server_version(url),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in LIBRARIES},
        "write and fdatasync of a page, ms": f"{sync_ms():.2f}",
        "other load when it began": f"{os.getloadavg()[0]:.1f}",
    }


def server_version(url: str) -> str:
    """Return the version of the server."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).partition(" ")[0] if row else "unknown"


def as_data(rates: Mapping[str, list[Rate]], reference: str) -> dict[str, Any]:
    """Return one table as JSON values."""
    return {
        name: {
            **asdict(middle(each)),
            "ratio": ratio(each, rates[reference]),
            "rounds": [one.per_second for one in each],
        }
        for name, each in rates.items()
    }


def as_json(tables: Mapping[str, Any], machine: Mapping[str, str]) -> str:
    """Return everything as one JSON document."""
    return json.dumps({"machine": machine, "tables": tables}, indent=2)


def show(console: Console, title: str, rates: Mapping[str, list[Rate]], reference: str) -> None:
    """Print one table; ratios are to the contender that is named as the reference."""
    table = Grid(title=title, title_justify="left")
    table.add_column("")
    for heading in ("per second", f"÷ {reference}", "p50 ms", "p99 ms", "CPU µs", "MiB"):
        table.add_column(heading, justify="right")
    for name, each in rates.items():
        one = middle(each)
        compared = f"{ratio(each, rates[reference]):.2f}"
        table.add_row(
            name,
            f"{one.per_second:,.0f}",
            compared,
            *map(milliseconds, (one.p50_ms, one.p99_ms, one.cpu_us, one.peak_mb)),
        )
    console.print(table)


def milliseconds(value: float | None) -> str:
    """Return a time or a size as it stands in tables, nothing for one that is not known."""
    return "" if value is None else f"{value:.2f}"
