"""The page docs/reference/performance.md, written from the JSON of runs: `scripts/bench report run.json …`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.benchmarks.figures import Tables, measured, reached
from scripts.benchmarks.report import milliseconds

PAGE = Path("docs/reference/performance.md")
_HEAD = """\
# Performance

Written by `scripts/bench report` from the JSON of runs of `scripts/bench`. Limit, peer and product took turns in each
run, on one machine that server and clients share. A rate is the median of the rounds, a ratio the median of the ratios
of the rounds; p50 and p99 are those of the round with the median rate, in milliseconds (of pgbench, the mean). Rates of
different machines, and of different hours of a shared one, cannot be compared; ratios of one table can.

- **pgbench, one insert**: a prepared single-row insert, one durable commit each, into a table with the same columns and
  indexes, by PostgreSQL's own load generator: what the server can do at best without sharing commits.
- **raw driver**: the same insert through `psycopg` or `sqlite3` alone.
- **plain library**: an `eventsourcing` application as it comes; a command is get, change, save.
- **ours, recorder alone**: `insert_events` with one event.
- **ours, command**: load from memory, decide, encode and append one event through the public API.
- **on one core**: the callers' process is kept on one core (`taskset -c 0`), as an interpreter that runs one thread at
  a time should be; see [how to run fast](../how-to/run-fast.md).
- **CPU µs**: what the callers' own processes spend on each piece of work, the server's share not counted; a million
  divided by it is what one interpreter can do at best.
"""
_NOTES, _END = "<!-- notes -->", "<!-- end of notes -->"
_FIGURES = """\
## Figures to reach

| | wanted | measured | |
|---|---|---|---|
"""


def write(documents: Sequence[Path], page: Path = PAGE) -> None:
    """Write the page from the runs' documents; of a table that several hold, the last one counts.

    What stands between the marks of the notes on the page is kept: there people say what the figures mean.
    """
    runs = [json.loads(each.read_text()) for each in documents]
    tables: dict[str, Any] = {}
    for run in runs:
        tables |= run["tables"]
    parts = [_HEAD, *_machines(runs), _FIGURES + "".join(_figures(tables))]
    parts.append(_notes(page))
    parts += ["## Tables\n", *(_table(title, rates) for title, rates in tables.items())]
    page.write_text("\n".join(parts))


def _notes(page: Path) -> str:
    old = page.read_text() if page.exists() else ""
    kept = old.partition(_NOTES)[2].partition(_END)[0] if _NOTES in old else "\n"
    return f"{_NOTES}{kept}{_END}\n"


def _machines(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Machine\n"
    seen: dict[str, list[str]] = {}
    for run in runs:
        for name, value in run["machine"].items():
            if value not in seen.setdefault(name, []):
                seen[name].append(value)
    yield "".join(f"- {name}: {', '.join(values)}\n" for name, values in seen.items())


def _figures(tables: Tables) -> Iterator[str]:
    for figure, value in measured(tables):
        sign = "≤" if figure.inverted else "≥"
        verdict = "reached" if reached(figure, value) else "**not reached**"
        yield f"| {figure.what} | {sign} {figure.wanted:g} | {value:.2f} | {verdict} |\n"


def _table(title: str, rates: Mapping[str, Any]) -> str:
    reference = next((name for name, rate in rates.items() if rate["ratio"] == 1.0), "")
    lines = [
        f"### {title}\n",
        f"| | per second | ÷ {reference} | p50 ms | p99 ms | CPU µs |",
        "|---|---|---|---|---|---|",
    ]
    for name, rate in rates.items():
        times = " | ".join(milliseconds(rate.get(key)) for key in ("p50_ms", "p99_ms", "cpu_us"))
        lines.append(f"| {name} | {rate['per_second']:,.0f} | {rate['ratio']:.2f} | {times} |")
    return "\n".join(lines) + "\n"
