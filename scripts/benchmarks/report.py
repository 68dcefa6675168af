"""Reports: a table for people, JSON for programs, and the facts of the machine that the figures depend on."""

import json
import os
import platform
import sqlite3
from dataclasses import asdict
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.measure import Rate

LIBRARIES = ("eventsourcing", "psycopg", "pydantic")


def facts(postgres: str) -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "postgresql": postgres,
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in LIBRARIES},
    }


def as_json(tables: dict[str, dict[str, Rate]], limits: dict[str, str], machine: dict[str, str]) -> str:
    """Return everything as one JSON document."""
    measured = {
        title: {
            name: {**asdict(rate), "ratio": rate.per_second / rates[limits[title]].per_second}
            for name, rate in rates.items()
        }
        for title, rates in tables.items()
    }
    return json.dumps({"machine": machine, "tables": measured}, indent=2)


def show(console: Console, title: str, rates: dict[str, Rate], limit: str) -> None:
    """Print one table; ratios are to the contender that is named as the limit."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("per second", f"ratio to {limit}", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for name, rate in rates.items():
        ratio = rate.per_second / rates[limit].per_second if rates[limit].per_second else 0.0
        table.add_row(name, f"{rate.per_second:,.0f}", f"{ratio:.2f}", _ms(rate.p50_ms), _ms(rate.p99_ms))
    console.print(table)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
